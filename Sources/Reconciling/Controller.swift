public import GitSource
public import LedgerStore
public import Logging
public import Shiplog
import Synchronization

/// The loop: it owns the queue, the workers and what is remembered, and is the one door for whoever asks for something.
public final class Controller: Sendable {
    let ledger: Ledger
    let repositories: Repositories
    let settings: ControllerSettings
    let now: @Sendable () -> Timestamp
    let logger: Logger
    let queue = WorkQueue()
    let board = StatusBoard()
    let state = LoopState()
    let tasks = BoundedTasks(limit: 16)
    let fleets = FleetBoard()
    /// Nothing new begins any more.
    let stopping = Flag()
    let connections: Connections
    let leases: Leases
    let registry: ApplicationRegistry
    let projects: ProjectBook
    let reconciler: Reconciler
    private let ready = Flag()

    public init(
        ledger: Ledger, repositories: Repositories, clusters: Clusters, settings: ControllerSettings = .init(),
        now: @escaping @Sendable () -> Timestamp, logger: Logger
    ) {
        self.ledger = ledger
        self.repositories = repositories
        self.settings = settings
        self.now = now
        self.logger = logger
        let settle = settings.watchSettle
        registry = ApplicationRegistry(ledger)
        connections = Connections(clusters, registry: registry, logger: logger) { [queue] uid in
            await queue.put(uid, WorkQueue.Reasons(causes: [.watch]), afterMilliseconds: settle)
        }
        leases = Leases(
            LeaseIdentity(
                holder: LeaseIdentity.holder(ofDirectory: ledger.directory.path), ledger: ledger.uid,
                epoch: settings.epoch, namespace: settings.leaseNamespace),
            duration: settings.leaseDuration,
            log: LeaseLog(
                head: { () async throws(Failure) in try await ledger.logHead() },
                past: { (size) async throws(Failure) in try await ledger.logHead(at: size) }),
            now: now, logger: logger)
        projects = ProjectBook(ledger)
        reconciler = Reconciler(
            ledger: ledger, rendering: Rendering(repositories: repositories), connections: connections, leases: leases,
            registry: registry, state: state, projects: projects, settings: settings, now: now, logger: logger)
        openRegistry()
    }

    /// Whether recovery is over and every application is in the queue.
    public var isReady: Bool { ready.isSet }

    /// How many applications wait for a worker.
    public var queueDepth: Int { get async { await queue.depth } }

    /// Runs until cancelled: recovery first, then the workers and the polling.
    /// - Parameter holding: waited for when applications can be looked at and before anything is done with them.
    /// - Throws: what kept recovery from reading the ledger.
    public func run(holding: @Sendable () async throws -> Void = {}) async throws {
        try await finishDeletions()
        for application in try await ledger.applications() {
            await board.set(ApplicationStatus(registered: application))
        }
        try await holding()
        let open = try await ledger.openAttempts()
        if !open.isEmpty { logger.notice("recovering", metadata: ["attempts": "\(open.count)"]) }
        for attempt in open { await state.setOpen(attempt) }
        for status in await board.all {
            await queue.put(status.registered.uid, WorkQueue.Reasons(causes: [.startup]))
        }
        // An application deleted while an attempt was open has no status: its attempt is closed here.
        for attempt in open where await board.status(attempt.intent.application.uid) == nil {
            await closeOrphan(attempt)
        }
        try await resumeFleets()
        ready.set()
        await withTaskGroup(of: Void.self) { group in
            for (count, isKept) in [(settings.workers, false), (settings.operationWorkers, true)] {
                let places = Places(max(1, count))
                for _ in 0..<(max(1, count) + max(0, settings.waitingWorkers)) {
                    group.addTask { await self.work(operationsOnly: isKept, places) }
                }
            }
            group.addTask { await self.poll() }
            group.addTask { await self.tasks.run() }
            group.addTask { await self.leases.run() }
            await withTaskCancellationHandler {
                await group.waitForAll()
            } onCancel: {
                Task {
                    await self.queue.close()
                    await self.tasks.close()
                }
            }
        }
        await connections.stop()
        await fleets.close()
        await board.close()
    }

