import ArgumentParser
import Foundation
import LedgerStore
import Shiplog
import TransparencyLog

/// `shiplog ledger verify`.
struct LedgerVerifyCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Check every row, body, digest and gap: of a data directory, a server, or an evidence pack.",
        discussion: """
            Examples:
              shiplog ledger verify
              shiplog ledger verify --data /var/lib/shiplog -o json
              shiplog ledger verify --checkpoint monday.checkpoint     hold it to what you kept
              shiplog ledger verify --server https://shiplog.example.org --key "$(cat shiplog.vkey)"
              shiplog ledger verify q4.zip --checkpoint monday.checkpoint

            A checkpoint that is kept elsewhere makes history that was changed afterwards visible, whoever changed it.
            Of a server every entry is fetched and hashed here; with a token that may audit, the server checks its file
            besides. Exit 0 when the ledger is sound, 8 when it is not; the first bad row is named.
            """)

    @Argument(
        help: ArgumentHelp(
            "An evidence pack, checked with no ledger at hand. (default: the data directory)", valueName: "pack.zip"),
        completion: .file(extensions: ["zip"]))
    var pack: String?

    @Option(
        help: ArgumentHelp(
            "A checkpoint of an earlier time: the ledger must still begin with exactly those entries.",
            valueName: "file"), completion: .file())
    var checkpoint: [String] = []

    @Option(
        help: ArgumentHelp(
            "A verifier key that you trust, the log's or a witness's. (default: the log's own word)", valueName: "key"))
    var key: [String] = []

    @Option(
        help: ArgumentHelp("A tree head of an earlier time, as an earlier run printed it.", valueName: "size:root"))
    var extends: String?

    @Flag(
        help: ArgumentHelp(
            "Do not compare SQLite's indexes with their tables: half the time. Rows, hashes and digests are checked all the same."
        ))
    var skipIndexes = false

    @Flag(help: "Of a server: take it for unsound when it says that retention took entries.")
    var complete = false

    @Option(
        help: ArgumentHelp(
            "The folder of published checkpoints. (default: checkpoints in the data directory)", valueName: "dir"))
    var checkpoints: String?

    @OptionGroup var data: DataOption
    @OptionGroup var server: ServerOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        if complete, server.server == nil { throw ValidationError("--complete asks a server, with --server") }
        if checkpoints != nil || skipIndexes, pack != nil || server.server != nil {
            throw ValidationError("--checkpoints and --skip-indexes belong to a data directory")
        }
        if server.server != nil, data.data != nil {
            throw ValidationError("--server and --data both say which ledger is meant")
        }
        if pack != nil, server.server != nil || data.data != nil {
            throw ValidationError("a pack is checked by itself, without --server and --data")
        }
    }

    func run() async throws {
        let keys: [NoteVerifier]
        let kept: [KeptHead]
        do throws(Failure) {
            keys = try key.map { (text) throws(Failure) in try NoteVerifier(text) }
            kept = try self.kept(keys)
        } catch {
            throw CommandError(error.code == "log.signature-wrong" ? .integrity : .usage, error)
        }
        if let pack {
            try EvidenceText.verify(pack, keys: keys, kept: kept, output.out)
        } else if server.server != nil {
            try await verifyServer(keys, kept)
        } else {
            try await verifyDirectory(keys, kept)
        }
    }

    /// What the reader holds the ledger to. A checkpoint whose signature can be checked is checked.
    private func kept(_ keys: [NoteVerifier]) throws(Failure) -> [KeptHead] {
        var kept: [KeptHead] = []
        if let extends { kept.append(KeptHead(try TreeHead(extends))) }
        for file in checkpoint {
            let checkpoint = try Checkpoint(parsing: try Places.read(file))
            if !keys.isEmpty { try checkpoint.note.verify(keys) }
            kept.append(KeptHead(checkpoint.head, name: "the checkpoint \(file)"))
        }
        return kept
    }

    // MARK: - A data directory

    private func verifyDirectory(_ keys: [NoteVerifier], _ kept: [KeptHead]) async throws {
        let out = output.out
        let progress = ProgressLine(isOn: Talk.isTerminal && out.format == .table)
        let report: VerificationReport
        var kept = kept
        do throws(Failure) {
            let directory = try data.directory()
            if let published = try await Ledger.published(of: directory, in: checkpoints, trusting: keys) {
                Talk.warn("held to \(published.name)")
                kept.append(published)
            }
            report = try await Ledger.verify(directory, kept: kept, comparesIndexes: !skipIndexes) {
                progress.show($0)
            }
        } catch {
            progress.clear()
            throw error.code == "ledger.corrupt" || error.code == "log.signature-wrong"
                ? CommandError(.integrity, error) : CommandError(.of(error), error)
        }
        progress.clear()
        out.show(report.document) { Self.text(report) }
        if let first = report.first { throw Self.unsound(first) }
    }

    static func unsound(_ first: VerificationReport.Finding) -> CommandError {
        CommandError(
            .integrity,
            Failure(
                "ledger.unsound",
                (first.sequence.map { "the first bad row is \($0): " } ?? "the ledger is not sound: ") + first.message,
                remedy: "keep the file as it is, and compare it with a replica or a backup"))
    }

    static func text(_ report: VerificationReport) -> String {
        var text = ""
        for note in report.notes { text += "note: " + Terminal.harmless(note) + "\n" }
        if report.isSound {
            return text + "\(report)\n" + (report.treeHead.map { "tree head: \($0)\n" } ?? "")
        }
        for finding in report.findings { text += Terminal.harmless("\(finding)") + "\n" }
        let more = report.findingCount - Int64(report.findings.count)
        return text + (more > 0 ? "and \(more) more\n" : "")
    }

    // MARK: - A server

    private func verifyServer(_ keys: [NoteVerifier], _ kept: [KeptHead]) async throws {
        let out = output.out
        let client = try server.client()
        let progress = ProgressLine(isOn: Talk.isTerminal && out.format == .table)
        var report = try await RemoteLog(client: client, keys: keys, kept: kept).check { done, total in
            progress.show(VerificationProgress(phase: .log, done: done, total: total))
        }
        progress.clear()
        report.tellOfGone(complete: complete)
        var own: JSON?
        if report.finding == nil {
            if client.hasToken {
                own = try await client.post("/log/verify", .object([:]))
            } else {
                report.notes.append("blobs, bodies and projections were not checked: that wants a token that may audit")
            }
        }
        let finding = report.finding ?? own.flatMap(Self.first)
        let document = JSON.members([
            "sound": .bool(finding == nil), "entries": .integer(report.entries), "gone": .integer(report.gone),
            "treeHead": .string(report.checkpoint.head.description), "origin": .string(report.checkpoint.origin),
            "notes": .array(report.notes.map { .string($0) }), "server": own,
            "findings": .array(
                finding.map {
                    [.members(["sequence": $0.sequence.map { .integer($0.value) }, "message": .string($0.message)])]
                } ?? [])
        ])
        out.show(document) { Self.text(report, finding, own) }
        if let finding { throw Self.unsound(finding) }
    }

    /// What the server found wrong with itself.
    private static func first(_ own: JSON) -> VerificationReport.Finding? {
        guard own["sound"]?.bool != true else { return nil }
        let first = own["findings"]?.array?.first
        return VerificationReport.Finding(
            sequence: first?["sequence"]?.integer.flatMap { SequenceNumber($0) },
            message: first?["message"]?.string ?? "the server finds its ledger unsound")
    }

    private static func text(
        _ report: RemoteLog.Report, _ finding: VerificationReport.Finding?, _ own: JSON?
    ) -> String {
        var text = ""
        for note in report.notes { text += "note: " + Terminal.harmless(note) + "\n" }
        if let finding { return text + Terminal.harmless("\(finding)") + "\n" }
        text += "\(report.entries) entries of \(Terminal.harmless(report.checkpoint.origin)) are sound"
        if report.gone > 0 { text += ", \(report.gone) of them by their hashes alone" }
        if let own {
            text += "; the server checked \(own["bodies"]?.integer ?? 0) bodies and \(own["blobs"]?.integer ?? 0) blobs"
        }
        return text + "\ntree head: \(report.checkpoint.head)\n"
    }
}
