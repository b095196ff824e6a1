import Foundation
import GRDB
import LedgerStore
import Shiplog
import ShiplogTesting
import Testing
import TransparencyLog

#if canImport(Glibc)
    import Glibc
#endif

/// A file that says it is another ledger, and a folder without the last checkpoint, are no weaker found than a server
/// would refuse them.
@Suite struct CheckpointTamperTests {
    /// A signed ledger of five entries, closed.
    private func signed() async throws -> (TestLedger, Checkpoint) {
        let test = try await TestLedger.make()
        let keeper = try await LogKeeper.start(
            test.ledger, folder: test.directory.checkpoints, origin: "ledger.example")
        for _ in 0..<4 {
            try await test.ledger.record(Event(.serverStarted, actor: .controller, facts: ["mode": "sandbox"]))
        }
        let last = try #require(try await keeper.publish())
        await test.close()
        let report = try await test.verify()
        #expect(report.isSound, "\(report.findings)")
        return (test, last)
    }

    private func path(_ test: TestLedger, _ name: String? = nil) -> String {
        test.directory.checkpoints + "/" + (name ?? test.ledger.uid) + ".checkpoint"
    }

    private func messages(_ test: TestLedger, kept: [KeptHead] = []) async throws -> String {
        try await Ledger.verify(test.directory, kept: kept).findings.map(\.description).joined(separator: "\n")
    }

    /// Past the triggers, which are put back: the schema alone does not give it away.
    private func rename(_ test: TestLedger, _ assignment: String) throws {
        let queue = try DatabaseQueue(path: test.directory.ledger)
        let sql = try queue.read { db in
            try String.fetchOne(db, sql: "SELECT sql FROM sqlite_schema WHERE name = 'ledger_no_update'")
        }
        try queue.close()
        let trigger = try #require(sql)
        try tamper(test, "DROP TRIGGER ledger_no_update; UPDATE ledger SET \(assignment); \(trigger)")
    }

    @Test("a file that bears another ledger's name is found") func uid() async throws {
        let (test, _) = try await signed()
        try rename(test, "uid = 'anotherledger'")
        let found = try await messages(test)
        #expect(found.contains("the file says that it is the ledger anotherledger"), "\(found)")
        #expect(found.contains("is of another log: ledger.example/\(test.ledger.uid)"), "\(found)")
        // Without the checkpoints as well.
        try FileManager.default.removeItem(atPath: path(test))
        #expect(try await messages(test).contains("the file says that it is the ledger anotherledger"))
    }

    @Test("a file that says it was made for clusters, while its server ran for the sandbox, is found") func mode()
        async throws
    {
        let (test, _) = try await signed()
        try rename(test, "mode = 'clusters'")
        let found = try await messages(test)
        #expect(found.contains("was made for clusters, and its server ran for sandbox"), "\(found)")
    }

    @Test("a last checkpoint that is gone is found, unless the reader holds the ledger to something else")
    func gone() async throws {
        let (test, last) = try await signed()
        try FileManager.default.removeItem(atPath: path(test))
        let found = try await messages(test)
        #expect(found.contains("the last checkpoint is gone from its folder"), "\(found)")
        let report = try await Ledger.verify(test.directory, kept: [KeptHead(last.head, name: "monday")])
        #expect(report.isSound, "\(report.findings)")
        #expect(!report.notes.contains { $0.contains("there is no checkpoint") }, "what the reader brought was checked")
        // A copy that nobody has served from has none yet.
        try FileManager.default.removeItem(atPath: test.directory.path + "/lock")
        let copy = try await test.verify()
        #expect(copy.isSound, "\(copy.findings)")
        #expect(copy.notes.contains { $0.contains("there is no checkpoint") })
    }

    @Test("checkpoints that the configuration keeps elsewhere are not missed here") func elsewhere() async throws {
        let test = try await TestLedger.make()
        let folder = test.directory.path + "/elsewhere"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let keeper = try await LogKeeper.start(test.ledger, folder: folder, origin: "ledger.example")
        try await test.ledger.record(
            Event(
                .configurationLoaded, actor: .controller,
                detail: ["settings": ["log": ["checkpoints": .string(folder)]]]))
        try await keeper.publish()
        await test.close()
        let report = try await test.verify()
        #expect(report.isSound, "\(report.findings)")
        #expect(report.notes.contains { $0.contains("are kept in \(folder)") })
    }

