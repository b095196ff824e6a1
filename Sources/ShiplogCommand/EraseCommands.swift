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

            Parts are address, author, detail, messages, reason and resources. What is erased is never seen again.

            A sync or rollback is written twice: its beginning repeats address, and in its detail author and reason, of the
            revision that ends it. One part of one row is erased at a time; what still repeats it is named afterwards.
            """)

    @Argument(help: "The row's number.")
    var sequence: EntryArgument
    @Argument(help: "Which part.")
    var part: String
    @Option(help: "Why: the log keeps it.")
    var reason: String
    @Flag(name: .shortAndLong, help: "Do not ask.")
    var yes = false
    @OptionGroup var server: ServerOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        if !yes { try Confirmation.ask("Erase \(part) of #\(sequence.value) for ever?", needsPerson: true) }
        let answer = try await server.client().post(
            "/entries/\(sequence.segment)/erase", ["part": .string(part), "reason": .string(reason)])
        output.out.show(answer) {
            var text = "erased, recorded as \(answer.sequence("sequence"))\n"
            for echo in answer["alsoIn"]?.array ?? [] {
                let other = echo["part"]?.string ?? ""
                text += "\(echo.sequence("sequence")) may still repeat it in its \(other): erase that as well\n"
            }
            return text
        }
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
