public import AgeFormat
import Foundation
import GRDB
public import Shiplog
import TransparencyLog

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

extension Ledger {
    /// Writes everything that a data directory cannot get again, as one encrypted file, beside a running server or without
    /// one: the ledger as it is at one moment, the keys, the tokens' files and what the directory is for.
    ///
    /// - Parameters:
    ///   - scratch: a directory with room for a copy of the ledger, which is removed again. Not the data directory: a
    ///     copy that fills its disk would stop the server.
    ///   - now: when it is made.
    ///   - write: takes the file's bytes in order, at most a few hundred KiB at once.
    /// - Throws: `ledger.missing`, `ledger.key-missing`, `ledger.corrupt`, `ledger.older-schema`, `backup.failed`, and
    ///   what `write` throws.
    public static func backUp(
        _ directory: DataDirectory, to recipients: [AgeRecipient], scratch: String, now: Timestamp,
        write: (ArraySlice<UInt8>) throws(Failure) -> Void
    ) async throws(Failure) -> Backup {
        // First of all: what cannot be encrypted must not be written anywhere.
        var encryptor = try AgeEncryptor(to: recipients)
        _ = try LedgerKeys.load(from: directory, create: false)
        let place = try ScratchDirectory(in: scratch, named: ".shiplog-backup-")
        let copy = place.path + "/ledger.sqlite"
        // SQLite gives its own files the mode of this one.
        try FileSystem.create(copy, [])
        let (backup, files) = try await snapshot(directory, into: copy, now: now)

        func put(_ bytes: some Collection<UInt8>) throws(Failure) { try write(try encryptor.encrypt(bytes)[...]) }
        try write(encryptor.head[...])
        for (name, bytes) in [("manifest.json", backup.json.canonicalBytes)] + files {
            try put(Tar.head(name, size: Int64(bytes.count), at: now) + bytes + Tar.padding(after: Int64(bytes.count)))
        }
        try put(Tar.head("ledger.sqlite", size: backup.bytes, at: now))
        var left = backup.bytes
        try FileSystem.readAll(copy) { (bytes) throws(Failure) in
            left -= Int64(bytes.count)
            try put(bytes)
        }
        guard left == 0 else { throw failure(of: scratch, "the copy of the ledger changed while it was read") }
        try put(Tar.padding(after: backup.bytes))
        try put(Tar.end)
        try write(try encryptor.finish()[...])
        return withExtendedLifetime(place) { backup }
    }

    /// The ledger of one moment as a file of its own, and the small files that belong to it.
    private static func snapshot(
        _ directory: DataDirectory, into copy: String, now: Timestamp
    ) async throws(Failure) -> (Backup, files: [(String, [UInt8])]) {
        do {
            let pool = try Connections.readers(directory.ledger, count: 2)
            defer { try? pool.close() }
            let snapshot = try pool.makeSnapshot()
            defer { try? snapshot.close() }
            // After the snapshot has begun: a key that is made later is needed by nothing in it.
            let (schema, uid, mode, head) = try await snapshot.read { db in
                let schema = try Schema.check(db)
                guard let row = try Row.fetchOne(db, sql: "SELECT uid, mode FROM ledger"),
                    let mode = Mode(rawValue: try row.held(1))
                else { throw Failure.corrupt("ledger.sqlite has no identity") }
                return (schema, try row.held(0) as String, mode, try Self.treeHead(db))
            }
            let files = try smallFiles(directory, mode)
            try await snapshot.read { db in
                var configuration = Configuration()
                configuration.prepareDatabase { db in try db.execute(sql: "PRAGMA synchronous = OFF") }
                let target = try DatabaseQueue(path: copy, configuration: configuration)
                defer { try? target.close() }
                // In steps, so that it can be cancelled; the snapshot keeps them at one moment.
                try target.writeWithoutTransaction { target in
                    try db.backup(to: target, pagesPerStep: 4096) { _ in try Task.checkCancellation() }
                }
            }
            let bytes = FileSystem.size(of: copy) ?? 0
            return (
                Backup(ledger: uid, mode: mode, schema: schema, treeHead: head, bytes: bytes, createdAt: now), files
            )
        } catch {
            if let error = error as? DatabaseError, error.resultCode == .SQLITE_FULL {
                throw failure(of: copy, "there is no room for a copy of the ledger")
            }
            throw Connections.failure(error, "copying the ledger")
        }
    }

