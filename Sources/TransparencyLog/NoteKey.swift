import Crypto
import Foundation
public import Shiplog

/// A key that notes are checked with, in the form that C2SP calls a vkey: `NAME+KEYID+BASE64`.
/// <https://c2sp.org/signed-note>
public struct NoteVerifier: Sendable, Hashable, CustomStringConvertible {
    /// What a signature says beside who made it.
    public enum Algorithm: UInt8, Sendable, Hashable {
        /// Ed25519 over the note's text.
        case ed25519 = 1
        /// Ed25519 over the note's text and the time at which a witness saw it: <https://c2sp.org/tlog-cosignature>.
        case cosignature = 4
    }

    /// Non-empty, without blanks and `+`.
    public let name: String
    public let algorithm: Algorithm
    /// 32 bytes.
    public let publicKey: [UInt8]

    /// nil for a name that no key may have, or a key that is not 32 bytes long.
    public init?(name: String, algorithm: Algorithm = .ed25519, publicKey: [UInt8]) {
        guard Self.isName(name), publicKey.count == 32 else { return nil }
        self.name = name
        self.algorithm = algorithm
        self.publicKey = publicKey
    }

    /// - Throws: `log.key-invalid`.
    public init(_ text: String) throws(Failure) {
        let parts = text.split(separator: "+", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3, let data = Data(base64Encoded: String(parts[2])), data.count == 33,
            data.base64EncodedString() == parts[2], let algorithm = data.first.flatMap(Algorithm.init(rawValue:)),
            let key = Self(name: String(parts[0]), algorithm: algorithm, publicKey: Array(data.dropFirst())),
            key.id.hex == parts[1]
        else {
            throw Failure(
                "log.key-invalid", "a verifier key is NAME+KEYID+BASE64, of an Ed25519 key or a witness's",
                remedy: "copy the whole line that `shiplog ledger key list` prints")
        }
        self = key
    }

    static func isName(_ name: String) -> Bool {
        !name.isEmpty && name.utf8.count <= 255
            && name.unicodeScalars.allSatisfy {
                $0 != "+" && $0.value > 0x20 && $0.value != 0x7F && !$0.properties.isWhitespace
            }
    }

    /// Four bytes that name the key in signatures; no proof of anything.
    public var id: [UInt8] {
        var hash = SHA256()
        hash.update(data: Array(name.utf8) + [0x0A, algorithm.rawValue])
        hash.update(data: publicKey)
        return Array(hash.finalize().prefix(4))
    }

    public var description: String {
        "\(name)+\(id.hex)+\(Data([algorithm.rawValue] + publicKey).base64EncodedString())"
    }

    /// Whether the signature, without its key id, is this key's over the text.
    func verifies(_ signature: [UInt8], of text: [UInt8]) -> Bool {
        guard let key = try? Curve25519.Signing.PublicKey(rawRepresentation: publicKey) else { return false }
        switch algorithm {
        case .ed25519:
            return signature.count == 64 && key.isValidSignature(signature, for: text)
        case .cosignature:
            guard signature.count == 72, let time = Self.time(of: signature) else { return false }
            return key.isValidSignature(signature[8...], for: Self.cosigned(text, at: time))
        }
    }

    /// The seconds since 1970 that a cosignature carries.
    static func time(of signature: [UInt8]) -> Int64? {
        guard signature.count == 72 else { return nil }
        return Int64(exactly: signature.prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
    }

    static func cosigned(_ text: [UInt8], at time: Int64) -> [UInt8] {
        Array("cosignature/v1\ntime \(time)\n".utf8) + text
    }
}

/// A key that signs notes. Its secret is never printed; it is read from and written to a file only.
public struct NoteSigner: Sendable {
    public let verifier: NoteVerifier
    private let key: Curve25519.Signing.PrivateKey

    /// A new key; nil for a name that no key may have.
    public init?(name: String) {
        self.init(name: name, key: Curve25519.Signing.PrivateKey())
    }

    /// nil for a name that no key may have.
    init?(name: String, key: Curve25519.Signing.PrivateKey) {
        guard let verifier = NoteVerifier(name: name, publicKey: Array(key.publicKey.rawRepresentation)) else {
            return nil
        }
        self.key = key
        self.verifier = verifier
    }

    /// Reads the form that Go's `note` package writes: `PRIVATE+KEY+NAME+KEYID+BASE64`.
    /// - Throws: `log.key-invalid`.
    public init(secret: String) throws(Failure) {
        let invalid = Failure(
            "log.key-invalid", "the file of the signing key does not hold one", remedy: "restore it from a backup")
        let prefix = "PRIVATE+KEY+"
        guard secret.hasPrefix(prefix) else { throw invalid }
        let parts = secret.dropFirst(prefix.count).split(separator: "+", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3, let data = Data(base64Encoded: String(parts[2])), data.count == 33, data.first == 1,
            let key = try? Curve25519.Signing.PrivateKey(rawRepresentation: data.dropFirst()),
            let signer = Self(name: String(parts[0]), key: key), signer.verifier.id.hex == parts[1]
        else { throw invalid }
        self = signer
    }

    /// For the key's file and nothing else.
    public var secret: SecretText {
        SecretText(
            "PRIVATE+KEY+\(verifier.name)+\(verifier.id.hex)+"
                + Data([NoteVerifier.Algorithm.ed25519.rawValue] + Array(key.rawRepresentation)).base64EncodedString())
    }

    /// - Throws: `log.signing-failed`.
    func sign(_ text: [UInt8]) throws(Failure) -> [UInt8] {
        do {
            return Array(try key.signature(for: text))
        } catch {
            throw Failure("log.signing-failed", "a checkpoint could not be signed")
        }
    }
}
