import Foundation
import LedgerStore
import Shiplog
import TransparencyLog

/// A server's log, checked from outside: everything is fetched as any tool of C2SP's would, and nothing is believed.
struct RemoteLog: Sendable {
    let client: Client
    /// Keys that the reader trusts; empty takes the server's word for its own.
    let keys: [NoteVerifier]
    let kept: [KeptHead]

    struct Report: Sendable {
        var checkpoint: Checkpoint
        var entries: Int64 = 0
        /// Entries that retention took: their hashes stand in the tree.
        var gone: Int64 = 0
        var finding: VerificationReport.Finding?
        var notes: [String] = []

        /// A server says of itself that retention took an entry. Its hash is in the tree; what it said, nobody has seen.
        mutating func tellOfGone(complete: Bool) {
            guard gone > 0, finding == nil else { return }
            let told = "\(gone) entries were taken by retention, their hashes were proven; their content was not seen"
            if complete { finding = .init(sequence: nil, message: told) } else { notes.append(told) }
        }
    }

    func check(_ progress: (_ done: Int64, _ total: Int64) -> Void) async throws -> Report {
        let checkpoint = try Checkpoint(parsing: try await client.file("/log/checkpoint"))
        var report = Report(checkpoint: checkpoint)
        var trusted = keys
        if trusted.isEmpty {
            trusted = try await serverKeys(of: checkpoint.origin)
            report.notes.append(
                "the checkpoint was checked with the key that the server itself names; give yours with --key")
        }
        do throws(Failure) {
            let verified = try checkpoint.note.verify(trusted)
            if !verified.contains(where: { $0.key.algorithm == .cosignature }) {
                report.notes.append("self-attested: no witness that you trust has signed the checkpoint")
            }
        } catch {
            report.finding = .init(sequence: nil, message: error.message)
            return report
        }
        try await walk(&report, progress)
        return report
    }

    private func serverKeys(of origin: String) async throws -> [NoteVerifier] {
        let epochs = try await client.get("/log")["epochs"]?.array ?? []
        let texts = epochs.filter { $0["origin"]?.string == origin }.flatMap { $0["keys"]?.array ?? [] }
        return try texts.compactMap(\.string).map { try NoteVerifier($0) }
    }

    private func walk(_ report: inout Report, _ progress: (Int64, Int64) -> Void) async throws {
        let head = report.checkpoint.head
        var tree = MerkleRange()
        var lastTime = Int64.min
        var kept = kept.sorted { $0.head.size < $1.head.size }
        if let beyond = kept.last, beyond.head.size > head.size {
            report.finding = .init(
                sequence: SequenceNumber(head.size + 1),
                message: "is missing: \(beyond.name) has \(beyond.head.size) entries, the server \(head.size)")
            return
        }
        kept.removeAll { $0.head.size == 0 }
        for tile in Tile.entries(from: 0, size: head.size) {
            let first = tile.index * 256 + 1
            let leaves = try await leaves(tile)
            let entries = try await entries(tile)
            if let entries {
                guard entries.count == tile.width else {
                    report.finding = .init(
                        sequence: SequenceNumber(first), message: "its tile holds \(entries.count) entries")
                    return
                }
                for (offset, entry) in entries.enumerated() {
                    let number = first + Int64(offset)
                    if let message = fault(entry, number, leaves[offset], &lastTime) {
                        report.finding = .init(sequence: SequenceNumber(number), message: message)
                        return
                    }
                }
            } else {
                report.gone += Int64(tile.width)
            }
            for leaf in leaves {
                tree.append(leaf)
                guard let next = kept.first, next.head.size == tree.end else { continue }
                kept.removeAll { $0.head.size == tree.end && $0.head == tree.head }
                if kept.first?.head.size == tree.end {
                    report.finding = .init(
                        sequence: nil, message: "the first \(tree.end) entries are not those of \(next.name)")
                    return
                }
            }
            report.entries = tree.end
            progress(tree.end, head.size)
        }
        if tree.head != head {
            report.finding = .init(
                sequence: nil, message: "the tree over the entries is not the one that the checkpoint signs")
        }
    }

    private func fault(
        _ entry: ArraySlice<UInt8>, _ number: Int64, _ leaf: MerkleHash, _ lastTime: inout Int64
    ) -> String? {
        guard MerkleHash.leaf(entry) == leaf else { return "its entry is not the one that was hashed" }
        guard let json = try? JSON(parsing: Array(entry)), json["sequence"]?.integer == number,
            let time = json["recordedAt"]?.integer
        else { return "its entry does not say that it is #\(number)" }
        guard time >= lastTime else { return "was recorded before the row in front of it" }
        lastTime = time
        return nil
    }

    private func leaves(_ tile: Tile) async throws -> [MerkleHash] {
        let bytes = try await client.file("/log/tile/" + Tile(level: 0, index: tile.index, width: tile.width).path)
        let hashes = stride(from: 0, to: bytes.count, by: 32).compactMap {
            MerkleHash(bytes: bytes[$0..<min(bytes.count, $0 + 32)])
        }
        guard hashes.count == tile.width else {
            throw CommandError(
                .integrity, "log.tile-wrong", "the tile \(tile.path) does not hold \(tile.width) hashes")
        }
        return hashes
    }

    /// nil when retention has taken some of them.
    private func entries(_ tile: Tile) async throws -> [ArraySlice<UInt8>]? {
        do {
            return EntryBundle.entries(of: try await client.file("/log/tile/" + tile.path)) ?? []
        } catch let error as CommandError where error.failure.code == .logEntriesGone {
            return nil
        }
    }
}
