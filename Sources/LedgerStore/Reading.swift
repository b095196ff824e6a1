import Foundation
import GRDB
import Shiplog

/// Rows back into values. Each function runs inside a caller's read of one snapshot.
enum Reading {
    // MARK: The log

    /// A row's sequence and entry, with the bodies the entry names.
    static func record(_ db: Database, _ row: Row) throws -> LedgerRecord {
        let sequence: Int64 = try row.held(0)
        let entry = try row.withUnsafeData(atIndex: 1) { Array($0 ?? Data()) }
        return try EntryDecoder.record(RawRecord(entry: entry, bodies: try bodies(db, sequence)))
    }

    private static func bodies(_ db: Database, _ sequence: Int64) throws -> [String: [UInt8]?] {
        let statement = try db.cachedStatement(sql: "SELECT name, encoding, content FROM body WHERE sequence = ?")
        let cursor = try Row.fetchCursor(statement, arguments: [sequence])
        var bodies: [String: [UInt8]?] = [:]
        while let row = try cursor.next() {
            let (name, encoding, content): (String, Int64, Data?) = (try row.held(0), try row.held(1), try row.held(2))
            // updateValue: assigning nil would take the name away instead of keeping it with nothing.
            try bodies.updateValue(
                content.map { (data) throws(Failure) in
                    try StoredBytes.unpack(Array(data), encoding: encoding, limit: StoredBytes.limit)
                }, forKey: name)
        }
        return bodies
    }

    static func record(_ db: Database, at sequence: Int64) throws -> LedgerRecord? {
        for table in ["revision", "event"] {
            let statement = try db.cachedStatement(sql: "SELECT sequence, entry FROM \(table) WHERE sequence = ?")
            if let row = try Row.fetchOne(statement, arguments: [sequence]) { return try record(db, row) }
        }
        // A folded one has lost its bodies with its row: messages of a look that found nothing new.
        return try folded(db, covering: sequence)?[sequence].map { entry in
            let names = try EntryDecoder.parse(Array(entry))["bodies"]?.object ?? [:]
            return try EntryDecoder.record(RawRecord(entry: Array(entry), bodies: names.mapValues { _ in nil }))
        }
    }

    static func hasRow(_ db: Database, at sequence: Int64) throws -> Bool {
        for table in ["revision", "event"] {
            let statement = try db.cachedStatement(sql: "SELECT 1 FROM \(table) WHERE sequence = ?")
            if try Int.fetchOne(statement, arguments: [sequence]) != nil { return true }
        }
        return false
    }

    static func event(_ db: Database, at sequence: Int64) throws -> StoredEvent? {
        if case .event(let stored)? = try record(db, at: sequence) { stored } else { nil }
    }

    static func revision(_ db: Database, at sequence: Int64) throws -> StoredRevision? {
        if case .revision(let stored)? = try record(db, at: sequence) { stored } else { nil }
    }

    static func head(_ db: Database) throws -> SequenceNumber? {
        try Int64.fetchOne(db.cachedStatement(sql: "SELECT max(sequence) FROM leaf")).flatMap { SequenceNumber($0) }
    }

    static func attempt(_ db: Database, _ sequence: Int64) throws -> Attempt? {
        let known = try Int.fetchOne(
            db.cachedStatement(sql: "SELECT 1 FROM attempt WHERE sequence = ?"), arguments: [sequence])
        guard known != nil, let event = try event(db, at: sequence) else { return nil }
        let (intent, desired) = try EntryDecoder.intent(of: event)
        return Attempt(sequence: event.sequence, desired: desired, intent: intent)
    }

    // MARK: Manifests

    static func hasBlob(_ db: Database, _ digest: Digest, kind: String) throws -> Bool {
        try Int.fetchOne(
            db.cachedStatement(sql: "SELECT 1 FROM blob WHERE digest = ? AND kind = ?"),
            arguments: [Data(digest.bytes), kind]) != nil
    }

    static func set(_ db: Database, _ digest: Digest) throws -> [ManifestSet.Member]? {
        guard try hasBlob(db, digest, kind: "set") else { return nil }
        return try ManifestSet.members(of: blob(db, digest))
    }

    /// Checked against its digest: what goes to a cluster is what was recorded.
    static func blob(_ db: Database, _ digest: Digest) throws -> [UInt8] {
        let statement = try db.cachedStatement(sql: "SELECT encoding, size, content FROM blob WHERE digest = ?")
        guard let row = try Row.fetchOne(statement, arguments: [Data(digest.bytes)]) else {
            throw Failure.corrupt("the stored manifest \(digest.short) is missing")
        }
        let (encoding, size, content): (Int64, Int, Data) = (try row.held(0), try row.held(1), try row.held(2))
        let bytes = try StoredBytes.unpack(Array(content), encoding: encoding, limit: StoredBytes.limit)
        guard bytes.count == size, Hashing.sha256(bytes) == digest.bytes else {
            throw Failure.corrupt("the stored manifest \(digest.short) is not what its digest says")
        }
        return bytes
    }

    /// Values that are sealed under a document and not erased, by path.
    static func sealed(_ db: Database, owner: [UInt8], _ sealer: Sealer) throws -> [String: [UInt8]] {
        let statement = try db.cachedStatement(
            sql: LedgerSQL.sealed)
        var values: [String: [UInt8]] = [:]
        for row in try Row.fetchAll(statement, arguments: [Data(owner)]) {
            let (path, wrapped, ciphertext): (String, Data, Data) = (
                try row.held(0), try row.held(1), try row.held(2)
            )
            values[path] = try sealer.open(
                wrapped: Array(wrapped), ciphertext: Array(ciphertext), owner: owner, path: path)
        }
        return values
    }

    // MARK: Applications

    static let applicationColumns = "uid, specification, created_by, changed_by, deleted_by, pin, cluster"

    static func application(_ db: Database, _ row: Row, _ keys: LedgerKeys?) throws -> RegisteredApplication {
        let specification: String = try row.held("specification")
        var secrets: [String: [UInt8]] = [:]
        if let keys {
            secrets = try sealed(db, owner: Hashing.sha256(Array(specification.utf8)), Sealer(keys))
        }
        guard let uid = ApplicationUID(try row.held("uid") as String),
            let changedBy = SequenceNumber(try row.held("changed_by") as Int64)
        else { throw Failure.corrupt("a registered application has no proper uid") }
        let created: Int64 = try row.held("created_by")
        let createdAt = try Int64.fetchOne(
            db.cachedStatement(sql: "SELECT recorded_at FROM event WHERE sequence = ?"), arguments: [created])
        let pin: String? = try row.held("pin")
        return RegisteredApplication(
            uid: uid, application: try ApplicationFormat.application(specification, secrets: secrets),
            createdAt: Timestamp(milliseconds: createdAt ?? 0), changedBy: changedBy,
            pin: try pin.map { (text) throws(Failure) in
                try EntryFields.readPin(try EntryDecoder.parse(Array(text.utf8)))
            },
            clusterUID: try row.held("cluster"))
    }
}
