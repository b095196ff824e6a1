import Foundation
import GRDB
import Migrations
import Shiplog

/// How the ledger's file is opened, and how what SQLite answers becomes a `Failure`.
enum Connections {
    /// `Shlg`: what `file` and SQLite's own tools show.
    static let applicationID: Int32 = 0x5368_6C67

    static func writer(_ path: String, checkpointPages: Int?) throws -> DatabaseQueue {
        var configuration = common()
        // The writer rolls back what is open by itself; GRDB would trap instead.
        configuration.allowsUnsafeTransactions = true
        configuration.label = "shiplog.ledger.writer"
        configuration.prepareDatabase { db in
            try db.execute(sql: "PRAGMA journal_mode = WAL")
            // Each commit is an fsync: what is acknowledged survives power loss.
            try db.execute(sql: "PRAGMA synchronous = FULL")
            // What is erased is overwritten, whatever SQLite was built with.
            try db.execute(sql: "PRAGMA secure_delete = ON")
            // Without it REPLACE would fire no DELETE trigger.
            try db.execute(sql: "PRAGMA recursive_triggers = ON")
            try db.execute(sql: "PRAGMA journal_size_limit = 67108864")
            // SQLite 3.7.0–3.51.2 can corrupt a file when a checkpoint races a WAL reset: only this connection
            // checkpoints. https://sqlite.org/wal.html#walresetbug
            try db.execute(sql: "PRAGMA wal_autocheckpoint = \(checkpointPages ?? 0)")
        }
        return try DatabaseQueue(path: path, configuration: configuration)
    }

    static func readers(_ path: String, count: Int) throws -> DatabasePool {
        var configuration = common()
        configuration.readonly = true
        configuration.maximumReaderCount = count
        configuration.label = "shiplog.ledger.reader"
        configuration.prepareDatabase { db in
            try db.execute(sql: "PRAGMA wal_autocheckpoint = 0")
            // In KiB. SQLite's own 2 MiB do not hold the inner pages of the indexes of some million rows: each look-up
            // would read them again. Nothing is taken before it is needed.
            try db.execute(sql: "PRAGMA cache_size = -8192")
        }
        return try DatabasePool(path: ReadOnlyDisk.name(of: path), configuration: configuration)
    }

    /// Writes the WAL back into the file when it is opened. After an fsync that failed, the system takes pages for clean
    /// that never reached the disk (https://lwn.net/Articles/752063/): what is appended behind them could be lost with
    /// them, unless they are written once more.
    static func writeBack(_ db: Database) throws {
        do {
            _ = try db.checkpoint(.passive)
        } catch DatabaseError.SQLITE_BUSY {
            // Another program is doing just that.
        }
    }

    private static func common() -> Configuration {
        var configuration = Configuration()
        configuration.foreignKeysEnabled = true
        configuration.busyMode = .timeout(10)
        configuration.prepareDatabase { db in
            // Not trusted_schema = OFF: SQLite 3.40 does not mark `->>` as innocuous and refuses it in a schema then.
            try db.execute(sql: "PRAGMA cell_size_check = ON")
            try db.execute(sql: "PRAGMA temp_store = MEMORY")
        }
        return configuration
    }

    /// For reads: what SQLite says never holds a value from a row.
    static func failure(_ error: any Error, _ act: String) -> Failure {
        if let failure = error as? Failure { return failure }
        if error is CancellationError {
            return Failure(.ledgerReadFailed, "\(act) was cancelled", next: .superseded)
        }
        guard let error = error as? DatabaseError else {
            return Failure(.ledgerReadFailed, "\(act) failed", next: .retry(afterMilliseconds: nil))
        }
        let words = describe(error)
        switch error.resultCode {
        case .SQLITE_BUSY, .SQLITE_LOCKED:
            return Failure(
                .ledgerBusy, "\(act) failed: another process holds the ledger (\(words))",
                remedy: "end the other program that has it open", next: .retry(afterMilliseconds: nil))
        case .SQLITE_CORRUPT, .SQLITE_NOTADB:
            return Failure(
                .ledgerCorrupt, "\(act) failed: the ledger's file is damaged (\(words))",
                remedy: "keep a copy of the data directory, then restore it from a backup")
        case .SQLITE_INTERRUPT, .SQLITE_ABORT:
            return Failure(.ledgerReadFailed, "\(act) was cancelled", next: .superseded)
        case .SQLITE_CANTOPEN:
            return Failure(
                .ledgerReadFailed, "\(act) failed: the ledger's file cannot be opened (\(words))",
                remedy:
                    "check who may read it; on a disk that cannot be written, copy the data directory to one that can",
                next: .retry(afterMilliseconds: nil))
        default:
            return Failure(
                .ledgerReadFailed, "\(act) failed (\(words))", next: .retry(afterMilliseconds: nil))
        }
    }