    @Test("a log that was never signed has no checkpoint, and nobody misses it") func unsigned() async throws {
        let test = try await TestLedger.make()
        try await test.deployed()
        await test.close()
        let report = try await test.verify()
        #expect(report.isSound, "\(report.findings)")
        // Unless the folder has seen it signed.
        let signer = try #require(NoteSigner(name: "ledger.example/\(test.ledger.uid)"))
        let checkpoint = try Checkpoint(
            origin: "ledger.example/\(test.ledger.uid)", TreeHead(size: 1, root: .leaf([1])), signers: [signer])
        try Data(checkpoint.note.bytes).write(to: URL(fileURLWithPath: path(test)))
        #expect(try await messages(test).contains("which is no epoch of this ledger"))
        try FileManager.default.moveItem(atPath: path(test), toPath: path(test, test.ledger.uid + ".epoch-1"))
        #expect(try await messages(test).contains("the log begins none after it"))
    }

    @Test("checkpoints of another log, of no epoch, by no key of the log or unreadable are found") func strange()
        async throws
    {
        let (test, last) = try await signed()
        let uid = test.ledger.uid
        let strangers: [(String, String, String)] = [
            ("ledger.example/other", "other", "the checkpoint other.checkpoint is of another log"),
            ("ledger.example/other", uid, "the last checkpoint is of another log"),
            ("elsewhere.example/\(uid)", uid, "which is no epoch of this ledger"),
            ("ledger.example/\(uid)/2-abcdefgh", uid, "which is no epoch of this ledger"),
            ("ledger.example/\(uid)", uid, "is signed by no key of this ledger")
        ]
        for (origin, name, message) in strangers {
            let signer = try #require(NoteSigner(name: origin))
            let checkpoint = try Checkpoint(origin: origin, last.head, signers: [signer])
            try Data(checkpoint.note.bytes).write(to: URL(fileURLWithPath: path(test, name)))
            let found = try await messages(test)
            #expect(found.contains(message), "\(origin) in \(name): \(found)")
            try FileManager.default.removeItem(atPath: path(test, name))
        }
        try Data("rubbish".utf8).write(to: URL(fileURLWithPath: path(test)))
        #expect(try await messages(test).contains("the last checkpoint: "))
        // One that a person put there is held to as the last one is.
        try Data(last.note.bytes).write(to: URL(fileURLWithPath: path(test)))
        try Data(last.note.bytes).write(to: URL(fileURLWithPath: path(test, "monday")))
        #expect(try await messages(test) == "")
    }

    @Test("a pipe in the place of the checkpoint is found, and not waited for") func pipe() async throws {
        let (test, _) = try await signed()
        try FileManager.default.removeItem(atPath: path(test))
        #expect(mkfifo(path(test), 0o600) == 0)
        let found = try await messages(test)
        #expect(found.contains("the last checkpoint: ") && found.contains("is no file"), "\(found)")
    }

    @Test("the last checkpoint of an epoch that has ended is compared, and does not stand for the last one")
    func ended() async throws {
        let (test, first) = try await signed()
        // A copy that is put back: the folder's checkpoint has entries more than it, and is signed by a key newer than it.
        let copy = test.directory.path + "/copy.sqlite"
        let queue = try DatabaseQueue(path: test.directory.ledger)
        try await queue.writeWithoutTransaction { db in try db.execute(sql: "VACUUM INTO ?", arguments: [copy]) }
        try queue.close()
        try await test.reopen()
        let lost = try await LogKeeper.start(
            test.ledger, folder: test.directory.checkpoints, origin: "ledger.example")
        _ = try await lost.rotate(actor: .controller, reason: nil)
        try await test.ledger.record(Event(.serverStopped, actor: .controller))
        try await lost.publish()
        await test.close()
        for end in ["", "-wal", "-shm"] { try? FileManager.default.removeItem(atPath: test.directory.ledger + end) }
        try FileManager.default.copyItem(atPath: copy, toPath: test.directory.ledger)
        try await test.reopen()
        let keeper = try await LogKeeper.start(
            test.ledger, folder: test.directory.checkpoints, origin: "ledger.example",
            acceptance: LogKeeper.ForkAcceptance(actor: Actor(name: "ada", means: .local), reason: "the disk burnt"))
        #expect(keeper.epoch?.number == 2)
        try await test.ledger.record(Event(.serverStopped, actor: .controller))
        let last = try #require(try await keeper.publish())
        await test.close()
        let report = try await test.verify()
        #expect(report.isSound, "\(report.findings)")
        // What both epochs share may still be held to, beside the last one and not in its place.
        try Data(first.note.bytes).write(to: URL(fileURLWithPath: path(test, "monday")))
        #expect(try await messages(test) == "")
        try Data(first.note.bytes).write(to: URL(fileURLWithPath: path(test)))
        #expect(try await messages(test).contains("is of an epoch that has ended"))
        try Data(last.note.bytes).write(to: URL(fileURLWithPath: path(test)))
        #expect(try await messages(test) == "")
    }
}
