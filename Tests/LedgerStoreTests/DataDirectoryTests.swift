import Foundation
import LedgerStore
import Shiplog
import ShiplogTesting
import Testing

@Suite struct DataDirectoryTests {
    private func open(
        _ directory: DataDirectory, _ mode: Ledger.Mode? = nil, _ access: Ledger.Access = .serve
    ) async throws(Failure) -> Ledger {
        let clock = TestClock()
        return try await Ledger.open(directory, mode: mode, access: access, now: { clock.now })
    }

    private func permissions(_ path: String) throws -> Int {
        let attributes = try FileManager.default.attributesOfItem(atPath: path)
        return try #require(attributes[.posixPermissions] as? Int)
    }

    @Test("directories are made for their owner alone, keys and database too") func modes() async throws {
        let temporary = try TemporaryDirectory("data")
        let directory = try DataDirectory(temporary.path + "/data/")
        await (try open(directory)).close()
        for path in [directory.path, directory.keys, directory.tokens, directory.repositories, directory.sandbox] {
            #expect(try permissions(path) == 0o700, "\(path)")
        }
        #expect(try permissions(directory.keys + "/master.key") == 0o600)
        #expect(try permissions(directory.keys + "/redaction.key") == 0o600)
        #expect(try permissions(directory.ledger) == 0o600)
    }

    @Test("a relative path is made whole, for it goes to programs that run elsewhere") func relative() throws {
        let name = "shiplog-relative-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: name) }
        let directory = try DataDirectory(name)
        #expect(directory.path == FileManager.default.currentDirectoryPath + "/" + name)
        #expect(directory.repositories.hasPrefix("/"))
    }

    @Test("a ledger that is gone or empty is not begun anew in silence", arguments: [true, false])
    func lost(isEmptied: Bool) async throws {
        let temporary = try TemporaryDirectory("data")
        let directory = try DataDirectory(temporary.path + "/data")
        await (try open(directory, .sandbox)).close()
        for suffix in ["", "-wal", "-shm"] { try? FileManager.default.removeItem(atPath: directory.ledger + suffix) }
        if isEmptied { #expect(FileManager.default.createFile(atPath: directory.ledger, contents: Data())) }
        let failure = await #expect(throws: Failure.self) { try await open(directory, .sandbox) }
        #expect(failure?.code == "ledger.lost")
        #expect(FileManager.default.fileExists(atPath: directory.ledger) == isEmptied)
        guard isEmptied else { return }
        let found = await #expect(throws: Failure.self) { try await Ledger.verify(directory) }
        #expect(found?.code == .ledgerCorrupt)
    }

    @Test("a first start that was cut off before there was a ledger is begun again") func cutOff() async throws {
        let temporary = try TemporaryDirectory("data")
        let directory = try DataDirectory(temporary.path + "/data")
        await (try open(directory, .sandbox)).close()
        for name in ["ledger.sqlite", "ledger.sqlite-wal", "ledger.sqlite-shm", "mode"] {
            try? FileManager.default.removeItem(atPath: directory.path + "/" + name)
        }
        #expect(FileManager.default.createFile(atPath: directory.ledger, contents: Data()))
        await (try open(directory, .sandbox)).close()
        #expect(try await Ledger.verify(directory).isSound)
    }

    @Test("nothing is appended to a ledger whose guards were taken") func unguarded() async throws {
        let test = try await TestLedger.make()
        try await test.ledger.record(Event(.serverStarted, actor: .controller))
        await test.close()
        try dropTriggers(test, of: "event")
        let failure = await #expect(throws: Failure.self) { try await open(test.directory, .sandbox) }
        #expect(failure?.code == "ledger.unguarded")
        // What somebody added guards nothing: a replicator has tables of its own.
        let other = try await TestLedger.make()
        await other.close()
        try tamper(other, "CREATE TABLE _replica (id INTEGER)")
        await (try open(other.directory, .sandbox)).close()
    }

    @Test("a directory that others may write to is refused") func unsafe() throws {
        let temporary = try TemporaryDirectory("data")
        let directory = try DataDirectory(temporary.path + "/data")
        try FileManager.default.setAttributes([.posixPermissions: 0o770], ofItemAtPath: directory.path)
        let failure = #expect(throws: Failure.self) { try DataDirectory(directory.path) }
        #expect(failure?.code == .dataUnsafe)
    }

    @Test("a second server on the same data is refused and told which process has it; a reader is not")
    func second() async throws {
        let test = try await TestLedger.make()
        try await test.ledger.record(Event(.serverStarted, actor: .controller))
        let failure = await #expect(throws: Failure.self) { try await open(test.directory) }
        #expect(failure?.code == .dataInUse)
        #expect(failure?.message.contains("\(ProcessInfo.processInfo.processIdentifier)") == true)
        let reader = try await open(test.directory, .sandbox, .read)
        #expect(try await reader.head()?.value == 1)
        let refused = await #expect(throws: Failure.self) {
            try await reader.record(Event(.serverStarted, actor: .controller))
        }
        #expect(refused?.code == .ledgerReadOnly)
        await reader.close()
        await test.close()
        await (try open(test.directory)).close()
    }

    @Test("what was made for the sandbox is not opened for clusters") func mode() async throws {
        let test = try await TestLedger.make(mode: .sandbox)
        await test.close()
        let failure = await #expect(throws: Failure.self) { try await open(test.directory, .clusters) }
        #expect(failure?.code == .dataModeMismatch)
        try FileManager.default.removeItem(atPath: test.directory.path + "/mode")
        let again = await #expect(throws: Failure.self) { try await open(test.directory, .clusters) }
        #expect(again?.code == .dataModeMismatch, "the ledger itself knows what it is for")
        let reopened = try await open(test.directory)
        #expect(reopened.mode == .sandbox)
        await reopened.close()
    }

    @Test("missing and foreign keys are refused, and a reader goes without") func keys() async throws {
        let test = try await TestLedger.make()
        await test.close()
        let key = test.directory.keys + "/master.key"
        let bytes = try Data(contentsOf: URL(fileURLWithPath: key))
        try FileManager.default.removeItem(atPath: key)
        let missing = await #expect(throws: Failure.self) { try await open(test.directory) }
        #expect(missing?.code == .ledgerKeyMissing)
        let reader = try await open(test.directory, nil, .read)
        #expect(try await reader.head() == nil)
        await reader.close()
        var other = bytes
        other[0] ^= 1
        try other.write(to: URL(fileURLWithPath: key))
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: key)
        let wrong = await #expect(throws: Failure.self) { try await open(test.directory) }
        #expect(wrong?.code == .ledgerKeyWrong)
        try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: key)
        let readable = await #expect(throws: Failure.self) { try await open(test.directory) }
        #expect(readable?.code == .dataUnsafe)
    }

    @Test("reading where there is no ledger makes none") func missing() async throws {
        let temporary = try TemporaryDirectory("data")
        #expect(throws: Failure.self) { try DataDirectory(existing: temporary.path) }
        let directory = try DataDirectory(temporary.path + "/data")
        let failure = await #expect(throws: Failure.self) { try await open(directory, nil, .read) }
        #expect(failure?.code == .ledgerMissing)
        #expect(!FileManager.default.fileExists(atPath: directory.ledger))
    }
}
