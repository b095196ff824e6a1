import Foundation
import GRDB
public import Shiplog

extension Ledger {
    /// Makes an intent durable before anything is done: manifests, attempt, its `attempt.started` event, the pin and the
    /// inventory, in one transaction.
    ///
    /// - Throws: `attempt.open` when the application has an open attempt, `application.unknown` when it is not
    ///   registered or deleted, `cluster.changed` when the destination is another cluster than the accepted one.
    public func begin(_ intent: Intent) async throws(Failure) -> Attempt {
        guard intent.kind != .reconcile else {
            throw Failure("attempt.invalid", "a reconcile does nothing that could be attempted")
        }
        let manifests = try await stage(intent.resources)
        defer { applicationMemory.forget(intent.application.uid) }
        let desired = manifests.set.digest
        let (sequence) = try await writer.write(
            prepare: { () throws(Failure) in
                try EntryFormat1.draft(EntryFormat1.event(of: intent, desired: desired), pin: intent.pin)
            },
            { transaction, draft in
                let uid = intent.application.uid.value
                guard
                    let row = try transaction.row(
                        "SELECT cluster FROM application WHERE uid = ? AND deleted_by IS NULL", [uid])
                else { throw Failure.unknownApplication(intent.application.name) }
                let accepted: String? = try row.held("cluster")
                if let accepted, let uid = intent.cluster.uid, uid != accepted {
                    throw Failure(
                        .clusterChanged, "the destination of \(intent.application.name) is another cluster than before",
                        remedy: "if that is intended, accept the new cluster for this application")
                }
                if let open = try transaction.row(
                    "SELECT sequence FROM attempt WHERE application = ? AND closed_by IS NULL", [uid])
                {
                    let sequence: Int64 = try open.held("sequence")
                    throw Failure(
                        .attemptOpen, "\(intent.application.name) has an open attempt, #\(sequence)",
                        remedy: "wait for it to end", next: .retry(afterMilliseconds: nil))
                }
                try manifests.write(transaction)
                let sequence = try transaction.append(draft, to: .event)
                try transaction.run(
                    "INSERT INTO attempt (sequence, application, desired) VALUES (?, ?, ?)",
                    [sequence.value, uid, Data(desired.bytes)])
                if accepted == nil, let cluster = intent.cluster.uid {
                    try transaction.run("UPDATE application SET cluster = ? WHERE uid = ?", [cluster, uid])
                }
                if let pin = intent.pin { try transaction.setPin(pin, of: uid, by: sequence) }
                if !intent.options.dryRun {
                    for manifest in manifests.set.manifests {
                        try transaction.putInventory(
                            manifest.member.key, apiVersion: manifest.member.apiVersion, of: uid, at: sequence)
                    }
                }
                return sequence
            })
        return Attempt(sequence: sequence, desired: desired, intent: intent)
    }

    /// Ends an attempt: its revision, the attempt's end, inventory and pin, in one transaction.
    ///
    /// The revision is recorded as one of this attempt, whatever its `attempt` says.
    /// - Throws: `attempt.closed` when it has ended already, `attempt.unknown`; nothing is written then.
    @discardableResult
    public func finish(
        _ attempt: Attempt, _ revision: Revision, pin: PinChange? = nil
    ) async throws(Failure) -> SequenceNumber {
        var revision = revision
        revision.attempt = attempt.sequence
        revision.sameAs = nil
        if revision.desired == nil { revision.desired = attempt.desired }
        guard revision.kind != .reconcile, revision.application.uid == attempt.intent.application.uid else {
            throw Failure("attempt.invalid", "the revision is none of the attempt \(attempt.sequence)")
        }
        let closing = revision
        defer { applicationMemory.forget(closing.application.uid) }
        return try await writer.write(
            .closing, prepare: { () throws(Failure) in try EntryFormat1.draft(closing, pin: pin) },
            { transaction, draft in
                guard
                    let row = try transaction.row(
                        "SELECT application, closed_by FROM attempt WHERE sequence = ?", [attempt.sequence.value]),
                    try row.held("application") == closing.application.uid.value
                else { throw Failure(.attemptUnknown, "there is no attempt \(attempt.sequence)") }
                if let ended: Int64 = try row.held("closed_by") {
                    throw Failure(
                        .attemptClosed, "the attempt \(attempt.sequence) has ended already, with #\(ended)",
                        next: .superseded)
                }
                let sequence = try transaction.append(draft, to: .revision)
                try transaction.run(
                    "UPDATE attempt SET closed_by = ? WHERE sequence = ?", [sequence.value, attempt.sequence.value])
                if !closing.options.dryRun { try transaction.applyOutcomes(of: closing, at: sequence) }
                if let pin { try transaction.setPin(pin, of: closing.application.uid.value, by: sequence) }
                return sequence
            })
    }

