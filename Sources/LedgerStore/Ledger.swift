import Foundation
import GRDB
public import Shiplog
import Synchronization
import TransparencyLog

/// The history: every reconcile, sync and rollback, and every other act worth auditing, in one SQLite file.
///
/// One process writes; any number read. A write returns when it is durable. `docs/ledger.md` has the tables and rules.
public final class Ledger: Sendable {
    public let directory: DataDirectory
    public let mode: Mode
    public let access: Access
    /// The ledger's own id, made with it.
    public let uid: String

    let now: @Sendable () -> Timestamp
    let readers: DatabasePool
    let hub = HeadHub()
    let refusals = RefusalCounter()
    let applicationMemory = ApplicationMemory()
    let projectMemory = ProjectMemory()
    private let openWriter: LedgerWriter?
    private let openKeys: LedgerKeys?
    /// Held for as long as this process serves.
    private let lock: DirectoryLock?

    /// Opens the ledger of a data directory, making it first when it is new and this process is to serve.
    ///
    /// - Parameters:
    ///   - mode: what the caller wants it for; nil takes what it is (`clusters` when it is new).
    ///   - now: the clock. The ledger never records a time before the last one it recorded.
    /// - Throws: `data.in-use`, `data.mode-mismatch`, `data.unsafe`, `ledger.missing`, `ledger.key-missing`,
    ///   `ledger.key-wrong`, `ledger.newer-schema`, `ledger.older-schema`, `ledger.corrupt`.
    public static func open(
        _ directory: DataDirectory, mode: Mode?, access: Access, now: @escaping @Sendable () -> Timestamp,
        options: Options = Options()
    ) async throws(Failure) -> Ledger {
        switch access {
        case .serve: try await serve(directory, mode, now, options)
        case .read: try await read(directory, mode, now, options)
        }
    }

    private static func serve(
        _ directory: DataDirectory, _ mode: Mode?, _ now: @escaping @Sendable () -> Timestamp, _ options: Options
    ) async throws(Failure) -> Ledger {
        try FileSystem.checkPrivateDirectory(directory.path)
        let lock = try directory.lock()
        let recorded = try directory.recordedMode()
        let isNew = !FileSystem.exists(directory.ledger)
        // The mode is written down once a ledger stands: history that was here and is gone is not begun anew in silence.
        if recorded != nil, FileSystem.size(of: directory.ledger) ?? 0 == 0 { throw lost(directory) }
        let wanted = mode ?? recorded ?? .clusters
        if let recorded { try check(directory, made: recorded, for: wanted) }
        let keys = try LedgerKeys.load(from: directory, create: isNew)
        do {
            // SQLite gives its own files the mode of this one.
            if isNew { try FileSystem.create(directory.ledger, []) } else { FileSystem.makePrivate(directory.ledger) }
            let connection = try Connections.writer(directory.ledger, checkpointPages: options.checkpointPages)
            let opening = try await connection.writeWithoutTransaction { db in
                if let folder = options.heldTo { try LogFork.hold(db, to: folder) }
                try Schema.migrate(db)
                try Schema.checkGuards(db)
                try Subtrees.complete(db)
                if options.checkpointPages != nil { try Connections.writeBack(db) }
                return try Opening(db, identify: (wanted, now()), keys)
            }
            // Without the file and without a wish, the ledger itself says what it is for.
            try check(directory, made: opening.mode, for: mode ?? opening.mode)
            if recorded == nil { try directory.record(opening.mode) }
            try FileSystem.syncDirectory(of: directory.ledger)
            let readers = try Connections.readers(directory.ledger, count: options.readers)
            return Ledger(
                directory, opening, .serve, now: now, readers: readers, keys: keys, lock: lock,
                writer: (connection, options))
        } catch {
            throw Connections.failure(error, "opening the ledger")
        }
    }

    private static func read(
        _ directory: DataDirectory, _ mode: Mode?, _ now: @escaping @Sendable () -> Timestamp, _ options: Options
    ) async throws(Failure) -> Ledger {
        guard FileSystem.exists(directory.ledger) else {
            throw Failure(
                .ledgerMissing, "there is no ledger in \(directory.path)",
                remedy: "name the data directory of a server with --data")
        }
        // Reading history needs no keys: an auditor's copy may have none.
        let keys = try? LedgerKeys.load(from: directory, create: false)
        do {
            let readers = try Connections.readers(directory.ledger, count: options.readers)
            let opening = try await readers.read { db in
                let version = try Schema.check(db)
                guard version > 0 else { throw Failure.corrupt("ledger.sqlite is empty") }
                guard version == Schema.newest else {
                    throw Failure(
                        .ledgerOlderSchema,
                        "the ledger has schema \(version), older than this version's \(Schema.newest)",
                        remedy: "start the server once with this version: it brings the ledger up to date")
                }
                return try Opening(db, identify: nil, keys)
            }
            if let mode { try check(directory, made: opening.mode, for: mode) }
            return Ledger(directory, opening, .read, now: now, readers: readers, keys: keys, lock: nil, writer: nil)
        } catch {
            throw Connections.failure(error, "opening the ledger")
        }
    }

    private static func lost(_ directory: DataDirectory) -> Failure {
        Failure(
            .ledgerLost, "the ledger that \(directory.path) was made for is gone: ledger.sqlite is missing or empty",
            remedy: "restore it from a replica or a backup; for a new one name another directory with --data")
    }

    private static func check(_ directory: DataDirectory, made: Mode, for wanted: Mode) throws(Failure) {
        guard made != wanted else { return }
        throw Failure(
            .dataModeMismatch,
            "the data directory \(directory.path) was made for \(made.rawValue), not for \(wanted.rawValue)",
            remedy: "give the sandbox and real clusters a data directory each (--data)")
    }