    /// Begins nothing new, refuses what was asked for and not begun, and waits for what is under way, at most
    /// `ControllerSettings.shutdownGrace`. What has not ended by then is left to recovery once `run` is cancelled.
    public func drain() async {
        stopping.set()
        await tasks.close()
        for operation in await queue.close() {
            await refuse(
                operation,
                Failure(
                    "operation.server-stopping", "the server stopped before this was begun",
                    remedy: "ask again when it has started", next: .superseded))
        }
        let deadline = ContinuousClock.now + .milliseconds(settings.shutdownGrace)
        while await state.isWorking, ContinuousClock.now < deadline, !Task.isCancelled {
            try? await Task.sleep(for: .milliseconds(20))
        }
        // With something still being written, whoever comes next has to wait for the lease to run out.
        if await !state.isWorking { await leases.release() }
    }

    // MARK: - Workers

    private func work(operationsOnly: Bool, _ places: Places) async {
        while await places.take(), let item = await queue.next(operationsOnly: operationsOnly) {
            let interruption = Interruption(
                operations: Set(item.reasons.operations.map(\.id)), lend: { await places.giveBack() })
            let task = Task { await Interruption.$current.withValue(interruption) { await self.handle(item) } }
            await state.begin(item.uid, task, interruption)
            await withTaskCancellationHandler {
                await task.value
            } onCancel: {
                task.cancel()
            }
            await state.end(item.uid)
            await queue.finished(item.uid)
            if !interruption.hasLentPlace { await places.giveBack() }
        }
        // The queue is closed, or everything is cancelled: nobody waits for a place any more.
        await places.close()
    }

    /// One application, one worker: first what was left open, then what a person asked for, then a look.
    private func handle(_ item: WorkQueue.Item) async {
        let uid = item.uid
        async let _: Void = tell(nil, [uid]) { [board, connections, state] in
            if let text = await state.waiting(uid) { return text }
            guard let application = await board.status(uid)?.registered else { return nil }
            return await connections.progress(for: application)
        }
        var memory = await state.memory(of: uid)
        if item.reasons.hard { memory.forget() }
        do throws(Failure) {
            guard let application = try await ledger.application(uid: uid) else {
                for operation in item.reasons.operations {
                    await refuse(operation, Self.notFound(operation.application))
                }
                return
            }
            if let attempt = await state.open(uid) {
                guard try await recover(attempt, application, memory: &memory) else {
                    await state.setMemory(memory, of: uid)
                    await queue.put(
                        uid, WorkQueue.Reasons(causes: [.recovery]), afterMilliseconds: 5000)
                    for operation in item.reasons.operations { await requeue(operation, uid) }
                    return
                }
            }
            // A rollback does not wait behind what was asked for before it.
            let first = item.reasons.operations.lastIndex { $0.kind == .rollback } ?? 0
            for (index, operation) in item.reasons.operations.enumerated() {
                if operation.kind != .refresh, Task.isCancelled || index < first {
                    await supersede(operation)
                } else {
                    await carryOut(operation, memory: &memory)
                }
            }
        } catch {
            logger.error("the ledger cannot be read", metadata: ["code": "\(error.code)"])
            for operation in item.reasons.operations { await refuse(operation, error) }
        }
        if Task.isCancelled {
            for refresh in item.reasons.operations where refresh.kind == .refresh { await requeue(refresh, uid) }
        } else {
            await look(uid, item.reasons, memory: &memory)
        }
        await state.setMemory(memory, of: uid)
    }

