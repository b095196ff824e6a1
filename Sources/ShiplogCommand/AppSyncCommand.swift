import ArgumentParser
import Shiplog

/// What a sync and a rollback have in common.
struct OperationFlags: ParsableArguments {
    @Flag(inversion: .prefixedNo, help: "Delete what is no longer wanted. (default: the application's own setting)")
    var prune: Bool?
    @Flag(help: "Show what would be done, and do nothing.")
    var dryRun = false
    @Flag(help: "Delete and make again what cannot be changed in place.")
    var replace = false
    @Flag(help: "Prune namespaces, definitions and volumes too.")
    var confirmDestructive = false
    @Option(help: ArgumentHelp("A ticket to keep with the revision.", valueName: "id"))
    var ticket: String?
    @Flag(help: "Set sync windows aside this once; wants a reason, and the ledger keeps both.")
    var overrideWindow = false

    func body(reason: String?) -> JSON {
        .members([
            "prune": prune.map { .bool($0) }, "replace": .bool(replace),
            "confirmDestructive": .bool(confirmDestructive), "ticket": ticket.map { .string($0) },
            "reason": reason.map { .string($0) }, "overrideWindow": overrideWindow ? true : nil
        ])
    }
}

/// `shiplog app sync`.
struct AppSyncCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "sync", abstract: "Make the cluster as Git says, now.",
        discussion: """
            Examples:
              shiplog app sync guestbook
              shiplog app sync guestbook --dry-run
              shiplog app sync guestbook --revision v1.4.2 --reason "release 1.4.2"
              shiplog app sync guestbook --resource apps:Deployment:web --resource :Service:prod/web

            Waits until the sync has ended, not until everything is Healthy: for that see `shiplog app wait`.
            """)

    @Argument(help: "The application.", completion: .applications)
    var app: String
    @Option(help: ArgumentHelp("A branch, tag or commit. (default: the application's own)", valueName: "revision"))
    var revision: String?
    @Option(
        parsing: .singleValue,
        help: ArgumentHelp(
            "Only this resource, without hooks; may be given again.", valueName: "[group:]kind:[namespace/]name"))
    var resource: [SelectorArgument] = []
    @Option(help: ArgumentHelp("Why, for the history.", valueName: "text"))
    var reason: String?
    @Flag(help: "Do not wait for the end.")
    var async = false
    @OptionGroup var flags: OperationFlags
    @OptionGroup var server: ServerOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let client = try server.client()
        let out = output.out
        var body = flags.body(reason: reason)
        body["revision"] = revision.map { .string($0) }
        if !resource.isEmpty { body["resources"] = .array(resource.map(\.json)) }
        let path = Client.application(app, "/sync")
        if flags.dryRun {
            body["dryRun"] = true
            let plan = try await client.post(path, body)["plan"] ?? .object([:])
            out.show(plan) { PlanPrinting.text(plan, isRollback: false, out) }
            if let refusal = PlanPrinting.refusal(plan, "the sync") { throw refusal }
            return
        }
        let operation = try await client.post(path, body)["operation"] ?? .object([:])
        try await OperationEnd(isAsync: async).wait(operation, client, out)
    }
}

/// Follows an operation that was accepted, and prints what became of it.
struct OperationEnd {
    var isAsync = false

    func wait(_ operation: JSON, _ client: Client, _ out: Output) async throws {
        if isAsync {
            out.show(operation) {
                "operation \(Terminal.harmless(operation.text("id"))) is \(operation.text("state"))\n"
            }
            return
        }
        let ended = try await client.follow(
            operation, deadline: Deadline(client.timeout), quiet: !Talk.isTerminal)
        try await client.outcome(of: ended) { revision in
            out.show(revision) { RevisionText.summary(revision) }
        }
    }
}

/// `shiplog app refresh`.
struct AppRefreshCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "refresh", abstract: "Look at Git and the cluster now instead of at the next poll.",
        discussion: """
            Examples:
              shiplog app refresh guestbook
              shiplog app refresh guestbook --hard
            """)

    @Argument(help: "The application.", completion: .applications)
    var app: String
    @Flag(help: "Render again, even when Git says that nothing changed.")
    var hard = false
    @Flag(help: "Do not wait for the end.")
    var async = false
    @OptionGroup var server: ServerOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let client = try server.client()
        let answer = try await client.post(Client.application(app, "/refresh"), ["hard": .bool(hard)])
        try await OperationEnd(isAsync: async).wait(answer["operation"] ?? .object([:]), client, output.out)
    }
}
