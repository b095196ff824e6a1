import Foundation
import Shiplog

/// Plans and runs of rollbacks of many applications, as people read them.
enum FleetText {
    /// What would be carried out of a plan.
    static func planned(_ plan: JSON) -> [JSON] {
        plan.items.filter { item in
            ["rollback", "recreate", "delete"].contains(item.text("action")) && item["offered"]?.bool != true
        }
    }

    static func plan(_ plan: JSON, _ out: Output) -> String {
        let items = plan.items
        var text = "rollback to " + StateText.heading(plan["at"] ?? .null, "")
        guard !items.isEmpty else { return text + "no application is meant\n" }
        text += out.table(
            ["APPLICATION", "ACTION", "TO", "CREATE", "UPDATE", "PRUNE", "NOTE"],
            items.map { item in
                let isOffer = item["offered"]?.bool == true
                return [
                    Cell(item.text("application", "name")),
                    isOffer ? Cell("offered: " + item.text("action"), .faint) : .status(item.text("action")),
                    Cell(item.sequence("target")), Cell(count(item, "create")),
                    Cell(count(item, "update", "replace")), Cell(count(item, "prune")), Cell(note(item))
                ]
            })
        let planned = planned(plan).count
        let cannot = items.count { $0.text("action") == "cannot" }
        text += "\(planned) to be done"
        if cannot > 0 { text += ", \(cannot) that cannot be" }
        let offers = items.filter { $0["offered"]?.bool == true }
        if !offers.isEmpty {
            let flags = Set(offers.map { "--" + $0.text("action") }).sorted().joined(separator: " and ")
            text += ", \(offers.count) offered (\(flags))"
        }
        return text + "\n"
    }

    private static func count(_ item: JSON, _ actions: String...) -> String {
        let number = (item["changes"]?.array ?? []).count { actions.contains($0.text("action")) }
        return number == 0 ? "" : String(number)
    }

    private static func note(_ item: JSON) -> String {
        if let error = item["error"] {
            let hint = error["hint"]?.string.map { "; " + $0 } ?? ""
            return error.text("message") + " [" + error.text("code") + "]" + hint
        }
        if let why = item["why"]?.string { return why }
        return (item["notes"]?.array ?? []).compactMap(\.string).joined(separator: "; ")
    }

    static func fleet(_ fleet: JSON, _ out: Output) -> String {
        let state = fleet["outcome"]?.string ?? fleet.text("state")
        return "rollback \(fleet.sequence("group")) to \(fleet.sequence("at")): \(state)\n"
            + out.table(
                ["APPLICATION", "ACTION", "TO", "RESULT", "REVISION", "NOTE"],
                fleet.items.map { item in
                    [
                        Cell(item.text("application", "name")), Cell(item.text("action")),
                        Cell(item.sequence("target")), .status(item.text("result")), Cell(item.sequence("revision")),
                        Cell(
                            item["error"].map { $0.text("message") + " [" + $0.text("code") + "]" } ?? "")
                    ]
                })
    }

    /// Follows a run to its end.
    /// - Throws: exit 7 when not all of it went well.
    static func follow(_ fleet: JSON, _ client: Client, _ out: Output) async throws {
        let deadline = Deadline(client.timeout ?? Span(milliseconds: 0))
        var current = fleet
        var told: Set<String> = []
        let group = fleet["group"]?.integer ?? 0
        var silentSince: ContinuousClock.Instant?
        while true {
            for item in current.items where !["waiting", "running"].contains(item.text("result")) {
                let name = item.text("application", "name")
                guard told.insert(name).inserted else { continue }
                Talk.say(Terminal.harmless("\(item.text("action")) of \(name) \(item.text("result"))"))
            }
            if current.text("state") == "finished" { break }
            if let silentSince, ContinuousClock.now - silentSince > .seconds(60) {
                throw CommandError(
                    .unreachable, "http.unreachable", "\(client.server) could not be reached any more",
                    remedy: "it goes on when the server is back: `shiplog rollback status \(group) --wait`")
            }
            guard !deadline.isOver else {
                throw CommandError(
                    .timedOut, "operation.wait-timeout", "the rollback \(group) is still running",
                    remedy: "it goes on; wait with `shiplog rollback status \(group) --wait`")
            }
            let seconds = max(1, deadline.left(atMost: 20_000) / 1000)
            do {
                current = try await client.get(
                    "/fleets/\(group)", QueryText([("wait", String(seconds))]), waiting: seconds * 1000)
                silentSince = nil
            } catch let failure as Failure where failure.code == "http.unreachable" {
                if silentSince == nil {
                    silentSince = .now
                    Talk.warn("\(client.server) cannot be reached; waiting for it to come back")
                }
                try await Task.sleep(for: .seconds(1))
            }
        }
        out.show(current) { Self.fleet(current, out) }
        guard current.text("outcome") != "succeeded" else { return }
        let failed = current.items.count { $0.text("result") == "failed" }
        let skipped = current.items.count { $0.text("result") == "skipped" }
        throw CommandError(
            .failedOperation, "fleet.failed",
            "\(failed) of \(current.items.count) failed" + (skipped > 0 ? " and \(skipped) were not begun" : ""),
            remedy: "make another plan for what is left")
    }
}
