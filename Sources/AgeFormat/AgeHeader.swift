import Crypto
import Foundation
import Shiplog

/// The text in front of an encrypted file: who can read it, and a code over all of it.
enum AgeHeader {
    static let version = "age-encryption.org/v1"
    /// Bytes. A recipient takes about a hundred.
    static let limit = 64 << 10

    static func write(_ stanzas: [AgeStanza], _ fileKey: SymmetricKey) -> [UInt8] {
        let text = version + "\n" + stanzas.map(\.text).joined() + "---"
        return Array((text + " " + AgeBase64.encode(code(Array(text.utf8), fileKey)) + "\n").utf8)
    }

    private static func code(_ text: [UInt8], _ fileKey: SymmetricKey) -> [UInt8] {
        Array(HMAC<SHA256>.authenticationCode(for: text, using: Sealing.derive(fileKey, salt: [], "header")))
    }

    /// Where the header ends, once all of it is there; nil when more is needed.
    /// - Throws: `age.damaged` when this cannot become a header any more.
    static func end(in bytes: [UInt8]) throws(Failure) -> Int? {
        let start = Array((version + "\n").utf8)
        guard bytes.starts(with: start.prefix(bytes.count)) else {
            if bytes.starts(with: Array("-----BEGIN AGE ENCRYPTED FILE".utf8)) {
                throw Failure(
                    .ageUnsupported, "the file is an armored age file",
                    remedy: "decrypt it with age, and encrypt it anew without --armor")
            }
            throw Failure(.ageDamaged, "the file is no age file", remedy: "name one that was encrypted")
        }
        var line = 0
        while let end = bytes[line...].firstIndex(of: 10) {
            if bytes[line..<end].starts(with: Array("---".utf8)) { return end + 1 }
            line = end + 1
        }
        guard bytes.count <= limit else { throw .ageDamaged("its header has no end") }
        return nil
    }

    /// - Parameter bytes: exactly the header.
    /// - Throws: `age.damaged`, `age.no-match`, `age.unsupported`.
    static func open(_ bytes: [UInt8], _ identity: AgeIdentity) throws(Failure) -> SymmetricKey {
        let stanzas = try parse(bytes)
        let isPassphrase = stanzas.contains { $0.arguments.first == "scrypt" }
        guard !isPassphrase || stanzas.count == 1 else {
            throw .ageDamaged("a passphrase is not the only way to read it")
        }
        for stanza in stanzas {
            guard let fileKey = try stanza.unwrap(identity) else { continue }
            guard fileKey.bitCount == 128 else { throw .ageDamaged("its key has a wrong length") }
            guard let mark = bytes.lastIndex(of: UInt8(ascii: " ")),
                let given = AgeBase64.decode(String(decoding: bytes[(mark + 1)...].dropLast(), as: UTF8.self)),
                HMAC<SHA256>.isValidAuthenticationCode(
                    given, authenticating: bytes[..<mark], using: Sealing.derive(fileKey, salt: [], "header"))
            else { throw .ageDamaged("its header was changed") }
            return fileKey
        }
        switch identity {
        case .passphrase where isPassphrase:
            throw Failure(.ageNoMatch, "the passphrase is wrong", remedy: "use the one it was encrypted with")
        case .passphrase:
            throw Failure(.ageNoMatch, "the file is encrypted to recipients", remedy: "name an identity file")
        case .keys where isPassphrase:
            throw Failure(.ageNoMatch, "the file is encrypted with a passphrase", remedy: "name a passphrase file")
        case .keys:
            throw Failure(
                .ageNoMatch, "no identity is one that the file is encrypted to",
                remedy: "use the identity of one of its recipients")
        }
    }

    private static func parse(_ bytes: [UInt8]) throws(Failure) -> [AgeStanza] {
        guard bytes.allSatisfy({ (32...126).contains($0) || $0 == 10 }) else {
            throw .ageDamaged("its header is no text")
        }
        var lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)[...]
        // The version, checked before; what stands behind the last line's end.
        lines = lines.dropFirst().dropLast()
        guard let last = lines.popLast(), last.hasPrefix("--- "), last.utf8.count == 47 else {
            throw .ageDamaged("its header has no code")
        }
        var stanzas: [AgeStanza] = []
        while let first = lines.popFirst() {
            let words = first.split(separator: " ", omittingEmptySubsequences: false)
            guard words.count > 1, words.first == "->", words.allSatisfy({ !$0.isEmpty }) else {
                throw .ageDamaged("its header is malformed")
            }
            var body = ""
            var isComplete = false
            while !isComplete {
                guard let line = lines.popFirst(), line.utf8.count <= 64 else {
                    throw .ageDamaged("its header is malformed")
                }
                body += line
                isComplete = line.utf8.count < 64
            }
            guard let decoded = AgeBase64.decode(body) else { throw .ageDamaged("its header is malformed") }
            stanzas.append(AgeStanza(arguments: words.dropFirst().map(String.init), body: decoded))
        }
        guard !stanzas.isEmpty else { throw .ageDamaged("its header names nobody") }
        return stanzas
    }
}
