import ArgumentParser
import Manifests
import Shiplog

/// `shiplog explain diff`.
struct ExplainDiffCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "diff", abstract: "What differs between desired and live objects, field by field, and who owns it.",
        discussion: """
            Examples:
              shiplog explain diff --desired deploy.yaml --live live.yaml
              kubectl get -f deploy.yaml -o yaml --show-managed-fields | shiplog explain diff --desired deploy.yaml --live -

            Exit 0 without a difference, 1 with one, 2 and above for trouble. What only a server can tell is "undecided":
            the controller then asks for a dry run.
            """)

    @Option(help: ArgumentHelp("Manifests as Git has them; may be given again.", valueName: "file"), completion: .file())
    var desired: [String]
    @Option(
        help: ArgumentHelp("Objects as a cluster has them; may be given again.", valueName: "file"), completion: .file())
    var live: [String]
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let (wanted, there) = try (ManifestInput.read(desired), ManifestInput.read(live))
        let normalized = wanted.map { DesiredNormalization.apply($0) }
        for warning in normalized.flatMap(\.warnings) { Talk.warn(warning) }
        let items = DifferenceExplanation.between(desired: normalized.map(\.resource), live: there)
        let out = output.out
        out.show(["items": .array(items.map(Self.json))]) { Self.text(items, out) }
        if items.contains(where: { $0.word != "same" }) { throw ExitCode(Ending.different.rawValue) }
    }

    static func json(_ item: DifferenceExplanation) -> JSON {
        var json = ExplainText.object(item.key)
        json["difference"] = .string(item.word)
        json["changes"] = .array(item.changes.map(json(_:)))
        return json
    }

    private static func json(_ change: FieldChange) -> JSON {
        .members([
            "field": .string(change.path), "change": .string(change.kind.rawValue), "desired": change.desired,
            "live": change.live, "owners": .array(change.owners.map { .string($0) })
        ])
    }

    /// A line for each object, and below it one for each field.
    static func text(_ items: [DifferenceExplanation], _ out: Output) -> String {
        var rows: [[Cell]] = []
        for item in items {
            rows.append([Cell(item.key.description, .strong), .status(item.word)])
            for change in item.changes {
                rows.append([
                    Cell("  " + change.path), .status(change.kind.rawValue), Cell(ExplainText.value(change.live)),
                    Cell(ExplainText.value(change.desired)), Cell(change.owners.joined(separator: ", "))
                ])
            }
        }
        return out.table(["RESOURCE OR FIELD", "DIFFERENCE", "LIVE", "DESIRED", "ALSO OWNED BY"], rows)
    }
}
