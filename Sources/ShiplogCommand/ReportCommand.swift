import ArgumentParser
import Shiplog

/// `shiplog report`.
struct ReportCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "report", abstract: "How often, how fast and how well changes are deployed (DORA).",
        discussion: """
            Examples:
              shiplog report
              shiplog report --from 2026-10-01 --to 2026-11-01 --project shop
              shiplog report --from -90d --app guestbook -o json

            Each figure names the rows it was computed from: -o json has their numbers. docs/delivery.md says what counts.
            """)

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Deployments from then on. (default: 30 days before --to)", valueName: "time"))
    var from: Moment?
    @Option(parsing: .unconditional, help: ArgumentHelp("Until then. (default: now)", valueName: "time"))
    var to: Moment?
    @Option(
        help: ArgumentHelp("Only of this application; may be given again.", valueName: "name"),
        completion: .applications)
    var app: [String] = []
    @Option(help: ArgumentHelp("Only of this project; may be given again.", valueName: "name"))
    var project: [String] = []
    @OptionGroup var server: ServerOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        if let from, let to, from.timestamp >= to.timestamp { throw ValidationError("--from must lie before --to") }
    }

    func run() async throws {
        let client = try server.client()
        var query = QueryText([("from", from?.timestamp.description), ("to", to?.timestamp.description)])
        query.add("application", all: app)
        query.add("project", all: project)
        let answer = try await client.get("/metrics/dora", query)
        if (answer["applications"]?.array ?? []).isEmpty {
            // A name that was mistyped is no empty report: this fails with what the server says of it.
            for name in app {
                if try await client.items("/revisions", QueryText([("application", name)]), limit: 1).items.isEmpty {
                    _ = try await client.get(Client.application(name))
                }
            }
        }
        let out = output.out
        out.show(answer) { Self.text(answer, out) }
    }

    static func text(_ report: JSON, _ out: Output) -> String {
        let total = report["total"] ?? .object([:])
        let window = TimeText.short(report["from"]?.string) + " to " + TimeText.short(report["to"]?.string)
        guard (total.at("changeFailRate", "changes")?.integer ?? 0) + (total["rollbacks"]?.integer ?? 0) > 0 else {
            return "no deployments from " + window + "\n" + excluded(report)
        }
        var rows = (report["applications"]?.array ?? []).map { row($0.text("application", "name"), $0) }
        rows += (report["projects"]?.array ?? []).map { row("project " + $0.text("project"), $0) }
        rows.append(row("all", total))
        return "Deployments from " + window + ", as of " + report.sequence("asOf") + "\n\n"
            + out.table(
                [
                    "OF", "DEPLOYED", "A DAY", "LEAD TIME", "90% WITHIN", "FAILED", "FAIL RATE", "RESTORED IN", "OPEN",
                    "ROLLBACKS"
                ], rows) + "\n" + excluded(report)
    }

    private static func row(_ name: String, _ figures: JSON) -> [Cell] {
        let number = { (path: [String]) in figures.at(path[...])?.integer ?? 0 }
        let span = { (path: [String]) in Cell(figures.at(path[...])?.integer.map { long($0) } ?? "–") }
        let changes = number(["changeFailRate", "changes"])
        return [
            Cell(name), Cell(String(number(["deploymentFrequency", "deployments"]))),
            Cell(decimal(figures.at("deploymentFrequency", "perDay"))), span(["leadTime", "medianMs"]),
            span(["leadTime", "p90Ms"]), Cell("\(number(["changeFailRate", "failed"])) of \(changes)"),
            Cell(percent(figures.at("changeFailRate", "rate"))), span(["timeToRestore", "medianMs"]),
            Cell(String(number(["timeToRestore", "open"]))), Cell(String(number(["rollbacks"])))
        ]
    }

    private static func excluded(_ report: JSON) -> String {
        let words = [
            ("dryRuns", "dry runs"), ("selfHeals", "self-heals"), ("superseded", "superseded"),
            ("repeated", "of the same manifests"), ("withoutCommit", "without a commit")
        ]
        let counts = words.compactMap { name, words in
            report.at("exclusions", name)?.integer.flatMap { $0 > 0 ? "\($0) \(words)" : nil }
        }
        return counts.isEmpty ? "" : "not counted: " + counts.joined(separator: ", ") + "\n"
    }

    /// `3d04h`, `2h05m`: what days are made of has no use for seconds.
    static func long(_ milliseconds: Int64) -> String {
        let minutes = milliseconds / 60_000
        switch minutes {
        case ..<60: return TimeText.span(milliseconds)
        case ..<1440: return "\(minutes / 60)h" + pad(minutes % 60) + "m"
        default: return "\(minutes / 1440)d" + pad(minutes / 60 % 24) + "h"
        }
    }

    private static func pad(_ number: Int64) -> String { number < 10 ? "0\(number)" : "\(number)" }

    /// Two decimals; `–` for what there is not.
    static func decimal(_ value: JSON?) -> String {
        guard let number = double(value) else { return "–" }
        let hundredths = Int64((number * 100).rounded())
        return "\(hundredths / 100)." + pad(hundredths % 100)
    }

    static func percent(_ value: JSON?) -> String {
        double(value).map { "\(Int64(($0 * 100).rounded()))%" } ?? "–"
    }

    private static func double(_ value: JSON?) -> Double? {
        switch value {
        case .number(let number) where number.isFinite && number.magnitude < 1e12: number
        case .integer(let number): Double(number)
        default: nil
        }
    }
}
