import Foundation
import GRDBSQLite
import LedgerStore
import Shiplog

/// A page of 50 of an application's history and of everybody's, at growing numbers of rows: the p99 of the larger
/// against that of the smallest, which is measured again beside each.
enum HistoryBenchmark {
    static let applications = 20

    static func run(rows: [Int]) async throws {
        let sizes = rows.isEmpty ? [10_000, 1_000_000] : rows
        guard let smallest = sizes.first else { return }
        try await withDirectory { path in
            let small = try await build(smallest, path + "/small")
            report("history: p99 of a page of 50 at \(smallest) rows", format(try await p99(small) * 1000, 3) + " ms")
            for size in sizes.dropFirst() {
                let start = ContinuousClock.now
                let large = try await build(size, path + "/large-\(size)")
                let took = (ContinuousClock.now - start).seconds
                // In turns, so that a noisy neighbour meets both; the best of several p99s of each.
                var ours = Double.infinity
                var base = Double.infinity
                for _ in 0..<5 {
                    base = min(base, try await p99(small))
                    ours = min(ours, try await p99(large))
                }
                report(
                    "history: p99 at \(size) rows / at \(smallest) (built in \(Int(took)) s)", format(ours / base),
                    goal: "<= 1.5", met: ours / base <= 1.5)
                try? FileManager.default.removeItem(atPath: path + "/large-\(size)")
            }
        }
    }

    /// A ledger whose rows were written by SQLite itself from a few real ones: the pages' queries see the same shapes.
    static func build(_ rows: Int, _ path: String) async throws -> DataDirectory {
        let directory = try DataDirectory(path)
        let ledger = try await Ledger.open(directory, mode: .sandbox, access: .serve, now: LedgerBenchmark.now)
        var references: [ApplicationReference] = []
        for index in 0..<applications {
            references.append(try await LedgerBenchmark.register(in: ledger, "app-\(index)"))
        }
        // What is copied are entries as the ledger itself writes them: one that says something, one that repeats it.
        var templates: [[String]] = []
        for reference in references {
            var revision = Revision(
                kind: .reconcile, application: reference, cause: .poll, actor: .controller, outcome: .succeeded,
                syncStatus: .synced, health: .healthy, startedAt: LedgerBenchmark.now(),
                finishedAt: LedgerBenchmark.now())
            let changed = try await ledger.record(revision)
            revision.sameAs = changed
            let unchanged = try await ledger.record(revision)
            var texts: [String] = []
            for sequence in [changed, unchanged] {
                texts.append(String(decoding: try await ledger.entry(sequence) ?? [], as: UTF8.self))
            }
            templates.append(texts)
        }
        let first = try await ledger.head()?.value ?? 0
        await ledger.close()
        // Every tenth row says something new; the others repeat the one before, as unchanged reconciles do.
        let rows = Int64(rows)
        let values = templates.enumerated().map { index, texts in
            "(\(index), '" + texts[0].replacingOccurrences(of: "'", with: "''") + "', '"
                + texts[1].replacingOccurrences(of: "'", with: "''") + "')"
        }.joined(separator: ",")
        try fill(
            directory,
            [
                "PRAGMA synchronous = OFF", "PRAGMA cache_size = -200000", "BEGIN",
                "CREATE TEMP TABLE app (i INTEGER PRIMARY KEY, changed TEXT, unchanged TEXT)",
                "INSERT INTO app VALUES \(values)",
                """
                INSERT INTO leaf SELECT value, zeroblob(32) FROM (
                  WITH RECURSIVE n(value) AS (
                    SELECT \(first + 1) UNION ALL SELECT value + 1 FROM n WHERE value < \(first + rows))
                  SELECT value FROM n)
                """,
                """
                INSERT INTO revision (sequence, entry)
                  SELECT sequence, CASE WHEN sequence / \(applications) % 10 = 0
                    THEN json_set(changed, '$.sequence', sequence, '$.recordedAt', 1700000000000 + sequence * 1000)
                    ELSE json_set(
                      unchanged, '$.sequence', sequence, '$.recordedAt', 1700000000000 + sequence * 1000,
                      '$.sameAs', sequence - \(applications)) END
                  FROM leaf JOIN app ON app.i = sequence % \(applications) WHERE sequence > \(first)
                """,
                edge(of: first + rows), "COMMIT", "PRAGMA wal_checkpoint(TRUNCATE)"
            ])
        return directory
    }

    /// Opening a ledger reads the tree's edge: hashes have to stand there, whatever they are.
    static func edge(of size: Int64) -> String {
        """
        INSERT OR IGNORE INTO subtree SELECT level, value, zeroblob(32) FROM (
          WITH RECURSIVE n(level, value) AS (
            SELECT column1, 0 FROM (VALUES (1), (2), (3))
            UNION ALL SELECT level, value + 1 FROM n WHERE value + 1 < (\(size) >> (8 * level)))
          SELECT level, value FROM n WHERE value < (\(size) >> (8 * level)))
        """
    }

    /// Runs statements on a closed ledger without its guards: they want each row with its leaf, one by one, and a fixture
    /// is written in two sweeps.
    static func fill(_ directory: DataDirectory, _ statements: [String]) throws {
        var db: OpaquePointer?
        guard sqlite3_open(directory.ledger, &db) == SQLITE_OK else { throw CocoaError(.fileNoSuchFile) }
        defer { sqlite3_close(db) }
        for name in try triggers(of: db) { sqlite3_exec(db, "DROP TRIGGER \(name)", nil, nil, nil) }
        for sql in statements {
            var message: UnsafeMutablePointer<CChar>?
            guard sqlite3_exec(db, sql, nil, nil, &message) == SQLITE_OK else {
                throw Failure("bench.sqlite", message.map { String(cString: $0) } ?? "an error")
            }
        }
    }

    private static func triggers(of db: OpaquePointer?) throws -> [String] {
        var statement: OpaquePointer?
        sqlite3_prepare_v2(db, "SELECT name FROM sqlite_schema WHERE type = 'trigger'", -1, &statement, nil)
        defer { sqlite3_finalize(statement) }
        var names: [String] = []
        while sqlite3_step(statement) == SQLITE_ROW {
            if let text = sqlite3_column_text(statement, 0) { names.append(String(cString: text)) }
        }
        return names
    }

    static func p99(_ directory: DataDirectory) async throws -> Double {
        let ledger = try await Ledger.open(directory, mode: nil, access: .read, now: LedgerBenchmark.now)
        guard let head = try await ledger.head() else { return 0 }
        var generator = SystemRandomNumberGenerator()
        var times: [Double] = []
        for turn in 0..<400 {
            var query = RevisionQuery(limit: 50)
            if turn % 2 == 0 {
                // At ten thousand rows one application has just about a page.
                query.names = ["app-\(turn % applications)"]
            } else {
                // Anywhere in the log, not only at its warm end.
                query.cursor = SequenceNumber(Int64.random(in: 2000...head.value, using: &generator))
            }
            let start = ContinuousClock.now
            let page = try await ledger.revisions(query)
            times.append((ContinuousClock.now - start).seconds)
            guard page.items.count >= 45 else { throw Failure("bench.page", "a page has \(page.items.count) rows") }
        }
        await ledger.close()
        times.sort()
        return times[times.count * 99 / 100]
    }
}
