/// A finished reconcile, sync or rollback, failed ones included: one row of the ledger, written once.
public struct Revision: Sendable, Hashable {
    public enum Kind: String, Sendable, Hashable, CaseIterable {
        case reconcile, sync, rollback
    }

    public var kind: Kind
    public var application: ApplicationReference
    /// nil when the destination could not be resolved.
    public var cluster: ClusterReference?
    public var cause: Cause
    public var actor: Actor
    /// Why, in the words of whoever asked.
    public var reason: String?
    /// A change ticket's id.
    public var ticket: String?
    /// nil when nothing was read from a repository.
    public var source: RevisionSource?
    /// The digest of the desired manifests, Secrets' values as keyed digests.
    public var desired: Digest?
    /// The digest of the live state of those resources before anything was done.
    public var liveBefore: Digest?
    /// What happened to each resource that was looked at and is not simply as it should be; bounded by the manifests.
    public var resources: [ResourceOutcome]
    public var counts: Counts
    public var options: OperationOptions
    public var outcome: Outcome
    public var syncStatus: SyncStatus
    public var health: HealthStatus
    /// For a rollback: the revision it returned to.
    public var rolledBackTo: SequenceNumber?
    /// The `attempt.started` event of the attempt that this closes; nil for a reconcile.
    public var attempt: SequenceNumber?
    /// How many tries came before this one for the same intent.
    public var retry: Int
    public var startedAt: Timestamp
    public var finishedAt: Timestamp
    /// For a reconcile that found nothing changed: the last revision that says what this one would repeat.
    public var sameAs: SequenceNumber?
    /// The rendering's inputs (see `SourceInputs.fingerprint`).
    public var inputs: String?
    public var warnings: [String]

    public init(
        kind: Kind, application: ApplicationReference, cluster: ClusterReference? = nil, cause: Cause, actor: Actor,
        reason: String? = nil, ticket: String? = nil, source: RevisionSource? = nil, desired: Digest? = nil,
        liveBefore: Digest? = nil, resources: [ResourceOutcome] = [], counts: Counts = Counts(),
        options: OperationOptions = OperationOptions(), outcome: Outcome, syncStatus: SyncStatus,
        health: HealthStatus, rolledBackTo: SequenceNumber? = nil, attempt: SequenceNumber? = nil, retry: Int = 0,
        startedAt: Timestamp, finishedAt: Timestamp, sameAs: SequenceNumber? = nil, inputs: String? = nil,
        warnings: [String] = []
    ) {
        self.kind = kind
        self.application = application
        self.cluster = cluster
        self.cause = cause
        self.actor = actor
        self.reason = reason
        self.ticket = ticket
        self.source = source
        self.desired = desired
        self.liveBefore = liveBefore
        self.resources = resources
        self.counts = counts
        self.options = options
        self.outcome = outcome
        self.syncStatus = syncStatus
        self.health = health
        self.rolledBackTo = rolledBackTo
        self.attempt = attempt
        self.retry = retry
        self.startedAt = startedAt
        self.finishedAt = finishedAt
        self.sameAs = sameAs
        self.inputs = inputs
        self.warnings = warnings
    }

    /// How it ended.
    public enum Outcome: Sendable, Hashable {
        case succeeded
        case failed(Failure)
        /// Something newer ended it, or its intent no longer held.
        case superseded(String)

        /// The word in the ledger and in filters.
        public var word: String {
            switch self {
            case .succeeded: "succeeded"
            case .failed: "failed"
            case .superseded: "superseded"
            }
        }
    }

    /// How many resources each action touched.
    public struct Counts: Sendable, Hashable {
        public var created = 0
        public var updated = 0
        public var unchanged = 0
        public var pruned = 0
        public var failed = 0
        /// In the cluster, ours, no longer desired, and not pruned.
        public var leftover = 0

        public init() {}
    }
}

public struct ApplicationReference: Sendable, Hashable {
    public let uid: ApplicationUID
    public let name: String
    public let project: String

    public init(uid: ApplicationUID, name: String, project: String) {
        self.uid = uid
        self.name = name
        self.project = project
    }
}

public struct ClusterReference: Sendable, Hashable {
    public let name: String
    public let server: String
    /// The UID of its `kube-system` namespace; nil when it could not be asked.
    public let uid: String?

    public init(name: String, server: String, uid: String?) {
        self.name = name
        self.server = server
        self.uid = uid
    }
}

/// What set an act off.
public enum Cause: String, Sendable, Hashable, CaseIterable {
    case poll, webhook, manual, automated, retry, startup, recovery
    case selfHeal = "self-heal"
    /// A new commit did not become Healthy: the controller goes back by itself.
    case unhealthy
    /// A watch saw the cluster change.
    case watch
    case specChange = "spec-change"
}

/// Who did it, and how they came in.
public struct Actor: Sendable, Hashable {
    public enum Means: String, Sendable, Hashable, CaseIterable {
        /// The controller itself.
        case controller
        case token, session, webhook
        /// A command run on the machine that holds the data.
        case local
    }

    /// A token's person or robot, or `shiplog`.
    public let name: String
    public let means: Means
    /// The token's id, never the token.
    public let tokenID: String?
    /// The network address; kept as an erasable body.
    public let address: String?
    /// The request's id, as in the log.
    public let requestID: String?

