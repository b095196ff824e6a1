import Shiplog

/// A cluster as applications see it: Argo CD's own kinds are Shiplog's registry's, whatever the cluster itself serves.
///
/// This is the one place where the two part. Comparing, applying, waiting, pruning, rehearsing and recovering all go
/// through it, so the cluster never meets an Application or an AppProject, neither in a read nor in a write.
struct RoutedCluster: Cluster {
    let cluster: any Cluster
    let registry: ApplicationRegistry

    var name: String { cluster.name }
    var server: String { cluster.server }

    private func isRegistered(_ kind: ServedKind) -> Bool { RegistryKind(kind.gvk.groupKind) != nil }

    func identity() async throws(Failure) -> String { try await cluster.identity() }

    func catalog(refresh: Bool) async throws(Failure) -> KindCatalog {
        try await cluster.catalog(refresh: refresh).routed
    }

    func schema(of kind: ServedKind) async -> MergeSchema? {
        isRegistered(kind) ? nil : await cluster.schema(of: kind)
    }

    func get(_ kind: ServedKind, namespace: String, name: String) async throws(Failure) -> Resource? {
        guard isRegistered(kind) else { return try await cluster.get(kind, namespace: namespace, name: name) }
        return try await registry.get(namespace: namespace, name: name)
    }

    func list(_ kind: ServedKind, namespace: String, selector: String) async throws(Failure) -> ResourceList {
        guard isRegistered(kind) else {
            return try await cluster.list(kind, namespace: namespace, selector: selector)
        }
        return try await registry.list(namespace: namespace)
    }

    func watch(
        _ kind: ServedKind, namespace: String, selector: String, after resourceVersion: String,
        deliver: @Sendable (WatchEvent) async -> Void
    ) async throws(Failure) {
        guard isRegistered(kind) else {
            return try await cluster.watch(
                kind, namespace: namespace, selector: selector, after: resourceVersion, deliver: deliver)
        }
        try await registry.watch(namespace: namespace, after: resourceVersion, deliver: deliver)
    }

    func apply(_ resource: Resource, as kind: ServedKind, _ options: WriteOptions) async throws(Failure) -> Resource {
        guard isRegistered(kind) else { return try await cluster.apply(resource, as: kind, options) }
        return try await registry.apply(resource, dryRun: options.dryRun)
    }

    func create(_ resource: Resource, as kind: ServedKind, _ options: WriteOptions) async throws(Failure) -> Resource {
        guard isRegistered(kind) else { return try await cluster.create(resource, as: kind, options) }
        return try await registry.apply(resource, isNew: true, dryRun: options.dryRun)
    }

    func replace(_ resource: Resource, as kind: ServedKind, _ options: WriteOptions) async throws(Failure) -> Resource {
        guard isRegistered(kind) else { return try await cluster.replace(resource, as: kind, options) }
        return try await registry.apply(resource, dryRun: options.dryRun)
    }

    func patch(
        _ kind: ServedKind, namespace: String, name: String, _ patch: Patch, _ options: WriteOptions
    ) async throws(Failure) -> Resource {
        guard isRegistered(kind) else {
            return try await cluster.patch(kind, namespace: namespace, name: name, patch, options)
        }
        throw Failure(.clusterInvalid, "an application is registered as a whole, and not patched")
    }

    func delete(
        _ kind: ServedKind, namespace: String, name: String, _ options: DeleteOptions
    ) async throws(Failure) -> Deletion {
        guard isRegistered(kind) else {
            return try await cluster.delete(kind, namespace: namespace, name: name, options)
        }
        return try await registry.delete(namespace: namespace, name: name, uid: options.uid, dryRun: options.dryRun)
    }

    func page(
        _ kind: ServedKind, namespace: String, fields: String, atMost: Int, metadataOnly: Bool
    ) async throws(Failure) -> ResourcePage {
        guard isRegistered(kind) else {
            return try await cluster.page(
                kind, namespace: namespace, fields: fields, atMost: atMost, metadataOnly: metadataOnly)
        }
        let found = try await registry.list(namespace: namespace).items
        return ResourcePage(items: Array(found.prefix(atMost)), hasMore: found.count > atMost)
    }

    func log(
        namespace: String, pod: String, _ question: LogQuestion, deliver: @Sendable ([UInt8]) async -> Bool
    ) async throws(Failure) {
        try await cluster.log(namespace: namespace, pod: pod, question, deliver: deliver)
    }
}

extension KindCatalog {
    /// With the registry's kinds in the place of the cluster's own definitions of them. A group that could not be asked
    /// says nothing about these: nobody asks it.
    var routed: KindCatalog {
        var kinds = kinds.filter { RegistryKind($0.key.groupKind) == nil }
        var preferred = preferred
        for kind in RegistryKind.allCases {
            kinds[kind.served.gvk] = kind.served
            preferred[kind.groupKind] = kind.served
        }
        return KindCatalog(
            kinds: kinds, preferred: preferred, unavailable: unavailable, serverVersion: serverVersion)
    }
}
