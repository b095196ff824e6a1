/// How a server merges a list.
public enum ListShape: Sendable, Hashable {
    /// Elements are told apart by these fields; a field may have a default.
    case map(keys: [String], defaults: [String: JSON])
    /// Elements are told apart by their value.
    case set
    /// The list is one value.
    case atomic
    /// It depends on a schema that is not at hand.
    case unknown
}

/// How a server merges a map.
public enum MapShape: Sendable, Hashable {
    /// Each member has its own owner.
    case granular
    /// The map is one value.
    case atomic
    case unknown
}

/// How the lists and maps of each kind merge, as Kubernetes' OpenAPI says (`x-kubernetes-list-type`, `-map-keys`,
/// `-map-type`). A list that the schema says nothing about is atomic.
public struct ListKeys: Sendable {
    /// Kubernetes' own kinds; anything else is unknown.
    public static let builtIn = ListKeys()

    /// Of kinds that are not Kubernetes' own: as their server says.
    private var custom: [GroupVersionKind: MergeSchema] = [:]

    private init() {}

    /// With the schemas of further kinds; Kubernetes' own stay as they are.
    public func adding(_ schemas: [GroupVersionKind: MergeSchema]) -> ListKeys {
        var result = self
        for (gvk, schema) in schemas where !knows(gvk.groupKind) { result.custom[gvk] = schema }
        return result
    }

    /// Whether the fields of the kind are known.
    public func knows(_ kind: GroupKind) -> Bool {
        Self.groups.contains(kind.group)
    }

    /// Groups whose every kind is Kubernetes' own; others under `k8s.io` come as CustomResourceDefinitions.
    private static let groups: Set<String> = [
        "", "apps", "batch", "autoscaling", "policy", "extensions", "networking.k8s.io", "rbac.authorization.k8s.io",
        "storage.k8s.io", "apiextensions.k8s.io", "apiregistration.k8s.io", "admissionregistration.k8s.io",
        "coordination.k8s.io", "discovery.k8s.io", "scheduling.k8s.io", "node.k8s.io", "events.k8s.io",
        "certificates.k8s.io", "flowcontrol.apiserver.k8s.io"
    ]

    /// - Parameter fields: member names from the top, elements of lists left out.
    public func list(_ gvk: GroupVersionKind, _ fields: [String]) -> ListShape {
        let kind = gvk.groupKind
        if let shape = Self.metadata[fields.joined(separator: ".")] { return shape }
        guard knows(kind) else {
            if case .list(_, let shape) = custom[gvk]?.at(fields) { return shape }
            return .unknown
        }
        if let pod = Self.podFields(kind, fields) { return Self.podLists[pod] ?? .atomic }
        return Self.lists[kind.kind + ":" + fields.joined(separator: ".")] ?? .atomic
    }

    public func map(_ gvk: GroupVersionKind, _ fields: [String]) -> MapShape {
        let kind = gvk.groupKind
        if fields.isEmpty || fields.first == "metadata" { return .granular }
        guard knows(kind) else {
            // An element of a list is at the list's own fields.
            var schema = custom[gvk]?.at(fields)
            while case .list(let element, _) = schema { schema = element }
            guard case .map(_, _, let isAtomic) = schema else { return .unknown }
            return isAtomic ? .atomic : .granular
        }
        guard let last = fields.last else { return .granular }
        if let pod = Self.podFields(kind, fields) { return Self.atomicPodMaps.contains(pod) ? .atomic : .granular }
        let parent = fields.dropLast().last
        switch (kind.kind, last) {
        // A workload's label selector, a Service's and a ReplicationController's plain one.
        case ("Deployment", "selector"), ("ReplicaSet", "selector"), ("StatefulSet", "selector"),
            ("DaemonSet", "selector"), ("Job", "selector"), ("Service", "selector"),
            ("PodDisruptionBudget", "selector"),
            ("ReplicationController", "selector"), ("PersistentVolumeClaim", "selector"):
            return parent == "spec" ? .atomic : .granular
        case ("CronJob", "selector"): return fields == ["spec", "jobTemplate", "spec", "selector"] ? .atomic : .granular
        case (_, "namespaceSelector"), (_, "podSelector"), (_, "objectSelector"), (_, "clusterRoleSelectors"):
            return .atomic
        case ("HorizontalPodAutoscaler", "selector"): return .atomic
        case ("Ingress", "resource"), ("PersistentVolumeClaim", "dataSource"): return .atomic
        case ("RoleBinding", "roleRef"), ("ClusterRoleBinding", "roleRef"): return .atomic
        case (_, "paramRef"): return .atomic
        default: return .granular
        }
    }

