import Crypto
import Foundation
import Shiplog

/// Encrypts one value: AES-256-GCM under a data key of its own, which the master key wraps the same way. To erase the
/// value, its row is emptied: no copy of the master key opens it again. `docs/decisions/0003-sealing-secrets.md`.
struct Sealer: Sendable {
    let master: SymmetricKey
    let keyID: [UInt8]

    init(_ keys: LedgerKeys) {
        master = keys.master
        keyID = keys.masterCheck
    }

    struct Sealed: Sendable {
        let path: String
        let wrapped: [UInt8]
        let ciphertext: [UInt8]
    }

    /// - Parameter owner: the digest of the redacted document; with the path it is authenticated, so that a row cannot
    ///   be moved to another place.
    func seal(_ value: Redactor.Value, owner: [UInt8]) throws(Failure) -> Sealed {
        let place = Self.place(owner, value.path)
        do {
            let dataKey = SymmetricKey(size: .bits256)
            let ciphertext = try AES.GCM.seal(value.bytes, using: dataKey, authenticating: place)
            let wrapped = try dataKey.withUnsafeBytes { bytes in
                try AES.GCM.seal(Data(bytes), using: master, authenticating: place)
            }
            guard let first = wrapped.combined, let second = ciphertext.combined else {
                throw CryptoKitError.incorrectKeySize
            }
            return Sealed(path: value.path, wrapped: Array(first), ciphertext: Array(second))
        } catch {
            throw Failure(.ledgerKeyWrong, "a secret value cannot be sealed")
        }
    }

    /// - Throws: `ledger.key-wrong` when it was sealed under another master key, or the row was changed.
    func open(wrapped: [UInt8], ciphertext: [UInt8], owner: [UInt8], path: String) throws(Failure) -> [UInt8] {
        let place = Self.place(owner, path)
        do {
            let dataKey = try AES.GCM.open(AES.GCM.SealedBox(combined: wrapped), using: master, authenticating: place)
            let value = try AES.GCM.open(
                AES.GCM.SealedBox(combined: ciphertext), using: SymmetricKey(data: dataKey), authenticating: place)
            return Array(value)
        } catch {
            throw Failure(
                .ledgerKeyWrong, "a sealed value cannot be opened: the master key is another, or the row was changed",
                remedy: "restore keys/master.key from a backup, and run `shiplog ledger verify`")
        }
    }

    private static func place(_ owner: [UInt8], _ path: String) -> [UInt8] { owner + [0] + Array(path.utf8) }
}
