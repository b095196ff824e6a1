/// Which resource of an application a person means.
public struct ResourceSelector: Sendable, Hashable {
    /// nil for any; empty for the core group.
    public var group: String?
    public var kind: String
    /// nil for any; a resource without a namespace has an empty one.
    public var namespace: String?
    public var name: String

    public init(group: String? = nil, kind: String, namespace: String? = nil, name: String) {
        self.group = group
        self.kind = kind
        self.namespace = namespace
        self.name = name
    }

    public func matches(_ key: ResourceKey) -> Bool {
        key.kind == kind && key.name == name && (group ?? key.group) == key.group
            && (namespace ?? key.namespace) == key.namespace
    }
}

extension ResourceSelector: CustomStringConvertible {
    /// `GROUP:KIND:NAMESPACE/NAME`, as it is written on the command line.
    public var description: String {
        (group.map { $0 + ":" } ?? "") + kind + ":" + (namespace.map { $0 + "/" } ?? "") + name
    }

    /// Reads `[GROUP:]KIND:[NAMESPACE/]NAME`; without a group any group is meant.
    public init?(_ text: String) {
        let parts = text.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false).map { String($0) }
        guard parts.count > 1, let last = parts.last, let kind = parts.dropLast().last, !kind.isEmpty else {
            return nil
        }
        // Names of RBAC objects hold colons, so what follows the kind is taken whole.
        let place = last.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false).map { String($0) }
        guard let name = place.last, !name.isEmpty, !name.contains("/") else { return nil }
        self.init(
            group: parts.count == 3 ? parts.first : nil, kind: kind,
            namespace: place.count == 2 ? place.first : nil, name: name)
    }
}

/// A sync of selected resources.
extension Plan {
    /// The keys that selectors name among what is desired or in the cluster, in the keys' order.
    /// - Throws: `sync.resource-unknown` for a selector that names none.
    public func keys(of selectors: [ResourceSelector]) throws(Failure) -> [ResourceKey] {
        var keys: Set<ResourceKey> = []
        for selector in selectors {
            let found = changes.lazy.map(\.key).filter(selector.matches)
            guard !found.isEmpty else { throw unknown(selector) }
            keys.formUnion(found)
        }
        return keys.sorted()
    }

    private func unknown(_ selector: ResourceSelector) -> Failure {
        if let hook = hooks.first(where: { selector.matches($0.key) }) {
            return Failure(
                "sync.resource-unknown", "\(hook.key) is a hook: a sync of selected resources runs none",
                remedy: "sync the whole application to run it")
        }
        let near = changes.map(\.key).filter { $0.name == selector.name || $0.kind == selector.kind }.sorted()
        let names = near.prefix(5).map(\.description).joined(separator: ", ")
        return Failure(
            "sync.resource-unknown",
            "the application has no resource \(selector), neither among its manifests nor in the cluster",
            remedy: near.isEmpty
                ? "see what it has with `shiplog app get`" : "it has \(names)")
    }

    /// The same plan for these resources alone, without hooks.
    public func selecting(_ keys: [ResourceKey]) -> Plan {
        let keys = Set(keys)
        return Plan(
            changes: changes.filter { keys.contains($0.key) }, hooks: [], warnings: warnings,
            foreign: foreign.filter { keys.contains($0.key) })
    }

    /// Whether everything but these resources is as it should be.
    public func isSynced(without keys: [ResourceKey]) -> Bool {
        let keys = Set(keys)
        return changes.allSatisfy { keys.contains($0.key) || $0.syncStatus == .synced }
    }
}
