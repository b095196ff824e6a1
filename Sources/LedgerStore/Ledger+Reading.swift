import Foundation
import GRDB
public import Shiplog

extension Ledger {
    /// The bytes of an entry, as they were hashed, out of a bundle when it was folded. nil for a sequence that is not there.
    /// - Throws: `log.entries-gone` when retention let it go.
    public func entry(_ sequence: SequenceNumber) async throws(Failure) -> [UInt8]? {
        try await read("reading an entry") { db in
            for table in ["revision", "event"] {
                let statement = try db.cachedStatement(sql: "SELECT entry FROM \(table) WHERE sequence = ?")
                if let data = try Row.fetchOne(statement, arguments: [sequence.value]) {
                    return try data.withUnsafeData(atIndex: 0) { Array($0 ?? Data()) }
                }
            }
            return try Reading.folded(db, covering: sequence.value)?[sequence.value].map { Array($0) }
        }
    }

    /// The leaf hash of an entry, RFC 6962's SHA-256(0x00 || entry); it stays when retention takes the entry.
    public func leaf(_ sequence: SequenceNumber) async throws(Failure) -> Digest? {
        try await read("reading a leaf") { db in
            try Data.fetchOne(
                db.cachedStatement(sql: "SELECT hash FROM leaf WHERE sequence = ?"), arguments: [sequence.value]
            ).flatMap { Digest(bytes: $0) }
        }
    }

    /// One row, its bodies joined in.
    public func record(at sequence: SequenceNumber) async throws(Failure) -> LedgerRecord? {
        try await read("reading a record") { db in try Reading.record(db, at: sequence.value) }
    }

    /// The newest sequence; nil for an empty log.
    public func head() async throws(Failure) -> SequenceNumber? {
        try await read("reading the head") { db in try Reading.head(db) }
    }

    /// What came after a sequence, oldest first: what an event stream sends.
    /// - Parameter limit: 1…500.
    public func log(after: SequenceNumber?, limit: Int) async throws(Failure) -> [LedgerRecord] {
        try await read("reading the log") { db in
            try Row.fetchAll(
                db.cachedStatement(sql: LedgerSQL.log),
                arguments: ["after": after?.value ?? 0, "limit": min(500, max(1, limit))]
            ).map { try Reading.record(db, $0) }
        }
    }

    /// A page of revisions. There is no total: counting would cost more than the page.
    /// - Throws: `ledger.query-invalid`.
    public func revisions(_ query: RevisionQuery) async throws(Failure) -> Page<StoredRevision> {
        try await read("reading history") { db in
            let asOf = try Reading.head(db)
            let range = try Self.range(db, from: query.from, to: query.to)
            guard let uids = try Self.uids(db, query.applications, query.names) else {
                return Page(items: [], next: nil, asOf: asOf)
            }
            let statement = try query.statement(uids: uids, from: range.from, to: range.to)
            return try Self.page(db, statement, asOf: asOf) { record in
                if case .revision(let stored) = record { stored } else { nil }
            }
        }
    }

    /// A page of events.
    public func events(_ query: EventQuery) async throws(Failure) -> Page<StoredEvent> {
        try await read("reading events") { db in
            let asOf = try Reading.head(db)
            let range = try Self.range(db, from: query.from, to: query.to)
            guard let uids = try Self.uids(db, query.applications, query.names) else {
                return Page(items: [], next: nil, asOf: asOf)
            }
            let statement = query.statement(uids: uids, from: range.from, to: range.to)
            return try Self.page(db, statement, asOf: asOf) { record in
                if case .event(let stored) = record { stored } else { nil }
            }
        }
    }

    /// The last sequence recorded at that moment or before; nil when the log begins later.
    public func sequence(at moment: Timestamp) async throws(Failure) -> SequenceNumber? {
        try await read("reading the log") { db in
            SequenceNumber(try Self.lastSequence(db, recordedBy: moment.milliseconds))
        }
    }

    // MARK: Single revisions

    /// Which revision of an application.
    public enum RevisionSelection: Sendable, Hashable {
        /// The newest that repeats none: what the application's state was last seen to be.
        case changed
        /// The newest, unchanged ones included.
        case any
        /// The newest that ended an attempt.
        case applied
        /// The newest whole, successful sync or rollback.
        case whole
    }

    /// The newest revision of an application that is of the kind asked for.
    public func lastRevision(
        of uid: ApplicationUID, where selection: RevisionSelection = .changed
    ) async throws(Failure) -> StoredRevision? {
        try await read("reading history") { db in
            let statement = try db.cachedStatement(sql: LedgerSQL.last(selection))
            return try Row.fetchOne(statement, arguments: ["application": uid.value]).flatMap { row in
                if case .revision(let stored) = try Reading.record(db, row) { stored } else { nil }
            }
        }
    }

