public import Shiplog

/// Which entries somebody asks for. Every condition that is set must hold; an empty list means no condition.
///
/// Decided from an entry's own bytes alone, so that whoever holds all entries of a range can decide it again and see that
/// nothing was left out. A `text` is the exception: it looks into a body too.
public struct EvidenceFilter: Sendable, Hashable {
    /// Names or uids, as the entry has them.
    public var applications: [String] = []
    public var projects: [String] = []
    /// Of revisions (`sync`) and of events (`token.created`).
    public var kinds: [String] = []
    public var causes: [String] = []
    public var outcomes: [String] = []
    public var actor: String?
    /// The first digits of a commit, lower-case.
    public var commit: String?
    /// The revision that events speak of.
    public var revision: Int64?
    /// Recorded at this moment or later.
    public var from: Timestamp?
    /// Recorded before this moment.
    public var to: Timestamp?
    /// In the commit's subject, the ticket or the reason; upper and lower case of ASCII letters are one.
    public var text: String?
    /// Also reconciles that found nothing changed.
    public var includeUnchanged = false

    public init() {}

    /// Whether completeness can be proven: an erased or absent body cannot be searched again.
    public var isProvable: Bool { text == nil }

    /// Whether anything but `includeUnchanged` is asked.
    var needsEntry: Bool {
        !(applications.isEmpty && projects.isEmpty && kinds.isEmpty && causes.isEmpty && outcomes.isEmpty
            && actor == nil && commit == nil && revision == nil && from == nil && to == nil && text == nil)
    }

    /// Whether the entry is asked for, whatever its bodies say.
    func takes(_ entry: JSON) -> Bool {
        if !includeUnchanged, entry["sameAs"] != nil { return false }
        if let from, (entry["recordedAt"]?.integer ?? .min) < from.milliseconds { return false }
        if let to, (entry["recordedAt"]?.integer ?? .max) >= to.milliseconds { return false }
        if !kinds.isEmpty, !kinds.contains(entry["kind"]?.string ?? "") { return false }
        if !applications.isEmpty {
            let application = entry["application"]
            let names = [application?["name"]?.string, application?["uid"]?.string]
            guard names.contains(where: { $0.map(applications.contains) ?? false }) else { return false }
        }
        if !projects.isEmpty, !isOne(projects, entry.at("application", "project")) { return false }
        if !causes.isEmpty, !isOne(causes, entry["cause"]) { return false }
        // Members with their default value are left out of an entry.
        if !outcomes.isEmpty, !isOne(outcomes, entry["outcome"] ?? "succeeded") { return false }
        if let actor, (entry.at("actor", "name")?.string ?? Actor.controller.name) != actor { return false }
        if let commit, entry.at("source", "commit", "id")?.string?.hasPrefix(commit) != true { return false }
        if let revision, entry["revision"]?.integer != revision { return false }
        return true
    }

    private func isOne(_ words: [String], _ value: JSON?) -> Bool { value?.string.map(words.contains) ?? false }

    /// Whether the text stands in one of these.
    func isText(in texts: [String?]) -> Bool {
        guard let text else { return true }
        let wanted = Self.folded(text)
        return texts.contains { $0.map { Self.contains(Self.folded($0), wanted) } ?? false }
    }

    private static func folded(_ text: String) -> [UInt8] {
        text.utf8.map { (0x41...0x5A).contains($0) ? $0 + 32 : $0 }
    }

    private static func contains(_ text: [UInt8], _ wanted: [UInt8]) -> Bool {
        guard let first = wanted.first, wanted.count <= text.count else { return wanted.isEmpty }
        for start in 0...(text.count - wanted.count) where text[start] == first {
            if text[start..<(start + wanted.count)].elementsEqual(wanted) { return true }
        }
        return false
    }
}

extension EvidenceFilter {
    /// As `query.json` and the event of an export have it: what is not asked is left out.
    public var document: JSON {
        func list(_ words: [String]) -> JSON? { words.isEmpty ? nil : .array(words.map { .string($0) }) }
        return .members([
            "application": list(applications), "project": list(projects), "kind": list(kinds), "cause": list(causes),
            "outcome": list(outcomes), "actor": actor.map { .string($0) }, "commit": commit.map { .string($0) },
            "revision": revision.map { .integer($0) }, "from": from.map { .integer($0.milliseconds) },
            "to": to.map { .integer($0.milliseconds) }, "text": text.map { .string($0) },
            "includeUnchanged": includeUnchanged ? true : nil
        ])
    }

    /// nil for a document that asks for anything this version does not know: leaving a condition out would prove another
    /// question's answer.
    init?(document: JSON) {
        guard let members = document.object else { return nil }
        for (name, value) in members {
            switch name {
            case "application", "project", "kind", "cause", "outcome":
                guard let words = value.array?.compactMap(\.string), words.count == value.array?.count, !words.isEmpty
                else { return nil }
                switch name {
                case "application": applications = words
                case "project": projects = words
                case "kind": kinds = words
                case "cause": causes = words
                default: outcomes = words
                }
            case "actor", "commit", "text":
                guard let word = value.string else { return nil }
                switch name {
                case "actor": actor = word
                case "commit": commit = word
                default: text = word
                }
            case "revision", "from", "to":
                guard let number = value.whole else { return nil }
                switch name {
                case "revision": revision = number
                case "from": from = Timestamp(milliseconds: number)
                default: to = Timestamp(milliseconds: number)
                }
            case "includeUnchanged":
                guard let flag = value.bool else { return nil }
                includeUnchanged = flag
            default: return nil
            }
        }
    }
}
