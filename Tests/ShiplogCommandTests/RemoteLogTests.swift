import LedgerStore
import Shiplog
import Testing
import TransparencyLog

@testable import ShiplogCommand

@Suite struct RemoteLogTests {
    @Test("entries that a server says are gone are counted and named, and an error where all are asked for")
    func gone() throws {
        var range = MerkleRange()
        range.append(.leaf([1]))
        let signer = try #require(NoteSigner(name: "ledger.example/log"))
        let head = try #require(range.head)
        var report = RemoteLog.Report(checkpoint: try Checkpoint(origin: "ledger.example/log", head, signers: [signer]))
        report.tellOfGone(complete: true)
        #expect(report.finding == nil && report.notes.isEmpty)
        report.gone = 7
        report.tellOfGone(complete: false)
        #expect(report.finding == nil)
        #expect(
            report.notes == ["7 entries were taken by retention, their hashes were proven; their content was not seen"])
        report.tellOfGone(complete: true)
        #expect(report.finding?.message.contains("7 entries") == true)
    }
}
