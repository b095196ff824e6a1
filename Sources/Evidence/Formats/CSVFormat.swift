import Foundation
import Shiplog

/// Comma-separated values as RFC 4180 has them, safe to open in a spreadsheet.
enum CSVFormat {
    static let columns = [
        "sequence", "recordedAt", "kind", "outcome", "application", "project", "applicationUID", "actor", "means",
        "tokenID", "requestID", "cause", "sync", "health", "repository", "targetRevision", "commit", "subject",
        "ticket", "attempt", "rolledBackTo", "revision", "sameAs", "startedAt", "finishedAt", "desired", "facts", "leaf"
    ]

    static let header = line(columns)

    /// From the entry alone: who holds the entry can tell whether the line is right.
    static func line(_ entry: ExportedEntry) -> [UInt8] {
        let json = entry.json
        func text(_ path: String...) -> String { json.at(path[...])?.string ?? "" }
        func number(_ name: String) -> String { json[name]?.integer.map(String.init) ?? "" }
        func time(_ name: String) -> String {
            json[name]?.integer.map { Timestamp(milliseconds: $0).description } ?? ""
        }
        return line([
            String(entry.sequence), time("recordedAt"), entry.kind, entry.outcome, text("application", "name"),
            text("application", "project"), text("application", "uid"), entry.actor, entry.means,
            text("actor", "tokenID"), text("actor", "requestID"), text("cause"),
            entry.isRevision ? json["sync"]?.string ?? "Synced" : "",
            entry.isRevision ? json["health"]?.string ?? "Healthy" : "", text("source", "repository"),
            text("source", "targetRevision"), text("source", "commit", "id"), text("source", "commit", "subject"),
            text("ticket"), number("attempt"), number("rolledBackTo"), number("revision"), number("sameAs"),
            time("startedAt"), time("finishedAt"), text("desired"), json["facts"]?.canonicalString ?? "",
            entry.leafText
        ])
    }

    private static func line(_ cells: [String]) -> [UInt8] {
        var bytes: [UInt8] = []
        for (index, cell) in cells.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            append(cell, to: &bytes)
        }
        return bytes + [0x0D, 0x0A]
    }

    /// A spreadsheet takes what begins so for a formula, and runs it.
    private static let dangerous = Array("=+-@\t\r\n".utf8)

    private static func append(_ cell: String, to bytes: inout [UInt8]) {
        let text = cell.utf8
        let isDangerous = text.first.map(dangerous.contains) ?? false
        guard isDangerous || text.contains(where: { $0 == 0x22 || $0 == 0x2C || $0 == 0x0D || $0 == 0x0A }) else {
            bytes += text
            return
        }
        bytes.append(0x22)
        if isDangerous { bytes.append(UInt8(ascii: "'")) }
        for byte in text {
            if byte == 0x22 { bytes.append(0x22) }
            bytes.append(byte)
        }
        bytes.append(0x22)
    }
}
