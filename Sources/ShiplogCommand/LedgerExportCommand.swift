import ArgumentParser
import Evidence
import Foundation
import KubernetesAPI
import LedgerStore
import Shiplog
import TransparencyLog

/// Where a range begins or ends: a moment, or an entry's number.
enum EdgeArgument: ExpressibleByArgument, Sendable, Equatable {
    case moment(Timestamp)
    case sequence(Int64)

    init?(argument: String) {
        if let sequence = SequenceArgument(argument: argument) {
            self = .sequence(sequence.value)
        } else if let moment = Moment(argument: argument) {
            self = .moment(moment.timestamp)
        } else {
            return nil
        }
    }
}

/// Which entries are asked for.
struct ExportFilter: ParsableArguments {
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("From then on: RFC 3339, '2026-11-20 13:00', -2h, or an entry's number.", valueName: "edge"))
    var from: EdgeArgument?
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Until before then; or to that entry, itself included.", valueName: "edge"))
    var to: EdgeArgument?
    @Option(help: ArgumentHelp("Behind that entry: where the last export ended; 0 for all.", valueName: "number"))
    var after: Int64?
    @Option(
        help: ArgumentHelp("Only of this application, by name or uid; may be given again.", valueName: "name"),
        completion: .applications)
    var app: [String] = []
    @Option(help: ArgumentHelp("Only of this project; may be given again.", valueName: "name"))
    var project: [String] = []
    @Option(
        help: ArgumentHelp("Only of this kind, such as sync or token.created; may be given again.", valueName: "kind"))
    var kind: [String] = []
    @Option(help: ArgumentHelp("Only with this cause; may be given again.", valueName: "cause"))
    var cause: [Word<Cause>] = []
    @Option(help: ArgumentHelp("Only by this person or robot.", valueName: "name"))
    var actor: String?
    @Option(help: ArgumentHelp("Only with this outcome; may be given again.", valueName: "outcome"))
    var outcome: [String] = []
    @Option(help: ArgumentHelp("Only of this commit; its first 7 digits are enough.", valueName: "sha"))
    var commit: CommitArgument?
    @Option(help: ArgumentHelp("Only events that speak of this revision.", valueName: "number"))
    var revision: SequenceArgument?
    @Option(help: ArgumentHelp("Only with this text in the subject, the ticket or the reason.", valueName: "text"))
    var grep: String?
    @Flag(help: "Also looks that found nothing new.")
    var includeUnchanged = false

    func validate() throws {
        if let after, after < 0 { throw ValidationError("--after cannot be negative") }
        if after != nil, case .sequence = from { throw ValidationError("--after and --from both name an entry") }
        for kind in kind where Revision.Kind(rawValue: kind) == nil && Event.Kind(rawValue: kind) == nil {
            throw ValidationError("\(kind) is no kind of a revision or an event")
        }
    }

    var question: Selection.Question {
        var filter = EvidenceFilter()
        filter.applications = app
        filter.projects = project
        filter.kinds = kind
        filter.causes = cause.map(\.rawValue)
        filter.outcomes = outcome
        filter.actor = actor
        filter.commit = commit?.digits
        filter.revision = revision?.value
        filter.text = grep
        filter.includeUnchanged = includeUnchanged
        var question = Selection.Question(first: after.map { $0 + 1 })
        switch from {
        case .moment(let moment): filter.from = moment
        case .sequence(let sequence): question.first = sequence
        case nil: break
        }
        switch to {
        case .moment(let moment): filter.to = moment
        case .sequence(let sequence): question.last = sequence
        case nil: break
        }
        question.filter = filter
        return question
    }

    /// As the API wants it.
    func document(_ format: ExportFormat, sizes: [Int64]) -> JSON {
        let question = question
        let filter = question.filter
        var json = filter.document
        json["from"] = filter.from.map { .string($0.description) }
        json["to"] = filter.to.map { .string($0.description) }
        json["text"] = nil
        json["q"] = filter.text.map { .string($0) }
        json["format"] = .string(format.rawValue)
        if let after { json["after"] = .integer(after) } else { json["first"] = question.first.map { .integer($0) } }
        json["last"] = question.last.map { .integer($0) }
        if !sizes.isEmpty { json["checkpoints"] = .array(sizes.map { .integer($0) }) }
        return json
    }
}

