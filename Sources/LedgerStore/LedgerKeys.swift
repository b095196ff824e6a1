import Crypto
import Foundation
import Shiplog

/// The two secrets of a ledger, kept in files beside the database and never in it or in its replicas.
struct LedgerKeys: Sendable {
    /// Wraps the data keys of sealed values.
    let master: SymmetricKey
    /// Keys the digests that stand in for secret values.
    let redaction: SymmetricKey

    /// Eight bytes that tell this key from another without telling anything about it.
    static func check(_ key: SymmetricKey, purpose: String) -> [UInt8] {
        Array(HMAC<SHA256>.authenticationCode(for: Data("shiplog \(purpose) key".utf8), using: key).prefix(8))
    }

    var masterCheck: [UInt8] { Self.check(master, purpose: "master") }
    var redactionCheck: [UInt8] { Self.check(redaction, purpose: "redaction") }

    static func files(in directory: DataDirectory) -> (master: String, redaction: String) {
        (directory.keys + "/master.key", directory.keys + "/redaction.key")
    }

    /// - Parameter create: whether missing files may be made: only beside a ledger that does not exist yet.
    /// - Throws: `ledger.key-missing`, `data.unsafe`, `ledger.key-wrong` for a file of the wrong length.
    static func load(from directory: DataDirectory, create: Bool) throws(Failure) -> LedgerKeys {
        let files = files(in: directory)
        return LedgerKeys(
            master: try load(files.master, create: create), redaction: try load(files.redaction, create: create))
    }

    private static func load(_ path: String, create: Bool) throws(Failure) -> SymmetricKey {
        if let mode = FileSystem.mode(of: path), mode & 0o077 != 0 {
            throw Failure(
                .dataUnsafe, "the key file \(path) can be read by others than its owner", remedy: "chmod 600 \(path)")
        }
        if let bytes = try FileSystem.read(path, limit: 64) {
            guard bytes.count == 32 else {
                throw Failure(
                    .ledgerKeyWrong, "the key file \(path) does not hold 32 bytes", remedy: "restore it from a backup")
            }
            return SymmetricKey(data: bytes)
        }
        guard create else {
            throw Failure(
                .ledgerKeyMissing, "the key file \(path) is missing",
                remedy: "restore it from a backup: sealed values cannot be read and digests not compared without it")
        }
        let key = SymmetricKey(size: .bits256)
        try FileSystem.create(path, key.withUnsafeBytes { Array($0) })
        return key
    }
}
