import Foundation
import GRDB
public import Shiplog
import TransparencyLog

/// What retention took in one step.
public struct Folded: Sendable, Hashable {
    /// The event that says so.
    public let event: SequenceNumber
    /// The range that was looked at; rows that say something new stay in it.
    public let sequences: ClosedRange<Int64>
    /// Unchanged reconciles that were taken out.
    public let entries: Int64
}

/// The one way by which rows leave the tables: unchanged reconciles of whole chunks, by a logged act. Their hashes stay in
/// the tree, so that everything else is still proven; the entries move to compressed bundles, or go.
extension Ledger {
    /// Sequences that one bundle stands for: sixteen tiles, so that no tile needs two.
    static let foldSpan: Int64 = 4096
    /// Bundles a step makes at most: the writer is busy for a tenth of a second.
    private static let foldsAtOnce = 4

    private struct Chunk: Sendable {
        let range: ClosedRange<Int64>
        let entries: Int64
        let bundle: [UInt8]?
    }

    /// Folds the next chunks that are wholly from before a moment.
    ///
    /// - Parameter keepsEntries: whether the entries move to bundles that `/log/` serves, or go.
    /// - Returns: nil when nothing that old is left to fold.
    public func fold(before moment: Timestamp, keepsEntries: Bool, actor: Actor) async throws(Failure) -> Folded? {
        let span = Self.foldSpan
        let chunks = try await read("looking for what may be folded") { db -> [Chunk] in
            let last = try Self.lastSequence(db, recordedBy: moment.milliseconds - 1)
            let folded = try Int64.fetchOne(db, sql: "SELECT coalesce(max(last), 0) FROM fold") ?? 0
            var chunks: [Chunk] = []
            var first = folded / span * span + 1
            // The head itself is never folded: a ledger must know its last row when it is opened.
            let head = try Reading.head(db)?.value ?? 0
            while first + span - 1 <= min(last, head - 1), chunks.count < Self.foldsAtOnce {
                if let chunk = try Self.chunk(db, first...first + span - 1, keepsEntries) { chunks.append(chunk) }
                first += span
            }
            return chunks
        }
        guard let first = chunks.first, let last = chunks.last else { return nil }
        let range = first.range.lowerBound...last.range.upperBound
        let entries = chunks.reduce(0) { $0 + $1.entries }
        let event = Event(
            .folded, actor: actor,
            facts: [
                "before": EntryFields.time(moment), "entries": .integer(entries), "first": .integer(range.lowerBound),
                "kept": .bool(keepsEntries), "last": .integer(range.upperBound)
            ])
        let sequence = try await writer.write(
            prepare: { () throws(Failure) in try EntryFormat1.draft(event) },
            { transaction, draft in
                let sequence = try transaction.append(draft, to: .event)
                for chunk in chunks { try Self.take(chunk, sequence, transaction) }
                return sequence
            })
        return Folded(event: sequence, sequences: range, entries: entries)
    }

    /// nil when the chunk holds nothing that may go.
    private static func chunk(_ db: Database, _ range: ClosedRange<Int64>, _ keepsEntries: Bool) throws -> Chunk? {
        let cursor = try Row.fetchCursor(
            db.cachedStatement(sql: LedgerSQL.unchanged),
            arguments: ["first": range.lowerBound, "last": range.upperBound])
        var bundle: [UInt8] = []
        var entries: Int64 = 0
        while let row = try cursor.next() {
            let fits = try row.withUnsafeData(atIndex: 0) { EntryBundle.append($0 ?? Data(), to: &bundle) }
            guard fits else { throw Failure.corrupt("an entry is longer than an entry may be") }
            entries += 1
        }
        guard entries > 0 else { return nil }
        guard keepsEntries else { return Chunk(range: range, entries: entries, bundle: nil) }
        // Read back before anything is taken: what cannot be is not kept.
        guard let packed = StoredBytes.deflated(bundle), try Int64(Reading.unbundled(packed).count) == entries else {
            throw Failure.corrupt("the entries #\(range.lowerBound) to #\(range.upperBound) cannot be bundled")
        }
        return Chunk(range: range, entries: entries, bundle: packed)
    }

    private static func take(_ chunk: Chunk, _ event: SequenceNumber, _ transaction: WriteTransaction) throws {
        let range: StatementArguments = ["first": chunk.range.lowerBound, "last": chunk.range.upperBound]
        try transaction.run(
            "INSERT INTO fold (event, first, last, entries, bundle) VALUES (?, ?, ?, ?, ?)",
            [
                event.value, chunk.range.lowerBound, chunk.range.upperBound, chunk.entries,
                chunk.bundle.map { Data($0) }
            ])
        try transaction.run(
            """
            DELETE FROM body WHERE sequence BETWEEN :first AND :last AND sequence IN (
                SELECT sequence FROM revision NOT INDEXED
                WHERE sequence BETWEEN :first AND :last AND same_as IS NOT NULL)
            """, range)
        try transaction.run(
            "DELETE FROM revision WHERE sequence BETWEEN :first AND :last AND same_as IS NOT NULL", range)
        guard transaction.db.changesCount == chunk.entries else {
            throw Failure.corrupt("the rows to fold are not those that were read")
        }
    }

