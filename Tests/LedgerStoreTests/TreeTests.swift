import Foundation
import GRDB
import LedgerStore
import Shiplog
import ShiplogTesting
import Testing
import TransparencyLog

/// The tree is written with the rows, and proves each of them.
@Suite struct TreeTests {
    private static func grown(to count: Int64) async throws -> TestLedger {
        let test = try await TestLedger.make()
        while try await test.ledger.head()?.value ?? 0 < count {
            // Many at a time, as the writer groups them.
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<64 {
                    group.addTask { try await test.ledger.record(Event(.serverStopped, actor: .controller)) }
                }
                try await group.waitForAll()
            }
        }
        return test
    }

    private func number(_ value: Int64) throws -> SequenceNumber { try #require(SequenceNumber(value)) }

    @Test func everyEntryIsProvenInTheTreeAndInEachEarlierOne() async throws {
        let test = try await Self.grown(to: 640)
        let head = try await test.ledger.treeHead()
        #expect(head.size == (try await test.ledger.head()?.value))
        for value in [1, 2, 255, 256, 257, 512, head.size] as [Int64] {
            let sequence = try number(value)
            let entry = try #require(try await test.ledger.entry(sequence))
            for size in Set([value, min(head.size, value + 1), head.size]) {
                let proof = try await test.ledger.inclusionProof(of: sequence, size: size)
                #expect(proof.leaf == .leaf(entry))
                #expect(MerkleProof.includes(proof.leaf, at: value - 1, in: proof.head, proof.path))
                #expect(proof.head == (try await test.ledger.treeHead(at: size)))
            }
        }
        for (earlier, later) in [(0, 1), (1, 2), (255, 256), (256, 600), (300, head.size), (head.size, head.size)]
            as [(Int64, Int64)]
        {
            let (old, new, proof) = try await test.ledger.consistencyProof(from: earlier, to: later)
            #expect(MerkleProof.extends(new, old, proof), "\(earlier) to \(later)")
        }
        #expect(try await Ledger.verify(test.directory, kept: [KeptHead(head)]).treeHead == head)
        await test.close()
    }

    @Test func aTreeGoesOnWhereItWasWhenTheLedgerIsOpenedAgain() async throws {
        let test = try await Self.grown(to: 256)
        let before = try await test.ledger.treeHead()
        await test.close()
        let again = try await Ledger.open(
            test.directory, mode: nil, access: .serve, now: { Timestamp(milliseconds: 1) })
        #expect(try await again.treeHead() == before)
        try await again.record(Event(.serverStarted, actor: .controller))
        let (old, new, proof) = try await again.consistencyProof(from: before.size, to: before.size + 1)
        #expect(old == before)
        #expect(MerkleProof.extends(new, before, proof))
        await again.close()
        #expect(try await Ledger.verify(test.directory, kept: [KeptHead(before)]).isSound)
    }

    @Test func aRowThatIsRefusedLeavesNoTraceInTheTree() async throws {
        let test = try await TestLedger.make()
        try await test.deployed()
        let before = try await test.ledger.treeHead()
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<10 {
                group.addTask {
                    _ = try? await test.ledger.revokeToken("none", actor: .controller)
                    _ = try? await test.ledger.record(Event(.serverStopped, actor: .controller))
                }
            }
        }
        let after = try await test.ledger.treeHead()
        #expect(after.size == before.size + 10)
        #expect(try await Ledger.verify(test.directory).treeHead == after)
        await test.close()
    }

    @Test func aLedgerFromBeforeTheTreeGetsItWhenItIsOpened() async throws {
        let test = try await Self.grown(to: 600)
        let head = try await test.ledger.treeHead()
        await test.close()
        try tamper(test, "DROP TABLE subtree")
        try tamper(test, "PRAGMA user_version = 1")
        await #expect(throws: Failure.self) { try await Ledger.verify(test.directory) }
        let again = try await Ledger.open(
            test.directory, mode: nil, access: .serve, now: { Timestamp(milliseconds: 1) })
        #expect(try await again.treeHead() == head)
        let proof = try await again.inclusionProof(of: try number(3))
        #expect(MerkleProof.includes(proof.leaf, at: 2, in: head, proof.path))
        await again.close()
        #expect(try await Ledger.verify(test.directory, kept: [KeptHead(head)]).isSound)
    }

    @Test(arguments: [
        "UPDATE subtree SET hash = zeroblob(32) WHERE position = 1", "DELETE FROM subtree WHERE position = 1",
        "INSERT INTO subtree VALUES (2, 0, zeroblob(32))"
    ])
    func aChangedTreeIsFound(change: String) async throws {
        let test = try await Self.grown(to: 600)
        await test.close()
        #expect(throws: (any Error).self) { try tamper(test, change) }
        try dropTriggers(test, of: "subtree")
        try tamper(test, change)
        let report = try await Ledger.verify(test.directory)
        #expect(report.findings.contains { $0.message.contains("the tree over the log") }, "\(report)")
    }

    @Test func tilesHoldTheHashesAndTheEntriesOfTheLog() async throws {
        let test = try await Self.grown(to: 600)
        let head = try await test.ledger.treeHead()
        var leaves = MerkleRange()
        for tile in Tile.entries(from: 0, size: head.size) {
            let entries = try #require(EntryBundle.entries(of: try await test.ledger.tile(tile)))
            let hashes = try await test.ledger.tile(Tile(level: 0, index: tile.index, width: tile.width))
            #expect(entries.count == tile.width)
            #expect(hashes == entries.flatMap { MerkleHash.leaf($0).bytes })
            for entry in entries { leaves.append(.leaf(entry)) }
        }
        #expect(leaves.head == head)
        let roots = try await test.ledger.tile(Tile(level: 1, index: 0, width: 2))
        for (position, first) in [0, 256].enumerated() {
            var range = MerkleRange()
            let bundle = try await test.ledger.tile(Tile(level: nil, index: Int64(first / 256)))
            for entry in try #require(EntryBundle.entries(of: bundle)) { range.append(.leaf(entry)) }
            #expect(range.head?.root.bytes == Array(roots[(position * 32)..<(position * 32 + 32)]))
        }
        for tile in [
            Tile(level: 0, index: 9), Tile(level: 1, index: 0), Tile(level: 2, index: 0, width: 1),
            Tile(level: 63, index: 0), Tile(level: nil, index: head.size / 256), Tile(level: nil, index: 1 << 47)
        ] {
            await #expect(throws: Failure.self, "\(tile)") { try await test.ledger.tile(tile) }
        }
        await test.close()
    }
}
