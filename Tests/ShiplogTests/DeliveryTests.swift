import Shiplog
import Testing

/// Each case is a table of rows and the figures that a person computed from it by hand.
@Suite("How an application is delivered, from its rows") struct DeliveryTests {
    @Test("figures", arguments: Case.all(in: "delivery")) func figures(_ example: Case) throws {
        let halves = example.text.split(separator: "---\n", maxSplits: 1)
        let lines = try halves.first.get("a table").split(separator: "\n").filter { !$0.hasPrefix("#") }
            .map { $0.split(separator: "|", omittingEmptySubsequences: false).map { $0.trimmingBlanks() } }
        let window = try lines.first.get("a window")
        let from = try Timestamp(window[1]).get("from")
        let to = try Timestamp(window[2]).get("to")
        var desired: String?
        var known: Set<String> = []
        var rows: [DeliveryRow] = []
        for cells in lines.dropFirst(2) {
            if cells[0] == "before" {
                (desired, known) = (cells[1], [cells[2]])
            } else {
                rows.append(try row(cells))
            }
        }
        let reading = DeliveryReading(rows, from: from, to: to, after: desired, known: known)
        let figures = DeliveryFigures(reading.deployments, from: from, to: to)
        #expect(text(figures, reading.exclusions) == String(halves.last ?? ""))
    }

    private func row(_ cells: [String]) throws -> DeliveryRow {
        let sequence = try SequenceNumber(cells[0]).get("a sequence")
        let recordedAt = try Timestamp(cells[1]).get("a time: \(cells[1])")
        let health = try HealthStatus(rawValue: cells[5]).get("a health: \(cells[5])")
        guard cells[2] != "health" else {
            return DeliveryRow(sequence: sequence, recordedAt: recordedAt, health: health)
        }
        let attempt = DeliveryRow.Attempt(
            kind: cells[2] == "rollback" ? .rollback : .sync, cause: try Cause(rawValue: cells[3]).get("a cause"),
            outcome: cells[4], project: "shop", desired: cells[6], commit: cells[7].isEmpty ? nil : cells[7],
            committedAt: Timestamp(cells[8]), finishedAt: try Timestamp(cells[9]).get("an end: \(cells[9])"),
            isDryRun: cells[2] == "dry-run")
        return DeliveryRow(sequence: sequence, recordedAt: recordedAt, attempt: attempt, health: health)
    }

    private func text(_ figures: DeliveryFigures, _ excluded: DeliveryExclusions) -> String {
        var lines: [String] = []
        let perDay = figures.deploymentsPerDay.map { ", \($0) a day" } ?? ""
        lines.append(
            "\(figures.deployed.count) deployments in \(figures.days) days\(perDay)"
                + list(": ", figures.deployed.compactMap { $0.succeeded.map { "\($0.sequence)" } }))
        if let spread = figures.leadTime {
            lines.append(
                "lead time of \(figures.measured.count): \(text(spread))"
                    + list(": ", figures.measured.compactMap { $0.healthy.map { "\($0.sequence)" } }))
        } else {
            lines.append("no lead time")
        }
        if let rate = figures.changeFailRate {
            let failed = figures.failed.compactMap { deployment in
                deployment.first.map { "\($0)" + list(" ", deployment.trouble.map(\.rawValue)) }
            }
            lines.append(
                "\(figures.failed.count) of \(figures.changes.count) changes failed, \(rate)"
                    + list(": ", failed, between: "; "))
        } else {
            lines.append("no changes")
        }
        let restored = figures.restored.compactMap { deployment in
            deployment.broken.flatMap { start in deployment.restored.map { "\(start.sequence)-\($0.sequence)" } }
        }
        lines.append(
            "restored \(restored.count), open \(figures.open.count)"
                + (figures.timeToRestore.map { ": " + text($0) } ?? "") + list(": ", restored)
                + list("; open ", figures.open.compactMap { $0.first.map { "\($0)" } }))
        if !figures.rollbacks.isEmpty {
            lines.append("rollbacks: " + list("", figures.rollbacks.compactMap { $0.first.map { "\($0)" } }))
        }
        let counts = [
            ("dry runs", excluded.dryRuns), ("self-heals", excluded.selfHeals), ("superseded", excluded.superseded),
            ("repeated", excluded.repeated), ("without commit", excluded.withoutCommit)
        ].filter { $0.1 > 0 }.map { "\($0.0) \($0.1)" }
        if !counts.isEmpty { lines.append("excluded: " + list("", counts, between: ", ")) }
        return lines.map { $0 + "\n" }.joined()
    }

    private func text(_ spread: DeliveryFigures.Spread) -> String {
        "median \(spread.median / 1000) s, 90% within \(spread.ninetieth / 1000) s"
    }

    private func list(_ start: String, _ words: [String], between: String = " ") -> String {
        words.isEmpty ? "" : start + words.joined(separator: between)
    }
}

extension Substring {
    fileprivate func trimmingBlanks() -> String {
        var text = self
        while text.first == " " { text.removeFirst() }
        while text.last == " " { text.removeLast() }
        return String(text)
    }
}
