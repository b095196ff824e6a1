import Evidence
import Foundation
import LedgerStore
import Shiplog
import TransparencyLog

/// Checks a pack and says what was found.
enum EvidenceText {
    static func verify(
        _ path: String, keys: [NoteVerifier], kept: [KeptHead], _ out: Output
    ) throws {
        let progress = ProgressLine(isOn: Talk.isTerminal && out.format == .table)
        let report = try check(path, keys, kept, progress)
        out.show(report.document) { text(report) }
        try judge(report)
    }

    static func check(
        _ path: String, _ keys: [NoteVerifier], _ kept: [KeptHead], _ progress: ProgressLine
    ) throws(Failure) -> EvidenceReport {
        defer { progress.clear() }
        return try EvidenceVerifier.verify(path, keys: keys, kept: kept) { done, total in
            progress.show(VerificationProgress(phase: .log, done: done, total: total))
        }
    }

    /// - Throws: with exit 8 for a pack that does not hold, 2 for a checkpoint that it says nothing of.
    static func judge(_ report: EvidenceReport) throws(CommandError) {
        if let finding = report.finding {
            throw CommandError(
                .integrity, "evidence.wrong",
                (finding.sequence.map { "the first bad entry is #\($0): " } ?? "the pack does not hold: ")
                    + finding.message, remedy: "keep the file as it is, and ask for another")
        }
        if let first = report.unproven.first {
            throw CommandError(
                .trouble, "evidence.unproven", first,
                remedy: "export again with --checkpoint, or compare the two with `shiplog ledger consistency`")
        }
    }

    static func text(_ report: EvidenceReport) -> String {
        var text = ""
        for note in report.notes { text += "note: " + Terminal.harmless(note) + "\n" }
        if let finding = report.finding { return text + Terminal.harmless("\(finding)") + "\n" }
        guard let checkpoint = report.checkpoint, let range = report.range else { return text }
        text += "\(report.entries) entries of \(Terminal.harmless(checkpoint.origin)), #\(range.lowerBound) to "
        text += "#\(range.upperBound), are those that the checkpoint over \(checkpoint.head.size) signs\n"
        text += "\(report.matches) of them fit the question "
        text += Terminal.harmless(report.filter.canonicalString)
        text += (report.isComplete ? ", and no other does" : "") + "; \(report.bodies) bodies are theirs\n"
        text +=
            "tree head: \(checkpoint.head)\nsigned by: \(Terminal.harmless(report.signers.joined(separator: ", ")))\n"
        return text
    }
}
