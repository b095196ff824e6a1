public import Shiplog

/// A row of the log.
public enum LedgerRecord: Sendable, Hashable {
    case revision(StoredRevision)
    case event(StoredEvent)

    public var sequence: SequenceNumber {
        switch self {
        case .revision(let stored): stored.sequence
        case .event(let stored): stored.sequence
        }
    }

    public var recordedAt: Timestamp {
        switch self {
        case .revision(let stored): stored.recordedAt
        case .event(let stored): stored.recordedAt
        }
    }
}

/// A revision as the ledger has it.
///
/// One that repeats another (`value.sameAs`) says only its own facts: application, cause, actor, times, outcome, sync
/// and health. Read the revision it names for the rest.
public struct StoredRevision: Sendable, Hashable {
    public let sequence: SequenceNumber
    /// When the writer's transaction took it: never before the row before it.
    public let recordedAt: Timestamp
    /// With its bodies joined in; `(erased)` stands where an erased text stood.
    public let value: Revision
    public var revision: Revision { value }
    /// What happened to the application's pin in the same transaction.
    public let pin: PinChange?
    /// Names of bodies that were erased: `address`, `author`, `messages`, `reason`, `resources`.
    public let erased: [String]

    public init(
        sequence: SequenceNumber, recordedAt: Timestamp, value: Revision, pin: PinChange? = nil, erased: [String] = []
    ) {
        self.sequence = sequence
        self.recordedAt = recordedAt
        self.value = value
        self.pin = pin
        self.erased = erased
    }
}

/// An event as the ledger has it.
public struct StoredEvent: Sendable, Hashable {
    public let sequence: SequenceNumber
    public let recordedAt: Timestamp
    public let value: Event
    public var event: Event { value }
    public let pin: PinChange?
    /// Resources that it confirmed gone from the cluster.
    public let gone: [ResourceKey]
    /// Names of bodies that were erased: `address`, `detail`, `gone`.
    public let erased: [String]

    public init(
        sequence: SequenceNumber, recordedAt: Timestamp, value: Event, pin: PinChange? = nil, gone: [ResourceKey] = [],
        erased: [String] = []
    ) {
        self.sequence = sequence
        self.recordedAt = recordedAt
        self.value = value
        self.pin = pin
        self.gone = gone
        self.erased = erased
    }
}