    /// The newest *good* revision whose manifests differ from the given ones: a whole, successful sync or rollback after
    /// which Healthy was recorded, by itself, by a `health.reached` event that names it, or by a reconcile before the next
    /// attempt's end.
    public func lastGood(of uid: ApplicationUID, differingFrom digest: Digest?) async throws(Failure) -> StoredRevision?
    {
        try await read("reading history") { db in
            try Self.good(db, uid, differingFrom: digest, limit: 1).first
        }
    }

    /// Good revisions, newest first: what a person may choose from. At most `limit`.
    public func goodRevisions(of uid: ApplicationUID, limit: Int = 20) async throws(Failure) -> [StoredRevision] {
        try await read("reading history") { db in try Self.good(db, uid, differingFrom: nil, limit: max(1, limit)) }
    }

    private static func good(
        _ db: Database, _ uid: ApplicationUID, differingFrom digest: Digest?, limit: Int
    ) throws -> [StoredRevision] {
        let candidates = try Row.fetchCursor(
            db.makeStatement(sql: LedgerSQL.whole), arguments: ["application": uid.value, "digest": digest?.description]
        )
        var good: [StoredRevision] = []
        while good.count < limit, let row = try candidates.next() {
            let sequence: Int64 = try row.held("sequence")
            let healthy = try Int.fetchOne(
                db.cachedStatement(sql: LedgerSQL.becameHealthy),
                arguments: ["application": uid.value, "sequence": sequence])
            guard healthy != nil, let stored = try Reading.revision(db, at: sequence) else { continue }
            good.append(stored)
        }
        return good
    }

    // MARK: Parts of pages

    private static func page<Item: Sendable>(
        _ db: Database, _ statement: PageStatement, asOf: SequenceNumber?, _ item: (LedgerRecord) -> Item?
    ) throws -> Page<Item> {
        let rows = try statement.rows(db)
        var items: [Item] = []
        for row in rows.prefix(statement.limit) {
            if let value = item(try Reading.record(db, row)) { items.append(value) }
        }
        let isMore = rows.count > statement.limit
        let last = try rows.prefix(statement.limit).last.map { try $0.held("sequence") as Int64 }
        return Page(items: items, next: isMore ? last.flatMap { SequenceNumber($0) } : nil, asOf: asOf)
    }

    /// nil when names were asked for that no application ever had.
    private static func uids(_ db: Database, _ uids: [ApplicationUID], _ names: [String]) throws -> [String]? {
        guard !names.isEmpty else { return uids.map(\.value) }
        let named = try String.fetchAll(
            db,
            sql: "SELECT uid FROM application WHERE name IN (SELECT value FROM json_each(?))",
            arguments: [JSON.array(names.map { .string($0) }).canonicalString])
        let wanted = uids.isEmpty ? named : named.filter { uid in uids.contains { $0.value == uid } }
        return wanted.isEmpty ? nil : wanted
    }

    /// Times as sequences: `recordedAt` never decreases, so no index on it is needed.
    private static func range(_ db: Database, from: Timestamp?, to: Timestamp?) throws -> (from: Int64?, to: Int64?) {
        (
            try from.map { try lastSequence(db, recordedBy: $0.milliseconds - 1) + 1 },
            try to.map { try lastSequence(db, recordedBy: $0.milliseconds - 1) }
        )
    }

    /// 0 when nothing was recorded by then. A binary search: two dozen look-ups in ten million rows.
    static func lastSequence(_ db: Database, recordedBy limit: Int64) throws -> Int64 {
        let statement = try db.cachedStatement(sql: LedgerSQL.recordedAt)
        var low: Int64 = 0
        var high = try Reading.head(db)?.value ?? 0
        while low < high {
            let middle = low + (high - low + 1) / 2
            // Folded rows are not there: the nearest one before stands for them.
            guard let row = try Row.fetchOne(statement, arguments: ["sequence": middle]) else {
                low = middle
                continue
            }
            let recordedAt: Int64 = try row.held("recorded_at")
            let sequence: Int64 = try row.held("sequence")
            if recordedAt <= limit { low = middle } else { high = sequence - 1 }
        }
        return low
    }
}

/// Statements that are whole: each can be pasted into `sqlite3`.
///
/// `NOT INDEXED` leaves only the way by sequence number: on a table that is nearly empty, SQLite would rather scan.
enum LedgerSQL {
    static let log = """
        SELECT sequence, entry FROM revision NOT INDEXED WHERE sequence > :after
        UNION ALL SELECT sequence, entry FROM event NOT INDEXED WHERE sequence > :after
        ORDER BY sequence LIMIT :limit
        """

