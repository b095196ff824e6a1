import ArgumentParser
import Foundation
import Shiplog

/// `shiplog app`.
struct AppCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "app",
        abstract: "Look at applications and change them.",
        discussion: """
            Examples:
              shiplog app apply -f guestbook.yaml
              shiplog app sync guestbook
              shiplog app rollback guestbook --reason "the new image cannot be pulled"
            """,
        subcommands: [
            AppListCommand.self, AppGetCommand.self, AppApplyCommand.self, AppDiffCommand.self, AppSyncCommand.self,
            AppRefreshCommand.self, AppHistoryCommand.self, AppRollbackCommand.self, AppUnpinCommand.self,
            AppPinCommand.self, AppWaitCommand.self, AppDeleteCommand.self, AppManifestsCommand.self,
            AppTreeCommand.self, AppEventsCommand.self, AppLogsCommand.self,
            AppConfirmCommand.self, AppTerminateCommand.self, AppAcceptClusterCommand.self, AppEraseSecretCommand.self
        ])
}

extension CompletionKind {
    /// The applications the server of the environment knows, or nothing when it does not answer within a second.
    static var applications: CompletionKind {
        .custom { _, _, prefix in
            var options = ServerOptions.unset
            options.timeout = Span(milliseconds: 1000)
            guard let client = try? options.client(),
                let found = try? await client.items("/applications", QueryText(), limit: 500)
            else { return [] }
            return found.items.map { $0.text("name") }.filter { $0.hasPrefix(prefix) }
        }
    }
}

extension ServerOptions {
    /// As if nothing had been given on the command line.
    static var unset: ServerOptions {
        var options = ServerOptions()
        options.server = nil
        options.tokenFile = nil
        options.caFile = nil
        options.timeout = nil
        return options
    }
}

/// `shiplog app list`.
struct AppListCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "All applications with their sync and health.",
        discussion: """
            Examples:
              shiplog app list
              shiplog app list --project shop --health Degraded
              shiplog app list -o json
            """)

    @Argument(help: ArgumentHelp("Only those with this text in their name, project, source or namespace."))
    var text: String?
    @Option(help: ArgumentHelp("Only of this project; may be given again.", valueName: "name"))
    var project: [String] = []
    @Option(help: ArgumentHelp("Only Synced, OutOfSync or Unknown; may be given again.", valueName: "word"))
    var sync: [Word<SyncStatus>] = []
    @Option(help: ArgumentHelp("Only of this health; may be given again.", valueName: "word"))
    var health: [Word<HealthStatus>] = []
    @OptionGroup var server: ServerOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        var query = QueryText([("q", text)])
        query.add("project", all: project)
        query.add("sync", all: sync.map(\.rawValue))
        query.add("health", all: health.map(\.rawValue))
        let found = try await server.client().items("/applications", query, limit: .max)
        let out = output.out
        out.show(["items": .array(found.items), "asOf": .integer(found.asOf)]) {
            out.table(Self.columns, found.items.map(Self.row))
        }
    }

    static let columns = [
        "NAME", "PROJECT", "NAMESPACE", "SYNC", "HEALTH", "PINNED", "COMMIT", "DEPLOYED", "BY", "REPOSITORY", "PATH"
    ]

    static func row(_ item: JSON) -> [Cell] {
        [
            Cell(item.text("name")), Cell(item.text("project")), Cell(item.text("destination", "namespace")),
            .status(item.text("sync")), .status(item.text("health", "status")), Cell(item.sequence("pin", "target")),
            Cell(item.commit("deployed", "commit")), Cell(TimeText.short(item.at("deployed", "finishedAt")?.string)),
            Cell(item.text("deployed", "actor")), Cell(item.text("source", "repository")),
            Cell(item.text("source", "path"))
        ]
    }
}

/// `shiplog app get`.
struct AppGetCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "get", abstract: "One application with its resources.",
        discussion: """
            Examples:
              shiplog app get guestbook
              shiplog app get guestbook -o yaml
            """)

    @Argument(help: "The application.", completion: .applications)
    var app: String
    @OptionGroup var server: ServerOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let application = try await server.client().get(Client.application(app))
        let out = output.out
        out.show(application) { Self.text(application, out) }
    }

    /// What goes on, with how far it has come when that takes long.
    static func activity(_ application: JSON) -> String {
        let progress = application.text("progress")
        return application.text("activity") + (progress.isEmpty ? "" : ": " + progress)
    }

    static func text(_ application: JSON, _ out: Output) -> String {
        let automated = application["automated"].map { policy in
            let words = ["prune", "selfHeal", "allowEmpty"].filter { policy[$0]?.bool == true }
            return "automated" + (words.isEmpty ? "" : " (" + words.joined(separator: ", ") + ")")
        }
        let destination = application.text("destination", "server") + application.text("destination", "name")
        var text = out.facts([
            ("Name", Cell(application.text("name"), .strong)), ("Project", application.cell("project")),
            ("Repository", application.cell("source", "repository")), ("Path", application.cell("source", "path")),
            ("Target revision", application.cell("source", "targetRevision")), ("Cluster", Cell(destination)),
            ("Namespace", application.cell("destination", "namespace")),
            ("Sync policy", Cell(automated ?? "manual")), ("Sync", .status(application.text("sync"))),
            ("Health", .status(application.text("health", "status"))),
            ("Message", application.cell("health", "message")),
            ("Activity", Cell(activity(application))),
            ("Target commit", commit(application["targetCommit"])), ("Deployed", deployed(application["deployed"])),
            ("Pinned", pin(application["pin"])),
            ("Last revision", application["lastRevision"]?.integer.map { Cell("#\($0)") }),
            ("Compared", application.cell("comparedAt"))
        ])
        for condition in application["conditions"]?.array ?? [] {
            text += Terminal.harmless("condition: \(condition.text("message")) [\(condition.text("code"))]") + "\n"
            if let hint = condition["hint"]?.string { text += "hint: " + Terminal.harmless(hint) + "\n" }
        }
        let resources = application["resources"]?.array ?? []
        if !resources.isEmpty {
            text += "\n" + out.table(["KIND", "NAMESPACE", "NAME", "SYNC", "HEALTH", "MESSAGE"], resources.map(row))
        }
        return text
    }

    private static func row(_ resource: JSON) -> [Cell] {
        var message = resource.text("message")
        if resource["requiresPruning"]?.bool == true {
            message = "requires pruning" + (message.isEmpty ? "" : "; ") + message
        }
        return [
            Cell(resource.text("kind")), Cell(resource.text("namespace")), Cell(resource.text("name")),
            .status(resource.text("sync")), .status(resource.text("health")), Cell(message)
        ]
    }

    private static func commit(_ commit: JSON?) -> Cell? {
        commit.map { Cell($0.commit("id") + "  " + $0.text("subject")) }
    }

    private static func deployed(_ deployed: JSON?) -> Cell? {
        deployed.map {
            Cell(
                "\($0.sequence("sequence")) \($0.text("kind")) of \($0.commit("commit")) by \($0.text("actor")) at "
                    + TimeText.short($0["finishedAt"]?.string))
        }
    }

    private static func pin(_ pin: JSON?) -> Cell? {
        pin.map { Cell("at \($0.sequence("target")) \($0.text("hold"))", .attention) }
    }
}
