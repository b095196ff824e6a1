import Foundation
import GRDB
public import Shiplog
public import TransparencyLog

/// A body as an auditor is handed it.
public struct StoredBody: Sendable, Hashable {
    public let sequence: Int64
    public let name: String
    public let contents: Contents

    public enum Contents: Sendable, Hashable {
        /// The entry names SHA-256(salt || content).
        case kept(salt: [UInt8], content: [UInt8])
        case erased(by: Int64)
    }
}

/// Reading the log in bulk, a page at a time: each page is a read of its own, so that a slow reader never keeps the
/// write-ahead log from being checkpointed. Ranges are of sequences; what was appended never changes, so pages of a fixed
/// range fit together.
extension Ledger {
    /// How many entries a page may be asked for.
    public static let pageOfEntries: Int64 = 512

    /// The entries of a range, the exact bytes that were hashed, in order; nil stands for what retention let go.
    /// - Parameter sequences: at most `pageOfEntries`, within the log.
    public func entries(_ sequences: ClosedRange<Int64>) async throws(Failure) -> [[UInt8]?] {
        let sequences = sequences.clamped(to: sequences.lowerBound...(sequences.lowerBound + Self.pageOfEntries - 1))
        return try await read("reading entries") { db in
            var entries = [[UInt8]?](repeating: nil, count: sequences.count)
            let cursor = try Row.fetchCursor(
                db.cachedStatement(sql: LedgerSQL.entries),
                arguments: ["first": sequences.lowerBound, "last": sequences.upperBound])
            while let row = try cursor.next() {
                let sequence: Int64 = try row.held(0)
                // A page whose order is damaged may hand out a row from outside of the range.
                guard sequences.contains(sequence) else { throw Failure.corrupt("#\(sequence) is not in its place") }
                entries[Int(sequence - sequences.lowerBound)] = try row.withUnsafeData(atIndex: 1) {
                    Array($0 ?? Data())
                }
            }
            try Self.unfold(&entries, from: sequences.lowerBound, db)
            return entries
        }
    }

    /// Takes what was folded out of its bundle.
    private static func unfold(_ entries: inout [[UInt8]?], from first: Int64, _ db: Database) throws {
        var folded: [Int64: ArraySlice<UInt8>] = [:]
        for place in entries.indices where entries[place] == nil {
            let sequence = first + Int64(place)
            do {
                if folded[sequence] == nil { folded = try Reading.folded(db, covering: sequence) ?? [:] }
            } catch let failure as Failure where failure.code == .logEntriesGone {
                continue
            }
            guard let entry = folded[sequence] else { throw Failure.corrupt("#\(sequence) has no entry") }
            entries[place] = Array(entry)
        }
    }

    /// Whether retention let any entry go, beyond moving it into a bundle.
    public func lacksEntries() async throws(Failure) -> Bool {
        try await read("looking for bundles") { db in
            // One row for some thousands of entries.
            try Bool.fetchOne(db, sql: "SELECT EXISTS (SELECT 1 FROM fold WHERE bundle IS NULL)") ?? false
        }
    }

    /// The leaves of a range: retention leaves them all.
    public func leaves(_ sequences: ClosedRange<Int64>) async throws(Failure) -> [MerkleHash] {
        try await read("reading leaves") { db in
            let hashes = try Subtrees.hashes(db, 0, sequences.lowerBound - 1..<sequences.upperBound)
            guard hashes.count == sequences.count else { throw Failure.corrupt("the log has a gap") }
            return hashes
        }
    }

    /// Sequences of a range without those of reconciles that found nothing changed, in order, at most `limit`.
    public func changed(_ sequences: ClosedRange<Int64>, limit: Int) async throws(Failure) -> [Int64] {
        try await read("reading the log") { db in
            try Int64.fetchAll(
                db.cachedStatement(sql: LedgerSQL.changed),
                arguments: ["first": sequences.lowerBound, "last": sequences.upperBound, "limit": max(1, limit)])
        }
    }

    /// The bodies of a range, in order of sequence and name, from behind one that was read already.
    ///
    /// - Returns: as many as make up `bytes`, and one at least; none when there are no more.
    public func bodies(
        _ sequences: ClosedRange<Int64>, after last: StoredBody?, bytes: Int = 4 << 20
    ) async throws(Failure) -> [StoredBody] {
        try await read("reading bodies") { db in
            let cursor = try Row.fetchCursor(
                db.cachedStatement(sql: LedgerSQL.bodies),
                arguments: [
                    "first": sequences.lowerBound, "last": sequences.upperBound,
                    "sequence": last?.sequence ?? sequences.lowerBound, "name": last?.name ?? ""
                ])
            var bodies: [StoredBody] = []
            var size = 0
            while size < bytes, let row = try cursor.next() {
                let contents: StoredBody.Contents
                if let by: Int64 = try row.held("erased_by") {
                    contents = .erased(by: by)
                } else {
                    let (salt, stored): (Data, Data) = (try row.held("salt"), try row.held("content"))
                    let content = try StoredBytes.unpack(
                        Array(stored), encoding: try row.held("encoding"), limit: StoredBytes.limit)
                    size += content.count
                    contents = .kept(salt: Array(salt), content: content)
                }
                size += 256
                bodies.append(
                    StoredBody(sequence: try row.held("sequence"), name: try row.held("name"), contents: contents))
            }
            return bodies
        }
    }

    /// The nearest entry that is there, from a sequence on: retention never takes the log's ends.
    /// - Returns: nil when there is none between it and the end of a log of `size` entries.
    public func nearest(to sequence: Int64, upwards: Bool, size: Int64) async throws(Failure) -> Int64? {
        guard (1...max(1, size)).contains(sequence), size > 0 else { return nil }
        return try await read("reading the log") { db in
            try Int64.fetchOne(
                db.cachedStatement(sql: upwards ? LedgerSQL.nextEntry : LedgerSQL.previousEntry),
                arguments: ["sequence": sequence]
            ).flatMap { $0 <= size ? $0 : nil }
        }
    }
}

extension LedgerSQL {
    static let changed = """
        SELECT sequence FROM revision INDEXED BY revision_changed
        WHERE same_as IS NULL AND sequence BETWEEN :first AND :last
        UNION ALL SELECT sequence FROM event NOT INDEXED WHERE sequence BETWEEN :first AND :last
        ORDER BY sequence LIMIT :limit
        """

    static let bodies = """
        SELECT sequence, name, salt, encoding, content, erased_by FROM body
        WHERE sequence BETWEEN :first AND :last AND (sequence, name) > (:sequence, :name)
        ORDER BY sequence, name
        """

    static let nextEntry = """
        SELECT sequence FROM revision NOT INDEXED WHERE sequence >= :sequence
        UNION ALL SELECT sequence FROM event NOT INDEXED WHERE sequence >= :sequence
        ORDER BY sequence LIMIT 1
        """

    static let previousEntry = """
        SELECT sequence FROM revision NOT INDEXED WHERE sequence <= :sequence
        UNION ALL SELECT sequence FROM event NOT INDEXED WHERE sequence <= :sequence
        ORDER BY sequence DESC LIMIT 1
        """
}
