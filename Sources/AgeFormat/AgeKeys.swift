import Crypto
import CryptoExtras
import Foundation
public import Shiplog

/// Who can read an encrypted file.
public enum AgeRecipient: Sendable {
    /// Whoever has the identity that belongs to this public key.
    case key(AgePublicKey)
    /// Whoever knows the passphrase. Alone in a file: it also says who wrote it.
    case passphrase(AgePassphrase)
}

/// What opens an encrypted file.
public enum AgeIdentity: Sendable {
    case keys([AgePrivateKey])
    case passphrase(AgePassphrase)

    /// The identities of a file as `age-keygen` writes it: one a line, with comments.
    /// - Throws: `age.identity-invalid`.
    public static func file(_ text: String) throws(Failure) -> AgeIdentity {
        var keys: [AgePrivateKey] = []
        for (number, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let line = line.trimmingCharacters(in: .whitespaces)
            if line.isEmpty || line.hasPrefix("#") { continue }
            guard let key = AgePrivateKey(line) else {
                // Not the line itself: it may be a key with one wrong character.
                throw Failure(
                    .ageIdentityInvalid, "line \(number + 1) of the identity file is no X25519 identity of age",
                    remedy: "use a file that age-keygen wrote")
            }
            keys.append(key)
        }
        guard !keys.isEmpty else {
            throw Failure(
                .ageIdentityInvalid, "the identity file holds no identity", remedy: "use a file that age-keygen wrote")
        }
        return .keys(keys)
    }
}

/// `age1…`: an X25519 public key.
public struct AgePublicKey: Sendable, CustomStringConvertible {
    let bytes: [UInt8]

    public init(_ text: String) throws(Failure) {
        guard let (prefix, bytes) = Bech32.decode(text), prefix == "age", bytes.count == 32, text == text.lowercased()
        else {
            throw Failure(
                .ageRecipientInvalid, "\(text.prefix(80)) is no X25519 recipient of age",
                remedy: "use the age1… line that age-keygen prints")
        }
        self.bytes = bytes
    }

    init(bytes: [UInt8]) { self.bytes = bytes }

    public var description: String { Bech32.encode("age", bytes) }
}

/// `AGE-SECRET-KEY-1…`.
public struct AgePrivateKey: Sendable {
    let key: Curve25519.KeyAgreement.PrivateKey

    init?(_ text: String) {
        guard let (prefix, bytes) = Bech32.decode(text), prefix == "age-secret-key-", bytes.count == 32,
            text == text.uppercased(), let key = try? Curve25519.KeyAgreement.PrivateKey(rawRepresentation: bytes)
        else { return nil }
        self.key = key
    }

    /// A new one.
    public init() { key = Curve25519.KeyAgreement.PrivateKey() }

    public var recipient: AgePublicKey { AgePublicKey(bytes: Array(key.publicKey.rawRepresentation)) }
    /// The text that an identity file holds. A secret.
    public var revealed: SecretText {
        SecretText(Bech32.encode("age-secret-key-", Array(key.rawRepresentation)).uppercased())
    }
}

public struct AgePassphrase: Sendable {
    let text: SecretText
    /// The base-two logarithm of scrypt's work, and of its memory in KiB: 18 takes 256 MiB and about a second.
    let logWork: Int

    /// - Parameter logWork: 1…22, for encrypting.
    public init(_ text: SecretText, logWork: Int = 18) throws(Failure) {
        guard !text.revealed.isEmpty else {
            throw Failure(.agePassphraseInvalid, "the passphrase is empty", remedy: "write one into the file")
        }
        self.text = text
        self.logWork = min(max(logWork, 1), Self.largestLogWork)
    }

    /// What a file may ask for: 4 GiB and a minute is what age itself allows; a quarter of that is what is taken here.
    static let largestLogWork = 20

    func wrapKey(salt: [UInt8], logWork: Int) throws(Failure) -> SymmetricKey {
        do {
            return try KDF.Scrypt.deriveKey(
                from: Data(text.revealed.utf8), salt: Data("age-encryption.org/v1/scrypt".utf8) + Data(salt),
                outputByteCount: 32, rounds: 1 << logWork, blockSize: 8, parallelism: 1)
        } catch {
            throw Failure(
                .ageUnsupported, "the passphrase cannot be turned into a key",
                remedy: "it takes \(1 << max(0, logWork - 10)) MiB of memory")
        }
    }
}
