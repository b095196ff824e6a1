import Foundation
import GRDB
import LedgerStore
import Shiplog
import ShiplogTesting
import Testing

/// What readers do with a row that the schema forbids: a file that was damaged holds what it likes.
@Suite struct DamagedRowTests {
    /// Takes a column's guards out of the schema, and leaves NULL in all of its rows.
    private func empty(_ column: String, of table: String, _ test: TestLedger) async throws {
        await test.close()
        try dropTriggers(test, of: table)
        var configuration = Configuration()
        configuration.foreignKeysEnabled = false
        let queue = try DatabaseQueue(path: test.directory.ledger, configuration: configuration)
        try await queue.writeWithoutTransaction { db in
            let sql = try #require(
                try String.fetchOne(
                    db, sql: "SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = ?", arguments: [table]))
            let lax = sql.replacing("IS NOT NULL", with: "IS @").replacing(" NOT NULL", with: "")
                .replacing("IS @", with: "IS NOT NULL")
            try db.execute(sql: "PRAGMA writable_schema = ON")
            try db.execute(
                sql: "UPDATE sqlite_schema SET sql = ? WHERE type = 'table' AND name = ?", arguments: [lax, table])
            try db.execute(sql: "PRAGMA schema_version = 4711")
            try db.execute(sql: "PRAGMA writable_schema = RESET")
            try db.execute(sql: "PRAGMA ignore_check_constraints = ON")
            try db.execute(sql: "UPDATE \(table) SET \(column) = NULL")
            try db.execute(sql: "PRAGMA writable_schema = ON")
            try db.execute(
                sql: "UPDATE sqlite_schema SET sql = ? WHERE type = 'table' AND name = ?", arguments: [sql, table])
            try db.execute(sql: "PRAGMA schema_version = 4712")
            try db.execute(sql: "PRAGMA writable_schema = RESET")
        }
        try queue.close()
    }

    private struct Case: Sendable, CustomTestStringConvertible {
        let table: String
        let column: String
        let read: @Sendable (Ledger, ApplicationReference) async throws(Failure) -> Void

        init(
            _ table: String, _ column: String,
            _ read: @escaping @Sendable (Ledger, ApplicationReference) async throws(Failure) -> Void
        ) {
            self.table = table
            self.column = column
            self.read = read
        }

        var testDescription: String { "\(table).\(column)" }
    }

    private static let cases = [
        Case("application", "project") { ledger, _ throws(Failure) in _ = try await ledger.states(at: .head) },
        Case("application", "changed_by") { ledger, _ throws(Failure) in _ = try await ledger.states(at: .head) },
        Case("body", "salt") { ledger, _ throws(Failure) in _ = try await ledger.bodies(1...100, after: nil) },
        Case("body", "content") { ledger, _ throws(Failure) in _ = try await ledger.bodies(1...100, after: nil) },
        Case("body", "encoding") { ledger, _ throws(Failure) in _ = try await ledger.bodies(1...100, after: nil) },
        Case("inventory", "api_version") { ledger, application throws(Failure) in
            _ = try await ledger.inventory(of: application.uid)
        },
        Case("fold", "last") { ledger, _ throws(Failure) in _ = try await ledger.entries(1...512) }
    ]

    @Test("a row that holds NULL where the schema forbids it is refused by name, and ends no process", arguments: cases)
    private func refused(flaw: Case) async throws {
        let test: TestLedger
        if flaw.table == "fold" {
            test = try await RetentionTests.looked(4200)
            _ = try await test.ledger.fold(before: test.clock.now, keepsEntries: true, actor: .controller)
        } else {
            test = try await TestLedger.make()
            try await test.deployed()
        }
        let application = try #require(try await test.ledger.application(named: "guestbook"))
        try await empty(flaw.column, of: flaw.table, test)
        let now = test.clock.now
        let ledger = try await Ledger.open(test.directory, mode: nil, access: .read, now: { now })
        let failure = await #expect(throws: Failure.self) { try await flaw.read(ledger, application.reference) }
        #expect(failure?.code == .ledgerCorrupt, "\(String(describing: failure))")
        await ledger.close()
        let report = try? await Ledger.verify(test.directory)
        #expect(report?.isSound != true)
    }
}
