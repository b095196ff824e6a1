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

    /// A spreadsheet takes what begins so for a formula, and runs it; the wide forms where East Asian text is typed.
    private static let signs: Set<Unicode.Scalar> = ["=", "+", "-", "@", "\u{FF1D}", "\u{FF0B}", "\u{FF0D}", "\u{FF20}"]
    /// What a spreadsheet may trim in front of it.
    private static let blanks: Set<Unicode.Scalar> = [
        " ", "\t", "\n", "\r", "\u{0B}", "\u{0C}", "\u{A0}", "\u{3000}"
    ]
    /// Where a program that was set to another separator begins another cell.
    private static let separators: Set<Unicode.Scalar> = [";", "\t", "\n", "\r"]

    /// The cell with an apostrophe wherever a formula could begin.
    static func guarded(_ cell: String) -> String {
        // Most begin with a letter or a digit and hold no separator.
        let isPlain = cell.utf8.first.map { (0x30...0x3A).contains($0) || (0x41...0x7F).contains($0) } ?? true
        if isPlain, !cell.utf8.contains(where: { $0 == 0x3B || $0 == 0x09 || $0 == 0x0A || $0 == 0x0D }) {
            return cell
        }
        let scalars = Array(cell.unicodeScalars)
        // From the end: whether a sign stands there, once blanks are skipped.
        var leads = Array(repeating: false, count: scalars.count)
        var lead = false
        for (place, scalar) in scalars.enumerated().reversed() {
            lead = signs.contains(scalar) || lead && blanks.contains(scalar)
            leads[place] = lead
        }
        guard leads.contains(true) || scalars.first.map({ separators.contains($0) }) ?? false else { return cell }
        var guarded = String.UnicodeScalarView()
        var isStart = true
        for (place, scalar) in scalars.enumerated() {
            if isStart && leads[place] || place == 0 && scalar != ";" && separators.contains(scalar) {
                guarded.append("'")
            }
            guarded.append(scalar)
            isStart = separators.contains(scalar)
        }
        return String(guarded)
    }

    private static func append(_ cell: String, to bytes: inout [UInt8]) {
        let guarded = Self.guarded(cell)
        let text = guarded.utf8
        let isGuarded = text.count != cell.utf8.count
        guard isGuarded || text.contains(where: { $0 == 0x22 || $0 == 0x2C || $0 == 0x0D || $0 == 0x0A }) else {
            bytes += text
            return
        }
        bytes.append(0x22)
        for byte in text {
            if byte == 0x22 { bytes.append(0x22) }
            bytes.append(byte)
        }
        bytes.append(0x22)
    }
}
