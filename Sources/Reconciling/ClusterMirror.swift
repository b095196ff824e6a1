import Logging
import Shiplog

/// A copy in memory of what Shiplog's applications own in one cluster, kept by one list and watch a kind.
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
    private var watches: [ServedKind: KindWatch] = [:]
    private var waiters: [CheckedContinuation<Void, Never>] = []

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

    /// The kinds among these that cannot be answered for, with why.
    func unknown(among kinds: Set<ServedKind>) -> [ServedKind: Failure] {
        var result: [ServedKind: Failure] = [:]
        for kind in kinds {
            switch watches[kind]?.state {
            case .live: continue
            case .failed(let failure): result[kind] = failure
            case .pending, nil:
                result[kind] = Failure(
                    "cluster.not-listed", "the first listing of \(kind.gvk) has not finished",
                    next: .retry(afterMilliseconds: nil))
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
    func watch(_ kinds: Set<ServedKind>) async {
        for kind in kinds where watches[kind] == nil && kind.verbs.contains("list") && kind.verbs.contains("watch") {
            watches[kind] = KindWatch(
                task: Task { [weak self] in await self?.follow(kind) }, state: .pending)
        }
        for kind in kinds where watches[kind] == nil {
            watches[kind] = KindWatch(
                task: Task {},
                state: .failed(
                    Failure(
                        "cluster.not-watchable", "the cluster cannot list and watch \(kind.gvk)",
                        remedy: "leave this kind out of the application")))
        }
        while !Task.isCancelled,
            kinds.contains(where: { if case .pending = watches[$0]?.state { true } else { false } })
        {
            await withCheckedContinuation { waiters.append($0) }
        }
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

    private func follow(_ kind: ServedKind) async {
        var delay: Int64 = 500
        while !Task.isCancelled {
            do throws(Failure) {
                let list = try await cluster.list(kind, namespace: "", selector: Self.selector)
                await replace(kind, with: list.items)
                await set(kind, .live)
                delay = 500
                try await resume(kind, after: list.resourceVersion)
            } catch {
                if Task.isCancelled { return }
                if error.code != .clusterWatchExpired {
                    logger.warning("watch failed", metadata: ["kind": "\(kind.gvk)", "code": "\(error.code)"])
                    await set(kind, .failed(error))
                    try? await Task.sleep(for: .milliseconds(delay + Int64.random(in: 0...delay / 4)))
                    delay = min(delay * 2, 30_000)
                }
            }
        }
    }

    /// Watches until the version has expired or the server cannot be reached.
    private func resume(_ kind: ServedKind, after version: String) async throws(Failure) {
        let last = LatestVersion(version)
        var brokenSince: ContinuousClock.Instant?
        while !Task.isCancelled {
            let start = ContinuousClock.now
            do throws(Failure) {
                try await cluster.watch(kind, namespace: "", selector: Self.selector, after: await last.value) {
                    event in
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

    private func replace(_ kind: ServedKind, with items: [Resource]) async {
        var touched: Set<ApplicationUID> = []
        let listed = Set(items.map(\.key))
        for (uid, known) in objects {
            for key in known.keys where key.groupKind == kind.gvk.groupKind && !listed.contains(key) {
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

    private func set(_ kind: ServedKind, _ state: State) async {
        let before = watches[kind]?.state
        watches[kind]?.state = state
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