    /// The fields below the pod's specification when they are inside one, the three lists of containers as one.
    static func podFields(_ kind: GroupKind, _ fields: [String]) -> String? {
        let prefix: [String]
        switch (kind.group, kind.kind) {
        case ("", "Pod"): prefix = ["spec"]
        case ("", "PodTemplate"): prefix = ["template", "spec"]
        case ("apps", "Deployment"), ("apps", "ReplicaSet"), ("apps", "StatefulSet"), ("apps", "DaemonSet"),
            ("batch", "Job"), ("", "ReplicationController"):
            prefix = ["spec", "template", "spec"]
        case ("batch", "CronJob"): prefix = ["spec", "jobTemplate", "spec", "template", "spec"]
        default: return nil
        }
        guard fields.starts(with: prefix) else { return nil }
        var below = Array(fields.dropFirst(prefix.count))
        if below.first == "initContainers" || below.first == "ephemeralContainers" { below[0] = "containers" }
        return below.joined(separator: ".")
    }

    private static let byName = ListShape.map(keys: ["name"], defaults: [:])

    private static let metadata: [String: ListShape] = [
        "metadata.finalizers": .set,
        "metadata.ownerReferences": .map(keys: ["uid"], defaults: [:])
    ]

    private static let podLists: [String: ListShape] = [
        "containers": byName,
        "containers.env": byName,
        "containers.ports": .map(keys: ["containerPort", "protocol"], defaults: ["protocol": "TCP"]),
        "containers.volumeMounts": .map(keys: ["mountPath"], defaults: [:]),
        "containers.volumeDevices": .map(keys: ["devicePath"], defaults: [:]),
        "containers.resources.claims": byName,
        "volumes": byName,
        "imagePullSecrets": byName,
        "hostAliases": .map(keys: ["ip"], defaults: [:]),
        "topologySpreadConstraints": .map(keys: ["topologyKey", "whenUnsatisfiable"], defaults: [:]),
        "schedulingGates": byName,
        "resourceClaims": byName
    ]

    private static let atomicPodMaps: Set<String> = [
        "nodeSelector", "imagePullSecrets", "containers.envFrom.configMapRef", "containers.envFrom.secretRef",
        "containers.env.valueFrom.secretKeyRef", "containers.env.valueFrom.configMapKeyRef",
        "containers.env.valueFrom.fieldRef", "containers.env.valueFrom.resourceFieldRef",
        "containers.env.valueFrom.fileKeyRef",
        "affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution",
        "topologySpreadConstraints.labelSelector", "volumes.ephemeral.volumeClaimTemplate.spec.selector",
        "volumes.ephemeral.volumeClaimTemplate.spec.dataSource", "volumes.csi.nodePublishSecretRef",
        "volumes.cephfs.secretRef", "volumes.rbd.secretRef", "volumes.iscsi.secretRef", "volumes.flexVolume.secretRef",
        "volumes.scaleIO.secretRef", "volumes.storageos.secretRef", "volumes.cinder.secretRef"
    ]

