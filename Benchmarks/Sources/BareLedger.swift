import Foundation
import GRDBSQLite
import LedgerStore
import Shiplog
import TransparencyLog

/// The very statements of an append on the very schema, triggers and indexes included, on a closed ledger's file.
final class BareLedger {
    private let db: OpaquePointer
    private let leaf, revision, subtree: OpaquePointer?

    init(_ directory: DataDirectory) throws {
        var db: OpaquePointer?
        guard sqlite3_open(directory.ledger, &db) == SQLITE_OK, let db else { throw CocoaError(.fileNoSuchFile) }
        self.db = db
        leaf = try Self.prepare(db, "INSERT INTO leaf VALUES (?, ?)")
        revision = try Self.prepare(db, "INSERT INTO revision (sequence, entry) VALUES (?, ?)")
        subtree = try Self.prepare(db, "INSERT INTO subtree VALUES (?, ?, ?)")
        for sql in ["PRAGMA synchronous = FULL", "PRAGMA recursive_triggers = ON", "PRAGMA foreign_keys = ON"] {
            run(sql)
        }
    }

    func close() {
        for statement in [leaf, revision, subtree] { sqlite3_finalize(statement) }
        sqlite3_close(db)
    }

    func run(_ sql: String) { sqlite3_exec(db, sql, nil, nil, nil) }

    /// One revision with its leaf and, unless `tree` is nil, the stored subtrees that it completes.
    func append(_ entry: [UInt8], _ hash: MerkleHash, at sequence: Int64, to tree: inout MerkleRange?) throws {
        try step(leaf) {
            sqlite3_bind_int64($0, 1, sequence)
            Self.bind($0, 2, hash.bytes, isText: false)
        }
        try tree?.append(hash) { level, position, hash in
            try step(subtree) {
                sqlite3_bind_int64($0, 1, Int64(level))
                sqlite3_bind_int64($0, 2, position)
                Self.bind($0, 3, hash.bytes, isText: false)
            }
        }
        try step(revision) {
            sqlite3_bind_int64($0, 1, sequence)
            Self.bind($0, 2, entry, isText: true)
        }
    }

    private static func prepare(_ db: OpaquePointer, _ sql: String) throws -> OpaquePointer? {
        var statement: OpaquePointer?
        guard sqlite3_prepare_v2(db, sql, -1, &statement, nil) == SQLITE_OK else {
            throw Failure("bench.sqlite", String(cString: sqlite3_errmsg(db)))
        }
        return statement
    }

    private static func bind(_ statement: OpaquePointer?, _ index: Int32, _ bytes: [UInt8], isText: Bool) {
        let copies = unsafeBitCast(-1, to: sqlite3_destructor_type.self)
        if isText {
            bytes.withUnsafeBytes {
                _ = sqlite3_bind_text(
                    statement, index, $0.bindMemory(to: CChar.self).baseAddress, Int32(bytes.count), copies)
            }
        } else {
            sqlite3_bind_blob(statement, index, bytes, Int32(bytes.count), copies)
        }
    }

    private func step(_ statement: OpaquePointer?, _ bind: (OpaquePointer?) -> Void) throws {
        bind(statement)
        guard sqlite3_step(statement) == SQLITE_DONE else {
            throw Failure("bench.sqlite", String(cString: sqlite3_errmsg(db)))
        }
        sqlite3_reset(statement)
    }
}
