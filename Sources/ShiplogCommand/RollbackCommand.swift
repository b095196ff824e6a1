import ArgumentParser
import Foundation
import Shiplog

/// `shiplog rollback`.
struct RollbackCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rollback", abstract: "Put many applications back to what was deployed at a moment.",
        discussion: """
            Examples:
              shiplog rollback plan --at '2026-11-20 13:00' --project shop -o plan.json
              shiplog rollback apply plan.json --reason "the migration failed"
              shiplog rollback status 48230

            One application is put back with `shiplog app rollback`.
            """,
        subcommands: [RollbackPlanCommand.self, RollbackApplyCommand.self, RollbackStatusCommand.self])
}

/// `shiplog rollback plan`.
struct RollbackPlanCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan", abstract: "What going back to a moment would do, application by application.",
        discussion: """
            Examples:
              shiplog rollback plan --at yesterday
              shiplog rollback plan --at -2h -l tier=web -o plan.json
              shiplog rollback plan --at 48211 --project shop --recreate --delete -o plan.json

            Nothing is changed. What was deleted since is registered again only with --recreate, and what did not exist then
            is deleted only with --delete; without them both are offered in the plan.
            """)

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("The moment: RFC 3339, '2026-11-20 13:00', -2h, yesterday, a sequence.", valueName: "time"))
    var at: InstantArgument
    @OptionGroup var filter: ApplicationFilter
    @Option(
        name: [.customShort("l"), .long],
        help: ArgumentHelp("Only with these labels, such as tier=web,env!=dev.", valueName: "selector"))
    var selector: String?
    @Option(
        name: [.customShort("o"), .long],
        help: ArgumentHelp("Write the plan for `apply` into this file; json or yaml print it.", valueName: "file"),
        completion: .file())
    var output: String?
    @Flag(help: "Register applications again that were deleted since.")
    var recreate = false
    @Flag(help: "Delete applications that did not exist then, with what they deployed.")
    var delete = false
    @Option(help: ArgumentHelp("Hold until-new-commit or until-unpinned.", valueName: "hold"))
    var hold = HoldArgument.untilNewCommit
    @Flag(inversion: .prefixedNo, help: "Prune what is no longer wanted. (default: as each application says)")
    var prune: Bool?
    @Flag(help: "Delete and create again where a field cannot be changed.")
    var replace = false
    @Flag(help: "Prune also what takes data with it.")
    var confirmDestructive = false
    @Flag(help: "Leave the values of Secrets as they are.")
    var keepSecrets = false
    @OptionGroup var server: ServerOptions
    @Flag(help: "Leave out the line above a table.")
    var noHeaders = false
    @Option(help: ArgumentHelp("Colours: auto, always or never. NO_COLOR is obeyed.", valueName: "when"))
    var color = ColorChoice.auto

    private var format: OutputFormat { output.flatMap { OutputFormat(rawValue: $0) } ?? .table }

    func run() async throws {
        let client = try server.client()
        let out = Output(
            format: format, headers: !noHeaders,
            color: OutputOptions.colors(color, ProcessInfo.processInfo.environment))
        guard let moment = try await at.fixed(client) else {
            throw CommandError(.refused, "plan.before-the-log", "nothing has been recorded yet")
        }
        var body: JSON = .members([
            "at": .string(moment), "selector": selector.map { .string($0) }, "recreate": .bool(recreate),
            "delete": .bool(delete), "hold": .string(hold.rawValue), "prune": prune.map { .bool($0) },
            "replace": .bool(replace), "confirmDestructive": .bool(confirmDestructive),
            "keepSecrets": .bool(keepSecrets)
        ])
        if !filter.app.isEmpty { body["applications"] = .array(filter.app.map { .string($0) }) }
        if !filter.project.isEmpty { body["projects"] = .array(filter.project.map { .string($0) }) }
        // Every application is compared with its cluster: that takes as long as it takes.
        let plan = try await client.post("/plans", body, waiting: 600_000)["plan"] ?? .object([:])
        if let output, OutputFormat(rawValue: output) == nil {
            do {
                try Data((plan.prettyString + "\n").utf8).write(to: URL(fileURLWithPath: output), options: .atomic)
            } catch {
                throw Failure("file.unwritable", "\(output) cannot be written: \(error.localizedDescription)")
            }
        }
        out.show(plan) { FleetText.plan(plan, out) }
    }
}

/// `shiplog rollback apply`.
struct RollbackApplyCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "apply", abstract: "Carry out a plan, unless anything of it has moved since.",
        discussion: """
            Examples:
              shiplog rollback apply plan.json --reason "the migration failed" --ticket OPS-7
              shiplog rollback apply plan.json --reason "…" --continue-on-error --yes

            The first failure ends it, unless --continue-on-error is given: what runs ends, the rest is not begun. Its
            revisions name one group. A server that is restarted goes on with it.
            """)

    @Argument(help: "The plan, as `shiplog rollback plan -o FILE` wrote it; - is standard input.", completion: .file())
    var plan: String
    @Option(help: ArgumentHelp("Why, for the history.", valueName: "text"))
    var reason: String
    @Option(help: ArgumentHelp("A change ticket's id.", valueName: "id"))
    var ticket: String?
    @Flag(help: "Go on with the others when one fails.")
    var continueOnError = false
    @Flag(name: .shortAndLong, help: "Do not ask.")
    var yes = false
    @Flag(help: "Do not wait for the end.")
    var async = false
    @OptionGroup var server: ServerOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard !reason.trimmingCharacters(in: .whitespaces).isEmpty else {
            throw ValidationError("a rollback wants a reason: --reason TEXT")
        }
    }

    func run() async throws {
        let client = try server.client()
        let out = output.out
        let bytes = try Places.input(plan, limit: 16 << 20)
        guard var document = try? JSON(parsing: bytes), document.text("kind") == "rollback" else {
            throw CommandError(
                .trouble, "plan.invalid", "\(plan) holds no plan",
                remedy: "make one with `shiplog rollback plan --at TIME -o plan.json`")
        }
        if out.format == .table {
            print(FleetText.plan(document, out))
            flushOutput()
        }
        let count = FleetText.planned(document).count
        if !yes { try Confirmation.ask("Roll back \(count) \(count == 1 ? "application" : "applications")?") }
        // What a person reads in the plan is not carried out, and would make a large plan too large.
        document["items"] = .array(
            FleetText.planned(document).map { item in
                var item = item
                for name in ["changes", "notes"] { item[name] = nil }
                return item
            })
        let fleet =
            try await client.post(
                "/plans/apply",
                .members([
                    "plan": document, "reason": .string(reason), "ticket": ticket.map { .string($0) },
                    "continueOnError": .bool(continueOnError)
                ]), waiting: 60_000)["fleet"] ?? .object([:])
        if async { return out.show(fleet) { FleetText.fleet(fleet, out) } }
        try await FleetText.follow(fleet, client, out)
    }
}

/// `shiplog rollback status`.
struct RollbackStatusCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "How far a rollback of many applications is, and what became of each.",
        discussion: """
            Examples:
              shiplog rollback status 48230
              shiplog rollback status 48230 --wait
            """)

    @Argument(help: "Its group, the number that `apply` printed.")
    var group: SequenceArgument
    @Flag(help: "Wait for the end.")
    var wait = false
    @OptionGroup var server: ServerOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let client = try server.client()
        let out = output.out
        let fleet = try await client.get("/fleets/\(group.value)")
        if wait { return try await FleetText.follow(fleet, client, out) }
        out.show(fleet) { FleetText.fleet(fleet, out) }
    }
}