    /// Drops the bundles that were kept so far: when the configuration says that entries shall go.
    /// - Returns: how many; nil when there is none.
    public func dropBundles(actor: Actor) async throws(Failure) -> Int64? {
        let range = try await read("looking for bundles") { db -> (first: Int64, last: Int64, count: Int64)? in
            let row = try Row.fetchOne(
                db, sql: "SELECT min(first), max(last), count(*) FROM fold WHERE bundle IS NOT NULL")
            guard let row, let first: Int64 = try row.held(0), let last: Int64 = try row.held(1) else { return nil }
            return (first, last, try row.held(2))
        }
        guard let range else { return nil }
        let event = Event(
            .folded, actor: actor,
            facts: [
                "bundles": .integer(range.count), "first": .integer(range.first), "kept": false,
                "last": .integer(range.last)
            ])
        try await writer.write(
            prepare: { () throws(Failure) in try EntryFormat1.draft(event) },
            { transaction, draft in
                _ = try transaction.append(draft, to: .event)
                try transaction.run(
                    "UPDATE fold SET bundle = NULL WHERE bundle IS NOT NULL AND last <= ?", [range.last])
            })
        return range.count
    }
}

extension Reading {
    /// The entries of the bundle that a sequence was folded into, by sequence.
    /// - Throws: `log.entries-gone` when they were to go; nil where no fold covers it.
    static func folded(_ db: Database, covering sequence: Int64) throws -> [Int64: ArraySlice<UInt8>]? {
        let row = try Row.fetchOne(
            db.cachedStatement(sql: LedgerSQL.fold), arguments: ["sequence": sequence])
        guard let row, (try row.held("last") as Int64) >= sequence else { return nil }
        guard let bundle: Data = try row.held("bundle") else {
            throw Failure(
                .logEntriesGone, "the entry #\(sequence) was taken by retention; its hash is still in the tree",
                remedy: "the tiles of hashes still prove every other entry")
        }
        return try unbundled(Array(bundle))
    }

    /// - Throws: `ledger.corrupt`.
    static func unbundled(_ bundle: [UInt8]) throws(Failure) -> [Int64: ArraySlice<UInt8>] {
        let bytes = try StoredBytes.unpack(bundle, encoding: StoredBytes.zlib, limit: StoredBytes.limit)
        guard let entries = EntryBundle.entries(of: bytes) else {
            throw .corrupt("a bundle of folded entries ends in the middle of one")
        }
        var bySequence: [Int64: ArraySlice<UInt8>] = [:]
        for entry in entries {
            let scan = entry.withUnsafeBufferPointer { CanonicalScanner.scan($0) }
            guard let scan, bySequence.updateValue(entry, forKey: scan.sequence) == nil else {
                throw .corrupt("a bundle of folded entries holds what is no entry")
            }
        }
        return bySequence
    }
}

extension Verifier {
    private static let foldTotals = "SELECT event, sum(entries) FROM fold GROUP BY event ORDER BY event"

    /// What retention took: as many rows as it says, and in the bundles the very entries that were hashed.
    func folds(_ db: Database) throws {
        // The table says what is in it; how much each act took stands in the log, which is hashed.
        for row in try Row.fetchAll(db, sql: Self.foldTotals) {
            let (event, sum): (Int64, Int64) = (try row.held(0), try row.held(1))
            let logged = (try? Reading.event(db, at: event))?.value.facts["entries"]?.integer
            if logged != sum {
                findings.add(event, "says that it took \(logged ?? 0) rows, and its folds stand for \(sum)")
            }
        }
        let cursor = try Row.fetchCursor(db, sql: "SELECT first, last, entries, bundle FROM fold ORDER BY first")
        while let row = try cursor.next() {
            try Task.checkCancellation()
            let (first, last, entries): (Int64, Int64, Int64) = (
                try row.held(0), try row.held(1), try row.held(2)
            )
            guard 0 < first, first <= last, last <= Checkpoint.largestSize else {
                findings.add(nil, "a fold covers what no fold can cover")
                continue
            }
            let present =
                try Int64.fetchOne(
                    db.cachedStatement(sql: LedgerSQL.entryCount), arguments: ["first": first, "last": last]) ?? 0
            if last - first + 1 - present != entries {
                findings.add(first, "the fold from here to #\(last) says that it took \(entries) rows, and did not")
            }
            guard let bundle: Data = try row.held(3) else {
                let isLogged = try Int.fetchOne(
                    db.cachedStatement(sql: LedgerSQL.letGo), arguments: ["first": first, "last": last])
                if isLogged == nil {
                    findings.add(first, "the bundle from here to #\(last) is gone, and no act of retention let it go")
                }
                findings.note("retention let entries go: their hashes are in the tree, and what they said is not known")
                continue
            }
            do {
                let bundled = try Reading.unbundled(Array(bundle))
                if Int64(bundled.count) != entries {
                    findings.add(first, "the bundle from here to #\(last) holds \(bundled.count) of \(entries) entries")
                }
                for (sequence, entry) in bundled.sorted(by: { $0.key < $1.key }) {
                    let isThere = try Reading.hasRow(db, at: sequence)
                    let leaf = try Subtrees.hashes(db, 0, sequence - 1..<sequence).first
                    if isThere || !(first...last).contains(sequence) || leaf != .leaf(entry) {
                        findings.add(sequence, "its folded entry is not the one that was hashed")
                    }
                }
            } catch let failure as Failure {
                findings.add(first, "the bundle from here to #\(last): \(failure.message)")
            }
        }
    }
}
