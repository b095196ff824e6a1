import Logging
import Shiplog

/// A copy in memory of what Shiplog's applications own in one cluster, kept by one list and watch a kind. Where listing a
/// kind in the whole cluster is forbidden, there is one for each namespace that an application needs instead.
///
/// "Not in the copy" means "not there" only for a kind whose listing succeeded and whose watch has not been lost since;
/// everything else is unknown, and says why.
actor ClusterMirror {
    /// The label every applied object carries; its value is the application's uid.
    static let selector = Ownership.label

    enum State: Sendable {
        case pending
        case live
        case failed(Failure)
    }

    nonisolated let cluster: any Cluster
    private let logger: Logger
    private let changed: @Sendable (ApplicationUID) async -> Void
    private var objects: [ApplicationUID: [ResourceKey: Resource]] = [:]
    private var versions: [ApplicationUID: Int] = [:]
    private var watches: [Scope: KindWatch] = [:]
    /// Kinds that may not be listed in the whole cluster.
    private var scoped: Set<ServedKind> = []
    private var waiters: [CheckedContinuation<Void, Never>] = []

    /// What one list and watch covers; an empty namespace is the whole cluster.
    private struct Scope: Hashable {
        let kind: ServedKind
        var namespace = ""
    }

    private struct KindWatch {
        var task: Task<Void, Never>
        var state: State
    }

    init(_ cluster: any Cluster, logger: Logger, changed: @escaping @Sendable (ApplicationUID) async -> Void) {
        self.cluster = cluster
        self.logger = logger
        self.changed = changed
    }

    /// Grows whenever an object of the application changes: what was compared at the same version is still true.
    func version(of uid: ApplicationUID) -> Int { versions[uid] ?? 0 }

    func objects(of uid: ApplicationUID) -> [ResourceKey: Resource] { objects[uid] ?? [:] }

    private func scopes(of kind: ServedKind, in namespaces: Set<String>) -> [Scope] {
        guard scoped.contains(kind), !namespaces.isEmpty else { return [Scope(kind: kind)] }
        return namespaces.sorted().map { Scope(kind: kind, namespace: $0) }
    }

    /// The kinds among these that cannot be answered for in all of these namespaces, with why.
    func unknown(among kinds: Set<ServedKind>, in namespaces: Set<String>) -> [ServedKind: Failure] {
        var result: [ServedKind: Failure] = [:]
        for kind in kinds {
            for scope in scopes(of: kind, in: namespaces) where result[kind] == nil {
                switch watches[scope]?.state {
                case .live: continue
                case .failed(let failure): result[kind] = failure
                case .pending, nil:
                    result[kind] = Failure(
                        "cluster.not-listed", "the first listing of \(kind.gvk) has not finished",
                        next: .retry(afterMilliseconds: nil))
                }
            }
        }
        return result
    }

    /// How far the first listing has come; nil when every kind has answered.
    var progress: String? {
        let pending = watches.values.count { if case .pending = $0.state { true } else { false } }
        return pending == 0 ? nil : "listing the cluster: \(watches.count - pending) of \(watches.count) kinds"
    }

    /// Watches these kinds from now on, and waits until each has been listed or could not be.
    /// - Parameter namespaces: where objects of these kinds are looked for, for kinds that may only be listed there.
    func watch(_ kinds: Set<ServedKind>, in namespaces: Set<String>) async {
        while !Task.isCancelled {
            // Which scopes there are is known only after the first answer.
            let wanted = kinds.flatMap { scopes(of: $0, in: namespaces) }
            for scope in wanted where watches[scope] == nil { begin(scope) }
            guard wanted.contains(where: { if case .pending = watches[$0]?.state { true } else { false } }) else {
                return
            }
            await withCheckedContinuation { waiters.append($0) }
        }
    }

    private func begin(_ scope: Scope) {
        let kind = scope.kind
        guard kind.verbs.contains("list"), kind.verbs.contains("watch") else {
            watches[scope] = KindWatch(
                task: Task {},
                state: .failed(
                    Failure(
                        "cluster.not-watchable", "the cluster cannot list and watch \(kind.gvk)",
                        remedy: "leave this kind out of the application")))
            return
        }
        watches[scope] = KindWatch(task: Task { [weak self] in await self?.follow(scope) }, state: .pending)
    }

    /// Takes in what a write answered, so that the next comparison does not wait for the watch to tell the same.
    func observe(_ resource: Resource) { _ = take(resource) }

    /// Takes in that an object is gone.
    func observeGone(_ key: ResourceKey, of uid: ApplicationUID) {
        if objects[uid]?.removeValue(forKey: key) != nil { versions[uid, default: 0] += 1 }
    }

    func stop() {
        for watch in watches.values { watch.task.cancel() }
        watches = [:]
        wakeWaiters()
    }

    // MARK: - One kind

    private func follow(_ scope: Scope) async {
        let kind = scope.kind
        var delay: Int64 = 500
        while !Task.isCancelled {
            do throws(Failure) {
                let list = try await cluster.list(kind, namespace: scope.namespace, selector: Self.selector)
                await replace(scope, with: list.items)
                await set(scope, .live)
                if scope.namespace.isEmpty { widen(kind) }
                let start = ContinuousClock.now
                defer { if ContinuousClock.now - start > .seconds(5) { delay = 500 } }
                try await resume(scope, after: list.resourceVersion)
            } catch {
                if Task.isCancelled { return }
                // An expired version is no trouble, but a server that knows no other answer is not asked in a circle.
                if error.code != .clusterWatchExpired {
                    let isNew = if case .failed = watches[scope]?.state { false } else { true }
                    logger.log(
                        level: isNew ? .warning : .debug, "watch failed",
                        metadata: [
                            "kind": "\(kind.gvk)", "namespace": "\(scope.namespace)", "code": "\(error.code)"
                        ])
                    if error.code == .clusterForbidden, scope.namespace.isEmpty, kind.isNamespaced {
                        scoped.insert(kind)
                    }
                    await set(scope, .failed(error))
                }
                var wait = delay
                if case .retry(let asked?) = error.next { wait = max(wait, min(asked, 300_000)) }
                try? await Task.sleep(for: .milliseconds(wait + Int64.random(in: 0...wait / 4)))
                delay = min(delay * 2, 30_000)
            }
        }
    }

    /// The whole cluster may be listed after all: what was watched by namespace is in it.
    private func widen(_ kind: ServedKind) {
        guard scoped.remove(kind) != nil else { return }
        for (scope, watch) in watches where scope.kind == kind && !scope.namespace.isEmpty {
            watch.task.cancel()
            watches[scope] = nil
        }
    }

    /// Watches until the version has expired or the server cannot be reached.
    private func resume(_ scope: Scope, after version: String) async throws(Failure) {
        let last = LatestVersion(version)
        var brokenSince: ContinuousClock.Instant?
        while !Task.isCancelled {
            let start = ContinuousClock.now
            do throws(Failure) {
                try await cluster.watch(
                    scope.kind, namespace: scope.namespace, selector: Self.selector, after: await last.value
                ) { event in
                    await self.take(event, into: last)
                }
                brokenSince = nil
                // A server that ends every stream at once would otherwise be asked without a pause.
                if ContinuousClock.now - start < .seconds(1) { try? await Task.sleep(for: .milliseconds(200)) }
            } catch {
                guard error.isTransient, error.code != .clusterWatchExpired else { throw error }
                // A connection that broke and comes back at once loses nothing; one that stays away makes the kind unknown.
                if ContinuousClock.now - start > .seconds(5) { brokenSince = nil }
                if brokenSince == nil { brokenSince = start }
                if let brokenSince, ContinuousClock.now - brokenSince > .seconds(3) { throw error }
                try? await Task.sleep(for: .milliseconds(300))
            }
        }
    }

    private func take(_ event: WatchEvent, into last: LatestVersion) async {
        switch event {
        case .added(let resource), .modified(let resource):
            if let version = resource.resourceVersion { await last.set(version) }
            if let uid = take(resource) { await changed(uid) }
        case .deleted(let resource):
            if let version = resource.resourceVersion { await last.set(version) }
            guard let uid = Self.owner(of: resource) else { return }
            if objects[uid]?.removeValue(forKey: resource.key) != nil {
                versions[uid, default: 0] += 1
                await changed(uid)
            }
        case .bookmark(let version): await last.set(version)
        }
    }

    /// - Returns: the application, when anything of it changed.
    private func take(_ resource: Resource) -> ApplicationUID? {
        guard let uid = Self.owner(of: resource) else { return nil }
        let key = resource.key
        if let known = objects[uid]?[key] {
            if known.resourceVersion == resource.resourceVersion { return nil }
            // What a write answered can be newer than what the watch still has to tell. Versions are opaque by contract
            // and numbers in every server there is; where they are not, the watch simply wins.
            if known.uid == resource.uid, let old = known.resourceVersion.flatMap(UInt64.init),
                let new = resource.resourceVersion.flatMap(UInt64.init), new < old
            {
                return nil
            }
        }
        objects[uid, default: [:]][key] = resource
        versions[uid, default: 0] += 1
        return uid
    }

    private func replace(_ scope: Scope, with items: [Resource]) async {
        var touched: Set<ApplicationUID> = []
        let listed = Set(items.map(\.key))
        for (uid, known) in objects {
            for key in known.keys
            where key.groupKind == scope.kind.gvk.groupKind && !listed.contains(key)
                && (scope.namespace.isEmpty || key.namespace == scope.namespace)
            {
                objects[uid]?[key] = nil
                versions[uid, default: 0] += 1
                touched.insert(uid)
            }
        }
        for item in items { if let uid = take(item) { touched.insert(uid) } }
        for uid in touched { await changed(uid) }
    }

    private static func owner(of resource: Resource) -> ApplicationUID? {
        resource.labels[Ownership.label].flatMap { ApplicationUID($0) }
    }

    private func set(_ scope: Scope, _ state: State) async {
        let before = watches[scope]?.state
        watches[scope]?.state = state
        wakeWaiters()
        switch (before, state) {
        case (.live, .failed), (.failed, .live):
            // What was known has become unknown, or the other way round: every application of the kind looks again.
            for uid in objects.keys {
                versions[uid, default: 0] += 1
                await changed(uid)
            }
        default: break
        }
    }

    private func wakeWaiters() {
        let woken = waiters
        waiters = []
        for waiter in woken { waiter.resume() }
    }
}

/// The newest resourceVersion a watch has seen.
private actor LatestVersion {
    private(set) var value: String
    init(_ value: String) { self.value = value }
    func set(_ value: String) { self.value = value }
}