/// `shiplog ledger export`.
struct LedgerExportCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "export", abstract: "A part of the log as evidence, or as a stream for other programs.",
        discussion: """
            Examples:
              shiplog ledger export --from 2026-10-01 --to 2027-01-01 -O q4.zip
              shiplog ledger export --app payments --kind sync --kind rollback --checkpoint june.checkpoint -O payments.zip
              shiplog ledger export --after 48211 --format ocsf -O -
              shiplog ledger export --data /var/lib/shiplog -O copy.zip

            A pack is a zip file that proves itself: every entry of the range, what fits the question, and a verifier.
            It is checked here before it is kept. The server records who asked for what; a data directory that is read
            with --data records nothing, and the pack says so. See docs/auditing.md.
            """)

    @OptionGroup var filter: ExportFilter
    @Option(
        name: .customLong("format"),
        help: ArgumentHelp("How: pack, jsonl, csv, cloudevents or ocsf. (default: pack)", valueName: "format"))
    var formatWord: Word<ExportFormat>?
    @Option(
        name: [.customShort("O"), .long],
        help: ArgumentHelp("The file to write; - is standard output. A pack wants one.", valueName: "file"),
        completion: .file())
    var outputFile: String?
    @Option(
        help: ArgumentHelp(
            "A checkpoint of an earlier time: the pack shows that the log goes on from it; may be given again.",
            valueName: "file"), completion: .file())
    var checkpoint: [String] = []
    @Option(help: ArgumentHelp("A verifier key that you trust, to check the pack with.", valueName: "key"))
    var key: [String] = []
    @Option(
        help: ArgumentHelp(
            "With --data: the folder of checkpoints. (default: checkpoints in the data directory)", valueName: "dir"))
    var checkpoints: String?
    @OptionGroup var log: LogOptions
    @OptionGroup var output: OutputOptions

    private var format: ExportFormat { formatWord?.value ?? .pack }

    func validate() throws {
        if format == .pack, outputFile == nil { throw ValidationError("a pack is a file: name it with -O") }
    }

    func run() async throws {
        let keys: [NoteVerifier]
        var kept: [KeptHead] = []
        do throws(Failure) {
            keys = try key.map { (text) throws(Failure) in try NoteVerifier(text) }
            for file in checkpoint {
                kept.append(
                    KeptHead(try Checkpoint(parsing: try Places.read(file)).head, name: "the checkpoint \(file)"))
            }
        } catch {
            throw CommandError(.usage, error)
        }
        let sizes = kept.map(\.head.size)
        guard let outputFile, outputFile != "-" else {
            let sink = try FileSink(nil)
            try await write(sizes) { piece in try await sink.take(piece) }
            return
        }
        try await keep(outputFile, sizes, keys, kept)
    }

    /// Writes beside the file that was asked for, and puts it there when it is whole.
    private func keep(
        _ path: String, _ sizes: [Int64], _ keys: [NoteVerifier], _ kept: [KeptHead]
    ) async throws {
        Leftovers.goWithSignals()
        let sink = try FileSink(path)
        do {
            try await write(sizes) { piece in try await sink.take(piece) }
            try await sink.sync()
            let out = output.out
            guard format == .pack else { return try await sink.finish() }
            let report = try EvidenceText.check(
                sink.partial, keys, kept, ProgressLine(isOn: Talk.isTerminal && out.format == .table))
            // One that does not hold is kept all the same: it is evidence too.
            try await sink.finish()
            out.show(report.document) { EvidenceText.text(report) + "written to \(Terminal.harmless(path))\n" }
            try EvidenceText.judge(report)
        } catch {
            await sink.discard()
            throw error
        }
    }

    // MARK: - From where

    private func write(_ sizes: [Int64], to sink: @Sendable @escaping ([UInt8]) async throws -> Void) async throws {
        let (question, format, folder) = (filter.question, format, checkpoints)
        let isOffline = try await log.offline { ledger in
            try await Self.write(ledger, question, format, sizes, folder, sink)
            return true
        }
        if isOffline != nil { return }
        try await log.server.client().download("/exports", filter.document(format, sizes: sizes), to: sink)
    }

    private static func write(
        _ ledger: Ledger, _ question: Selection.Question, _ format: ExportFormat, _ sizes: [Int64], _ folder: String?,
        _ sink: @Sendable ([UInt8]) async throws -> Void
    ) async throws {
        guard format == .pack else {
            let size = try await ledger.treeHead().size
            let selection = try await Selection.make(question, in: ledger, size: size)
            return try await ExportStream(selection, of: ledger, as: format).write(to: sink)
        }
        guard let checkpoint = try ledger.checkpoint(in: folder) else {
            throw CommandError(
                .notFound, "log.checkpoint-missing", "there is no checkpoint in the folder, and a pack needs one",
                remedy: "start the server once, or name its folder with --checkpoints")
        }
        let head = try await ledger.treeHead().size
        if head > checkpoint.head.size {
            Talk.warn("the pack ends with #\(checkpoint.head.size): what came later is not signed yet")
        }
        let selection = try await Selection.make(question, in: ledger, size: min(head, checkpoint.head.size))
        let pack = try await EvidencePack(
            selection, of: ledger, under: checkpoint,
            standing: EvidencePack.Standing(epochs: try await ledger.epochs()), earlier: sizes)
        let making = EvidencePack.Making(
            at: Moment.now, actor: Actor(name: NSUserName(), means: .local), version: "shiplog \(Version.current)",
            event: nil)
        try await pack.write(making, to: sink)
    }
}

extension Client {
    /// Posts, and passes on the answer's bytes as they come.
    func download(
        _ path: String, _ body: JSON, to sink: @Sendable @escaping ([UInt8]) async throws -> Void
    ) async throws {
        var request = request("POST", path, QueryText(), body)
        request.headers = request.headers.map { $0.name == "Accept" ? ("Accept", "*/*") : $0 }
        // An export takes as long as it takes; what is given up is silence.
        request.timeoutMilliseconds =
            timeout.map { $0.milliseconds == 0 ? 86_400_000 : Int($0.milliseconds) } ?? 86_400_000
        request.silenceMilliseconds = 600_000
        let failed = FirstError()
        let response = try await HTTPClient.shared.pieces(request) { piece in
            do {
                try await sink(piece)
                return true
            } catch {
                await failed.keep(error)
                return false
            }
        }
        if let error = await failed.error { throw error }
        try check(response)
    }
}

private actor FirstError {
    private(set) var error: (any Error)?

    func keep(_ error: any Error) { self.error = self.error ?? error }
}
