import Foundation
import GRDBSQLite
import LedgerStore
import Shiplog
import TransparencyLog

/// What the tree over the log costs each append, how fast everything is checked, and how long a proof takes.
enum LogBenchmark {
    static func run(rows: [Int]) async throws {
        try await tree()
        try await verify(rows: 300_000)
        for size in rows.isEmpty ? [10_000, 1_000_000] : rows { try await proofs(rows: size) }
    }

    // MARK: - The tree

    /// The very statements of an append on the very schema, triggers and indexes included: with a constant leaf and no tree
    /// against the leaf's hash, the nodes above it and the subtrees that are stored. In turns, the best of each.
    private static func tree() async throws {
        var (with, without) = (Double.infinity, Double.infinity)
        for _ in 0..<4 {
            without = min(without, try await append(hashes: false))
            with = min(with, try await append(hashes: true))
        }
        let ratio = without / with
        report("log: append with the tree / constant leaf, no tree", format(ratio), goal: ">= 0.8", met: ratio >= 0.8)
    }

    private static func append(hashes: Bool, rows: Int64 = 25_600, group: Int64 = 64) async throws -> Double {
        try await withDirectory { path in
            let directory = try DataDirectory(path + "/data")
            let ledger = try await Ledger.open(
                directory, mode: .sandbox, access: .serve, now: LedgerBenchmark.now)
            let reference = try await LedgerBenchmark.register(in: ledger)
            var revision = Revision(
                kind: .reconcile, application: reference, cause: .poll, actor: .controller, outcome: .succeeded,
                syncStatus: .synced, health: .healthy, startedAt: LedgerBenchmark.now(),
                finishedAt: LedgerBenchmark.now())
            revision.sameAs = try await ledger.record(revision)
            let last = try await ledger.record(revision)
            let entry = String(decoding: try await ledger.entry(last) ?? [], as: UTF8.self)
            await ledger.close()
            let pieces = entry.components(separatedBy: "\"sequence\":\(last.value)")
            guard pieces.count == 2 else { throw Failure("bench.entry", "an entry does not say its number once") }
            var db: OpaquePointer?
            guard sqlite3_open(directory.ledger, &db) == SQLITE_OK else { throw CocoaError(.fileNoSuchFile) }
            defer { sqlite3_close(db) }
            for sql in ["PRAGMA synchronous = FULL", "PRAGMA recursive_triggers = ON", "PRAGMA foreign_keys = ON"] {
                sqlite3_exec(db, sql, nil, nil, nil)
            }
            var tree = MerkleRange()
            for _ in 0..<last.value { tree.append(.empty) }
            let statements = try ["leaf VALUES (?, ?)", "revision (sequence, entry) VALUES (?, ?)"].map {
                try prepare(db, "INSERT INTO " + $0)
            }
            let subtree = try prepare(db, "INSERT INTO subtree VALUES (?, ?, ?)")
            defer { for statement in statements + [subtree] { sqlite3_finalize(statement) } }
            let start = ContinuousClock.now
            var sequence = last.value
            while sequence < last.value + rows {
                sqlite3_exec(db, "BEGIN IMMEDIATE", nil, nil, nil)
                for _ in 0..<group {
                    sequence += 1
                    let text = Array((pieces[0] + "\"sequence\":\(sequence)" + pieces[1]).utf8)
                    let leaf = hashes ? MerkleHash.leaf(text) : .empty
                    try step(statements[0]) {
                        sqlite3_bind_int64($0, 1, sequence)
                        bind($0, 2, leaf.bytes, isText: false)
                    }
                    if hashes {
                        try tree.append(leaf) { level, position, hash in
                            try step(subtree) {
                                sqlite3_bind_int64($0, 1, Int64(level))
                                sqlite3_bind_int64($0, 2, position)
                                bind($0, 3, hash.bytes, isText: false)
                            }
                        }
                    }
                    try step(statements[1]) {
                        sqlite3_bind_int64($0, 1, sequence)
                        bind($0, 2, text, isText: true)
                    }
                }
                sqlite3_exec(db, "COMMIT", nil, nil, nil)
            }
            return (ContinuousClock.now - start).seconds
        }
    }

