import Foundation
import GRDB
import LedgerStore
import Shiplog
import ShiplogTesting
import Testing

/// What somebody with `sqlite3` can do to the file is refused, or found.
@Suite struct TamperTests {
    @Test(
        "plain sqlite3 cannot change, drop or replace what is recorded",
        arguments: [
            "UPDATE revision SET kind = 'sync' WHERE sequence = 3",
            "UPDATE revision SET entry = '{}' WHERE sequence = 3",
            "DELETE FROM revision WHERE sequence = 3", "DELETE FROM event WHERE sequence = 2",
            "UPDATE event SET entry = replace(entry, 'ada', 'eve') WHERE sequence = 2",
            "INSERT OR REPLACE INTO revision (sequence, entry) SELECT sequence, replace(entry, 'ada', 'eve') FROM revision",
            "INSERT OR REPLACE INTO event (sequence, entry) SELECT sequence, entry FROM event WHERE sequence = 1",
            "INSERT OR REPLACE INTO leaf (sequence, hash) SELECT sequence, zeroblob(32) FROM leaf WHERE sequence = 3",
            "INSERT INTO leaf (sequence, hash) VALUES (9, zeroblob(32))", "DELETE FROM leaf WHERE sequence = 3",
            "DELETE FROM body", "UPDATE body SET content = x'00'", "DELETE FROM attempt",
            "UPDATE attempt SET closed_by = NULL",
            "UPDATE blob SET content = x'00'", "DELETE FROM blob", "DELETE FROM sealed",
            "UPDATE sealed SET ciphertext = x'00'", "DELETE FROM application", "UPDATE application SET name = 'other'",
            "INSERT OR REPLACE INTO body (sequence, name, salt, encoding, content) SELECT sequence, name, salt, encoding, x'00' FROM body",
            "INSERT OR REPLACE INTO blob (digest, kind, encoding, size, content) SELECT digest, kind, 0, 1, x'00' FROM blob",
            "INSERT OR REPLACE INTO attempt (sequence, application, desired) SELECT sequence, application, desired FROM attempt",
            "UPDATE ledger SET mode = 'clusters'", "INSERT OR REPLACE INTO ledger VALUES (1, 'x', 'clusters', 1)",
            "INSERT INTO fold (event, first, last, entries) VALUES (1, 1, 3, 1)"
        ])
    func refused(_ sql: String) async throws {
        let test = try await TestLedger.make()
        try await test.deployed()
        #expect(throws: DatabaseError.self) { try tamper(test, sql) }
        let report = try await test.verify()
        #expect(report.isSound, "\(report)")
    }

    struct Case: Sendable, CustomTestStringConvertible {
        let name: String
        let triggersOf: String
        let sql: String
        let sequence: Int64?
        var testDescription: String { name }
    }

    static let cases = [
        Case(
            name: "an entry edited", triggersOf: "revision",
            sql: "UPDATE revision SET entry = replace(entry, '\"ada\"', '\"eve\"') WHERE sequence = 3", sequence: 3),
        Case(
            name: "an entry edited and made longer", triggersOf: "event",
            sql: "UPDATE event SET entry = replace(entry, '\"format\":1', '\"format\": 1') WHERE sequence = 2",
            sequence: 2),
        Case(
            name: "a revision dropped", triggersOf: "revision", sql: "DELETE FROM revision WHERE sequence = 3",
            sequence: 3),
        Case(
            name: "an event and its leaf dropped", triggersOf: "event",
            sql:
                "DROP TRIGGER leaf_no_delete; DELETE FROM event WHERE sequence = 1; DELETE FROM leaf WHERE sequence = 1",
            sequence: 1),
        Case(
            name: "a row replaced", triggersOf: "revision",
            sql: """
                INSERT OR REPLACE INTO revision (sequence, entry)
                SELECT sequence, replace(entry, '"ada"', '"eve"') FROM revision WHERE sequence = 3
                """, sequence: 3),
        Case(
            name: "a leaf's hash changed", triggersOf: "leaf",
            sql: "UPDATE leaf SET hash = zeroblob(32) WHERE sequence = 2",
            sequence: 2),
        Case(
            name: "a body changed", triggersOf: "body",
            sql: "UPDATE body SET encoding = 0, content = CAST('\"other\"' AS BLOB) WHERE name = 'reason'", sequence: 3),
        Case(name: "a body dropped", triggersOf: "body", sql: "DELETE FROM body WHERE name = 'author'", sequence: 3),
        Case(
            name: "a blob changed", triggersOf: "blob", sql: "UPDATE blob SET encoding = 0, content = x'7b7d'",
            sequence: nil),
        Case(
            name: "a manifest dropped", triggersOf: "blob", sql: "DELETE FROM blob WHERE kind = 'resource'",
            sequence: nil),
        Case(
            name: "a sealed value changed", triggersOf: "sealed",
            sql:
                "UPDATE sealed SET ciphertext = CAST(substr(ciphertext, 1, 20) || zeroblob(length(ciphertext) - 20) AS BLOB)",
            sequence: nil),
        Case(name: "a sealed value dropped", triggersOf: "sealed", sql: "DELETE FROM sealed", sequence: nil),
        Case(
            name: "an attempt reopened", triggersOf: "attempt", sql: "UPDATE attempt SET closed_by = NULL", sequence: 2),
        Case(name: "an attempt dropped", triggersOf: "attempt", sql: "DELETE FROM attempt", sequence: 2),
        Case(
            name: "an application's specification changed", triggersOf: "application",
            sql: "UPDATE application SET specification = replace(specification, 'manifests', 'other')", sequence: 1),
        Case(
            name: "a pin set by hand", triggersOf: "application",
            sql: "UPDATE application SET pin = '{}', pinned_by = 1",
            sequence: nil),
        Case(
            name: "another cluster accepted by hand", triggersOf: "application",
            sql: "UPDATE application SET cluster = 'other'", sequence: nil),
        Case(
            name: "a resource taken out of the inventory", triggersOf: "inventory",
            sql: "DELETE FROM inventory WHERE kind = 'ConfigMap'", sequence: nil),
        Case(
            name: "a token made by hand", triggersOf: "token",
            sql: "INSERT INTO token (id, hash, created_by) VALUES ('intruder', zeroblob(32), 1)", sequence: 1)
    ]