    static let recordedAt = """
        SELECT sequence, recorded_at FROM revision NOT INDEXED WHERE sequence <= :sequence
        UNION ALL SELECT sequence, recorded_at FROM event NOT INDEXED WHERE sequence <= :sequence
        ORDER BY sequence DESC LIMIT 1
        """

    static let leaves = "SELECT hash FROM leaf WHERE sequence BETWEEN :first AND :last ORDER BY sequence"

    static let subtrees = """
        SELECT hash FROM subtree WHERE level = :level AND position BETWEEN :first AND :last ORDER BY position
        """

    static let entries = """
        SELECT sequence, entry FROM revision NOT INDEXED WHERE sequence BETWEEN :first AND :last
        UNION ALL SELECT sequence, entry FROM event NOT INDEXED WHERE sequence BETWEEN :first AND :last
        ORDER BY sequence
        """

    /// The primary key, whatever else the rows have: a chunk is read and emptied in order.
    static let unchanged = """
        SELECT entry FROM revision NOT INDEXED
        WHERE sequence BETWEEN :first AND :last AND same_as IS NOT NULL ORDER BY sequence
        """

    static let fold = "SELECT last, bundle FROM fold WHERE first <= :sequence ORDER BY first DESC LIMIT 1"

    /// The act by which entries of a range were let go, then or later.
    static let letGo = """
        SELECT 1 FROM event INDEXED BY event_kind
        WHERE kind = 'ledger.folded' AND entry ->> '$.facts.kept' = 0
            AND entry ->> '$.facts.first' <= :first AND entry ->> '$.facts.last' >= :last
        """

    static let entryCount = """
        SELECT (SELECT count(*) FROM revision NOT INDEXED WHERE sequence BETWEEN :first AND :last)
            + (SELECT count(*) FROM event NOT INDEXED WHERE sequence BETWEEN :first AND :last)
        """

    static let newestEvent = "SELECT max(sequence) FROM event INDEXED BY event_kind WHERE kind = ?"

    static let epochEvents = """
        SELECT sequence FROM event INDEXED BY event_kind
        WHERE kind IN ('epoch.started', 'epoch.confirmed', 'key.rotated') ORDER BY sequence
        """

    static let sealed =
        "SELECT path, wrapped, ciphertext FROM sealed INDEXED BY sealed_value WHERE owner = :owner AND erased_by IS NULL"

    static func last(_ selection: Ledger.RevisionSelection) -> String {
        let from: String =
            switch selection {
            case .changed: "revision INDEXED BY revision_changed_application WHERE same_as IS NULL"
            case .any: "revision INDEXED BY revision_application WHERE sequence > 0"
            case .applied: "revision INDEXED BY revision_applied WHERE attempt IS NOT NULL"
            case .whole: "revision INDEXED BY revision_applied WHERE " + isWhole
            }
        return "SELECT sequence, entry FROM \(from) AND application = :application ORDER BY sequence DESC LIMIT 1"
    }

    /// An attempt applies the whole desired set, so a success with nothing failed is whole, unless resources were selected.
    private static let isWhole = """
        attempt IS NOT NULL AND outcome = 'succeeded' AND coalesce(entry ->> '$.counts.failed', 0) = 0
            AND coalesce(entry ->> '$.options.dryRun', 0) = 0 AND entry -> '$.options.resources' IS NULL
        """

    static let whole = """
        SELECT sequence FROM revision INDEXED BY revision_applied
        WHERE \(isWhole) AND application = :application AND (:digest IS NULL OR desired IS NOT :digest)
        ORDER BY sequence DESC
        """

    /// Whether Healthy was recorded for a revision before another attempt ended.
    static let becameHealthy = """
        SELECT 1 WHERE EXISTS (SELECT 1 FROM revision WHERE sequence = :sequence AND health = 'Healthy')
        UNION ALL SELECT 1 WHERE EXISTS (
            SELECT 1 FROM event INDEXED BY event_revision
            WHERE revision = :sequence AND kind = 'health.reached' AND (health = 'Healthy' OR outcome = 'Healthy'))
        UNION ALL SELECT 1 WHERE EXISTS (
            SELECT 1 FROM revision AS later INDEXED BY revision_application
            WHERE later.application = :application AND later.sequence > :sequence AND later.health = 'Healthy'
                AND later.sequence < coalesce((
                    SELECT min(next.sequence) FROM revision AS next INDEXED BY revision_applied
                    WHERE next.attempt IS NOT NULL AND next.application = :application
                        AND next.sequence > :sequence), 9223372036854775807))
        LIMIT 1
        """
}
