import Shiplog

/// Which applications want attention, each at most once, and why.
///
/// Bounded by the number of applications: a second reason for a waiting application joins the first. An application is
/// never handed to two workers; what arrives while it is worked on waits for that worker to finish.
actor WorkQueue {
    /// Why an application is looked at; several reasons become one look.
    struct Reasons: Sendable {
        var causes: Set<Cause> = []
        var operations: [Operation] = []
        /// Drop what is remembered of it and look at everything anew.
        var hard = false
        /// Who sent the webhook.
        var hintedBy: Actor?

        mutating func join(_ other: Reasons) {
            causes.formUnion(other.causes)
            operations += other.operations
            hard = hard || other.hard
            hintedBy = other.hintedBy ?? hintedBy
        }

        var isOperation: Bool { !operations.isEmpty }
    }

    struct Item: Sendable {
        let uid: ApplicationUID
        let reasons: Reasons
    }

    /// Operations that may wait for one application; a person who asks more is refused.
    static let operationLimit = 16

    private var waiting: [ApplicationUID: Reasons] = [:]
    // First come, first served; those with something that a person asked for go before the others. An application that
    // was given something to do while it waited stands in both: what it waits for is in `waiting`, and only once.
    private var ordinary = Line()
    private var urgent = Line()
    private var running: Set<ApplicationUID> = []
    private var idle: [(id: Int, operationsOnly: Bool, continuation: CheckedContinuation<Item?, Never>)] = []
    private var nextID = 0
    private var timers: [ApplicationUID: (Task<Void, Never>, ContinuousClock.Instant)] = [:]
    private var closed = false

    /// How many applications wait.
    var depth: Int { waiting.count }

    /// Whether the application waits or is worked on.
    func isBusy(_ uid: ApplicationUID) -> Bool { running.contains(uid) || waiting[uid] != nil }

    /// - Returns: false when too many operations wait for that application already.
    @discardableResult
    func put(_ uid: ApplicationUID, _ reasons: Reasons) -> Bool {
        if closed { return false }
        var joined = waiting[uid] ?? Reasons()
        if reasons.isOperation, joined.operations.count >= Self.operationLimit { return false }
        if waiting[uid] == nil { ordinary.append(uid) }
        if reasons.isOperation, !joined.isOperation { urgent.append(uid) }
        joined.join(reasons)
        waiting[uid] = joined
        dispatch()
        return true
    }

    /// Puts it in after a while; of several such wishes for one application the earliest counts.
    func put(_ uid: ApplicationUID, _ reasons: Reasons, afterMilliseconds delay: Int64) {
        guard !closed else { return }
        let due = ContinuousClock.now + .milliseconds(delay)
        if let (task, earlier) = timers[uid] {
            if earlier <= due { return }
            task.cancel()
        }
        timers[uid] = (
            Task {
                try? await Task.sleep(until: due, clock: .continuous)
                if !Task.isCancelled { self.fire(uid, reasons) }
            }, due
        )
    }

    private func fire(_ uid: ApplicationUID, _ reasons: Reasons) {
        timers[uid] = nil
        put(uid, reasons)
    }

    /// Waits for the next application; nil when the queue is closed or the task cancelled.
    /// - Parameter operationsOnly: only what a person asked for.
    func next(operationsOnly: Bool) async -> Item? {
        if closed || Task.isCancelled { return nil }
        if let item = take(operationsOnly: operationsOnly) { return item }
        nextID += 1
        let id = nextID
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                if closed || Task.isCancelled {
                    continuation.resume(returning: nil)
                } else {
                    idle.append((id, operationsOnly, continuation))
                }
            }
        } onCancel: {
            Task { await self.abandon(id) }
        }
    }

    func finished(_ uid: ApplicationUID) {
        running.remove(uid)
        dispatch()
    }

    /// Forgets an application that was deleted.
    func forget(_ uid: ApplicationUID) {
        waiting[uid] = nil
        timers.removeValue(forKey: uid)?.0.cancel()
    }

    /// Hands out nothing more.
    /// - Returns: the operations that were never begun.
    @discardableResult
    func close() -> [Operation] {
        closed = true
        let left = waiting.values.flatMap(\.operations).sorted { $0.requestedAt < $1.requestedAt }
        waiting = [:]
        (ordinary, urgent) = (Line(), Line())
        for (task, _) in timers.values { task.cancel() }
        timers = [:]
        for waiter in idle { waiter.continuation.resume(returning: nil) }
        idle = []
        return left
    }

    private func abandon(_ id: Int) {
        guard let index = idle.firstIndex(where: { $0.id == id }) else { return }
        idle.remove(at: index).continuation.resume(returning: nil)
    }

    private func take(operationsOnly: Bool) -> Item? {
        guard let uid = urgent.first({ place(of: $0) }) ?? (operationsOnly ? nil : ordinary.first { place(of: $0) }),
            let reasons = waiting.removeValue(forKey: uid)
        else { return nil }
        running.insert(uid)
        return Item(uid: uid, reasons: reasons)
    }

    private func place(of uid: ApplicationUID) -> Line.Place {
        waiting[uid] == nil ? .gone : running.contains(uid) ? .busy : .free
    }

    private func dispatch() {
        var index = 0
        while index < idle.count {
            if let item = take(operationsOnly: idle[index].operationsOnly) {
                idle.remove(at: index).continuation.resume(returning: item)
            } else {
                index += 1
            }
        }
    }
}

/// Who waits, in order. What is taken from the front costs nothing; those who are worked on are passed over.
private struct Line {
    enum Place { case free, busy, gone }

    private var members: [ApplicationUID?] = []
    private var start = 0

    mutating func append(_ uid: ApplicationUID) { members.append(uid) }

    /// Takes out the first that is free, and whoever does not wait any more.
    mutating func first(_ place: (ApplicationUID) -> Place) -> ApplicationUID? {
        var index = start
        while index < members.count {
            defer { index += 1 }
            guard let uid = members[index] else {
                if index == start { start += 1 }
                continue
            }
            switch place(uid) {
            case .busy: continue
            case .gone: members[index] = nil
            case .free:
                members[index] = nil
                trim()
                return uid
            }
        }
        trim()
        return nil
    }

    private mutating func trim() {
        while start < members.count, members[start] == nil { start += 1 }
        guard start > 1024, start * 2 > members.count else { return }
        members.removeFirst(start)
        start = 0
    }
}
