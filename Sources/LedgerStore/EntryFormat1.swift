import Shiplog

/// Entry format 1: how a revision and an event become canonical JSON. Released and fixed for ever: golden files in
/// `Tests/LedgerStoreTests/Golden` pin every byte. What has to change becomes format 2 beside it.
///
/// A member with its default value is left out, which keeps an unchanged reconcile near 220 bytes: no `actor` is the
/// controller, no `outcome` is `succeeded`, no `sync` is `Synced`, no `health` is `Healthy`.
enum EntryFormat1 {
    static let number: Int64 = 1

    /// - Parameter pin: what happens to the application's pin in the same transaction.
    static func draft(_ revision: Revision, pin: PinChange? = nil) throws(Failure) -> EntryDraft {
        var members: [String: JSON] = [
            "application": EntryFields.application(revision.application),
            "cause": .string(revision.cause.rawValue),
            "finishedAt": EntryFields.time(revision.finishedAt),
            "format": .integer(number),
            "kind": .string(revision.kind.rawValue),
            "startedAt": EntryFields.time(revision.startedAt)
        ]
        members["actor"] = EntryFields.actor(revision.actor)
        if revision.outcome.word != "succeeded" { members["outcome"] = .string(revision.outcome.word) }
        if case .failed(let failure) = revision.outcome { members["failure"] = EntryFields.failure(failure) }
        if revision.syncStatus != .synced { members["sync"] = .string(revision.syncStatus.rawValue) }
        if revision.health != .healthy { members["health"] = .string(revision.health.rawValue) }
        if revision.retry != 0 { members["retry"] = .integer(Int64(revision.retry)) }
        members["ticket"] = revision.ticket.map { .string($0) }
        if let pin { members["pin"] = EntryFields.pinChange(pin) }
        if let sameAs = revision.sameAs {
            // Its own facts only: the rest stands in the revision it repeats.
            members["sameAs"] = EntryFields.sequence(sameAs)
        } else {
            members["attempt"] = revision.attempt.map(EntryFields.sequence)
            members["cluster"] = revision.cluster.map(EntryFields.cluster)
            members["counts"] = EntryFields.counts(revision.counts)
            members["desired"] = revision.desired.map(EntryFields.digest)
            members["inputs"] = revision.inputs.map { .string($0) }
            members["liveBefore"] = revision.liveBefore.map(EntryFields.digest)
            members["options"] = EntryFields.options(revision.options)
            members["rolledBackTo"] = revision.rolledBackTo.map(EntryFields.sequence)
            members["source"] = revision.source.map(EntryFields.source)
        }
        return try EntryDraft(members, bodies: try bodies(of: revision))
    }

    private static func bodies(of revision: Revision) throws(Failure) -> [DraftBody] {
        var bodies: [DraftBody] = []
        if let address = revision.actor.address { bodies.append(try DraftBody("address", .string(address))) }
        if let messages = messages(of: revision) { bodies.append(try DraftBody("messages", messages)) }
        if let reason = revision.reason { bodies.append(try DraftBody("reason", .string(reason))) }
        guard revision.sameAs == nil else { return bodies }
        if let source = revision.source { bodies.append(try DraftBody("author", .string(source.commit.author))) }
        if !revision.resources.isEmpty {
            bodies.append(try DraftBody("resources", .array(revision.resources.map(EntryFields.outcome))))
        }
        return bodies
    }

    private static func messages(of revision: Revision) -> JSON? {
        var members: [String: JSON] = [:]
        switch revision.outcome {
        case .succeeded: break
        case .failed(let failure):
            members["message"] = .string(failure.message)
            members["remedy"] = failure.remedy.map { .string($0) }
        case .superseded(let why): members["message"] = .string(why)
        }
        if !revision.warnings.isEmpty { members["warnings"] = .array(revision.warnings.map { .string($0) }) }
        return members.isEmpty ? nil : .object(members)
    }

    /// - Parameters:
    ///   - pin: what happens to the application's pin in the same transaction.
    ///   - gone: resources confirmed gone from the cluster, taken out of the inventory in the same transaction.
    static func draft(_ event: Event, pin: PinChange? = nil, gone: [ResourceKey] = []) throws(Failure) -> EntryDraft {
        var members: [String: JSON] = ["format": .integer(number), "kind": .string(event.kind.rawValue)]
        members["actor"] = EntryFields.actor(event.actor)
        members["application"] = event.application.map(EntryFields.application)
        members["revision"] = event.revision.map(EntryFields.sequence)
        if event.outcome != "succeeded" { members["outcome"] = .string(event.outcome) }
        if event.facts != .object([:]) { members["facts"] = EntryFields.exact(event.facts) }
        if let pin { members["pin"] = EntryFields.pinChange(pin) }
        var bodies: [DraftBody] = []
        if let address = event.actor.address { bodies.append(try DraftBody("address", .string(address))) }
        if let detail = event.detail { bodies.append(try DraftBody("detail", detail)) }
        if !gone.isEmpty { bodies.append(try DraftBody("gone", .array(gone.sorted().map(EntryFields.key)))) }
        return try EntryDraft(members, bodies: bodies)
    }

    /// The `attempt.started` event of an intent: facts that stay, and what is long or personal in its body.
    static func event(of intent: Intent, desired: Digest) -> Event {
        let facts = JSON.members([
            "cause": .string(intent.cause.rawValue), "cluster": EntryFields.cluster(intent.cluster),
            "desired": EntryFields.digest(desired), "group": intent.group.map(EntryFields.sequence),
            "inputs": intent.inputs.map { .string($0) },
            "kind": .string(intent.kind.rawValue), "options": EntryFields.options(intent.options),
            "retry": intent.retry == 0 ? nil : .integer(Int64(intent.retry)),
            "rolledBackTo": intent.rolledBackTo.map(EntryFields.sequence),
            "source": intent.source.map(EntryFields.source), "startedAt": EntryFields.time(intent.startedAt),
            "ticket": intent.ticket.map { .string($0) }
        ])
        let detail = JSON.members([
            "author": intent.source.map { .string($0.commit.author) },
            "prunes": intent.prunes.isEmpty ? nil : .array(intent.prunes.map(EntryFields.key)),
            "reason": intent.reason.map { .string($0) }
        ])
        return Event(
            .attemptStarted, application: intent.application, actor: intent.actor, facts: facts,
            detail: detail == .object([:]) ? nil : detail)
    }
}
