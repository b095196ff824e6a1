public import LedgerStore
import Shiplog

/// In what form an export goes out.
public enum ExportFormat: String, Sendable, Hashable, CaseIterable {
    /// A zip file that proves itself.
    case pack
    /// The matches' entries, a line each: the exact bytes that were hashed.
    case jsonl
    case csv
    /// CloudEvents 1.0, a line each.
    case cloudevents
    /// OCSF, a line each.
    case ocsf

    public var mediaType: String {
        switch self {
        case .pack: "application/zip"
        case .csv: "text/csv; charset=utf-8; header=present"
        case .jsonl, .ocsf: "application/jsonl; charset=utf-8"
        // What a batch of CloudEvents has is a list; lines of them have no media type of their own.
        case .cloudevents: "application/jsonl; charset=utf-8"
        }
    }

    public var suffix: String {
        switch self {
        case .pack: "zip"
        case .csv: "csv"
        case .jsonl, .cloudevents, .ocsf: "jsonl"
        }
    }
}

/// Takes a piece of an export; it waits until there is room for more.
public typealias ExportSink = (_ piece: [UInt8]) async throws -> Void

/// The matches of a selection in one of the forms that programs read.
public struct ExportStream: Sendable {
    let ledger: Ledger
    let selection: Selection
    let format: ExportFormat

    /// - Parameter format: any but `pack`, which has more to say than the matches.
    public init(_ selection: Selection, of ledger: Ledger, as format: ExportFormat) {
        self.ledger = ledger
        self.selection = selection
        self.format = format
    }

    /// Pieces are near this size.
    static let piece = 64 << 10

    public func write(to sink: ExportSink) async throws {
        var buffer: [UInt8] = []
        if format == .csv { buffer += CSVFormat.header }
        try await Matches(ledger, selection).forEach { entry in
            switch format {
            case .csv: buffer += CSVFormat.line(entry)
            case .cloudevents: buffer += CloudEventFormat.event(entry).canonicalBytes + [0x0A]
            case .ocsf: buffer += OCSFFormat.event(entry).canonicalBytes + [0x0A]
            case .jsonl, .pack: buffer += entry.bytes + [0x0A]
            }
            guard buffer.count >= Self.piece else { return }
            try await sink(buffer)
            buffer = []
        }
        if !buffer.isEmpty { try await sink(buffer) }
    }
}

/// The entries that match, read run by run.
struct Matches {
    private let ledger: Ledger
    private let selection: Selection

    init(_ ledger: Ledger, _ selection: Selection) {
        self.ledger = ledger
        self.selection = selection
    }

    /// - Throws: `log.entries-gone` when retention took a match since it was selected.
    func forEach(_ body: (ExportedEntry) async throws -> Void) async throws {
        var next = selection.range?.lowerBound ?? 1
        while let page = page(from: next) {
            let entries = try await ledger.entries(page)
            let leaves = try await ledger.leaves(page)
            for (sequence, (bytes, leaf)) in zip(page, zip(entries, leaves)) where selection.matches.contains(sequence)
            {
                guard let bytes else { throw Self.gone(sequence) }
                try await body(
                    ExportedEntry(
                        ledger: ledger.uid, sequence: sequence, bytes: bytes,
                        json: try Selection.parse(bytes, sequence), leaf: leaf))
            }
            next = page.upperBound + 1
            try Task.checkCancellation()
        }
    }

    /// The next pages' worth of sequences that begins with a match; it ends with one.
    func page(from next: Int64) -> ClosedRange<Int64>? {
        guard selection.range != nil, let run = selection.matches.run(from: next) else { return nil }
        let limit = run.lowerBound + Ledger.pageOfEntries - 1
        var last = min(run.upperBound, limit)
        while last < limit, let more = selection.matches.run(from: last + 1), more.lowerBound <= limit {
            last = min(more.upperBound, limit)
        }
        return run.lowerBound...last
    }

    static func gone(_ sequence: Int64) -> Failure {
        Failure(
            "log.entries-gone", "retention took the entry #\(sequence) while it was exported",
            remedy: "ask again: the next export knows that it is gone", next: .retry(afterMilliseconds: nil))
    }
}
