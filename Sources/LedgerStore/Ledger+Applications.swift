import Foundation
import GRDB
public import Shiplog

extension Ledger {
    // MARK: Writing

    /// Registers an application, or changes the one of that name. Unchanged: nothing is written.
    ///
    /// - Parameters:
    ///   - ifChangedBy: the event that the caller's picture rests on (`If-Match`); nil for any.
    ///   - expectAbsent: only register, never change (`If-None-Match: *`).
    ///   - parent: the application whose sync or rollback did it.
    ///   - beginning: how one that is registered by this begins; what is there already keeps its uid and its pin.
    /// - Throws: `application.changed-meanwhile`, `application.exists`.
    public func putApplication(
        _ application: Application, actor: Actor, ifChangedBy: SequenceNumber? = nil, expectAbsent: Bool = false,
        parent: ParentApplication? = nil, beginning: ApplicationBeginning? = nil
    ) async throws(Failure) -> (RegisteredApplication, changed: Bool) {
        let keys = try keys
        let format = ApplicationFormat(redactor: try redactor)
        let sealer = Sealer(keys)
        defer { applicationMemory.forget(nil) }
        let (uid, changed) = try await writer.write(
            prepare: { () throws(Failure) in
                let prepared = try format.prepare(application)
                var sealed: [Sealer.Sealed] = []
                for value in prepared.values { sealed.append(try sealer.seal(value, owner: prepared.digest)) }
                return (prepared, sealed)
            },
            { transaction, staged in
                let (prepared, sealed) = staged
                let present = try transaction.row(
                    "SELECT uid, project, specification, changed_by FROM application WHERE name = ? AND deleted_by IS NULL",
                    [application.name])
                if expectAbsent, present != nil {
                    throw Failure(.applicationExists, "there is an application \(application.name) already")
                }
                if let ifChangedBy, (try present?.held("changed_by") as Int64?) != ifChangedBy.value {
                    throw Failure(
                        .applicationChangedMeanwhile, "the application \(application.name) has changed meanwhile",
                        remedy: "read it again and repeat the change")
                }
                let before: String? = try present?.held("specification")
                if let present, before == prepared.text { return (try present.held("uid") as String, false) }
                let uid: String = try present?.held("uid") ?? beginning?.uid.value ?? Names.random(12)
                let sequence = try transaction.append(
                    try Self.draft(application, prepared, uid: uid, before: before, parent, actor), to: .event)
                let arguments: StatementArguments = [
                    "uid": uid, "name": application.name, "project": application.project,
                    "specification": prepared.text, "sequence": sequence.value
                ]
                if let before {
                    // What was accepted for one destination is not accepted for another.
                    let moved = try Self.destination(before) != Self.destination(prepared.text)
                    try transaction.run(
                        """
                        UPDATE application SET project = :project, specification = :specification,
                            changed_by = :sequence, cluster = CASE WHEN :moved THEN NULL ELSE cluster END
                        WHERE uid = :uid
                        """,
                        [
                            "uid": uid, "project": application.project, "specification": prepared.text,
                            "sequence": sequence.value, "moved": moved
                        ])
                } else {
                    try transaction.run(
                        """
                        INSERT INTO application (uid, name, project, specification, created_by, changed_by)
                        VALUES (:uid, :name, :project, :specification, :sequence, :sequence)
                        """, arguments)
                    if let beginning { try transaction.begin(beginning, application) }
                }
                for value in sealed { try transaction.seal(value, owner: prepared.digest, key: sealer.keyID) }
                return (uid, true)
            })
        applicationMemory.forget(nil)
        guard let number = ApplicationUID(uid), let registered = try await self.application(uid: number) else {
            throw .corrupt("an application that was just registered is not there")
        }
        return (registered, changed)
    }

