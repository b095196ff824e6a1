import Crypto
import Foundation
import Shiplog
import Testing

@testable import AgeFormat

/// Headers that are right by their code and wrong by the format: who wrote them held the key, so the code is no help.
@Suite struct AgeHeaderTests {
    private static let key = AgePrivateKey()
    private static let fileKey = SymmetricKey(data: [UInt8](repeating: 5, count: 16))

    private static func stanza() throws -> AgeStanza { try .wrap(fileKey, for: .key(key.recipient)) }

    private static func text(_ stanzas: [AgeStanza]) -> String {
        String(decoding: AgeHeader.write(stanzas, fileKey), as: UTF8.self)
    }

    private func open(_ text: String, _ identity: AgeIdentity) throws(Failure) -> SymmetricKey {
        let bytes = Array(text.utf8)
        guard let end = try AgeHeader.end(in: bytes), end == bytes.count else { throw .ageDamaged("it has no end") }
        return try AgeHeader.open(bytes, identity)
    }

    @Test("what is written opens, others' stanzas in front of one's own and behind it included") func opens() throws {
        let own = try Self.stanza()
        let grease = AgeStanza(arguments: ["c3-grease", "x", "y"], body: [UInt8](repeating: 1, count: 48))
        let long = AgeStanza(arguments: ["other"], body: [UInt8](repeating: 2, count: 200))
        let empty = AgeStanza(arguments: ["nothing"], body: [])
        let stranger = try AgeStanza.wrap(Self.fileKey, for: .key(AgePrivateKey().recipient))
        for stanzas in [[own], [grease, own], [own, long], [empty, stranger, own, grease]] {
            #expect(try open(Self.text(stanzas), .keys([Self.key])) == Self.fileKey)
        }
        let failure = #expect(throws: Failure.self) { try open(Self.text([grease, stranger]), .keys([Self.key])) }
        #expect(failure?.code == .ageNoMatch)
    }

    @Test(
        "what is changed by a sign is refused",
        arguments: [
            ("\n", "\r\n"), ("-> X25519 ", "->X25519 "), ("-> X25519 ", "->  X25519 "), ("-> X25519 ", "-> X25519  "),
            ("--- ", "---"), ("--- ", "---  "), ("age-encryption.org/v1", "age-encryption.org/v2"),
            ("age-encryption.org/v1", "age-encryption.org/v1 "), ("-> X25519", "-> x25519"), ("-> ", "> ")
        ])
    func changed(_ from: String, _ to: String) throws {
        let text = Self.text([try Self.stanza()])
        #expect(text.contains(from))
        let failure = #expect(throws: Failure.self) {
            try open(text.replacingOccurrences(of: from, with: to), .keys([Self.key]))
        }
        #expect(failure?.code == .ageDamaged || failure?.code == .ageNoMatch)
    }

    @Test("a stanza that cannot be its own is refused, though the code over it is right") func malformed() throws {
        let good = try Self.stanza()
        func refused(_ change: (inout AgeStanza) -> Void) throws {
            var stanza = good
            change(&stanza)
            let failure = #expect(throws: Failure.self) { try open(Self.text([stanza]), .keys([Self.key])) }
            #expect(failure?.code == .ageDamaged)
        }
        try refused { $0.arguments.append("more") }
        try refused { $0.arguments.removeLast() }
        try refused { $0.arguments[1].removeLast() }
        try refused { $0.arguments[1] += "=" }
        try refused { $0.body.append(0) }
        try refused { $0.body.removeLast() }
        try refused { $0.body = [] }
        // A point of small order gives everybody the same secret.
        try refused { $0.arguments[1] = AgeBase64.encode([UInt8](repeating: 0, count: 32)) }
        #expect(throws: Failure.self) { try open(Self.text([]), .keys([Self.key])) }
    }

    @Test("a passphrase stands alone, and asks for no more work than is done here") func passphrases() throws {
        let passphrase = try AgePassphrase(SecretText("correct horse"), logWork: 4)
        let own = try AgeStanza.wrap(Self.fileKey, for: .passphrase(passphrase))
        #expect(try open(Self.text([own]), .passphrase(passphrase)) == Self.fileKey)
        for stanzas in [[own, try Self.stanza()], [own, own]] {
            let failure = #expect(throws: Failure.self) { try open(Self.text(stanzas), .passphrase(passphrase)) }
            #expect(failure?.code == .ageDamaged)
        }
        for (work, code) in [
            ("0", Failure.Code.ageDamaged), ("-1", .ageDamaged), ("04", .ageDamaged), ("+4", .ageDamaged),
            ("4x", .ageDamaged), ("", .ageDamaged), ("63", .ageUnsupported)
        ] {
            var stanza = own
            stanza.arguments[2] = work
            let failure = #expect(throws: Failure.self, "\(work)") {
                try open(Self.text([stanza]), .passphrase(passphrase))
            }
            #expect(failure?.code == code, "\(work)")
        }
        var short = own
        short.arguments[1] = AgeBase64.encode([UInt8](repeating: 1, count: 15))
        #expect(throws: Failure.self) { try open(Self.text([short]), .passphrase(passphrase)) }
    }

    @Test("a header without an end is given up after 64 KiB, whatever it says") func endless() throws {
        let start = "age-encryption.org/v1\n"
        #expect(try AgeHeader.end(in: Array(start.utf8)) == nil)
        #expect(try AgeHeader.end(in: Array("age-enc".utf8)) == nil)
        #expect(throws: Failure.self) { try AgeHeader.end(in: Array("age-encryptiom".utf8)) }
        #expect(throws: Failure.self) {
            try AgeHeader.end(in: Array((start + String(repeating: "-> x y\n\n", count: 20_000)).utf8))
        }
        let armored = #expect(throws: Failure.self) {
            try AgeHeader.end(in: Array("-----BEGIN AGE ENCRYPTED FILE-----\n".utf8))
        }
        #expect(armored?.code == .ageUnsupported)
    }
}
