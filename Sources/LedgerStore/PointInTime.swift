import Foundation
import GRDB
public import Shiplog

/// What was deployed at an instant.
public struct StatePage: Sendable {
    public let at: ResolvedInstant
    /// By name, then uid.
    public let items: [ApplicationState]
    /// The last application of this page; nil at the end.
    public let next: ApplicationReference?
    public let asOf: SequenceNumber?
}

/// The same applications at two instants.
public struct StateComparison: Sendable {
    public enum Item: Sendable, Hashable {
        case changed(from: ApplicationState, to: ApplicationState)
        case appeared(ApplicationState)
        case vanished(ApplicationState)

        public var application: ApplicationReference {
            switch self {
            case .changed(_, let state), .appeared(let state), .vanished(let state): state.application
            }
        }
    }

    public let from: ResolvedInstant
    public let to: ResolvedInstant
    public let items: [Item]
    public let unchanged: Int
    public let asOf: SequenceNumber?
}

extension Ledger {
    /// Every application that existed at an instant, the ones deleted since included, as it was then.
    ///
    /// - Parameters:
    ///   - names: only applications that have or had one of these names; they are told of also when they did not exist.
    ///   - takes: what of them whoever asks may see.
    ///   - after: the last application of the page before.
    ///   - limit: how many at most.
    /// - Throws: `state.sequence-unknown`.
    public func states(
        at instant: Instant, names: [String] = [], after: ApplicationReference? = nil, limit: Int = .max,
        where takes: @escaping @Sendable (ApplicationReference) -> Bool = { _ in true }
    ) async throws(Failure) -> StatePage {
        try await read("reading a past state") { db in
            let at = try PointInTime.resolve(db, instant)
            var items: [ApplicationState] = []
            let next = try PointInTime(db, at.sequence?.value ?? 0).read(names: names, after: after, takes) { state in
                guard items.count < limit else { return false }
                items.append(state)
                return true
            }
            return StatePage(
                at: at, items: items, next: next ? items.last?.application : nil, asOf: try Reading.head(db))
        }
    }

    /// What differs between two instants, in one snapshot. History follows the uid: an application deleted and registered
    /// again under its name is one that vanished and one that appeared.
    /// - Throws: `state.sequence-unknown`.
    public func compare(
        from: Instant, to: Instant, names: [String] = [],
        where takes: @escaping @Sendable (ApplicationReference) -> Bool = { _ in true }
    ) async throws(Failure) -> StateComparison {
        try await read("comparing past states") { db in
            let (first, second) = (try PointInTime.resolve(db, from), try PointInTime.resolve(db, to))
            var (before, after): ([ApplicationUID: ApplicationState], [ApplicationUID: ApplicationState]) = ([:], [:])
            _ = try PointInTime(db, first.sequence?.value ?? 0).read(names: names, after: nil, takes) { state in
                if state.presence == .existed { before[state.application.uid] = state }
                return true
            }
            _ = try PointInTime(db, second.sequence?.value ?? 0).read(names: names, after: nil, takes) { state in
                if state.presence == .existed { after[state.application.uid] = state }
                return true
            }
            var items: [StateComparison.Item] = []
            var unchanged = 0
            for (uid, state) in before {
                guard let other = after[uid] else {
                    items.append(.vanished(state))
                    continue
                }
                if state.isSame(as: other) { unchanged += 1 } else { items.append(.changed(from: state, to: other)) }
            }
            for (uid, state) in after where before[uid] == nil { items.append(.appeared(state)) }
            items.sort { ($0.application.name, $0.application.uid) < ($1.application.name, $1.application.uid) }
            return StateComparison(
                from: first, to: second, items: items, unchanged: unchanged, asOf: try Reading.head(db))
        }
    }

    /// Which row an instant means.
    /// - Throws: `state.sequence-unknown`.
    public func resolve(_ instant: Instant) async throws(Failure) -> ResolvedInstant {
        try await read("reading the log") { db in try PointInTime.resolve(db, instant) }
    }
}

