import ArgumentParser
import Shiplog

/// `shiplog ledger erase`.
struct LedgerEraseCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "erase", abstract: "Erase a part of a row that is personal; its digest stays, and every proof.",
        discussion: """
            Examples:
              shiplog ledger erase 48211 author --reason "asked for on 3 May, ticket 4711"
              shiplog ledger erase 48211 address --reason "…" --yes
              shiplog ledger erase 48211 reason --everywhere --reason "…"

            Parts are address, author, detail, messages, reason and resources. What is erased is never seen again.

            A sync or rollback is written twice: its beginning repeats address, and in its detail author and reason, of the
            revision that ends it. What still repeats it is named afterwards, or erased as well with --everywhere: a detail goes
            as a whole.
            """)

    @Argument(help: "The row's number.")
    var sequence: EntryArgument
    @Argument(help: "Which part.")
    var part: String
    @Option(help: "Why: the log keeps it.")
    var reason: String
    @Flag(help: "Erase the parts of other rows of the same operation too that may repeat it.")
    var everywhere = false
    @Flag(name: .shortAndLong, help: "Do not ask.")
    var yes = false
    @OptionGroup var server: ServerOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let others = everywhere ? ", and what repeats it," : ""
        if !yes { try Confirmation.ask("Erase \(part) of #\(sequence.value)\(others) for ever?", needsPerson: true) }
        let client = try server.client()
        var answer = try await Self.erase(part, of: sequence.segment, reason, client)
        var (left, also): ([JSON], [JSON]) = (answer["alsoIn"]?.array ?? [], [])
        if everywhere {
            // What they name in turn are rows of the same operation: each part once.
            for echo in left {
                guard let row = echo["sequence"]?.integer, let other = echo["part"]?.string else { continue }
                let by = try await Self.erase(other, of: String(row), reason, client)
                also.append(["sequence": .integer(row), "part": .string(other), "by": by["sequence"] ?? .null])
            }
            left = []
            answer = ["sequence": answer["sequence"] ?? .null, "alsoIn": [], "also": .array(also)]
        }
        output.out.show(answer) {
            var text = "erased, recorded as \(answer.sequence("sequence"))\n"
            for echo in also {
                let (other, by) = (echo["part"]?.string ?? "", echo.sequence("by"))
                text += "and \(other) of \(echo.sequence("sequence")), recorded as \(by)\n"
            }
            for echo in left {
                let other = echo["part"]?.string ?? ""
                text += "\(echo.sequence("sequence")) may still repeat it in its \(other): erase that as well\n"
            }
            return text
        }
    }

    private static func erase(
        _ part: String, of row: String, _ reason: String, _ client: Client
    ) async throws -> JSON {
        try await client.post("/entries/\(row)/erase", ["part": .string(part), "reason": .string(reason)])
    }
}

/// `shiplog app erase-secret`.
struct AppEraseSecretCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "erase-secret",
        abstract: "Erase a Secret's values out of everything that an application ever applied.",
        discussion: """
            Examples:
              shiplog app erase-secret payments prod/login --reason "leaked, rotated on 3 May"
              shiplog app erase-secret payments prod/login --key password --reason "…" --yes

            The data keys go, so that no backup of the master key opens the values again in this ledger. A rollback that
            needs one of them is refused by name.
            """)

    @Argument(help: "The application.")
    var application: String
    @Argument(help: ArgumentHelp("The Secret.", valueName: "namespace/name"))
    var secret: String
    @Option(help: "One key of its data. (default: all)")
    var key: String?
    @Option(help: "Why: the log keeps it.")
    var reason: String
    @Flag(name: .shortAndLong, help: "Do not ask.")
    var yes = false
    @OptionGroup var server: ServerOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard secret.split(separator: "/", omittingEmptySubsequences: false).filter({ !$0.isEmpty }).count == 2 else {
            throw ValidationError("name the Secret as NAMESPACE/NAME")
        }
    }

    func run() async throws {
        let parts = secret.split(separator: "/").map(String.init)
        if !yes {
            let what = key.map { "the value \($0)" } ?? "all values"
            try Confirmation.ask("Erase \(what) of \(secret) for ever?", needsPerson: true)
        }
        let answer = try await server.client().post(
            Client.application(application, "/erase-secret"),
            .members([
                "namespace": parts.first.map { .string($0) }, "name": parts.last.map { .string($0) },
                "key": key.map { .string($0) }, "reason": .string(reason)
            ]))
        output.out.show(answer) { "erased, recorded as \(answer.sequence("sequence"))\n" }
    }
}
