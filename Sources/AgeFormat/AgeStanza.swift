import Crypto
import Foundation
import Shiplog

/// One way to the file key: for whom, and the key wrapped for them.
struct AgeStanza {
    var arguments: [String]
    var body: [UInt8]

    var text: String {
        let body = Array(AgeBase64.encode(body).utf8)
        var text = "-> " + arguments.joined(separator: " ") + "\n"
        for start in stride(from: 0, to: body.count, by: 64) {
            text += String(decoding: body[start..<min(start + 64, body.count)], as: UTF8.self) + "\n"
        }
        // The last line is shorter than the others, if need be empty.
        return body.count % 64 == 0 ? text + "\n" : text
    }

    // MARK: Wrapping

    static func wrap(_ fileKey: SymmetricKey, for recipient: AgeRecipient) throws(Failure) -> AgeStanza {
        switch recipient {
        case .key(let key):
            let ephemeral = Curve25519.KeyAgreement.PrivateKey()
            let share = Array(ephemeral.publicKey.rawRepresentation)
            guard
                let wrapKey = x25519(
                    ephemeral, with: key.bytes, share: share, recipient: key.bytes)
            else {
                throw Failure(
                    .ageRecipientInvalid, "\(key) is no key that anything can be encrypted to",
                    remedy: "use the age1… line that age-keygen prints")
            }
            return AgeStanza(
                arguments: ["X25519", AgeBase64.encode(share)], body: try Sealing.seal(fileKey, wrapKey))
        case .passphrase(let passphrase):
            let salt = Sealing.random(16)
            let wrapKey = try passphrase.wrapKey(salt: salt, logWork: passphrase.logWork)
            return AgeStanza(
                arguments: ["scrypt", AgeBase64.encode(salt), String(passphrase.logWork)],
                body: try Sealing.seal(fileKey, wrapKey))
        }
    }

    // MARK: Unwrapping

    /// The file key, if it is wrapped for this identity; nil for a stanza that is somebody else's.
    func unwrap(_ identity: AgeIdentity) throws(Failure) -> SymmetricKey? {
        switch (arguments.first, identity) {
        case ("X25519", .keys(let keys)):
            guard arguments.count == 2, let share = AgeBase64.decode(arguments[1]), share.count == 32, body.count == 32
            else { throw .ageDamaged("a recipient's part of the header is malformed") }
            for key in keys {
                let recipient = Array(key.key.publicKey.rawRepresentation)
                guard let wrapKey = Self.x25519(key.key, with: share, share: share, recipient: recipient) else {
                    throw .ageDamaged("a recipient's part of the header is malformed")
                }
                if let found = Sealing.open(body, wrapKey) { return found }
            }
            return nil
        case ("scrypt", .passphrase(let passphrase)):
            guard arguments.count == 3, let salt = AgeBase64.decode(arguments[1]), salt.count == 16, body.count == 32,
                let logWork = Int(arguments[2]), String(logWork) == arguments[2], logWork > 0
            else { throw .ageDamaged("the passphrase's part of the header is malformed") }
            guard logWork <= AgePassphrase.largestLogWork else {
                throw Failure(
                    .ageUnsupported, "the file asks for more work on the passphrase than is done here (2^\(logWork))",
                    remedy: "decrypt it with age, and encrypt it anew")
            }
            return Sealing.open(body, try passphrase.wrapKey(salt: salt, logWork: logWork))
        default: return nil
        }
    }

    /// nil when the other side's share is a point that gives the secret away.
    private static func x25519(
        _ own: Curve25519.KeyAgreement.PrivateKey, with other: [UInt8], share: [UInt8], recipient: [UInt8]
    ) -> SymmetricKey? {
        guard let other = try? Curve25519.KeyAgreement.PublicKey(rawRepresentation: other),
            let secret = try? own.sharedSecretFromKeyAgreement(with: other),
            secret.withUnsafeBytes({ bytes in bytes.contains { $0 != 0 } })
        else { return nil }
        return secret.hkdfDerivedSymmetricKey(
            using: SHA256.self, salt: Data(share + recipient), sharedInfo: Data("age-encryption.org/v1/X25519".utf8),
            outputByteCount: 32)
    }
}

/// ChaCha20-Poly1305 with a key that is used once.
enum Sealing {
    static func seal(_ key: SymmetricKey, _ wrapKey: SymmetricKey) throws(Failure) -> [UInt8] {
        try seal(key.withUnsafeBytes { Array($0) }[...], wrapKey, nonce: [UInt8](repeating: 0, count: 12))
    }

    static func open(_ body: [UInt8], _ wrapKey: SymmetricKey) -> SymmetricKey? {
        open(body[...], wrapKey, nonce: [UInt8](repeating: 0, count: 12)).map { SymmetricKey(data: $0) }
    }

    static func seal(_ bytes: ArraySlice<UInt8>, _ key: SymmetricKey, nonce: [UInt8]) throws(Failure) -> [UInt8] {
        do {
            let box = try ChaChaPoly.seal(bytes, using: key, nonce: ChaChaPoly.Nonce(data: nonce))
            return Array(box.ciphertext) + Array(box.tag)
        } catch {
            throw Failure(.ageUnsupported, "the cipher refuses to encrypt")
        }
    }

    /// nil when the tag does not fit.
    static func open(_ sealed: ArraySlice<UInt8>, _ key: SymmetricKey, nonce: [UInt8]) -> [UInt8]? {
        guard sealed.count >= 16, let nonce = try? ChaChaPoly.Nonce(data: nonce),
            let box = try? ChaChaPoly.SealedBox(
                nonce: nonce, ciphertext: sealed.dropLast(16), tag: sealed.suffix(16)),
            let bytes = try? ChaChaPoly.open(box, using: key)
        else { return nil }
        return Array(bytes)
    }

    static func random(_ count: Int) -> [UInt8] {
        SymmetricKey(size: SymmetricKeySize(bitCount: count * 8)).withUnsafeBytes { Array($0) }
    }

    /// HKDF-SHA-256, 32 bytes.
    static func derive(_ key: SymmetricKey, salt: [UInt8], _ info: String) -> SymmetricKey {
        HKDF<SHA256>.deriveKey(inputKeyMaterial: key, salt: salt, info: Data(info.utf8), outputByteCount: 32)
    }
}
