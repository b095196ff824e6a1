import ArgumentParser
import Manifests
import Shiplog

/// `shiplog project`.
struct ProjectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "project", abstract: "Look at projects and change them: what applications may do, and when.",
        discussion: """
            Examples:
              shiplog project apply -f team-shop.yaml
              shiplog project windows team-shop
              shiplog explain window -f team-shop.yaml --app shop.yaml
            """,
        subcommands: [
            ProjectListCommand.self, ProjectGetCommand.self, ProjectApplyCommand.self, ProjectWindowsCommand.self,
            ProjectDeleteCommand.self
        ])
}

extension Client {
    /// `/projects/NAME…`, the name encoded.
    static func project(_ name: String, _ rest: String = "") -> String { "/projects/" + QueryText.encode(name) + rest }
}

/// `shiplog project list`.
struct ProjectListCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "All projects with what they permit.",
        discussion: """
            Examples:
              shiplog project list
              shiplog project list -o json
            """)

    @OptionGroup var server: ServerOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let found = try await server.client().items("/projects", QueryText(), limit: .max)
        let out = output.out
        out.show(["items": .array(found.items), "asOf": .integer(found.asOf)]) {
            out.table(
                ["NAME", "APPLICATIONS", "SOURCES", "DESTINATIONS", "WINDOWS", "CHANGED", "DESCRIPTION"],
                found.items.map(Self.row))
        }
    }

    private static func row(_ item: JSON) -> [Cell] {
        let isRegistered = item["registered"]?.bool == true
        return [
            Cell(item.text("name")), Cell("\(item["applications"]?.array?.count ?? 0)"),
            Cell(ProjectText.list(item["sourceRepos"])), Cell(ProjectText.destinations(item["destinations"])),
            Cell("\(item["windows"]?.integer ?? 0)"),
            Cell(isRegistered ? TimeText.short(item["changedAt"]?.string) : "built in"), Cell(item.text("description"))
        ]
    }
}

/// `shiplog project get`.
struct ProjectGetCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "get", abstract: "One project with its document.",
        discussion: """
            Examples:
              shiplog project get team-shop
              shiplog project get team-shop -o json | jq .document > team-shop.json
            """)

    @Argument(help: "The project.")
    var project: String
    @OptionGroup var server: ServerOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let project = try await server.client().get(Client.project(project))
        let out = output.out
        out.show(project) {
            let isRegistered = project["registered"]?.bool == true
            return out.facts([
                ("Name", Cell(project.text("name"), .strong)), ("Description", project.cell("description")),
                ("Applications", Cell(ProjectText.list(project["applications"]))),
                ("Windows", Cell("\(project["windows"]?.integer ?? 0)")),
                ("Changed", isRegistered ? Cell(project.sequence("changedBy")) : Cell("built in, permits everything"))
            ]) + "\n"
                + YAML.write(project["document"] ?? .null).split(separator: "\n", omittingEmptySubsequences: false)
                .map { Terminal.harmless(String($0)) }.joined(separator: "\n")
        }
    }
}

/// `shiplog project apply`.
struct ProjectApplyCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "apply", abstract: "Make projects, or change them, from Argo CD's YAML or JSON.",
        discussion: """
            Examples:
              shiplog project apply -f team-shop.yaml

            Each document is one AppProject. What is already as it says is left alone. From the first project on,
            applications of a project that nobody has registered are refused.
            """,
        aliases: ["create"])

    @Option(
        name: [.customShort("f"), .long], help: "A file, or - for standard input; may be given again.",
        completion: .file(extensions: ["yaml", "yml", "json"]))
    var file: [String]
    @OptionGroup var server: ServerOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let client = try server.client()
        let out = output.out
        // All files are read before the first project is touched.
        let documents = try file.flatMap { try AppApplyCommand.documents($0) }
        guard !documents.isEmpty else {
            throw Failure("project.invalid", "the input holds no document", remedy: "give an AppProject with -f")
        }
        for document in documents {
            try await AppApplyCommand.apply(
                document, to: Client.project(document.name), as: "project", client, out)
        }
    }
}

