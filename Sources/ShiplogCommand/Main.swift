import ArgumentParser
import Foundation
import Shiplog

@main
struct ShiplogMain: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "shiplog", abstract: "A GitOps controller with a memory.", version: Version.current,
        subcommands: [ServeCommand.self, DemoCommand.self, SandboxCommand.self])

    static func main() async {
        do {
            var command = try parseAsRoot()
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch let failure as Failure {
            FileHandle.standardError.write(Data("shiplog: error: \(failure.message) [\(failure.code.rawValue)]\n".utf8))
            if let remedy = failure.remedy { FileHandle.standardError.write(Data("  hint: \(remedy)\n".utf8)) }
            Foundation.exit(2)
        } catch {
            exit(withError: error)
        }
    }
}