    private init(
        _ directory: DataDirectory, _ opening: Opening, _ access: Access, now: @escaping @Sendable () -> Timestamp,
        readers: DatabasePool, keys: LedgerKeys?, lock: DirectoryLock?, writer: (DatabaseQueue, Options)?
    ) {
        self.directory = directory
        self.mode = opening.mode
        self.access = access
        uid = opening.uid
        self.now = now
        self.readers = readers
        openKeys = keys
        self.lock = lock
        openWriter = writer.map { [hub] connection, options in
            LedgerWriter(
                connection, end: opening.end, options: options,
                reserve: Reserve(path: directory.reserveFile, size: options.reserveBytes), pageSize: opening.pageSize,
                now: now, announce: { hub.announce($0) })
        }
        if let head = SequenceNumber(opening.end.sequence) { hub.announce(head) }
    }

    /// Waits until everything that was accepted is durable, then lets go of the directory.
    public func close() async {
        if openWriter != nil { await flushRefusals() }
        hub.finish()
        try? readers.close()
        await openWriter?.close()
        lock?.release()
    }

    /// Why nothing can be written any more, once a write has failed for good.
    public var failure: Failure? { openWriter?.failure }

    /// What keeps something new from being written now: a failure for good, or a disk that is full.
    public var trouble: Failure? { openWriter.flatMap { $0.failure ?? ($0.isFull ? WriterSpace.failure : nil) } }

    // MARK: For the other parts

    var writer: LedgerWriter {
        get throws(Failure) {
            guard let openWriter else {
                throw Failure(.ledgerReadOnly, "the ledger was opened for reading only")
            }
            return openWriter
        }
    }

    var keys: LedgerKeys {
        get throws(Failure) {
            guard let openKeys else {
                throw Failure(
                    .ledgerKeyMissing, "the ledger's keys are not at hand",
                    remedy: "restore \(directory.keys) from a backup, readable by this user only")
            }
            return openKeys
        }
    }

    var redactor: Redactor {
        get throws(Failure) { Redactor(key: try keys.redaction) }
    }

    /// Reads one snapshot on a connection of its own.
    func read<Value: Sendable>(
        _ act: String, _ body: @escaping @Sendable (Database) throws -> Value
    ) async throws(Failure) -> Value {
        do {
            return try await readers.read(body)
        } catch {
            throw Connections.failure(error, act)
        }
    }
}

/// What is read when a ledger is opened.
private struct Opening: Sendable {
    let uid: String
    let mode: Ledger.Mode
    let end: LogEnd
    let pageSize: Int64

    /// - Parameter identify: what a new ledger is made for; nil refuses a file without identity.
    init(_ db: Database, identify: (mode: Ledger.Mode, at: Timestamp)?, _ keys: LedgerKeys?) throws {
        if let identify, try Int.fetchOne(db, sql: "SELECT 1 FROM ledger") == nil {
            guard let keys else { throw Failure.corrupt("a new ledger has no keys") }
            try db.inTransaction(.immediate) {
                try db.execute(
                    sql: "INSERT INTO ledger (only_row, uid, mode, created_at) VALUES (1, ?, ?, ?)",
                    arguments: [Names.random(20), identify.mode.rawValue, identify.at.milliseconds])
                for (check, purpose) in [(keys.masterCheck, "master"), (keys.redactionCheck, "redaction")] {
                    try db.execute(
                        sql: "INSERT INTO key_check (id, purpose, created_at) VALUES (?, ?, ?)",
                        arguments: [Data(check), purpose, identify.at.milliseconds])
                }
                return .commit
            }
        }
        guard let row = try Row.fetchOne(db, sql: "SELECT uid, mode FROM ledger"),
            let mode = Ledger.Mode(rawValue: try row.held("mode"))
        else { throw Failure.corrupt("ledger.sqlite has no identity") }
        uid = try row.held("uid")
        self.mode = mode
        if let keys {
            for (check, purpose) in [(keys.masterCheck, "master"), (keys.redactionCheck, "redaction")] {
                let known = try Int.fetchOne(
                    db, sql: "SELECT 1 FROM key_check WHERE id = ? AND purpose = ?", arguments: [Data(check), purpose])
                guard known != nil else {
                    throw Failure(
                        .ledgerKeyWrong, "the file \(purpose).key belongs to another ledger",
                        remedy: "restore the keys that were backed up with this ledger")
                }
            }
        }
        end = try Self.end(db)
        pageSize = try Int64.fetchOne(db, sql: "PRAGMA page_size") ?? 4096
    }

    private static func end(_ db: Database) throws -> LogEnd {
        let head = try Int64.fetchOne(db, sql: "SELECT max(sequence) FROM leaf") ?? 0
        // The newest rows are never folded: folding only reaches before the event that logs it.
        let recordedAt = try Int64.fetchOne(
            db,
            sql: """
                SELECT recorded_at FROM (
                    SELECT sequence, recorded_at FROM revision WHERE sequence = :head
                    UNION ALL SELECT sequence, recorded_at FROM event WHERE sequence = :head)
                """, arguments: ["head": head])
        guard head == 0 || recordedAt != nil else {
            throw Failure.corrupt("the newest row of the log, #\(head), has no entry")
        }
        return LogEnd(recordedAt: recordedAt ?? .min, tree: try Subtrees.tree(db, size: head).range())
    }
}

enum Names {
    /// Random lower-case letters and digits without those that are mistaken for each other; five bits each.
    static func random(_ count: Int) -> String {
        let alphabet = Array("0123456789abcdefghjkmnpqrstvwxyz")
        var generator = SystemRandomNumberGenerator()
        return String((0..<count).map { _ in alphabet[Int.random(in: 0..<32, using: &generator)] })
    }
}
