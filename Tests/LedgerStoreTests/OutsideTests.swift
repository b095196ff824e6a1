import Foundation
import GRDB
import Shiplog
import ShiplogTesting
import Testing
import TransparencyLog

@testable import LedgerStore

/// What stands outside of the database: the published checkpoint, and the directories that make a file durable.
@Suite struct OutsideTests {
    private func sign(_ test: TestLedger) async throws -> LogKeeper {
        try await LogKeeper.start(test.ledger, folder: test.directory.checkpoints, origin: "ledger.example")
    }

    @Test("an older copy of an older schema is refused before it is changed") func schema() async throws {
        let test = try await TestLedger.make()
        _ = try await sign(test)
        await test.close()
        let old = try Data(contentsOf: URL(fileURLWithPath: test.directory.ledger))
        try await test.reopen()
        try await test.ledger.record(Event(.serverStarted, actor: .controller))
        _ = try await sign(test)
        await test.close()
        try old.write(to: URL(fileURLWithPath: test.directory.ledger))
        try tamper(test, "DROP TABLE subtree; PRAGMA user_version = 1; PRAGMA wal_checkpoint(TRUNCATE)")
        let before = try Data(contentsOf: URL(fileURLWithPath: test.directory.ledger))
        let folder = test.directory.checkpoints
        var options = Ledger.Options()
        options.heldTo = folder
        let now = test.clock.now
        let failure = await #expect(throws: Failure.self) {
            _ = try await Ledger.open(test.directory, mode: nil, access: .serve, now: { now }, options: options)
        }
        #expect(failure?.code == "ledger.rolled-back", "\(String(describing: failure))")
        #expect(try Data(contentsOf: URL(fileURLWithPath: test.directory.ledger)) == before)
        // And without anything to hold it to, it is brought up to date.
        let opened = try await Ledger.open(test.directory, mode: nil, access: .serve, now: { now })
        await opened.close()
    }

    @Test("the published checkpoint is held to the keys that the reader trusts") func published() async throws {
        let test = try await TestLedger.make()
        let keeper = try await sign(test)
        let head = try await test.ledger.treeHead()
        let key = try #require(keeper.epoch?.keys.last)
        let stranger = try #require(NoteSigner(name: key.name)).verifier
        let kept = try await Ledger.published(of: test.directory, in: nil, trusting: [key])
        #expect(kept?.head == head)
        let failure = await #expect(throws: Failure.self) {
            _ = try await Ledger.published(of: test.directory, in: nil, trusting: [stranger])
        }
        #expect(failure?.code == "log.signature-wrong")
        let missing = await #expect(throws: Failure.self) {
            _ = try await Ledger.published(of: test.directory, in: "/nowhere", trusting: [key])
        }
        #expect(missing?.code == "log.checkpoint-missing")
        await test.close()
    }

    @Test("a directory that cannot be made durable is a failure", arguments: ["/nowhere/at/all/x", "/proc/x"])
    func durable(path: String) {
        let failure = #expect(throws: Failure.self) { try FileSystem.syncDirectory(of: path) }
        #expect(failure?.code == .dataUnusable)
    }
}
