import Foundation
import GRDB
import LedgerStore
import Shiplog
import ShiplogTesting
import Testing
import TransparencyLog

/// Retention takes rows and proves all that is left, and what it took.
@Suite struct RetentionTests {
    /// An application that was looked at so often that two chunks can be folded, with a sync in each.
    static func looked(_ count: Int) async throws -> TestLedger {
        let test = try await TestLedger.make()
        let (application, revision, _) = try await test.deployed()
        let reference = application.reference
        try await look(test, reference, count / 2, sameAs: revision)
        let changed = try await test.ledger.record(Samples.reconcile(reference, at: test.clock.now))
        test.clock.advance(byMilliseconds: 3_600_000)
        try await look(test, reference, count - count / 2, sameAs: changed)
        test.clock.advance(byMilliseconds: 3_600_000)
        return test
    }

    private static func look(
        _ test: TestLedger, _ reference: ApplicationReference, _ count: Int, sameAs: SequenceNumber
    ) async throws {
        for start in stride(from: 0, to: count, by: 512) {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in start..<min(count, start + 512) {
                    group.addTask {
                        try await test.ledger.record(
                            Samples.reconcile(reference, at: test.clock.now, sameAs: sameAs))
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    private func bundles(_ ledger: Ledger) async throws -> [[UInt8]] {
        var bundles: [[UInt8]] = []
        for tile in Tile.entries(from: 0, size: 8192) { bundles.append(try await ledger.tile(tile)) }
        return bundles
    }

    private func foldAll(_ test: TestLedger, keeps: Bool) async throws -> [Folded] {
        var steps: [Folded] = []
        while let step = try await test.ledger.fold(
            before: test.clock.now, keepsEntries: keeps, actor: .controller)
        {
            steps.append(step)
        }
        return steps
    }

    private func rows(_ test: TestLedger, _ sql: String) throws -> Int64 {
        try DatabaseQueue(path: test.directory.ledger).inDatabase { try Int64.fetchOne($0, sql: sql) } ?? 0
    }

    @Test func foldedEntriesMoveToBundlesAndTheLogServesTheSameBytes() async throws {
        let test = try await Self.looked(8300)
        let before = try await bundles(test.ledger)
        let head = try await test.ledger.treeHead()
        let entry = try await test.ledger.entry(try #require(SequenceNumber(100)))
        let record = try await test.ledger.record(at: try #require(SequenceNumber(100)))
        let steps = try await foldAll(test, keeps: true)
        #expect(steps.map(\.sequences) == [1...8192])
        #expect(try await bundles(test.ledger) == before)
        #expect(try await test.ledger.entry(try #require(SequenceNumber(100))) == entry)
        #expect(try await test.ledger.record(at: try #require(SequenceNumber(100))) == record)
        // What says something new stays a row, and so does what is younger.
        #expect(try rows(test, "SELECT count(*) FROM revision WHERE same_as IS NULL") == 2)
        #expect(
            try rows(test, "SELECT count(*) FROM revision WHERE sequence <= 8192 AND same_as IS NOT NULL") == 0)
        #expect(try rows(test, "SELECT count(*) FROM revision WHERE same_as IS NOT NULL") > 100)
        let proof = try await test.ledger.inclusionProof(of: try #require(SequenceNumber(100)), size: head.size)
        #expect(MerkleProof.includes(.leaf(try #require(entry)), at: 99, in: head, proof.path))
        let event = try #require(try await test.ledger.record(at: steps[0].event))
        guard case .event(let stored) = event else { throw Failure("test.wrong", "no event") }
        #expect(stored.value.kind == .folded)
        #expect(stored.value.facts["entries"]?.integer == steps[0].entries)
        let report = try await Ledger.verify(test.directory, kept: [KeptHead(head)])
        #expect(report.isSound, "\(report)")
        await test.close()
    }

    @Test func nothingThatIsYoungerOrHalfAChunkIsTaken() async throws {
        let test = try await Self.looked(5000)
        let cut = Timestamp(milliseconds: test.clock.now.milliseconds - 7_200_000)
        #expect(try await test.ledger.fold(before: cut, keepsEntries: true, actor: .controller) == nil)
        #expect(try await foldAll(test, keeps: true).map(\.sequences) == [1...4096])
        await test.close()
    }

    @Test func entriesThatWentAreToldFromThoseThatNeverWere() async throws {
        let test = try await Self.looked(4200)
        let head = try await test.ledger.treeHead()
        let leaves = try await test.ledger.tile(Tile(level: 0, index: 1))
        _ = try await foldAll(test, keeps: false)
        for tile in [Tile(level: nil, index: 0), Tile(level: nil, index: 1)] {
            let failure = await #expect(throws: Failure.self) { try await test.ledger.tile(tile) }
            #expect(failure?.code == .logEntriesGone)
        }
        let failure = await #expect(throws: Failure.self) {
            try await test.ledger.entry(try #require(SequenceNumber(300)))
        }
        #expect(failure?.code == .logEntriesGone)
        #expect(try await test.ledger.entry(try #require(SequenceNumber(90_000))) == nil)
        #expect(try await test.ledger.tile(Tile(level: 0, index: 1)) == leaves)
        #expect(try await test.ledger.treeHead(at: head.size) == head)
        let report = try await Ledger.verify(test.directory, kept: [KeptHead(head)])
        #expect(report.isSound, "\(report)")
        #expect(report.notes.contains { $0.contains("retention let entries go") })
        await test.close()
    }

    @Test func bundlesThatWereKeptCanGoLater() async throws {
        let test = try await Self.looked(4200)
        _ = try await foldAll(test, keeps: true)
        #expect(try await test.ledger.dropBundles(actor: .controller) == 1)
        #expect(try await test.ledger.dropBundles(actor: .controller) == nil)
        await #expect(throws: Failure.self) { try await test.ledger.tile(Tile(level: nil, index: 0)) }
        #expect(try await Ledger.verify(test.directory).isSound)
        await test.close()
    }

    @Test(arguments: [
        "UPDATE fold SET bundle = zeroblob(100)", "UPDATE fold SET entries = entries - 1",
        "UPDATE fold SET last = last - 1", "DELETE FROM fold",
        "DELETE FROM revision WHERE sequence = (SELECT min(sequence) FROM revision WHERE same_as IS NULL)"
    ])
    func whatWasDoneToAFoldIsFound(change: String) async throws {
        let test = try await Self.looked(4200)
        _ = try await foldAll(test, keeps: true)
        await test.close()
        #expect(throws: (any Error).self, "the triggers refuse it") { try tamper(test, change) }
        for table in ["fold", "revision"] { try dropTriggers(test, of: table) }
        try tamper(test, change)
        let report = try await Ledger.verify(test.directory)
        #expect(report.findings.contains { !$0.message.hasPrefix("the schema") }, "\(report)")
    }

    @Test func oneChangedByteInABundleIsFoundWithItsSequence() async throws {
        let test = try await Self.looked(4200)
        _ = try await foldAll(test, keeps: true)
        // A bundle of another ledger's entries: well formed, and none of them was hashed here.
        let second = try await Self.looked(4200)
        _ = try await foldAll(second, keeps: true)
        let bundle = try DatabaseQueue(path: second.directory.ledger).inDatabase {
            try Data.fetchOne($0, sql: "SELECT bundle FROM fold")
        }
        await test.close()
        await second.close()
        try dropTriggers(test, of: "fold")
        let queue = try DatabaseQueue(path: test.directory.ledger)
        try await queue.write { db in try db.execute(sql: "UPDATE fold SET bundle = ?", arguments: [bundle]) }
        try queue.close()
        let report = try await Ledger.verify(test.directory)
        let found = report.findings.first { $0.message.contains("its folded entry is not the one") }
        #expect(found?.sequence != nil, "\(report)")
    }

    @Test(arguments: [Ledger.CommitPoint.before, .after])
    func aCrashLeavesAFoldDoneOrNotDone(point: Ledger.CommitPoint) async throws {
        let test = try await Self.looked(4200)
        let bundle = try await test.ledger.tile(Tile(level: nil, index: 3))
        test.faults.failCommit(point)
        await #expect(throws: Failure.self) {
            try await test.ledger.fold(before: test.clock.now, keepsEntries: true, actor: .controller)
        }
        try await test.reopen()
        #expect(try await test.ledger.tile(Tile(level: nil, index: 3)) == bundle)
        #expect(try await Ledger.verify(test.directory).isSound)
        #expect(try rows(test, "SELECT count(*) FROM fold") == (point == .after ? 1 : 0))
        await test.close()
    }
}
