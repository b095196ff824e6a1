import Evidence
import Foundation
import GRDBSQLite
import LedgerStore
import Shiplog
import TransparencyLog

/// Exports of a whole ledger against reading the same rows with SQLite alone, and the memory that they take.
enum ExportBenchmark {
    static func run(rows: [Int]) async throws {
        for size in rows.isEmpty ? [200_000] : rows {
            try await withDirectory { path in
                let directory = try await HistoryBenchmark.build(size, path + "/ledger")
                let peer = try best(of: 3) { try read(directory) }
                let ledger = try await Ledger.open(directory, mode: nil, access: .read, now: LedgerBenchmark.now)
                let entries = Double(try await ledger.head()?.value ?? 0)
                var filter = EvidenceFilter()
                filter.includeUnchanged = true
                try await measure("pack, what changed", entries, peer, goal: 50_000) {
                    try await pack(ledger, EvidenceFilter(), $0)
                }
                try await measure("pack, every entry a match", entries, peer) { try await pack(ledger, filter, $0) }
                for format in [ExportFormat.jsonl, .csv, .cloudevents, .ocsf] {
                    let goal: Double? = format == .jsonl ? 50_000 : nil
                    try await measure(format.rawValue, entries, peer, goal: goal) { sink in
                        let size = Int64(entries)
                        let selection = try await Selection.make(.init(filter), in: ledger, size: size)
                        try await ExportStream(selection, of: ledger, as: format).write(to: sink)
                    }
                }
                await ledger.close()
            }
        }
    }

    private static func measure(
        _ name: String, _ entries: Double, _ peer: Double, goal: Double? = nil,
        _ body: (ExportSink) async throws -> Void
    ) async throws {
        // The peak counts from here.
        try? "5".write(toFile: "/proc/self/clear_refs", atomically: false, encoding: .utf8)
        let before = peak()
        var bytes = 0
        let start = ContinuousClock.now
        try await body { bytes += $0.count }
        let took = (ContinuousClock.now - start).seconds
        let speed = entries / took
        report(
            "export \(name): entries/s of \(Int(entries))", "\(Int(speed)), \(bytes >> 20) MiB out",
            goal: goal.map { ">= \(Int($0))" }, met: goal.map { speed >= $0 })
        report(
            "  time / reading the rows with SQLite; peak memory grew by",
            "\(format(took / peer)); \(peak() - before) KiB")
    }

    /// The most memory since the peak was reset, in KiB.
    private static func peak() -> Int {
        let text = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
        let line = text.split(separator: "\n").first { $0.hasPrefix("VmHWM:") } ?? ""
        return line.split(separator: " ").compactMap { Int($0) }.first ?? 0
    }

    private static func pack(_ ledger: Ledger, _ filter: EvidenceFilter, _ sink: ExportSink) async throws {
        guard let size = try await ledger.head()?.value, let signer = NoteSigner(name: "bench.example") else { return }
        // The fixture's leaves are nothing's hashes: what costs time is the same.
        let checkpoint = try Checkpoint(
            origin: "bench.example", TreeHead(size: size, root: .empty), signers: [signer])
        let selection = try await Selection.make(.init(filter), in: ledger, size: size)
        let pack = try await EvidencePack(selection, of: ledger, under: checkpoint, standing: .init(epochs: []))
        try await pack.write(
            .init(at: LedgerBenchmark.now(), actor: .controller, version: "bench", event: nil), to: sink)
    }

    /// Every entry in the log's order, each touched.
    private static func read(_ directory: DataDirectory) throws {
        var db: OpaquePointer?
        guard sqlite3_open(directory.ledger, &db) == SQLITE_OK else { throw CocoaError(.fileNoSuchFile) }
        defer { sqlite3_close(db) }
        var statement: OpaquePointer?
        sqlite3_prepare_v2(
            db,
            """
            SELECT sequence, entry FROM revision NOT INDEXED WHERE sequence > 0
            UNION ALL SELECT sequence, entry FROM event NOT INDEXED WHERE sequence > 0 ORDER BY sequence
            """, -1, &statement, nil)
        defer { sqlite3_finalize(statement) }
        var bytes: Int32 = 0
        while sqlite3_step(statement) == SQLITE_ROW {
            _ = sqlite3_column_text(statement, 1)
            bytes &+= sqlite3_column_bytes(statement, 1)
        }
    }
}
