public import LedgerStore
public import Shiplog

/// What people look at below an application's own objects: its tree, its events, its pods' logs. Only what hangs in the
/// tree is ever shown, and nothing of it is kept.
extension Controller {
    /// Objects a kind and namespace that a tree reads at most.
    static let pageLimit = 2000

    /// - Parameter limit: how many nodes the tree has at most.
    public func tree(of name: String, limit: Int) async throws(Failure) -> ResourceTree {
        let application = try await registered(name)
        let connection = try await connections.connect(application)
        let owned = await connection.mirror.objects(of: application.uid)
        let compared = await board.status(application.uid)?.resources ?? []
        var roots = compared.map { one in
            ResourceTree.Node(
                key: one.key, apiVersion: one.apiVersion, live: owned[one.key], sync: one.sync, health: one.health,
                message: one.message)
        }
        let known = Set(compared.map(\.key))
        for (key, hook) in owned where hook.isHook && !known.contains(key) {
            guard Ownership.of(hook, for: application.uid) == .ours else { continue }
            let health = Health.assess(hook, rules: settings.health)
            roots.append(
                ResourceTree.Node(
                    key: key, apiVersion: hook.gvk.apiVersion, live: hook, health: health?.status,
                    message: health?.message))
        }
        for index in roots.indices where RegistryKind(roots[index].key.groupKind) == .application {
            // A child's health counts in its parent only by a rule; to a person it is told either way.
            guard let child = await board.status(named: roots[index].key.name),
                child.registered.application.parent == application.uid
            else { continue }
            roots[index].health = roots[index].health ?? child.health
        }
        let (below, unread) = await offspring(of: roots, connection)
        var tree = ResourceTree.make(
            roots: roots, below: below, limit: limit, note: { Health.assess($0, rules: settings.health) })
        tree.unread = unread
        return tree
    }

    /// Reads, in each namespace of a root, the kinds that may hang below it; what cannot be read is told.
    private func offspring(
        of roots: [ResourceTree.Node], _ connection: Connection
    ) async -> ([Resource], [ResourceTree.Unread]) {
        var wanted: [Scope] = []
        for root in roots where root.uid != nil && !root.key.namespace.isEmpty {
            for kind in OffspringKinds.below(root.key.groupKind) {
                guard let served = connection.catalog.preferred[kind] else { continue }
                let scope = Scope(kind: served, namespace: root.key.namespace)
                if !wanted.contains(scope) { wanted.append(scope) }
            }
        }
        let cluster = connection.cluster
        let found = await Array(wanted.prefix(200)).concurrentMap(atOnce: 4) { scope -> Found in
            do throws(Failure) {
                let page = try await cluster.page(
                    scope.kind, namespace: scope.namespace, fields: "", atMost: Self.pageLimit,
                    metadataOnly: !OffspringKinds.isReadWhole(scope.kind.gvk.groupKind))
                let more = Failure(
                    "tree.too-many", "the namespace has more than \(Self.pageLimit) of them; the others are not shown")
                return Found(scope: scope, items: page.items, failure: page.hasMore ? more : nil)
            } catch {
                return Found(scope: scope, items: [], failure: error)
            }
        }
        let unread = found.compactMap { one in
            one.failure.map {
                ResourceTree.Unread(kind: one.scope.kind.gvk.groupKind, namespace: one.scope.namespace, failure: $0)
            }
        }
        return (found.flatMap(\.items), unread)
    }

    private struct Scope: Sendable, Hashable {
        let kind: ServedKind
        let namespace: String
    }

    private struct Found: Sendable {
        let scope: Scope
        let items: [Resource]
        let failure: Failure?
    }