/// `shiplog project delete`.
struct ProjectDeleteCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete", abstract: "Forget a project that no application belongs to; its history stays.",
        discussion: """
            Examples:
              shiplog project delete team-shop --yes --reason "the team is dissolved"
            """)

    @Argument(help: "The project.")
    var project: String
    @Option(help: ArgumentHelp("Why, for the history.", valueName: "text"))
    var reason: String?
    @Flag(name: .shortAndLong, help: "Do not ask.")
    var yes = false
    @OptionGroup var server: ServerOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        if !yes { try Confirmation.ask("Delete the project \(project)?", needsPerson: true) }
        let answer = try await server.client().delete(Client.project(project), QueryText([("reason", reason)]))
        output.out.show(answer) { "project/\(Terminal.harmless(project)) deleted \(answer.sequence("event"))\n" }
    }
}

/// `shiplog project windows`.
struct ProjectWindowsCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "windows", abstract: "The sync windows of a project, and what they say of its applications.",
        discussion: """
            Examples:
              shiplog project windows team-shop
              shiplog project windows team-shop --at '2026-12-24 20:00'
            """)

    @Argument(help: "The project.")
    var project: String
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("At that moment: RFC 3339, '2026-11-20 13:00', -2h. (default: now)", valueName: "time"))
    var at: Moment?
    @OptionGroup var server: ServerOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let answer = try await server.client().get(
            Client.project(project, "/windows"), QueryText([("at", at?.timestamp.description)]))
        let out = output.out
        out.show(answer) { ProjectText.windows(answer, out) }
    }
}

/// What is printed of projects and their windows, whoever answered.
enum ProjectText {
    static func list(_ json: JSON?) -> String {
        let texts = (json?.array ?? []).compactMap(\.string)
        return texts.prefix(3).joined(separator: ", ") + (texts.count > 3 ? ", … \(texts.count) in all" : "")
    }

    static func destinations(_ json: JSON?) -> String {
        list(
            .array(
                (json?.array ?? []).map { item in
                    let cluster = item.text("name").isEmpty ? item.text("server") : item.text("name")
                    return .string("\(cluster)/\(item.text("namespace"))")
                }))
    }

    static func windows(_ answer: JSON, _ out: Output) -> String {
        let rows = (answer["windows"]?.array ?? []).map { window in
            [
                Cell("\(window["index"]?.integer ?? 0)"),
                Cell(window["active"]?.bool == true ? "Active" : "Inactive"), Cell(window.text("kind")),
                Cell(window.text("schedule")), Cell(window.text("duration")), Cell(window.text("timeZone")),
                Cell(list(window["applications"])), Cell(list(window["namespaces"])), Cell(list(window["clusters"])),
                Cell(options(window)), Cell(TimeText.short(window["changesAt"]?.string))
            ]
        }
        var text = out.table(
            [
                "ID", "STATUS", "KIND", "SCHEDULE", "DURATION", "TIMEZONE", "APPLICATIONS", "NAMESPACES", "CLUSTERS",
                "OPTIONS", "CHANGES"
            ], rows)
        let applications = answer["applications"]?.array ?? []
        if !applications.isEmpty {
            text +=
                "\n"
                + out.table(
                    ["APPLICATION", "SYNC", "WHY", "UNTIL"],
                    applications.map { item in
                        [
                            Cell(item.text("application")), Cell(item.text("permission")), Cell(item.text("message")),
                            Cell(TimeText.short(item["changesAt"]?.string))
                        ]
                    })
        }
        return text
    }

    private static func options(_ window: JSON) -> String {
        ["manualSync", "syncOverrun", "andOperator"].filter { window[$0]?.bool == true }.joined(separator: ", ")
    }
}
