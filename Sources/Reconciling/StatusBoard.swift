import Shiplog

/// What is known of every application right now, and who wants to hear of changes.
actor StatusBoard {
    private var statuses: [ApplicationUID: ApplicationStatus] = [:]
    private var uids: [String: ApplicationUID] = [:]
    private var operations: [String: Operation] = [:]
    private var operationOrder: [String] = []
    private var operationWaiters: [String: [CheckedContinuation<Void, Never>]] = [:]
    private var listeners: [Int: AsyncStream<String>.Continuation] = [:]
    private var nextListener = 0

    static let operationsKept = 1000
    static let listenersAllowed = 1000

    func set(_ status: ApplicationStatus) {
        let uid = status.registered.uid
        guard statuses[uid] != status else { return }
        statuses[uid] = status
        uids[status.registered.name] = uid
        announce(status.registered.name)
    }

    func remove(_ uid: ApplicationUID) {
        guard let status = statuses.removeValue(forKey: uid) else { return }
        if uids[status.registered.name] == uid { uids[status.registered.name] = nil }
        announce(status.registered.name)
    }

    func status(_ uid: ApplicationUID) -> ApplicationStatus? { statuses[uid] }
    func status(named name: String) -> ApplicationStatus? { uids[name].flatMap { statuses[$0] } }
    var all: [ApplicationStatus] { statuses.values.sorted { $0.registered.name < $1.registered.name } }

    func setActivity(_ activity: ApplicationStatus.Activity, of uid: ApplicationUID) {
        guard var status = statuses[uid], status.activity != activity else { return }
        status.activity = activity
        set(status)
    }

    /// - Parameters:
    ///   - progress: how far a long step has come; nil when it has ended.
    ///   - activity: the step, where nothing else is said to go on.
    func setProgress(_ progress: String?, _ activity: ApplicationStatus.Activity? = nil, of uid: ApplicationUID) {
        guard var status = statuses[uid] else { return }
        if let activity, status.activity == .idle || status.activity == .queued { status.activity = activity }
        // Whoever waited for a fetch is looked at next.
        if progress == nil, status.activity == .fetching { status.activity = .queued }
        status.progress = progress
        set(status)
    }

    /// Names of applications whose status changed. A listener that is slow misses some: it gets the newest 256.
    func changes() -> AsyncStream<String> {
        let (stream, continuation) = AsyncStream.makeStream(of: String.self, bufferingPolicy: .bufferingNewest(256))
        guard listeners.count < Self.listenersAllowed else {
            continuation.finish()
            return stream
        }
        nextListener += 1
        let id = nextListener
        listeners[id] = continuation
        continuation.onTermination = { [weak self] _ in
            Task { await self?.stopListening(id) }
        }
        return stream
    }

    private func stopListening(_ id: Int) { listeners[id] = nil }

    private func announce(_ name: String) {
        for listener in listeners.values { listener.yield(name) }
    }

    func close() {
        for listener in listeners.values { listener.finish() }
        listeners = [:]
        for waiters in operationWaiters.values { for waiter in waiters { waiter.resume() } }
        operationWaiters = [:]
    }

    // MARK: - Operations

    func set(_ operation: Operation) {
        if operations.updateValue(operation, forKey: operation.id) == nil {
            operationOrder.append(operation.id)
            if operationOrder.count > Self.operationsKept { operations[operationOrder.removeFirst()] = nil }
        }
        if operation.isFinished, let waiters = operationWaiters.removeValue(forKey: operation.id) {
            for waiter in waiters { waiter.resume() }
        }
    }

    func operation(_ id: String) -> Operation? { operations[id] }

    /// Waits until the operation has ended, at most so long.
    func operation(_ id: String, waitingMilliseconds limit: Int64) async -> Operation? {
        guard let operation = operations[id], !operation.isFinished, limit > 0 else { return operations[id] }
        let timer = Task {
            try? await Task.sleep(for: .milliseconds(limit))
            self.wake(id)
        }
        await withCheckedContinuation { operationWaiters[id, default: []].append($0) }
        timer.cancel()
        return operations[id]
    }

    private func wake(_ id: String) {
        for waiter in operationWaiters.removeValue(forKey: id) ?? [] { waiter.resume() }
    }
}

extension Operation {
    var isFinished: Bool {
        switch state {
        case .finished, .refused: true
        case .queued, .running: false
        }
    }
}
