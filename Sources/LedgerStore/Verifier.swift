import Foundation
import GRDB
public import Shiplog
import TransparencyLog

extension Ledger {
    /// Checks everything a ledger holds, in one pass on two cores, beside a running server or without one: every row's
    /// sequence, canonical form, leaf hash, time and bodies; every blob; the schema and SQLite's own structures; and that
    /// attempts, applications, inventory and tokens are what the events say.
    ///
    /// - Parameters:
    ///   - kept: heads that somebody kept: the log must still begin with exactly those entries. The checkpoints in the
    ///     data directory are among them, once their signatures were checked; with none here, the last of those must be
    ///     there if the log was ever signed in this directory.
    ///   - comparesIndexes: also SQLite's `integrity_check`, which compares every index with its table. Without it only
    ///     the pages are accounted for, in half the time.
    ///   - progress: called now and then, from any thread.
    /// - Throws: what keeps it from being read at all; what it finds is in the report.
    public static func verify(
        _ directory: DataDirectory, kept: [KeptHead] = [], comparesIndexes: Bool = true,
        progress: @escaping @Sendable (VerificationProgress) -> Void = { _ in }
    ) async throws(Failure) -> VerificationReport {
        guard FileSystem.exists(directory.ledger) else {
            throw Failure(
                .ledgerMissing, "there is no ledger in \(directory.path)",
                remedy: "name the data directory of a server with --data")
        }
        do {
            let pool = try Connections.readers(directory.ledger, count: 4)
            defer { try? pool.close() }
            // Before the snapshot: a server signs on, and a checkpoint of rows behind the snapshot would miss them.
            let stored = StoredCheckpoints(directory)
            // One snapshot for all that depends on state; rows of the log below its head never change.
            let snapshot = try pool.makeSnapshot()
            let findings = Findings()
            let own = try await snapshot.read { db -> [KeptHead] in
                let version = try Schema.check(db)
                guard version > 0 else { throw Failure.corrupt("ledger.sqlite is empty") }
                guard version == Schema.newest else {
                    throw Failure(
                        .ledgerOlderSchema, "the ledger has an older schema than this version checks",
                        remedy: "start the server once with this version: it brings the ledger up to date")
                }
                return OwnCheckpoints.heads(db, stored, isHeld: !kept.isEmpty, findings)
            }
            let verifier = Verifier(
                keys: try? LedgerKeys.load(from: directory, create: false), kept: kept + own, findings: findings,
                progress: progress)
            try await snapshot.read { db in try verifier.schema(db) }
            try await verifier.run(pool, snapshot, comparesIndexes: comparesIndexes)
            return verifier.findings.report
        } catch {
            throw Connections.failure(error, "verifying the ledger")
        }
    }
}

/// One run of `Ledger.verify`.
struct Verifier: Sendable {
    let keys: LedgerKeys?
    let kept: [KeptHead]
    let findings: Findings
    let progress: @Sendable (VerificationProgress) -> Void

    func run(_ pool: DatabasePool, _ snapshot: DatabaseSnapshot, comparesIndexes: Bool) async throws {
        if keys == nil { findings.note("the keys are not at hand: sealed values were not opened") }
        let head = try await snapshot.read { db in try Reading.head(db)?.value ?? 0 }
        let middle = head / 2
        async let structures: Void = pool.read { db in try self.structure(db, comparesIndexes: comparesIndexes) }
        async let first = pool.read { db in try log(db, 1...max(1, middle), of: head, isEmpty: middle == 0) }
        async let second = snapshot.read { db in
            try log(db, (middle + 1)...max(middle + 1, head), of: head, isEmpty: head == middle)
        }
        let (left, right) = try await (first, second)
        let tiles = join(left, right, head: head)
        async let subtrees: Void = snapshot.read { db in
            // Leaves that are missing were told already, and nothing above them can be right.
            if self.findings.tree != nil { try self.subtrees(db, tiles) }
        }
        let stateful = left.stateful + right.stateful
        let repeated = left.repeated.merging(right.repeated) { first, _ in first }
        async let blobs: Void = pool.read { db in
            try self.blobs(db)
            try self.folds(db)
            try self.erasedValues(db)
        }
        async let projections: Void = snapshot.read { db in
            try self.repeated(db, repeated)
            try self.projections(db, stateful, head: head)
        }
        _ = try await (subtrees, blobs, structures, projections)
    }

