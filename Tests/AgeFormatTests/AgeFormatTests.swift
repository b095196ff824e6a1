import Foundation
import Shiplog
import Testing

@testable import AgeFormat

@Suite struct AgeFormatTests {
    private func encrypted(_ bytes: [UInt8], _ recipients: [AgeRecipient], piece: Int = 10_000) throws -> [UInt8] {
        var encryptor = try AgeEncryptor(to: recipients)
        var file = encryptor.head
        for start in stride(from: 0, to: bytes.count, by: piece) {
            file += try encryptor.encrypt(bytes[start..<min(start + piece, bytes.count)])
        }
        return file + (try encryptor.finish())
    }

    private func decrypted(_ file: [UInt8], _ identity: AgeIdentity) throws(Failure) -> [UInt8] {
        var decryptor = AgeDecryptor(identity)
        return try decryptor.decrypt(file) + (try decryptor.finish())
    }

    /// From the specification, https://c2sp.org/age.
    @Test("an identity's text and its recipient's are those of the specification") func keys() throws {
        let text = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX"
        let key = try #require(AgePrivateKey(text))
        #expect(key.recipient.description == "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj")
        #expect(key.revealed.revealed == text)
        #expect("\(key.revealed)" != text)
        #expect(try AgePublicKey(key.recipient.description).bytes == key.recipient.bytes)
        #expect(AgePrivateKey(text.lowercased()) == nil)
    }

    @Test(
        "what is no recipient is refused",
        arguments: [
            "", "age1", "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwk",
            "AGE1ZVKYG2LQZRAA2LNJVQEJ32NKUU0UES2S82HZRYE869XEEXVN73EQUNUJWJ", "age1tag1qt8lw0ual6avl",
            "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX"
        ])
    func wrongRecipient(_ text: String) {
        let failure = #expect(throws: Failure.self) { try AgePublicKey(text) }
        #expect(failure?.code == .ageRecipientInvalid)
    }

    @Test(
        "what was encrypted comes back, whatever its length",
        arguments: [0, 1, 65_535, 65_536, 65_537, 131_072, 200_001])
    func lengths(_ count: Int) throws {
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        let (one, other) = (AgePrivateKey(), AgePrivateKey())
        let file = try encrypted(bytes, [.key(one.recipient), .key(other.recipient)])
        #expect(try decrypted(file, .keys([other])) == bytes)
        #expect(try decrypted(file, .keys([AgePrivateKey(), one])) == bytes)
        let failure = #expect(throws: Failure.self) { try decrypted(file, .keys([AgePrivateKey()])) }
        #expect(failure?.code == .ageNoMatch)
    }

    @Test("a passphrase opens what it closed, and no other does") func passphrase() throws {
        let passphrase = try AgePassphrase(SecretText("correct horse"), logWork: 5)
        let file = try encrypted([1, 2, 3], [.passphrase(passphrase)])
        #expect(try decrypted(file, .passphrase(passphrase)) == [1, 2, 3])
        let wrong = try AgePassphrase(SecretText("battery staple"))
        let failure = #expect(throws: Failure.self) { try decrypted(file, .passphrase(wrong)) }
        #expect(failure?.code == .ageNoMatch)
        #expect(throws: Failure.self) { try AgePassphrase(SecretText("")) }
        #expect(throws: Failure.self) {
            try AgeEncryptor(to: [.passphrase(passphrase), .key(AgePrivateKey().recipient)])
        }
        #expect(throws: Failure.self) { try AgeEncryptor(to: []) }
    }

    @Test("a file that is cut short or changed anywhere does not open") func damage() throws {
        let key = AgePrivateKey()
        let bytes = [UInt8](repeating: 7, count: 140_000)
        let file = try encrypted(bytes, [.key(key.recipient)])
        for cut in Array(stride(from: 0, to: 260, by: 7)) + [65_000, 65_552 + 200, file.count - 16, file.count - 1] {
            #expect(throws: Failure.self, "cut to \(cut)") { try decrypted(Array(file.prefix(cut)), .keys([key])) }
        }
        for place in Array(stride(from: 0, to: 240, by: 3)) + [1000, 66_000, 131_400, file.count - 1] {
            var changed = file
            changed[place] ^= 1
            #expect(throws: Failure.self, "changed at \(place)") { try decrypted(changed, .keys([key])) }
        }
        #expect(throws: Failure.self) { try decrypted(file + [0], .keys([key])) }
        #expect(try decrypted(file, .keys([key])) == bytes)
    }

    @Test("an identity file's comments are left out, and a wrong line is named without its text") func identityFile()
        throws
    {
        let key = AgePrivateKey()
        let file = try encrypted([9], [.key(key.recipient)])
        let identity = try AgeIdentity.file("# created: today\n\n\(key.revealed.revealed)\n")
        #expect(try decrypted(file, identity) == [9])
        let wrong = String(key.revealed.revealed.dropLast()) + "!"
        let failure = #expect(throws: Failure.self) { try AgeIdentity.file("# a\n" + wrong) }
        #expect(failure?.code == .ageIdentityInvalid)
        #expect(failure?.message.contains("line 2") == true && failure?.message.contains("SECRET") == false)
        #expect(throws: Failure.self) { try AgeIdentity.file("# nothing\n") }
    }
}
