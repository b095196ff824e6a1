import ArgumentParser
import Shiplog

/// `shiplog app wait`.
struct AppWaitCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "wait", abstract: "Wait until an application is as it should be, in a pipeline.",
        discussion: """
            Examples:
              shiplog app wait guestbook --timeout 10m
              shiplog app wait guestbook --commit "$GIT_SHA" --health --timeout 10m

            Without --health, --sync and --operation it waits for all three. Exit 0 when all that was asked for holds,
            7 when all else holds and the application is Degraded, 6 when time is over.
            """)

    @Argument(help: "The application.", completion: .applications)
    var app: String
    @Flag(help: "Until it is Healthy.")
    var health = false
    @Flag(help: "Until it is Synced.")
    var sync = false
    @Flag(help: "Until nothing is being done to it.")
    var operation = false
    @Option(help: ArgumentHelp("Until this commit is deployed; 7 to 40 digits.", valueName: "sha"))
    var commit: CommitArgument?
    @OptionGroup var server: ServerOptions
    @OptionGroup var output: OutputOptions

    var goal: Goal {
        // With a commit alone, that it is deployed is all that was asked for.
        let isAll = !health && !sync && !operation && commit == nil
        return Goal(
            health: health || isAll, sync: sync || isAll, operation: operation || isAll,
            commit: commit?.digits)
    }

    func run() async throws {
        let client = try server.client()
        let deadline = Deadline(client.timeout)
        let out = output.out
        var told = ""
        while true {
            let application = try await client.get(Client.application(app))
            let missing = goal.missing(in: application)
            if missing.isEmpty {
                out.show(application) { out.table(AppListCommand.columns, [AppListCommand.row(application)]) }
                return
            }
            if missing == [.health], application.text("health", "status") == "Degraded" {
                throw CommandError(
                    .failedOperation, "application.degraded",
                    "\(app) is Degraded: \(application.text("health", "message"))",
                    remedy: "see `shiplog app get \(app)`; go back with `shiplog app rollback \(app)`")
            }
            let waiting = missing.map { $0.text(application) }.joined(separator: ", ")
            guard !deadline.isOver else {
                throw CommandError(
                    .timedOut, "application.wait-timeout", "\(app) is not there yet: \(waiting)",
                    remedy: "see `shiplog app get \(app)`, or wait longer with --timeout")
            }
            if waiting != told, out.format == .table { Talk.say(Terminal.harmless("waiting: \(waiting)")) }
            told = waiting
            // The stream only wakes: should a sign be missed between two looks, the next look is soon.
            try await client.nextSign(of: app, milliseconds: deadline.left(atMost: 5000))
        }
    }
}

/// What somebody waits for.
struct Goal: Sendable, Equatable {
    var health: Bool
    var sync: Bool
    var operation: Bool
    var commit: String?

    enum Part: Sendable, Equatable {
        case commit(String), sync, operation, health

        func text(_ application: JSON) -> String {
            switch self {
            case .commit(let commit): "commit \(commit.prefix(7)) is not deployed"
            case .sync: "it is \(application.text("sync"))"
            case .operation: "it is \(application.text("activity"))"
            case .health: "it is \(application.text("health", "status"))"
            }
        }
    }

    /// What does not hold yet.
    func missing(in application: JSON) -> [Part] {
        var result: [Part] = []
        if let commit, !application.text("deployed", "commit").hasPrefix(commit) { result.append(.commit(commit)) }
        if sync, application.text("sync") != "Synced" { result.append(.sync) }
        if operation, application.text("activity") != "idle" { result.append(.operation) }
        if health, application.text("health", "status") != "Healthy" { result.append(.health) }
        return result
    }
}
