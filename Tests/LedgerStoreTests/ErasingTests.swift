import Foundation
import LedgerStore
import Shiplog
import ShiplogTesting
import Testing

/// What was erased is gone from the files, not only from the tables.
@Suite struct ErasingTests {
    private static func holds(_ test: TestLedger, _ text: String) throws -> [String] {
        try [test.directory.ledger, test.directory.ledger + "-wal"].filter { path in
            guard FileManager.default.fileExists(atPath: path) else { return false }
            return try Data(contentsOf: URL(fileURLWithPath: path)).firstRange(of: Data(text.utf8)) != nil
        }
    }

    private func recorded() async throws -> (TestLedger, SequenceNumber) {
        let test = try await TestLedger.make()
        let sequence = try await test.ledger.record(
            Event(.serverStarted, actor: .controller, detail: ["name": "Rosa-Erasable-Luxemburg"]))
        return (test, sequence)
    }

    @Test("an erased text stands in neither the database nor its write-ahead log") func files() async throws {
        let (test, sequence) = try await recorded()
        #expect(try !Self.holds(test, "Rosa-Erasable").isEmpty, "it was there before")
        try await test.ledger.eraseBody("detail", of: sequence, event: Event(.bodyErased, actor: .controller))
        #expect(try Self.holds(test, "Rosa-Erasable") == [])
        #expect(try await test.verify().isSound)
        await test.close()
    }

    @Test("values of a Secret that were attempted last are erased with the others") func latest() async throws {
        let test = try await TestLedger.make()
        let (application, _, first) = try await test.deployed()
        let (_, _, second) = try await test.deployed(secret: "an0ther", commit: "b")
        let key = ResourceKey(group: "", kind: "Secret", namespace: "demo", name: "login")
        try await test.ledger.eraseSecretValues(
            of: key, name: nil, for: application.uid, actor: .controller, reason: nil)
        for desired in [first, second] {
            await #expect(throws: Failure.self) { _ = try await test.ledger.manifestsForCluster(desired) }
        }
        await test.close()
    }
}
