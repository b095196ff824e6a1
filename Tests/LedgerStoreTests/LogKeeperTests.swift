import Crypto
import Foundation
import GRDB
import LedgerStore
import Shiplog
import ShiplogTesting
import Testing
import TransparencyLog

/// The ledger is signed, and a copy that is not the ledger is told from it.
@Suite struct LogKeeperTests {
    private func start(
        _ ledger: Ledger, acceptance: LogKeeper.ForkAcceptance? = nil
    ) async throws -> LogKeeper {
        try await LogKeeper.start(
            ledger, folder: ledger.directory.checkpoints, origin: "ledger.example", acceptance: acceptance)
    }

    private func open(_ test: TestLedger) async throws -> Ledger {
        try await Ledger.open(test.directory, mode: nil, access: .serve, now: { Timestamp(milliseconds: 1) })
    }

    private static let acceptance = LogKeeper.ForkAcceptance(
        actor: Actor(name: "ada", means: .local), reason: "the disk burnt")

    private func code(_ body: () async throws -> Void) async -> String? {
        do {
            try await body()
            return nil
        } catch {
            return (error as? Failure)?.code.rawValue ?? "\(error)"
        }
    }

    /// The database as it is now, without what lies beside it.
    private func copy(_ test: TestLedger, to name: String) throws -> String {
        let path = test.directory.path + "/" + name
        let queue = try DatabaseQueue(path: test.directory.ledger)
        try queue.writeWithoutTransaction { db in try db.execute(sql: "VACUUM INTO ?", arguments: [path]) }
        try queue.close()
        return path
    }

    private func replace(_ test: TestLedger, with path: String) throws {
        for end in ["", "-wal", "-shm"] { try? FileManager.default.removeItem(atPath: test.directory.ledger + end) }
        try FileManager.default.copyItem(atPath: path, toPath: test.directory.ledger)
    }

    private func append(_ ledger: Ledger, _ count: Int) async throws {
        for _ in 0..<count { try await ledger.record(Event(.serverStopped, actor: .controller)) }
    }

    // MARK: - Signing

    @Test func theFirstStartBeginsTheLogAndEveryCommitIsSigned() async throws {
        let test = try await TestLedger.make()
        let keeper = try await start(test.ledger)
        let epoch = try #require(keeper.epoch)
        #expect(epoch.number == 1)
        #expect(epoch.origin == "ledger.example/" + test.ledger.uid)
        #expect(!keeper.isUnconfirmed)
        #expect(keeper.isSelfAttested)
        let first = try #require(keeper.published)
        #expect(first.head == (try await test.ledger.treeHead()))
        try first.note.verify(epoch.keys)
        try await test.deployed()
        let running = Task { await keeper.run() }
        let size = try await test.ledger.treeHead().size
        for await checkpoint in await keeper.checkpoints() where checkpoint.head.size == size { break }
        running.cancel()
        await running.value
        let last = try #require(try test.ledger.checkpoint())
        #expect(last == keeper.published)
        let (_, _, proof) = try await test.ledger.consistencyProof(from: first.head.size, to: last.head.size)
        #expect(MerkleProof.extends(last.head, first.head, proof))
        await test.close()
        #expect(try await Ledger.verify(test.directory).isSound)
    }

