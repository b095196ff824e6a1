import ArgumentParser
import Foundation
import KubernetesAPI
import Shiplog

/// `shiplog app tree`.
struct AppTreeCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "tree", abstract: "Its resources and what controllers in the cluster made of them.",
        discussion: """
            Examples:
              shiplog app tree guestbook
              shiplog app tree guestbook -o json | jq '.items[].children'
            """)

    @Argument(help: "The application.", completion: .applications)
    var app: String
    @Option(help: ArgumentHelp("How many resources at most.", valueName: "n"))
    var limit: Int = 500
    @OptionGroup var server: ServerOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let answer = try await server.client().get(
            Client.application(app, "/tree"), QueryText([("limit", String(limit))]))
        output.out.show(answer) { TreeText.text(answer, output.out) }
    }
}

enum TreeText {
    static func text(_ answer: JSON, _ out: Output) -> String {
        var table = Table(columns: ["RESOURCE", "SYNC", "HEALTH", "CREATED", "IMAGES"], rows: [])
        for item in answer.items { add(item, above: "", own: "", to: &table) }
        var text = answer.items.isEmpty ? "" : out.table(table.columns, table.rows)
        if let omitted = answer["omitted"]?.integer, omitted > 0 {
            text += "\(omitted) more are left out; see --limit\n"
        }
        for one in answer["unread"]?.array ?? [] {
            let kind = [one.text("group"), one.text("kind")].filter { !$0.isEmpty }.joined(separator: "/")
            text += Terminal.harmless("\(kind) in \(one.text("namespace")) could not be read: \(one.text("message"))\n")
        }
        return text
    }

    private static func add(_ node: JSON, above: String, own: String, to table: inout Table) {
        let word = node["hook"] == true ? " (hook)" : node["deleting"] == true ? " (being deleted)" : ""
        let images = (node["images"]?.array ?? []).compactMap(\.string).joined(separator: ", ")
        table.rows.append([
            Cell(above + own + node.resourceName + word), Cell.status(node.text("sync")),
            Cell.status(node.text("health")), Cell(node.text("createdAt")), Cell(images)
        ])
        let children = node["children"]?.array ?? []
        let below = own.isEmpty ? above : above + (own.hasPrefix("└") ? "   " : "│  ")
        for (index, child) in children.enumerated() {
            add(child, above: below, own: index == children.count - 1 ? "└─ " : "├─ ", to: &table)
        }
    }
}

/// `KIND/NAME`, as kubectl writes it.
struct TreeResource: ExpressibleByArgument, Sendable {
    let kind: String
    let name: String

    init?(argument: String) {
        let parts = argument.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else { return nil }
        (kind, name) = (parts[0], parts[1])
    }

    init(kind: String, name: String) {
        self.kind = kind
        self.name = name
    }
}

extension QueryText {
    mutating func add(_ resource: TreeResource?) {
        add("kind", resource?.kind)
        add("resource", resource?.name)
    }
}

/// `shiplog app events`.
struct AppEventsCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "events", abstract: "The cluster's events of what is in its tree.",
        discussion: """
            Examples:
              shiplog app events guestbook
              shiplog app events guestbook pod/web-5d9c7-abcde

            What Shiplog itself recorded is in `shiplog events`.
            """)

    @Argument(help: "The application.", completion: .applications)
    var app: String
    @Argument(help: ArgumentHelp("One resource of the tree.", valueName: "kind/name"))
    var resource: TreeResource?
    @Option(name: .shortAndLong, help: "Its namespace, where the name is not enough.")
    var namespace: String?
    @OptionGroup var server: ServerOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        var query = QueryText([("namespace", namespace)])
        query.add(resource)
        let answer = try await server.client().get(Client.application(app, "/resources/events"), query)
        output.out.show(answer) {
            var table = Table(columns: ["LAST SEEN", "TYPE", "REASON", "RESOURCE", "COUNT", "MESSAGE"], rows: [])
            for event in answer.items {
                table.rows.append([
                    Cell(event.text("lastSeen")), Cell(event.text("type")), Cell(event.text("reason")),
                    Cell((event["resource"] ?? [:]).resourceName),
                    Cell(event["count"]?.integer.map { String($0) } ?? ""), Cell(event.text("message"))
                ])
            }
            return output.out.table(table.columns, table.rows)
        }
    }
}

/// `shiplog app logs`.
struct AppLogsCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "logs", abstract: "The log of a pod in its tree.",
        discussion: """
            Examples:
              shiplog app logs guestbook
              shiplog app logs guestbook deployment/web -f --tail 50
              shiplog app logs guestbook pod/web-5d9c7-abcde -c sidecar --previous

            A resource that is no pod means the newest pod below it. Wants the role deployer.
            """)

    @Argument(help: "The application.", completion: .applications)
    var app: String
    @Argument(help: ArgumentHelp("One resource of the tree.", valueName: "kind/name"))
    var resource: TreeResource?
    @Option(name: .shortAndLong, help: "The container; the pod's own first choice unless given.")
    var container: String?
    @Option(name: .shortAndLong, help: "The resource's namespace, where the name is not enough.")
    var namespace: String?
    @Flag(name: .shortAndLong, help: "Go on with what is written from now on.")
    var follow = false
    @Option(help: ArgumentHelp("How many lines of what is there.", valueName: "n"))
    var tail: Int = 1000
    @Option(help: ArgumentHelp("Only what is younger, such as 10m.", valueName: "span"))
    var since: Span?
    @Flag(help: "Of the container that ran before.")
    var previous = false
    @OptionGroup var server: ServerOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        var query = QueryText([
            ("container", container), ("namespace", namespace), ("tailLines", String(tail)),
            ("sinceSeconds", since.map { String(max(1, $0.milliseconds / 1000)) }),
            ("previous", previous ? "true" : nil), ("follow", follow ? "true" : nil)
        ])
        query.add(resource)
        let client = try server.client()
        var request = client.request("GET", Client.application(app, "/resources/logs"), query, nil)
        request.headers = request.headers.map { $0.name == "Accept" ? ("Accept", "text/plain, */*") : $0 }
        if follow { request.timeoutMilliseconds = 3_600_000 }
        let isTerminal = isatty(1) == 1
        let response = try await HTTPClient.shared.pieces(request) { piece in
            // A log may hold what a terminal would obey; a pipe gets the bytes as they are.
            let bytes = isTerminal ? piece.filter { $0 >= 0x20 || $0 == 0x0A || $0 == 0x09 || $0 == 0x0D } : piece
            FileHandle.standardOutput.write(Data(bytes))
            return true
        }
        try client.check(response)
    }
}
