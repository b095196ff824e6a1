import ArgumentParser
import Foundation
import LedgerStore
import Shiplog

enum ShellName: String, ExpressibleByArgument, CaseIterable, Sendable {
    case bash, zsh, fish

    var shell: CompletionShell {
        switch self {
        case .bash: .bash
        case .zsh: .zsh
        case .fish: .fish
        }
    }
}

/// `shiplog completion`.
struct CompletionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "completion", abstract: "Print a completion script for a shell.",
        discussion: """
            Examples:
              source <(shiplog completion bash)
              shiplog completion zsh > "${fpath[1]}/_shiplog"
              shiplog completion fish > ~/.config/fish/completions/shiplog.fish

            Names of applications are completed from the server that SHIPLOG_SERVER names.
            """)

    @Argument(help: "bash, zsh or fish.")
    var shell: ShellName

    func run() throws { print(ShiplogMain.completionScript(for: shell.shell)) }
}

/// `shiplog version`.
struct VersionCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "version", abstract: "The versions of this program, of SQLite and of the server.",
        discussion: """
            Examples:
              shiplog version
              shiplog version --client -o json
            """)

    @Flag(help: "Do not ask the server.")
    var client = false
    @OptionGroup var server: ServerOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        var versions: JSON = [
            "shiplog": .string(Version.current), "sqlite": .string(Ledger.sqliteVersion)
        ]
        if !client, let answer = try? await server.client().get("/system") { versions["server"] = answer["version"] }
        let out = output.out
        out.show(versions) {
            out.facts([
                ("shiplog", versions.cell("shiplog")), ("SQLite", versions.cell("sqlite")),
                ("server", versions.cell("server"))
            ])
        }
    }
}
