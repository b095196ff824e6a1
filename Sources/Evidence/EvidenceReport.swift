public import Shiplog
public import TransparencyLog

/// What checking a pack found.
public struct EvidenceReport: Sendable {
    public struct Finding: Sendable, Hashable, CustomStringConvertible {
        /// The first entry that is bad; nil where it is the pack as a whole.
        public let sequence: Int64?
        /// Follows the number.
        public let message: String

        public var description: String { (sequence.map { "#\($0): " } ?? "") + message }
    }

    public internal(set) var checkpoint: Checkpoint?
    public internal(set) var range: ClosedRange<Int64>?
    public internal(set) var filter: JSON = .object([:])
    /// Of the range, all of them.
    public internal(set) var entries: Int64 = 0
    public internal(set) var matches: Int64 = 0
    public internal(set) var bodies: Int64 = 0
    public internal(set) var erased: Int64 = 0
    /// Of these, said to be erased by an event that is not in the pack.
    public internal(set) var unprovenErasures: Int64 = 0
    /// Known by their hashes alone.
    public internal(set) var gone: Int64 = 0
    /// Whether it was shown that no match was left out.
    public internal(set) var isComplete = false
    /// Who signed the checkpoint, among the keys that it was checked with.
    public internal(set) var signers: [String] = []
    /// What a reader should know besides.
    public internal(set) var notes: [String] = []
    /// Checkpoints of the reader's that nothing in the pack leads to or from.
    public internal(set) var unproven: [String] = []
    public internal(set) var finding: Finding?

    public var isSound: Bool { finding == nil }

    public var document: JSON {
        .members([
            "sound": .bool(isSound), "complete": .bool(isSound && isComplete),
            "origin": checkpoint.map { .string($0.origin) },
            "treeHead": checkpoint.map { .string($0.head.description) },
            "first": range.map { .integer($0.lowerBound) }, "last": range.map { .integer($0.upperBound) },
            "entries": .integer(entries), "matches": .integer(matches), "bodies": .integer(bodies),
            "erased": .integer(erased), "unprovenErasures": .integer(unprovenErasures), "gone": .integer(gone),
            "filter": filter,
            "signers": .array(signers.map { .string($0) }), "notes": .array(notes.map { .string($0) }),
            "unproven": .array(unproven.map { .string($0) }),
            "findings": .array(
                finding.map {
                    [.members(["sequence": $0.sequence.map { .integer($0) }, "message": .string($0.message)])]
                } ?? [])
        ])
    }
}