    private static func draft(
        _ application: Application, _ prepared: ApplicationFormat.Prepared, uid: String, before: String?,
        _ parent: ParentApplication?, _ actor: Actor
    ) throws(Failure) -> EntryDraft {
        guard let number = ApplicationUID(uid) else { throw .corrupt("a registered application has no proper uid") }
        var facts: [String: JSON] = ["specification": .string("sha256:" + prepared.digest.hex)]
        if let parent { facts["parent"] = parent.json }
        let after = try EntryDecoder.parse(Array(prepared.text.utf8))
        var detail: [String: JSON] = ["after": after]
        if let before {
            let old = try EntryDecoder.parse(Array(before.utf8))
            detail["before"] = old
            facts["changed"] = changedPaths(
                DocumentChange.between(ApplicationFormat.readable(old), ApplicationFormat.readable(after)))
            if try destination(before) != destination(prepared.text) { facts["destinationChanged"] = true }
        }
        return try EntryFormat1.draft(
            Event(
                before == nil ? .applicationCreated : .applicationChanged,
                application: ApplicationReference(uid: number, name: application.name, project: application.project),
                actor: actor, facts: .object(facts), detail: .object(detail)))
    }

    /// Which fields, without their values: what stays when the body with the values has been erased. Bounded, for an
    /// entry is; what was left out is counted in the last element.
    static func changedPaths(_ changes: [DocumentChange]) -> JSON {
        var paths: [JSON] = []
        var bytes = 0
        for change in changes {
            bytes += change.path.utf8.count + 8
            guard paths.count < 60, bytes <= 4096 else {
                paths.append(.string("and \(changes.count - paths.count) more"))
                break
            }
            paths.append(.string(change.path))
        }
        return .array(paths)
    }

    private static func destination(_ specification: String) throws(Failure) -> JSON? {
        try EntryDecoder.parse(Array(specification.utf8))["destination"]
    }

    /// Takes an application out. Its history stays, under its uid; a new one of that name gets another.
    /// - Throws: `application.unknown`; `attempt.open` while something is under way.
    @discardableResult
    public func deleteApplication(
        _ uid: ApplicationUID, actor: Actor, reason: String? = nil, parent: ParentApplication? = nil
    ) async throws(Failure) -> SequenceNumber {
        defer { applicationMemory.forget(uid) }
        return try await writer.write { transaction in
            let reference = try transaction.application(uid)
            let open = try transaction.row(
                "SELECT sequence FROM attempt WHERE application = ? AND closed_by IS NULL", [uid.value])
            if let open {
                throw Failure(
                    .attemptOpen, "\(reference.name) has an open attempt, #\(try open.held("sequence") as Int64)",
                    remedy: "wait for it to end", next: .retry(afterMilliseconds: nil))
            }
            let row = try transaction.row("SELECT specification FROM application WHERE uid = ?", [uid.value])
            let before = try row.map { try EntryDecoder.parse(Array((try $0.held("specification") as String).utf8)) }
            let sequence = try transaction.append(
                try EntryFormat1.draft(
                    Event(
                        .applicationDeleted, application: reference, actor: actor,
                        facts: .members(["parent": parent?.json]),
                        detail: .members(["before": before, "reason": reason.map { .string($0) }]))), to: .event)
            try transaction.run("UPDATE application SET deleted_by = ? WHERE uid = ?", [sequence.value, uid.value])
            return sequence
        }
    }

    /// Sets or releases a pin, with the event that says why (`pin.set`, `pin.released`, `pin.rejected`).
    @discardableResult
    public func setPin(
        _ change: PinChange, of uid: ApplicationUID, event: Event
    ) async throws(Failure) -> SequenceNumber {
        try Self.check(event, besides: [.pinned, .unpinned])
        defer { applicationMemory.forget(uid) }
        return try await writer.write { transaction in
            var event = event
            event.application = try transaction.application(uid)
            let sequence = try transaction.append(try EntryFormat1.draft(event, pin: change), to: .event)
            try transaction.setPin(change, of: uid.value, by: sequence)
            return sequence
        }
    }

