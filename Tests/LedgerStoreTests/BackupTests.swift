import AgeFormat
import Foundation
import LedgerStore
import Shiplog
import ShiplogTesting
import Testing
import TransparencyLog

/// `Ledger.backUp` and `Ledger.restore`, with every flaw a copy can get on its way.
@Suite struct BackupTests {
    private let key = AgePrivateKey()
    private let place: TemporaryDirectory

    init() throws { place = try TemporaryDirectory("backup") }

    private func identity() -> AgeIdentity {
        (try? .file(key.revealed.revealed)) ?? .keys([])
    }

    private func backUp(_ directory: DataDirectory) async throws -> (Backup, [UInt8]) {
        var file: [UInt8] = []
        let backup = try await Ledger.backUp(
            directory, to: [.key(key.recipient)], scratch: place.path, now: Timestamp(milliseconds: 1_795_440_000_000),
            write: { file += $0 })
        #expect(try FileManager.default.contentsOfDirectory(atPath: place.path).isEmpty, "the copy is removed")
        return (backup, file)
    }

    @discardableResult
    private func restore(_ file: [UInt8], to name: String = "restored") async throws -> (Backup, VerificationReport) {
        var rest = file[...]
        return try await Ledger.restore(
            to: place.path + "/" + name, identity: identity(),
            read: {
                // In uneven pieces, as a pipe gives them.
                let piece = rest.prefix(5001)
                rest = rest.dropFirst(5001)
                return piece.isEmpty ? nil : Array(piece)
            })
    }

    private func refusal(of file: [UInt8]) async -> Failure.Code? {
        do {
            try await restore(file)
        } catch {
            return (error as? Failure)?.code
        }
        return nil
    }

    private var left: [String] { (try? FileManager.default.contentsOfDirectory(atPath: place.path)) ?? ["?"] }

    /// An archive made by hand, encrypted as a backup is.
    private func archive(_ files: [(name: String, bytes: [UInt8])], ends: Bool = true) throws -> [UInt8] {
        var tar: [UInt8] = []
        for (name, bytes) in files {
            var head = [UInt8](repeating: 0, count: 512)
            for (index, byte) in name.utf8.prefix(100).enumerated() { head[index] = byte }
            for (index, byte) in (String(repeating: "0", count: 11) + String(bytes.count, radix: 8)).suffix(11).utf8
                .enumerated()
            {
                head[124 + index] = byte
            }
            head[156] = UInt8(ascii: "0")
            for index in 148..<156 { head[index] = 32 }
            let sum = head.reduce(0) { $0 + Int($1) }
            for (index, byte) in ("00000" + String(sum, radix: 8)).suffix(6).utf8.enumerated() {
                head[148 + index] = byte
            }
            tar += head + bytes + [UInt8](repeating: 0, count: (512 - bytes.count % 512) % 512)
        }
        if ends { tar += [UInt8](repeating: 0, count: 1024) }
        var encryptor = try AgeEncryptor(to: [.key(key.recipient)])
        return encryptor.head + (try encryptor.encrypt(tar)) + (try encryptor.finish())
    }

    /// The files of a backup, to be put together in another way.
    private func files(of file: [UInt8]) throws -> [(name: String, bytes: [UInt8])] {
        var decryptor = AgeDecryptor(identity())
        var tar = (try decryptor.decrypt(file) + (try decryptor.finish()))[...]
        var files: [(String, [UInt8])] = []
        while let first = tar.first, first != 0 {
            let head = Array(tar.prefix(512))
            let name = String(decoding: head.prefix { $0 != 0 }, as: UTF8.self)
            let size = Int(String(decoding: head[124..<135], as: UTF8.self), radix: 8) ?? 0
            files.append((name, Array(tar.dropFirst(512).prefix(size))))
            tar = tar.dropFirst(512 + (size + 511) / 512 * 512)
        }
        return files
    }

