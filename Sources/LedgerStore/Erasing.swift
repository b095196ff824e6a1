import Foundation
import GRDB
public import Shiplog

extension Ledger {
    /// Erases the values of a Secret from everything that was ever recorded of it, for one application: the data keys go,
    /// so that no backup of the master key opens them again in this file. Digests stay, and proofs with them.
    ///
    /// - Parameter name: one key of its `data`; nil for all.
    /// - Throws: `attempt.open` while an attempt may still need them; `ledger.query-invalid` for what is no Secret;
    ///   `ledger.value-unknown` when nothing is left to erase.
    @discardableResult
    public func eraseSecretValues(
        of key: ResourceKey, name: String?, for uid: ApplicationUID, actor: Actor, reason: String?
    ) async throws(Failure) -> SequenceNumber {
        guard key.group.isEmpty, key.kind == "Secret" else {
            throw Failure(.ledgerQueryInvalid, "only values of a Secret are sealed and can be erased")
        }
        let path = name.map { "/data/" + Redactor.escaped($0) }
        let sequence = try await writer.write { transaction in
            let reference = try transaction.application(uid)
            let open = try transaction.exists(
                "SELECT 1 FROM attempt WHERE application = ? AND closed_by IS NULL", [uid.value])
            if open {
                throw Failure(
                    .attemptOpen, "\(reference.name) has an open attempt that may need the values",
                    remedy: "wait for it to end", next: .retry(afterMilliseconds: nil))
            }
            var ids: [Int64] = []
            // Here and not before: what was attempted until this very moment is erased as well.
            for owner in try Self.owners(transaction.db, of: key, for: uid) {
                ids += try Int64.fetchAll(
                    transaction.db.cachedStatement(
                        sql: """
                            SELECT id FROM sealed
                            WHERE owner = :owner AND erased_by IS NULL AND (:path IS NULL OR path = :path)
                            """), arguments: ["owner": Data(owner.bytes), "path": path])
            }
            guard !ids.isEmpty else {
                throw Failure("ledger.value-unknown", "no value of \(key) is stored that could be erased")
            }
            let facts = JSON.members([
                "count": .integer(Int64(ids.count)), "name": name.map { .string($0) },
                "resource": EntryFields.key(key)
            ])
            let event = Event(
                .secretsErased, application: reference, actor: actor, facts: facts,
                detail: reason.map { ["reason": .string($0)] })
            let sequence = try transaction.append(try EntryFormat1.draft(event), to: .event)
            for id in ids {
                try transaction.run(
                    "UPDATE sealed SET wrapped = NULL, ciphertext = NULL, erased_by = ? WHERE id = ?",
                    [sequence.value, id])
            }
            return sequence
        }
        try await writer.overwrite()
        return sequence
    }

    /// The redacted manifests of one Secret in every set that an application attempted.
    private static func owners(_ db: Database, of key: ResourceKey, for uid: ApplicationUID) throws -> [Digest] {
        let sets = try Data.fetchAll(
            db, sql: "SELECT DISTINCT desired FROM attempt WHERE application = ?", arguments: [uid.value])
        var owners: Set<Digest> = []
        for set in sets {
            guard let digest = Digest(bytes: set) else { continue }
            for member in try Reading.set(db, digest) ?? [] where member.key == key { owners.insert(member.digest) }
        }
        return Array(owners)
    }

    /// Erases a body of one row, such as an author or an address; its digest stays in the entry.
    /// - Parameter event: what says who asked for it and why; the row and the name are added to its facts.
    /// - Throws: `ledger.part-in-use` for what a project says now: without it nothing would be permitted any more.
    @discardableResult
    public func eraseBody(
        _ name: String, of sequence: SequenceNumber, event: Event
    ) async throws(Failure) -> SequenceNumber {
        // Verifying excuses a part that is gone by an event of this kind alone.
        guard event.kind == .bodyErased else {
            throw Failure(
                "ledger.event-reserved", "a part is erased by an event body.erased, not by \(event.kind.rawValue)")
        }
        let by = try await writer.write { transaction in
            let isThere = try transaction.exists(
                "SELECT 1 FROM body WHERE sequence = ? AND name = ? AND erased_by IS NULL", [sequence.value, name])
            guard isThere else {
                throw Failure("ledger.value-unknown", "\(sequence) has no part \(name) that could be erased")
            }
            let open = try transaction.exists(
                "SELECT 1 FROM attempt WHERE sequence = ? AND closed_by IS NULL", [sequence.value])
            if open {
                throw Failure(
                    .attemptOpen, "\(sequence) is an open attempt that needs its parts", remedy: "wait for it to end",
                    next: .retry(afterMilliseconds: nil))
            }
            if let project = try ProjectFold(transaction.db).current(changedBy: sequence) {
                throw Failure(
                    "ledger.part-in-use", "\(sequence) is what the project \(project.name) says now",
                    remedy: "register the project anew without what has to go, then erase this part")
            }
            var event = event
            event.facts["erased"] = ["name": .string(name), "sequence": EntryFields.sequence(sequence)]
            let by = try transaction.append(try EntryFormat1.draft(event), to: .event)
            try transaction.run(
                "UPDATE body SET salt = NULL, content = NULL, erased_by = ? WHERE sequence = ? AND name = ?",
                [by.value, sequence.value, name])
            return by
        }
        try await writer.overwrite()
        return by
    }
}
