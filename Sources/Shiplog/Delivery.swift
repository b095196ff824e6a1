/// What the ledger knows of one application that says how it is delivered: in order of the sequence.
public struct DeliveryRow: Sendable, Hashable {
    /// A sync or rollback that ended an attempt.
    public struct Attempt: Sendable, Hashable {
        public var kind: Revision.Kind
        public var cause: Cause
        /// `succeeded`, `failed`, `superseded`; a success in which a resource failed is none.
        public var outcome: String
        public var project: String
        /// The digest of the manifests.
        public var desired: String?
        public var commit: String?
        public var committedAt: Timestamp?
        public var finishedAt: Timestamp
        public var isDryRun: Bool

        public init(
            kind: Revision.Kind, cause: Cause, outcome: String, project: String, desired: String?, commit: String?,
            committedAt: Timestamp?, finishedAt: Timestamp, isDryRun: Bool = false
        ) {
            self.kind = kind
            self.cause = cause
            self.outcome = outcome
            self.project = project
            self.desired = desired
            self.commit = commit
            self.committedAt = committedAt
            self.finishedAt = finishedAt
            self.isDryRun = isDryRun
        }
    }

    public var sequence: SequenceNumber
    public var recordedAt: Timestamp
    /// nil for a reconcile or a `health.reached` event, which only tell of health.
    public var attempt: Attempt?
    public var health: HealthStatus

    public init(sequence: SequenceNumber, recordedAt: Timestamp, attempt: Attempt? = nil, health: HealthStatus) {
        self.sequence = sequence
        self.recordedAt = recordedAt
        self.attempt = attempt
        self.health = health
    }
}

/// One change that was brought to a cluster: the attempts in a row that applied the same manifests.
public struct Deployment: Sendable, Hashable {
    /// A moment, and the row that says so.
    public struct Moment: Sendable, Hashable {
        public let sequence: SequenceNumber
        public let at: Timestamp

        public init(sequence: SequenceNumber, at: Timestamp) {
            self.sequence = sequence
            self.at = at
        }
    }

    public enum Trouble: String, Sendable, Hashable, CaseIterable {
        /// No attempt of it succeeded.
        case failed
        /// Degraded was recorded before it was healthy, or within a day of its end.
        case degraded
        /// The next change was a rollback.
        case rolledBack = "rolled-back"
    }

    public let project: String
    public let kind: Revision.Kind
    public let commit: String?
    /// Its attempts: the first one's place in time is the deployment's.
    public let attempts: [SequenceNumber]
    public let succeeded: Moment?
    public let healthy: Moment?
    public let trouble: [Trouble]
    /// Since when it was in trouble.
    public let broken: Moment?
    /// When the application was healthy again.
    public let restored: Moment?
    /// From the commit's time to `healthy`, in milliseconds; nil when the commit was deployed before, or lies in the future.
    public let leadTime: Int64?

    public var first: SequenceNumber? { attempts.first }
}

/// What was looked at and not counted.
public struct DeliveryExclusions: Sendable, Hashable {
    public var dryRuns = 0
    /// The controller put back what somebody had changed in the cluster.
    public var selfHeals = 0
    /// Something newer ended the attempt.
    public var superseded = 0
    /// The same manifests were applied again: a retry, or a sync that brought nothing new.
    public var repeated = 0
    /// No commit stands behind it: the deletion of an application's objects.
    public var withoutCommit = 0

    public init() {}

    public static func += (left: inout DeliveryExclusions, right: DeliveryExclusions) {
        left.dryRuns += right.dryRuns
        left.selfHeals += right.selfHeals
        left.superseded += right.superseded
        left.repeated += right.repeated
        left.withoutCommit += right.withoutCommit
    }
}

/// The four measures of DORA (https://dora.dev/guides/dora-metrics/), each with the sequences it was computed from.
public struct DeliveryFigures: Sendable, Hashable {
    /// How long several things took: the middle one (the mean of the two middle ones), and the one that nine of ten stay
    /// within (nearest rank). Milliseconds.
    public struct Spread: Sendable, Hashable {
        public let median: Int64
        public let ninetieth: Int64

        /// nil for no values.
        public init?(_ values: [Int64]) {
            let sorted = values.sorted()
            guard let last = sorted.last else { return nil }
            let middle = sorted.count / 2
            let below = sorted[sorted.count % 2 == 1 ? middle : middle - 1]
            median = below + (sorted[middle] - below) / 2
            let rank = (sorted.count * 9 + 9) / 10
            ninetieth = sorted.indices.contains(rank - 1) ? sorted[rank - 1] : last
        }
    }

    /// Successful changes that are no rollbacks.
    public let deployed: [Deployment]
    /// Changes that are no rollbacks, failed ones included: what the change fail rate is a part of.
    public let changes: [Deployment]
    /// Those of `changes` that were in trouble.
    public let failed: [Deployment]
    public let rollbacks: [Deployment]
    public let days: Double

    public init(_ deployments: [Deployment], from: Timestamp, to: Timestamp) {
        changes = deployments.filter { $0.kind != .rollback }
        rollbacks = deployments.filter { $0.kind == .rollback }
        deployed = changes.filter { $0.succeeded != nil }
        failed = changes.filter { !$0.trouble.isEmpty }
        days = Double(max(0, to.milliseconds - from.milliseconds)) / 86_400_000
    }

    /// nil for a window without length.
    public var deploymentsPerDay: Double? { days > 0 ? Double(deployed.count) / days : nil }
    public var measured: [Deployment] { changes.filter { $0.leadTime != nil } }
    public var leadTime: Spread? { Spread(measured.compactMap(\.leadTime)) }
    /// 0…1; nil when nothing was deployed.
    public var changeFailRate: Double? { changes.isEmpty ? nil : Double(failed.count) / Double(changes.count) }
    public var restored: [Deployment] { failed.filter { $0.restored != nil } }
    /// In trouble to this day.
    public var open: [Deployment] { failed.filter { $0.restored == nil } }
    public var timeToRestore: Spread? {
        Spread(
            restored.compactMap { deployment in
                guard let end = deployment.restored, let start = deployment.broken else { return nil }
                return max(0, end.at.milliseconds - start.at.milliseconds)
            })
    }
}