    public init(name: String, means: Means, tokenID: String? = nil, address: String? = nil, requestID: String? = nil) {
        self.name = name
        self.means = means
        self.tokenID = tokenID
        self.address = address
        self.requestID = requestID
    }

    /// The controller acting by itself.
    public static let controller = Actor(name: "shiplog", means: .controller)
}

public struct RevisionSource: Sendable, Hashable {
    /// Without userinfo.
    public var repository: String
    public var path: String
    public var targetRevision: String
    public var commit: Commit
    /// The commit of the application's previous revision, if another.
    public var previousCommit: CommitID?

    public init(
        repository: String, path: String, targetRevision: String, commit: Commit, previousCommit: CommitID? = nil
    ) {
        self.repository = repository
        self.path = path
        self.targetRevision = targetRevision
        self.commit = commit
        self.previousCommit = previousCommit
    }
}

/// What was done to one resource.
public struct ResourceOutcome: Sendable, Hashable {
    public enum Action: String, Sendable, Hashable, CaseIterable {
        case created, updated, unchanged, pruned, leftover, failed
        /// A hook came to its end.
        case ran
        /// It should have been touched and was not reached.
        case skipped
        /// A reconcile found it different; nothing was done.
        case outOfSync = "out-of-sync"
        case unknown
    }

    public let key: ResourceKey
    public let apiVersion: String
    public let action: Action
    /// `Sync` for all but hooks, and what is brought before them.
    public let phase: ApplyOrder.Phase
    public let wave: Int
    /// For people; free of secrets.
    public let message: String?
    /// A failure's code.
    public let code: Failure.Code?
    /// Digest of the live object before, Secrets' values as keyed digests.
    public let before: Digest?
    public let after: Digest?
    /// When it was its turn and for how long; nil for what was not touched.
    public var timing: Timing?

    /// Milliseconds of a monotonic clock.
    public struct Timing: Sendable, Hashable {
        /// From the beginning of the attempt's apply to the object's own.
        public var startedAfter: Int64
        /// To the answer that its write got; for a hook to its end.
        public var took: Int64

        public init(startedAfter: Int64, took: Int64) {
            self.startedAfter = startedAfter
            self.took = took
        }
    }

    public init(
        key: ResourceKey, apiVersion: String, action: Action, phase: ApplyOrder.Phase = .sync, wave: Int = 0,
        message: String? = nil, code: Failure.Code? = nil, before: Digest? = nil, after: Digest? = nil,
        timing: Timing? = nil
    ) {
        self.key = key
        self.apiVersion = apiVersion
        self.action = action
        self.phase = phase
        self.wave = wave
        self.message = message
        self.code = code
        self.before = before
        self.after = after
        self.timing = timing
    }
}

/// How a sync or rollback was asked for.
public struct OperationOptions: Sendable, Hashable {
    public var prune: Bool
    public var dryRun: Bool
    /// Delete and create again where a field cannot be changed.
    public var replace: Bool
    /// Prunes of Namespaces, CRDs, PVCs and PVs were confirmed.
    public var confirmDestructive: Bool
    /// Rollback: leave Secrets' values as they are in the cluster.
    public var keepSecrets: Bool
    /// Hooks were run.
    public var hooks: Bool
    public var hold: Pin.Hold?
    /// An automatic rollback: the sync that did not become Healthy.
    public var reactsTo: SequenceNumber?
    /// The only resources it was about, by key; empty for a whole sync or rollback.
    public var resources: [ResourceKey]
    /// The application was deleted with its resources, and how dependents were treated.
    public var deletion: Propagation?

    public init(
        prune: Bool = false, dryRun: Bool = false, replace: Bool = false, confirmDestructive: Bool = false,
        keepSecrets: Bool = false, hooks: Bool = false, hold: Pin.Hold? = nil, resources: [ResourceKey] = [],
        deletion: Propagation? = nil
    ) {
        self.prune = prune
        self.dryRun = dryRun
        self.replace = replace
        self.confirmDestructive = confirmDestructive
        self.keepSecrets = keepSecrets
        self.hooks = hooks
        self.hold = hold
        self.resources = resources
        self.deletion = deletion
    }

    /// Whether only some resources were selected: such a row never stands for the whole of its manifests.
    public var isPartial: Bool { !resources.isEmpty }
}

/// Argo CD's words for desired against live.
public enum SyncStatus: String, Sendable, Hashable, CaseIterable {
    case synced = "Synced"
    case outOfSync = "OutOfSync"
    case unknown = "Unknown"
}

/// Argo CD's words for health, best first.
public enum HealthStatus: String, Sendable, Hashable, CaseIterable, Comparable {
    case healthy = "Healthy"
    case suspended = "Suspended"
    case progressing = "Progressing"
    case missing = "Missing"
    case degraded = "Degraded"
    case unknown = "Unknown"

    public static func < (left: HealthStatus, right: HealthStatus) -> Bool { left.rank < right.rank }
    private var rank: Int { Self.allCases.firstIndex(of: self) ?? Self.allCases.count }
}
