import Shiplog

/// Rows of the history as people read them.
enum RevisionText {
    static let columns = [
        "SEQUENCE", "RECORDED", "APPLICATION", "KIND", "CAUSE", "BY", "OUTCOME", "COMMIT", "SUBJECT"
    ]

    static func row(_ revision: JSON) -> [Cell] {
        let target = revision.sequence("rolledBackTo")
        let selected = revision.at("options", "resources")?.array?.count ?? 0
        var subject = revision.text("source", "commit", "subject")
        if let error = revision["error"] { subject = error.text("message") }
        if let reason = revision["reason"]?.string { subject = reason + (subject.isEmpty ? "" : " — " + subject) }
        return [
            Cell(revision.sequence("sequence")), Cell(TimeText.short(revision["recordedAt"]?.string)),
            Cell(revision.text("application", "name")),
            Cell(
                revision.text("kind") + (target.isEmpty ? "" : " to " + target)
                    + (selected == 0 ? "" : " of \(selected)")), Cell(revision.text("cause")),
            Cell(revision.text("actor", "name")), .status(revision.text("outcome")),
            Cell(revision.commit("source", "commit", "id")), Cell(subject)
        ]
    }

    /// Rows that others follow later.
    static func running(_ revisions: [JSON]) -> Table {
        Table(columns: columns, rows: revisions.map(row), minimumWidths: [8, 20, 16, 15, 11, 12, 10, 7])
    }

    /// One revision, for a person.
    static func text(_ revision: JSON, _ out: Output) -> String {
        let counts = ["created", "updated", "pruned", "unchanged", "leftover", "failed"].compactMap { name in
            revision.at("counts", name)?.integer.flatMap { $0 > 0 ? "\($0) \(name)" : nil }
        }
        let actor = revision.text("actor", "name") + " (" + revision.text("actor", "means") + ")"
        let commit = revision.at("source", "commit")
        var text = out.facts([
            ("Revision", Cell(revision.sequence("sequence"), .strong)),
            ("Application", Cell(revision.text("application", "name"))),
            ("Kind", Cell(kind(revision))), ("Only", only(revision)), ("By", Cell(actor)),
            ("Reason", revision.cell("reason")),
            ("Ticket", revision.cell("ticket")), ("Outcome", .status(revision.text("outcome"))),
            ("Error", revision["error"].map { Cell($0.text("message") + " [" + $0.text("code") + "]", .bad) }),
            ("Hint", revision.cell("error", "hint")),
            ("Sync", .status(revision.text("sync"))), ("Health", .status(revision.text("health"))),
            ("Resources", counts.isEmpty ? nil : Cell(counts.joined(separator: ", "))),
            ("Cluster", revision.cell("cluster", "name")),
            ("Repository", revision.cell("source", "repository")), ("Path", revision.cell("source", "path")),
            ("Commit", commit.map { Cell($0.text("id") + ($0["signed"]?.bool == true ? " (signed)" : "")) }),
            ("Subject", revision.cell("source", "commit", "subject")),
            ("Author", revision.cell("source", "commit", "author")),
            ("Committed", revision.cell("source", "commit", "committedAt")),
            ("Manifests", revision.cell("desired")),
            ("Takes back", revision["reactsTo"]?.integer.map { Cell("#\($0)") }),
            ("Group", revision["group"]?.integer.map { Cell("#\($0)") }), ("Started", revision.cell("startedAt")),
            ("Took", revision["durationMs"]?.integer.map { Cell(TimeText.span($0)) }),
            ("Recorded", revision.cell("recordedAt")),
            ("Same as", revision["sameAs"]?.integer.map { Cell("#\($0)") }), ("Leaf hash", revision.cell("digest"))
        ])
        for warning in revision["warnings"]?.array ?? [] {
            text += "warning: " + Terminal.harmless(warning.string ?? "") + "\n"
        }
        let resources = (revision["resources"]?.array ?? []).filter { $0.text("action") != "unchanged" }
        if !resources.isEmpty {
            text +=
                "\n"
                + out.table(
                    ["ACTION", "PHASE", "WAVE", "TOOK", "RESOURCE", "MESSAGE"],
                    resources.map {
                        [
                            .status($0.text("action")), Cell($0.text("phase")), Cell("\($0["wave"]?.integer ?? 0)"),
                            Cell($0["durationMs"]?.integer.map(TimeText.span) ?? ""), Cell($0.resourceName),
                            Cell($0.text("message"))
                        ]
                    })
        }
        return text
    }

    /// The selected resources; nil when it was about all.
    private static func only(_ revision: JSON) -> Cell? {
        guard let selected = revision.at("options", "resources")?.array else { return nil }
        return Cell(selected.map(\.resourceName).joined(separator: ", "))
    }

    private static func kind(_ revision: JSON) -> String {
        let target = revision.sequence("rolledBackTo")
        return revision.text("kind") + (target.isEmpty ? "" : " to " + target) + ", " + revision.text("cause")
    }

    /// One line on what an operation came to.
    static func summary(_ revision: JSON) -> String {
        let row = row(revision)
        return ([row[0], row[3], row[6], row[7]].map(\.text).filter { !$0.isEmpty }).joined(separator: "  ") + "\n"
    }
}
