public import Shiplog

/// What the controller knows of an application right now; everything in it can be worked out again after a restart.
public struct ApplicationStatus: Sendable, Hashable {
    public let registered: RegisteredApplication
    public var sync: SyncStatus
    public var health: HealthStatus
    public var healthMessage: String?
    /// The commit the target revision stands at, as of the last look.
    public var targetCommit: Commit?
    /// The last revision that says what is deployed: the newest successful sync or rollback.
    public var deployed: Deployed?
    /// The newest revision of any kind and outcome.
    public var lastRevision: SequenceNumber?
    public var lastOutcome: String?
    /// What is going on: waiting, fetching, comparing, applying.
    public var activity: Activity
    /// How far a step has come that takes longer than a second: Git's own words of a fetch, or kinds listed.
    public var progress: String?
    /// What stands in the way; empty when nothing does.
    public var conditions: [Condition]
    public var resources: [ResourceStatus]
    /// When it was last compared.
    public var comparedAt: Timestamp?

    public init(registered: RegisteredApplication) {
        self.registered = registered
        sync = .unknown
        health = .unknown
        activity = .idle
        conditions = []
        resources = []
    }

    public struct Deployed: Sendable, Hashable {
        public let sequence: SequenceNumber
        public let kind: Revision.Kind
        public let commit: CommitID?
        public let subject: String?
        public let desired: Digest?
        public let actor: String
        public let cause: Cause
        public let finishedAt: Timestamp

        public init(
            sequence: SequenceNumber, kind: Revision.Kind, commit: CommitID?, subject: String?, desired: Digest?,
            actor: String, cause: Cause, finishedAt: Timestamp
        ) {
            self.sequence = sequence
            self.kind = kind
            self.commit = commit
            self.subject = subject
            self.desired = desired
            self.actor = actor
            self.cause = cause
            self.finishedAt = finishedAt
        }
    }

    public enum Activity: String, Sendable, Hashable {
        case idle, queued, fetching, rendering, comparing, applying
    }

    public struct Condition: Sendable, Hashable {
        public let code: Failure.Code
        public let message: String
        public let remedy: String?
        public let since: Timestamp

        public init(_ failure: Failure, since: Timestamp) {
            code = failure.code
            message = failure.message
            remedy = failure.remedy
            self.since = since
        }
    }
}

/// One object of an application, compared.
public struct ResourceStatus: Sendable, Hashable {
    public let key: ResourceKey
    public let apiVersion: String
    public let sync: SyncStatus
    /// nil for kinds without a health check.
    public let health: HealthStatus?
    public let message: String?
    /// Ours, in the cluster, and no longer desired.
    public let requiresPruning: Bool

    public init(
        key: ResourceKey, apiVersion: String, sync: SyncStatus, health: HealthStatus?, message: String?,
        requiresPruning: Bool
    ) {
        self.key = key
        self.apiVersion = apiVersion
        self.sync = sync
        self.health = health
        self.message = message
        self.requiresPruning = requiresPruning
    }
}
