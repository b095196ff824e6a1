import ArgumentParser
import Shiplog

/// `shiplog events`.
struct EventsCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "events", abstract: "The audit log: every act besides revisions, refused ones included.",
        discussion: """
            Examples:
              shiplog events --since -1d
              shiplog events --kind application.changed --app guestbook
              shiplog events --outcome refused --actor ci -o json

            `shiplog show NUMBER` shows one of them, and field by field what it changed.
            """)

    @Option(
        help: ArgumentHelp("Only of this application; may be given again.", valueName: "name"),
        completion: .applications)
    var app: [String] = []
    @Option(help: ArgumentHelp("Only of this project; may be given again.", valueName: "name"))
    var project: [String] = []
    @Option(help: ArgumentHelp("Only of this kind, such as token.created; may be given again.", valueName: "kind"))
    var kind: [Word<Event.Kind>] = []
    @Option(help: ArgumentHelp("Only by this person or robot.", valueName: "name"))
    var actor: String?
    @Option(help: ArgumentHelp("Only with this outcome, such as refused; may be given again.", valueName: "outcome"))
    var outcome: [String] = []
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("From then on: RFC 3339, '2026-11-20 13:00', -2h, yesterday.", valueName: "time"))
    var since: Moment?
    @Option(parsing: .unconditional, help: ArgumentHelp("Until then.", valueName: "time"))
    var until: Moment?
    @Flag(help: "Oldest first.")
    var reverse = false
    @Option(name: [.customShort("n"), .long], help: ArgumentHelp("How many; 0 for all.", valueName: "number"))
    var limit = 50
    @OptionGroup var server: ServerOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard limit >= 0 else { throw ValidationError("--limit cannot be negative") }
    }

    var query: QueryText {
        var query = QueryText([
            ("actor", actor), ("from", since?.timestamp.description), ("to", until?.timestamp.description),
            ("order", reverse ? "asc" : nil)
        ])
        query.add("application", all: app)
        query.add("project", all: project)
        query.add("kind", all: kind.map(\.rawValue))
        query.add("outcome", all: outcome)
        return query
    }

    func run() async throws {
        let found = try await server.client().items("/events", query, limit: limit == 0 ? .max : limit)
        let out = output.out
        out.show(["items": .array(found.items), "asOf": .integer(found.asOf)]) {
            out.table(
                ["SEQUENCE", "RECORDED", "EVENT", "APPLICATION", "BY", "OUTCOME", "FACTS"], found.items.map(Self.row))
        }
    }

    static func row(_ event: JSON) -> [Cell] {
        [
            Cell(event.sequence("sequence")), Cell(TimeText.short(event["recordedAt"]?.string)),
            Cell(event.text("kind")), Cell(event.text("application", "name")), Cell(EventText.actor(event)),
            Cell(event.text("outcome"), EventText.style(event.text("outcome"))), Cell(EventText.facts(event))
        ]
    }
}

/// One act of the audit log, for people.
enum EventText {
    static func actor(_ event: JSON) -> String {
        event.text("actor", "name") + " (" + event.text("actor", "means") + ")"
    }

    static func style(_ outcome: String) -> Style? { outcome == "refused" ? .bad : Style.of(outcome) }

    /// `hold until-unpinned, woken 3`: what is a list or a map as JSON.
    static func facts(_ event: JSON) -> String {
        let reason = event["reason"]?.string.map { ["“\($0)”"] } ?? []
        let facts = (event["facts"]?.object ?? [:]).sorted { $0.key < $1.key }
        return (reason + facts.map { $0.key + " " + value($0.value) }).joined(separator: ", ")
    }

    static func value(_ value: JSON?) -> String {
        guard let value else { return "–" }
        return value.string ?? value.canonicalString
    }

    static func text(_ event: JSON, _ out: Output) -> String {
        var text = out.facts([
            ("Event", Cell(event.sequence("sequence"), .strong)), ("Kind", event.cell("kind")),
            ("Application", event.cell("application", "name")), ("By", Cell(actor(event))),
            ("Token", event.cell("actor", "tokenID")), ("From", event.cell("detail", "address")),
            ("Request", event.cell("requestID")), ("Reason", event.cell("reason")),
            ("Outcome", Cell(event.text("outcome"), style(event.text("outcome")))),
            ("Revision", event["revision"]?.integer.map { Cell("#\($0)") }),
            ("Facts", event["facts"].flatMap { $0.object?.isEmpty == false ? Cell($0.canonicalString) : nil }),
            ("Message", event.cell("detail", "message")),
            ("Erased", (event["erased"]?.array).flatMap { $0.isEmpty ? nil : Cell(value(.array($0))) }),
            ("Recorded", event.cell("recordedAt")), ("Leaf hash", event.cell("digest"))
        ])
        let changes = event["changes"]?.array ?? []
        if !changes.isEmpty {
            text += "\n"
            for change in changes {
                text += Terminal.harmless(change.text("path")) + "\n"
                if let before = change["before"] { text += line("- ", before, .bad, out) }
                if let after = change["after"] { text += line("+ ", after, .good, out) }
            }
        }
        return text
    }

    private static func line(_ mark: String, _ value: JSON, _ style: Style, _ out: Output) -> String {
        "  " + out.paint(mark + Terminal.harmless(self.value(value)), style) + "\n"
    }
}
