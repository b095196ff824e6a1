import GRDB
public import Shiplog

extension Ledger {
    /// What is on trial in an application: the syncs up to its newest attempt that applied the same manifests.
    /// - Returns: nil when nothing was ever applied, or when the newest attempt is a rollback or was ended by something newer.
    public func trial(of uid: ApplicationUID) async throws(Failure) -> AutomaticRollback.Trial? {
        try await read("reading what was synced last") { db in try Self.trial(db, uid) }
    }

    private static func trial(_ db: Database, _ uid: ApplicationUID) throws -> AutomaticRollback.Trial? {
        let rows = try Row.fetchCursor(
            db.cachedStatement(sql: TrialSQL.attempts),
            arguments: ["application": uid.value, "limit": TrialSQL.rowLimit])
        var trial: AutomaticRollback.Trial?
        var members: [Int64] = []
        while let row = try rows.next() {
            let kind: String = try row.held("kind")
            let outcome: String = try row.held("outcome")
            guard kind == Revision.Kind.sync.rawValue, trial != nil || outcome != "superseded",
                let desired = (try row.held("desired") as String?).flatMap({ Digest($0) }),
                trial.map({ $0.desired == desired }) ?? true,
                let sequence = SequenceNumber(try row.held("sequence") as Int64)
            else { break }
            let finishedAt = Timestamp(milliseconds: try row.held("finished_at"))
            let cause: String = try row.held("cause")
            var next =
                trial
                ?? AutomaticRollback.Trial(
                    sequence: sequence, finishedAt: finishedAt, desired: desired, hasFailed: outcome == "failed")
            next.sequence = sequence
            next.finishedAt = finishedAt
            next.commit = (try row.held("commit_id") as String?).flatMap { CommitID($0) } ?? next.commit
            next.isByPerson = next.isByPerson || cause == Cause.manual.rawValue
            trial = next
            // A row that failed says how well the objects are that it reached.
            if outcome == "succeeded" { members.append(sequence.value) }
        }
        guard var trial else { return nil }
        trial.becameHealthy = try members.contains { sequence in
            try Int.fetchOne(
                db.cachedStatement(sql: LedgerSQL.becameHealthy),
                arguments: ["application": uid.value, "sequence": sequence]) != nil
        }
        trial.isWithheld =
            try Int.fetchOne(
                db.cachedStatement(sql: TrialSQL.withheld), arguments: ["sequence": trial.sequence.value]) != nil
        return trial
    }
}

enum TrialSQL {
    /// Self-heals and retries of one set of manifests: more than these are nobody's new commit any more.
    static let rowLimit = 100

    static let attempts = """
        SELECT sequence, kind, outcome, cause, desired, commit_id, entry ->> '$.finishedAt' AS finished_at
        FROM revision INDEXED BY revision_applied
        WHERE attempt IS NOT NULL AND application = :application ORDER BY sequence DESC LIMIT :limit
        """

    static let withheld = """
        SELECT 1 FROM event INDEXED BY event_revision
        WHERE revision = :sequence AND kind = 'rollback.withheld' LIMIT 1
        """
}
