import ArgumentParser
import Foundation
import Shiplog

/// Which rows of the history.
struct HistoryFilter: ParsableArguments {
    @Option(help: ArgumentHelp("Only of this project; may be given again.", valueName: "name"))
    var project: [String] = []
    @Option(help: ArgumentHelp("Only reconcile, sync or rollback; may be given again.", valueName: "kind"))
    var kind: [Word<Revision.Kind>] = []
    @Option(help: ArgumentHelp("Only with this cause; may be given again.", valueName: "cause"))
    var cause: [Word<Cause>] = []
    @Option(help: ArgumentHelp("Only by this person or robot.", valueName: "name"))
    var actor: String?
    @Option(help: ArgumentHelp("Only succeeded, failed or superseded; may be given again.", valueName: "outcome"))
    var outcome: [OutcomeWord] = []
    @Option(help: ArgumentHelp("Only of this commit; its first 7 digits are enough.", valueName: "sha"))
    var commit: CommitArgument?
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("From then on: RFC 3339, '2026-11-20 13:00', -2h, yesterday.", valueName: "time"))
    var since: Moment?
    @Option(parsing: .unconditional, help: ArgumentHelp("Until then.", valueName: "time"))
    var until: Moment?
    @Flag(help: "Also looks that found nothing new.")
    var includeUnchanged = false
    @Flag(help: "Oldest first.")
    var reverse = false
    @Option(name: [.customShort("n"), .long], help: ArgumentHelp("How many; 0 for all.", valueName: "number"))
    var limit = 50
    @Flag(name: .shortAndLong, help: "Go on with new rows as they come, until interrupted.")
    var follow = false

    func validate() throws {
        guard limit >= 0 else { throw ValidationError("--limit cannot be negative") }
        guard !(follow && until != nil) else { throw ValidationError("--follow and --until exclude each other") }
    }

    func query(_ applications: [String]) -> QueryText {
        var query = QueryText([
            ("actor", actor), ("commit", commit?.digits), ("from", since?.timestamp.description),
            ("to", until?.timestamp.description), ("includeUnchanged", includeUnchanged ? "true" : nil)
        ])
        query.add("application", all: applications)
        query.add("project", all: project)
        query.add("kind", all: kind.map(\.rawValue))
        query.add("cause", all: cause.map(\.rawValue))
        query.add("outcome", all: outcome.map(\.rawValue))
        return query
    }

    /// The same conditions for a row that came over the stream.
    func takes(_ revision: JSON) -> Bool {
        let isOne = { (words: [String], word: String) in words.isEmpty || words.contains(word) }
        return isOne(project, revision.text("application", "project"))
            && isOne(kind.map(\.rawValue), revision.text("kind"))
            && isOne(cause.map(\.rawValue), revision.text("cause"))
            && isOne(outcome.map(\.rawValue), revision.text("outcome"))
            && (actor ?? revision.text("actor", "name")) == revision.text("actor", "name")
            && revision.text("source", "commit", "id").hasPrefix(commit?.digits ?? "")
    }
}

enum OutcomeWord: String, ExpressibleByArgument, CaseIterable, Sendable {
    case succeeded, failed, superseded
}

/// `shiplog history`.
struct HistoryCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "history", abstract: "What was done, when, by whom and why: of all applications, or of some.",
        discussion: """
            Examples:
              shiplog history
              shiplog history --app guestbook --outcome failed --since -7d
              shiplog history --follow -o json | jq .sequence

            Looks that found nothing new are left out unless --include-unchanged is given.
            """)

    @Option(
        help: ArgumentHelp("Only of this application; may be given again.", valueName: "name"),
        completion: .applications)
    var app: [String] = []
    @OptionGroup var filter: HistoryFilter
    @OptionGroup var server: ServerOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        try await HistoryPrinting(filter: filter, applications: app).run(server.client(), output.out)
    }
}

/// Prints a history, and goes on with it.
struct HistoryPrinting: Sendable {
    let filter: HistoryFilter
    let applications: [String]

    func run(_ client: Client, _ out: Output) async throws {
        let isReversed = filter.reverse && !filter.follow
        var query = filter.query(applications)
        if isReversed { query.add("order", "asc") }
        let found = try await client.items("/revisions", query, limit: filter.limit == 0 ? .max : filter.limit)
        if found.items.isEmpty, !filter.follow {
            // A name that was mistyped is no empty history: this fails with what the server says of it.
            for name in applications { _ = try await client.get(Client.application(name)) }
        }
        guard filter.follow else {
            return out.show(["items": .array(found.items), "asOf": .integer(found.asOf)]) {
                out.table(RevisionText.columns, found.items.map(RevisionText.row))
            }
        }
        let oldestFirst = Array(found.items.reversed())
        if out.format == .table {
            print(RevisionText.running(oldestFirst).text(headers: out.headers, color: out.color), terminator: "")
            flushOutput()
        } else {
            for item in oldestFirst { out.stream(item) { "" } }
        }
        try await follow(client, out, after: found.asOf)
    }

    /// Every row after a sequence, once and in order, over as many connections as it takes.
    private func follow(_ client: Client, _ out: Output, after start: Int64) async throws {
        let deadline = Deadline(client.timeout ?? Span(milliseconds: 0))
        let cursor = Cursor(start)
        var isFirst = true
        while !deadline.isOver {
            var query = QueryText([
                ("after", String(cursor.value)), ("includeUnchanged", filter.includeUnchanged ? "true" : nil)
            ])
            query.add("application", all: applications)
            do {
                try await client.events(query, milliseconds: deadline.left(atMost: 300_000)) { event in
                    if event.name == "resync" {
                        cursor.isLost = true
                        return false
                    }
                    if let id = event.id { cursor.value = max(cursor.value, id) }
                    if event.name == "revision", filter.takes(event.data) {
                        out.stream(event.data) { Self.line(event.data, out) }
                    }
                    return true
                }
            } catch let failure as Failure where failure.code == "http.timeout" {
                isFirst = false
                continue
            } catch let failure as Failure where failure.code == "http.unreachable" && !isFirst {
                Talk.warn("\(failure.message); trying again")
            }
            isFirst = false
            if cursor.isLost {
                Talk.warn("too much has happened to show all of it: rows after #\(cursor.value) are left out")
                cursor.value = try await client.get("/system")["asOf"]?.integer ?? cursor.value
                cursor.isLost = false
            }
            try await Task.sleep(for: .seconds(1))
        }
        throw CommandError(.timedOut, "history.timeout", "the time to follow the history is over")
    }

    private static func line(_ revision: JSON, _ out: Output) -> String {
        RevisionText.running([revision]).text(headers: false, color: out.color)
    }
}
