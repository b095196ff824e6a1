public import Shiplog

/// A place in history, as a person names it.
public enum Instant: Sendable, Hashable {
    /// The last row recorded at that moment or before.
    case moment(Timestamp)
    case sequence(SequenceNumber)
    /// The newest row.
    case head
}

/// What an instant means: one row, and when it was recorded.
public struct ResolvedInstant: Sendable, Hashable {
    /// nil when nothing had been recorded yet.
    public let sequence: SequenceNumber?
    /// Of that row; of the nearest one before it when retention took it.
    public let recordedAt: Timestamp?

    public init(sequence: SequenceNumber?, recordedAt: Timestamp?) {
        self.sequence = sequence
        self.recordedAt = recordedAt
    }
}

/// An application as it was at an instant, folded from its rows alone.
public struct ApplicationState: Sendable, Hashable {
    public enum Presence: String, Sendable, Hashable {
        case existed, deleted
        case notCreated = "not-created"
    }

    /// With the project that it belonged to then.
    public let application: ApplicationReference
    public let createdBy: SequenceNumber
    /// The event that deleted it, then or since.
    public let deletedBy: SequenceNumber?
    public let presence: Presence
    public let content: Content
    /// As last recorded by then; nil before the first look.
    public let sync: SyncStatus?
    public let health: HealthStatus?
    public let pin: Pin?

    public init(
        application: ApplicationReference, createdBy: SequenceNumber, deletedBy: SequenceNumber?, presence: Presence,
        content: Content, sync: SyncStatus?, health: HealthStatus?, pin: Pin?
    ) {
        self.application = application
        self.createdBy = createdBy
        self.deletedBy = deletedBy
        self.presence = presence
        self.content = content
        self.sync = sync
        self.health = health
        self.pin = pin
    }

    /// What of it was in the cluster.
    public enum Content: Sendable, Hashable {
        /// Nothing had been applied.
        case nothing
        /// One revision's whole set of manifests.
        case whole(Deployment)
        /// Resources of several revisions, or what no row tells.
        case mixed(Mixture)
        /// A sync or rollback was under way: what it had reached is not known. What was whole before it stands beside.
        case inProgress(OpenAttempt, before: Deployment?)
    }

    /// A finished sync or rollback that applied a whole set.
    public struct Deployment: Sendable, Hashable {
        public let sequence: SequenceNumber
        public let recordedAt: Timestamp
        public let kind: Revision.Kind
        public let cause: Cause
        public let actor: Actor
        public let rolledBackTo: SequenceNumber?
        /// nil when it came from no repository.
        public let commit: CommitID?
        public let subject: String?
        public let desired: Digest?
        /// Objects of earlier revisions that it found, no longer wanted, and did not prune.
        public let leftover: Int
    }

    /// An attempt that had begun and not ended.
    public struct OpenAttempt: Sendable, Hashable {
        public let sequence: SequenceNumber
        public let kind: Revision.Kind
        public let actor: Actor
        public let commit: CommitID?
        /// What it was about to apply.
        public let desired: Digest
    }

    public struct Mixture: Sendable, Hashable {
        /// The newest whole revision beneath; nil when there was none.
        public let base: Deployment?
        /// Newest first; `base` is not among them.
        public let parts: [Part]
        /// Each resource with the revision whose manifest it had, by key.
        public let resources: [ResourceState]
    }

    /// A revision that did only a part of what it meant to.
    public struct Part: Sendable, Hashable {
        public let sequence: SequenceNumber
        /// `failed` or `superseded`; `succeeded` for one that was about selected resources.
        public let outcome: String
        public let commit: CommitID?
        public let desired: Digest?
        /// How many resources stood as it had left them.
        public let resources: Int
        /// It ended without a record of what it had done: the process died while it ran, or the record was erased.
        public let isUnknown: Bool
        /// Only selected resources were to be applied.
        public let isPartial: Bool
    }

    public struct ResourceState: Sendable, Hashable {
        public let key: ResourceKey
        /// Of its manifest, Secrets' values as keyed digests; nil when it had been pruned.
        public let manifest: Digest?
        /// The last successful action on it.
        public let sequence: SequenceNumber
    }
}

extension ApplicationState {
    /// What tells two states of one application apart: the manifests, whoever applied them.
    public func isSame(as other: ApplicationState) -> Bool {
        switch (content, other.content) {
        case (.nothing, .nothing): presence == other.presence
        case (.whole(let one), .whole(let two)): one.desired == two.desired && one.commit == two.commit
        case (.mixed(let one), .mixed(let two)): one.isSame(as: two)
        case (.inProgress(let one, _), .inProgress(let two, _)): one.sequence == two.sequence
        default: false
        }
    }
}

extension ApplicationState.Mixture {
    fileprivate func isSame(as other: ApplicationState.Mixture) -> Bool {
        let isUnknown = { (parts: [ApplicationState.Part]) in Set(parts.filter(\.isUnknown).map(\.sequence)) }
        let manifests = { (states: [ApplicationState.ResourceState]) in
            Dictionary(
                states.compactMap { state in state.manifest.map { (state.key, $0) } }, uniquingKeysWith: { $1 })
        }
        return isUnknown(parts) == isUnknown(other.parts) && manifests(resources) == manifests(other.resources)
    }
}