    /// The nodes that a question means; all of them when it names none.
    /// - Throws: `resource.unknown`, `resource.ambiguous`.
    private func nodes(
        _ question: ResourceQuestion?, in tree: ResourceTree, of name: String
    ) throws(Failure) -> [ResourceTree.Node] {
        guard let question else { return tree.nodes }
        let found = tree.nodes.filter { node in
            node.key.kind.lowercased() == question.kind.lowercased() && node.key.name == question.name
                && question.group.map { $0 == node.key.group } ?? true
                && question.namespace.map { $0 == node.key.namespace } ?? true
        }
        guard found.count < 2 else {
            throw Failure(
                "resource.ambiguous",
                "\(name) has several: " + found.map(\.key.description).sorted().joined(separator: ", "),
                remedy: "name group and namespace, too")
        }
        guard !found.isEmpty else {
            throw Failure(
                "resource.unknown", "there is no \(question.kind) \(question.name) in the tree of \(name)",
                remedy: "see `shiplog app tree \(name)`")
        }
        return found
    }

    /// Kubernetes' events of one resource of the tree, or of all, newest first; at most 500.
    public func clusterEvents(
        of name: String, _ question: ResourceQuestion?
    ) async throws(Failure) -> (items: [Resource], hasMore: Bool) {
        let tree = try await tree(of: name, limit: 2000)
        let nodes = try nodes(question, in: tree, of: name)
        let connection = try await connections.connect(try await registered(name))
        let kind = try connection.catalog.served(GroupVersionKind(group: "", version: "v1", kind: "Event"))
        let uids = Set(nodes.compactMap(\.uid))
        var found: [Resource] = []
        var hasMore = false
        for namespace in Set(nodes.filter { $0.uid != nil }.map { $0.key.namespace }).sorted() {
            // Those of objects without a namespace are kept in this one.
            let place = namespace.isEmpty ? "default" : namespace
            let single = uids.count == 1 ? uids.first.map { "involvedObject.uid=" + $0 } : nil
            let page = try await connection.cluster.page(
                kind, namespace: place, fields: single ?? "", atMost: Self.pageLimit, metadataOnly: false)
            hasMore = hasMore || page.hasMore
            found += page.items.filter { uids.contains($0.object.at("involvedObject", "uid")?.string ?? "") }
        }
        let sorted = found.sorted { Self.lastSeen($0) > Self.lastSeen($1) }
        return (Array(sorted.prefix(500)), hasMore || sorted.count > 500)
    }

    private static func lastSeen(_ event: Resource) -> String {
        event.object["lastTimestamp"]?.string ?? event.object["eventTime"]?.string
            ?? event.object.at("metadata", "creationTimestamp")?.string ?? ""
    }

    /// The pod whose log a resource of the tree means: itself, or the newest of those below it.
    public func pod(of name: String, _ question: ResourceQuestion?) async throws(Failure) -> ResourceKey {
        let tree = try await tree(of: name, limit: 2000)
        let nodes = try nodes(question, in: tree, of: name)
        var pods: [ResourceTree.Node] = []
        for node in question == nil ? tree.roots : nodes {
            pods += ResourceTree(roots: [node]).nodes.filter { $0.key.groupKind == GroupKind(group: "", kind: "Pod") }
        }
        let newest = pods.filter { $0.uid != nil }.max {
            ($0.isBeingDeleted ? 0 : 1, $0.createdAt ?? "", $1.key) < (
                $1.isBeingDeleted ? 0 : 1, $1.createdAt ?? "", $0.key
            )
        }
        guard let newest else {
            throw Failure(
                "resource.no-pod", "there is no pod below \(question.map { "\($0.kind) \($0.name)" } ?? name)",
                remedy: "see `shiplog app tree \(name)`")
        }
        return newest.key
    }

    /// Hands over the log of a pod that `pod(of:)` named.
    public func log(
        of name: String, pod: ResourceKey, _ question: LogQuestion, deliver: @escaping @Sendable ([UInt8]) async -> Bool
    ) async throws(Failure) {
        let connection = try await connections.connect(try await registered(name))
        try await connection.cluster.log(namespace: pod.namespace, pod: pod.name, question, deliver: deliver)
    }
}
