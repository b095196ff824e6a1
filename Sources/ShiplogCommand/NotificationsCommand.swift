import ArgumentParser
import Shiplog

/// `shiplog notifications`.
struct NotificationsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "notifications",
        abstract: "Who is told what became of syncs and rollbacks, and what did not arrive.",
        discussion: """
            Examples:
              shiplog notifications list
              shiplog notifications dead
              shiplog notifications retry chat 48211
              shiplog notifications retry chat --all
            """,
        subcommands: [
            NotificationsListCommand.self, NotificationsDeadCommand.self, NotificationsRetryCommand.self
        ])
}

/// `shiplog notifications list`.
struct NotificationsListCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Each target, how far it has been told, and what is wrong with it now.",
        discussion: """
            Examples:
              shiplog notifications list
            """)

    @OptionGroup var server: ServerOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let answer = try await server.client().get("/notifications")
        let out = output.out
        out.show(answer) {
            out.table(["NAME", "URL", "TOLD UP TO", "BEHIND", "DELIVERED", "TROUBLE"], answer.items.map(Self.row))
        }
    }

    static func row(_ one: JSON) -> [Cell] {
        var trouble = ""
        if let failing = one["trouble"] {
            let status = failing["status"]?.integer.map { " \($0)" } ?? ""
            trouble =
                "\(failing.sequence("sequence")) \(failing.text("code"))\(status), try \(failing["tries"]?.integer ?? 0)"
        }
        let again = one["again"]?.array?.count ?? 0
        if again > 0 { trouble += (trouble.isEmpty ? "" : "; ") + "\(again) again" }
        return [
            Cell(one.text("name")), Cell(one["url"]?.string ?? "(secret)"), Cell("#\(one["cursor"]?.integer ?? 0)"),
            Cell("\(one["behind"]?.integer ?? 0)"), Cell(one["delivered"]?.sequence("sequence") ?? ""), Cell(trouble)
        ]
    }
}

/// `shiplog notifications dead`.
struct NotificationsDeadCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "dead", abstract: "What was given up after its last try.",
        discussion: """
            Examples:
              shiplog notifications dead
              shiplog notifications dead chat -o json
            """)

    @Argument(help: "Only of this target.")
    var name: String?
    @OptionGroup var server: ServerOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let answer = try await server.client().get("/notifications/dead", QueryText([("notification", name)]))
        let out = output.out
        out.show(answer) {
            out.table(["TARGET", "ROW", "GIVEN UP", "TRIES", "LAST ANSWER", "EVENT", ""], answer.items.map(Self.row))
        }
    }

    static func row(_ letter: JSON) -> [Cell] {
        [
            Cell(letter.text("notification")), Cell(letter.sequence("sequence")),
            Cell(TimeText.short(letter["at"]?.string)), Cell("\(letter["tries"]?.integer ?? 0)"),
            Cell(letter["status"]?.integer.map { "\($0)" } ?? letter.text("code")), Cell(letter.sequence("event")),
            Cell(letter["triedAgain"]?.bool == true ? "is tried again" : "")
        ]
    }
}

/// `shiplog notifications retry`.
struct NotificationsRetryCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "retry", abstract: "Deliver dead letters after all.",
        discussion: """
            Examples:
              shiplog notifications retry chat 48211
              shiplog notifications retry chat --all
            """)

    @Argument(help: "The target.")
    var name: String
    @Argument(help: "The row that it was not told of.")
    var row: Int64?
    @Flag(help: "All that are dead of this target.")
    var all = false
    @OptionGroup var server: ServerOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard (row != nil) != all else { throw ValidationError("name one row, or --all") }
    }

    func run() async throws {
        let body: JSON = row.map { ["sequence": .integer($0)] } ?? ["all": true]
        let answer = try await server.client().post("/notifications/" + QueryText.encode(name) + "/retry", body)
        let rows = (answer["sequences"]?.array ?? []).compactMap { $0.integer.map { "#\($0)" } }
        let target = Terminal.harmless(name)
        output.out.show(answer) {
            rows.isEmpty
                ? "nothing to take up: it is tried again already\n"
                : "notification/\(target) is told of \(rows.joined(separator: ", ")) after all\n"
        }
    }
}