    private static func prepare(_ db: OpaquePointer?, _ sql: String) throws -> OpaquePointer? {
        var statement: OpaquePointer?
        guard sqlite3_prepare_v2(db, sql, -1, &statement, nil) == SQLITE_OK else {
            throw Failure("bench.sqlite", String(cString: sqlite3_errmsg(db)))
        }
        return statement
    }

    private static func bind(_ statement: OpaquePointer?, _ index: Int32, _ bytes: [UInt8], isText: Bool) {
        let copies = unsafeBitCast(-1, to: sqlite3_destructor_type.self)
        if isText {
            bytes.withUnsafeBytes {
                _ = sqlite3_bind_text(
                    statement, index, $0.bindMemory(to: CChar.self).baseAddress, Int32(bytes.count), copies)
            }
        } else {
            sqlite3_bind_blob(statement, index, bytes, Int32(bytes.count), copies)
        }
    }

    private static func step(_ statement: OpaquePointer?, _ bind: (OpaquePointer?) -> Void) throws {
        bind(statement)
        guard sqlite3_step(statement) == SQLITE_DONE else {
            throw Failure("bench.sqlite", String(cString: sqlite3_errmsg(sqlite3_db_handle(statement))))
        }
        sqlite3_reset(statement)
    }

    // MARK: - Checking

    /// A ledger as the loop fills it, checked whole, with its indexes compared.
    private static func verify(rows: Int) async throws {
        try await withDirectory { path in
            let directory = try DataDirectory(path + "/data")
            let ledger = try await Ledger.open(
                directory, mode: .sandbox, access: .serve, now: LedgerBenchmark.now)
            let reference = try await LedgerBenchmark.register(in: ledger)
            let template = Revision(
                kind: .reconcile, application: reference, cause: .poll, actor: .controller, outcome: .succeeded,
                syncStatus: .synced, health: .healthy, startedAt: LedgerBenchmark.now(),
                finishedAt: LedgerBenchmark.now())
            let changed = try await ledger.record(template)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<128 {
                    group.addTask {
                        var revision = template
                        revision.sameAs = changed
                        for _ in 0..<rows / 128 { try await ledger.record(revision) }
                    }
                }
                try await group.waitForAll()
            }
            await ledger.close()
            var best = Double.infinity
            var checked: Int64 = 0
            for _ in 0..<3 {
                let start = ContinuousClock.now
                let report = try await Ledger.verify(directory, structure: false)
                best = min(best, (ContinuousClock.now - start).seconds)
                guard report.isSound else { throw Failure("bench.unsound", "\(report)") }
                checked = report.rows
            }
            let rate = Double(checked) / best
            report(
                "log: offline verify of \(checked) rows, rows/s", format(rate, 0), goal: ">= 300000",
                met: rate >= 300_000)
            let hashing = try hashes(of: Int(checked))
            report("log: offline verify, time / hashing the same leaves and tree", format(best / hashing, 1))
        }
    }

    /// Seconds for the least that any verifier must do: a leaf hash and the tree above it for each row.
    private static func hashes(of rows: Int) throws -> Double {
        let entry = [UInt8](repeating: 0x61, count: 220)
        return best(of: 3) {
            var range = MerkleRange()
            for _ in 0..<rows { range.append(.leaf(entry)) }
        }
    }

    // MARK: - Proofs

    private static func proofs(rows: Int) async throws {
        try await withDirectory { path in
            let directory = try await HistoryBenchmark.build(rows, path + "/ledger")
            let ledger = try await Ledger.open(directory, mode: nil, access: .read, now: LedgerBenchmark.now)
            var generator = SystemRandomNumberGenerator()
            var times: [Double] = []
            for _ in 0..<1000 {
                guard let sequence = SequenceNumber(Int64.random(in: 1...Int64(rows), using: &generator)) else {
                    return
                }
                let start = ContinuousClock.now
                _ = try await ledger.inclusionProof(of: sequence)
                times.append((ContinuousClock.now - start).seconds)
            }
            await ledger.close()
            times.sort()
            let p99 = times[times.count * 99 / 100] * 1000
            report("log: inclusion proof, p99 at \(rows) rows", format(p99, 2) + " ms", goal: "<= 5 ms", met: p99 <= 5)
        }
    }
}