/// Reads states inside one snapshot.
///
/// Its cost follows the applications and not the log: each look-up ends at the first row it finds by an index.
struct PointInTime {
    let db: Database
    let at: Int64

    init(_ db: Database, _ at: Int64) {
        self.db = db
        self.at = at
    }

    static func resolve(_ db: Database, _ instant: Instant) throws -> ResolvedInstant {
        let head = try Reading.head(db)
        let sequence: SequenceNumber?
        switch instant {
        case .head: sequence = head
        case .moment(let moment):
            sequence = SequenceNumber(try Ledger.lastSequence(db, recordedBy: moment.milliseconds))
        case .sequence(let number):
            guard let head, number <= head else {
                throw Failure(
                    "state.sequence-unknown", "the log has no \(number) yet",
                    remedy: head.map { "its newest row is \($0)" })
            }
            sequence = number
        }
        let recordedAt = try sequence.flatMap { sequence in
            try Row.fetchOne(db.cachedStatement(sql: LedgerSQL.recordedAt), arguments: ["sequence": sequence.value])
                .map { Timestamp(milliseconds: try $0.held("recorded_at")) }
        }
        return ResolvedInstant(sequence: sequence, recordedAt: recordedAt)
    }

    /// - Parameter take: given each; false when it has no room for it.
    /// - Returns: whether there are more.
    func read(
        names: [String], after: ApplicationReference?, _ takes: (ApplicationReference) -> Bool,
        _ take: (ApplicationState) -> Bool
    ) throws -> Bool {
        var arguments: StatementArguments = ["at": at, "name": after?.name ?? "", "uid": after?.uid.value ?? ""]
        if !names.isEmpty {
            arguments += ["names": JSON.array(Set(names).sorted().map { .string($0) }).canonicalString]
        }
        let statement = try db.cachedStatement(sql: LedgerSQL.states(named: !names.isEmpty))
        let rows = try Row.fetchCursor(statement, arguments: arguments)
        while let row = try rows.next() {
            try Task.checkCancellation()
            let reference = try reference(row)
            guard takes(reference) else { continue }
            guard take(try state(row, reference)) else { return true }
        }
        return false
    }

    private func state(_ row: Row, _ reference: ApplicationReference) throws -> ApplicationState {
        let (created, deleted): (Int64, Int64?) = (try row.held("created_by"), try row.held("deleted_by"))
        guard let createdBy = SequenceNumber(created) else { throw Failure.corrupt("an application has no beginning") }
        let presence: ApplicationState.Presence =
            created > at ? .notCreated : deleted.map { $0 <= at } == true ? .deleted : .existed
        guard presence == .existed else {
            return ApplicationState(
                application: reference, createdBy: createdBy, deletedBy: deleted.flatMap { SequenceNumber($0) },
                presence: presence, content: .nothing, sync: nil, health: nil, pin: nil)
        }
        let seen: Int64? = try row.held("seen")
        let (seenHealth, reached, sync): (String?, String?, String?) = (
            try row.held("health"), try row.held("reached"), try row.held("sync")
        )
        return ApplicationState(
            application: reference, createdBy: createdBy, deletedBy: deleted.flatMap { SequenceNumber($0) },
            presence: presence, content: try content(row, reference.uid),
            sync: seen == nil ? nil : SyncStatus(rawValue: sync ?? SyncStatus.synced.rawValue),
            health: (reached ?? seenHealth).flatMap { HealthStatus(rawValue: $0) }, pin: try pin(row))
    }

    // MARK: What was declared

    /// The name never changes; the project may have.
    private func reference(_ row: Row) throws -> ApplicationReference {
        let (uid, name): (String, String) = (try row.held("uid"), try row.held("name"))
        let (changedBy, createdBy): (Int64, Int64) = (try row.held("changed_by"), try row.held("created_by"))
        guard let number = ApplicationUID(uid) else { throw Failure.corrupt("a registered application has no uid") }
        var project: String = try row.held("project")
        if changedBy > at, createdBy <= at {
            let then = try Row.fetchOne(
                db.cachedStatement(sql: LedgerSQL.declaration), arguments: ["application": uid, "at": at])
            project = try then?.held("project") as String? ?? project
        }
        return ApplicationReference(uid: number, name: name, project: project)
    }

