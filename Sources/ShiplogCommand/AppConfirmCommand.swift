import ArgumentParser
import Shiplog

/// `shiplog app confirm`.
struct AppConfirmCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "confirm", abstract: "Let a sync prune what wants a confirmation (Prune=confirm).",
        discussion: """
            Examples:
              shiplog app confirm guestbook --reason "the old volume is copied"
              shiplog app confirm guestbook --resource PersistentVolumeClaim:data

            What it waits for stands in `shiplog app get`. `shiplog app terminate` ends it instead.
            """)

    @Argument(help: "The application.", completion: .applications)
    var app: String
    @Option(
        parsing: .singleValue,
        help: ArgumentHelp(
            "Only this resource; may be given again. (default: all that is waited for)",
            valueName: "[group:]kind:[namespace/]name"))
    var resource: [SelectorArgument] = []
    @Option(help: ArgumentHelp("Why, for the history.", valueName: "text"))
    var reason: String?
    @OptionGroup var server: ServerOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let body = JSON.members([
            "resources": resource.isEmpty ? nil : .array(resource.map(\.json)), "reason": reason.map { .string($0) }
        ])
        let answer = try await server.client().post(Client.application(app, "/confirm"), body)
        output.out.show(answer) { "application/\(Terminal.harmless(app)) confirmed \(answer.sequence("event"))\n" }
    }
}