    @Test("a backup taken while the ledger is written to is one moment of it, and restores with its keys") func whole()
        async throws
    {
        let test = try await TestLedger.make()
        let (application, _, desired) = try await test.deployed()
        try Data("shp_secret\n".utf8).write(to: URL(fileURLWithPath: test.directory.tokens + "/admin"))
        let ledger = test.ledger
        let writing = Task {
            var count = 0
            while !Task.isCancelled {
                try await ledger.record(Event(.serverStarted, actor: .controller))
                count += 1
            }
            return count
        }
        let (backup, file) = try await backUp(test.directory)
        writing.cancel()
        let written = try await writing.value
        #expect(written > 0)
        let head = try #require(try await ledger.head())
        #expect(backup.treeHead.size <= head.value)
        let (restored, report) = try await restore(file)
        #expect(restored == backup)
        #expect(report.isSound && report.notes.isEmpty && report.rows == backup.treeHead.size)
        #expect(left == ["restored"])
        let copy = try DataDirectory(existing: place.path + "/restored")
        let now = test.clock.now
        let opened = try await Ledger.open(copy, mode: .sandbox, access: .serve, now: { now })
        #expect(opened.uid == ledger.uid)
        // The values of Secrets too: the keys came along.
        let manifests = try #require(try await opened.manifestsForCluster(desired))
        let values = manifests.compactMap { $0.object.at("data", "password")?.string }
        #expect(values == [Data("s3cr3t".utf8).base64EncodedString()])
        #expect(try await opened.applications().map(\.uid) == [application.uid])
        await opened.close()
        #expect(try String(contentsOfFile: copy.tokens + "/admin", encoding: .utf8) == "shp_secret\n")
        for path in [copy.path, copy.keys, copy.tokens] {
            let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
            #expect(mode == 0o700)
        }
        for path in [copy.ledger, copy.keys + "/master.key", copy.tokens + "/admin"] {
            let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
            #expect(mode == 0o600)
        }
        // The original does not begin with the copy's end, and the copy with the original's beginning.
        #expect(try await Ledger.verify(test.directory, kept: [KeptHead(backup.treeHead, name: "the backup")]).isSound)
    }

    @Test("a backup that was cut short or changed anywhere is refused, and nothing of it is left") func damaged()
        async throws
    {
        let test = try await TestLedger.make()
        try await test.deployed()
        let (_, file) = try await backUp(test.directory)
        for cut in [0, 10, 100, 300, 1000, 70_000, file.count / 2, file.count - 16, file.count - 1] {
            #expect(await refusal(of: Array(file.prefix(cut))) == .ageDamaged, "cut to \(cut)")
            #expect(left == [], "cut to \(cut)")
        }
        for place in stride(from: 3, to: file.count, by: file.count / 40) {
            var changed = file
            changed[place] ^= 4
            let code = await refusal(of: changed)
            #expect(code == .ageDamaged || code == .ageNoMatch, "changed at \(place)")
            #expect(left == [], "changed at \(place)")
        }
        #expect(await refusal(of: file + [1]) == .ageDamaged)
        #expect(await refusal(of: file) == nil)
    }

    @Test("a backup made up by somebody is refused: other files, other names, a ledger that is not sound, no end")
    func forged() async throws {
        let test = try await TestLedger.make()
        try await test.deployed()
        let (_, file) = try await backUp(test.directory)
        let files = try files(of: file)
        #expect(files.map(\.name).first == "manifest.json" && files.map(\.name).last == "ledger.sqlite")
        for name in [
            "../evil", "/etc/evil", "keys/../../evil", "keys/.hidden", "keys/a/b", "repositories/x", "keys/", "mode"
        ] {
            #expect(await refusal(of: try archive(files + [(name, [1])])) == .backupDamaged, "\(name)")
            #expect(left == [])
        }
        for missing in files.map(\.name) {
            let code = await refusal(of: try archive(files.filter { $0.name != missing }))
            #expect(code == .backupDamaged, "without \(missing)")
        }
        #expect(await refusal(of: try archive(files, ends: false)) == .backupDamaged)
        #expect(await refusal(of: try archive([])) == .backupDamaged)
        // Whole and well encrypted, but not the ledger that its manifest names.
        let other = try await TestLedger.make()
        try await other.deployed()
        try await other.ledger.record(Event(.serverStarted, actor: .controller))
        let (_, second) = try await backUp(other.directory)
        let mixed = zip(files, try self.files(of: second)).map { $0.name == "ledger.sqlite" ? $1 : $0 }
        let code = await refusal(of: try archive(mixed))
        #expect(code == .backupDamaged || code == "ledger.unsound", "\(String(describing: code))")
        let edited = files.map { file in
            var bytes = file.bytes
            if file.name == "ledger.sqlite" {
                for index in bytes.indices.dropLast(5) where bytes[index...].starts(with: Array("\"ada\"".utf8)) {
                    bytes[index + 1] = UInt8(ascii: "e")
                    break
                }
            }
            return (name: file.name, bytes: bytes)
        }
        #expect(await refusal(of: try archive(edited)) == "ledger.unsound")
        #expect(left == [])
        #expect(await refusal(of: try archive(files)) == nil, "the same files, put together anew, are a backup")
    }

