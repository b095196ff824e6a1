import ArgumentParser
import Foundation
import LedgerStore
import Shiplog
import TransparencyLog

/// Where a command reads the log: a data directory on this machine, or a server.
struct LogOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Read this data directory, with no server's help. (default: ask the server)", valueName: "dir"),
        completion: .directory)
    var data: String?

    @OptionGroup var server: ServerOptions

    /// Runs with the ledger of `--data` opened for reading; nil when the server is to be asked.
    func offline<Value: Sendable>(_ body: (Ledger) async throws -> Value) async throws -> Value? {
        guard let data else { return nil }
        let ledger = try await Ledger.open(
            try DataDirectory(existing: data), mode: nil, access: .read, now: { Moment.now })
        do {
            let value = try await body(ledger)
            await ledger.close()
            return value
        } catch {
            await ledger.close()
            throw error
        }
    }
}

/// `shiplog ledger checkpoint`.
struct LedgerCheckpointCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "checkpoint",
        abstract: "The newest signed checkpoint: keep it, and nobody can change what it covers.",
        discussion: """
            Examples:
              shiplog ledger checkpoint > monday.checkpoint
              shiplog ledger checkpoint --data /var/lib/shiplog
              shiplog ledger verify --checkpoint monday.checkpoint
            """)

    @Option(
        help: ArgumentHelp(
            "With --data: the folder of checkpoints. (default: checkpoints in the data directory)", valueName: "dir"))
    var checkpoints: String?
    @OptionGroup var log: LogOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let folder = checkpoints
        let checkpoint: Checkpoint
        if let found = try await log.offline({ try $0.checkpoint(in: folder) }) {
            guard let found else {
                throw CommandError(
                    .notFound, "log.checkpoint-missing", "there is no checkpoint in the folder",
                    remedy: "start the server once, or name its folder with --checkpoints")
            }
            checkpoint = found
        } else {
            checkpoint = try Checkpoint(parsing: try await log.server.client().file("/log/checkpoint"))
        }
        output.out.show([
            "origin": .string(checkpoint.origin), "size": .integer(checkpoint.head.size),
            "root": .string(checkpoint.head.rootText),
            "text": .string(checkpoint.note.description)
        ]) { checkpoint.note.description }
    }
}

/// `shiplog ledger proof`.
struct LedgerProofCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "proof", abstract: "That an entry stands in the log: its hash and the way to the signed root.",
        discussion: """
            Examples:
              shiplog ledger proof 48211
              shiplog ledger proof 48211 --size 50000 -o json
              shiplog ledger proof 2/48211                     an entry of an epoch

            The proof is checked before it is printed; exit 8 when it does not hold.
            """)

    @Argument(help: "The entry's number, such as 41, #41 or 2/41.")
    var sequence: EntryArgument
    @Option(
        help: ArgumentHelp("In the tree of so many entries. (default: the newest checkpoint's)", valueName: "entries"))
    var size: Int64?
    @OptionGroup var log: LogOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let (wanted, size) = (sequence, size)
        let document: JSON
        if let found = try await log.offline({ ledger in
            try await ledger.inclusionProof(of: try await wanted.place(in: ledger), size: size).document()
        }) {
            document = found
        } else {
            var query = QueryText()
            query.add("size", size.map(String.init))
            document = try await log.server.client().get("/entries/\(wanted.segment)/proof", query)
        }
        let isAsked =
            document["index"]?.integer == wanted.value - 1 && (size == nil || document["size"]?.integer == size)
        guard isAsked, Self.holds(document), Self.isSigned(document) else {
            throw CommandError(
                .integrity, "log.proof-wrong", "the proof does not lead from the entry to the root",
                remedy: "keep the answer; run `shiplog ledger verify`")
        }
        output.out.show(document) { Self.text(document) }
    }

    /// Whether the document proves what it says: no server is believed.
    static func holds(_ document: JSON) -> Bool {
        guard let index = document["index"]?.integer, let head = LogText.head(document),
            let leaf = LogText.hash(document["leaf"]), let path = LogText.hashes(document["proof"])
        else { return false }
        return MerkleProof.includes(leaf, at: index, in: head, path)
    }

    /// Whether a checkpoint that comes along is of the very tree of the proof.
    static func isSigned(_ document: JSON) -> Bool {
        guard let note = document["checkpoint"]?.string else { return true }
        guard let checkpoint = try? Checkpoint(parsing: note.utf8) else { return false }
        return LogText.head(document) == checkpoint.head
    }

    private static func text(_ document: JSON) -> String {
        var text = "entry \(document.sequence("sequence")) is leaf \(document["index"]?.integer ?? 0) of "
        text += "\(document["size"]?.integer ?? 0)\nleaf  \(document.text("leaf"))\n"
        for hash in document["proof"]?.array ?? [] { text += "      \(hash.string ?? "")\n" }
        return text + "root  \(document.text("root"))\n"
    }
}

