/// What a sync or rollback is about to do, written before the cluster is touched.
public struct Intent: Sendable, Hashable {
    /// `sync` or `rollback`.
    public var kind: Revision.Kind
    public var application: ApplicationReference
    public var cluster: ClusterReference
    public var cause: Cause
    public var actor: Actor
    public var reason: String?
    public var ticket: String?
    public var source: RevisionSource?
    public var inputs: String?
    /// The whole desired set, as it will be applied.
    public var resources: [Resource]
    /// Objects that will be pruned.
    public var prunes: [ResourceKey]
    public var options: OperationOptions
    public var rolledBackTo: SequenceNumber?
    public var retry: Int
    /// The pin that begins when the attempt begins, for a rollback.
    public var pin: PinChange?
    /// The `fleet.started` event of the rollback of several applications that this one is a part of.
    public var group: SequenceNumber?
    public var startedAt: Timestamp

    public init(
        kind: Revision.Kind, application: ApplicationReference, cluster: ClusterReference, cause: Cause, actor: Actor,
        reason: String? = nil, ticket: String? = nil, source: RevisionSource? = nil, inputs: String? = nil,
        resources: [Resource], prunes: [ResourceKey] = [], options: OperationOptions = OperationOptions(),
        rolledBackTo: SequenceNumber? = nil, retry: Int = 0, pin: PinChange? = nil, group: SequenceNumber? = nil,
        startedAt: Timestamp
    ) {
        self.kind = kind
        self.application = application
        self.cluster = cluster
        self.cause = cause
        self.actor = actor
        self.reason = reason
        self.ticket = ticket
        self.source = source
        self.inputs = inputs
        self.resources = resources
        self.prunes = prunes
        self.options = options
        self.rolledBackTo = rolledBackTo
        self.retry = retry
        self.pin = pin
        self.group = group
        self.startedAt = startedAt
    }
}

/// What happens to an application's pin together with another write.
public enum PinChange: Sendable, Hashable {
    case set(Pin)
    case release
}

/// An attempt that is open: its intent is durable, its end is not.
public struct Attempt: Sendable, Hashable {
    /// The `attempt.started` event.
    public let sequence: SequenceNumber
    /// The digest of the desired manifests as stored.
    public let desired: Digest
    /// As it was recorded; `resources` is empty when it was read back (the manifests are read by digest).
    public let intent: Intent

    public init(sequence: SequenceNumber, desired: Digest, intent: Intent) {
        self.sequence = sequence
        self.desired = desired
        self.intent = intent
    }
}
