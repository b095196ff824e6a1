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
}
