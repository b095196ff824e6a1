/// A plan for people: one line an object, in the plan's order. `app diff`, `--dry-run` and the tests print this.
extension Plan {
    /// - Parameters:
    ///   - showsUnchanged: also the objects about which nothing is done.
    ///   - showsFields: below each update a line for each field.
    public func text(showsUnchanged: Bool = false, showsFields: Bool = false) -> String {
        var lines: [String] = []
        for change in changes {
            if case .unchanged = change.action, !showsUnchanged { continue }
            lines.append(change.line)
            guard showsFields, case .update(_, _, let difference) = change.action else { continue }
            lines += difference.changes.map { "    " + $0.line }
        }
        lines += warnings.map { "warning: " + $0 }
        return lines.map { $0 + "\n" }.joined()
    }
}

extension PlannedChange {
    /// `+ create apps/Deployment demo/web (wave 2)`; reasons after a colon.
    public var line: String {
        let (sign, word): (String, String) =
            switch action {
            case .create: ("+", "create")
            case .update: ("~", "update")
            case .replace: ("±", "replace")
            case .unchanged: ("=", "unchanged")
            case .prune: ("-", "prune")
            case .leftover: ("·", "leftover")
            case .keep: ("·", "keep")
            case .cannot: ("!", "cannot")
            case .unknown: ("?", "unknown")
            }
        var text = sign + " " + word + " " + key.description
        var places: [String] = []
        if order.phase != .sync { places.append("\(order.phase)") }
        if order.wave != 0 { places.append("wave \(order.wave)") }
        if !places.isEmpty { text += " (" + places.joined(separator: ", ") + ")" }
        switch action {
        case .update(_, _, .undecided): text += ": the server decides"
        case .cannot(let failure), .unknown(let failure):
            text += ": " + failure.description
        default: if let message { text += ": " + message }
        }
        return text
    }
}

extension FieldChange {
    /// `spec.replicas: 3 -> 2 (kubectl-edit)`: live, then desired, then who else owns it. Long values are cut.
    public var line: String {
        let value: String =
            switch kind {
            case .changed: Self.short(live) + " -> " + Self.short(desired)
            case .added: "+ " + Self.short(desired)
            case .removed: "- " + Self.short(live)
            }
        return path + ": " + value + (owners.isEmpty ? "" : " (" + owners.joined(separator: ", ") + ")")
    }

    private static func short(_ value: JSON?) -> String {
        if value == mask { return "(secret)" }
        let text = value?.canonicalString ?? ""
        return text.count > 80 ? String(text.prefix(79)) + "…" : text
    }
}
