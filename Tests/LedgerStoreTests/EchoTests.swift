import LedgerStore
import Shiplog
import ShiplogTesting
import Testing

/// A sync says some things when it begins and again when it ends.
@Suite struct EchoTests {
    private func erase(_ part: String, _ sequence: SequenceNumber, _ test: TestLedger) async throws {
        try await test.ledger.eraseBody(part, of: sequence, event: Event(.bodyErased, actor: .controller))
    }

    @Test("whoever erases a part hears where the same attempt repeats it") func attempts() async throws {
        let test = try await TestLedger.make()
        let deployed = try await test.deployed()
        let revision = deployed.revision
        guard case .revision(let stored)? = try await test.ledger.record(at: revision) else {
            Issue.record("there is no revision")
            return
        }
        let attempt = try #require(stored.value.attempt)
        let ledger = test.ledger
        for part in ["author", "reason"] {
            #expect(try await ledger.echoes(of: part, of: revision) == [Echo(attempt, "detail")])
        }
        #expect(try await ledger.echoes(of: "address", of: revision) == [Echo(attempt, "address")])
        #expect(try await ledger.echoes(of: "address", of: attempt) == [Echo(revision, "address")])
        #expect(try await ledger.echoes(of: "resources", of: revision) == [])
        #expect(
            try await ledger.echoes(of: "detail", of: attempt) == [Echo(revision, "author"), Echo(revision, "reason")])
        // What was erased is not told of again.
        try await erase("reason", revision, test)
        #expect(try await ledger.echoes(of: "reason", of: revision) == [Echo(attempt, "detail")])
        #expect(try await ledger.echoes(of: "detail", of: attempt) == [Echo(revision, "author")])
        try await erase("detail", attempt, test)
        for part in ["author", "reason"] { #expect(try await ledger.echoes(of: part, of: revision) == []) }
        await test.close()
    }

    @Test("an event that belongs to no attempt has none") func others() async throws {
        let test = try await TestLedger.make()
        let sequence = try await test.ledger.record(
            Event(.serverStarted, actor: .controller, detail: ["name": "Rosa"]))
        #expect(try await test.ledger.echoes(of: "detail", of: sequence) == [])
        await test.close()
    }
}
