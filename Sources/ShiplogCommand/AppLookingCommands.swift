import ArgumentParser
import Manifests
import Shiplog

/// `shiplog app diff`.
struct AppDiffCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "diff", abstract: "What a sync would change: from the cluster to Git.",
        discussion: """
            Examples:
              shiplog app diff guestbook

            Exit 0 without a difference, 1 with one, 2 and above for trouble.
            """)

    @Argument(help: "The application.", completion: .applications)
    var app: String
    @OptionGroup var server: ServerOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let answer = try await server.client().get(Client.application(app, "/diff"))
        let out = output.out
        out.show(answer) { DiffText.text(answer.items, old: "live", new: "desired", out) }
        if DiffText.isDifferent(answer.items) { throw ExitCode(Ending.different.rawValue) }
    }
}

enum ManifestSource: String, ExpressibleByArgument, CaseIterable, Sendable {
    case desired, live, deployed
}

/// `shiplog app manifests`.
struct AppManifestsCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "manifests", abstract: "The manifests of an application, as a YAML stream.",
        discussion: """
            Examples:
              shiplog app manifests guestbook
              shiplog app manifests guestbook --source live
              shiplog app manifests guestbook -o json | jq '.items[].kind'

            The values of Secrets are masked.
            """)

    @Argument(help: "The application.", completion: .applications)
    var app: String
    @Option(help: ArgumentHelp("desired (Git), live (the cluster) or deployed (the ledger).", valueName: "source"))
    var source = ManifestSource.desired
    @OptionGroup var server: ServerOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let answer = try await server.client().get(
            Client.application(app, "/manifests"), QueryText([("source", source.rawValue)]))
        ManifestPrinting.show(answer, output.out)
    }
}

enum ManifestPrinting {
    /// A YAML stream that kubectl reads; the whole answer with `-o json`.
    static func show(_ answer: JSON, _ out: Output) {
        switch out.format {
        case .json: out.show(answer) { "" }
        case .table, .yaml:
            for item in answer.items { print("---\n" + YAML.write(item), terminator: "") }
        }
    }
}

/// `shiplog app delete`.
struct AppDeleteCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete", abstract: "Forget an application; its history stays.",
        discussion: """
            Examples:
              shiplog app delete guestbook --yes --reason "replaced by guestbook2"
              shiplog app delete guestbook --cascade

            Without --cascade, what it deployed stays in the cluster.
            """)

    @Argument(help: "The application.", completion: .applications)
    var app: String
    @Flag(help: "Delete what it owns in the cluster, too.")
    var cascade = false
    @Flag(help: "Delete what wants a confirmation (Delete=confirm), too.")
    var confirm = false
    @Option(help: ArgumentHelp("Why, for the history.", valueName: "text"))
    var reason: String?
    @Flag(name: .shortAndLong, help: "Do not ask.")
    var yes = false
    @OptionGroup var server: ServerOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        if !yes {
            try Confirmation.ask(
                "Delete \(app)\(cascade ? " and everything it owns in the cluster" : "")?", needsPerson: true)
        }
        let answer = try await server.client().delete(
            Client.application(app),
            QueryText([
                ("cascade", cascade ? "true" : "false"), ("confirm", confirm ? "true" : nil), ("reason", reason)
            ]))
        output.out.show(answer) { "application/\(Terminal.harmless(app)) deleted \(answer.sequence("event"))\n" }
    }
}

/// `shiplog app history`.
struct AppHistoryCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "history", abstract: "The history of one application.",
        discussion: """
            Examples:
              shiplog app history guestbook
              shiplog app history guestbook --kind rollback --since -30d
            """)

    @Argument(help: "The application.", completion: .applications)
    var app: String
    @OptionGroup var filter: HistoryFilter
    @OptionGroup var server: ServerOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        try await HistoryPrinting(filter: filter, applications: [app]).run(server.client(), output.out)
    }
}
