import Manifests
import Shiplog

/// What the loop remembers of an application between two looks. All of it can be lost: a restart begins without it.
struct Memory: Sendable {
    /// What the newest row that says something said: a reconcile that would repeat it says only "same as".
    struct LastRow: Sendable {
        let sequence: SequenceNumber
        let facts: Facts
    }

    /// What makes one reconcile worth telling apart from the one before.
    struct Facts: Sendable, Hashable {
        var commit: CommitID?
        var desired: Digest?
        var liveBefore: Digest?
        var cluster: String?
        var sync: SyncStatus
        var health: HealthStatus
        var failure: Failure.Code?
        var pinned: SequenceNumber?
        var changedBy: SequenceNumber
    }

    /// Where the target revision stood when it was last looked at under a pin, which enforces something else.
    var unseen: Commit?
    var rendered: (inputs: SourceInputs, result: Rendered)?
    var desired: (key: DesiredKey, value: Desired)?
    var comparison: (key: ComparisonKey, value: Comparison)?
    var cache = Comparer.Cache()
    var lastRow: LastRow?
    var deployed: ApplicationStatus.Deployed?
    var trials = AutomationPolicy.Trials()
    /// The change of the application that the tries were made under.
    var trialsUnder: SequenceNumber?
    /// Inputs that rendered to something a pin rejects; at most a hundred.
    var rejectedInputs: Set<String> = []
    /// The inputs of what an automatic rollback is about to take back.
    var judgedInputs: String?
    /// The revision whose health is still awaited, since when (monotonic), and what was told of it already.
    var awaiting: (revision: SequenceNumber, since: ContinuousClock.Instant, told: HealthStatus?)?
    /// Whether the ledger has been asked for what is above.
    var isLoaded = false

    struct DesiredKey: Sendable, Hashable {
        let inputs: String
        let commit: CommitID?
        let changedBy: SequenceNumber
        let pinned: Digest?
    }

    struct ComparisonKey: Sendable, Hashable {
        let desired: DesiredKey
        let mirrorVersion: Int
        let policy: PlanPolicy
    }

    /// Forgets what a hard refresh wants worked out anew.
    mutating func forget() {
        rendered = nil
        desired = nil
        comparison = nil
        cache = Comparer.Cache()
        rejectedInputs = []
    }
}
