import Foundation
import GRDB
import Shiplog

/// What holds the rows: SQLite's pages, and the tables that are not walked row by row.
extension Verifier {
    /// - Parameter comparesIndexes: SQLite compares every index with its table, and evaluates every generated column:
    ///   more work than all other checks together. Without it each page is accounted for, and of the tables of the log,
    ///   whose rows are read and hashed anyhow, nothing else is asked.
    func structure(_ db: Database, comparesIndexes: Bool) throws {
        progress(VerificationProgress(phase: .structure, done: 0, total: 1))
        if comparesIndexes {
            try report(db, "PRAGMA integrity_check(20)")
        } else {
            findings.note("indexes were not compared with their tables")
            try pages(db)
            for table in try String.fetchAll(db, sql: "SELECT name FROM sqlite_schema WHERE type = 'table'")
            where !Self.walked.contains(table) {
                try report(db, "PRAGMA quick_check(\(table.quotedDatabaseIdentifier))")
            }
        }
        try namedKeys(db)
        if let row = try Row.fetchOne(db, sql: "PRAGMA foreign_key_check") {
            findings.add(nil, "a row of the table \((try? row.held(0)) ?? "?") refers to one that is not there")
        }
        let unlogged = """
            SELECT fold.first, fold.event FROM fold LEFT JOIN event ON event.sequence = fold.event
            WHERE event.kind IS NOT 'ledger.folded' ORDER BY fold.first
            """
        for row in try Row.fetchAll(db, sql: unlogged) {
            let (first, event): (Int64, Int64) = (try row.held(0), try row.held(1))
            findings.add(first, "a fold covers it by #\(event), which is no act of retention")
        }
        progress(VerificationProgress(phase: .structure, done: 1, total: 1))
    }

    /// Tables whose every row `log` reads.
    private static let walked: Set = ["leaf", "revision", "event", "body"]

    private func report(_ db: Database, _ check: String) throws {
        let cursor = try String.fetchCursor(db, sql: check)
        while let line = try cursor.next(), line != "ok" { findings.add(nil, "SQLite finds damage: \(line)") }
    }

    /// Every page belongs to exactly one tree or is free (https://www.sqlite.org/dbstat.html walks them all).
    private func pages(_ db: Database) throws {
        let count = try Int64.fetchOne(db, sql: "PRAGMA page_count") ?? 0
        let free = try Int64.fetchOne(db, sql: "PRAGMA freelist_count") ?? 0
        let size = try Int64.fetchOne(db, sql: "PRAGMA page_size") ?? 4096
        guard count > 0, size > 0, free >= 0 else { return findings.add(nil, "the file says nothing about its pages") }
        // The page with the lock bytes, at 1 GiB, is never used (https://www.sqlite.org/fileformat2.html §1.4).
        let unused: Int64 = count > 0x4000_0000 / size ? 1 : 0
        var seen = [UInt64](repeating: 0, count: Int(count / 64) + 1)
        var used: Int64 = 0
        let cursor = try Row.fetchCursor(db, sql: "SELECT pageno FROM dbstat")
        while let row = try cursor.next() {
            let page = try row.heldInteger(0)
            guard page > 0, page <= count else { return findings.add(nil, "a tree of the file leads out of it") }
            let (word, bit) = (Int(page / 64), UInt64(1) << UInt64(page % 64))
            guard seen[word] & bit == 0 else {
                return findings.add(nil, "page \(page) of the file stands in two places")
            }
            seen[word] |= bit
            used += 1
            if used & 0xFFFF == 0 { try Task.checkCancellation() }
        }
        if used + free + unused != count {
            findings.add(nil, "of the \(count) pages of the file \(count - used - free - unused) belong to nothing")
        }
    }

    /// The keys at hand are those that the ledger was made with.
    private func namedKeys(_ db: Database) throws {
        guard let keys else { return }
        for (check, purpose) in [(keys.masterCheck, "master"), (keys.redactionCheck, "redaction")] {
            let known = try Int.fetchOne(
                db, sql: "SELECT 1 FROM key_check WHERE id = ? AND purpose = ?", arguments: [Data(check), purpose])
            if known == nil {
                findings.add(nil, "the ledger names another \(purpose) key than the one in keys/")
            }
        }
    }
}
