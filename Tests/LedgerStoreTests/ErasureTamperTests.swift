import Foundation
import GRDB
import LedgerStore
import Shiplog
import ShiplogTesting
import Testing

/// What is gone was erased by an act that names it, or it is found: the guards of the tables let anybody empty a row.
@Suite struct ErasureTamperTests {
    private static let login = ResourceKey(group: "", kind: "Secret", namespace: "demo", name: "login")

    /// #1 the application, #2 the attempt, #3 its revision, #4 an event, #5 an erasing of #3's author.
    private func erased() async throws -> TestLedger {
        let test = try await TestLedger.make()
        let (_, revision, _) = try await test.deployed()
        #expect(revision.value == 3)
        try await test.ledger.record(Event(.serverStarted, actor: .controller, detail: ["name": "text"]))
        let by = try await test.ledger.eraseBody(
            "author", of: revision, event: Event(.bodyErased, actor: .controller, detail: ["reason": "asked for"]))
        #expect(by.value == 5)
        return test
    }

    @Test("a part that was erased by an act is sound, and so is an act whose own reason was erased") func genuine()
        async throws
    {
        let test = try await erased()
        let by = try #require(SequenceNumber(5))
        try await test.ledger.eraseBody("detail", of: by, event: Event(.bodyErased, actor: .controller))
        await test.close()
        let report = try await test.verify()
        #expect(report.isSound, "\(report.findings)")
        #expect(report.notes.contains { $0.contains("were erased") })
    }

    struct Emptied: Sendable, CustomTestStringConvertible {
        let sequence: Int64
        let name: String
        let by: Int64
        var testDescription: String { "\(name) of #\(sequence) by #\(by)" }
    }

    static let emptied = [
        Emptied(sequence: 3, name: "reason", by: 1), Emptied(sequence: 3, name: "reason", by: 2),
        Emptied(sequence: 3, name: "reason", by: 3),
        // Later, and no act of erasing.
        Emptied(sequence: 3, name: "reason", by: 4),
        // An act of erasing, and of another part or another row.
        Emptied(sequence: 3, name: "reason", by: 5), Emptied(sequence: 4, name: "detail", by: 5),
        Emptied(sequence: 5, name: "detail", by: 5), Emptied(sequence: 4, name: "detail", by: 99)
    ]

    @Test("a part emptied by hand is found, whatever event is named for it", arguments: emptied)
    func emptiedByHand(_ part: Emptied) async throws {
        let test = try await erased()
        await test.close()
        try tamper(
            test,
            """
            UPDATE body SET salt = NULL, content = NULL, erased_by = \(part.by)
            WHERE sequence = \(part.sequence) AND name = '\(part.name)'
            """)
        let report = try await test.verify()
        #expect(report.first?.sequence?.value == part.sequence, "\(report.findings)")
        #expect(report.first?.message.contains("no act erased it") == true, "\(report.findings)")
    }

    @Test("only an event of its own kind erases a part") func kind() async throws {
        let test = try await TestLedger.make()
        let (_, revision, _) = try await test.deployed()
        let failure = await #expect(throws: Failure.self) {
            try await test.ledger.eraseBody("author", of: revision, event: Event(.exported, actor: .controller))
        }
        #expect(failure?.code == "ledger.event-reserved")
        await test.close()
    }

    @Test("values that acts erased are sound: one key, all of them, and one that was stored anew") func values()
        async throws
    {
        let test = try await TestLedger.make()
        let (application, _, _) = try await test.deployed()
        try await test.ledger.eraseSecretValues(
            of: Self.login, name: "password", for: application.uid, actor: .controller, reason: "leaked")
        try await test.deployed()
        try await test.deployed(secret: "an0ther", commit: "b")
        try await test.ledger.eraseSecretValues(
            of: Self.login, name: nil, for: application.uid, actor: .controller, reason: nil)
        try await test.deployed(secret: "an0ther", commit: "c")
        await test.close()
        let report = try await test.verify()
        #expect(report.isSound, "\(report.findings)")
    }

    @Test(
        "a sealed value emptied by hand is found, whatever event is named for it",
        arguments: [
            // An attempt, a revision, and nothing at all.
            "erased_by = 2", "erased_by = 3", "erased_by = 99",
            // The act that erased what the application had of the Secret before.
            "erased_by = (SELECT max(sequence) FROM event WHERE kind = 'secrets.erased')"
        ])
    func valueEmptiedByHand(_ by: String) async throws {
        let test = try await TestLedger.make()
        let (application, _, _) = try await test.deployed()
        try await test.ledger.eraseSecretValues(
            of: Self.login, name: nil, for: application.uid, actor: .controller, reason: nil)
        try await test.deployed(secret: "an0ther", commit: "b")
        await test.close()
        let sound = try await test.verify()
        #expect(sound.isSound, "\(sound.findings)")
        try tamper(test, "UPDATE sealed SET wrapped = NULL, ciphertext = NULL, \(by) WHERE erased_by IS NULL")
        let report = try await test.verify()
        #expect(report.findings.contains { $0.message.contains("is no act that erased it") }, "\(report.findings)")
    }

    @Test("an act erased the Secret of one application, and not another one's") func another() async throws {
        let test = try await TestLedger.make()
        let (application, _, _) = try await test.deployed("one", secret: "first")
        try await test.deployed("two", secret: "second")
        let by = try await test.ledger.eraseSecretValues(
            of: Self.login, name: nil, for: application.uid, actor: .controller, reason: nil)
        await test.close()
        try tamper(
            test,
            "UPDATE sealed SET wrapped = NULL, ciphertext = NULL, erased_by = \(by.value) WHERE erased_by IS NULL")
        let report = try await test.verify()
        #expect(report.first?.sequence == by, "it says how many it took: \(report.findings)")
        #expect(report.findings.contains { $0.message.contains("is no act that erased it") }, "\(report.findings)")
    }
}
