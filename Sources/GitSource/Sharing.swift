import Shiplog
import Synchronization

/// Lets many callers share one piece of work that must not overlap with itself: who comes while it runs shares the next
/// run, never the one under way, whose answer may already be out of date.
///
/// The work belongs to no caller: one that is cancelled leaves at once and the rest get their answer. Only when all have
/// left is the run asked to stop.
final class Sharing<Value: Sendable>: Sendable {
    typealias Answer = Result<Value, Failure>

    private struct State {
        var nextTicket: UInt64 = 0
        /// Cancelled before they had joined.
        var gone: Set<UInt64> = []
        var isRunning = false
        var current: [UInt64: CheckedContinuation<Answer, Never>] = [:]
        var following: [UInt64: CheckedContinuation<Answer, Never>] = [:]
    }

    private let state = Mutex(State())
    private let stop = Atomic<Bool>(false)
    private let limit: Int
    private let cancelled: Failure

    /// - Parameter limit: callers that may wait at once; more are refused with `git.busy`.
    init(limit: Int = 10_000, cancelled: Failure) {
        self.limit = limit
        self.cancelled = cancelled
    }

    /// True when nobody waits for the run under way.
    var shouldStop: Bool { stop.load(ordering: .relaxed) }

    /// Callers that wait now, for the run under way or the next.
    var waiting: Int { state.withLock { $0.current.count + $0.following.count } }

    /// Joins the next run; `start` is called when none is under way, and must see to it that `run` is called.
    func join(start: @Sendable () -> Void) async throws(Failure) -> Value {
        let ticket = state.withLock { state in
            state.nextTicket += 1
            return state.nextTicket
        }
        let answer = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                if enter(ticket, continuation) { start() }
            }
        } onCancel: {
            leave(ticket)
        }
        state.withLock { _ = $0.gone.remove(ticket) }
        return try answer.get()
    }

    private func enter(_ ticket: UInt64, _ continuation: CheckedContinuation<Answer, Never>) -> Bool {
        let refusal: Failure?
        let starts: Bool
        (refusal, starts) = state.withLock { state in
            if state.gone.remove(ticket) != nil { return (cancelled, false) }
            guard state.current.count + state.following.count < limit else {
                return (
                    Failure(
                        "git.busy", "Too many callers wait for one repository", next: .retry(afterMilliseconds: nil)),
                    false
                )
            }
            state.following[ticket] = continuation
            guard !state.isRunning else { return (nil, false) }
            state.isRunning = true
            return (nil, true)
        }
        if let refusal { continuation.resume(returning: .failure(refusal)) }
        return starts
    }

    private func leave(_ ticket: UInt64) {
        let continuation = state.withLock { state in
            if let waiting = state.following.removeValue(forKey: ticket) { return Optional(waiting) }
            guard let waiting = state.current.removeValue(forKey: ticket) else {
                state.gone.insert(ticket)
                return nil
            }
            if state.current.isEmpty { stop.store(true, ordering: .relaxed) }
            return waiting
        }
        continuation?.resume(returning: .failure(cancelled))
    }

    /// Does one run for those who wait.
    ///
    /// - Parameters:
    ///   - work: what they share; not called when all have left meanwhile.
    ///   - afterwards: what follows before the next run may begin, once they have their answer.
    /// - Returns: whether another run must be started: somebody came meanwhile.
    func run(_ work: () -> Answer, afterwards: () -> Void) -> Bool {
        let isWanted = state.withLock { state in
            state.current = state.following
            state.following = [:]
            stop.store(false, ordering: .relaxed)
            return !state.current.isEmpty
        }
        if isWanted {
            let answer = work()
            let waiting = state.withLock { state in
                defer { state.current = [:] }
                return Array(state.current.values)
            }
            for continuation in waiting { continuation.resume(returning: answer) }
            afterwards()
        }
        return state.withLock { state in
            state.isRunning = !state.following.isEmpty
            return state.isRunning
        }
    }
}
