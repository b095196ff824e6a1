import HTTPTypes
import Hummingbird
import LedgerStore
import Reconciling
import Shiplog
import TransparencyLog

enum HistoryHandlers {
    // MARK: - Lists

    @Sendable static func revisions(_ call: Call) async throws -> Response {
        let parameters = call.query
        var query = RevisionQuery()
        query.names = parameters.all("application")
        query.projects = parameters.all("project")
        query.kinds = try parameters.words("kind")
        query.causes = try parameters.words("cause")
        query.actor = try parameters.one("actor")
        query.outcomes = try outcomes(parameters)
        query.commit = try parameters.one("commit")
        query.text = try parameters.one("q")
        query.from = try parameters.time("from")
        query.to = try parameters.time("to")
        query.includeUnchanged = try parameters.flag("includeUnchanged")
        query.order = try order(parameters)
        query.limit = try parameters.limit()
        query.cursor = try Cursor.sequence(in: parameters)
        guard try await Reach(call).narrow(&query.applications, &query.projects) else { return try await nothing(call) }
        let page = try await call.ledger.revisions(query)
        let items = page.items.filter { call.principal.may(.read, Subject($0.value.application)) }
        return .validated(
            PageAnswer(
                items: items.map { $0.projection() },
                nextCursor: page.next.map { Cursor.text(sequence: $0, for: parameters) }, asOf: page.asOf?.value ?? 0
            ).document, call)
    }

    @Sendable static func events(_ call: Call) async throws -> Response {
        let parameters = call.query
        var query = EventQuery()
        query.names = parameters.all("application")
        query.projects = parameters.all("project")
        query.kinds = try parameters.words("kind")
        query.actor = try parameters.one("actor")
        query.outcomes = parameters.all("outcome")
        if let text = try parameters.one("revision") {
            guard let sequence = SequenceNumber(text) else { throw Problem.invalid("revision", "must be a number") }
            query.revision = sequence
        }
        query.from = try parameters.time("from")
        query.to = try parameters.time("to")
        query.order = try order(parameters)
        query.limit = try parameters.limit()
        query.cursor = try Cursor.sequence(in: parameters)
        guard try await Reach(call).narrow(&query.applications, &query.projects) else { return try await nothing(call) }
        let page = try await call.ledger.events(query)
        let isAuditor = call.principal.may(.audit, .everything)
        return .validated(
            PageAnswer(
                items: page.items.filter { call.principal.sees($0) }.map { $0.projection(isAuditor: isAuditor) },
                nextCursor: page.next.map { Cursor.text(sequence: $0, for: parameters) }, asOf: page.asOf?.value ?? 0
            ).document, call)
    }

    private static func outcomes(_ query: Query) throws(Problem) -> [String] {
        let words = ["succeeded", "failed", "superseded"]
        for outcome in query.all("outcome") where !words.contains(outcome) {
            throw .invalid("outcome", "must be one of \(words.joined(separator: ", "))")
        }
        return query.all("outcome")
    }

    private static func order(_ query: Query) throws(Problem) -> PageOrder {
        try query.word("order", of: ["asc", "desc"]) == "asc" ? .oldestFirst : .newestFirst
    }

    private static func nothing(_ call: Call) async throws -> Response {
        .json(PageAnswer(items: [], nextCursor: nil, asOf: try await call.ledger.head()?.value ?? 0).document)
    }

    // MARK: - One

    @Sendable static func revision(_ call: Call) async throws -> Response {
        let stored = try await stored(call, at: try await sequence(call))
        let leaf = try await call.ledger.entry(stored.sequence).flatMap(leaf)
        var json = stored.projection(isWhole: true, leaf: leaf)
        // Which rollback of several applications it is a part of stands where the attempt began.
        if let attempt = stored.value.attempt {
            json["group"] = try await call.ledger.attempt(attempt)?.intent.group?.projection
        }
        return .json(json)
    }

    @Sendable static func event(_ call: Call) async throws -> Response {
        let sequence = try await sequence(call)
        let missing = Problem(.notFound, "event.not-found", "there is no event \(sequence)")
        guard case .event(let stored)? = try await call.ledger.record(at: sequence) else { throw missing }
        guard call.principal.sees(stored) else { throw missing.asRefusal }
        let leaf = try await call.ledger.entry(sequence).flatMap(leaf)
        return .json(
            stored.projection(isAuditor: call.principal.may(.audit, .everything), isWhole: true, leaf: leaf))
    }

    /// The bytes that were hashed, verbatim. They never change.
    @Sendable static func entry(_ call: Call) async throws -> Response {
        let sequence = try await sequence(call)
        let missing = Problem(.notFound, "entry.not-found", "there is no entry \(sequence)")
        guard let record = try await call.ledger.record(at: sequence),
            let bytes = try await call.ledger.entry(sequence), let leaf = leaf(bytes)
        else { throw missing }
        guard call.principal.sees(record) else { throw missing.asRefusal }
        let tag = "\"" + leaf.bytes.hex + "\""
        var response = Response.bytes(bytes, type: "application/json").unless(tag, known: call.header(.ifNoneMatch))
        response.headers[.cacheControl] = "private, max-age=31536000, immutable"
        return response
    }

