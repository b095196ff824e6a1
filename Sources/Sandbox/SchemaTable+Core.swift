extension SchemaTable {
    /// The other types of the core group.
    static let core = """
        AttachedVolume devicePath!:s name!:s
        AzureFilePersistentVolumeSource readOnly?:b secretName!:s secretNamespace:s shareName!:s
        Binding apiVersion:s kind:s metadata:ObjectMeta target!:ObjectReference
        CSIPersistentVolumeSource controllerExpandSecretRef:SecretReference
          controllerPublishSecretRef:SecretReference driver!:s fsType?:s nodeExpandSecretRef:SecretReference
          nodePublishSecretRef:SecretReference nodeStageSecretRef:SecretReference readOnly?:b volumeAttributes:{s}
          volumeHandle!:s
        CephFSPersistentVolumeSource monitors!:[s] path?:s readOnly?:b secretFile?:s secretRef:SecretReference
          user?:s
        CinderPersistentVolumeSource fsType?:s readOnly?:b secretRef:SecretReference volumeID!:s
        ClientIPConfig timeoutSeconds:i
        ConfigMap apiVersion:s binaryData:{B} data:{s} immutable:b kind:s metadata:ObjectMeta
        ConfigMapNodeConfigSource kubeletConfigKey!:s name!:s namespace!:s resourceVersion?:s uid?:s
        ContainerExtendedResourceRequest containerName!:s requestName!:s resourceName!:s
        ContainerImage names:[s] sizeBytes?:l
        ContainerState running:ContainerStateRunning terminated:ContainerStateTerminated
          waiting:ContainerStateWaiting
        ContainerStateRunning startedAt:t
        ContainerStateTerminated containerID?:s exitCode!:i finishedAt:t message?:s reason?:s signal?:i
          startedAt:t
        ContainerStateWaiting message?:s reason?:s
        ContainerStatus allocatedResources:{q} allocatedResourcesStatus:[ResourceStatus]@name~name containerID?:s
          image!:s imageID!:s lastState:ContainerState name!:s ready!:b resources:ResourceRequirements
          restartCount!:i started:b state:ContainerState stopSignal:s user:ContainerUser
          volumeMounts:[VolumeMountStatus]@mountPath~mountPath
        ContainerUser linux:LinuxContainerUser
        DaemonEndpoint Port!:i
        EndpointAddress^ hostname?:s ip!:s nodeName:s targetRef:ObjectReference
        EndpointPort^ appProtocol:s name?:s port!:i protocol?:s
        EndpointSubset addresses:[EndpointAddress] notReadyAddresses:[EndpointAddress] ports:[EndpointPort]
        Endpoints apiVersion:s kind:s metadata:ObjectMeta subsets:[EndpointSubset]
        Event action?:s apiVersion:s count?:i eventTime:u firstTimestamp:t involvedObject!:ObjectReference kind:s
          lastTimestamp:t message?:s metadata!:ObjectMeta reason?:s related:ObjectReference reportingComponent:s
          reportingInstance:s series:EventSeries source:EventSource type?:s
        EventSeries count?:i lastObservedTime:u
        EventSource component?:s host?:s
        FlexPersistentVolumeSource driver!:s fsType?:s options:{s} readOnly?:b secretRef:SecretReference
        GlusterfsPersistentVolumeSource endpoints!:s endpointsNamespace:s path!:s readOnly?:b
        HostIP ip!:s
        ISCSIPersistentVolumeSource chapAuthDiscovery?:b chapAuthSession?:b fsType?:s initiatorName:s iqn!:s
          iscsiInterface?:s lun!:i portals:[s] readOnly?:b secretRef:SecretReference targetPortal!:s
        ImageVolumeStatus imageRef!?:s
        LimitRange apiVersion:s kind:s metadata:ObjectMeta spec:LimitRangeSpec
        LimitRangeItem default:{q} defaultRequest:{q} max:{q} maxLimitRequestRatio:{q} min:{q} type!:s
        LimitRangeSpec limits!:[LimitRangeItem]
        LinuxContainerUser gid!:l supplementalGroups:[l] uid!:l
        LoadBalancerIngress hostname?:s ip?:s ipMode:s ports:[PortStatus]
        LoadBalancerStatus ingress:[LoadBalancerIngress]
        LocalVolumeSource fsType:s path!:s
        ModifyVolumeStatus status!:s targetVolumeAttributesClassName?:s
        Namespace apiVersion:s kind:s metadata:ObjectMeta spec:NamespaceSpec status:NamespaceStatus
        NamespaceCondition lastTransitionTime:t message?:s reason?:s status!:s type!:s
        NamespaceSpec finalizers:[s]
        NamespaceStatus conditions:[NamespaceCondition]@type~type phase?:s
        Node apiVersion:s kind:s metadata:ObjectMeta spec:NodeSpec status:NodeStatus
        NodeAddress address!:s type!:s
        NodeAllocatableResourceClaimStatus containers:[s]# resourceClaimName!:s resources!:{q}
        NodeCondition lastHeartbeatTime:t lastTransitionTime:t message?:s reason?:s status!:s type!:s
        NodeConfigSource configMap:ConfigMapNodeConfigSource
        NodeConfigStatus active:NodeConfigSource assigned:NodeConfigSource error?:s lastKnownGood:NodeConfigSource
        NodeDaemonEndpoints kubeletEndpoint:DaemonEndpoint
        NodeFeatures supplementalGroupsPolicy:b
        NodeRuntimeHandler features:NodeRuntimeHandlerFeatures name:s
        NodeRuntimeHandlerFeatures recursiveReadOnlyMounts:b userNamespaces:b
        NodeSpec configSource:NodeConfigSource externalID?:s podCIDR?:s podCIDRs:[s]#~ providerID?:s
          taints:[Taint] unschedulable?:b
        NodeStatus addresses:[NodeAddress]@type~type allocatable:{q} capacity:{q}
          conditions:[NodeCondition]@type~type config:NodeConfigStatus daemonEndpoints:NodeDaemonEndpoints
          declaredFeatures:[s] features:NodeFeatures images:[ContainerImage] nodeInfo:NodeSystemInfo phase?:s
          runtimeHandlers:[NodeRuntimeHandler] volumesAttached:[AttachedVolume] volumesInUse:[s]
        NodeSwapStatus capacity:l
        NodeSystemInfo architecture!:s bootID!:s containerRuntimeVersion!:s kernelVersion!:s kubeProxyVersion!:s
          kubeletVersion!:s machineID!:s operatingSystem!:s osImage!:s swap:NodeSwapStatus systemUUID!:s
        ObjectReference^ apiVersion?:s fieldPath?:s kind?:s name?:s namespace?:s resourceVersion?:s uid?:s
        PersistentVolume apiVersion:s kind:s metadata:ObjectMeta spec:PersistentVolumeSpec
          status:PersistentVolumeStatus
        PersistentVolumeClaim apiVersion:s kind:s metadata:ObjectMeta spec:PersistentVolumeClaimSpec
          status:PersistentVolumeClaimStatus
        PersistentVolumeClaimCondition lastProbeTime:t lastTransitionTime:t message?:s reason?:s status!:s type!:s
        PersistentVolumeClaimStatus accessModes:[s] allocatedResourceStatuses:{s} allocatedResources:{q}
          capacity:{q} conditions:[PersistentVolumeClaimCondition]@type~type currentVolumeAttributesClassName:s
          modifyVolumeStatus:ModifyVolumeStatus phase?:s
        PersistentVolumeSpec accessModes:[s] awsElasticBlockStore:AWSElasticBlockStoreVolumeSource
          azureDisk:AzureDiskVolumeSource azureFile:AzureFilePersistentVolumeSource capacity:{q}
          cephfs:CephFSPersistentVolumeSource cinder:CinderPersistentVolumeSource claimRef:ObjectReference
          csi:CSIPersistentVolumeSource fc:FCVolumeSource flexVolume:FlexPersistentVolumeSource
          flocker:FlockerVolumeSource gcePersistentDisk:GCEPersistentDiskVolumeSource
          glusterfs:GlusterfsPersistentVolumeSource hostPath:HostPathVolumeSource
          iscsi:ISCSIPersistentVolumeSource local:LocalVolumeSource mountOptions:[s] nfs:NFSVolumeSource
          nodeAffinity:VolumeNodeAffinity persistentVolumeReclaimPolicy?:s
          photonPersistentDisk:PhotonPersistentDiskVolumeSource portworxVolume:PortworxVolumeSource
          quobyte:QuobyteVolumeSource rbd:RBDPersistentVolumeSource scaleIO:ScaleIOPersistentVolumeSource
          storageClassName?:s storageos:StorageOSPersistentVolumeSource volumeAttributesClassName:s volumeMode:s
          vsphereVolume:VsphereVirtualDiskVolumeSource
        PersistentVolumeStatus lastPhaseTransitionTime:t message?:s phase?:s reason?:s
        Pod apiVersion:s kind:s metadata:ObjectMeta spec:PodSpec status:PodStatus
        PodCondition lastProbeTime:t lastTransitionTime:t message?:s observedGeneration?:l reason?:s status!:s
          type!:s
        PodExtendedResourceClaimStatus requestMappings!:[ContainerExtendedResourceRequest] resourceClaimName!:s
        PodIP ip!:s
        PodResourceClaimStatus name!:s resourceClaimName:s
        PodStatus allocatedResources:{q} conditions:[PodCondition]@type~type containerStatuses:[ContainerStatus]
          ephemeralContainerStatuses:[ContainerStatus] extendedResourceClaimStatus:PodExtendedResourceClaimStatus
          hostIP?:s hostIPs:[HostIP]~ip initContainerStatuses:[ContainerStatus] message?:s
          nodeAllocatableResourceClaimStatuses:[NodeAllocatableResourceClaimStatus] nominatedNodeName?:s
          observedGeneration?:l phase?:s podIP?:s podIPs:[PodIP]@ip~ip qosClass?:s reason?:s resize?:s
          resourceClaimStatuses:[PodResourceClaimStatus]@name~name+ resources:ResourceRequirements startTime:t
        PodTemplate apiVersion:s kind:s metadata:ObjectMeta template:PodTemplateSpec
        PortStatus error:s port!:i protocol!:s
        RBDPersistentVolumeSource fsType?:s image!:s keyring?:s monitors!:[s] pool?:s readOnly?:b
          secretRef:SecretReference user?:s
        ReplicationController apiVersion:s kind:s metadata:ObjectMeta spec:ReplicationControllerSpec
          status:ReplicationControllerStatus
        ReplicationControllerCondition lastTransitionTime:t message?:s reason?:s status!:s type!:s
        ReplicationControllerSpec minReadySeconds?:i replicas:i selector:{s}^ template:PodTemplateSpec
        ReplicationControllerStatus availableReplicas?:i conditions:[ReplicationControllerCondition]@type~type
          fullyLabeledReplicas?:i observedGeneration?:l readyReplicas?:i replicas!:i
        ResourceHealth health?:s message:s resourceID!:s
        ResourceQuota apiVersion:s kind:s metadata:ObjectMeta spec:ResourceQuotaSpec status:ResourceQuotaStatus
        ResourceQuotaSpec hard:{q} scopeSelector:ScopeSelector scopes:[s]
        ResourceQuotaStatus hard:{q} used:{q}
        ResourceStatus name!:s resources:[ResourceHealth]@resourceID
        ScaleIOPersistentVolumeSource fsType?:s gateway!:s protectionDomain?:s readOnly?:b
          secretRef!:SecretReference sslEnabled?:b storageMode?:s storagePool?:s system!:s volumeName?:s
        ScopeSelector^ matchExpressions:[ScopedResourceSelectorRequirement]
        ScopedResourceSelectorRequirement operator!:s scopeName!:s values:[s]
        Secret apiVersion:s data:{B} immutable:b kind:s metadata:ObjectMeta stringData:{s} type?:s
        SecretReference^ name?:s namespace?:s
        Service apiVersion:s kind:s metadata:ObjectMeta spec:ServiceSpec status:ServiceStatus
        ServiceAccount apiVersion:s automountServiceAccountToken:b imagePullSecrets:[LocalObjectReference] kind:s
          metadata:ObjectMeta secrets:[ObjectReference]@name~name
        ServicePort appProtocol:s name?:s nodePort?:i port!:i protocol?:s=TCP targetPort:x
        ServiceSpec allocateLoadBalancerNodePorts:b clusterIP?:s clusterIPs:[s] externalIPs:[s] externalName?:s
          externalTrafficPolicy?:s healthCheckNodePort?:i internalTrafficPolicy:s ipFamilies:[s] ipFamilyPolicy:s
          loadBalancerClass:s loadBalancerIP?:s loadBalancerSourceRanges:[s]
          ports:[ServicePort]@port,protocol~port publishNotReadyAddresses?:b selector:{s}^ sessionAffinity?:s
          sessionAffinityConfig:SessionAffinityConfig trafficDistribution:s type?:s
        ServiceStatus conditions:[Condition]@type~type loadBalancer:LoadBalancerStatus
        SessionAffinityConfig clientIP:ClientIPConfig
        StorageOSPersistentVolumeSource fsType?:s readOnly?:b secretRef:ObjectReference volumeName?:s
          volumeNamespace?:s
        Taint effect!:s key!:s timeAdded:t value?:s
        TopologySelectorLabelRequirement key!:s values!:[s]
        TopologySelectorTerm^ matchLabelExpressions:[TopologySelectorLabelRequirement]
        VolumeMountStatus mountPath!:s name!:s readOnly?:b recursiveReadOnly:s volumeStatus:VolumeStatus
        VolumeNodeAffinity required:NodeSelector
        VolumeStatus image:ImageVolumeStatus
        """
}
