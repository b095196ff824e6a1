import Glibc
import Shiplog

/// The running sandbox: one state, one writer, the journal, the watches and the stand-in controllers.
actor Machine {
    private var state: ClusterState
    private var journal: JournalBox?
    private var watches: [Int: (filter: WatchFilter, queue: AsyncStream<WatchItem>.Continuation)] = [:]
    private var nextWatch = 0
    private var faults: [SandboxFault] = []
    private let timeScale: Double
    private var sleeper: CheckedContinuation<Void, Never>?
    private var alarm: Task<Void, Never>?
    private var isStopped = false
    /// Why nothing more is written: the file could not be.
    private var storageFailure: Failure?
    private(set) var handled = 0
    /// The UID of `kube-system`.
    nonisolated let clusterUID: String

    /// A watch with more than this many events unread is ended; the client lists again.
    static let watchBuffer = 4096
    /// More watches than this are refused with 429.
    static let maximumWatches = 1024

    /// Holds the journal, which has one owner, in the actor.
    private final class JournalBox {
        var journal: Journal
        init(_ journal: consuming Journal) { self.journal = journal }
    }

    init(options: SandboxOptions) throws(Failure) {
        var state = ClusterState(seed: options.seed ?? UInt64.random(in: .min ... .max))
        if let file = options.file { journal = JournalBox(try Journal(path: file, into: &state)) }
        timeScale = options.timeScale
        let clock = ControllerClock(now: .current, scale: options.timeScale)
        state.bootstrap(clock)
        let changes = state.takeChanges()
        try journal?.journal.append(changes, state)
        self.state = state
        clusterUID = state.object(ClusterState.namespaceKey("kube-system"))?.uid ?? ""
    }

    // MARK: requests

    func respond(_ request: APIRequest) -> APIResponse {
        handled += 1
        if request.method != "GET", let storageFailure {
            return APIResponse(.internal("the sandbox can no longer write its file: " + storageFailure.message))
        }
        do throws(StatusError) {
            let response = try state.respond(request, now: .current)
            try settle()
            return response
        } catch {
            // A refused request may have written something before: a collection deleted halfway.
            try? settle()
            return APIResponse(error)
        }
    }

    /// Makes what was written durable, tells the watches and wakes the controllers.
    private func settle() throws(StatusError) {
        let changes = state.takeChanges()
        guard !changes.isEmpty else { return }
        if let journal {
            do throws(Failure) {
                try journal.journal.append(changes, state)
            } catch {
                storageFailure = error
                throw .internal("the sandbox cannot write its file: " + error.message)
            }
        }
        for change in changes {
            for (id, watch) in watches {
                guard let item = watch.filter.item(for: change) else { continue }
                if case .dropped = watch.queue.yield(item) { endWatch(id) }
            }
        }
        wake()
    }

    // MARK: watches

    func watch(_ request: APIRequest, _ target: APIRequest.Target) throws(StatusError) -> WatchSession {
        handled += 1
        guard let negotiation = Negotiation(accept: request.accept, includeObject: request.query["includeObject"])
        else {
            throw .notAcceptable
        }
        guard watches.count < Self.maximumWatches else {
            var error = StatusError(429, "TooManyRequests", "too many watches")
            error.retryAfterSeconds = 1
            throw error
        }
        let filter = try WatchFilter(request, target)
        let first = try state.beginning(of: request, filter)
        let (stream, queue) = AsyncStream.makeStream(
            of: WatchItem.self, bufferingPolicy: .bufferingOldest(Self.watchBuffer))
        nextWatch += 1
        let seconds = min(max(request.query["timeoutSeconds"].flatMap { Int64($0) } ?? 1800, 1), 3600)
        if isStopped { queue.finish() } else { watches[nextWatch] = (filter, queue) }
        return WatchSession(
            id: nextWatch, presentation: Presentation(kind: target.kind, form: negotiation.form, now: .current),
            first: first, following: stream, sendsBookmarks: request.isTrue("allowWatchBookmarks"), seconds: seconds)
    }

    func target(of request: APIRequest) -> APIRequest.Target? { request.target(state.registry) }

    func bookmark(_ id: Int) {
        guard let watch = watches[id] else { return }
        if case .dropped = watch.queue.yield(.bookmark(version: state.version, endsInitialEvents: false)) {
            endWatch(id)
        }
    }

    func endWatch(_ id: Int) {
        watches.removeValue(forKey: id)?.queue.finish()
    }

    /// Ends every watch and lets no new one begin.
    func stop() {
        isStopped = true
        for id in watches.keys { endWatch(id) }
        wake()
    }

    // MARK: controllers

    /// Runs the stand-in controllers until cancelled. Asleep when there is nothing to do and no timer.
    func runControllers() async {
        while !Task.isCancelled, !isStopped {
            let clock = ControllerClock(now: .current, scale: timeScale)
            let hasMore = state.runControllers(clock)
            try? settle()
            if hasMore || !state.work.isEmpty {
                // Requests come between two rounds.
                await Task.yield()
            } else {
                await sleep(until: state.work.nextDue)
            }
        }
    }

    private func sleep(until due: Int64?) async {
        if let due {
            let milliseconds = max(1, due - Timestamp.current.milliseconds)
            alarm = Task {
                try? await Task.sleep(for: .milliseconds(milliseconds))
                if !Task.isCancelled { self.wake() }
            }
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                if Task.isCancelled || isStopped { continuation.resume() } else { sleeper = continuation }
            }
        } onCancel: {
            Task { await self.wake() }
        }
        alarm?.cancel()
        alarm = nil
    }

    private func wake() {
        sleeper?.resume()
        sleeper = nil
    }

    // MARK: tests

    func setFault(_ fault: SandboxFault) { faults.append(fault) }

    func clearFaults() { faults = [] }

    /// The fault for a request, if one applies.
    func fault(_ method: String, _ path: String) -> SandboxFault? {
        guard let index = faults.firstIndex(where: { $0.count > 0 && $0.matches(method, path) }) else { return nil }
        faults[index].count -= 1
        let fault = faults[index]
        if fault.count <= 0 { faults.remove(at: index) }
        return fault
    }

    func object(group: String, kind: String, namespace: String, name: String) -> JSON? {
        guard let kind = state.registry.kind(group: group, kind: kind) else { return nil }
        return state.object(
            ObjectKey(resource: kind.resource, namespace: kind.isNamespaced ? namespace : "", name: name))
    }

    var objectCount: Int { state.count }
    var resourceVersion: Int64 { state.version }
    var watchCount: Int { watches.count }

    func forgetHistory() { state.forgetChanges() }
}

extension Timestamp {
    /// The system's clock.
    static var current: Timestamp {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
    }
}