    /// `48211`, or `2/48211` for an entry of an epoch.
    static func sequence(_ call: Call) async throws -> SequenceNumber {
        let parts = (call.path["sequence"] ?? "").split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2 else { return try call.sequence() }
        guard let epoch = Int64(parts[0]), let sequence = SequenceNumber(String(parts[1])) else {
            throw Problem.invalid("sequence", "must be a number, or an epoch and a number such as 2/48211")
        }
        switch Epoch.place(of: sequence.value, inEpoch: epoch, try await call.ledger.epochs()) {
        case .here: return sequence
        case .lost:
            throw Problem(
                .gone, "log.entry-lost", "the entry \(epoch)/\(sequence.value) was lost with the copy it stood in",
                remedy: "the first entry of the epoch after it says what was lost, and under which checkpoint")
        case .unknown:
            throw Problem(.notFound, "entry.not-found", "nobody knows an entry \(epoch)/\(sequence.value)")
        }
    }

    static func stored(_ call: Call, at sequence: SequenceNumber) async throws -> StoredRevision {
        guard case .revision(let stored)? = try await call.ledger.record(at: sequence) else {
            throw Problem.noRevision(sequence)
        }
        guard call.principal.may(.read, Subject(stored.value.application)) else {
            throw Problem.noRevision(sequence).asRefusal
        }
        return stored
    }

    private static func leaf(_ entry: [UInt8]) -> Digest? { Digest(bytes: MerkleHash.leaf(entry).bytes) }

    // MARK: - Manifests

    /// The stored manifests, Secrets redacted.
    @Sendable static func manifests(_ call: Call) async throws -> Response {
        let stored = try await whole(call, try await stored(call, at: try await sequence(call)))
        return .json(["items": .array(try await manifests(of: stored, call).map(\.object))])
    }

    /// One that repeats another has that one's manifests.
    private static func whole(_ call: Call, _ stored: StoredRevision) async throws -> StoredRevision {
        guard let same = stored.value.sameAs else { return stored }
        return try await self.stored(call, at: same)
    }

    private static func manifests(of stored: StoredRevision, _ call: Call) async throws -> [Resource] {
        guard let desired = stored.value.desired else { return [] }
        guard let resources = try await call.ledger.manifests(desired) else {
            throw Problem(
                .notFound, "ledger.manifests-missing", "the manifests of \(stored.sequence) are not stored",
                remedy: "only what was applied is stored; look at a sync or a rollback")
        }
        return resources
    }

    /// From another state to this revision's: what it brought (`previous`), what it would bring now (`live`).
    @Sendable static func difference(_ call: Call) async throws -> Response {
        let stored = try await whole(call, try await stored(call, at: try await sequence(call)))
        let against = try call.query.one("against") ?? "previous"
        var new = try await manifests(of: stored, call)
        let old: [Resource]
        var base: JSON?
        switch against {
        case "live":
            let drift = try await call.controller.drift(
                of: stored.value.application.name, to: stored.value.desired)
            (old, new) = (drift.live, drift.desired)
        case "previous":
            let previous = try await previous(of: stored, call)
            base = previous?.sequence.projection
            old = if let previous { try await manifests(of: previous, call) } else { [] }
        default:
            guard let sequence = SequenceNumber(against) else {
                throw Problem.invalid("against", "must be previous, live or a revision's number")
            }
            let other = try await whole(call, try await self.stored(call, at: sequence))
            base = other.sequence.projection
            old = try await manifests(of: other, call)
        }
        return .json(
            .members([
                "items": .array(ManifestDiff.projection(from: old, to: new, call.parts.formats)), "against": base
            ]))
    }

    /// The newest successful sync or rollback of the application before this one, that stored what it applied.
    private static func previous(of stored: StoredRevision, _ call: Call) async throws -> StoredRevision? {
        var query = RevisionQuery()
        query.applications = [stored.value.application.uid]
        query.kinds = [.sync, .rollback]
        query.outcomes = ["succeeded"]
        query.wholeOnly = true
        query.cursor = stored.sequence
        query.limit = 10
        return try await call.ledger.revisions(query).items.first { $0.value.desired != nil }
    }
}

/// What of a list somebody with globs may see, as conditions of the query: the rule itself is applied to each row after.
private struct Reach {
    let call: Call

    init(_ call: Call) { self.call = call }

    /// - Returns: false when there is nothing it may see.
    func narrow(_ applications: inout [ApplicationUID], _ projects: inout [String]) async throws -> Bool {
        let principal = call.principal
        if principal.isUnlimited { return true }
        // Projects named in full are a condition that finds deleted applications too.
        let isLiteral = principal.projectGlobs.allSatisfy { !$0.contains("*") && !$0.contains("?") }
        if isLiteral, principal.applicationGlobs.contains("*") {
            projects = projects.isEmpty ? principal.projectGlobs : projects.filter(principal.projectGlobs.contains)
            return !projects.isEmpty
        }
        applications = try await call.ledger.everyApplication()
            .filter { principal.may(.read, Subject($0.reference)) }.map(\.uid)
        return !applications.isEmpty
    }
}