    private static func failure(of place: String, _ what: String) -> Failure {
        Failure(
            .backupFailed, "\(what) (\(place))", remedy: "make room there, or name another directory with --scratch")
    }

    private static func treeHead(_ db: Database) throws -> TreeHead {
        var range = MerkleRange()
        let cursor = try Row.fetchCursor(db, sql: "SELECT hash FROM leaf ORDER BY sequence")
        while let row = try cursor.next() {
            guard let hash = MerkleHash(bytes: try row.held(0) as Data) else {
                throw Failure.corrupt("a leaf's hash is none")
            }
            range.append(hash)
        }
        return range.head ?? TreeHead(size: 0, root: .empty)
    }

    /// `mode`, and all that `keys/` and `tokens/` hold.
    private static func smallFiles(_ directory: DataDirectory, _ mode: Mode) throws -> [(String, [UInt8])] {
        var files = [("mode", Array((mode.rawValue + "\n").utf8))]
        for folder in ["keys", "tokens"] {
            let names = (try? FileManager.default.contentsOfDirectory(atPath: directory.path + "/" + folder)) ?? []
            for name in names.sorted() where Unpacking.isPlain(name) {
                let path = directory.path + "/" + folder + "/" + name
                guard FileSystem.mode(of: path).map({ $0 & S_IFMT == S_IFREG }) == true else { continue }
                guard let bytes = try FileSystem.read(path, limit: Unpacking.limit + 1) else { continue }
                guard bytes.count <= Unpacking.limit else {
                    throw Failure(
                        .backupFailed, "the file \(path) is larger than a key or a token can be",
                        remedy: "move it out of the data directory")
                }
                files.append((folder + "/" + name, bytes))
            }
        }
        return files
    }

    /// Makes a data directory of a backup: unpacked beside its place, checked as a whole, and only then put there.
    ///
    /// - Parameters:
    ///   - path: where nothing is, or an empty directory.
    ///   - read: gives the file's next bytes; nil at its end.
    /// - Throws: `backup.target-not-empty`, `backup.damaged`, `backup.unsupported`, `age.damaged`, `age.no-match`,
    ///   `ledger.unsound`, and what `read` throws. Nothing is left at the place then, nor beside it.
    public static func restore(
        to path: String, identity: AgeIdentity, read: () throws(Failure) -> [UInt8]?,
        progress: @escaping @Sendable (VerificationProgress) -> Void = { _ in }
    ) async throws(Failure) -> (Backup, VerificationReport) {
        let target = DataDirectory.normal(path)
        guard try Unpacking.isFree(target) else {
            throw Failure(
                .backupTargetNotEmpty, "\(target) is not empty", remedy: "name a directory that does not exist yet")
        }
        let (parent, name) = Unpacking.parts(of: target)
        let place = try ScratchDirectory(in: parent, named: "." + name + ".restoring-")
        let made = try await unpack(place.path, identity, read, progress)
        try place.become(target)
        return made
    }

    private static func unpack(
        _ place: String, _ identity: AgeIdentity, _ read: () throws(Failure) -> [UInt8]?,
        _ progress: @escaping @Sendable (VerificationProgress) -> Void
    ) async throws(Failure) -> (Backup, VerificationReport) {
        let directory = try DataDirectory(place)
        var unpacking = Unpacking(directory)
        var decryptor = AgeDecryptor(identity)
        var tar = TarReader()
        while let bytes = try read() {
            try tar.read(try decryptor.decrypt(bytes)) { (part) throws(Failure) in try unpacking.take(part) }
        }
        try tar.read(try decryptor.finish()) { (part) throws(Failure) in try unpacking.take(part) }
        try tar.finish()
        let backup = try unpacking.finish()
        if backup.schema < Schema.newest {
            // Checked by the rules of this version, which brings it up to date first.
            let ledger = try await Ledger.open(
                directory, mode: backup.mode, access: .serve, now: { backup.createdAt },
                options: Options(reserveBytes: 0))
            await ledger.close()
        }
        let report = try await verify(
            directory, kept: [KeptHead(backup.treeHead, name: "the backup's manifest")], progress: progress)
        guard report.isSound, report.treeHead == backup.treeHead else {
            throw Failure(
                "ledger.unsound", "the ledger in the backup is not sound: \(report)",
                remedy: "use another copy of the backup, or an older one")
        }
        for name in ["-wal", "-shm"] { _ = unlink(directory.ledger + name) }
        return (backup, report)
    }
}