    static func describe(_ error: DatabaseError) -> String {
        "SQLite \(error.extendedResultCode.rawValue): \(error.message ?? "no message")"
    }
}

/// The schema's version, and the way from an older one.
enum Schema {
    static var newest: Int { Migrations.all.last?.version ?? 0 }

    /// Applies what is missing, each step in a transaction with its version.
    /// - Throws: `ledger.newer-schema`, `ledger.corrupt` when the file is another program's.
    static func migrate(_ db: Database) throws {
        let version = try check(db)
        for migration in Migrations.all where migration.version > version {
            try db.inTransaction(.immediate) {
                try db.execute(sql: migration.sql)
                try db.execute(sql: "PRAGMA application_id = \(Connections.applicationID)")
                try db.execute(sql: "PRAGMA user_version = \(migration.version)")
                return .commit
            }
        }
    }

    /// The version of a file that a ledger may have written; 0 for an empty one.
    @discardableResult
    static func check(_ db: Database) throws -> Int {
        let version = try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0
        let id = try Int32.fetchOne(db, sql: "PRAGMA application_id") ?? 0
        let tables = try Int.fetchOne(db, sql: "SELECT count(*) FROM sqlite_schema") ?? 0
        guard id == Connections.applicationID || (id == 0 && version == 0 && tables == 0) else {
            throw Failure(
                .ledgerCorrupt, "ledger.sqlite is no ledger of shiplog",
                remedy: "name another data directory with --data")
        }
        guard version <= newest else {
            throw Failure(
                .ledgerNewerSchema, "the ledger has schema \(version), and this version knows schema \(newest)",
                remedy: "use the version of shiplog that wrote it, or a newer one")
        }
        return version
    }

    /// Refuses to append where triggers and constraints that guard the log are missing or changed. What was added besides,
    /// as a replicator does for itself, guards nothing and is `verify`'s to tell.
    /// - Throws: `ledger.unguarded`.
    static func checkGuards(_ db: Database) throws {
        let (found, expected) = (Set(try dump(db)), Set(try expected()))
        guard let first = expected.subtracting(found).sorted().first else { return }
        throw Failure(
            .ledgerUnguarded,
            "the ledger's schema was changed by another program, in: "
                + String(first.prefix { $0 != "\n" }.prefix(100)),
            remedy: "keep a copy of the file, run `shiplog ledger verify`, and restore it from a replica or a backup")
    }

    /// The schema as statements, sorted: what `schema/ledger.sql` holds and `verify` compares. Without the two tables that
    /// Litestream keeps its own place in; a trigger on them would be listed.
    static func dump(_ db: Database) throws -> [String] {
        try String.fetchAll(
            db,
            sql: """
                SELECT sql FROM sqlite_schema
                WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'
                    AND NOT (type = 'table' AND name IN ('_litestream_seq', '_litestream_lock'))
                ORDER BY CASE type WHEN 'table' THEN 0 WHEN 'index' THEN 1 ELSE 2 END, tbl_name, name
                """)
    }

    /// What `dump` gives for a ledger that this version has just made.
    static func expected() throws -> [String] {
        try DatabaseQueue().inDatabase { db in
            try migrate(db)
            return try dump(db)
        }
    }
}
