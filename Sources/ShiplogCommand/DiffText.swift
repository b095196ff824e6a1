import Shiplog

/// The API's differences as unified diffs, as patch(1) and people read them.
enum DiffText {
    /// - Parameters:
    ///   - old: what the left side is, such as `live`.
    ///   - new: what the right side is.
    static func text(_ items: [JSON], old: String, new: String, _ out: Output) -> String {
        var result = ""
        for item in items where item.text("change") != "same" {
            let name = path(item)
            let change = item.text("change")
            result += out.paint("--- \(change == "added" ? "/dev/null" : old + "/" + name)", .strong) + "\n"
            result += out.paint("+++ \(change == "removed" ? "/dev/null" : new + "/" + name)", .strong) + "\n"
            let hunks = item["hunks"]?.array ?? []
            if hunks.isEmpty { result += "# only masked values differ\n" }
            for hunk in hunks { result += text(hunk, out) }
            for field in item["fields"]?.array ?? [] { result += origin(field) }
        }
        return result
    }

    /// `# .spec.replicas: 3 since #12 (ada, commit 0123456); kubectl-edit owns it in the cluster`
    private static func origin(_ field: JSON) -> String {
        var text = "# " + field.text("path") + ":"
        if let since = field["since"] {
            let commit = since["commit"]?.string.map { ", commit \($0.prefix(7))" } ?? ""
            text +=
                " desired since \(since.sequence("sequence")) (\(since.at("actor", "name")?.string ?? "?")\(commit))"
        } else {
            text += " not deployed before"
        }
        let owners = (field["owners"]?.array ?? []).compactMap(\.string)
        if !owners.isEmpty { text += "; \(owners.joined(separator: ", ")) owns it in the cluster" }
        return Terminal.harmless(text) + "\n"
    }

    static func isDifferent(_ items: [JSON]) -> Bool { items.contains { $0.text("change") != "same" } }

    private static func text(_ hunk: JSON, _ out: Output) -> String {
        let number = { (name: String) in String(hunk[name]?.integer ?? 0) }
        var result = "@@ -\(number("oldStart")),\(number("oldLines")) +\(number("newStart")),\(number("newLines")) @@\n"
        for line in hunk["lines"]?.array ?? [] {
            let text = Terminal.harmless(line.text("text"))
            switch line.text("kind") {
            case "added": result += out.paint("+" + text, .good) + "\n"
            case "removed": result += out.paint("-" + text, .bad) + "\n"
            default: result += " " + text + "\n"
            }
        }
        return result
    }

    /// `apps/Deployment/shop/web`; the group and the namespace only where there is one.
    private static func path(_ item: JSON) -> String {
        Terminal.harmless(
            [item.text("group"), item.text("kind"), item.text("namespace"), item.text("name")]
                .filter { !$0.isEmpty }.joined(separator: "/"))
    }
}
