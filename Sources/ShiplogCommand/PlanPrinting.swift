import Shiplog

/// What a sync or a rollback would do, for a person to judge.
enum PlanPrinting {
    static func text(_ plan: JSON, isRollback: Bool, _ out: Output) -> String {
        var parts: [String] = []
        let notes = (plan["notes"]?.array ?? []) + (plan["warnings"]?.array ?? [])
        if !notes.isEmpty {
            parts.append(notes.map { "note: " + Terminal.harmless($0.string ?? "") + "\n" }.joined())
        }
        let changes = plan["changes"]?.array ?? []
        let visible = changes.filter { $0.text("action") != "unchanged" }
        if !visible.isEmpty {
            parts.append(
                out.table(
                    ["ACTION", "RESOURCE", "MESSAGE"],
                    visible.map { [.status($0.text("action")), Cell($0.resourceName), Cell($0.text("message"))] }))
        }
        let hooks = plan["hooks"]?.array ?? []
        if !hooks.isEmpty {
            parts.append(
                out.table(
                    ["HOOK", "WAVE", "RESOURCE"],
                    hooks.map {
                        [Cell($0.text("phase")), Cell("\($0["wave"]?.integer ?? 0)"), Cell($0.resourceName)]
                    }))
        }
        if visible.count < changes.count { parts.append("\(changes.count - visible.count) unchanged\n") }
        let diff = DiffText.text(plan["diff"]?.array ?? [], old: "current", new: "target", out)
        if !diff.isEmpty { parts.append(diff) }
        let secrets = plan["secrets"]?.array ?? []
        if !secrets.isEmpty {
            parts.append(
                (isRollback
                    ? "Secrets whose values would go back (--keep-secrets leaves them):\n"
                    : "Secrets whose values would change:\n")
                    + secrets.map { "  " + Terminal.harmless($0.resourceName) + "\n" }.joined())
        }
        let blockers = blockers(plan)
        if !blockers.isEmpty {
            parts.append(
                "It cannot be carried out:\n"
                    + blockers.map { blocker in
                        var line = "  \(blocker.resourceName): \(blocker.text("message")) [\(blocker.text("code"))]"
                        if let hint = blocker["hint"]?.string { line += "\n    hint: \(hint)" }
                        return line.split(separator: "\n").map { Terminal.harmless(String($0)) + "\n" }.joined()
                    }.joined())
        }
        if parts.isEmpty { parts.append("nothing to do\n") }
        return parts.joined(separator: "\n")
    }

    /// What keeps the plan from being carried out.
    static func blockers(_ plan: JSON) -> [JSON] {
        (plan["changes"]?.array ?? []).filter { ["cannot", "unknown"].contains($0.text("action")) }
    }

    static func refusal(_ plan: JSON, _ act: String) -> CommandError? {
        let blockers = blockers(plan)
        guard let first = blockers.first else { return nil }
        return CommandError(
            .refused,
            Failure(
                Failure.Code(rawValue: first["code"]?.string ?? "plan.cannot"),
                "\(act) cannot be carried out: \(first.resourceName): \(first.text("message"))"
                    + (blockers.count > 1 ? " (and \(blockers.count - 1) more)" : ""),
                remedy: first["hint"]?.string))
    }
}
