import ArgumentParser
import Shiplog

/// `shiplog app pin`.
struct AppPinCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "pin", abstract: "Hold an application at what is deployed now.",
        discussion: """
            Examples:
              shiplog app pin guestbook --reason "freeze over the weekend"
              shiplog app pin guestbook --hold until-new-commit
            """)

    @Argument(help: "The application.", completion: .applications)
    var app: String
    @Option(help: ArgumentHelp("Hold until-new-commit or until-unpinned.", valueName: "hold"))
    var hold = HoldArgument.untilUnpinned
    @Option(help: ArgumentHelp("Why, for the history.", valueName: "text"))
    var reason: String?
    @OptionGroup var server: ServerOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let body = JSON.members(["hold": .string(hold.rawValue), "reason": reason.map { .string($0) }])
        let answer = try await server.client().put(Client.application(app, "/pin"), body).json
        output.out.show(answer) {
            "application/\(Terminal.harmless(app)) pinned \(hold.rawValue) \(answer.sequence("event"))\n"
        }
    }
}

/// `shiplog app unpin`.
struct AppUnpinCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "unpin", abstract: "Let go of a pin: automated sync follows Git again.",
        discussion: """
            Examples:
              shiplog app unpin guestbook --reason "fixed in 1.4.3"
            """)

    @Argument(help: "The application.", completion: .applications)
    var app: String
    @Option(help: ArgumentHelp("Why, for the history.", valueName: "text"))
    var reason: String?
    @OptionGroup var server: ServerOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let answer = try await server.client().delete(
            Client.application(app, "/pin"), QueryText([("reason", reason)]))
        output.out.show(answer) { "application/\(Terminal.harmless(app)) unpinned \(answer.sequence("event"))\n" }
    }
}

/// `shiplog app terminate`.
struct AppTerminateCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "terminate", abstract: "End the sync or rollback that is running.",
        discussion: """
            Examples:
              shiplog app terminate guestbook
            """)

    @Argument(help: "The application.", completion: .applications)
    var app: String
    @OptionGroup var server: ServerOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        _ = try await server.client().post(Client.application(app, "/terminate"))
        output.out.show(["application": .string(app), "terminated": true]) {
            "application/\(Terminal.harmless(app)) is told to stop\n"
        }
    }
}

/// `shiplog app accept-cluster`.
struct AppAcceptClusterCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "accept-cluster",
        abstract: "Say that the destination may be another cluster than the one deployed to before.",
        discussion: """
            Examples:
              shiplog app accept-cluster guestbook

            Until somebody says so, nothing is applied to a cluster that answers in another one's place.
            """)

    @Argument(help: "The application.", completion: .applications)
    var app: String
    @OptionGroup var server: ServerOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let answer = try await server.client().post(Client.application(app, "/accept-cluster"))
        output.out.show(answer) { "application/\(Terminal.harmless(app)) accepted \(answer.sequence("event"))\n" }
    }
}
