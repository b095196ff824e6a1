public import Shiplog
import Synchronization
public import TransparencyLog

/// What checking a whole ledger found.
public struct VerificationReport: Sendable, Hashable, CustomStringConvertible {
    public struct Finding: Sendable, Hashable, CustomStringConvertible {
        /// The row it concerns; nil for what is no row's own.
        public let sequence: SequenceNumber?
        /// A sentence without its full stop.
        public let message: String

        public init(sequence: SequenceNumber?, message: String) {
            self.sequence = sequence
            self.message = message
        }

        public var description: String { (sequence.map { "\($0): " } ?? "") + message }
    }

    /// Sequences checked: the log's length.
    public let rows: Int64
    /// Bytes of entries.
    public let entryBytes: Int64
    public let bodies: Int64
    public let blobs: Int64
    /// Bytes of blobs, decompressed.
    public let blobBytes: Int64
    /// The tree over all entries; nil when leaves are missing.
    public let treeHead: TreeHead?
    /// At most 100: bad rows by sequence, what is bad without being a row's, then what may follow from those.
    public let findings: [Finding]
    /// How many there were in all.
    public let findingCount: Int64
    /// Parts that could not be checked and why: erased bodies, keys that are not at hand.
    public let notes: [String]

    public var isSound: Bool { findingCount == 0 }
    /// The first bad row, or what is wrong with the ledger as a whole.
    public var first: Finding? { findings.first }

    /// The report as a document, for the API and for `-o json`.
    public var document: JSON {
        .members([
            "treeHead": treeHead.map { .string($0.description) }, "sound": .bool(isSound), "rows": .integer(rows),
            "entryBytes": .integer(entryBytes), "bodies": .integer(bodies), "blobs": .integer(blobs),
            "blobBytes": .integer(blobBytes), "findingCount": .integer(findingCount),
            "notes": .array(notes.map { .string($0) }),
            "findings": .array(
                findings.map {
                    .members([
                        "sequence": $0.sequence.map { .integer($0.value) }, "message": .string($0.message)
                    ])
                })
        ])
    }

    public var description: String {
        guard let first else { return "\(rows) rows, \(bodies) bodies and \(blobs) blobs are sound" }
        return "\(first)" + (findingCount > 1 ? " (and \(findingCount - 1) more)" : "")
    }
}

/// How far checking has come.
public struct VerificationProgress: Sendable, Hashable {
    public enum Phase: String, Sendable, Hashable, CaseIterable {
        case structure, log, blobs, projections
    }

    public let phase: Phase
    public let done: Int64
    public let total: Int64

    public init(phase: Phase, done: Int64, total: Int64) {
        self.phase = phase
        self.done = done
        self.total = total
    }
}

/// Collects findings from concurrent passes; keeps the first hundred by sequence.
final class Findings: Sendable {
    private struct State {
        var kept: [(isConsequence: Bool, finding: VerificationReport.Finding)] = []
        var count: Int64 = 0
        var notes: [String] = []
        var rows: Int64 = 0
        var bytes: Int64 = 0
        var bodies: Int64 = 0
        var blobs: Int64 = 0
        var blobBytes: Int64 = 0
        var tree: TreeHead?
    }

    private let state = Mutex(State())

    /// - Parameter isConsequence: what may follow from a bad row comes after the bad rows themselves.
    func add(_ sequence: Int64?, _ message: String, isConsequence: Bool = false) {
        let finding = VerificationReport.Finding(sequence: sequence.flatMap { SequenceNumber($0) }, message: message)
        state.withLock { state in
            state.count += 1
            state.kept.append((isConsequence, finding))
            if state.kept.count > 400 { state.kept = Self.sorted(state.kept) }
        }
    }

    func note(_ text: String) {
        state.withLock { if $0.notes.count < 50, !$0.notes.contains(text) { $0.notes.append(text) } }
    }

    func countLog(rows: Int64, bytes: Int64, bodies: Int64) {
        state.withLock { state in
            state.rows += rows
            state.bytes += bytes
            state.bodies += bodies
        }
    }

    func countBlobs(_ number: Int64, bytes: Int64) {
        state.withLock { state in
            state.blobs += number
            state.blobBytes += bytes
        }
    }

    var rows: Int64 { state.withLock { $0.rows } }

    var tree: TreeHead? {
        get { state.withLock { $0.tree } }
        set { state.withLock { $0.tree = newValue } }
    }

    var report: VerificationReport {
        state.withLock { state in
            VerificationReport(
                rows: state.rows, entryBytes: state.bytes, bodies: state.bodies, blobs: state.blobs,
                blobBytes: state.blobBytes, treeHead: state.tree, findings: Self.sorted(state.kept).map(\.finding),
                findingCount: state.count,
                notes: state.notes)
        }
    }

    private static func sorted(
        _ findings: [(isConsequence: Bool, finding: VerificationReport.Finding)]
    ) -> [(isConsequence: Bool, finding: VerificationReport.Finding)] {
        func place(_ entry: (isConsequence: Bool, finding: VerificationReport.Finding)) -> (Int, Int64, String) {
            (entry.isConsequence ? 1 : 0, entry.finding.sequence?.value ?? .max, entry.finding.message)
        }
        return Array(findings.sorted { place($0) < place($1) }.prefix(100))
    }
}
