import Foundation
import GRDB
import LedgerStore
import Shiplog
import ShiplogTesting
import Testing
import TransparencyLog

/// What a disk can do to a ledger's files while nobody looks: cut them short, or change a byte of any page.
@Suite struct DamageTests {
    /// The files of a stopped ledger, or of one that a crash stopped, to be copied with a flaw each.
    private struct Original {
        let test: TestLedger
        let file: [UInt8]
        let wal: [UInt8]
        private let copies: TemporaryDirectory

        init(_ test: TestLedger) throws {
            self.test = test
            file = try Self.bytes(test.directory.ledger)
            wal = (try? Self.bytes(test.directory.ledger + "-wal")) ?? []
            copies = try TemporaryDirectory("damage")
        }

        private static func bytes(_ path: String) throws -> [UInt8] {
            Array(try Data(contentsOf: URL(fileURLWithPath: path)))
        }

        /// A data directory with the keys and these files.
        func copy(_ name: String, file: [UInt8]? = nil, wal: [UInt8]? = nil) throws -> DataDirectory {
            let copy = try DataDirectory(copies.path + "/\(name)")
            for key in ["master.key", "redaction.key"] {
                try? FileManager.default.copyItem(
                    atPath: test.directory.keys + "/" + key, toPath: copy.keys + "/" + key)
            }
            try Data(file ?? self.file).write(to: URL(fileURLWithPath: copy.ledger))
            let log = wal ?? self.wal
            if !log.isEmpty { try Data(log).write(to: URL(fileURLWithPath: copy.ledger + "-wal")) }
            return copy
        }

        func remove(_ copy: DataDirectory) { try? FileManager.default.removeItem(atPath: copy.path) }
    }

    // MARK: - A torn write-ahead log

    @Test("a write-ahead log torn at any frame or inside it opens to a beginning of the log, and what is gone is told")
    func tornWAL() async throws {
        let test = try await TestLedger.make { $0.checkpointPages = nil }
        try await test.reopen { $0.checkpointPages = nil }
        for number in 0..<12 {
            try await test.ledger.record(
                Event(.serverStarted, actor: .controller, facts: ["number": .integer(Int64(number))]))
        }
        let kept = try #require(try await test.verify().treeHead)
        let original = try Original(test)
        // https://sqlite.org/walformat.html: a head of 32 bytes, then frames of 24 bytes and a page.
        let frames = (original.wal.count - 32) / (24 + 4096)
        #expect(frames > 40)
        let clock = test.clock
        var heads: Set<Int64> = []
        var newest: Int64 = 0
        // At the end of each frame, and somewhere inside the next.
        var cuts: [Int] = []
        for frame in 0...frames {
            let end = 32 + frame * 4120
            cuts += [end, min(original.wal.count, end + 1 + frame * 37 % 4119)]
        }
        for cut in cuts {
            let copy = try original.copy("\(cut)", wal: Array(original.wal.prefix(cut)))
            let report = try await Ledger.verify(
                copy, kept: [KeptHead(kept, name: "the kept head")], comparesIndexes: false)
            let lost = kept.size - report.rows
            #expect(report.isSound == (lost == 0), "cut at \(cut): \(report)")
            if lost > 0 { #expect(report.first?.message.contains("is missing") == true, "cut at \(cut): \(report)") }
            #expect(report.rows >= newest, "a longer log holds no less")
            newest = max(newest, report.rows)
            heads.insert(report.rows)
            // Every few: it opens for writing, goes on from there, and is whole but for what is gone.
            if cut % 7 == 0 {
                let opened = try await Ledger.open(copy, mode: .sandbox, access: .serve, now: { clock.now })
                #expect(try await opened.record(Event(.serverStarted, actor: .controller)).value == report.rows + 1)
                await opened.close()
                #expect(try await Ledger.verify(copy).isSound)
            }
            original.remove(copy)
        }
        #expect(heads == Set(0...12), "each commit is there whole or not at all")
    }

    // MARK: - A file cut short

    @Test("a file cut short at any page, or inside one, is told or refused, never taken for a shorter log")
    func truncated() async throws {
        let test = try await TestLedger.make()
        try await test.deployed()
        await test.close()
        let original = try Original(test)
        #expect(original.wal.isEmpty)
        let clock = test.clock
        let before = try Self.rows(test.directory.ledger)
        for page in 0..<original.file.count / 4096 {
            for cut in [page * 4096, page * 4096 + 1234] {
                let copy = try original.copy("\(cut)", file: Array(original.file.prefix(cut)))
                let verdict = await Self.verdict(on: copy)
                if verdict == .sound {
                    // What is missing was zeros at the end of a page, which SQLite adds by itself.
                    let same = try Self.rows(copy.ledger) == before
                    #expect(same, "cut to \(cut) bytes")
                }
                // Serving refuses at once, or goes on with a file whose flaw is not in its way; verifying told.
                do throws(Failure) {
                    let opened = try await Ledger.open(copy, mode: .sandbox, access: .serve, now: { clock.now })
                    await opened.close()
                } catch {
                    #expect(
                        ["ledger.corrupt", "ledger.lost", "ledger.unguarded", "ledger.read-failed"].contains(
                            error.code.rawValue), "\(error)")
                }
                original.remove(copy)
            }
        }
    }