    /// A person says that the destination may be this cluster from now on.
    @discardableResult
    public func acceptCluster(
        _ clusterUID: String, for uid: ApplicationUID, actor: Actor
    ) async throws(Failure) -> SequenceNumber {
        defer { applicationMemory.forget(uid) }
        return try await writer.write { transaction in
            let reference = try transaction.application(uid)
            let row = try transaction.row("SELECT cluster FROM application WHERE uid = ?", [uid.value])
            let before: String? = try row?.held("cluster")
            let event = Event(
                .clusterAccepted, application: reference, actor: actor,
                facts: .members(["before": before.map { .string($0) }, "clusterUID": .string(clusterUID)]))
            let sequence = try transaction.append(try EntryFormat1.draft(event), to: .event)
            try transaction.run("UPDATE application SET cluster = ? WHERE uid = ?", [clusterUID, uid.value])
            return sequence
        }
    }

    // MARK: Reading

    /// All that are registered and not deleted, by name.
    public func applications() async throws(Failure) -> [RegisteredApplication] {
        try await select("deleted_by IS NULL ORDER BY name", [])
    }

    /// Those that were deleted too: history is theirs as well.
    public func everyApplication() async throws(Failure) -> [RegisteredApplication] {
        try await select("uid > '' ORDER BY uid", [])
    }

    /// The one of that name that is not deleted.
    public func application(named name: String) async throws(Failure) -> RegisteredApplication? {
        try await select("name = ? AND deleted_by IS NULL", [name]).first
    }

    /// Also one that was deleted: its history needs a name.
    public func application(uid: ApplicationUID) async throws(Failure) -> RegisteredApplication? {
        guard access == .serve else { return try await select("uid = ?", [uid.value]).first }
        if let known = applicationMemory.application(uid) { return known }
        let generation = applicationMemory.generation
        guard let read = try await select("uid = ?", [uid.value]).first else { return nil }
        applicationMemory.keep(read, readAt: generation)
        return read
    }

    /// Every application that ever had the name, the deleted ones included, newest first.
    public func applications(everNamed name: String) async throws(Failure) -> [RegisteredApplication] {
        try await select("name = ? ORDER BY created_by DESC", [name])
    }

    private func select(
        _ condition: String, _ arguments: StatementArguments
    ) async throws(Failure) -> [RegisteredApplication] {
        let keys = try? keys
        return try await read("reading applications") { db in
            let statement = try db.cachedStatement(
                sql: "SELECT \(Reading.applicationColumns) FROM application WHERE \(condition)")
            return try Row.fetchAll(statement, arguments: arguments).map { try Reading.application(db, $0, keys) }
        }
    }

    /// The event that deleted an application; nil for a registered one.
    public func deletion(of uid: ApplicationUID) async throws(Failure) -> SequenceNumber? {
        try await read("reading applications") { db in
            try Int64.fetchOne(db, sql: "SELECT deleted_by FROM application WHERE uid = ?", arguments: [uid.value])
                .flatMap { SequenceNumber($0) }
        }
    }
}

/// How an application is registered that is held from the first moment on: no look may come before the pin.
public struct ApplicationBeginning: Sendable {
    public let uid: ApplicationUID
    public let pin: Pin
    /// A `pin.set` event; the application is added to it.
    public let event: Event

    public init(uid: ApplicationUID, pin: Pin, event: Event) {
        self.uid = uid
        self.pin = pin
        self.event = event
    }

    /// A uid that no application has.
    public static func newUID() throws(Failure) -> ApplicationUID {
        guard let uid = ApplicationUID(Names.random(12)) else { throw .corrupt("a random uid is not proper") }
        return uid
    }
}

extension WriteTransaction {
    func begin(_ beginning: ApplicationBeginning, _ application: Application) throws {
        var event = beginning.event
        event.application = ApplicationReference(
            uid: beginning.uid, name: application.name, project: application.project)
        let sequence = try append(try EntryFormat1.draft(event, pin: .set(beginning.pin)), to: .event)
        try setPin(.set(beginning.pin), of: beginning.uid.value, by: sequence)
    }

    /// - Throws: `application.unknown` for one that is not registered, or deleted.
    func application(_ uid: ApplicationUID) throws -> ApplicationReference {
        guard
            let row = try row("SELECT name, project FROM application WHERE uid = ? AND deleted_by IS NULL", [uid.value])
        else { throw Failure.unknownApplication(uid.value) }
        return ApplicationReference(uid: uid, name: try row.held("name"), project: try row.held("project"))
    }
}