    private func pin(_ row: Row) throws -> Pin? {
        guard let pinnedBy: Int64 = try row.held("pinned_by") else { return nil }
        var text: String? = try row.held("pin")
        if pinnedBy > at {
            let uid: String = try row.held("uid")
            let then = try Row.fetchOne(
                db.cachedStatement(sql: LedgerSQL.pinned), arguments: ["application": uid, "at": at])
            text = try then?.held("pin")
        }
        guard let text, text != "null" else { return nil }
        return try EntryFields.readPin(try EntryDecoder.parse(Array(text.utf8)))
    }

    // MARK: What was applied

    private func content(_ row: Row, _ uid: ApplicationUID) throws -> ApplicationState.Content {
        let attempts: [Int64?] = [try row.held("open"), try row.held("next_attempt")]
        let open = attempts.compactMap(\.self).first { $0 <= at }
        if let open, let attempt = try Reading.event(db, at: open) {
            let (intent, desired) = try EntryDecoder.intent(of: attempt)
            if !intent.options.dryRun {
                let before = try folded(row, uid)
                var whole: ApplicationState.Deployment?
                switch before {
                case .whole(let deployment): whole = deployment
                case .mixed(let mixture): whole = mixture.base
                case .nothing, .inProgress: break
                }
                return .inProgress(
                    ApplicationState.OpenAttempt(
                        sequence: attempt.sequence, kind: intent.kind, actor: intent.actor,
                        commit: intent.source?.commit.id, desired: desired), before: whole)
            }
        }
        return try folded(row, uid)
    }

    private func folded(_ row: Row, _ uid: ApplicationUID) throws -> ApplicationState.Content {
        guard let applied = try row.withUnsafeData(named: "applied_entry", { $0.map { Array($0) } }) else {
            return .nothing
        }
        // Nearly always the newest attempt was a whole success, and nothing but its entry is read.
        let newest = try Self.row(applied)
        if newest.isWhole { return .whole(newest.deployment) }
        var fold = StateFold()
        let cursor = try Row.fetchCursor(
            db.makeStatement(sql: LedgerSQL.applied), arguments: ["application": uid.value, "at": at])
        while let row = try cursor.next() {
            let attempt = try Self.row(try row.withUnsafeData(atIndex: 1) { Array($0 ?? Data()) })
            if attempt.isWhole {
                let set = try set(attempt.deployment.desired)
                if fold.isEmpty { return .whole(attempt.deployment) }
                return fold.content(over: (attempt, set ?? [:]))
            }
            if attempt.isWithoutEffect { continue }
            let stored = try Reading.revision(db, at: attempt.deployment.sequence.value)
            let isErased = stored?.erased.contains("resources") != false
            fold.add(
                attempt, outcomes: isErased ? nil : stored?.value.resources, set: try set(attempt.deployment.desired))
        }
        return fold.isEmpty ? .nothing : fold.content(over: nil)
    }

    private func set(_ digest: Digest?) throws -> [ResourceKey: Digest]? {
        guard let digest, let members = try Reading.set(db, digest) else { return nil }
        return Dictionary(members.map { ($0.key, $0.digest) }, uniquingKeysWith: { $1 })
    }

    /// The facts of a sync or rollback that stand in its entry itself.
    static func row(_ entry: [UInt8]) throws -> StateFold.Row {
        let json = try EntryDecoder.parse(entry)
        let fields = Fields(json, "entry")
        guard let sequence = try fields.optionalSequence("sequence") else { throw fields.wrong("sequence") }
        let counts = EntryFields.readCounts(json["counts"])
        let commit = json.at("source", "commit")
        return StateFold.Row(
            deployment: ApplicationState.Deployment(
                sequence: sequence, recordedAt: try fields.time("recordedAt"), kind: try fields.word("kind"),
                cause: try fields.word("cause"), actor: try EntryFields.readActor(json["actor"], address: nil),
                rolledBackTo: try fields.optionalSequence("rolledBackTo"),
                commit: commit?["id"]?.string.flatMap { CommitID($0) }, subject: commit?["subject"]?.string,
                desired: try fields.optionalDigest("desired"), leftover: counts.leftover),
            outcome: json["outcome"]?.string ?? "succeeded",
            sync: json["sync"] == nil ? .synced : try fields.word("sync"), counts: counts,
            isDryRun: json.at("options", "dryRun")?.bool ?? false,
            isPartial: json.at("options", "resources") != nil, hasOutcomes: json.at("bodies", "resources") != nil)
    }
}

