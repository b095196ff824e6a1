public import Shiplog

/// A cluster in memory that does what a test needs to go wrong: for faults, where a real server cannot be made to fail
/// at the right moment. What a server does right is tested against the sandbox and real ones.
public actor FakeCluster: Cluster {
    public nonisolated let name: String
    public nonisolated let server: String

    /// How the next matching call goes wrong.
    public enum Fault: Sendable {
        /// The call fails and nothing was done.
        case failedNotPersisted(Failure)
        /// The call fails although it was done.
        case failedButPersisted(Failure)
        /// The call waits until the test lets it go on, or its task is cancelled.
        case hang
    }

    public enum Call: String, Sendable, CaseIterable {
        case identity, catalog, get, list, watch, apply, create, replace, patch, delete
        /// An apply, create or replace that writes nothing.
        case dryRun
    }

    private var objects: [ResourceKey: Resource] = [:]
    private var version: UInt64 = 1
    private var log: [(version: UInt64, event: WatchEvent)] = []
    private var kinds: [GroupVersionKind: ServedKind] = [:]
    private var clusterUID: String
    private var isDiscovered = false
    private var listable: Set<String>?
    private var faults: [(call: Call, name: String?, fault: Fault)] = []
    private var waiters: [Int: CheckedContinuation<Void, Never>] = [:]
    private var nextWaiter = 0
    private var spoken = ""
    /// What was asked of logs, oldest first.
    public private(set) var questions: [LogQuestion] = []
    /// Every write that was done, oldest first: `apply ConfigMap demo/a`.
    public private(set) var writes: [String] = []
    /// Every call that came in, by kind.
    public private(set) var calls: [Call: Int] = [:]

    public init(
        name: String = "in-cluster", server: String = "https://kubernetes.default.svc", uid: String = "cluster-1"
    ) {
        self.name = name
        self.server = server
        clusterUID = uid
        for (group, apiVersion, kind, plural, isNamespaced) in [
            ("", "v1", "Namespace", "namespaces", false), ("", "v1", "ConfigMap", "configmaps", true),
            ("", "v1", "Secret", "secrets", true), ("", "v1", "Service", "services", true),
            ("", "v1", "Pod", "pods", true), ("", "v1", "Event", "events", true),
            ("apps", "v1", "ReplicaSet", "replicasets", true),
            ("apps", "v1", "Deployment", "deployments", true),
            ("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", true)
        ] {
            let gvk = GroupVersionKind(group: group, version: apiVersion, kind: kind)
            kinds[gvk] = ServedKind(
                gvk: gvk, plural: plural, isNamespaced: isNamespaced,
                verbs: ["get", "list", "watch", "create", "update", "patch", "delete"])
        }
    }

    // MARK: - What a test does to it

    public func fail(_ call: Call, named name: String? = nil, _ fault: Fault) { faults.append((call, name, fault)) }
    /// Lets namespaced kinds be listed and watched in these namespaces only, as a namespaced role does; nil lifts it.
    public func allowListing(in namespaces: Set<String>?) { listable = namespaces }
    public func clearFaults() { faults = [] }
    public func become(_ uid: String) { clusterUID = uid }
    /// Leases are off unless a test is about them, as they would be among the writes it counts.
    public func serveLeases() {
        let gvk = GroupVersionKind(group: "coordination.k8s.io", version: "v1", kind: "Lease")
        kinds[gvk] = ServedKind(
            gvk: gvk, plural: "leases", isNamespaced: true, verbs: ["get", "list", "watch", "create", "update"])
    }
    public func stopServing(_ gvk: GroupVersionKind) { kinds[gvk] = nil }
    public func object(_ key: ResourceKey) -> Resource? { objects[key] }
    public var all: [Resource] { objects.values.sorted { $0.key < $1.key } }
    public func resetCounts() { calls = [:]; writes = [] }

    /// Lets every hanging call go on.
    public func release() {
        let held = waiters
        waiters = [:]
        for waiter in held.values { waiter.resume() }
    }

    public var hanging: Int { waiters.count }

    /// Changes an object as somebody else would: with their own field manager.
    public func edit(_ key: ResourceKey, manager: String = "kubectl-edit", _ change: (inout Resource) -> Void) {
        guard var resource = objects[key] else { return }
        change(&resource)
        store(resource, added: false)
    }

    public func remove(_ key: ResourceKey) {
        guard let resource = objects.removeValue(forKey: key) else { return }
        version += 1
        append(.deleted(resource))
    }

    /// Puts an object there that nobody applied.
    /// Puts an object there as if it had always been; with a uid of its own it keeps that.
    public func put(_ resource: Resource) { store(resource, added: objects[resource.key] == nil, uid: resource.uid) }

    /// What every pod's log says.
    public func say(_ text: String) { spoken = text }

    // MARK: - Cluster

    public func log(
        namespace: String, pod: String, _ question: LogQuestion, deliver: @Sendable ([UInt8]) async -> Bool
    ) async throws(Failure) {
        try await enter(.get, pod)
        questions.append(question)
        _ = await deliver(Array(spoken.utf8))
    }

    public func identity() async throws(Failure) -> String {
        try await enter(.identity, "")
        return clusterUID
    }

    public func catalog(refresh: Bool) async throws(Failure) -> KindCatalog {
        // A real client remembers what a cluster serves.
        if refresh || !isDiscovered { try await enter(.catalog, "") }
        isDiscovered = true
        var preferred: [GroupKind: ServedKind] = [:]
        for kind in kinds.values { preferred[kind.gvk.groupKind] = kind }
        return KindCatalog(kinds: kinds, preferred: preferred, unavailable: [:], serverVersion: "v0.0.0-fake")
    }

    public func get(_ kind: ServedKind, namespace: String, name: String) async throws(Failure) -> Resource? {
        try await enter(.get, name)
        return objects[key(kind, namespace, name)]
    }

    public func list(_ kind: ServedKind, namespace: String, selector: String) async throws(Failure) -> ResourceList {
        try await enter(.list, kind.gvk.kind)
        try permit(kind, namespace)
        let found = all.filter {
            $0.gvk == kind.gvk && (namespace.isEmpty || $0.namespace == namespace)
                && (selector.isEmpty || $0.labels[selector] != nil)
        }
        return ResourceList(items: found, resourceVersion: String(version))
    }

    public func watch(
        _ kind: ServedKind, namespace: String, selector: String, after resourceVersion: String,
        deliver: @Sendable (WatchEvent) async -> Void
    ) async throws(Failure) {
        var seen = UInt64(resourceVersion) ?? 0
        while !Task.isCancelled {
            try await enter(.watch, kind.gvk.kind)
            try permit(kind, namespace)
            for (at, event) in log where at > seen {
                seen = at
                switch event {
                case .added(let resource), .modified(let resource), .deleted(let resource):
                    guard resource.gvk == kind.gvk, selector.isEmpty || resource.labels[selector] != nil,
                        namespace.isEmpty || resource.namespace == namespace
                    else { continue }
                    await deliver(event)
                case .bookmark: continue
                }
            }
            do { try await Task.sleep(for: .milliseconds(5)) } catch { return }
        }
    }

    public func apply(
        _ resource: Resource, as kind: ServedKind, _ options: WriteOptions
    ) async throws(Failure) -> Resource {
        let fault = try await enter(options.dryRun ? .dryRun : .apply, resource.name)
        let old = objects[resource.key]
        var merged = old?.object ?? .object([:])
        if let old { merged = Self.without(Self.applied(old), in: merged, keeping: resource.object) }
        merged = Self.merge(resource.object, into: merged)
        var result = try Resource(merged)
        result.set(Self.managed(resource, options.fieldManager, old), at: "metadata", "managedFields")
        if let old, Self.comparable(old) == Self.comparable(result) { return try finish(old, fault) }
        if options.dryRun { return try finish(stamp(result, old, dryRun: true), fault) }
        writes.append("apply \(resource.key)")
        return try finish(store(result, added: old == nil), fault)
    }

    public func create(
        _ resource: Resource, as kind: ServedKind, _ options: WriteOptions
    ) async throws(Failure) -> Resource {
        let fault = try await enter(options.dryRun ? .dryRun : .create, resource.name)
        guard objects[resource.key] == nil else { throw Failure(.clusterAlreadyExists, "\(resource.key) exists") }
        if options.dryRun { return try finish(resource, fault) }
        writes.append("create \(resource.key)")
        return try finish(store(resource, added: true), fault)
    }

    public func replace(
        _ resource: Resource, as kind: ServedKind, _ options: WriteOptions
    ) async throws(Failure) -> Resource {
        let fault = try await enter(options.dryRun ? .dryRun : .replace, resource.name)
        guard let old = objects[resource.key] else { throw Failure(.clusterNotFound, "\(resource.key) is not there") }
        if let version = resource.resourceVersion, version != old.resourceVersion {
            throw Failure(.clusterConflict, "\(resource.key) has changed")
        }
        if options.dryRun { return try finish(resource, fault) }
        writes.append("replace \(resource.key)")
        return try finish(store(resource, added: false), fault)
    }

    public func patch(
        _ kind: ServedKind, namespace: String, name: String, _ patch: Patch, _ options: WriteOptions
    ) async throws(Failure) -> Resource {
        let fault = try await enter(.patch, name)
        guard let old = objects[key(kind, namespace, name)] else {
            throw Failure(.clusterNotFound, "\(name) is not there")
        }
        guard case .merge(let change) = patch else { return try finish(old, fault) }
        let result = try Resource(Self.merge(change, into: old.object))
        writes.append("patch \(result.key)")
        return try finish(store(result, added: false), fault)
    }

    public func delete(
        _ kind: ServedKind, namespace: String, name: String, _ options: DeleteOptions
    ) async throws(Failure) -> Deletion {
        let fault = try await enter(.delete, name)
        let key = key(kind, namespace, name)
        guard let old = objects[key] else { return .absent }
        if let uid = options.uid, uid != old.uid { throw Failure(.clusterConflict, "another object of that name") }
        if options.dryRun { return .done }
        writes.append("delete \(key)")
        remove(key)
        return try finish(.done, fault)
    }

    // MARK: -

    private func permit(_ kind: ServedKind, _ namespace: String) throws(Failure) {
        guard let listable, kind.isNamespaced, !listable.contains(namespace) else { return }
        throw Failure(
            .clusterForbidden, "listing \(kind.plural) in \(namespace.isEmpty ? "all namespaces" : namespace)")
    }

    private func key(_ kind: ServedKind, _ namespace: String, _ name: String) -> ResourceKey {
        ResourceKey(
            group: kind.gvk.group, kind: kind.gvk.kind, namespace: kind.isNamespaced ? namespace : "", name: name)
    }

    @discardableResult
    private func enter(_ call: Call, _ name: String) async throws(Failure) -> Fault? {
        calls[call, default: 0] += 1
        guard let index = faults.firstIndex(where: { $0.call == call && ($0.name == nil || $0.name == name) }) else {
            return nil
        }
        let fault = faults.remove(at: index).fault
        switch fault {
        case .failedNotPersisted(let failure): throw failure
        case .failedButPersisted: return fault
        case .hang:
            nextWaiter += 1
            let id = nextWaiter
            await withTaskCancellationHandler {
                await withCheckedContinuation { waiters[id] = $0 }
            } onCancel: {
                Task { await self.letGo(id) }
            }
            if Task.isCancelled {
                throw Failure(.clusterUnreachable, "cancelled", next: .retry(afterMilliseconds: nil))
            }
            return nil
        }
    }

    private func letGo(_ id: Int) { waiters.removeValue(forKey: id)?.resume() }

    private func finish<Value>(_ value: Value, _ fault: Fault?) throws(Failure) -> Value {
        if case .failedButPersisted(let failure) = fault { throw failure }
        return value
    }

    @discardableResult
    private func store(_ resource: Resource, added: Bool, uid: String? = nil) -> Resource {
        version += 1
        var stamped = stamp(resource, objects[resource.key], dryRun: false)
        if added, let uid { stamped.set(.string(uid), at: "metadata", "uid") }
        objects[resource.key] = stamped
        append(added ? .added(stamped) : .modified(stamped))
        return stamped
    }

    private func stamp(_ resource: Resource, _ old: Resource?, dryRun: Bool) -> Resource {
        var copy = resource
        copy.set(.string(old?.uid ?? "uid-\(version)"), at: "metadata", "uid")
        if !dryRun { copy.set(.string(String(version)), at: "metadata", "resourceVersion") }
        copy.set("2026-01-01T00:00:00Z", at: "metadata", "creationTimestamp")
        return copy
    }

    private func append(_ event: WatchEvent) {
        log.append((version, event))
        if log.count > 10_000 { log.removeFirst(5000) }
    }

    private static func comparable(_ resource: Resource) -> Resource {
        var copy = resource
        for field in ["resourceVersion", "uid", "creationTimestamp"] { copy.set(nil, at: "metadata", field) }
        return copy
    }

    private static func merge(_ new: JSON, into old: JSON) -> JSON {
        guard case .object(let added) = new, case .object(var members) = old else { return new }
        for (key, value) in added {
            if value.isNull {
                members[key] = nil
            } else {
                members[key] = merge(value, into: members[key] ?? .object([:]))
            }
        }
        return .object(members)
    }

    /// The fields Shiplog applied before, as a tree of `f:` members.
    private static func applied(_ resource: Resource) -> JSON {
        let entries = resource.object.at("metadata", "managedFields")?.array ?? []
        return entries.first { $0["operation"] == "Apply" }?["fieldsV1"] ?? .object([:])
    }

    private static func without(_ owned: JSON, in object: JSON, keeping wanted: JSON) -> JSON {
        guard case .object(var members) = object, case .object(let fields) = owned else { return object }
        for (field, inner) in fields where field.hasPrefix("f:") {
            let key = String(field.dropFirst(2))
            if let want = wanted[key] {
                members[key] = members[key].map { without(inner, in: $0, keeping: want) }
            } else {
                members[key] = nil
            }
        }
        return .object(members)
    }

    private static func managed(_ resource: Resource, _ manager: String, _ old: Resource?) -> JSON {
        func fields(_ value: JSON) -> JSON {
            guard case .object(let members) = value, !members.isEmpty else { return .object([:]) }
            return .object(Dictionary(members.map { ("f:" + $0, fields($1)) }, uniquingKeysWith: { $1 }))
        }
        var owned = resource.object
        for field in ["apiVersion", "kind"] { owned[field] = nil }
        owned.set(nil, at: ["metadata", "name"])
        owned.set(nil, at: ["metadata", "namespace"])
        return [
            [
                "manager": .string(manager), "operation": "Apply", "apiVersion": .string(resource.gvk.apiVersion),
                "fieldsType": "FieldsV1", "fieldsV1": fields(owned)
            ]
        ]
    }
}
