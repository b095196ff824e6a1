/// Where an object stands in the order in which a plan is carried out: Argo CD's phases, waves and kinds, then the name.
///
/// Argo CD does not compare kinds that its table does not list; here they stand in alphabetical order, so that equal
/// kinds are neighbours and the order does not depend on how the manifests came in.
public struct ApplyOrder: Sendable, Hashable, Comparable {
    /// The phases of a sync, first to last.
    public enum Phase: Int, Sendable, Hashable, CaseIterable, Comparable {
        case preSync = -1
        case sync, postSync, syncFail

        /// Argo CD's word.
        public var word: String {
            switch self {
            case .preSync: "PreSync"
            case .sync: "Sync"
            case .postSync: "PostSync"
            case .syncFail: "SyncFail"
            }
        }

        public init?(word: String) {
            guard let phase = Self.allCases.first(where: { $0.word == word }) else { return nil }
            self = phase
        }

        public static func < (left: Phase, right: Phase) -> Bool { left.rawValue < right.rawValue }
    }

    /// In one wave everything that goes is gone before anything comes.
    public enum Direction: Int, Sendable, Hashable, Comparable {
        case prune, apply
        public static func < (left: Direction, right: Direction) -> Bool { left.rawValue < right.rawValue }
    }

    public var phase: Phase
    public var wave: Int
    public var direction: Direction
    /// -36…-1 for the kinds of Argo CD's table, 0 for all others; the other way round for prunes.
    public var kindRank: Int
    /// A Namespace or CustomResourceDefinition that something later needs comes before its equals.
    public var isNeeded: Bool
    public var kind: String
    public var group: String
    public var name: String
    public var namespace: String

    /// - Parameter phase: the one a hook runs in; everything else belongs to the sync itself.
    public init(of resource: Resource, in phase: Phase = .sync, direction: Direction = .apply) {
        self.phase = phase
        wave = Self.wave(of: resource)
        self.direction = direction
        let rank = Self.rank(of: resource.gvk.kind)
        kindRank = direction == .apply ? rank : -rank
        isNeeded = false
        kind = resource.gvk.kind
        group = resource.gvk.group
        name = resource.name
        namespace = resource.namespace
    }

    /// The place of an object of which only the key is known.
    public init(of key: ResourceKey, direction: Direction = .apply) {
        phase = .sync
        wave = 0
        self.direction = direction
        let rank = Self.rank(of: key.kind)
        kindRank = direction == .apply ? rank : -rank
        isNeeded = false
        kind = key.kind
        group = key.group
        name = key.name
        namespace = key.namespace
    }

    public static func < (left: ApplyOrder, right: ApplyOrder) -> Bool {
        if left.phase != right.phase { return left.phase < right.phase }
        if left.wave != right.wave { return left.wave < right.wave }
        if left.direction != right.direction { return left.direction < right.direction }
        if left.kindRank != right.kindRank { return left.kindRank < right.kindRank }
        if left.isNeeded != right.isNeeded { return left.isNeeded }
        // Prunes mirror the order of kinds; names stay in reading order.
        if left.kind != right.kind { return left.direction == .apply ? left.kind < right.kind : left.kind > right.kind }
        if left.group != right.group { return left.group < right.group }
        return (left.name, left.namespace) < (right.name, right.namespace)
    }

    /// Whether nothing between the two must wait: they may be carried out at the same time.
    public func isSameStep(as other: ApplyOrder) -> Bool {
        phase == other.phase && wave == other.wave && direction == other.direction && kindRank == other.kindRank
            && isNeeded == other.isNeeded && kind == other.kind && group == other.group
    }

    /// Argo CD's kinds, first applied first. https://argo-cd.readthedocs.io/en/stable/user-guide/sync-waves/
    private static let kinds = [
        "Namespace", "NetworkPolicy", "ResourceQuota", "LimitRange", "PodSecurityPolicy", "PodDisruptionBudget",
        "ServiceAccount", "Secret", "SecretList", "ConfigMap", "StorageClass", "PersistentVolume",
        "PersistentVolumeClaim", "CustomResourceDefinition", "ClusterRole", "ClusterRoleList", "ClusterRoleBinding",
        "ClusterRoleBindingList", "Role", "RoleList", "RoleBinding", "RoleBindingList", "Service", "DaemonSet", "Pod",
        "ReplicationController", "ReplicaSet", "Deployment", "HorizontalPodAutoscaler", "StatefulSet", "Job", "CronJob",
        "IngressClass", "Ingress", "APIService"
    ]
    private static let ranks = Dictionary(
        uniqueKeysWithValues: kinds.enumerated().map { ($0.element, $0.offset - kinds.count) })

    /// Negative for a listed kind, 0 for any other. As with Argo CD the group does not count.
    static func rank(of kind: String) -> Int { ranks[kind] ?? 0 }

    /// `argocd.argoproj.io/sync-wave`, else Helm's hook weight, else 0; what is no integer counts as not there.
    static func wave(of resource: Resource) -> Int {
        let annotations = resource.annotations
        for name in ["argocd.argoproj.io/sync-wave", "helm.sh/hook-weight"] {
            // Waves are mirrored and counted up: 32 bits leave room for both.
            if let text = annotations[name], let wave = Int32(text) { return Int(wave) }
        }
        return 0
    }
}

extension ApplyOrder {
    /// The order of objects that are to be removed, last applied first: Argo CD mirrors the waves among the prunes, and
    /// here the kinds are mirrored too.
    ///
    /// - Parameters:
    ///   - last: what has the sync option `PruneLast=true` waits for this wave.
    public static func pruneOrders(of resources: [Resource], last: (Resource) -> Int?) -> [ResourceKey: ApplyOrder] {
        let waves = Set(resources.map(wave)).sorted()
        var mirrored: [Int: Int] = [:]
        for (wave, opposite) in zip(waves, waves.reversed()) { mirrored[wave] = opposite }
        var orders: [ResourceKey: ApplyOrder] = [:]
        for resource in resources {
            var order = ApplyOrder(of: resource, direction: .prune)
            order.wave = last(resource) ?? mirrored[order.wave] ?? order.wave
            orders[resource.key] = order
        }
        return orders
    }
}

extension Resource {
    var isNamespace: Bool { gvk.group.isEmpty && gvk.kind == "Namespace" }

    public var isDefinition: Bool { gvk.group == "apiextensions.k8s.io" && gvk.kind == "CustomResourceDefinition" }

    /// The kind that a CustomResourceDefinition defines; nil for anything else.
    public var definedKind: GroupKind? {
        guard isDefinition, let group = object.at("spec", "group")?.string,
            let kind = object.at("spec", "names", "kind")?.string
        else { return nil }
        return GroupKind(group: group, kind: kind)
    }

    /// Whether the objects of the kind that a CustomResourceDefinition defines live in namespaces.
    public static func definedScopes(in resources: [Resource]) -> [GroupKind: Bool] {
        var scopes: [GroupKind: Bool] = [:]
        for resource in resources {
            guard let kind = resource.definedKind else { continue }
            scopes[kind] = resource.object.at("spec", "scope")?.string != "Cluster"
        }
        return scopes
    }

    /// Whether an annotation of Argo CD's with comma-separated options names this one.
    func hasOption(_ option: String, in annotation: String) -> Bool {
        guard let text = annotations[annotation] else { return false }
        return text.split(separator: ",").contains { $0.filter { $0 != " " } == option }
    }
}
