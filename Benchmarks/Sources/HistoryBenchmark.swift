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
        let first = try await ledger.head()?.value ?? 0
        await ledger.close()
        var db: OpaquePointer?
        guard sqlite3_open(directory.ledger, &db) == SQLITE_OK else { throw CocoaError(.fileNoSuchFile) }
        defer { sqlite3_close(db) }
        // Every tenth row says something new; the others repeat the one before, as unchanged reconciles do.
        let names = references.map { "'\($0.uid)'" }.joined(separator: ",")
        for sql in [
            "PRAGMA synchronous = OFF", "PRAGMA cache_size = -200000", "BEGIN",
            "CREATE TEMP TABLE app (i INTEGER PRIMARY KEY, uid TEXT)",
            "INSERT INTO app SELECT key, value FROM json_each(json_array(\(names)))",
            """
            INSERT INTO leaf SELECT value, zeroblob(32) FROM (
              WITH RECURSIVE n(value) AS (SELECT \(first + 1) UNION ALL SELECT value + 1 FROM n WHERE value < \(first + Int64(rows)))
              SELECT value FROM n)
            """,
            """
            INSERT INTO revision (sequence, entry) SELECT sequence, '{"actor":{"means":"controller","name":"shiplog"},"application":{"name":"app-'
                || (sequence % \(applications)) || '","project":"default","uid":"' || app.uid || '"},"cause":"poll",'
                || '"finishedAt":' || (1700000000000 + sequence * 1000) || ',"health":"Healthy","kind":"reconcile","outcome":"succeeded",'
                || '"recordedAt":' || (1700000000000 + sequence * 1000)
                || CASE WHEN sequence / \(applications) % 10 = 0 THEN '' ELSE ',"sameAs":' || (sequence - \(applications)) END
                || ',"sequence":' || sequence || ',"startedAt":' || (1700000000000 + sequence * 1000)
                || ',"sync":"Synced","v":1}'
              FROM leaf JOIN app ON app.i = sequence % \(applications) WHERE sequence > \(first)
            """, "COMMIT", "PRAGMA wal_checkpoint(TRUNCATE)"
        ] {
            var message: UnsafeMutablePointer<CChar>?
            guard sqlite3_exec(db, sql, nil, nil, &message) == SQLITE_OK else {
                throw Failure("bench.sqlite", message.map { String(cString: $0) } ?? "an error")
            }
        }
        return directory
    }

    static func p99(_ directory: DataDirectory) async throws -> Double {
        let ledger = try await Ledger.open(directory, mode: nil, access: .read, now: LedgerBenchmark.now)
        guard let head = try await ledger.head() else { return 0 }
        var generator = SystemRandomNumberGenerator()
        var times: [Double] = []
        for turn in 0..<400 {
            var query = RevisionQuery(limit: 50)
            if turn % 2 == 0 { query.names = ["app-\(turn % applications)"] }
            // Anywhere in the log, not only at its warm end.
            query.cursor = SequenceNumber(Int64.random(in: 2000...head.value, using: &generator))
            let start = ContinuousClock.now
            let page = try await ledger.revisions(query)
            times.append((ContinuousClock.now - start).seconds)
            guard page.items.count == 50 else { throw Failure("bench.page", "a page has \(page.items.count) rows") }
        }
        await ledger.close()
        times.sort()
        return times[times.count * 99 / 100]
    }
}