/// `shiplog ledger consistency`.
struct LedgerConsistencyCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "consistency", abstract: "That the log of a later size begins with the log of an earlier one.",
        discussion: """
            Examples:
              shiplog ledger consistency 48211 50000
              shiplog ledger consistency monday.checkpoint friday.checkpoint

            A size, or a file with a checkpoint, whose root is then compared too. Exit 8 when the log was changed between.
            """)

    @Argument(help: "The earlier size, or a checkpoint's file.")
    var old: String
    @Argument(help: "The later one.")
    var new: String
    @OptionGroup var log: LogOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let (first, second) = (try Self.end(old), try Self.end(new))
        let document: JSON
        if let found = try await log.offline({ ledger in
            let (earlier, later, proof) = try await ledger.consistencyProof(from: first.size, to: second.size)
            return JSON.members([
                "from": earlier.document, "to": later.document,
                "proof": .array(proof.map { .string($0.base64) })
            ])
        }) {
            document = found
        } else {
            document = try await log.server.client().get(
                "/log/consistency", QueryText([("from", String(first.size)), ("to", String(second.size))]))
        }
        guard let earlier = document["from"].flatMap(LogText.head), let later = document["to"].flatMap(LogText.head),
            let proof = LogText.hashes(document["proof"]), MerkleProof.extends(later, earlier, proof),
            earlier.size == first.size, later.size == second.size, first.head.map({ $0 == earlier }) ?? true,
            second.head.map({ $0 == later }) ?? true
        else {
            throw CommandError(
                .integrity, "log.inconsistent", "the later log does not begin with the earlier one",
                remedy: "keep both checkpoints: they prove it to anybody")
        }
        output.out.show(document) {
            "the \(later.size) entries begin with the \(earlier.size)\n\(earlier)\n\(later)\n"
        }
    }

    private static func end(_ text: String) throws(CommandError) -> (size: Int64, head: TreeHead?) {
        if let size = Int64(text), size >= 0 { return (size, nil) }
        do throws(Failure) {
            let head = try Checkpoint(parsing: try Places.read(text)).head
            return (head.size, head)
        } catch {
            throw CommandError(.usage, error)
        }
    }
}

/// `shiplog ledger key`.
struct LedgerKeyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "key", abstract: "The keys that sign the log.",
        discussion: """
            Examples:
              shiplog ledger key list
              shiplog ledger key export > shiplog.vkey
              shiplog ledger key rotate --reason "yearly"
            """,
        subcommands: [LedgerKeyListCommand.self, LedgerKeyExportCommand.self, LedgerKeyRotateCommand.self],
        defaultSubcommand: LedgerKeyListCommand.self)
}

/// `shiplog ledger key list`.
struct LedgerKeyListCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Every verifier key, the signing one last.",
        discussion: """
            Examples:
              shiplog ledger key list
              shiplog ledger key list --data /var/lib/shiplog -o json
            """)

    @OptionGroup var log: LogOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let rows = try await LogText.keys(log)
        output.out.show(["items": .array(rows)]) {
            output.out.table(
                ["EPOCH", "SINCE", "STATE", "KEY"],
                rows.map { row in
                    [
                        Cell("\(row["epoch"]?.integer ?? 0)"), Cell(row.sequence("since")), Cell(row.text("state")),
                        Cell(row.text("key"))
                    ]
                })
        }
    }
}

/// `shiplog ledger key export`.
struct LedgerKeyExportCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "export", abstract: "The verifier key that signs now, as other tools take it.",
        discussion: """
            Examples:
              shiplog ledger key export > shiplog.vkey
              shiplog ledger verify --server https://shiplog.example.org --key "$(cat shiplog.vkey)"
            """)

    @OptionGroup var log: LogOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        guard let row = try await LogText.keys(log).last else {
            throw CommandError(.notFound, "log.not-signed", "this log has no key yet", remedy: "start its server once")
        }
        output.out.show(row) { row.text("key") + "\n" }
    }
}

/// `shiplog ledger key rotate`.
struct LedgerKeyRotateCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "rotate", abstract: "Replace the signing key: the old one signs the change, and is destroyed.",
        discussion: """
            Examples:
              shiplog ledger key rotate --reason "yearly"
            """)

    @Option(help: "Why: the log keeps it.")
    var reason: String?
    @OptionGroup var server: ServerOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let answer = try await server.client().post("/log/rotate-key", LogText.reason(reason))
        output.out.show(answer) { answer.text("key") + "\n" }
    }
}

/// `shiplog ledger confirm`.
struct LedgerConfirmCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "confirm", abstract: "Take the applications and pins of a restored copy for good, and go on.",
        discussion: """
            Examples:
              shiplog app list
              shiplog ledger confirm --reason "checked with the payments team"

            After `serve --accept-fork` nothing is synced. Look at the applications and their pins first: what is
            registered now is what will be enforced.
            """)

    @Option(help: "Why: the log keeps it.")
    var reason: String?
    @OptionGroup var server: ServerOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let answer = try await server.client().post("/log/confirm", LogText.reason(reason))
        output.out.show(answer) { "confirmed by \(answer.sequence("sequence"))\n" }
    }
}
