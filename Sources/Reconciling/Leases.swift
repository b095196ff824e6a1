import Logging
import Shiplog

/// The leases of all clusters that were written to.
actor Leases {
    private let identity: LeaseIdentity
    private let duration: Int64
    private let log: LeaseLog
    private let now: @Sendable () -> Timestamp
    private let logger: Logger
    private var leases: [String: ClusterLease] = [:]

    /// Milliseconds within which a cluster hears of new entries: as often as client-go renews.
    private static let lengthIsNoted: Int64 = 2000

    init(
        _ identity: LeaseIdentity, duration: Int64, log: LeaseLog,
        now: @escaping @Sendable () -> Timestamp, logger: Logger
    ) {
        self.identity = identity
        self.duration = duration
        self.log = log
        self.now = now
        self.logger = logger
    }

    /// Makes sure that this process may write to the cluster, and gives what tells so from then on.
    func ensure(_ cluster: any Cluster) async throws(Failure) -> LeaseHold {
        // A Lease is Shiplog's own, and no project's.
        let lease = lease(of: (cluster as? GuardedCluster)?.base ?? cluster)
        try await lease.ensure()
        return lease.hold
    }

    /// Why nothing keeps another writer from the cluster, if it is so.
    func waiver(of cluster: any Cluster) -> (failure: Failure, since: Timestamp)? {
        guard case .waived(let failure, let since, _) = leases[cluster.name]?.hold.current else { return nil }
        return (failure, since)
    }

    /// Renews what is held, at a third of its time, and sooner when the log has grown, until cancelled. A cluster that does
    /// not answer keeps no other's lease from being renewed.
    func run() async {
        await withDiscardingTaskGroup { group in
            while !Task.isCancelled {
                let pause = min(max(300, duration / 3), Self.lengthIsNoted)
                do { try await Task.sleep(for: .milliseconds(pause)) } catch { return }
                for lease in leases.values { group.addTask { await lease.keep() } }
            }
        }
    }

    /// Once nothing is written any more.
    func release() async {
        let all = Array(leases.values)
        await withTaskGroup(of: Void.self) { group in
            for lease in all { group.addTask { await lease.release() } }
        }
    }

    private func lease(of cluster: any Cluster) -> ClusterLease {
        if let lease = leases[cluster.name] { return lease }
        let lease = ClusterLease(cluster, identity, duration: duration, log: log, now: now, logger: logger)
        leases[cluster.name] = lease
        return lease
    }
}
