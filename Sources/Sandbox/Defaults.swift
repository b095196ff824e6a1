import FoundationEssentials
import Shiplog

/// The values that the API server fills in, by kind.
enum Defaults {
    /// Fills in what a kind's object leaves open. What is there is left as it is.
    static func fill(_ object: inout JSON, _ kind: Kind) {
        guard !kind.isCustom else { return }
        switch kind.kind {
        case "Pod": change(&object, "spec") { PodDefaults.fill(&$0) }
        case "PodTemplate": PodDefaults.fillTemplate(&object)
        case "Deployment": deployment(&object)
        case "ReplicaSet", "ReplicationController": replicaSet(&object, kind)
        case "StatefulSet": statefulSet(&object)
        case "DaemonSet": daemonSet(&object)
        case "Job": change(&object, "spec") { job(&$0) }
        case "CronJob": cronJob(&object)
        case "Service": service(&object)
        case "Secret": secret(&object)
        case "Namespace": namespace(&object)
        case "PersistentVolumeClaim": change(&object, "spec") { set(&$0, "volumeMode", "Filesystem") }
        case "PersistentVolume":
            change(&object, "spec") {
                set(&$0, "volumeMode", "Filesystem")
                set(&$0, "persistentVolumeReclaimPolicy", "Retain")
            }
        case "HorizontalPodAutoscaler": autoscaler(&object)
        case "Ingress": ingress(&object)
        case "NetworkPolicy": networkPolicy(&object)
        case "StorageClass":
            set(&object, "reclaimPolicy", "Delete")
            set(&object, "volumeBindingMode", "Immediate")
        case "RoleBinding", "ClusterRoleBinding": binding(&object)
        case "EndpointSlice", "Endpoints": endpoints(&object)
        case "CustomResourceDefinition": definition(&object)
        case "PriorityClass": set(&object, "preemptionPolicy", "PreemptLowerPriority")
        case "LimitRange": break
        case "APIService": break
        case "ValidatingWebhookConfiguration", "MutatingWebhookConfiguration": webhooks(&object, kind)
        default: break
        }
    }

    /// Sets a member that is not there.
    static func set(_ object: inout JSON, _ name: String, _ value: JSON) {
        if object[name] == nil { object[name] = value }
    }

    /// Changes a member in place; a missing one is made only when the change leaves something in it.
    static func change(_ object: inout JSON, _ name: String, make: Bool = true, _ body: (inout JSON) -> Void) {
        guard var value = object[name] ?? (make ? [:] : nil) else { return }
        object[name] = .null
        body(&value)
        object[name] = value
    }

    /// Changes each element of a list in place.
    static func each(_ object: inout JSON, _ name: String, _ body: (inout JSON) -> Void) {
        guard var elements = object[name]?.array else { return }
        object[name] = .null
        for index in elements.indices { body(&elements[index]) }
        object[name] = .array(elements)
    }

    private static func labelsFromTemplate(_ object: inout JSON) {
        guard let labels = object.at("spec", "template", "metadata", "labels"), labels.object?.isEmpty == false else {
            return
        }
        if object.at("metadata", "labels")?.object?.isEmpty != false { object.set(labels, at: ["metadata", "labels"]) }
    }

    private static func deployment(_ object: inout JSON) {
        change(&object, "spec") { spec in
            set(&spec, "replicas", 1)
            set(&spec, "revisionHistoryLimit", 10)
            set(&spec, "progressDeadlineSeconds", 600)
            change(&spec, "strategy") { strategy in
                set(&strategy, "type", "RollingUpdate")
                guard strategy["type"] == "RollingUpdate" else { return }
                change(&strategy, "rollingUpdate") { rolling in
                    set(&rolling, "maxUnavailable", "25%")
                    set(&rolling, "maxSurge", "25%")
                }
            }
            change(&spec, "template") { PodDefaults.fillTemplate(&$0) }
        }
    }