extension LedgerSQL {
    /// Applications at a sequence, each with the rows that tell of it. By name and uid after the ones given.
    static func states(named: Bool) -> String {
        let condition =
            named
            ? "here.name IN (SELECT value FROM json_each(:names)) AND (here.name, uid) > (:name, :uid)"
            : """
            (here.name, uid) > (:name, :uid)
                AND created_by <= :at AND (deleted_by IS NULL OR deleted_by > :at)
            """
        return """
            SELECT uid, here.name, here.project, created_by, changed_by, deleted_by, pin, pinned_by,
                applied.entry AS applied_entry, next.attempt AS next_attempt, open.sequence AS open,
                seen.sequence AS seen, seen.health AS health, seen.entry ->> '$.sync' AS sync,
                (SELECT coalesce(health, outcome) FROM event INDEXED BY event_application
                    WHERE event.application = here.uid AND event.sequence <= :at
                        AND event.sequence > seen.sequence AND event.kind = 'health.reached'
                    ORDER BY event.sequence DESC LIMIT 1) AS reached
            FROM application AS here INDEXED BY application_any_name
            LEFT JOIN revision AS applied ON applied.sequence = (
                SELECT sequence FROM revision INDEXED BY revision_applied
                WHERE attempt IS NOT NULL AND application = here.uid AND sequence <= :at
                ORDER BY sequence DESC LIMIT 1)
            LEFT JOIN revision AS next ON next.sequence = (
                SELECT sequence FROM revision INDEXED BY revision_applied
                WHERE attempt IS NOT NULL AND application = here.uid AND sequence > :at
                ORDER BY sequence LIMIT 1)
            LEFT JOIN attempt AS open INDEXED BY attempt_open
                ON open.application = here.uid AND open.closed_by IS NULL
            LEFT JOIN revision AS seen ON seen.sequence = (
                SELECT sequence FROM revision INDEXED BY revision_application
                WHERE application = here.uid AND sequence <= :at ORDER BY sequence DESC LIMIT 1)
            WHERE \(condition)
            ORDER BY here.name, uid
            """
    }

    /// What an application was declared to be at a sequence.
    static let declaration = """
        SELECT sequence, project FROM event INDEXED BY event_application
        WHERE application = :application AND sequence <= :at
            AND (kind = 'application.created' OR kind = 'application.changed')
        ORDER BY sequence DESC LIMIT 1
        """

    /// The last change of an application's pin by a sequence; `null` released it.
    static let pinned = """
        SELECT max(sequence) AS sequence, pin FROM (
            SELECT sequence, entry -> '$.pin' AS pin FROM (
                SELECT sequence, entry FROM event INDEXED BY event_application
                WHERE application = :application AND sequence <= :at AND json_type(entry, '$.pin') IS NOT NULL
                ORDER BY sequence DESC LIMIT 1)
            UNION ALL SELECT sequence, entry -> '$.pin' AS pin FROM (
                SELECT sequence, entry FROM revision INDEXED BY revision_applied
                WHERE attempt IS NOT NULL AND application = :application AND sequence <= :at
                    AND json_type(entry, '$.pin') IS NOT NULL
                ORDER BY sequence DESC LIMIT 1))
        """

    /// Attempts that had ended by a sequence, newest first.
    static let applied = """
        SELECT sequence, entry FROM revision INDEXED BY revision_applied
        WHERE attempt IS NOT NULL AND application = :application AND sequence <= :at
        ORDER BY sequence DESC
        """
}
