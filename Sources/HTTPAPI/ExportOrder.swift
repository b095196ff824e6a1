import Evidence
import LedgerStore
import Shiplog

/// What the body of a request for an export asks for.
struct ExportOrder {
    let format: ExportFormat
    let question: Selection.Question
    /// Sizes of trees that the asker holds a checkpoint of.
    let sizes: [Int64]
    /// Whether it goes on from an earlier one: then nothing new is an answer, and no mistake.
    let isContinued: Bool

    static let members: Set<String> = [
        "format", "application", "project", "kind", "cause", "outcome", "actor", "commit", "revision", "q", "from",
        "to", "first", "last", "after", "includeUnchanged", "checkpoints"
    ]

    init(_ fields: BodyFields) throws(Problem) {
        format = try fields.word("format") ?? .pack
        var filter = EvidenceFilter()
        filter.applications = try fields.strings("application") ?? []
        filter.projects = try fields.strings("project") ?? []
        filter.kinds = try fields.strings("kind") ?? []
        for kind in filter.kinds where Revision.Kind(rawValue: kind) == nil && Event.Kind(rawValue: kind) == nil {
            throw fields.wrong("kind", "\(kind.prefix(80)) is no kind of a revision or an event")
        }
        filter.causes = try fields.strings("cause") ?? []
        for cause in filter.causes where Cause(rawValue: cause) == nil {
            throw fields.wrong("cause", "\(cause.prefix(80)) is no cause")
        }
        filter.outcomes = try fields.strings("outcome") ?? []
        filter.actor = try fields.string("actor", limit: 300)
        filter.commit = try fields.string("commit")?.lowercased()
        if let commit = filter.commit,
            !(7...40).contains(commit.utf8.count) || !commit.allSatisfy({ $0.isASCII && $0.isHexDigit })
        {
            throw fields.wrong("commit", "must be 7 to 40 hexadecimal digits")
        }
        filter.revision = try fields.sequence("revision")?.value
        filter.text = try fields.string("q", limit: 300)
        filter.from = try fields.time("from")
        filter.to = try fields.time("to")
        filter.includeUnchanged = try fields.flag("includeUnchanged") ?? false
        let first = try fields.sequence("first")?.value
        let after = try Self.number("after", fields)
        guard first == nil || after == nil else { throw fields.wrong("after", "and first exclude each other") }
        question = Selection.Question(
            filter, first: first ?? after.map { $0 + 1 }, last: try fields.sequence("last")?.value)
        isContinued = after != nil
        guard let sizes = fields.value("checkpoints").map({ $0.array ?? [.null] }) ?? .some([]), sizes.count <= 16,
            sizes.allSatisfy({ ($0.integer ?? -1) >= 0 })
        else { throw fields.wrong("checkpoints", "must be a list of at most 16 sizes of trees") }
        self.sizes = sizes.compactMap(\.integer)
    }

    private static func number(_ name: String, _ fields: BodyFields) throws(Problem) -> Int64? {
        guard let value = fields.value(name) else { return nil }
        guard let number = value.integer, (0..<Int64.max).contains(number) else {
            throw fields.wrong(name, "must be a sequence, or 0 for the log's beginning")
        }
        return number
    }
}