    private enum Verdict: Equatable {
        case sound
        case unsound(String)
        case refused(Failure.Code)
    }

    private static func verdict(on directory: DataDirectory) async -> Verdict {
        do throws(Failure) {
            let report = try await Ledger.verify(directory)
            return report.isSound ? .sound : .unsound("\(report)")
        } catch {
            return .refused(error.code)
        }
    }

    // MARK: - A flipped byte

    /// A ledger with every kind of row and of page: overflowing rows, free pages, indexes of more than one page.
    private static func everything() async throws -> TestLedger {
        let test = try await TestLedger.make()
        let ledger = test.ledger
        let (application, revision, desired) = try await test.deployed()
        var generator = SystemRandomNumberGenerator()
        let long = (0..<40_000).map { _ in String(UInt8.random(in: 0...255, using: &generator), radix: 16) }.joined()
        let attempt = try await ledger.begin(
            try Samples.intent(
                application.reference,
                [try Samples.configMap("long", ["text": long]), try Samples.secret("login", ["password": long])],
                at: test.clock.now, commit: "b"))
        try await ledger.finish(attempt, Samples.success(of: attempt, at: test.clock.now))
        for _ in 0..<150 {
            test.clock.advance(byMilliseconds: 1000)
            try await ledger.record(Samples.reconcile(application.reference, at: test.clock.now, sameAs: revision))
        }
        let pin = Pin(
            hold: .untilUnpinned, target: revision, desired: desired, commit: nil, leftInputs: nil, rejected: [])
        try await ledger.setPin(.set(pin), of: application.uid, event: Event(.pinned, actor: .controller))
        let (token, _) = try await ledger.createToken(Token.Draft(name: "ci", role: .deployer), actor: .controller)
        try await ledger.revokeToken(token.id, actor: .controller)
        _ = try await ledger.createToken(Token.Draft(name: "kept", role: .auditor), actor: .controller)
        // Free pages, as a table that is gone leaves them.
        try tamper(test, "CREATE TABLE gone (x); INSERT INTO gone VALUES (zeroblob(60000)); DROP TABLE gone")
        await test.close()
        let report = try await test.verify()
        #expect(report.isSound, "\(report)")
        return test
    }

