import GRDB
public import Shiplog

/// The deployments of one application in a window.
public struct ApplicationDelivery: Sendable, Hashable {
    public let uid: ApplicationUID
    public let deployments: [Deployment]
    public let exclusions: DeliveryExclusions
}

extension Ledger {
    /// What was deployed in a window, application by application, and what became of it up to now.
    ///
    /// - Parameters:
    ///   - from: deployments that began then or later.
    ///   - to: and before then.
    /// - Returns: in the order of the applications, and the head of the log that was read.
    /// - Throws: `ledger.query-invalid` when the window holds more than 100,000 rows.
    public func deliveries(
        of applications: [ApplicationUID], from: Timestamp, to: Timestamp
    ) async throws(Failure) -> (items: [ApplicationDelivery], asOf: SequenceNumber?) {
        try await read("reading deployments") { db in
            let first = try Self.lastSequence(db, recordedBy: from.milliseconds - 1) + 1
            let last = try Self.lastSequence(db, recordedBy: to.milliseconds - 1)
            var left = DeliverySQL.rowLimit
            var items: [ApplicationDelivery] = []
            for uid in applications {
                try Task.checkCancellation()
                let delivery = DeliveryQuery(db: db, uid: uid, first: first, last: last)
                let rows = try delivery.rows(limit: left)
                left -= rows.count
                guard left > 0 else {
                    throw Failure(
                        .ledgerQueryInvalid, "the window holds more than \(DeliverySQL.rowLimit) rows",
                        remedy: "ask for a shorter time, or for one application")
                }
                guard rows.contains(where: { $0.attempt != nil }) else { continue }
                let reading = DeliveryReading(
                    rows, from: from, to: to, after: try delivery.desiredBefore(),
                    known: try delivery.known(among: rows))
                items.append(
                    ApplicationDelivery(
                        uid: uid, deployments: reading.deployments, exclusions: reading.exclusions))
            }
            return (items, try Reading.head(db))
        }
    }
}

/// The rows of one application that say how it is delivered.
struct DeliveryQuery {
    let db: Database
    let uid: ApplicationUID
    /// The window's sequences.
    let first: Int64
    let last: Int64

    /// Those of the window, and so many after it that what became of its deployments is nearly always among them.
    func rows(limit: Int) throws -> [DeliveryRow] {
        let inside = try rows(first: first, last: last, limit: limit)
        guard !inside.isEmpty else { return [] }
        return inside + (try rows(first: last + 1, last: .max, limit: DeliverySQL.tailLimit))
    }

    private func rows(first: Int64, last: Int64, limit: Int) throws -> [DeliveryRow] {
        guard first <= last else { return [] }
        var rows: [DeliveryRow] = []
        for sql in [DeliverySQL.revisions, DeliverySQL.health] {
            let cursor = try Row.fetchCursor(
                db.cachedStatement(sql: sql),
                arguments: ["application": uid.value, "first": first, "last": last, "limit": limit])
            while let row = try cursor.next() { if let read = try Self.row(row) { rows.append(read) } }
        }
        return Array(rows.sorted { $0.sequence < $1.sequence }.prefix(limit))
    }

    private static func row(_ row: Row) throws -> DeliveryRow? {
        guard let sequence = SequenceNumber(try row.held("sequence") as Int64),
            let health = HealthStatus(rawValue: try row.held("health") ?? "")
        else { return nil }
        let recordedAt = Timestamp(milliseconds: try row.held("recorded_at"))
        guard try row.held("attempt") as Int64? != nil, let kind = Revision.Kind(rawValue: try row.held("kind") ?? ""),
            let cause = Cause(rawValue: try row.held("cause") ?? "")
        else { return DeliveryRow(sequence: sequence, recordedAt: recordedAt, health: health) }
        let outcome: String = try row.held("outcome")
        let failed: Int64 = try row.held("failed")
        let committed: Int64? = try row.held("committed_at")
        let attempt = DeliveryRow.Attempt(
            kind: kind, cause: cause, outcome: outcome == "succeeded" && failed > 0 ? "failed" : outcome,
            project: try row.held("project"), desired: try row.held("desired"), commit: try row.held("commit_id"),
            committedAt: committed.map { Timestamp(milliseconds: $0) },
            finishedAt: Timestamp(milliseconds: try row.held("finished_at")),
            isDryRun: try row.held("dry_run") as Int64 != 0)
        return DeliveryRow(sequence: sequence, recordedAt: recordedAt, attempt: attempt, health: health)
    }

    func desiredBefore() throws -> String? {
        try String.fetchOne(
            db.cachedStatement(sql: DeliverySQL.before), arguments: ["application": uid.value, "first": first])
    }

    /// Which of the rows' commits the application had been given before.
    func known(among rows: [DeliveryRow]) throws -> Set<String> {
        let statement = try db.cachedStatement(sql: DeliverySQL.known)
        var known: Set<String> = []
        for commit in Set(rows.compactMap(\.attempt?.commit)) {
            let found = try Int.fetchOne(
                statement, arguments: ["commit": commit, "application": uid.value, "first": first])
            if found != nil { known.insert(commit) }
        }
        return known
    }
}

enum DeliverySQL {
    static let rowLimit = 100_000
    static let tailLimit = 500

    /// A sync of selected resources brings no commit to production; it counts for nothing.
    static let revisions = """
        SELECT sequence, recorded_at, kind, cause, outcome, health, project, desired, commit_id, attempt,
            entry ->> '$.source.commit.committedAt' AS committed_at, entry ->> '$.finishedAt' AS finished_at,
            coalesce(entry ->> '$.counts.failed', 0) AS failed, coalesce(entry ->> '$.options.dryRun', 0) AS dry_run
        FROM revision INDEXED BY revision_changed_application
        WHERE same_as IS NULL AND application = :application AND sequence >= :first AND sequence <= :last
            AND entry -> '$.options.resources' IS NULL
        ORDER BY sequence LIMIT :limit
        """

    static let health = """
        SELECT sequence, recorded_at, coalesce(health, outcome) AS health, NULL AS attempt
        FROM event INDEXED BY event_application
        WHERE application = :application AND kind = 'health.reached' AND sequence >= :first AND sequence <= :last
        ORDER BY sequence LIMIT :limit
        """

    /// The manifests of the last attempt before that counts.
    static let before = """
        SELECT desired FROM revision INDEXED BY revision_applied
        WHERE attempt IS NOT NULL AND application = :application AND sequence < :first AND cause <> 'self-heal'
            AND outcome <> 'superseded' AND commit_id IS NOT NULL AND coalesce(entry ->> '$.options.dryRun', 0) = 0
            AND entry -> '$.options.resources' IS NULL
        ORDER BY sequence DESC LIMIT 1
        """

    static let known = """
        SELECT 1 FROM revision INDEXED BY revision_commit
        WHERE commit_id = :commit AND application = :application AND attempt IS NOT NULL AND sequence < :first
            AND outcome = 'succeeded' AND entry -> '$.options.resources' IS NULL
        LIMIT 1
        """
}
