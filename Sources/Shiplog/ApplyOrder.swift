/// Where an object stands in the order in which a plan is carried out: Argo CD's phases, waves and kinds, then the name.
///
/// Argo CD does not compare kinds that its table does not list; here they stand in alphabetical order, so that equal
/// kinds are neighbours and the order does not depend on how the manifests came in.
public struct ApplyOrder: Sendable, Hashable, Comparable {
    /// The phases of a sync, first to last.
    public enum Phase: Int, Sendable, Hashable, CaseIterable, Comparable {
        case preSync = -1
        case sync, postSync, syncFail

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

    public init(of resource: Resource, direction: Direction = .apply) {
        phase = Self.phase(of: resource)
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

    static func phase(of resource: Resource) -> Phase {
        for word in Hook.words(of: resource) {
            switch word {
            case "PreSync": return .preSync
            case "PostSync": return .postSync
            case "SyncFail": return .syncFail
            default: continue
            }
        }
        return .sync
    }
}

/// Argo CD's hooks, as far as an order and a plan must know them.
enum Hook {
    static let annotation = "argocd.argoproj.io/hook"

    static func words(of resource: Resource) -> [String] {
        guard let text = resource.annotations[annotation] else { return [] }
        return text.split(separator: ",").map { word in
            String(word.drop(while: { $0 == " " }).reversed().drop(while: { $0 == " " }).reversed())
        }
    }

    /// Any value makes it a hook, a misspelt one too: applying it with the rest would be the worse mistake. Helm's hooks are
    /// hooks in plain manifests as well, as with Argo CD; `crd-install` is how old charts say a definition.
    static func isHook(_ resource: Resource) -> Bool {
        if !words(of: resource).isEmpty { return true }
        guard let helm = resource.annotations["helm.sh/hook"] else { return false }
        return helm.split(separator: ",").contains { $0.contains { $0 != " " } && !$0.hasSuffix("crd-install") }
    }
}

extension ApplyOrder {
    /// The order of objects that are to be applied, with what others need brought before them.
    ///
    /// A Namespace comes before the first object in it, a CustomResourceDefinition before the first object of its kind,
    /// in that object's phase and wave, as Argo CD does it.
    public static func orders(of resources: [Resource]) -> [ResourceKey: ApplyOrder] {
        var orders: [ResourceKey: ApplyOrder] = [:]
        var firstIn: [String: ApplyOrder] = [:]
        var firstOf: [GroupKind: ApplyOrder] = [:]
        for resource in resources {
            let order = ApplyOrder(of: resource)
            orders[resource.key] = order
            if !resource.namespace.isEmpty { firstIn[resource.namespace] = min(firstIn[resource.namespace], order) }
            firstOf[resource.gvk.groupKind] = min(firstOf[resource.gvk.groupKind], order)
        }
        for resource in resources {
            guard let own = orders[resource.key] else { continue }
            let dependent: ApplyOrder? =
                if resource.isNamespace { firstIn[resource.name] } else { resource.definedKind.flatMap { firstOf[$0] } }
            guard let dependent, dependent < own else { continue }
            var order = own
            order.phase = dependent.phase
            order.wave = dependent.wave
            if order.kindRank >= dependent.kindRank {
                order.kindRank = dependent.kindRank
                order.isNeeded = true
            }
            orders[resource.key] = order
        }
        return orders
    }

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
            order.phase = .sync
            order.wave = last(resource) ?? mirrored[order.wave] ?? order.wave
            orders[resource.key] = order
        }
        return orders
    }

    private static func min(_ left: ApplyOrder?, _ right: ApplyOrder) -> ApplyOrder {
        guard let left else { return right }
        return left < right ? left : right
    }
}

extension Resource {
    var isNamespace: Bool { gvk.group.isEmpty && gvk.kind == "Namespace" }

    var isDefinition: Bool { gvk.group == "apiextensions.k8s.io" && gvk.kind == "CustomResourceDefinition" }

    /// The kind that a CustomResourceDefinition defines; nil for anything else.
    var definedKind: GroupKind? {
        guard isDefinition, let group = object.at("spec", "group")?.string,
            let kind = object.at("spec", "names", "kind")?.string
        else { return nil }
        return GroupKind(group: group, kind: kind)
    }

    /// Whether an annotation of Argo CD's with comma-separated options names this one.
    func hasOption(_ option: String, in annotation: String) -> Bool {
        guard let text = annotations[annotation] else { return false }
        return text.split(separator: ",").contains { $0.filter { $0 != " " } == option }
    }
}
