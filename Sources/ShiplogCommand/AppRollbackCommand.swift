import ArgumentParser
import Foundation
import Shiplog

/// How long a rollback holds.
enum HoldArgument: String, ExpressibleByArgument, CaseIterable, Sendable {
    case untilNewCommit = "until-new-commit"
    case untilUnpinned = "until-unpinned"
}

/// `shiplog app rollback`.
struct AppRollbackCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "rollback", abstract: "Put an application back to the exact manifests of an earlier revision.",
        discussion: """
            Examples:
              shiplog app rollback guestbook --reason "the new image cannot be pulled"
              shiplog app rollback guestbook 41 --reason "back to the last release" --ticket OPS-7
              shiplog app rollback guestbook --at yesterday --dry-run

            Without a target it goes to the last good state before the current one. The manifests come from the ledger:
            Git may be gone. The plan and its difference are shown first; on a terminal you are asked before anything is
            done. Automated sync stays on, and the application is pinned until a new commit changes what it deploys.
            """)

    @Argument(help: "The application.", completion: .applications)
    var app: String
    @Argument(help: "The revision to go back to, such as 41 or #41.")
    var sequence: SequenceArgument?
    @Option(help: ArgumentHelp("The newest revision of this commit; 7 to 40 digits.", valueName: "sha"))
    var commit: CommitArgument?
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("What was deployed then: RFC 3339, '2026-11-20 13:00', -2h, yesterday.", valueName: "time"))
    var at: Moment?
    @Option(help: ArgumentHelp("Why, for the history. Wanted unless --dry-run is given.", valueName: "text"))
    var reason: String?
    @Option(help: ArgumentHelp("Hold until-new-commit or until-unpinned.", valueName: "hold"))
    var hold = HoldArgument.untilNewCommit
    @Flag(help: "Leave the values of Secrets as they are.")
    var keepSecrets = false
    @Flag(help: "Run the target's hooks too; without it they are left out.")
    var hooks = false
    @Flag(name: .shortAndLong, help: "Do not ask.")
    var yes = false
    @Flag(help: "Do not wait for the end.")
    var async = false
    @OptionGroup var flags: OperationFlags
    @OptionGroup var server: ServerOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        let targets = [sequence != nil, commit != nil, at != nil].filter { $0 }.count
        guard targets <= 1 else { throw ValidationError("give one of SEQUENCE, --commit and --at") }
        let reason = reason?.trimmingCharacters(in: .whitespaces) ?? ""
        guard flags.dryRun || !reason.isEmpty else {
            throw ValidationError("a rollback wants a reason: --reason TEXT")
        }
    }

    var target: JSON {
        if let sequence { return ["sequence": .integer(sequence.value)] }
        if let commit { return ["commit": .string(commit.digits)] }
        if let at { return ["at": .string(at.timestamp.description)] }
        return ["lastGood": true]
    }

    func run() async throws {
        let client = try server.client()
        let out = output.out
        let path = Client.application(app, "/rollback")
        // What the plan is made against: if something else is deployed by then, the rollback is refused, not guessed.
        // While a pin holds, what it holds is what the server compares with.
        let application = try await client.get(Client.application(app))
        let current = application.at("pin", "desired") ?? application.at("deployed", "desired")
        var body = flags.body(reason: reason)
        body["to"] = target
        body["hold"] = .string(hold.rawValue)
        body["keepSecrets"] = .bool(keepSecrets)
        if hooks { body["hooks"] = true }
        body["ifDesired"] = current
        var planning = body
        planning["dryRun"] = true
        let plan = try await client.post(path, planning)["plan"] ?? .object([:])
        try await judge(plan, out)
        if flags.dryRun { return }
        // From here on the very revision that was planned, whatever "last good" has come to mean since.
        if let sequence = plan["target"]?.integer { body["to"] = ["sequence": .integer(sequence)] }
        let operation = try await client.post(path, body)["operation"] ?? .object([:])
        try await OperationEnd(isAsync: async).wait(operation, client, out)
    }

    /// Shows the plan, refuses what cannot be done, and asks.
    private func judge(_ plan: JSON, _ out: Output) async throws {
        let heading = Self.heading(app, plan)
        if flags.dryRun {
            out.show(plan) { heading + "\n" + PlanPrinting.text(plan, isRollback: true, out) }
        } else if out.format == .table {
            print(heading + "\n" + PlanPrinting.text(plan, isRollback: true, out))
            flushOutput()
        }
        if let refusal = PlanPrinting.refusal(plan, "the rollback") { throw refusal }
        if flags.dryRun || yes { return }
        try Confirmation.ask("Roll back \(app)?")
    }

    static func heading(_ app: String, _ plan: JSON) -> String {
        var text = "rollback of \(app)"
        let target = plan.sequence("target")
        if !target.isEmpty { text += " to \(target)" }
        if let commit = plan.at("source", "commit") {
            text += ", commit \(commit.commit("id")) \(commit.text("subject"))"
        }
        return Terminal.harmless(text) + "\n"
    }
}

/// Asks a person who is there; a script is not asked, for it cannot answer.
enum Confirmation {
    /// - Parameter needsPerson: without a terminal the command is refused instead of carried out.
    static func ask(_ question: String, needsPerson: Bool = false) throws(CommandError) {
        guard isatty(STDIN_FILENO) != 0, isatty(STDERR_FILENO) != 0 else {
            guard needsPerson else { return }
            throw CommandError(
                .usage, "command.unconfirmed", "nobody is there to confirm this", remedy: "say so with --yes")
        }
        FileHandle.standardError.write(Data("\(Terminal.harmless(question)) [y/N] ".utf8))
        let answer = readLine()?.trimmingCharacters(in: .whitespaces).lowercased() ?? ""
        guard answer == "y" || answer == "yes" else {
            throw CommandError(.refused, "command.declined", "nothing was done")
        }
    }
}