    @Test("with the triggers dropped and made again, verifying names the first bad row", arguments: cases)
    func found(_ tampering: Case) async throws {
        let test = try await TestLedger.make()
        try await test.deployed()
        await test.close()
        let triggers = try DatabaseQueue(path: test.directory.ledger).inDatabase { db in
            try String.fetchAll(db, sql: "SELECT sql FROM sqlite_schema WHERE type = 'trigger' ORDER BY name")
        }
        try dropTriggers(test, of: tampering.triggersOf)
        try tamper(test, tampering.sql)
        // Put back what was dropped, so that the schema alone does not give it away.
        let left = try DatabaseQueue(path: test.directory.ledger).inDatabase { db in
            try String.fetchAll(db, sql: "SELECT sql FROM sqlite_schema WHERE type = 'trigger'")
        }
        for trigger in Set(triggers).subtracting(left) { try tamper(test, trigger) }
        let report = try await test.verify()
        #expect(!report.isSound)
        #expect(report.first?.sequence?.value == tampering.sequence, "\(report.findings)")
    }

    @Test("a dropped trigger is found") func trigger() async throws {
        let test = try await TestLedger.make()
        try tamper(test, "DROP TRIGGER revision_no_update")
        let report = try await test.verify()
        #expect(report.first?.message.contains("revision_no_update") == true, "\(report)")
    }

    @Test("a row cut off at the end leaves a leaf or an attempt that tells") func truncated() async throws {
        let test = try await TestLedger.make()
        try await test.deployed()
        await test.close()
        try dropTriggers(test, of: "revision")
        try dropTriggers(test, of: "leaf")
        try tamper(test, "DELETE FROM revision WHERE sequence = 3; DELETE FROM leaf WHERE sequence = 3")
        let report = try await test.verify()
        #expect(!report.isSound)
    }

    @Test("a sound ledger is sound, with every kind of row in it") func sound() async throws {
        let test = try await TestLedger.make()
        let (application, revision, desired) = try await test.deployed()
        let ledger = test.ledger
        for _ in 0..<20 {
            test.clock.advance(byMilliseconds: 1000)
            try await ledger.record(Samples.reconcile(application.reference, at: test.clock.now, sameAs: revision))
        }
        try await ledger.record(
            Event(
                .healthReached, application: application.reference, actor: .controller, revision: revision,
                outcome: "Healthy", facts: ["health": "Healthy"]))
        let pin = Pin(
            hold: .untilUnpinned, target: revision, desired: desired, commit: nil, leftInputs: nil, rejected: [])
        try await ledger.setPin(.set(pin), of: application.uid, event: Event(.pinned, actor: .controller))
        try await ledger.acceptCluster("another", for: application.uid, actor: .controller)
        try await ledger.setInventoryGone(
            [try Samples.configMap("greeting", [:]).key], of: application.uid,
            event: Event(.healthReached, actor: .controller))
        let (token, _) = try await ledger.createToken(Token.Draft(name: "ci", role: .deployer), actor: .controller)
        try await ledger.revokeToken(token.id, actor: .controller)
        try await ledger.setPin(.release, of: application.uid, event: Event(.unpinned, actor: .controller))
        try await ledger.record(refusal: Refusal(code: "request.unauthenticated", address: "192.0.2.9"))
        try await ledger.deleteApplication(application.uid, actor: .controller, reason: "done")
        try await test.deployed(secret: "another", commit: "b")
        let live = try await test.verify()
        #expect(live.isSound, "\(live.findings)")
        await test.close()
        let report = try await test.verify()
        #expect(report.isSound, "\(report.findings)")
        #expect(report.rows > 30)
        #expect(report.notes.isEmpty)
    }
}