    /// Attempts whose end is not recorded: what a start-up has to finish. Oldest first.
    public func openAttempts() async throws(Failure) -> [Attempt] {
        try await read("reading the open attempts") { db in
            let open = try Int64.fetchAll(
                db,
                sql: "SELECT sequence FROM attempt INDEXED BY attempt_open WHERE closed_by IS NULL ORDER BY sequence")
            return try open.compactMap { try Reading.attempt(db, $0) }
        }
    }

    /// The attempt of an application whose end is not recorded.
    public func openAttempt(of uid: ApplicationUID) async throws(Failure) -> SequenceNumber? {
        try await read("reading an attempt") { db in
            try Int64.fetchOne(
                db.cachedStatement(
                    sql: """
                        SELECT sequence FROM attempt INDEXED BY attempt_open
                        WHERE application = ? AND closed_by IS NULL
                        """), arguments: [uid.value]
            ).flatMap { SequenceNumber($0) }
        }
    }

    /// The attempt that began with that event, whether it has ended or not.
    public func attempt(_ sequence: SequenceNumber) async throws(Failure) -> Attempt? {
        try await read("reading an attempt") { db in try Reading.attempt(db, sequence.value) }
    }

    /// The revision that ended an attempt; nil while it is open.
    public func end(of attempt: SequenceNumber) async throws(Failure) -> SequenceNumber? {
        try await read("reading an attempt") { db in
            try Int64.fetchOne(db, sql: "SELECT closed_by FROM attempt WHERE sequence = ?", arguments: [attempt.value])
                .flatMap { SequenceNumber($0) }
        }
    }
}

extension Failure {
    static func unknownApplication(_ name: String) -> Failure {
        Failure(
            .applicationUnknown, "there is no application \(name)",
            remedy: "list the applications with `shiplog app list`")
    }
}

extension WriteTransaction {
    func setPin(_ change: PinChange, of uid: String, by sequence: SequenceNumber) throws {
        let pin: String? =
            switch change {
            case .set(let pin): EntryFields.pin(pin).canonicalString
            case .release: nil
            }
        try run("UPDATE application SET pin = ?, pinned_by = ? WHERE uid = ?", [pin, sequence.value, uid])
    }

    func putInventory(_ key: ResourceKey, apiVersion: String, of uid: String, at sequence: SequenceNumber) throws {
        try run(
            """
            INSERT INTO inventory (application, api_group, kind, namespace, name, api_version, first, last)
            VALUES (:application, :group, :kind, :namespace, :name, :version, :sequence, :sequence)
            ON CONFLICT DO UPDATE SET api_version = excluded.api_version, last = excluded.last
            """,
            [
                "application": uid, "group": key.group, "kind": key.kind, "namespace": key.namespace, "name": key.name,
                "version": apiVersion, "sequence": sequence.value
            ])
    }

    func takeFromInventory(_ key: ResourceKey, of uid: String) throws {
        try run(
            """
            DELETE FROM inventory
            WHERE application = :application AND api_group = :group AND kind = :kind AND namespace = :namespace
                AND name = :name
            """,
            [
                "application": uid, "group": key.group, "kind": key.kind, "namespace": key.namespace, "name": key.name
            ])
    }

    /// What a sync or rollback did: what it applied is there, what it pruned and saw gone is not.
    func applyOutcomes(of revision: Revision, at sequence: SequenceNumber) throws {
        for outcome in revision.resources {
            switch outcome.action {
            case .created, .updated, .unchanged:
                try putInventory(
                    outcome.key, apiVersion: outcome.apiVersion, of: revision.application.uid.value, at: sequence)
            case .pruned: try takeFromInventory(outcome.key, of: revision.application.uid.value)
            case .ran, .leftover, .failed, .skipped, .outOfSync, .unknown: break
            }
        }
    }
}