    private func look(_ uid: ApplicationUID, _ reasons: WorkQueue.Reasons, memory: inout Memory) async {
        guard let application = try? await ledger.application(uid: uid) else { return }
        let refreshes = reasons.operations.filter { $0.kind == .refresh }
        let actor = refreshes.last?.actor ?? reasons.actor
        let cause = reasons.cause
        var status = await board.status(uid) ?? ApplicationStatus(registered: application)
        status = status.of(application)
        await board.setActivity(.comparing, of: uid)
        var outcome = await reconciler.look(
            at: application, cause: cause, actor: actor, status: status, memory: &memory)
        outcome.status.activity = .idle
        if let current = try? await ledger.application(uid: uid) { outcome.status = outcome.status.of(current) }
        outcome.status.deployed = memory.deployed
        if let recorded = outcome.recorded { outcome.status.lastRevision = recorded }
        if await board.status(uid) != nil {
            await board.set(outcome.status)
            await registry.note(outcome.status)
        }
        for refresh in refreshes {
            var done = refresh
            let failed = outcome.status.sync == .unknown
            if failed, outcome.recorded == nil, let why = outcome.status.conditions.last {
                // No row says why: the newest one is of another look.
                await refuse(refresh, Failure(why.code, why.message, remedy: why.remedy), endsActivity: false)
            } else if let sequence = outcome.recorded ?? outcome.status.lastRevision {
                done.state = .finished(revision: sequence, outcome: failed ? "failed" : "succeeded")
                // The row names one who asked; what became of the others' requests is told as well.
                if refresh.id != refreshes.last?.id || !outcome.namesActor {
                    await join(refresh, application.reference, answeredBy: sequence)
                }
                await board.set(done)
            } else {
                await refuse(
                    refresh, Failure("operation.interrupted", "the refresh was interrupted", next: .superseded),
                    endsActivity: false)
            }
        }
        if let order = outcome.takingBack, !Task.isCancelled { await takeBack(order, uid, memory: &memory) }
        if let again = outcome.again, !Task.isCancelled {
            await queue.put(
                uid, WorkQueue.Reasons(causes: [again.cause]), afterMilliseconds: max(50, again.milliseconds))
        }
    }

    // MARK: - Polling

    /// Each repository once an interval, however many applications read it.
    private func poll() async {
        guard settings.pollInterval > 0 else { return }
        var isFirst = true
        while !Task.isCancelled {
            let jitter = settings.pollJitter > 0 ? Int64.random(in: 0...settings.pollJitter) : 0
            let delay = isFirst ? 0 : settings.pollInterval + jitter
            isFirst = false
            do { try await Task.sleep(for: .milliseconds(delay)) } catch { return }
            await fetchAll(cause: .poll)
        }
    }

    /// The round that the interval makes by itself, now: for measuring.
    public func pollNow() async { await fetchAll(cause: .poll) }

    private func fetchAll(cause: Cause) async {
        var readers: [RepositoryURL: [ApplicationUID]] = [:]
        for status in await board.all {
            guard let url = try? RepositoryURL(status.registered.application.source.repository) else {
                await queue.put(status.registered.uid, WorkQueue.Reasons(causes: [cause]))
                continue
            }
            readers[url, default: []].append(status.registered.uid)
        }
        _ = await Array(readers).concurrentMap(atOnce: 8) { url, uids in
            await self.fetch(url, for: uids, WorkQueue.Reasons(causes: [cause]))
        }
    }

    /// Fetches, then wakes the readers either way: an application whose repository cannot be reached has a row that says so.
    func fetch(_ url: RepositoryURL, for uids: [ApplicationUID], _ reasons: WorkQueue.Reasons) async {
        async let _: Void = tell(.fetching, uids) { [repositories] in repositories.progress(url) }
        do throws(Failure) {
            _ = try await repositories.fetch(url)
            await state.setFetchFailure(nil, of: url.normalized)
        } catch {
            if Task.isCancelled { return }
            await state.setFetchFailure(error, of: url.normalized)
            logger.warning("fetch failed", metadata: ["repository": "\(url.display)", "code": "\(error.code)"])
        }
        for uid in uids { await queue.put(uid, reasons) }
    }

    /// Says how far a step has come, once it has taken longer than a second and then each second, until it is cancelled.
    private func tell(
        _ activity: ApplicationStatus.Activity?, _ uids: [ApplicationUID],
        _ progress: @escaping @Sendable () async -> String?
    ) async {
        var told: String?
        var logged: ContinuousClock.Instant?
        while (try? await Task.sleep(for: .seconds(1))) != nil {
            let text = await progress()
            guard text != told else { continue }
            told = text
            for uid in uids { await board.setProgress(text, activity, of: uid) }
            guard let text, logged.map({ ContinuousClock.now - $0 > .seconds(5) }) ?? true else { continue }
            logger.info("working", metadata: ["progress": "\(text)"])
            logged = .now
        }
        guard told != nil else { return }
        for uid in uids { await board.setProgress(nil, of: uid) }
    }

    static func notFound(_ name: String) -> Failure {
        Failure(
            "application.not-found", "there is no application \(name)", remedy: "see `shiplog app list`")
    }
}

