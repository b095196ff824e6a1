/// Events whose facts are the same whoever records them. `docs/auditing-events.md` has all kinds.
extension Event {
    /// Somebody had the whole ledger checked.
    /// - Parameters:
    ///   - through: the last sequence that was checked.
    ///   - root: the root of the tree over all of them, base64; nil when none could be made.
    ///   - findings: how many rows were found bad; with any, the outcome is `failed`.
    ///   - firstBad: the first of them.
    ///   - milliseconds: how long it took.
    public static func verified(
        by actor: Actor, through: SequenceNumber, root: String?, findings: Int, firstBad: SequenceNumber? = nil,
        milliseconds: Int64
    ) -> Event {
        Event(
            .ledgerVerified, actor: actor, outcome: findings == 0 ? "succeeded" : "failed",
            facts: .members([
                "findings": .integer(Int64(findings)), "firstBad": firstBad.map { .integer($0.value) },
                "milliseconds": .integer(milliseconds), "root": root.map { .string($0) },
                "through": .integer(through.value)
            ]))
    }

    /// Somebody took a part of the log with them. Recorded before the first byte leaves: what was seen was seen, even when
    /// the connection broke.
    /// - Parameters:
    ///   - format: `pack`, `jsonl`, `csv`, …
    ///   - query: the filters, as the API's parameters; free text goes into the body.
    ///   - first: the range that is covered without a gap.
    ///   - matches: how many entries the filters let through; nil when they are counted as they go.
    public static func exported(
        by actor: Actor, format: String, query: JSON, text: String? = nil, first: SequenceNumber, last: SequenceNumber,
        matches: Int? = nil, reason: String? = nil
    ) -> Event {
        let detail = JSON.members(["q": text.map { .string($0) }, "reason": reason.map { .string($0) }])
        return Event(
            .exported, actor: actor,
            facts: .members([
                "first": .integer(first.value), "format": .string(format), "last": .integer(last.value),
                "matches": matches.map { .integer(Int64($0)) }, "query": query
            ]), detail: detail == .object([:]) ? nil : detail)
    }
}
