import ArgumentParser
import Foundation
import Shiplog

/// `shiplog show`.
struct ShowCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "One row of the ledger: a revision or an event.",
        discussion: """
            Examples:
              shiplog show 41
              shiplog show 41 --diff
              shiplog show 41 --diff --against live
              shiplog show 41 --entry | sha256sum
            """)

    @Argument(help: "Its number, such as 41 or #41.")
    var sequence: SequenceArgument
    @Flag(help: "What it changed.")
    var diff = false
    @Option(
        help: ArgumentHelp("With --diff, from what: previous, live or a revision's number.", valueName: "revision"))
    var against: String?
    @Flag(help: "The manifests it applied, with the values of Secrets masked.")
    var manifests = false
    @Flag(help: "The entry itself: the bytes that were hashed.")
    var entry = false
    @OptionGroup var server: ServerOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard [diff, manifests, entry].filter({ $0 }).count <= 1 else {
            throw ValidationError("give one of --diff, --manifests and --entry")
        }
        guard let against else { return }
        guard diff else { throw ValidationError("--against wants --diff") }
        guard against == "previous" || against == "live" || SequenceArgument(argument: against) != nil else {
            throw ValidationError("--against wants previous, live or a revision's number")
        }
    }

    func run() async throws {
        let client = try server.client()
        let out = output.out
        let path = "/revisions/\(sequence.value)"
        if entry {
            FileHandle.standardOutput.write(Data(try await client.bytes("/entries/\(sequence.value)")))
        } else if manifests {
            ManifestPrinting.show(try await client.get(path + "/manifests"), out)
        } else if diff {
            let base = against.map { SequenceArgument(argument: $0).map { String($0.value) } ?? $0 }
            let answer = try await client.get(path + "/diff", QueryText([("against", base)]))
            let old = answer["against"]?.integer.map { "#\($0)" } ?? base ?? "previous"
            out.show(answer) { DiffText.text(answer.items, old: old, new: "#\(sequence.value)", out) }
        } else {
            try await show(client, path, out)
        }
    }

    /// Revisions and events share one row of numbers.
    private func show(_ client: Client, _ path: String, _ out: Output) async throws {
        do {
            let revision = try await client.get(path)
            out.show(revision) { RevisionText.text(revision, out) }
        } catch let error as CommandError where error.failure.code == "revision.not-found" {
            do {
                let event = try await client.get("/events/\(sequence.value)")
                out.show(event) { EventText.text(event, out) }
            } catch let other as CommandError where other.ending == .notFound {
                throw error
            }
        }
    }
}
