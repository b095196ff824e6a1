import ArgumentParser
import Manifests
import Shiplog

/// `shiplog explain diff`.
struct ExplainDiffCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "diff", abstract: "What differs between desired and live objects, field by field.",
        discussion: """
            Examples:
              shiplog explain diff --desired app.yaml --live live.yaml
              kubectl get -f app.yaml -o yaml --show-managed-fields | shiplog explain diff --desired app.yaml --live -

            Exit 0 without a difference, 1 with one, 2 and above for trouble. What only a server can tell is "undecided":
            the controller then asks for a dry run.
            """)

    @Option(
        help: ArgumentHelp("Manifests as Git has them; may be given again.", valueName: "file"), completion: .file())
    var desired: [String]
    @Option(
        help: ArgumentHelp("Objects as a cluster has them; may be given again.", valueName: "file"), completion: .file()
    )
    var live: [String]
    @Option(
        help: ArgumentHelp(
            "What does not count: a list of ignoreDifferences entries, or an Application or configuration that has one.",
            valueName: "file"), completion: .file())
    var ignore: [String] = []
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let (wanted, there) = try (ManifestInput.read(desired), ManifestInput.read(live))
        let normalized = wanted.map { DesiredNormalization.apply($0) }
        let ignored = try IgnoredDifferences(ignore.flatMap { file throws(Failure) in try Self.rules(file) })
        for warning in normalized.flatMap(\.warnings) { Talk.warn(warning) }
        // A definition among the files says how the lists of its kind merge.
        var schemas: [GroupVersionKind: MergeSchema] = [:]
        for definition in wanted + there {
            schemas.merge(MergeSchema.defined(by: definition), uniquingKeysWith: { $1 })
        }
        let items = DifferenceExplanation.between(
            desired: normalized.map(\.resource), live: there,
            schema: ListKeys.builtIn.adding(schemas), ignoring: ignored)
        let out = output.out
        out.show(["items": .array(items.map(Self.json))]) { Self.text(items, out) }
        if items.contains(where: { $0.word != "same" }) { throw ExitCode(Ending.different.rawValue) }
    }

    private static func rules(_ file: String) throws(Failure) -> [IgnoreRule] {
        let (rules, warnings) = try IgnoreRules.read(try Places.read(file), file: file)
        for warning in warnings { Talk.warn(warning) }
        return rules
    }

    static func json(_ item: DifferenceExplanation) -> JSON {
        var json = ExplainText.object(item.key)
        json["difference"] = .string(item.word)
        json["changes"] = .array(item.changes.map(json(_:)))
        if !item.ignored.isEmpty { json["ignored"] = .array(item.ignored.map(json(_:))) }
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
            rows += item.changes.map { row($0, .status($0.kind.rawValue)) }
            rows += item.ignored.map { row($0, Cell("ignored", .faint)) }
        }
        return out.table(["RESOURCE OR FIELD", "DIFFERENCE", "LIVE", "DESIRED", "ALSO OWNED BY"], rows)
    }

    private static func row(_ change: FieldChange, _ word: Cell) -> [Cell] {
        [
            Cell("  " + change.path), word, Cell(ExplainText.value(change.live)),
            Cell(ExplainText.value(change.desired)), Cell(change.owners.joined(separator: ", "))
        ]
    }
}
