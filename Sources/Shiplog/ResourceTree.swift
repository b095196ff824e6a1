/// An application's objects and, below them, what controllers in the cluster made of them: by owner references.
public struct ResourceTree: Sendable, Hashable {
    public struct Node: Sendable, Hashable {
        public let key: ResourceKey
        public let apiVersion: String
        /// nil for what is not there.
        public let uid: String?
        public let createdAt: String?
        /// nil for what is below a desired object: nothing says how it should be.
        public var sync: SyncStatus?
        public var health: HealthStatus?
        public var message: String?
        /// Of a workload or a pod, in the order they stand, each once.
        public let images: [String]
        public let isHook: Bool
        public let isBeingDeleted: Bool
        public var children: [Node] = []

        public init(
            key: ResourceKey, apiVersion: String, live: Resource?, sync: SyncStatus? = nil,
            health: HealthStatus? = nil, message: String? = nil
        ) {
            self.key = key
            self.apiVersion = apiVersion
            uid = live?.uid
            createdAt = live?.object.at("metadata", "creationTimestamp")?.string
            self.sync = sync
            self.health = health
            self.message = message
            images = live.map(ResourceTree.images) ?? []
            isHook = live.map(Hook.isHook) ?? false
            isBeingDeleted = live?.isBeingDeleted ?? false
        }
    }

    public var roots: [Node]
    /// How many objects were left out for the bounds.
    public var omitted: Int
    /// Kinds that could not be read, or not to their end, with why: what is missing below may be there.
    public var unread: [Unread]

    public struct Unread: Sendable, Hashable {
        public let kind: GroupKind
        public let namespace: String
        public let failure: Failure

        public init(kind: GroupKind, namespace: String, failure: Failure) {
            self.kind = kind
            self.namespace = namespace
            self.failure = failure
        }
    }

    /// Deeper than any controller in the wild goes: an application, its workload, its set, its pods are four.
    public static let maximumDepth = 8

    public init(roots: [Node], omitted: Int = 0, unread: [Unread] = []) {
        self.roots = roots
        self.omitted = omitted
        self.unread = unread
    }

    /// Hangs live objects below the roots that own them. Roots come first when there is not room for all.
    ///
    /// - Parameters:
    ///   - below: live objects that may have an owner among the roots, or among each other.
    ///   - limit: how many nodes the tree has at most.
    ///   - note: what to say of a live object: its health, as a rule.
    public static func make(
        roots: [Node], below: [Resource], limit: Int, note: (Resource) -> HealthAssessment?
    ) -> ResourceTree {
        var owned: [String: [Resource]] = [:]
        var known = Set(roots.compactMap(\.uid))
        for object in below {
            guard let uid = object.uid, !known.contains(uid), let owner = owner(of: object) else { continue }
            known.insert(uid)
            owned[owner, default: []].append(object)
        }
        let kept = Array(roots.sorted { $0.key < $1.key }.prefix(max(0, limit)))
        var budget = max(0, limit) - kept.count
        var omitted = roots.count - kept.count
        func children(of uid: String?, depth: Int) -> [Node] {
            guard let uid, let found = owned[uid] else { return [] }
            guard depth < maximumDepth else {
                omitted += found.count
                return []
            }
            var nodes: [Node] = []
            for object in found.sorted(by: { $0.key < $1.key }) {
                guard budget > 0 else {
                    omitted += 1
                    continue
                }
                budget -= 1
                let health = note(object)
                var node = Node(
                    key: object.key, apiVersion: object.gvk.apiVersion, live: object, health: health?.status,
                    message: health?.message)
                node.children = children(of: node.uid, depth: depth + 1)
                nodes.append(node)
            }
            return nodes
        }
        let whole = kept.map { root in
            var root = root
            root.children = children(of: root.uid, depth: 1)
            return root
        }
        return ResourceTree(roots: whole, omitted: omitted)
    }

    /// The controller among an object's owners, else the first: one object hangs in one place.
    private static func owner(of object: Resource) -> String? {
        let owners = object.object.at("metadata", "ownerReferences")?.array ?? []
        return (owners.first { $0["controller"] == true } ?? owners.first)?["uid"]?.string
    }

    private static func images(of live: Resource) -> [String] {
        let places: [[String]] = [
            ["spec"], ["spec", "template", "spec"], ["spec", "jobTemplate", "spec", "template", "spec"]
        ]
        var images: [String] = []
        for place in places {
            for list in ["initContainers", "containers"] {
                for container in live.object.at((place + [list])[...])?.array ?? [] {
                    if let image = container["image"]?.string, !images.contains(image) { images.append(image) }
                }
            }
        }
        return Array(images.prefix(20))
    }

    /// Every node, parents before what is below them.
    public var nodes: [Node] {
        var result: [Node] = []
        var open = Array(roots.reversed())
        while let node = open.popLast() {
            result.append(node)
            open += node.children.reversed()
        }
        return result
    }
}

/// What is made below an object, by its kind: which lists a tree needs.
public enum OffspringKinds {
    private static let table: [GroupKind: [GroupKind]] = [
        apps("Deployment"): [apps("ReplicaSet"), core("Pod")],
        apps("ReplicaSet"): [core("Pod")],
        apps("StatefulSet"): [core("Pod"), apps("ControllerRevision"), core("PersistentVolumeClaim")],
        apps("DaemonSet"): [core("Pod"), apps("ControllerRevision")],
        batch("Job"): [core("Pod")],
        batch("CronJob"): [batch("Job"), core("Pod")],
        core("Service"): [GroupKind(group: "discovery.k8s.io", kind: "EndpointSlice")],
        core("ReplicationController"): [core("Pod")]
    ]

    private static func core(_ kind: String) -> GroupKind { GroupKind(group: "", kind: kind) }
    private static func apps(_ kind: String) -> GroupKind { GroupKind(group: "apps", kind: kind) }
    private static func batch(_ kind: String) -> GroupKind { GroupKind(group: "batch", kind: kind) }

    /// Below a custom kind may be anything; asked for are the kinds that operators make as a rule.
    private static let custom: [GroupKind] = [
        apps("Deployment"), apps("ReplicaSet"), apps("StatefulSet"), batch("Job"), core("Pod"), core("Service"),
        core("ConfigMap"), core("Secret"), core("PersistentVolumeClaim")
    ]

    public static func below(_ kind: GroupKind) -> [GroupKind] {
        if RegistryKind(kind) != nil { return [] }
        if let known = table[kind] { return known }
        return ListKeys.builtIn.knows(kind) ? [] : custom
    }

    /// Whether its state is worth reading whole; of the others the metadata say what a tree shows.
    public static func isReadWhole(_ kind: GroupKind) -> Bool {
        switch (kind.group, kind.kind) {
        case ("", "Pod"), ("apps", "ReplicaSet"), ("apps", "Deployment"), ("apps", "StatefulSet"), ("batch", "Job"),
            ("", "PersistentVolumeClaim"):
            true
        default: false
        }
    }
}
