import ArgumentParser
import Manifests
import Shiplog

/// `shiplog explain health`.
struct ExplainHealthCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "health", abstract: "How well the objects of files are, and why.",
        discussion: """
            Examples:
              shiplog explain health live.yaml
              kubectl get deploy,pvc -o json | shiplog explain health -o json -

            The last line is the health of an application of these objects: the worst of them.
            """)

    @Argument(help: "Files with objects as a cluster has them; - is standard input.", completion: .file())
    var files: [String]
    @Option(
        help: ArgumentHelp("A configuration of serve, for its health rules.", valueName: "file"), completion: .file())
    var config: String?
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let rules = HealthRules(
            try config.map { file throws(Failure) in
                try ConfigurationReader.read(try Places.read(file), file: file).health
            } ?? [])
        let objects = try ManifestInput.read(files)
        let items = objects.map { HealthExplanation(of: $0, rules: rules) }
        let whole = Health.aggregate(objects.map { Health.Part(key: $0.key, state: .present($0)) }, rules: rules)
        let out = output.out
        let answer: JSON = [
            "items": .array(items.map(Self.json)),
            "health": .members(["status": .string(whole.status.rawValue), "message": whole.message.map { .string($0) }])
        ]
        out.show(answer) {
            let rows = items.map { item -> [Cell] in
                [
                    Cell(item.key.description), .status(item.health?.status.rawValue ?? "none"),
                    Cell(item.basis.rawValue), Cell(item.health?.message ?? "")
                ]
            }
            let last = [
                Cell("all of them", .strong), Cell.status(whole.status.rawValue), Cell(""), Cell(whole.message ?? "")
            ]
            return out.table(["RESOURCE", "HEALTH", "BY", "MESSAGE"], rows + [last])
        }
    }

    private static func json(_ item: HealthExplanation) -> JSON {
        var json = ExplainText.object(item.key)
        json["by"] = .string(item.basis.rawValue)
        json["health"] = item.health.map { health in
            .members(["status": .string(health.status.rawValue), "message": health.message.map { .string($0) }])
        }
        return json
    }
}