    /// Columns are generated and triggers guard tables only as long as the schema says so.
    func schema(_ db: Database) throws {
        let (found, expected) = (Set(try Schema.dump(db)), Set(try Schema.expected()))
        for missing in expected.subtracting(found).sorted() {
            findings.add(nil, "the schema lacks or differs in: \(Self.firstLine(missing))")
        }
        for extra in found.subtracting(expected).sorted() {
            findings.add(nil, "the schema has what no version of shiplog made: \(Self.firstLine(extra))")
        }
    }

    private static func firstLine(_ sql: String) -> String { String(sql.prefix { $0 != "\n" }.prefix(100)) }

    /// The two halves of the log meet: the clock goes on, nothing is missing between, and one tree stands over both.
    /// - Returns: the roots of complete subtrees that must be stored.
    private func join(_ left: LogPart, _ right: LogPart, head: Int64) -> [TileHash] {
        if let last = left.lastRecordedAt, let first = right.firstRecordedAt, first.time < last.time {
            findings.add(first.sequence, "was recorded before the row in front of it")
        }
        var tiles = left.tiles + right.tiles
        let joined = Self.joined(left.tree, right.tree) { tiles.append(TileHash(level: $0, position: $1, hash: $2)) }
        findings.tree = joined.flatMap { $0.size == head ? $0 : nil }
        for kept in kept { compare(kept, left, right, head: head) }
        return tiles.sorted { ($0.level, $0.position) < ($1.level, $1.position) }
    }

    private func compare(_ kept: KeptHead, _ left: LogPart, _ right: LogPart, head: Int64) {
        guard kept.head.size <= head else {
            return findings.add(
                head + 1, "is missing: \(kept.name) has \(kept.head.size) entries, the ledger \(head)")
        }
        let earlier =
            kept.head.size == 0
            ? TreeHead(size: 0, root: .empty)
            : left.earlier[kept.head.size]?.head
                ?? right.earlier[kept.head.size].flatMap { Self.joined(left.tree, $0) { _, _, _ in } }
        if earlier != kept.head {
            findings.add(nil, "the first \(kept.head.size) entries are not those of \(kept.name)")
        }
    }

    private static func joined(
        _ left: MerkleRange, _ right: MerkleRange, _ onTileHash: (Int, Int64, MerkleHash) -> Void
    ) -> TreeHead? {
        var whole = left
        // An empty second half begins at 1 whatever the first holds.
        if right.end > right.begin, !whole.append(right, onTileHash: onTileHash) { return nil }
        return whole.head
    }

    /// The stored roots of complete subtrees are those of the leaves.
    private func subtrees(_ db: Database, _ expected: [TileHash]) throws {
        let cursor = try Row.fetchCursor(
            db, sql: "SELECT level, position, hash FROM subtree ORDER BY level, position")
        var next = 0
        while let row = try cursor.next() {
            let (level, position): (Int, Int64) = (try row.held(0), try row.held(1))
            let hash = try row.withUnsafeData(atIndex: 2) { $0.flatMap { MerkleHash(bytes: $0) } }
            guard expected.indices.contains(next),
                expected[next] == TileHash(level: level, position: position, hash: hash)
            else {
                // The first that differs says it all: what stands above it follows.
                let wrong = expected.indices.contains(next) ? expected[next] : nil
                return findings.add(wrong?.first, "the tree over the log is not that of its leaves from here on")
            }
            next += 1
        }
        if let missing = expected.dropFirst(next).first {
            findings.add(missing.first, "the tree over the log lacks hashes from here on")
        }
    }

    /// What unchanged reconciles say they repeat: a revision of the same application that repeats none.
    private func repeated(_ db: Database, _ repeated: [Int64: (application: String, by: Int64)]) throws {
        let statement = try db.cachedStatement(sql: "SELECT application, same_as FROM revision WHERE sequence = ?")
        for (sequence, row) in repeated {
            let named = try Row.fetchOne(statement, arguments: [sequence])
            let application: String? = try named?.held(0)
            let sameAs: Int64? = try named?.held(1)
            guard application == row.application, sameAs == nil else {
                findings.add(
                    row.by, "repeats #\(sequence), which is no revision of its application that can be repeated")
                continue
            }
        }
    }
}
