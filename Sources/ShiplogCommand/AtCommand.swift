import ArgumentParser
import Shiplog

/// `shiplog at`.
struct AtCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "at", abstract: "What was deployed at a moment: every application, exact to the commit.",
        discussion: """
            Examples:
              shiplog at yesterday
              shiplog at -2h --project shop
              shiplog at '2026-11-20 13:00' --app guestbook -o json
              shiplog at 48211

            A number is a row of the history; a moment means the last row recorded by then. What was not one revision's
            whole set is shown as mixed or in-progress, with the revisions that contributed.
            """)

    @Argument(help: "When: RFC 3339, '2026-11-20 13:00', -2h, yesterday, now, or a sequence such as 48211.")
    var at: InstantArgument
    @OptionGroup var filter: ApplicationFilter
    @OptionGroup var server: ServerOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let client = try server.client()
        var items: [JSON] = []
        var instant = JSON.object([:])
        var asOf: JSON?
        var cursor: String?
        // All pages are of one row, whatever is written meanwhile.
        let moment = try await at.fixed(client)
        repeat {
            var query = filter.query
            query.add("at", moment)
            query.add("limit", "500")
            query.add("cursor", cursor)
            let page = try await client.get("/state", query)
            if cursor == nil {
                instant = page["at"] ?? instant
                asOf = page["asOf"]
            }
            items += page.items
            cursor = page["nextCursor"]?.string
        } while cursor != nil
        if items.isEmpty, !filter.app.isEmpty {
            throw CommandError(
                .notFound, "application.not-found",
                "no application was ever called \(filter.app.joined(separator: ", "))",
                remedy: "see `shiplog app list`")
        }
        let out = output.out
        out.show(.members(["at": instant, "items": .array(items), "asOf": asOf])) {
            StateText.heading(instant)
                + (items.isEmpty
                    ? "there was no application then\n" : out.table(StateText.columns, items.map(StateText.row)))
        }
    }
}

/// `shiplog compare`.
struct CompareCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "compare", abstract: "Which applications differ between two moments, with both sides' revisions.",
        discussion: """
            Examples:
              shiplog compare yesterday now
              shiplog compare 48000 48211 --project shop
              shiplog compare -2h now -o json

            Ends with 0 without a difference and with 1 with one, like diff.
            """)

    @Argument(help: "The earlier moment, or a sequence.")
    var from: InstantArgument
    @Argument(help: "The later moment, or a sequence; now for now.")
    var to: InstantArgument
    @OptionGroup var filter: ApplicationFilter
    @OptionGroup var server: ServerOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let client = try server.client()
        var query = filter.query
        query.add("from", try await from.fixed(client))
        query.add("to", to.text)
        let comparison = try await client.get("/state/compare", query)
        let out = output.out
        let unchanged = comparison["unchanged"]?.integer ?? 0
        out.show(comparison) {
            let table = out.table(
                ["APPLICATION", "CHANGE", "BEFORE", "COMMIT", "AFTER", "COMMIT", "BY"],
                comparison.items.map(StateText.comparison))
            return StateText.heading(comparison["from"] ?? .null, "from ")
                + StateText.heading(comparison["to"] ?? .null, "to   ")
                + (comparison.items.isEmpty ? "" : table) + "\(unchanged) unchanged\n"
        }
        if !comparison.items.isEmpty { throw ExitCode(Ending.different.rawValue) }
    }
}

/// Past states as people read them.
enum StateText {
    static let columns = [
        "APPLICATION", "PROJECT", "STATE", "REVISION", "COMMIT", "DEPLOYED", "BY", "HEALTH", "NOTE"
    ]

    static func heading(_ instant: JSON, _ prefix: String = "at ") -> String {
        guard instant["sequence"]?.integer != nil else { return prefix + "a moment before the first row\n" }
        return prefix + instant.sequence("sequence") + ", recorded " + TimeText.short(instant["recordedAt"]?.string)
            + "\n"
    }

    static func row(_ state: JSON) -> [Cell] {
        let deployed = state["deployed"] ?? .object([:])
        let name = Cell(state.text("application", "name"))
        let isWhole = state["deployed"] != nil
        return [
            name, Cell(state.text("application", "project")), .status(word(state)),
            Cell(isWhole ? deployed.sequence("sequence") : ""), Cell(isWhole ? deployed.commit("commit") : ""),
            Cell(isWhole ? TimeText.short(deployed["deployedAt"]?.string) : ""),
            Cell(isWhole ? deployed.text("actor", "name") : ""), .status(state.text("health")), Cell(note(state))
        ]
    }

    static func word(_ state: JSON) -> String {
        let presence = state.text("presence")
        return presence == "existed" ? state.text("state") : presence
    }

    static func note(_ state: JSON) -> String {
        var parts: [String] = []
        let base = state.sequence("base", "sequence")
        switch state.text("state") {
        case "mixed":
            let list = (state["parts"]?.array ?? []).map { part in
                part.sequence("sequence")
                    + (part["unknown"]?.bool == true
                        ? " (unknown how far)"
                        : " (\(part.text("outcome"))\(part["partial"]?.bool == true ? ", of selected resources" : ""))")
            }
            parts.append("parts of " + (list + (base.isEmpty ? [] : [base])).joined(separator: ", "))
        case "in-progress":
            parts.append(
                "a \(state.text("attempt", "kind")), \(state.sequence("attempt", "sequence")), was under way"
                    + (base.isEmpty ? "" : " over \(base)"))
        default: break
        }
        if let left = state.at("deployed", "leftover")?.integer, left > 0 { parts.append("\(left) left over") }
        if state["pin"] != nil { parts.append("pinned to \(state.sequence("pin", "target"))") }
        let deleted = state.sequence("deletedBy")
        if !deleted.isEmpty { parts.append("deleted by \(deleted)") }
        return parts.joined(separator: "; ")
    }

    static func comparison(_ item: JSON) -> [Cell] {
        let sides = [item["before"], item["after"]].map { side -> (String, String) in
            guard let side else { return ("", "") }
            let deployed = side.sequence("deployed", "sequence")
            return (deployed.isEmpty ? word(side) : deployed, side.commit("deployed", "commit"))
        }
        return [
            Cell(item.text("application", "name")), .status(item.text("change")), Cell(sides[0].0), Cell(sides[0].1),
            Cell(sides[1].0), Cell(sides[1].1), Cell(item.text("after", "deployed", "actor", "name"))
        ]
    }
}
