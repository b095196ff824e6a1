import Foundation
import GRDB
public import Shiplog

/// Rollbacks of several applications: a `fleet.started` event, the attempts that name it, a `fleet.ended` event.
extension Ledger {
    /// The `fleet.started` events whose end is not recorded: what a start-up has to go on with. Oldest first.
    public func unfinishedFleets() async throws(Failure) -> [StoredEvent] {
        try await read("reading unfinished fleets") { db in
            let started = try Int64.fetchAll(
                db.cachedStatement(sql: LedgerSQL.fleets), arguments: ["kind": Event.Kind.fleetStarted.rawValue])
            let ended = Set(
                try Int64.fetchAll(
                    db.cachedStatement(sql: LedgerSQL.fleetGroups),
                    arguments: ["kind": Event.Kind.fleetEnded.rawValue, "after": 0]))
            return try started.filter { !ended.contains($0) }.compactMap { try Reading.event(db, at: $0) }
        }
    }

    /// The `fleet.ended` event of a fleet; nil while it runs.
    public func fleetEnd(_ group: SequenceNumber) async throws(Failure) -> StoredEvent? {
        try await read("reading a fleet") { db in
            let statement = try db.cachedStatement(sql: LedgerSQL.fleetEnd)
            return try Int64.fetchOne(
                statement, arguments: ["kind": Event.Kind.fleetEnded.rawValue, "group": group.value]
            ).flatMap { try Reading.event(db, at: $0) }
        }
    }

    /// The newest attempt of an application that belongs to a fleet, and the revision that ended it.
    public func attempt(
        of uid: ApplicationUID, in group: SequenceNumber
    ) async throws(Failure) -> (attempt: SequenceNumber, end: SequenceNumber?)? {
        try await read("reading a fleet") { db in
            guard
                let row = try Row.fetchOne(
                    db.cachedStatement(sql: LedgerSQL.fleetAttempt),
                    arguments: ["application": uid.value, "group": group.value]),
                let attempt = SequenceNumber(try row.held("sequence") as Int64)
            else { return nil }
            return (attempt, (try row.held("closed_by") as Int64?).flatMap { SequenceNumber($0) })
        }
    }

    /// What an application was declared to be at a sequence, with its webhooks' secrets: what it is registered as again.
    /// nil when there is no record of it any more.
    public func declaration(
        of uid: ApplicationUID, at sequence: SequenceNumber
    ) async throws(Failure) -> Application? {
        let sealer = Sealer(try keys)
        return try await read("reading a declaration") { db in
            guard
                let row = try Row.fetchOne(
                    db.cachedStatement(sql: LedgerSQL.declaration),
                    arguments: ["application": uid.value, "at": sequence.value]),
                let document = try Reading.event(db, at: try row.held("sequence"))?.value.detail?["after"]
            else { return nil }
            let bytes = document.canonicalBytes
            return try ApplicationFormat.application(
                String(decoding: bytes, as: UTF8.self),
                secrets: try Reading.sealed(db, owner: Hashing.sha256(bytes), sealer))
        }
    }
}

extension LedgerSQL {
    static let fleets = "SELECT sequence FROM event INDEXED BY event_kind WHERE kind = :kind ORDER BY sequence"

    static let fleetGroups = """
        SELECT entry ->> '$.facts.group' FROM event INDEXED BY event_kind WHERE kind = :kind AND sequence > :after
        """

    static let fleetEnd = """
        SELECT sequence FROM event INDEXED BY event_kind
        WHERE kind = :kind AND sequence > :group AND entry ->> '$.facts.group' = :group
        ORDER BY sequence LIMIT 1
        """

    static let fleetAttempt = """
        SELECT event.sequence,
            (SELECT closed_by FROM attempt WHERE attempt.sequence = event.sequence) AS closed_by
        FROM event INDEXED BY event_application
        WHERE event.application = :application AND event.sequence > :group AND event.kind = 'attempt.started'
            AND event.entry ->> '$.facts.group' = :group
        ORDER BY event.sequence DESC LIMIT 1
        """
}
