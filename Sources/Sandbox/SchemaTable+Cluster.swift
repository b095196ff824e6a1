extension SchemaTable {
    /// Networking, RBAC, storage, discovery, admission, custom kinds and the rest.
    static let cluster = """
        APIService apiVersion:s kind:s metadata:ObjectMeta spec:APIServiceSpec status:APIServiceStatus
        APIServiceCondition lastTransitionTime:t message?:s reason?:s status!:s type!:s
        APIServiceSpec caBundle:B group?:s groupPriorityMinimum!:i insecureSkipTLSVerify?:b
          service:ApiregistrationServiceReference version?:s versionPriority!:i
        APIServiceStatus conditions:[APIServiceCondition]@type~type
        AdmissionregistrationServiceReference name!:s namespace!:s path:s port:i
        AdmissionregistrationWebhookClientConfig caBundle:B service:AdmissionregistrationServiceReference url:s
        AggregationRule clusterRoleSelectors:[LabelSelector]
        ApiextensionsServiceReference name!:s namespace!:s path:s port:i
        ApiextensionsWebhookClientConfig caBundle:B service:ApiextensionsServiceReference url:s
        ApiregistrationServiceReference name?:s namespace?:s port:i
        ClusterRole aggregationRule:AggregationRule apiVersion:s kind:s metadata:ObjectMeta rules:[PolicyRule]
        ClusterRoleBinding apiVersion:s kind:s metadata:ObjectMeta roleRef!:RoleRef subjects:[Subject]
        CustomResourceColumnDefinition description?:s format?:s jsonPath!:s name!:s priority?:i type!:s
        CustomResourceConversion strategy!:s webhook:WebhookConversion
        CustomResourceDefinition apiVersion:s kind:s metadata:ObjectMeta spec!:CustomResourceDefinitionSpec
          status:CustomResourceDefinitionStatus
        CustomResourceDefinitionCondition lastTransitionTime:t message?:s observedGeneration?:l reason?:s
          status!:s type!:s
        CustomResourceDefinitionNames categories:[s] kind!:s listKind?:s plural!:s shortNames:[s] singular?:s
        CustomResourceDefinitionSpec conversion:CustomResourceConversion group!:s
          names!:CustomResourceDefinitionNames preserveUnknownFields?:b scope!:s
          versions!:[CustomResourceDefinitionVersion]
        CustomResourceDefinitionStatus acceptedNames:CustomResourceDefinitionNames
          conditions:[CustomResourceDefinitionCondition]@type observedGeneration?:l storedVersions:[s]
        CustomResourceDefinitionVersion additionalPrinterColumns:[CustomResourceColumnDefinition] deprecated?:b
          deprecationWarning:s name!:s schema:CustomResourceValidation selectableFields:[SelectableField]
          served!:b storage!:b subresources:CustomResourceSubresources
        CustomResourceSubresourceScale labelSelectorPath:s specReplicasPath!:s statusReplicasPath!:s
        CustomResourceSubresourceStatus
        CustomResourceSubresources scale:CustomResourceSubresourceScale status:CustomResourceSubresourceStatus
        CustomResourceValidation openAPIV3Schema:JSONSchemaProps
        DiscoveryEndpointPort^ appProtocol:s name:s port:i protocol:s
        Endpoint addresses!:[s]# conditions:EndpointConditions deprecatedTopology:{s} hints:EndpointHints
          hostname:s nodeName:s targetRef:ObjectReference zone:s
        EndpointConditions ready:b serving:b terminating:b
        EndpointHints forNodes:[ForNode] forZones:[ForZone]
        EndpointSlice addressType!:s apiVersion:s endpoints:[Endpoint] kind:s metadata:ObjectMeta
          ports:[DiscoveryEndpointPort]
        ExternalDocumentation description?:s url?:s
        ForNode name!:s
        ForZone name!:s
        HTTPIngressPath backend!:IngressBackend path?:s pathType!:s
        HTTPIngressRuleValue paths!:[HTTPIngressPath]
        IPBlock cidr!:s except:[s]
        Ingress apiVersion:s kind:s metadata:ObjectMeta spec:IngressSpec status:IngressStatus
        IngressBackend resource:TypedLocalObjectReference service:IngressServiceBackend
        IngressClass apiVersion:s kind:s metadata:ObjectMeta spec:IngressClassSpec
        IngressClassParametersReference apiGroup:s kind!:s name!:s namespace:s scope:s
        IngressClassSpec controller?:s parameters:IngressClassParametersReference
        IngressLoadBalancerIngress hostname?:s ip?:s ports:[IngressPortStatus]
        IngressLoadBalancerStatus ingress:[IngressLoadBalancerIngress]
        IngressPortStatus error:s port!:i protocol!:s
        IngressRule host?:s http:HTTPIngressRuleValue
        IngressServiceBackend name!:s port:ServiceBackendPort
        IngressSpec defaultBackend:IngressBackend ingressClassName:s rules:[IngressRule] tls:[IngressTLS]
        IngressStatus loadBalancer:IngressLoadBalancerStatus
        IngressTLS hosts:[s] secretName?:s
        JSONSchemaProps $ref:s $schema?:s additionalItems:* additionalProperties:* allOf:[JSONSchemaProps]
          anyOf:[JSONSchemaProps] default:* definitions:{JSONSchemaProps} dependencies:{*} description?:s enum:[*]
          example:* exclusiveMaximum?:b exclusiveMinimum?:b externalDocs:ExternalDocumentation format?:s id?:s
          items:* maxItems:l maxLength:l maxProperties:l maximum:d minItems:l minLength:l minProperties:l
          minimum:d multipleOf:d not:JSONSchemaProps nullable?:b oneOf:[JSONSchemaProps] pattern?:s
          patternProperties:{JSONSchemaProps} properties:{JSONSchemaProps} required:[s] title?:s type?:s
          uniqueItems?:b x-kubernetes-embedded-resource?:b x-kubernetes-int-or-string?:b
          x-kubernetes-list-map-keys:[s] x-kubernetes-list-type:s x-kubernetes-map-type:s
          x-kubernetes-preserve-unknown-fields:b x-kubernetes-validations:[ValidationRule]@rule~rule
        Lease apiVersion:s kind:s metadata:ObjectMeta spec:LeaseSpec
        LeaseSpec acquireTime:u holderIdentity:s leaseDurationSeconds:i leaseTransitions:i preferredHolder:s
          renewTime:u strategy:s
        MatchCondition expression!:s name!:s
        MutatingWebhook admissionReviewVersions!:[s] clientConfig!:AdmissionregistrationWebhookClientConfig
          failurePolicy:s matchConditions:[MatchCondition]@name~name matchPolicy:s name!:s
          namespaceSelector:LabelSelector objectSelector:LabelSelector reinvocationPolicy:s
          rules:[RuleWithOperations] sideEffects!:s timeoutSeconds:i
        MutatingWebhookConfiguration apiVersion:s kind:s metadata:ObjectMeta webhooks:[MutatingWebhook]@name~name
        NetworkPolicy apiVersion:s kind:s metadata:ObjectMeta spec:NetworkPolicySpec
        NetworkPolicyEgressRule ports:[NetworkPolicyPort] to:[NetworkPolicyPeer]
        NetworkPolicyIngressRule from:[NetworkPolicyPeer] ports:[NetworkPolicyPort]
        NetworkPolicyPeer ipBlock:IPBlock namespaceSelector:LabelSelector podSelector:LabelSelector
        NetworkPolicyPort endPort:i port:x protocol:s
        NetworkPolicySpec egress:[NetworkPolicyEgressRule] ingress:[NetworkPolicyIngressRule]
          podSelector:LabelSelector policyTypes:[s]
        PolicyRule apiGroups:[s] nonResourceURLs:[s] resourceNames:[s] resources:[s] verbs!:[s]
        PriorityClass apiVersion:s description?:s globalDefault?:b kind:s metadata:ObjectMeta preemptionPolicy:s
          value:i
        Role apiVersion:s kind:s metadata:ObjectMeta rules:[PolicyRule]
        RoleBinding apiVersion:s kind:s metadata:ObjectMeta roleRef!:RoleRef subjects:[Subject]
        RoleRef^ apiGroup:s kind!:s name!:s
        RuleWithOperations apiGroups:[s] apiVersions:[s] operations:[s] resources:[s] scope:s
        SelectableField jsonPath!:s
        ServiceBackendPort^ name?:s number?:i
        StorageClass allowVolumeExpansion:b allowedTopologies:[TopologySelectorTerm] apiVersion:s kind:s
          metadata:ObjectMeta mountOptions:[s] parameters:{s} provisioner!:s reclaimPolicy:s volumeBindingMode:s
        Subject^ apiGroup?:s kind!:s name!:s namespace?:s
        ValidatingWebhook admissionReviewVersions!:[s] clientConfig!:AdmissionregistrationWebhookClientConfig
          failurePolicy:s matchConditions:[MatchCondition]@name~name matchPolicy:s name!:s
          namespaceSelector:LabelSelector objectSelector:LabelSelector rules:[RuleWithOperations] sideEffects!:s
          timeoutSeconds:i
        ValidatingWebhookConfiguration apiVersion:s kind:s metadata:ObjectMeta
          webhooks:[ValidatingWebhook]@name~name
        ValidationRule fieldPath?:s message?:s messageExpression?:s optionalOldSelf:b reason:s rule!:s
        WebhookConversion clientConfig:ApiextensionsWebhookClientConfig conversionReviewVersions!:[s]
        """
}