    /// Which kind of page each is, by SQLite's own account.
    private static func kinds(_ path: String, pages: Int) throws -> [String] {
        let queue = try DatabaseQueue(path: path)
        var kinds = [String](repeating: "free", count: pages)
        for row in try queue.read({ try Row.fetchAll($0, sql: "SELECT pageno, name, pagetype FROM dbstat") }) {
            let (page, name, type): (Int, String, String) = (row[0], row[1], row[2])
            if kinds.indices.contains(page - 1) { kinds[page - 1] = "\(name) (\(type))" }
        }
        try queue.close()
        return kinds
    }

    /// All that can be read from the tables, value by value.
    private static func rows(_ path: String) throws -> [String: [Row]] {
        var configuration = Configuration()
        configuration.readonly = true
        let queue = try DatabaseQueue(path: path, configuration: configuration)
        defer { try? queue.close() }
        return try queue.read { db in
            var rows: [String: [Row]] = [:]
            let tables = try String.fetchAll(
                db, sql: "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
            for table in tables {
                // Of these two nothing else in the log speaks: when they were made, and the id of a ledger that was
                // never signed. docs/replication.md says so.
                let columns = ["ledger": "only_row, mode", "key_check": "id, purpose"][table] ?? "*"
                rows[table] = try Row.fetchAll(db, sql: "SELECT \(columns) FROM \(table)")
            }
            rows["sqlite_schema"] = try Row.fetchAll(db, sql: "SELECT type, name, tbl_name, sql FROM sqlite_schema")
            return rows
        }
    }

    /// What retention and erasing may have done to the ledger before a byte of it changes.
    enum Past: String, CaseIterable, CustomTestStringConvertible {
        case whole, erased, bundled, letGo

        var testDescription: String { rawValue }

        /// What is looked at again; of the rest the whole ledger's run speaks.
        var tables: [String] {
            switch self {
            case .whole: []
            case .erased: ["body", "sealed", "event ", "free"]
            case .bundled, .letGo: ["fold", "subtree ", "leaf (internal", "revision ", "event ", "free"]
            }
        }

        /// Kinds of pages that the ledger must have for the test to say anything.
        var kinds: [String] {
            switch self {
            case .whole:
                [
                    "leaf (leaf)", "revision (leaf)", "event (leaf)", "body (leaf)", "blob (overflow)",
                    "sealed (overflow)", "sqlite_schema (leaf)", "application (leaf)", "revision_application (leaf)",
                    "free"
                ]
            case .erased: ["body (leaf)", "sealed (leaf)", "event (leaf)", "free"]
            case .bundled: ["fold (leaf)", "fold (overflow)", "subtree (leaf)", "leaf (internal)", "free"]
            case .letGo: ["fold (leaf)", "subtree (leaf)", "leaf (internal)", "free"]
            }
        }
    }

    private static func ledger(with past: Past) async throws -> TestLedger {
        switch past {
        case .whole: return try await everything()
        case .erased:
            let test = try await everything()
            let ledger = try await test.reopen()
            let application = try #require(try await ledger.application(named: "guestbook"))
            let secret = ResourceKey(group: "", kind: "Secret", namespace: "demo", name: "login")
            try await ledger.eraseSecretValues(
                of: secret, name: nil, for: application.uid, actor: .controller, reason: "asked for")
            let revision = try #require(try await ledger.revisions(RevisionQuery(limit: 1)).items.last)
            try await ledger.eraseBody(
                "resources", of: revision.sequence, event: Event(.bodyErased, actor: .controller))
            await test.close()
            return test
        case .bundled, .letGo:
            let test = try await RetentionTests.looked(4200)
            let fold = try await test.ledger.fold(before: test.clock.now, keepsEntries: true, actor: .controller)
            #expect(fold?.entries ?? 0 > 4000)
            if past == .letGo { #expect(try await test.ledger.dropBundles(actor: .controller) == 1) }
            await test.close()
            return test
        }
    }

    /// Reads all that a server would show. It may refuse whatever it finds; it may not end the process.
    private static func look(at directory: DataDirectory) async {
        guard
            let ledger = try? await Ledger.open(
                directory, mode: nil, access: .read, now: { Timestamp(milliseconds: 0) })
        else { return }
        _ = try? await ledger.states(at: .head)
        _ = try? await ledger.statistics()
        _ = try? await ledger.unfinishedFleets()
        _ = try? await ledger.openAttempts()
        _ = try? await ledger.bodies(1...10_000, after: nil)
        for first in stride(from: Int64(1), to: 4300, by: 512) {
            _ = try? await ledger.entries(first...first + 511)
        }
        let (from, to) = (Timestamp(milliseconds: 0), Timestamp(milliseconds: .max / 2))
        for application in (try? await ledger.applications()) ?? [] {
            _ = try? await ledger.deliveries(of: [application.uid], from: from, to: to)
            _ = try? await ledger.inventory(of: application.uid)
            _ = try? await ledger.attempt(of: application.uid, in: application.changedBy)
        }
        for number in Int64(1)...12 {
            guard let sequence = SequenceNumber(number) else { continue }
            _ = try? await ledger.record(at: sequence)
        }
        await ledger.close()
    }

    @Test("a byte changed in any page is found by verifying, or every row is what it was", arguments: Past.allCases)
    func flipped(past: Past) async throws {
        let test = try await Self.ledger(with: past)
        let sound = try await test.verify()
        #expect(sound.isSound, "\(sound)")
        let original = try Original(test)
        let pages = original.file.count / 4096
        let kinds = try Self.kinds(test.directory.ledger, pages: pages)
        for kind in past.kinds {
            #expect(kinds.contains(kind), "no page of the kind \(kind) is in the test: \(Set(kinds).sorted())")
        }
        let before = try Self.rows(test.directory.ledger)
        let seed =
            UInt64(ProcessInfo.processInfo.environment["SHIPLOG_DAMAGE_SEED"] ?? "")
            ?? UInt64.random(in: 0...UInt64.max)
        let flips = Int(ProcessInfo.processInfo.environment["SHIPLOG_DAMAGE_FLIPS"] ?? "") ?? 3
        var generator = Seeded(seed)
        var (found, harmless) = (0, 0)
        // Some of each kind of page, for one table's hundredth page shows what its second does.
        var seen: [String: Int] = [:]
        for (page, kind) in kinds.enumerated() where seen[kind, default: 0] < (past == .whole ? 3 : 1) {
            guard past == .whole || past.tables.contains(where: { kind.hasPrefix($0) }) else { continue }
            seen[kind, default: 0] += 1
            for flip in 0..<(page == 0 ? flips * 10 : flips) {
                // A byte of the page's head, then bytes that hold something, and now and then one that does not.
                let content = (0..<4096).filter { original.file[page * 4096 + $0] != 0 }
                let within =
                    switch flip % 4 {
                    case 0: Int.random(in: 0..<112, using: &generator)
                    case 3: Int.random(in: 0..<4096, using: &generator)
                    default: content.randomElement(using: &generator) ?? 0
                    }
                var bytes = original.file
                bytes[page * 4096 + within] ^= UInt8.random(in: 1...255, using: &generator)
                let copy = try original.copy("flip", file: bytes)
                await Self.look(at: copy)
                if await Self.verdict(on: copy) == .sound {
                    harmless += 1
                    let after = try Self.rows(copy.ledger)
                    let same = after == before
                    #expect(same, "seed \(seed), \(past): byte \(within) of page \(page + 1), \(kind)")
                } else {
                    found += 1
                }
                original.remove(copy)
            }
        }
        print(
            "seed \(seed), \(past): \(found) flips found, \(harmless) changed no row, in \(seen.count) kinds of pages")
        // Chance decides where a byte falls; that nothing at all is found would be no chance any more.
        #expect(found > (found + harmless) / 5)
    }
}

/// SplitMix64: the same numbers for the same seed. (https://prng.di.unimi.it/splitmix64.c)
private struct Seeded: RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