    @Test("what a killed restore or backup has left goes with the next one, and nothing that is still at work")
    func leftovers() async throws {
        let test = try await TestLedger.make()
        try await test.deployed()
        await test.close()
        let files = FileManager.default
        let beginning = place.path + "/.restored.restoring-"
        let (dead, alive) = (beginning + "0123456789ab", beginning + "ba9876543210")
        let kept = ["/.restored.restoring-short", "/.others.restoring-0123456789ab", "/restored.restoring-0123456789ab"]
        for path in [dead, alive] + kept.map({ place.path + $0 }) {
            try files.createDirectory(atPath: path + "/keys", withIntermediateDirectories: true)
            try "a key".write(toFile: path + "/keys/master.key", atomically: true, encoding: .utf8)
        }
        let lock = open(alive, O_RDONLY | O_DIRECTORY)
        #expect(flock(lock, LOCK_EX | LOCK_NB) == 0)
        let copy = place.path + "/.shiplog-backup-0123456789ab"
        try files.createDirectory(atPath: copy, withIntermediateDirectories: true)
        var file: [UInt8] = []
        _ = try await Ledger.backUp(
            test.directory, to: [.key(key.recipient)], scratch: place.path,
            now: Timestamp(milliseconds: 1_795_440_000_000), write: { file += $0 })
        #expect(!files.fileExists(atPath: copy))
        try await restore(file)
        #expect(!files.fileExists(atPath: dead))
        for path in [alive] + kept.map({ place.path + $0 }) {
            #expect(files.fileExists(atPath: path + "/keys/master.key"))
        }
        close(lock)
        #expect(await refusal(of: Array(file.dropLast(9))) == "backup.target-not-empty")
        try files.removeItem(atPath: place.path + "/restored")
        #expect(await refusal(of: Array(file.dropLast(9))) == "age.damaged")
        #expect(!files.fileExists(atPath: alive))
    }

    @Test("a backup is never restored over something") func notEmpty() async throws {
        let test = try await TestLedger.make()
        let (_, file) = try await backUp(test.directory)
        let target = place.path + "/taken"
        try FileManager.default.createDirectory(atPath: target, withIntermediateDirectories: false)
        try Data("mine".utf8).write(to: URL(fileURLWithPath: target + "/file"))
        let failure = await #expect(throws: Failure.self) { try await restore(file, to: "taken") }
        #expect(failure?.code == .backupTargetNotEmpty)
        #expect(left == ["taken"])
        try FileManager.default.removeItem(atPath: target + "/file")
        try await restore(file, to: "taken")
        #expect(left == ["taken"], "an empty directory is taken")
    }

    @Test("without its keys a data directory is not backed up as if it were whole") func keys() async throws {
        let test = try await TestLedger.make()
        try FileManager.default.removeItem(atPath: test.directory.keys + "/master.key")
        let failure = await #expect(throws: Failure.self) { try await backUp(test.directory) }
        #expect(failure?.code == .ledgerKeyMissing)
        #expect(left == [])
    }
}