    private static func replicaSet(_ object: inout JSON, _ kind: Kind) {
        change(&object, "spec") { spec in
            set(&spec, "replicas", 1)
            if kind.kind == "ReplicationController", spec["selector"] == nil {
                spec["selector"] = spec.at("template", "metadata", "labels")
            }
            change(&spec, "template") { PodDefaults.fillTemplate(&$0) }
        }
        labelsFromTemplate(&object)
    }

    private static func statefulSet(_ object: inout JSON) {
        change(&object, "spec") { spec in
            set(&spec, "replicas", 1)
            set(&spec, "revisionHistoryLimit", 10)
            set(&spec, "podManagementPolicy", "OrderedReady")
            change(&spec, "updateStrategy") { strategy in
                set(&strategy, "type", "RollingUpdate")
                guard strategy["type"] == "RollingUpdate" else { return }
                change(&strategy, "rollingUpdate") { set(&$0, "partition", 0) }
            }
            change(&spec, "persistentVolumeClaimRetentionPolicy") { policy in
                set(&policy, "whenDeleted", "Retain")
                set(&policy, "whenScaled", "Retain")
            }
            change(&spec, "template") { PodDefaults.fillTemplate(&$0) }
            each(&spec, "volumeClaimTemplates") { claim in
                set(&claim, "apiVersion", "v1")
                set(&claim, "kind", "PersistentVolumeClaim")
                change(&claim, "spec") { set(&$0, "volumeMode", "Filesystem") }
                change(&claim, "status") { set(&$0, "phase", "Pending") }
            }
        }
    }

    private static func daemonSet(_ object: inout JSON) {
        change(&object, "spec") { spec in
            set(&spec, "revisionHistoryLimit", 10)
            change(&spec, "updateStrategy") { strategy in
                set(&strategy, "type", "RollingUpdate")
                guard strategy["type"] == "RollingUpdate" else { return }
                change(&strategy, "rollingUpdate") { rolling in
                    set(&rolling, "maxUnavailable", 1)
                    set(&rolling, "maxSurge", 0)
                }
            }
            change(&spec, "template") { PodDefaults.fillTemplate(&$0) }
        }
    }

    private static func job(_ spec: inout JSON) {
        if spec["completions"] == nil, spec["parallelism"] == nil {
            spec["completions"] = 1
            spec["parallelism"] = 1
        }
        set(&spec, "parallelism", 1)
        set(&spec, "backoffLimit", 6)
        set(&spec, "completionMode", "NonIndexed")
        set(&spec, "suspend", false)
        set(&spec, "podReplacementPolicy", spec["podFailurePolicy"] == nil ? "TerminatingOrFailed" : "Failed")
        change(&spec, "template") { PodDefaults.fillTemplate(&$0) }
    }

    private static func cronJob(_ object: inout JSON) {
        change(&object, "spec") { spec in
            set(&spec, "concurrencyPolicy", "Allow")
            set(&spec, "suspend", false)
            set(&spec, "successfulJobsHistoryLimit", 3)
            set(&spec, "failedJobsHistoryLimit", 1)
            change(&spec, "jobTemplate") { template in
                change(&template, "spec") { job in
                    // Unlike a Job's own, a template's counts stay open.
                    change(&job, "template") { PodDefaults.fillTemplate(&$0) }
                }
            }
        }
    }

    private static func service(_ object: inout JSON) {
        change(&object, "spec") { spec in
            set(&spec, "type", "ClusterIP")
            set(&spec, "sessionAffinity", "None")
            let type = spec["type"]?.string
            if type != "ExternalName" {
                set(&spec, "internalTrafficPolicy", "Cluster")
                set(&spec, "ipFamilies", ["IPv4"])
                set(&spec, "ipFamilyPolicy", "SingleStack")
            }
            if type == "NodePort" || type == "LoadBalancer" { set(&spec, "externalTrafficPolicy", "Cluster") }
            if type == "LoadBalancer" { set(&spec, "allocateLoadBalancerNodePorts", true) }
            if spec["sessionAffinity"] == "ClientIP" {
                change(&spec, "sessionAffinityConfig") { config in
                    change(&config, "clientIP") { set(&$0, "timeoutSeconds", 10_800) }
                }
            }
            each(&spec, "ports") { port in
                set(&port, "protocol", "TCP")
                if let number = port["port"] { set(&port, "targetPort", number) }
            }
        }
        change(&object, "status") { set(&$0, "loadBalancer", [:]) }
    }

