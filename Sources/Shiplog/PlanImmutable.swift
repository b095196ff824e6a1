/// Fields that Kubernetes lets nobody change once an object exists, as far as it is certain beforehand.
///
/// From the validation of each kind (`pkg/apis/*/validation` of kubernetes/kubernetes) and its documentation.
enum Immutable {
    /// The first of the changes that the server would refuse.
    static func firstChange(in changes: [FieldChange], of desired: Resource, live: Resource) -> FieldChange? {
        changes.first { isRefused($0, desired, live) }
    }

    private static func isRefused(_ change: FieldChange, _ desired: Resource, _ live: Resource) -> Bool {
        let fields = change.field.fields
        let kind = desired.gvk
        func starts(_ path: String...) -> Bool { fields.starts(with: path) }
        switch (kind.group, kind.kind) {
        case ("apps", "Deployment"), ("apps", "ReplicaSet"), ("apps", "DaemonSet"): return starts("spec", "selector")
        case ("apps", "StatefulSet"):
            guard fields.first == "spec", fields.count > 1 else { return false }
            // Kubernetes names in its own refusal what may change; newer servers may allow more.
            return ["selector", "serviceName", "podManagementPolicy", "volumeClaimTemplates"].contains(fields[1])
        case ("batch", "Job"):
            // A suspended job may still get another place to run.
            if starts("spec", "template") { return live.object.at("spec", "suspend")?.bool != true }
            return starts("spec", "selector") || starts("spec", "completionMode")
                || starts("spec", "manualSelector") || starts("spec", "podFailurePolicy")
        case ("", "Service"): return isRefusedInService(change, fields, desired, live)
        case ("", "PersistentVolumeClaim"): return isRefusedInClaim(change, fields)
        case ("", "PersistentVolume"):
            let sources: Set<String> = [
                "csi", "nfs", "hostPath", "local", "iscsi", "fc", "awsElasticBlockStore",
                "gcePersistentDisk", "azureDisk", "azureFile", "cephfs", "rbd", "volumeMode"
            ]
            return fields.first == "spec" && fields.count > 1 && sources.contains(fields[1])
        case ("", "Secret"):
            if fields == ["type"] { return change.kind == .changed }
            return isFrozen(live) && (fields.first == "data" || fields == ["immutable"])
        case ("", "ConfigMap"):
            return isFrozen(live) && ["data", "binaryData", "immutable"].contains(fields.first ?? "")
        case ("", "Pod"): return isRefusedInPod(change, fields)
        case ("rbac.authorization.k8s.io", "RoleBinding"), ("rbac.authorization.k8s.io", "ClusterRoleBinding"):
            return starts("roleRef")
        case ("storage.k8s.io", "StorageClass"):
            return ["provisioner", "parameters", "reclaimPolicy", "volumeBindingMode"].contains(fields.first ?? "")
        case ("scheduling.k8s.io", "PriorityClass"): return fields == ["value"] || fields == ["preemptionPolicy"]
        case ("networking.k8s.io", "IngressClass"): return starts("spec", "controller")
        case ("node.k8s.io", "RuntimeClass"): return starts("handler")
        case ("apiextensions.k8s.io", "CustomResourceDefinition"):
            return fields == ["spec", "group"] || fields == ["spec", "scope"] || fields == ["spec", "names", "plural"]
                || fields == ["spec", "names", "kind"]
        default: return false
        }
    }

    private static func isFrozen(_ live: Resource) -> Bool { live.object["immutable"]?.bool == true }

    /// A cluster IP stays what it is for as long as the type has one.
    private static func isRefusedInService(
        _ change: FieldChange, _ fields: [String], _ desired: Resource, _ live: Resource
    ) -> Bool {
        guard fields == ["spec", "clusterIP"], change.kind == .changed else { return false }
        let types = [desired, live].map { $0.object.at("spec", "type")?.string }
        return !types.contains("ExternalName") && change.desired != "" && change.live != ""
    }

    /// Of a claim only the requested size may change, and only grow.
    private static func isRefusedInClaim(_ change: FieldChange, _ fields: [String]) -> Bool {
        guard fields.first == "spec", fields.count > 1 else { return false }
        if fields == ["spec", "resources", "requests", "storage"] {
            guard let wanted = change.desired.flatMap({ Quantity($0) }),
                let there = change.live.flatMap({ Quantity($0) })
            else { return false }
            return wanted < there
        }
        return !["resources", "volumeAttributesClassName"].contains(fields[1])
    }

    /// Of a pod's containers only the image may change, and of the pod the deadline, the grace period and tolerations.
    private static func isRefusedInPod(_ change: FieldChange, _ fields: [String]) -> Bool {
        guard fields.first == "spec", fields.count > 1 else { return false }
        switch fields[1] {
        case "containers", "initContainers": return fields.count != 3 || fields[2] != "image"
        case "ephemeralContainers", "activeDeadlineSeconds", "terminationGracePeriodSeconds", "tolerations",
            "schedulingGates", "nodeSelector", "affinity":
            return false
        default: return true
        }
    }
}
