import Foundation
import LedgerStore
import Shiplog
import TransparencyLog

/// What the tree over the log costs each append and how long a proof takes.
enum LogBenchmark {
    static func run(rows: [Int]) async throws {
        try await tree()
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
            let file = try BareLedger(directory)
            defer { file.close() }
            var tree: MerkleRange? = MerkleRange()
            for _ in 0..<last.value { tree?.append(.empty) }
            if !hashes { tree = nil }
            let start = ContinuousClock.now
            var sequence = last.value
            while sequence < last.value + rows {
                file.run("BEGIN IMMEDIATE")
                for _ in 0..<group {
                    sequence += 1
                    let text = Array((pieces[0] + "\"sequence\":\(sequence)" + pieces[1]).utf8)
                    try file.append(text, hashes ? .leaf(text) : .empty, at: sequence, to: &tree)
                }
                file.run("COMMIT")
            }
            return (ContinuousClock.now - start).seconds
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
