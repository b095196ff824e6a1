import Shiplog
import TransparencyLog

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// The newest checkpoint of a ledger, in a place outside its database: what tells a restored copy from the ledger itself.
struct CheckpointFile: Sendable {
    /// A folder that several ledgers may share; best on another disk than the database.
    let folder: String
    let uid: String

    var path: String { folder + "/" + uid + ".checkpoint" }
    /// The last one of an epoch that has ended.
    func path(ofEpoch number: Int64) -> String { "\(folder)/\(uid).epoch-\(number).checkpoint" }

    /// The highest epoch of which a last checkpoint is kept here; 0 when there is none.
    var lastEnded: Int64 {
        FileSystem.names(in: folder).compactMap { endedEpoch($0) }.max() ?? 0
    }

    /// The epoch whose last checkpoint a file of that name is; nil for another file.
    func endedEpoch(_ name: String) -> Int64? {
        let prefix = uid + ".epoch-"
        guard name.hasPrefix(prefix), name.hasSuffix(".checkpoint") else { return nil }
        return Int64(name.dropFirst(prefix.count).dropLast(".checkpoint".count))
            .flatMap { 1...1 << 32 ~= $0 ? $0 : nil }
    }

    /// nil when there is none.
    /// - Throws: `data.unusable`, `log.note-invalid`, `log.checkpoint-invalid`.
    func read() throws(Failure) -> Checkpoint? { try Self.read(path) }

    static func read(_ path: String) throws(Failure) -> Checkpoint? {
        guard let bytes = try FileSystem.read(path, limit: SignedNote.maximumBytes) else { return nil }
        return try Checkpoint(parsing: bytes)
    }

    /// Replaces it; whole and durable, with its name, when this returns.
    /// - Throws: `log.checkpoint-unwritable`.
    func write(_ checkpoint: Checkpoint, to path: String? = nil) throws(Failure) {
        let path = path ?? self.path
        if let why = FileSystem.replace(path, with: checkpoint.note.bytes, mode: 0o644) {
            throw Failure(
                "log.checkpoint-unwritable", "the checkpoint \(path) cannot be written: \(why)",
                remedy: "make room or give this user the right to write there; it is tried again",
                next: .retry(afterMilliseconds: nil))
        }
        do throws(Failure) {
            try FileSystem.syncDirectory(of: path)
        } catch {
            throw Failure(
                "log.checkpoint-unwritable", error.message, remedy: "look after the disk; it is tried again",
                next: .retry(afterMilliseconds: nil))
        }
    }
}

/// The files of the keys that sign checkpoints: 0600, in `keys/`, never in the database or its replicas.
struct SigningKeyFiles: Sendable {
    let folder: String

    func path(_ key: NoteVerifier) -> String { folder + "/log-" + key.id.hex + ".key" }

    /// nil when there is no file.
    /// - Throws: `data.unsafe`, `log.key-invalid`.
    func signer(for key: NoteVerifier) throws(Failure) -> NoteSigner? {
        let path = path(key)
        if let mode = FileSystem.mode(of: path), mode & 0o077 != 0 {
            throw Failure(
                .dataUnsafe, "the key file \(path) can be read by others than its owner", remedy: "chmod 600 \(path)")
        }
        guard let bytes = try FileSystem.read(path, limit: 4096) else { return nil }
        let signer = try NoteSigner(secret: String(decoding: bytes, as: UTF8.self).filter { !$0.isNewline })
        guard signer.verifier == key else {
            throw Failure(
                "log.key-invalid", "the file \(path) holds another key than its name says",
                remedy: "restore it from a backup")
        }
        return signer
    }

    func store(_ signer: NoteSigner) throws(Failure) {
        try FileSystem.create(path(signer.verifier), Array((signer.secret.revealed + "\n").utf8))
    }

    func remove(_ key: NoteVerifier) { _ = unlink(path(key)) }
}
