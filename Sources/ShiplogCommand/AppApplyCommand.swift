import ArgumentParser
import Foundation
import Manifests
import Shiplog

/// `shiplog app apply`.
struct AppApplyCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "apply", abstract: "Make applications, or change them, from Argo CD's YAML or JSON.",
        discussion: """
            Examples:
              shiplog app apply -f guestbook.yaml
              cat apps/*.yaml | shiplog app apply -f -

            Each document is one Application. What is already as it says is left alone.
            """)

    @Option(
        name: [.customShort("f"), .long], help: "A file, or - for standard input; may be given again.",
        completion: .file(extensions: ["yaml", "yml", "json"]))
    var file: [String]
    @OptionGroup var server: ServerOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let client = try server.client()
        let out = output.out
        // All files are read before the first application is touched.
        let documents = try file.flatMap { try Self.documents($0) }
        guard !documents.isEmpty else {
            throw Failure("application.invalid", "the input holds no document", remedy: "give an Application with -f")
        }
        for document in documents {
            try await Self.apply(document, to: Client.application(document.name), as: "application", client, out)
        }
    }

    struct Document: Sendable {
        let name: String
        let json: JSON
        let place: String
    }

    /// Puts a document, and says what became of it as kubectl does.
    static func apply(
        _ document: Document, to path: String, as noun: String, _ client: Client, _ out: Output
    ) async throws {
        let status: Int
        let answer: JSON
        do {
            (status, answer) = try await client.put(path, document.json)
        } catch let error as CommandError {
            throw error.during(document.place)
        }
        for warning in answer["warnings"]?.array ?? [] {
            Talk.warn("\(document.name): \(warning.string ?? "")")
        }
        let word = status == 201 ? "created" : answer["changed"]?.bool == true ? "configured" : "unchanged"
        var result = answer
        result["result"] = .string(word)
        out.stream(result) { Terminal.harmless("\(noun)/\(document.name) \(word)") + "\n" }
    }

    static func documents(_ file: String) throws(Failure) -> [Document] {
        let bytes = try Places.input(file)
        let name = file == "-" ? "standard input" : file
        var result: [Document] = []
        // JSON is YAML: one reader tells file and line of what is wrong.
        for document in try YAML.read(bytes, file: name) where !document.json.isNull {
            let place = "\(name):\(document.line)"
            guard let application = document.json.at("metadata", "name")?.string, !application.isEmpty else {
                throw Failure(
                    .applicationInvalid, "\(place): metadata.name is missing", remedy: "give an Argo CD Application")
            }
            result.append(Document(name: application, json: document.json, place: place))
        }
        return result
    }
}
