import Shiplog

/// What is asked in the last moment before each write to a cluster: the project's rules and its windows, as they are
/// then. A project that is changed while something runs holds for the rest of it.
struct WriteGate: Sendable {
    let application: RegisteredApplication
    let cluster: ClusterReference
    let projects: ProjectBook
    let startedAt: Timestamp
    /// A person asked for what is being done.
    let isManual: Bool
    /// Windows are not asked: a person has set them aside with a reason, or an application is deleted, or what has
    /// ended is tidied away.
    var isOutsideWindows = false
    let now: @Sendable () -> Timestamp

    /// - Throws: `project.kind-not-permitted`, `project.destination-not-permitted`, `project.not-registered`,
    ///   `window.closed`.
    func check(_ kind: ServedKind, namespace: String, name: String) async throws(Failure) {
        let project = try await projects.project(named: application.application.project)
        let place = ProjectDestination(application.application.destination, cluster: cluster)
        try project.checkDestination(place)
        try project.check(
            kind.gvk.groupKind, name: name, namespace: namespace, isNamespaced: kind.isNamespaced, to: place)
    }

    /// - Throws: `window.closed` when a window stands in the way that has not `syncOverrun`.
    func checkWindows() async throws(Failure) {
        guard !isOutsideWindows else { return }
        let project = try await projects.project(named: application.application.project)
        let (may, decision) = WindowDecision.mayContinue(
            project.windows, for: application.windowSubject(cluster), startedAt: startedAt, at: now(), manual: isManual)
        guard !may else { return }
        throw decision.refusal(of: "\(application.name) was being synced and stops here", manual: isManual)
    }

    var outsideWindows: WriteGate {
        var copy = self
        copy.isOutsideWindows = true
        return copy
    }
}

/// A cluster that lets no write through without asking the gate; reading is as ever. Without a gate nothing is written.
struct GuardedCluster: Cluster {
    let base: any Cluster
    let gate: WriteGate?

    var name: String { base.name }
    var server: String { base.server }

    private func ask(_ kind: ServedKind, _ namespace: String, _ name: String, dryRun: Bool) async throws(Failure) {
        // A dry run writes nothing; what it is asked for is judged before the operation it belongs to begins.
        guard !dryRun else { return }
        guard let gate else {
            throw Failure(
                "operation.unguarded", "\(kind.gvk.kind) \(name) was to be written without its project being asked",
                remedy: "report this: nothing was written")
        }
        try await gate.check(kind, namespace: namespace, name: name)
        try await gate.checkWindows()
    }

    func apply(_ resource: Resource, as kind: ServedKind, _ options: WriteOptions) async throws(Failure) -> Resource {
        try await ask(kind, resource.namespace, resource.name, dryRun: options.dryRun)
        return try await base.apply(resource, as: kind, options)
    }

    func create(_ resource: Resource, as kind: ServedKind, _ options: WriteOptions) async throws(Failure) -> Resource {
        try await ask(kind, resource.namespace, resource.name, dryRun: options.dryRun)
        return try await base.create(resource, as: kind, options)
    }

    func replace(_ resource: Resource, as kind: ServedKind, _ options: WriteOptions) async throws(Failure) -> Resource {
        try await ask(kind, resource.namespace, resource.name, dryRun: options.dryRun)
        return try await base.replace(resource, as: kind, options)
    }

    func patch(
        _ kind: ServedKind, namespace: String, name: String, _ patch: Patch, _ options: WriteOptions
    ) async throws(Failure) -> Resource {
        try await ask(kind, namespace, name, dryRun: options.dryRun)
        return try await base.patch(kind, namespace: namespace, name: name, patch, options)
    }

    func delete(
        _ kind: ServedKind, namespace: String, name: String, _ options: DeleteOptions
    ) async throws(Failure) -> Deletion {
        try await ask(kind, namespace, name, dryRun: options.dryRun)
        return try await base.delete(kind, namespace: namespace, name: name, options)
    }

    // MARK: Reading

    func identity() async throws(Failure) -> String { try await base.identity() }
    func catalog(refresh: Bool) async throws(Failure) -> KindCatalog { try await base.catalog(refresh: refresh) }
    func schema(of kind: ServedKind) async -> MergeSchema? { await base.schema(of: kind) }

    func get(_ kind: ServedKind, namespace: String, name: String) async throws(Failure) -> Resource? {
        try await base.get(kind, namespace: namespace, name: name)
    }

    func list(_ kind: ServedKind, namespace: String, selector: String) async throws(Failure) -> ResourceList {
        try await base.list(kind, namespace: namespace, selector: selector)
    }

    func watch(
        _ kind: ServedKind, namespace: String, selector: String, after resourceVersion: String,
        deliver: @Sendable (WatchEvent) async -> Void
    ) async throws(Failure) {
        try await base.watch(
            kind, namespace: namespace, selector: selector, after: resourceVersion, deliver: deliver)
    }

    func page(
        _ kind: ServedKind, namespace: String, fields: String, atMost: Int, metadataOnly: Bool
    ) async throws(Failure) -> ResourcePage {
        try await base.page(kind, namespace: namespace, fields: fields, atMost: atMost, metadataOnly: metadataOnly)
    }

    func log(
        namespace: String, pod: String, _ question: LogQuestion, deliver: @Sendable ([UInt8]) async -> Bool
    ) async throws(Failure) {
        try await base.log(namespace: namespace, pod: pod, question, deliver: deliver)
    }
}

/// A cluster's copy in memory, and the way to write to it that asks the gate.
struct GuardedMirror: Sendable {
    let base: ClusterMirror
    var gate: WriteGate?

    var cluster: any Cluster { GuardedCluster(base: base.cluster, gate: gate) }

    func guarded(by gate: WriteGate) -> GuardedMirror { GuardedMirror(base: base, gate: gate) }
    /// For letting go of what has ended.
    var outsideWindows: GuardedMirror { GuardedMirror(base: base, gate: gate?.outsideWindows) }

    func version(of uid: ApplicationUID) async -> Int { await base.version(of: uid) }
    func objects(of uid: ApplicationUID) async -> [ResourceKey: Resource] { await base.objects(of: uid) }
    func observe(_ resource: Resource) async { await base.observe(resource) }
    func observeGone(_ key: ResourceKey, of uid: ApplicationUID) async { await base.observeGone(key, of: uid) }
}
