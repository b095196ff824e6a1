import Foundation
import GRDBSQLite
import LedgerStore
import Shiplog

/// What was deployed at a moment, of a thousand applications: at growing numbers of rows, against the smallest, which is
/// measured again beside each.
enum StateBenchmark {
    static let applications = 1000

    static func run(rows: [Int]) async throws {
        let sizes = rows.isEmpty ? [10_000, 1_000_000] : rows
        guard let smallest = sizes.first else { return }
        try await withDirectory { path in
            let small = try await build(smallest, path + "/small")
            let alone = try await median(small)
            report(
                "state: \(applications) applications at a moment, \(smallest) rows", format(alone * 1000, 1) + " ms",
                goal: "<= 50 ms", met: alone <= 0.05)
            for size in sizes.dropFirst() {
                let large = try await build(size, path + "/large-\(size)")
                var ours = Double.infinity
                var base = Double.infinity
                for _ in 0..<5 {
                    base = min(base, try await median(small))
                    ours = min(ours, try await median(large))
                }
                report(
                    "state: \(applications) applications at a moment, \(size) rows", format(ours * 1000, 1) + " ms",
                    goal: "<= 50 ms", met: ours <= 0.05)
                report(
                    "state: \(size) rows / \(smallest) rows", format(ours / base), goal: "<= 1.5",
                    met: ours / base <= 1.5)
                try? FileManager.default.removeItem(atPath: path + "/large-\(size)")
            }
        }
    }

    /// Moments all over the log, as a person goes back and forth.
    private static func median(_ directory: DataDirectory) async throws -> Double {
        let ledger = try await Ledger.open(directory, mode: nil, access: .read, now: LedgerBenchmark.now)
        guard let head = try await ledger.head() else { return 0 }
        var times: [Double] = []
        for turn in 1...9 {
            let at = SequenceNumber(max(1, head.value - head.value / 20 * Int64(turn))) ?? head
            let start = ContinuousClock.now
            let page = try await ledger.states(at: .sequence(at))
            times.append((ContinuousClock.now - start).seconds)
            guard page.items.count == applications,
                page.items.allSatisfy({ if case .whole = $0.content { true } else { false } })
            else { throw Failure("bench.state", "\(page.items.count) applications are not all whole") }
        }
        await ledger.close()
        return times.sorted()[times.count / 2]
    }

    /// A thousand applications with a real sync each, then rows that SQLite copies from theirs: of fifty, one is another
    /// finished sync, the others repeat the one before.
    private static func build(_ rows: Int, _ path: String) async throws -> DataDirectory {
        let directory = try DataDirectory(path)
        let ledger = try await Ledger.open(directory, mode: .sandbox, access: .serve, now: LedgerBenchmark.now)
        var templates: [(String, String)] = []
        for index in 0..<applications {
            let reference = try await LedgerBenchmark.register(in: ledger, "app-\(index)")
            templates.append(try await history(of: reference, in: ledger))
        }
        let first = try await ledger.head()?.value ?? 0
        await ledger.close()
        let quoted = { (text: String) in "'" + text.replacingOccurrences(of: "'", with: "''") + "'" }
        let values = templates.enumerated().map { "(\($0), \(quoted($1.0)), \(quoted($1.1)))" }.joined(separator: ",")
        try HistoryBenchmark.fill(
            directory,
            [
                "PRAGMA synchronous = OFF", "PRAGMA cache_size = -200000", "BEGIN",
                "CREATE TEMP TABLE app (i INTEGER PRIMARY KEY, applied TEXT, unchanged TEXT)",
                "INSERT INTO app VALUES \(values)",
                """
                INSERT INTO leaf SELECT value, zeroblob(32) FROM (
                  WITH RECURSIVE n(value) AS (
                    SELECT \(first + 1) UNION ALL SELECT value + 1 FROM n WHERE value < \(first + Int64(rows)))
                  SELECT value FROM n)
                """,
                """
                INSERT INTO revision (sequence, entry)
                  SELECT sequence, CASE WHEN sequence / \(applications) % 50 = 0
                    THEN json_set(applied, '$.sequence', sequence, '$.attempt', sequence,
                      '$.recordedAt', 1800000000000 + sequence * 1000)
                    ELSE json_set(unchanged, '$.sequence', sequence, '$.recordedAt', 1800000000000 + sequence * 1000)
                    END
                  FROM leaf JOIN app ON app.i = sequence % \(applications) WHERE sequence > \(first)
                """, HistoryBenchmark.edge(of: first + Int64(rows)), "COMMIT", "PRAGMA wal_checkpoint(TRUNCATE)"
            ])
        return directory
    }

    /// A sync that succeeded and a look that found it unchanged, as the ledger writes them.
    private static func history(
        of reference: ApplicationReference, in ledger: Ledger
    ) async throws -> (applied: String, unchanged: String) {
        let resource = try Resource([
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": ["name": .string(reference.name), "namespace": "demo"], "data": ["text": "hello"]
        ])
        let applied = try await sync([resource], of: reference, in: ledger)
        var look = Revision(
            kind: .reconcile, application: reference, cause: .poll, actor: .controller, outcome: .succeeded,
            syncStatus: .synced, health: .healthy, startedAt: LedgerBenchmark.now(), finishedAt: LedgerBenchmark.now())
        look.sameAs = try await ledger.record(look)
        let unchanged = try await ledger.record(look)
        var texts: [String] = []
        for sequence in [applied, unchanged] {
            texts.append(String(decoding: try await ledger.entry(sequence) ?? [], as: UTF8.self))
        }
        return (texts[0], texts[1])
    }

    /// A sync that created these, begun and ended.
    @discardableResult
    static func sync(
        _ resources: [Resource], of reference: ApplicationReference, in ledger: Ledger
    ) async throws -> SequenceNumber {
        let now = LedgerBenchmark.now()
        guard let id = CommitID(String(repeating: "a", count: 40)) else { throw Failure("bench.commit", "no commit") }
        let commit = Commit(
            id: id, tree: id.hex, author: "Ada <ada@example.org>", authoredAt: now, committedAt: now,
            subject: "Change the greeting", isSigned: false)
        let source = RevisionSource(
            repository: "https://git.example.org/team/app.git", path: "manifests", targetRevision: "HEAD",
            commit: commit)
        let attempt = try await ledger.begin(
            Intent(
                kind: .sync, application: reference,
                cluster: ClusterReference(name: "in-cluster", server: "https://kubernetes.default.svc", uid: nil),
                cause: .automated, actor: .controller, source: source, resources: resources, startedAt: now))
        var counts = Revision.Counts()
        counts.created = resources.count
        return try await ledger.finish(
            attempt,
            Revision(
                kind: .sync, application: reference, cause: .automated, actor: .controller, source: source,
                resources: resources.map { ResourceOutcome(key: $0.key, apiVersion: "v1", action: .created) },
                counts: counts,
                outcome: .succeeded, syncStatus: .synced, health: .progressing, startedAt: now, finishedAt: now))
    }
}
