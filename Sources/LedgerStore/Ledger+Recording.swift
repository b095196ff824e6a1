import GRDB
public import Shiplog

extension Ledger {
    /// Appends an event.
    /// - Throws: `ledger.event-reserved` for kinds that change more than the log: those have a method each.
    @discardableResult
    public func record(_ event: Event) async throws(Failure) -> SequenceNumber {
        guard !Self.reserved.contains(event.kind) else {
            throw Failure(
                "ledger.event-reserved", "an event \(event.kind.rawValue) is recorded by the method that does it")
        }
        return try await writer.write(
            prepare: { () throws(Failure) in try EntryFormat1.draft(event) },
            { transaction, draft in try transaction.append(draft, to: .event) })
    }

    /// Kinds from which a projection follows may come from the method alone that keeps it.
    static func check(_ event: Event, besides allowed: Set<Event.Kind>) throws(Failure) {
        guard !reserved.subtracting(allowed).contains(event.kind) else {
            throw Failure(
                "ledger.event-reserved", "an event \(event.kind.rawValue) is recorded by the method that does it")
        }
    }

    private static let reserved: Set<Event.Kind> = [
        .attemptStarted, .applicationCreated, .applicationChanged, .applicationDeleted, .clusterAccepted, .pinned,
        .unpinned, .tokenCreated, .tokenRevoked, .secretsErased, .bodyErased, .folded, .epochStarted,
        .epochConfirmed, .keyRotated, .projectCreated, .projectChanged, .projectDeleted
    ]

    /// Appends a revision that closes no attempt: a reconcile, or a sync or rollback that was refused before it began.
    ///
    /// One with `sameAs` is stored with its own facts only; the revision it names must be one of the same application
    /// that repeats none itself.
    @discardableResult
    public func record(_ revision: Revision) async throws(Failure) -> SequenceNumber {
        guard revision.attempt == nil else {
            throw Failure("ledger.revision-of-attempt", "a revision that closes an attempt is recorded by finishing it")
        }
        return try await writer.write(
            prepare: { () throws(Failure) in try EntryFormat1.draft(revision) },
            { transaction, draft in
                if let sameAs = revision.sameAs {
                    let isThere = try transaction.exists(
                        "SELECT 1 FROM revision WHERE sequence = ? AND same_as IS NULL AND application = ?",
                        [sameAs.value, revision.application.uid.value])
                    guard isThere else {
                        throw Failure(
                            "ledger.same-as-unknown",
                            "\(sameAs) is no revision of this application that could be repeated")
                    }
                }
                return try transaction.append(draft, to: .revision)
            })
    }
}
