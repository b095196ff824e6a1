import Shiplog

/// The kinds that a cluster has from the start.
enum BuiltIn {
    /// `group/version Kind plural singular short,names flags`; `-` is the core group or no short name. Flags: `c`
    /// cluster-scoped, `s` status subresource, `r` scale subresource, `g` generation, `a` in the category `all`.
    private static let table = """
        -/v1 ConfigMap configmaps configmap cm -
        -/v1 Endpoints endpoints endpoints ep -
        -/v1 Event events event ev -
        -/v1 LimitRange limitranges limitrange limits -
        -/v1 Namespace namespaces namespace ns cs
        -/v1 Node nodes node no cs
        -/v1 PersistentVolume persistentvolumes persistentvolume pv cs
        -/v1 PersistentVolumeClaim persistentvolumeclaims persistentvolumeclaim pvc s
        -/v1 Pod pods pod po sga
        -/v1 PodTemplate podtemplates podtemplate - -
        -/v1 ReplicationController replicationcontrollers replicationcontroller rc srga
        -/v1 ResourceQuota resourcequotas resourcequota quota s
        -/v1 Secret secrets secret - -
        -/v1 Service services service svc sa
        -/v1 ServiceAccount serviceaccounts serviceaccount sa -
        admissionregistration.k8s.io/v1 MutatingWebhookConfiguration mutatingwebhookconfigurations \
        mutatingwebhookconfiguration - cg
        admissionregistration.k8s.io/v1 ValidatingWebhookConfiguration validatingwebhookconfigurations \
        validatingwebhookconfiguration - cg
        apiextensions.k8s.io/v1 CustomResourceDefinition customresourcedefinitions customresourcedefinition crd,crds csg
        apiregistration.k8s.io/v1 APIService apiservices apiservice - cs
        apps/v1 ControllerRevision controllerrevisions controllerrevision - -
        apps/v1 DaemonSet daemonsets daemonset ds sga
        apps/v1 Deployment deployments deployment deploy srga
        apps/v1 ReplicaSet replicasets replicaset rs srga
        apps/v1 StatefulSet statefulsets statefulset sts srga
        autoscaling/v2 HorizontalPodAutoscaler horizontalpodautoscalers horizontalpodautoscaler hpa sa
        batch/v1 CronJob cronjobs cronjob cj sga
        batch/v1 Job jobs job - sga
        coordination.k8s.io/v1 Lease leases lease - -
        discovery.k8s.io/v1 EndpointSlice endpointslices endpointslice - g
        networking.k8s.io/v1 Ingress ingresses ingress ing sg
        networking.k8s.io/v1 IngressClass ingressclasses ingressclass - cg
        networking.k8s.io/v1 NetworkPolicy networkpolicies networkpolicy netpol g
        policy/v1 PodDisruptionBudget poddisruptionbudgets poddisruptionbudget pdb sg
        rbac.authorization.k8s.io/v1 ClusterRole clusterroles clusterrole - c
        rbac.authorization.k8s.io/v1 ClusterRoleBinding clusterrolebindings clusterrolebinding - c
        rbac.authorization.k8s.io/v1 Role roles role - -
        rbac.authorization.k8s.io/v1 RoleBinding rolebindings rolebinding - -
        scheduling.k8s.io/v1 PriorityClass priorityclasses priorityclass pc cg
        storage.k8s.io/v1 StorageClass storageclasses storageclass sc c
        """

    static let kinds: [Kind] = table.split(separator: "\n").compactMap { line in
        let words = line.split(separator: " ").map(String.init)
        guard words.count == 6 else { return nil }
        let version = words[0].split(separator: "/").map(String.init)
        guard version.count == 2 else { return nil }
        let flags = words[5]
        return Kind(
            group: version[0] == "-" ? "" : version[0], version: version[1], kind: words[1], plural: words[2],
            singular: words[3], shortNames: words[4] == "-" ? [] : words[4].split(separator: ",").map(String.init),
            categories: flags.contains("a") ? ["all"] : [], isNamespaced: !flags.contains("c"),
            hasStatus: flags.contains("s"),
            scale: flags.contains("r")
                ? Kind.ScalePaths(specReplicas: ["spec", "replicas"], statusReplicas: ["status", "replicas"]) : nil,
            hasGeneration: flags.contains("g"), shape: .named(words[1]))
    }
}