    @Test func theKeyIsAFileThatOnlyItsOwnerReadsAndStandsNowhereElse() async throws {
        let test = try await TestLedger.make()
        let keeper = try await start(test.ledger)
        let key = try #require(keeper.epoch?.keys.last)
        let path = test.directory.keys + "/log-\(key.id.hex).key"
        let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
        #expect(mode == 0o600)
        let secret = try String(contentsOfFile: path, encoding: .utf8).trimmingCharacters(in: .whitespacesAndNewlines)
        await test.close()
        let database = try Data(contentsOf: URL(fileURLWithPath: test.directory.ledger))
        #expect(database.range(of: Data(key.description.utf8)) != nil)
        let seed = try #require(secret.split(separator: "+").last)
        #expect(database.range(of: Data(seed.utf8)) == nil)
        try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: path)
        let ledger = try await open(test)
        #expect(await code { _ = try await start(ledger) } == "data.unsafe")
        try FileManager.default.removeItem(atPath: path)
        #expect(await code { _ = try await start(ledger) } == "log.key-missing")
        await ledger.close()
    }

    @Test func aRestartGoesOnWithTheSameKeyAndSignsNothingTwice() async throws {
        let test = try await TestLedger.make()
        let before = try await start(test.ledger).published
        await test.close()
        let ledger = try await open(test)
        let keeper = try await start(ledger)
        #expect(keeper.published == before)
        #expect(keeper.epochs.count == 1)
        try await append(ledger, 3)
        let next = try #require(try await keeper.publish())
        #expect(next.head.size == 4)
        try next.note.verify(try #require(keeper.epoch).keys)
        await ledger.close()
    }

    @Test func aCheckpointThatCannotBeWrittenIsNotShown() async throws {
        let test = try await TestLedger.make()
        let folder = test.directory.path + "/elsewhere"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let keeper = try await LogKeeper.start(test.ledger, folder: folder, origin: "ledger.example")
        let before = keeper.published
        try FileManager.default.removeItem(atPath: folder)
        try await append(test.ledger, 1)
        #expect(await code { try await keeper.publish() } == "log.checkpoint-unwritable")
        #expect(keeper.published == before)
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try await keeper.publish()
        #expect(keeper.published?.head.size == 2)
        await test.close()
    }

    // MARK: - Rotation

    @Test func aNewKeyIsVouchedForByTheOldOneWhichThenIsGone() async throws {
        let test = try await TestLedger.make()
        let keeper = try await start(test.ledger)
        let old = try #require(keeper.epoch?.keys.last)
        let new = try await keeper.rotate(actor: Actor(name: "ada", means: .token), reason: "yearly")
        let between = try #require(keeper.published)
        #expect(try between.note.verify([old]).count == 1)
        #expect(try between.note.verify([new]).count == 1)
        #expect(!FileManager.default.fileExists(atPath: test.directory.keys + "/log-\(old.id.hex).key"))
        try await append(test.ledger, 1)
        let after = try #require(try await keeper.publish())
        #expect(throws: Failure.self) { try after.note.verify([old]) }
        try after.note.verify([new])
        await test.close()
        let ledger = try await open(test)
        let again = try await start(ledger)
        #expect(again.epoch?.keys == [old, new])
        #expect(again.published == after)
        await ledger.close()
        #expect(try await Ledger.verify(test.directory).isSound)
    }

    // MARK: - Copies

    @Test func anOlderCopyIsRefusedAndSaysWhatIsLost() async throws {
        let test = try await TestLedger.make()
        let keeper = try await start(test.ledger)
        try await append(test.ledger, 4)
        let older = try copy(test, to: "older.sqlite")
        try await append(test.ledger, 7)
        try await keeper.publish()
        await test.close()
        try replace(test, with: older)
        let ledger = try await open(test)
        do {
            _ = try await start(ledger)
            Issue.record("an older copy was taken for the ledger")
        } catch let failure as Failure {
            #expect(failure.code == "ledger.rolled-back")
            #expect(failure.message.contains("it has 5 entries"))
            #expect(failure.message.contains("#6 to #12 are lost"))
            #expect(failure.remedy?.contains("--accept-fork") == true)
        }
        // Refusing changes nothing.
        #expect(try await ledger.head()?.value == 5)
        await ledger.close()
        let report = try await Ledger.verify(test.directory)
        #expect(report.findings.contains { $0.message.contains("the last checkpoint has 12 entries") }, "\(report)")
    }

    @Test func aPersonMayTakeAnOlderCopyWhichBeginsANewEpoch() async throws {
        let test = try await TestLedger.make()
        let keeper = try await start(test.ledger)
        try await append(test.ledger, 4)
        let older = try copy(test, to: "older.sqlite")
        try await append(test.ledger, 7)
        let lost = try #require(try await keeper.publish())
        await test.close()
        try replace(test, with: older)
        var ledger = try await open(test)
        let next = try await start(ledger, acceptance: Self.acceptance)
        let epoch = try #require(next.epoch)
        #expect(epoch.number == 2)
        #expect(epoch.origin.hasPrefix("ledger.example/\(ledger.uid)/2-"))
        #expect(epoch.lost == 6...12)
        #expect(epoch.shared == 5)
        #expect(epoch.lastCheckpoint == lost.note.description)
        #expect(epoch.startedBy.value == 6)
        #expect(epoch.keys != keeper.epoch?.keys)
        #expect(next.published?.origin == epoch.origin)
        try next.published?.note.verify(epoch.keys)
        // The entry itself commits to all of it.
        let entry = try JSON(parsing: try #require(try await ledger.entry(epoch.startedBy)))
        #expect(entry.at("facts", "lastCheckpoint")?.string == lost.note.description)
        #expect(entry.at("facts", "restoredSize")?.integer == 5)
        // What the lost epoch signed is kept for whoever asks.
        let kept = test.directory.checkpoints + "/\(ledger.uid).epoch-1.checkpoint"
        #expect(FileManager.default.contents(atPath: kept) == Data(lost.note.bytes))
        // A number of the lost epoch, of what both share, of what never was.
        let epochs = next.epochs
        #expect(Epoch.place(of: 5, inEpoch: 1, epochs) == .here)
        #expect(Epoch.place(of: 12, inEpoch: 1, epochs) == .lost)
        #expect(Epoch.place(of: 13, inEpoch: 1, epochs) == .unknown)
        #expect(Epoch.place(of: 5, inEpoch: 2, epochs) == .here)
        #expect(Epoch.place(of: 5, inEpoch: 3, epochs) == .unknown)
        // Nothing goes on before a person has looked.
        #expect(next.isUnconfirmed)
        await ledger.close()
        ledger = try await open(test)
        let again = try await start(ledger)
        #expect(again.isUnconfirmed)
        #expect(await code { _ = try await start(ledger, acceptance: Self.acceptance) } == "log.no-fork")
        _ = try await again.confirm(actor: Actor(name: "ada", means: .token), reason: "looked")
        #expect(!again.isUnconfirmed)
        try await again.waitUntilConfirmed()
        #expect(await code { _ = try await again.confirm(actor: .controller, reason: nil) } == "log.confirmed")
        await ledger.close()
        #expect(try await Ledger.verify(test.directory).isSound)
    }

    @Test func aCopyFromBeforeTheEpochIsToldTooAndItsNumberIsNotUsedAgain() async throws {
        let test = try await TestLedger.make()
        try await append(test.ledger, 2)
        let unsigned = try copy(test, to: "unsigned.sqlite")
        _ = try await start(test.ledger)
        await test.close()
        try replace(test, with: unsigned)
        let ledger = try await open(test)
        #expect(await code { _ = try await start(ledger) } == "ledger.rolled-back")
        let keeper = try await start(ledger, acceptance: Self.acceptance)
        #expect(keeper.epoch?.number == 2)
        await ledger.close()
        #expect(try await Ledger.verify(test.directory).isSound)
    }

    @Test func anotherHistoryOfTheSameLengthIsRefused() async throws {
        let test = try await TestLedger.make()
        let keeper = try await start(test.ledger)
        try await append(test.ledger, 2)
        let older = try copy(test, to: "older.sqlite")
        try await append(test.ledger, 3)
        try await keeper.publish()
        await test.close()
        try replace(test, with: older)
        var ledger = try await open(test)
        for _ in 0..<5 { try await ledger.record(Event(.serverStarted, actor: .controller)) }
        #expect(await code { _ = try await start(ledger) } == "ledger.forked")
        let next = try await start(ledger, acceptance: Self.acceptance)
        #expect(next.epoch?.shared == 0, "nobody knows what the two have in common")
        await ledger.close()
        ledger = try await open(test)
        _ = try await start(ledger)
        await ledger.close()
    }

    @Test func aCheckpointThatIsGoneOrAnothersIsRefused() async throws {
        let test = try await TestLedger.make()
        let keeper = try await start(test.ledger)
        try await append(test.ledger, 2)
        try await keeper.publish()
        await test.close()
        let path = test.directory.checkpoints + "/\(test.ledger.uid).checkpoint"
        let good = try #require(FileManager.default.contents(atPath: path))
        let ledger = try await open(test)
        try FileManager.default.removeItem(atPath: path)
        #expect(await code { _ = try await start(ledger) } == "log.checkpoint-missing")
        let stranger = try #require(NoteSigner(name: "ledger.example/other"))
        let foreign = try Checkpoint(
            origin: "ledger.example/other", TreeHead(size: 1, root: .leaf([1])), signers: [stranger])
        try Data(foreign.note.bytes).write(to: URL(fileURLWithPath: path))
        #expect(await code { _ = try await start(ledger) } == "log.checkpoint-foreign")
        // The right name, and a key that is none of this log's.
        let forged = try Checkpoint(
            origin: try #require(keeper.epoch).origin, TreeHead(size: 1, root: .leaf([1])), signers: [stranger])
        try Data(forged.note.bytes).write(to: URL(fileURLWithPath: path))
        #expect(await code { _ = try await start(ledger) } == "log.checkpoint-foreign")
        for rubbish in ["", "rubbish", String(repeating: "x", count: 3_000_000)] {
            try Data(rubbish.utf8).write(to: URL(fileURLWithPath: path))
            #expect(await code { _ = try await start(ledger) } == "log.note-invalid")
        }
        try good.write(to: URL(fileURLWithPath: path))
        _ = try await start(ledger)
        await ledger.close()
    }

    @Test func aCrashBetweenTheEpochAndItsFirstCheckpointIsNoLoss() async throws {
        let test = try await TestLedger.make()
        let keeper = try await start(test.ledger)
        let path = test.directory.checkpoints + "/\(test.ledger.uid).checkpoint"
        // As if the process had died after the first entry.
        try FileManager.default.removeItem(atPath: path)
        await test.close()
        var ledger = try await open(test)
        #expect(try await start(ledger).epoch == keeper.epoch)
        try await append(ledger, 3)
        let older = try copy(test, to: "older.sqlite")
        try await append(ledger, 3)
        let signed = try await LogKeeper.start(
            ledger, folder: test.directory.checkpoints, origin: "ledger.example"
        ).published
        await ledger.close()
        try replace(test, with: older)
        ledger = try await open(test)
        _ = try await start(ledger, acceptance: Self.acceptance)
        // And as if it had died before the new epoch's first checkpoint replaced the old epoch's last.
        try Data(try #require(signed).note.bytes).write(to: URL(fileURLWithPath: path))
        await ledger.close()
        ledger = try await open(test)
        let again = try await start(ledger)
        #expect(again.epoch?.number == 2)
        #expect(again.published?.origin == again.epoch?.origin)
        await ledger.close()
    }

    // MARK: - Who owns the file and the keys

    @Test func whoHoldsTheKeysAndSignsEverythingAnewIsFoundByACheckpointKeptElsewhere() async throws {
        let test = try await TestLedger.make()
        let keeper = try await start(test.ledger)
        try await test.deployed()
        try await keeper.publish()
        let auditors = try #require(keeper.published)
        try await append(test.ledger, 2)
        await test.close()
        // An entry, its hash, and every hash above it, with the triggers put back.
        let queue = try DatabaseQueue(path: test.directory.ledger)
        try await queue.write { db in
            let triggers = try Row.fetchAll(
                db,
                sql: "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' AND tbl_name IN ('revision', 'leaf')")
            for trigger in triggers { try db.execute(sql: "DROP TRIGGER \(trigger[0] as String)") }
            let row = try #require(try Row.fetchOne(db, sql: "SELECT sequence, entry FROM revision ORDER BY sequence"))
            let changed = (row[1] as String).replacingOccurrences(of: "\"ada\"", with: "\"eve\"")
            #expect(changed != row[1])
            try db.execute(
                sql: "UPDATE revision SET entry = ? WHERE sequence = ?", arguments: [changed, row[0] as Int64])
            try db.execute(
                sql: "UPDATE leaf SET hash = ? WHERE sequence = ?",
                arguments: [Data(SHA256.hash(data: [0] + Array(changed.utf8))), row[0] as Int64])
            for trigger in triggers { try db.execute(sql: trigger[1] as String) }
        }
        try queue.close()
        // The file's own checkpoint finds it, and the server does not start.
        let honest = try await Ledger.verify(test.directory)
        #expect(honest.findings.contains { $0.message.contains("not those of the last checkpoint") }, "\(honest)")
        let ledger = try await open(test)
        #expect(await code { _ = try await start(ledger) } == "ledger.forked")
        // So the attacker signs the new tree with the log's own key.
        let key = try #require(keeper.epoch?.keys.last)
        let secret = try String(
            contentsOfFile: test.directory.keys + "/log-\(key.id.hex).key", encoding: .utf8)
        let signer = try NoteSigner(secret: secret.trimmingCharacters(in: .whitespacesAndNewlines))
        let forged = try Checkpoint(
            origin: try #require(keeper.epoch).origin, try await ledger.treeHead(), signers: [signer])
        try Data(forged.note.bytes).write(
            to: URL(fileURLWithPath: test.directory.checkpoints + "/\(ledger.uid).checkpoint"))
        _ = try await start(ledger)
        await ledger.close()
        #expect(try await Ledger.verify(test.directory).isSound, "the file alone cannot tell")
        // The auditor's own checkpoint can.
        try auditors.note.verify([key])
        let report = try await Ledger.verify(test.directory, kept: [KeptHead(auditors.head, name: "monday")])
        #expect(report.first?.message.contains("not those of monday") == true, "\(report)")
    }
}
