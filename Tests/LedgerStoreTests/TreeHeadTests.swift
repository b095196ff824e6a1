import Crypto
import Foundation
import GRDB
import LedgerStore
import Shiplog
import ShiplogTesting
import Testing
import TransparencyLog

/// A tree head that somebody keeps finds what verifying the file by itself cannot.
@Suite struct TreeHeadTests {
    private func report(_ test: TestLedger, extending head: TreeHead? = nil) async throws -> VerificationReport {
        try await Ledger.verify(test.directory, kept: head.map { [KeptHead($0)] } ?? [])
    }

    /// The tree as somebody else would compute it from the entries alone.
    private func head(ofEntriesIn ledger: Ledger) async throws -> TreeHead? {
        var range = MerkleRange()
        for value in 1...(try await ledger.head()?.value ?? 0) {
            let sequence = try #require(SequenceNumber(value))
            range.append(.leaf(try #require(try await ledger.entry(sequence))))
        }
        return range.head
    }

    @Test func verifyingSaysTheTreeHeadThatTheEntriesHave() async throws {
        let test = try await TestLedger.make()
        for count in 1...5 {
            try await test.deployed("app-\(count)")
            #expect(try await report(test).treeHead == (try await head(ofEntriesIn: test.ledger)))
        }
    }

    @Test func aLedgerThatGrewExtendsEveryHeadItHad() async throws {
        let test = try await TestLedger.make()
        try await test.deployed()
        var heads = [try TreeHead("0:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=")]
        for count in 1...4 {
            heads.append(try #require(try await report(test).treeHead))
            try await test.deployed("more-\(count)")
        }
        // Heads in either half of the log, and at its end.
        heads.append(try #require(try await report(test).treeHead))
        for head in heads {
            let report = try await report(test, extending: head)
            #expect(report.isSound, "\(head): \(report)")
        }
    }

    @Test func anEntryRewrittenWithItsHashIsFoundByAHeadFromBefore() async throws {
        let test = try await TestLedger.make()
        try await test.deployed()
        try await test.deployed("later")
        let kept = try #require(try await report(test).treeHead)
        for sequence in [3, 6] as [Int64] {
            try await rewrite(test, sequence)
            #expect(try await report(test).isSound, "who recomputes every hash fools the file alone")
            let report = try await report(test, extending: kept)
            #expect(!report.isSound)
            #expect(report.first?.message.contains("not those of the tree head") == true, "\(report)")
        }
    }

    @Test func rowsCutOffTheEndAreFoundByAHeadFromBefore() async throws {
        let test = try await TestLedger.make()
        try await test.deployed()
        try await test.ledger.record(Event(.serverStopped, actor: .controller))
        let kept = try #require(try await report(test).treeHead)
        await test.close()
        for table in ["event", "leaf"] { try dropTriggers(test, of: table) }
        try tamper(test, "DELETE FROM event WHERE sequence = \(kept.size)")
        try tamper(test, "DELETE FROM leaf WHERE sequence = \(kept.size)")
        let report = try await report(test, extending: kept)
        let cut = report.findings.first { $0.message.contains("tree head that was given has \(kept.size)") }
        #expect(cut?.sequence?.value == kept.size, "\(report)")
    }

    @Test func aLedgerWithAMissingLeafHasNoTreeHead() async throws {
        let test = try await TestLedger.make()
        try await test.deployed()
        try dropTriggers(test, of: "leaf")
        try tamper(test, "DELETE FROM leaf WHERE sequence = 2")
        #expect(try await report(test).treeHead == nil)
    }

    /// Changes an entry's text and its hash and puts the triggers back, as whoever owns the file can.
    private func rewrite(_ test: TestLedger, _ sequence: Int64) async throws {
        let queue = try DatabaseQueue(path: test.directory.ledger)
        try await queue.write { db in
            let triggers = try Row.fetchAll(
                db,
                sql: "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' AND tbl_name IN ('revision', 'leaf')")
            for trigger in triggers { try db.execute(sql: "DROP TRIGGER \(trigger[0] as String)") }
            let entry = try #require(
                try String.fetchOne(db, sql: "SELECT entry FROM revision WHERE sequence = ?", arguments: [sequence]))
            let changed = entry.replacingOccurrences(of: "\"ada\"", with: "\"eve\"")
            #expect(changed != entry)
            let hash = Data(SHA256.hash(data: [0] + Array(changed.utf8)))
            try db.execute(sql: "UPDATE revision SET entry = ? WHERE sequence = ?", arguments: [changed, sequence])
            try db.execute(sql: "UPDATE leaf SET hash = ? WHERE sequence = ?", arguments: [hash, sequence])
            for trigger in triggers { try db.execute(sql: trigger[1] as String) }
        }
        try queue.close()
    }
}
