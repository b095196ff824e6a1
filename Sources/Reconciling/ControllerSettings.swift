public import Shiplog

/// How the loop is paced and bounded. All durations are in milliseconds.
public struct ControllerSettings: Sendable {
    /// Between two looks at a repository; 0 turns polling off.
    public var pollInterval: Int64 = 180_000
    /// Added to each interval at random, so that many repositories do not come at once.
    public var pollJitter: Int64 = 60_000
    /// Applications worked on at the same time.
    public var workers = 8
    /// Workers kept free for what a person asked for.
    public var operationWorkers = 2
    /// Objects of one wave and kind written at the same time.
    public var parallelWrites = 16
    /// Between a wave and the next, so that controllers see what was written before its health is asked for.
    public var waveDelay: Int64 = 2000
    /// How long a wave waits for health, and a hook for its end, before the attempt fails.
    public var gateTimeout: Int64 = 3_600_000
    /// Syncs that wait for the cluster without taking a worker's place, at most.
    public var waitingWorkers = 64
    /// Self-heal waits 0, then this, then this × 3, … at most `selfHealMaximum`.
    public var selfHealInitial: Int64 = 2000
    public var selfHealMaximum: Int64 = 300_000
    /// So many self-heals of the same object by the same contestant within `contestWindow`, and self-heal stops.
    public var contestLimit = 5
    public var contestWindow: Int64 = 600_000
    /// Field managers whose fields are taken over before the first apply to an object.
    public var handoverManagers: [String] = ["argocd-controller", "kubectl-client-side-apply", "kubectl"]
    /// How long changes in the cluster are gathered before the application is looked at again.
    public var watchSettle: Int64 = 100
    /// How long a graceful stop may take.
    public var shutdownGrace: Int64 = 20_000
    /// The namespace of the Lease that keeps a second server with the same ledger off a cluster.
    public var leaseNamespace = "default"
    /// Another server may take over when the lease was not renewed for so long; at least a second.
    public var leaseDuration: Int64 = 60_000
    /// Differences that count for no application.
    public var ignored = IgnoredDifferences.none
    /// How well objects are, where the configuration says it.
    public var health = HealthRules.none
    /// Which life of the ledger this is; a server of an earlier one writes nowhere a later one has written.
    public var epoch: Int64 = 1

    public init() {}

    /// The server's rules and the application's own.
    func ignored(for application: RegisteredApplication) -> IgnoredDifferences {
        ignored + application.application.ignoredDifferences
    }
}
