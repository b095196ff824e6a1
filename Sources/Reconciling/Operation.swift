public import Shiplog

/// What a person asks of `sync`.
public struct SyncRequest: Sendable, Hashable {
    /// A branch, tag or SHA to sync to instead of the target revision; refused while automated sync is on.
    public var revision: String?
    /// nil: as the application's own policy says (automated.prune).
    public var prune: Bool?
    public var dryRun: Bool
    public var replace: Bool
    public var confirmDestructive: Bool
    /// Only these resources, and no hooks; empty for all.
    public var resources: [ResourceSelector]
    public var reason: String?
    public var ticket: String?
    /// Set sync windows aside for this once; wants a reason, and is an event of its own.
    public var overridesWindow = false

    public init(
        revision: String? = nil, prune: Bool? = nil, dryRun: Bool = false, replace: Bool = false,
        confirmDestructive: Bool = false, resources: [ResourceSelector] = [], reason: String? = nil,
        ticket: String? = nil
    ) {
        self.revision = revision
        self.prune = prune
        self.dryRun = dryRun
        self.replace = replace
        self.confirmDestructive = confirmDestructive
        self.resources = resources
        self.reason = reason
        self.ticket = ticket
    }
}

/// What a person asks of `rollback`.
public struct RollbackRequest: Sendable, Hashable {
    public enum Target: Sendable, Hashable {
        /// The newest good revision whose manifests differ from the current ones.
        case lastGood
        case sequence(SequenceNumber)
        /// The newest whole, successful revision of the commit; at least seven hexadecimal digits.
        case commit(String)
        /// What was deployed at that moment.
        case moment(Timestamp)
        /// A revision of an earlier application of the same name, deleted since.
        case former(SequenceNumber)
    }

    public var target: Target
    /// nil: as the application's own policy says.
    public var prune: Bool?
    public var hold: Pin.Hold
    public var dryRun: Bool
    public var replace: Bool
    public var confirmDestructive: Bool
    public var keepSecrets: Bool
    /// Run the target's hooks too.
    public var hooks: Bool
    /// Mandatory unless it is a dry run.
    public var reason: String?
    public var ticket: String?
    /// Refuse when the application's newest attempt or revision that counts is another than the plan showed.
    public var ifDesired: Digest?
    /// The `fleet.started` event of the rollback of several applications that this is a part of.
    public var group: SequenceNumber?
    /// The sync that did not become Healthy, when nobody asked but the controller itself.
    var reactsTo: SequenceNumber?
    /// As in `SyncRequest`.
    public var overridesWindow = false

    public init(
        target: Target, prune: Bool? = nil, hold: Pin.Hold = .untilNewCommit, dryRun: Bool = false,
        replace: Bool = false, confirmDestructive: Bool = false, keepSecrets: Bool = false, hooks: Bool = false,
        reason: String? = nil, ticket: String? = nil, ifDesired: Digest? = nil, group: SequenceNumber? = nil
    ) {
        self.target = target
        self.prune = prune
        self.hold = hold
        self.dryRun = dryRun
        self.replace = replace
        self.confirmDestructive = confirmDestructive
        self.keepSecrets = keepSecrets
        self.hooks = hooks
        self.reason = reason
        self.ticket = ticket
        self.ifDesired = ifDesired
        self.group = group
    }
}

/// What an operation would do, worked out in full before anything is written.
public struct OperationPlan: Sendable {
    public let plan: Plan
    public let source: RevisionSource?
    /// The digest of the manifests it would apply.
    public let desired: Digest
    /// For a rollback: the revision it returns to, and what a person should know about that choice.
    public let target: SequenceNumber?
    public let notes: [String]
    /// Manifests deployed now and manifests it would apply, Secrets redacted: what the diff is made of.
    public let current: [Resource]
    public let next: [Resource]
    /// Secrets whose values would change.
    public let secrets: [ResourceKey]

    public init(
        plan: Plan, source: RevisionSource?, desired: Digest, target: SequenceNumber?, notes: [String],
        current: [Resource], next: [Resource], secrets: [ResourceKey]
    ) {
        self.plan = plan
        self.source = source
        self.desired = desired
        self.target = target
        self.notes = notes
        self.current = current
        self.next = next
        self.secrets = secrets
    }
}

/// A sync, rollback or refresh that was asked for, and how far it is. Kept in memory, the newest thousand.
public struct Operation: Sendable, Hashable {
    public enum Kind: String, Sendable, Hashable { case sync, rollback, refresh }

    public enum State: Sendable, Hashable {
        case queued
        case running(attempt: SequenceNumber?)
        /// The revision that records it, and its outcome's word (`succeeded`, `failed`, `superseded`).
        case finished(revision: SequenceNumber, outcome: String)
        /// It ended before there was a revision of it.
        case refused(Failure)
    }

    public let id: String
    public let kind: Kind
    public let application: String
    public let actor: Actor
    public let requestedAt: Timestamp
    public var state: State

    public init(
        id: String, kind: Kind, application: String, actor: Actor, requestedAt: Timestamp, state: State = .queued
    ) {
        self.id = id
        self.kind = kind
        self.application = application
        self.actor = actor
        self.requestedAt = requestedAt
        self.state = state
    }
}
