import ArgumentParser
import Foundation
import Shiplog

@main
struct ShiplogMain: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "shiplog", abstract: "A GitOps controller with a memory.",
        discussion: """
            Examples:
              shiplog demo                                see all of it on a cluster of its own
              shiplog app list                            what runs, and how it is
              shiplog history --since -1d                 what was done since yesterday
              shiplog app rollback guestbook --reason "…" put an application back

            See also: shiplog help exit-codes
            """,
        version: Version.current,
        subcommands: [
            ServeCommand.self, DemoCommand.self, SandboxCommand.self, AppCommand.self, ProjectCommand.self,
            HistoryCommand.self,
            ShowCommand.self, EventsCommand.self, ReportCommand.self, AtCommand.self, CompareCommand.self,
            BlameCommand.self, RollbackCommand.self, ExplainCommand.self, LedgerCommand.self, NotificationsCommand.self,
            TokenCommand.self,
            CompletionCommand.self,
            VersionCommand.self
        ])

    static func main() async {
        let arguments = CommandLine.arguments.dropFirst()
        if arguments.elementsEqual(["help", "exit-codes"]) {
            print(Ending.table, terminator: "")
            return
        }
        var format = OutputFormat.table
        do {
            // Asynchronous, for completions ask the server.
            var command = try await asyncParseAsRoot(InstantArgument.withoutDashes(Array(arguments)))
            if let client = command as? any ClientCommand { format = client.output.output }
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch {
            end(with: error, format)
        }
    }

    /// Says what went wrong, in the house's format, and ends with its exit code.
    private static func end(with error: any Error, _ format: OutputFormat) -> Never {
        flushOutput()
        if let known = CommandError.from(error) {
            let text = format == .table ? known.text : known.json.canonicalString + "\n"
            FileHandle.standardError.write(Data(text.utf8))
            Foundation.exit(known.ending.rawValue)
        }
        // Help, versions and quiet endings are the parser's own; what is wrong with the line is told as all errors are.
        let code = exitCode(for: error)
        guard code == .validationFailure else { exit(withError: error) }
        let usage = fullMessage(for: error)
        let prefix = "Error: "
        let text = usage.hasPrefix(prefix) ? "shiplog: error: " + usage.dropFirst(prefix.count) : usage
        FileHandle.standardError.write(Data((text + "\n").utf8))
        Foundation.exit(Ending.usage.rawValue)
    }
}
