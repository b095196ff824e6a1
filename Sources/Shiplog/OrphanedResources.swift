/// Which of a namespace's live objects no application answers for: a warning, never a reason to change anything.
///
/// Semantics: Argo CD's "Orphaned Resources Monitoring". Off unless a project asks for it.
public struct OrphanedResources: Sendable, Hashable {
    /// What is not told of. An empty group, kind or name stands for any; all three are globs.
    public struct Ignore: Sendable, Hashable {
        private let group: Glob?
        private let kind: Glob?
        private let name: Glob?

        /// nil for a pattern that cannot be read.
        public init?(group: String, kind: String, name: String) {
            var globs: [Glob?] = []
            for pattern in [group, kind, name] {
                guard !pattern.isEmpty else {
                    globs.append(nil)
                    continue
                }
                guard let glob = Glob(pattern) else { return nil }
                globs.append(glob)
            }
            (self.group, self.kind, self.name) = (globs[0], globs[1], globs[2])
        }

        func matches(_ key: ResourceKey) -> Bool {
            (group?.matches(key.group) ?? true) && (kind?.matches(key.kind) ?? true)
                && (name?.matches(key.name) ?? true)
        }
    }

    /// In order; at most as many as were asked for.
    public let items: [ResourceKey]
    /// All of them.
    public let count: Int

    /// - Parameters:
    ///   - live: objects of the namespaces that an application deploys to; metadata are enough.
    ///   - desired: what applications want there, whether it is marked yet or not.
    ///   - atMost: how many are listed.
    public static func find(
        live: [Resource], desired: Set<ResourceKey>, ignoring: [Ignore] = [], atMost: Int = 100
    ) -> OrphanedResources {
        let keys = live.lazy.filter { object in
            !object.namespace.isEmpty && !isOwned(object) && !isStanding(object)
                && !desired.contains(object.key) && !ignoring.contains { $0.matches(object.key) }
        }.map(\.key)
        let sorted = Set(keys).sorted()
        return OrphanedResources(items: Array(sorted.prefix(max(0, atMost))), count: sorted.count)
    }

    /// By a controller in the cluster, or by an application's mark that names this very object.
    private static func isOwned(_ object: Resource) -> Bool {
        if object.object.at("metadata", "ownerReferences")?.array?.isEmpty == false { return true }
        guard let id = object.annotations[Ownership.annotation], let colon = id.firstIndex(of: ":") else {
            return false
        }
        return ResourceKey(trackingForm: String(id[id.index(after: colon)...])) == object.key
    }

    /// What the cluster itself puts into every namespace, and what only tells of others.
    private static func isStanding(_ object: Resource) -> Bool {
        switch (object.gvk.group, object.gvk.kind, object.name) {
        case ("", "ServiceAccount", "default"), ("", "ConfigMap", "kube-root-ca.crt"): true
        case ("", "Service", "kubernetes"): object.namespace == "default"
        case ("", "Event", _), ("events.k8s.io", "Event", _), ("coordination.k8s.io", "Lease", _),
            ("", "Endpoints", _):
            true
        default: false
        }
    }
}