    /// Kind and fields; kinds have different names across Kubernetes' own groups, or the same lists where not.
    private static let lists: [String: ListShape] = [
        "Service:spec.ports": .map(keys: ["port", "protocol"], defaults: ["protocol": "TCP"]),
        "ServiceAccount:secrets": byName,
        "MutatingWebhookConfiguration:webhooks": byName,
        "ValidatingWebhookConfiguration:webhooks": byName,
        "MutatingWebhookConfiguration:webhooks.matchConditions": byName,
        "ValidatingWebhookConfiguration:webhooks.matchConditions": byName,
        "ValidatingAdmissionPolicy:spec.matchConditions": byName,
        "ValidatingAdmissionPolicy:spec.variables": byName,
        "CSINode:spec.drivers": byName,
        "Node:spec.podCIDRs": .set
    ]
}

/// Fields of Kubernetes' own kinds whose values have more than one spelling, and defaults that come back by themselves.
enum KnownFields {
    /// Whether the field is a resource quantity.
    static func isQuantity(_ fields: [String]) -> Bool {
        guard let last = fields.last, fields.first != "data", fields.first != "metadata" else { return false }
        if ["sizeLimit", "divisor", "averageValue", "targetAverageValue"].contains(last) { return true }
        guard let parent = fields.dropLast().last else { return false }
        if last == "value" { return parent == "target" }
        return [
            "limits", "requests", "capacity", "hard", "overhead", "min", "max", "default", "defaultRequest",
            "maxLimitRequestRatio"
        ].contains(parent)
    }

    /// Whether the field holds bytes in base64: what counts is the bytes.
    static func isBase64(_ kind: GroupKind, _ fields: [String]) -> Bool {
        if kind.group.isEmpty, kind.kind == "Secret" { return fields.first == "data" }
        if kind.group.isEmpty, kind.kind == "ConfigMap" { return fields.first == "binaryData" }
        return fields.last == "caBundle"
    }

    /// Whether a server drops the zero value of the field, so that "not there" is the same. The names are those of
    /// fields that Kubernetes keeps without a pointer and gives no other default.
    static func dropsZero(_ fields: [String], _ value: JSON) -> Bool {
        guard let last = fields.last else { return false }
        switch value {
        case .string(""): return last == "value" && fields.dropLast().last == "env" || zeroStrings.contains(last)
        case .bool(false): return zeroBooleans.contains(last)
        case .integer(0): return zeroIntegers.contains(last)
        default: return false
        }
    }

    private static let zeroStrings: Set<String> = [
        "subPath", "subPathExpr", "workingDir", "hostname", "subdomain", "nodeName", "description"
    ]
    private static let zeroBooleans: Set<String> = [
        "hostNetwork", "hostPID", "hostIPC", "stdin", "stdinOnce", "tty", "paused", "publishNotReadyAddresses"
    ]
    private static let zeroIntegers: Set<String> = ["minReadySeconds", "initialDelaySeconds"]

    /// Whether a server gives an element of an atomic list that member by itself when it is left out.
    static func isDefault(_ name: String, _ value: JSON, in fields: [String]) -> Bool {
        let parent = fields.last
        switch (parent, name) {
        case ("ports", "protocol"): return value == "TCP"
        case ("subjects", "apiGroup"): return value == "rbac.authorization.k8s.io" || value == ""
        case ("fieldRef", "apiVersion"): return value == "v1"
        case ("resourceFieldRef", "divisor"): return value == "0"
        case ("serviceAccountToken", "expirationSeconds"): return value == 3600
        case ("volumeClaimTemplates", "apiVersion"): return value == "v1"
        case ("volumeClaimTemplates", "kind"): return value == "PersistentVolumeClaim"
        case ("volumeClaimTemplates", "status"): return value == ["phase": "Pending"]
        case ("volumeClaimTemplates", "metadata"): return value == .object([:])
        case ("spec", "volumeMode"): return value == "Filesystem"
        case ("metadata", "creationTimestamp"): return value.isNull
        case ("httpGet", "scheme"): return value == "HTTP"
        default: return false
        }
    }
}