    /// `stringData` is folded into `data`, as the API server does it.
    private static func secret(_ object: inout JSON) {
        set(&object, "type", "Opaque")
        guard let plain = object["stringData"]?.object else { return }
        var data = object["data"]?.object ?? [:]
        for (name, value) in plain {
            data[name] = .string(Data((value.string ?? "").utf8).base64EncodedString())
        }
        object["stringData"] = nil
        if !data.isEmpty { object["data"] = .object(data) }
    }

    private static func namespace(_ object: inout JSON) {
        change(&object, "status") { set(&$0, "phase", "Active") }
        if let name = object.at("metadata", "name") {
            object.set(name, at: ["metadata", "labels", "kubernetes.io/metadata.name"])
        }
    }

    private static func autoscaler(_ object: inout JSON) {
        change(&object, "spec") { spec in
            set(&spec, "minReplicas", 1)
            set(
                &spec, "metrics",
                [
                    [
                        "type": "Resource",
                        "resource": ["name": "cpu", "target": ["type": "Utilization", "averageUtilization": 80]]
                    ]
                ])
        }
    }

    private static func ingress(_ object: inout JSON) {
        change(&object, "status") { set(&$0, "loadBalancer", [:]) }
    }

    private static func networkPolicy(_ object: inout JSON) {
        change(&object, "spec") { spec in
            set(&spec, "podSelector", [:])
            if spec["policyTypes"] == nil {
                spec["policyTypes"] = spec["egress"] == nil ? ["Ingress"] : ["Ingress", "Egress"]
            }
            for direction in ["ingress", "egress"] {
                each(&spec, direction) { rule in each(&rule, "ports") { set(&$0, "protocol", "TCP") } }
            }
        }
    }

    private static func binding(_ object: inout JSON) {
        change(&object, "roleRef", make: false) { set(&$0, "apiGroup", "rbac.authorization.k8s.io") }
        each(&object, "subjects") { subject in
            if subject["kind"] == "User" || subject["kind"] == "Group" {
                set(&subject, "apiGroup", "rbac.authorization.k8s.io")
            }
        }
    }

    private static func endpoints(_ object: inout JSON) {
        each(&object, "subsets") { subset in each(&subset, "ports") { set(&$0, "protocol", "TCP") } }
        each(&object, "ports") { port in
            set(&port, "protocol", "TCP")
            set(&port, "name", "")
        }
    }

    private static func definition(_ object: inout JSON) {
        change(&object, "spec") { spec in
            change(&spec, "conversion") { set(&$0, "strategy", "None") }
            change(&spec, "names") { names in
                guard let kind = names["kind"]?.string else { return }
                set(&names, "singular", .string(kind.lowercased()))
                set(&names, "listKind", .string(kind + "List"))
            }
        }
    }

    private static func webhooks(_ object: inout JSON, _ kind: Kind) {
        each(&object, "webhooks") { webhook in
            set(&webhook, "failurePolicy", "Fail")
            set(&webhook, "matchPolicy", "Equivalent")
            set(&webhook, "namespaceSelector", [:])
            set(&webhook, "objectSelector", [:])
            set(&webhook, "timeoutSeconds", 10)
            if kind.kind.hasPrefix("Mutating") { set(&webhook, "reinvocationPolicy", "Never") }
            each(&webhook, "rules") { set(&$0, "scope", "*") }
            change(&webhook, "clientConfig", make: false) { config in
                change(&config, "service", make: false) { set(&$0, "port", 443) }
            }
        }
    }
}