/// What the workers share besides the queue and the board.
actor LoopState {
    private var memories: [ApplicationUID: Memory] = [:]
    private var running: [ApplicationUID: (Task<Void, Never>, Interruption)] = [:]
    private var openAttempts: [ApplicationUID: Attempt] = [:]
    private var requests: [String: Request] = [:]
    private var fetchFailures: [String: Failure] = [:]
    private var recoveries: [ApplicationUID: Int] = [:]
    private var waits: [ApplicationUID: String] = [:]
    private var policyRefusals: [ApplicationUID: PolicyRefusals] = [:]
    private var unconfirmed: [ApplicationUID: Unconfirmed] = [:]

    enum Request: Sendable {
        case sync(SyncRequest)
        case rollback(RollbackRequest)
    }

    func memory(of uid: ApplicationUID) -> Memory { memories[uid] ?? Memory() }
    func setMemory(_ memory: Memory, of uid: ApplicationUID) { memories[uid] = memory }
    func forget(_ uid: ApplicationUID) {
        memories[uid] = nil
        policyRefusals[uid] = nil
    }

    /// Counts a refusal; how many there were since the last that was recorded when another record is due.
    func count(_ signature: String, of uid: ApplicationUID, at now: Int64) -> Int? {
        policyRefusals[uid, default: PolicyRefusals()].count(signature, at: now)
    }

    func begin(_ uid: ApplicationUID, _ task: Task<Void, Never>, _ interruption: Interruption) {
        running[uid] = (task, interruption)
    }
    func end(_ uid: ApplicationUID) { running[uid] = nil }
    var isWorking: Bool { !running.isEmpty }

    /// Ends what a worker does for the application, so that something newer can begin.
    ///
    /// - Parameter newer: the operation that is to begin: a worker that has it already goes on.
    /// - Returns: whether there was anything.
    @discardableResult
    func supersede(_ uid: ApplicationUID, by newer: String? = nil) -> Bool {
        guard let (task, interruption) = running[uid] else { return false }
        if let newer, interruption.operations.contains(newer) { return false }
        interruption.supersede()
        task.cancel()
        return true
    }

    /// Ends a sync or rollback that a worker carries out.
    /// - Returns: whether there was one.
    func terminate(_ uid: ApplicationUID) -> Bool {
        guard let (_, interruption) = running[uid], interruption.isApplying else { return false }
        return supersede(uid)
    }

    func open(_ uid: ApplicationUID) -> Attempt? { openAttempts[uid] }
    func setOpen(_ attempt: Attempt) { openAttempts[attempt.intent.application.uid] = attempt }
    func closed(_ uid: ApplicationUID) { openAttempts[uid] = nil }

    /// Counts how often recovery was tried, this time included.
    func countRecovery(of uid: ApplicationUID) -> Int {
        recoveries[uid, default: 0] += 1
        return recoveries[uid] ?? 0
    }

    /// What the application's sync waits for, for people.
    func waiting(_ uid: ApplicationUID) -> String? { waits[uid] }
    func setWaiting(_ text: String?, of uid: ApplicationUID) { waits[uid] = text }

    /// The prunes that an attempt waits with until somebody confirms them.
    struct Unconfirmed: Sendable {
        let attempt: SequenceNumber
        var keys: Set<ResourceKey>
    }

    func unconfirmed(_ uid: ApplicationUID) -> Unconfirmed? { unconfirmed[uid] }
    func setUnconfirmed(_ waiting: Unconfirmed?, of uid: ApplicationUID) { unconfirmed[uid] = waiting }
    func confirm(_ keys: Set<ResourceKey>, of uid: ApplicationUID, attempt: SequenceNumber) {
        guard unconfirmed[uid]?.attempt == attempt else { return }
        unconfirmed[uid]?.keys.subtract(keys)
    }

    func setRequest(_ request: Request, for operation: String) { requests[operation] = request }
    func takeRequest(for operation: String) -> Request? { requests.removeValue(forKey: operation) }

    func fetchFailure(of repository: String) -> Failure? { fetchFailures[repository] }
    func setFetchFailure(_ failure: Failure?, of repository: String) { fetchFailures[repository] = failure }
}

extension WorkQueue.Reasons {
    /// The cause a row names when several came together: the one that tells most.
    var cause: Cause {
        let byWeight: [Cause] = [.manual, .webhook, .specChange, .recovery, .poll, .startup, .retry, .watch]
        return byWeight.first(where: causes.contains) ?? causes.first ?? .poll
    }

    var actor: Actor { operations.last?.actor ?? hintedBy ?? .controller }
}
