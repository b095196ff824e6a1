import LedgerStore
import Shiplog
import ShiplogTesting
import Testing

@Suite struct LedgerTests {
    @Test("an attempt begins, ends, and reads back as it was") func attempt() async throws {
        let test = try await TestLedger.make()
        let ledger = test.ledger
        let (registered, changed) = try await ledger.putApplication(
            Samples.application("guestbook"), actor: .controller)
        #expect(changed)
        let resources = [
            try Samples.configMap("greeting", ["text": "hello"]), try Samples.secret("login", ["password": "s3cr3t"])
        ]
        let intent = try Samples.intent(registered.reference, resources, at: test.clock.now)
        let attempt = try await ledger.begin(intent)
        #expect(attempt.sequence == SequenceNumber(2))
        let open = try await ledger.openAttempts()
        var bare = intent
        bare.resources = []
        #expect(open == [Attempt(sequence: attempt.sequence, desired: attempt.desired, intent: bare)])
        #expect(try await ledger.inventory(of: registered.uid).count == 2)
        let refused = await #expect(throws: Failure.self) { try await ledger.begin(intent) }
        #expect(refused?.code == .attemptOpen)

        let revision = Samples.success(of: attempt, at: test.clock.now)
        let sequence = try await ledger.finish(attempt, revision)
        #expect(try await ledger.openAttempts().isEmpty)
        let stored = try await ledger.lastRevision(of: registered.uid)
        #expect(stored?.sequence == sequence)
        #expect(stored?.value == revision)
        let again = await #expect(throws: Failure.self) { try await ledger.finish(attempt, revision) }
        #expect(again?.code == .attemptClosed)
        #expect(try await ledger.head() == sequence)
        await ledger.close()
    }
}
