import Shiplog
import Testing

@Suite("Events whose facts are the same whoever records them") struct EventFactsTests {
    private let actor = Actor(name: "ann", means: .token, tokenID: "abc")

    @Test("a verification says how far, how long and what was found") func verified() throws {
        let through = try #require(SequenceNumber(48_211))
        let good = Event.verified(by: actor, through: through, root: "XcnaeQ==", findings: 0, milliseconds: 12)
        #expect(good.kind == .ledgerVerified && good.outcome == "succeeded" && good.actor == actor)
        #expect(good.facts == ["findings": 0, "milliseconds": 12, "root": "XcnaeQ==", "through": 48_211])
        let bad = Event.verified(
            by: actor, through: through, root: nil, findings: 2, firstBad: SequenceNumber(7), milliseconds: 12)
        #expect(bad.outcome == "failed")
        #expect(bad.facts == ["findings": 2, "firstBad": 7, "milliseconds": 12, "through": 48_211])
    }
}
