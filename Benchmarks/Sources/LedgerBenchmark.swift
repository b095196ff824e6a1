import Foundation
import GRDBSQLite
import LedgerStore
import Shiplog

/// Durable appends: 64 writers against one, and against bare C INSERTs in groups of the same size on the same disk.
enum LedgerBenchmark {
    static func run() async throws {
        let single = try await append(writers: 1, rows: 400)
        let many = try await append(writers: 64, rows: 12_800)
        let group = max(1, Int(many.meanGroup.rounded()))
        let bare = try await bareInserts(rows: 12_800, group: group, entry: many.entryBytes)
        report("ledger: one writer, rows/s (synchronous=FULL)", format(single.rowsPerSecond, 0))
        report("ledger: 64 writers, rows/s", format(many.rowsPerSecond, 0))
        report("ledger: 64 writers, commits/s", format(many.commitsPerSecond, 0))
        report("ledger: mean rows a commit", format(many.meanGroup, 1))
        report("ledger: bytes a row, indexes included", format(many.bytesPerRow, 0))
        report("disk: fdatasync/s of a 4 KiB append", format(try await syncs(), 0))
        report("sqlite in C: rows/s in groups of \(group)", format(bare, 0))
        let overOne = many.rowsPerSecond / single.rowsPerSecond
        report("ledger: 64 writers / one writer", format(overOne), goal: ">= 5", met: overOne >= 5)
        let overBare = many.rowsPerSecond / bare
        report("ledger: 64 writers / bare C INSERTs", format(overBare), goal: ">= 0.25", met: overBare >= 0.25)
        // Nearly every row of a ledger repeats the one before: it stands in one index instead of ten.
        let unchanged = try await append(writers: 64, rows: 12_800, unchanged: true)
        let peer = try await bareInserts(
            rows: 12_800, group: max(1, Int(unchanged.meanGroup.rounded())), entry: unchanged.entryBytes)
        let overPeer = unchanged.rowsPerSecond / peer
        report("ledger: unchanged rows, 64 writers, rows/s", format(unchanged.rowsPerSecond, 0))
        report("ledger: unchanged rows, bytes a row, indexes included", format(unchanged.bytesPerRow, 0))
        report(
            "ledger: unchanged rows, 64 writers / bare C INSERTs", format(overPeer), goal: ">= 0.25",
            met: overPeer >= 0.25)
    }

    struct Result {
        let rowsPerSecond: Double
        let commitsPerSecond: Double
        let meanGroup: Double
        let bytesPerRow: Double
        let entryBytes: Int
    }

    /// - Parameter unchanged: rows that repeat one, as unchanged reconciles do; else each says something new.
    static func append(writers: Int, rows: Int, unchanged: Bool = false) async throws -> Result {
        try await withDirectory { path in
            let directory = try DataDirectory(path + "/data")
            let ledger = try await Ledger.open(directory, mode: .sandbox, access: .serve, now: now)
            let reference = try await register(in: ledger)
            let template = Revision(
                kind: .reconcile, application: reference, cause: .poll, actor: .controller, outcome: .succeeded,
                syncStatus: .synced, health: .healthy, startedAt: now(), finishedAt: now())
            let repeated = unchanged ? try await ledger.record(template) : nil
            let before = try await ledger.statistics()
            let start = ContinuousClock.now
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<writers {
                    group.addTask {
                        for _ in 0..<rows / writers {
                            var revision = template
                            revision.startedAt = now()
                            revision.finishedAt = now()
                            revision.sameAs = repeated
                            try await ledger.record(revision)
                        }
                    }
                }
                try await group.waitForAll()
            }
            let seconds = (ContinuousClock.now - start).seconds
            let after = try await ledger.statistics()
            let commits = after.commits.commits - before.commits.commits
            let head = try await ledger.head()
            var entry = 0
            if let head { entry = try await ledger.entry(head)?.count ?? 0 }
            await ledger.close()
            let closed = try await Ledger.open(directory, mode: nil, access: .read, now: now)
            let bytes = try await closed.statistics().bytes
            await closed.close()
            return Result(
                rowsPerSecond: Double(rows) / seconds, commitsPerSecond: Double(commits) / seconds,
                meanGroup: Double(rows) / Double(max(1, commits)), bytesPerRow: Double(bytes) / Double(rows),
                entryBytes: entry)
        }
    }

    static func register(in ledger: Ledger, _ name: String = "app") async throws -> ApplicationReference {
        let application = Application(
            name: name, namespace: "argocd",
            source: .init(
                repository: "https://git.example.org/team/app.git", path: "manifests", targetRevision: "HEAD"),
            destination: .init(cluster: .server("https://kubernetes.default.svc"), namespace: name),
            document: ["kind": "Application", "metadata": ["name": .string(name)]])
        let (registered, _) = try await ledger.putApplication(application, actor: .controller)
        return registered.reference
    }

    @Sendable static func now() -> Timestamp { Timestamp(milliseconds: Int64(Date().timeIntervalSince1970 * 1000)) }

    /// A table of a key and a text, a prepared statement, one transaction a group.
    static func bareInserts(rows: Int, group: Int, entry: Int) async throws -> Double {
        try await withDirectory { path in
            var db: OpaquePointer?
            guard sqlite3_open(path + "/bare.sqlite", &db) == SQLITE_OK else { throw CocoaError(.fileNoSuchFile) }
            defer { sqlite3_close(db) }
            for sql in [
                "PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL",
                "CREATE TABLE t (sequence INTEGER PRIMARY KEY, entry TEXT)"
            ] { sqlite3_exec(db, sql, nil, nil, nil) }
            var statement: OpaquePointer?
            sqlite3_prepare_v2(db, "INSERT INTO t VALUES (?, ?)", -1, &statement, nil)
            defer { sqlite3_finalize(statement) }
            let text = String(repeating: "x", count: max(1, entry))
            let start = ContinuousClock.now
            var row = 0
            while row < rows {
                sqlite3_exec(db, "BEGIN IMMEDIATE", nil, nil, nil)
                for _ in 0..<min(group, rows - row) {
                    row += 1
                    sqlite3_bind_int64(statement, 1, Int64(row))
                    sqlite3_bind_text(statement, 2, text, -1, unsafeBitCast(-1, to: sqlite3_destructor_type.self))
                    sqlite3_step(statement)
                    sqlite3_reset(statement)
                }
                sqlite3_exec(db, "COMMIT", nil, nil, nil)
            }
            return Double(rows) / (ContinuousClock.now - start).seconds
        }
    }

    static func syncs() async throws -> Double {
        try await withDirectory { path in
            let file = open(path + "/sync", O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
            defer { close(file) }
            let block = [UInt8](repeating: 7, count: 4096)
            let start = ContinuousClock.now
            for _ in 0..<300 {
                _ = write(file, block, block.count)
                fdatasync(file)
            }
            return 300 / (ContinuousClock.now - start).seconds
        }
    }
}
