import Shiplog
import Synchronization

/// How long this process may write to a cluster. Every write goes through `during`.
final class LeaseHold: Sendable {
    enum State: Sendable, Hashable {
        case none
        /// Monotonic milliseconds.
        case held(until: Int64)
        /// The cluster has no leases for us: nothing keeps another writer off.
        case waived(Failure, since: Timestamp, againAt: Int64)
    }

    private let state = Mutex(State.none)

    var current: State { state.withLock(\.self) }
    func set(_ new: State) { state.withLock { $0 = new } }

    /// Monotonic milliseconds; 0 when it is not held.
    var end: Int64 { if case .held(let until) = current { until } else { 0 } }

    func isValid(at now: Int64 = Monotonic.milliseconds) -> Bool {
        switch current {
        case .none: false
        case .held(let until): now < until
        case .waived: true
        }
    }

    /// - Throws: `cluster.lease-lost`.
    func check() throws(Failure) {
        guard isValid() else {
            throw Failure(
                "cluster.lease-lost",
                "the lease on the cluster could not be renewed in time, or another has it; nothing more is written",
                remedy: "another writer may have taken over: check that one server alone works on this ledger",
                next: .retry(afterMilliseconds: 5000))
        }
    }

    /// Carries out one write, and cancels it if the lease ends first: a client tries again for longer than a lease may
    /// have left, and a try that gets through after its end would overwrite what another has written since.
    /// - Throws: `cluster.lease-lost`; what the write throws.
    func during<Value: Sendable>(
        _ write: @escaping @Sendable () async throws(Failure) -> Value
    ) async throws(Failure) -> Value {
        try check()
        let (result, hasEnded) = await withTaskGroup(of: Result<Value, Failure>?.self) { group in
            group.addTask {
                do throws(Failure) { return .success(try await write()) } catch { return .failure(error) }
            }
            group.addTask {
                while self.isValid(), !Task.isCancelled {
                    // It may be lost, or renewed, at any time.
                    let left = self.end - Monotonic.milliseconds
                    try? await Task.sleep(for: .milliseconds(left > 0 ? min(left, 100) : 100))
                }
                return nil
            }
            let first = await group.next() ?? nil
            group.cancelAll()
            let second = await group.next() ?? nil
            return (first ?? second, first == nil)
        }
        guard let result else { throw Failure("cluster.cancelled", "the write was cancelled", next: .superseded) }
        if hasEnded, case .failure = result { try check() }
        return try result.get()
    }
}
