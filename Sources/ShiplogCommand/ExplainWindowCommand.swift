import ArgumentParser
import Manifests
import Shiplog

/// `shiplog explain window`.
struct ExplainWindowCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "window", abstract: "Whether a project's sync windows let an application sync, and until when.",
        discussion: """
            Examples:
              shiplog explain window -f project.yaml
              shiplog explain window -f project.yaml --app application.yaml
              shiplog explain window -f project.yaml --app application.yaml --at '2026-12-24 20:00' -o json

            Without --app, only which windows are open. A cluster's name is known when the application gives it. Times are
            UTC; a window's own time zone decides when it opens.
            """)

    @Option(
        name: [.customShort("f"), .customLong("file")], help: "A file with one AppProject, or - for standard input.",
        completion: .file(extensions: ["yaml", "yml", "json"]))
    var file: String
    @Option(
        help: ArgumentHelp("A file with Applications; may be given again.", valueName: "file"),
        completion: .file(extensions: ["yaml", "yml", "json"]))
    var app: [String] = []
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("At that moment: RFC 3339, '2026-11-20 13:00', -2h. (default: now)", valueName: "time"))
    var at: Moment?
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let projects = try ProjectReader.read(try Places.input(file), file: file == "-" ? "standard input" : file)
        guard let (project, warnings) = projects.first, projects.count == 1 else {
            throw Failure(
                .projectInvalid, "\(file) holds \(projects.count) AppProjects", remedy: "give a file with exactly one")
        }
        for warning in warnings { Talk.warn(warning) }
        let moment = at?.timestamp ?? Wiring.now()
        var applications: [Application] = []
        for name in app {
            applications += try ApplicationReader.read(try Places.input(name), file: name).map(\.application)
        }
        let answer = Self.json(project, applications, at: moment)
        let out = output.out
        out.show(answer) {
            Terminal.harmless("project \(project.name) at \(moment)") + "\n" + ProjectText.windows(answer, out)
        }
    }

    static func json(_ project: AppProject, _ applications: [Application], at moment: Timestamp) -> JSON {
        let windows = project.windows.enumerated().map { index, window in
            JSON.members([
                "index": .integer(Int64(index)), "kind": .string(window.kind.rawValue),
                "schedule": .string(window.schedule.text), "duration": .string(window.durationText),
                "timeZone": .string(window.zone.name), "applications": .array(window.applications.map { .string($0) }),
                "namespaces": .array(window.namespaces.map { .string($0) }),
                "clusters": .array(window.clusters.map { .string($0) }), "andOperator": .bool(window.andOperator),
                "manualSync": .bool(window.manualSync), "syncOverrun": .bool(window.syncOverrun),
                "active": .bool(window.isActive(at: moment)),
                "changesAt": window.changes(after: moment).map { .string($0.description) }
            ])
        }
        let decisions = applications.map { application in
            let place = ProjectDestination(application.destination)
            let decision = WindowDecision.make(
                project.windows,
                for: SyncWindow.Subject(
                    application: application.name, namespace: application.destination.namespace,
                    clusters: place.names.union(place.servers).sorted()), at: moment)
            return JSON.members([
                "application": .string(application.name), "permission": .string(decision.permission.rawValue),
                "reason": .string(decision.reason.rawValue), "message": .string(decision.sentence),
                "windows": .array(decision.windows.map { .integer(Int64($0.index)) }),
                "deciding": .array(decision.deciding.map { .integer(Int64($0.index)) }),
                "changesAt": decision.changesAt.map { .string($0.description) }
            ])
        }
        return [
            "project": .string(project.name), "at": .string(moment.description), "windows": .array(windows),
            "applications": .array(decisions)
        ]
    }
}
