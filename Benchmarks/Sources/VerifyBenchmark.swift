import Foundation
import GRDBSQLite
import LedgerStore
import Shiplog
import TransparencyLog

/// Checking a whole ledger offline: rows a second, in time per bare hash of the same leaves, and stored manifests apart.
enum VerifyBenchmark {
    static func run(rows: [Int]) async throws {
        for size in rows.isEmpty ? [10_000, 1_000_000] : rows {
            try await withDirectory { path in try await check(try await fill(size, path + "/data"), size) }
        }
        try await withDirectory { path in try await blobs(path + "/data") }
    }

    private static func check(_ directory: DataDirectory, _ size: Int) async throws {
        var (best, hashing) = (Double.infinity, Double.infinity)
        var checked: Int64 = 0
        for _ in 0..<(size > 5_000_000 ? 1 : 3) {
            hashing = min(hashing, hashes(of: size))
            let start = ContinuousClock.now
            let report = try await Ledger.verify(directory, comparesIndexes: false)
            best = min(best, (ContinuousClock.now - start).seconds)
            guard report.isSound else { throw Failure("bench.unsound", "\(report)") }
            checked = report.rows
        }
        let rate = Double(checked) / best
        // What a ledger of a few thousand rows takes is starting, not checking.
        let isGoal = size >= 100_000
        report(
            "verify: offline, \(checked) rows, rows/s", format(rate, 0), goal: isGoal ? ">= 300000" : nil,
            met: isGoal ? rate >= 300_000 : nil)
        report("verify: \(checked) rows, time / one core hashing leaves and tree", format(best / hashing, 1))
        let start = ContinuousClock.now
        _ = try await Ledger.verify(directory)
        let whole = (ContinuousClock.now - start).seconds
        report("verify: \(checked) rows, indexes compared as well, rows/s", format(Double(checked) / whole, 0))
    }

    /// Seconds for the least that any verifier must do: a leaf hash and the tree above it for each row.
    private static func hashes(of rows: Int) -> Double {
        let entry = [UInt8](repeating: 0x61, count: 220)
        return best(of: 1) {
            var range = MerkleRange()
            for _ in 0..<rows { range.append(.leaf(entry)) }
        }
    }

    /// A ledger as polling fills it, each row with its true hash under the true tree: entries that the ledger itself wrote,
    /// each with the next number.
    private static func fill(_ rows: Int, _ path: String) async throws -> DataDirectory {
        let directory = try DataDirectory(path)
        let ledger = try await Ledger.open(directory, mode: .sandbox, access: .serve, now: LedgerBenchmark.now)
        var revisions: [Revision] = []
        for index in 0..<HistoryBenchmark.applications {
            var revision = Revision(
                kind: .reconcile, application: try await LedgerBenchmark.register(in: ledger, "app-\(index)"),
                cause: .poll, actor: .controller, outcome: .succeeded, syncStatus: .synced, health: .healthy,
                startedAt: LedgerBenchmark.now(), finishedAt: LedgerBenchmark.now())
            revision.sameAs = try await ledger.record(revision)
            revisions.append(revision)
        }
        var templates: [(front: String, back: String)] = []
        let later = "\"recordedAt\":\(LedgerBenchmark.now().milliseconds + 60_000)"
        for revision in revisions {
            let sequence = try await ledger.record(revision)
            // All at one moment behind the last: the clock of a log does not go back.
            let entry = String(decoding: try await ledger.entry(sequence) ?? [], as: UTF8.self)
                .replacing(/"recordedAt":[0-9]+/, with: later)
            let pieces = entry.components(separatedBy: "\"sequence\":\(sequence.value)")
            guard pieces.count == 2 else { throw Failure("bench.entry", "an entry does not say its number once") }
            templates.append((pieces[0] + "\"sequence\":", pieces[1]))
        }
        var leaves: [MerkleHash] = []
        let first = try await ledger.head()?.value ?? 0
        for sequence in 1...max(1, first) {
            if let sequence = SequenceNumber(sequence) { leaves.append(.leaf(try await ledger.entry(sequence) ?? [])) }
        }
        await ledger.close()
        try append(templates, rows, after: leaves, to: directory)
        return directory
    }

    private static func append(
        _ templates: [(front: String, back: String)], _ rows: Int, after leaves: [MerkleHash],
        to directory: DataDirectory
    ) throws {
        let file = try BareLedger(directory)
        defer { file.close() }
        file.run("PRAGMA synchronous = OFF")
        file.run("PRAGMA cache_size = -200000")
        var tree: MerkleRange? = MerkleRange()
        for leaf in leaves { tree?.append(leaf) }
        var sequence = Int64(leaves.count)
        var left = rows
        while left > 0 {
            file.run("BEGIN IMMEDIATE")
            for _ in 0..<min(left, 20_000) {
                sequence += 1
                let template = templates[Int(sequence) % templates.count]
                let entry = Array((template.front + String(sequence) + template.back).utf8)
                try file.append(entry, .leaf(entry), at: sequence, to: &tree)
            }
            file.run("COMMIT")
            left -= 20_000
        }
        file.run("PRAGMA wal_checkpoint(TRUNCATE)")
    }

    /// Stored manifests, of which there are few among many rows: 64 MiB of them in one attempt.
    private static func blobs(_ path: String) async throws {
        let directory = try DataDirectory(path)
        let ledger = try await Ledger.open(directory, mode: .sandbox, access: .serve, now: LedgerBenchmark.now)
        let reference = try await LedgerBenchmark.register(in: ledger)
        var generator = SystemRandomNumberGenerator()
        for part in 0..<16 {
            let resources = try (0..<256).map { index in
                var data: [String: JSON] = [:]
                for line in 0..<256 {
                    data["key-\(line)"] = .string(
                        String(UInt64.random(in: 0...UInt64.max, using: &generator), radix: 36))
                }
                let name = "settings-\(part)-\(index)"
                return try Resource([
                    "apiVersion": "v1", "kind": "ConfigMap", "data": .object(data),
                    "metadata": ["name": .string(name), "namespace": "bench"]
                ])
            }
            try await StateBenchmark.sync(resources, of: reference, in: ledger)
        }
        await ledger.close()
        var best = Double.infinity
        var bytes: Int64 = 0
        for _ in 0..<3 {
            let start = ContinuousClock.now
            let report = try await Ledger.verify(directory, comparesIndexes: false)
            best = min(best, (ContinuousClock.now - start).seconds)
            guard report.isSound else { throw Failure("bench.unsound", "\(report)") }
            bytes = report.blobBytes
        }
        report("verify: stored manifests, \(bytes >> 20) MiB, MB/s", format(Double(bytes) / best / 1e6, 0))
    }
}
