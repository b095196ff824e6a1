import Crypto
import Foundation
import Shiplog
import Testing

@testable import AgeFormat

/// The vectors that the format's authors publish for every implementation.
@Suite struct AgeVectorTests {
    struct Vector: Sendable, CustomTestStringConvertible {
        let name: String
        var fields: [String: [String]] = [:]
        var file: [UInt8] = []
        var testDescription: String { name }

        init(_ name: String, _ bytes: [UInt8]) {
            self.name = name
            var rest = bytes[...]
            while let end = rest.firstIndex(of: 10), end > rest.startIndex {
                let line = String(decoding: rest[..<end], as: UTF8.self)
                let parts = line.split(separator: ": ", maxSplits: 1).map(String.init)
                if parts.count == 2 { fields[parts[0], default: []].append(parts[1]) }
                rest = rest[(end + 1)...]
            }
            file = Array(rest.dropFirst())
        }
    }

    static let vectors: [Vector] = {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Vectors")
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        return names.sorted().filter { $0 != "README.md" }.compactMap { name in
            (try? Data(contentsOf: folder.appendingPathComponent(name))).map { Vector(name, Array($0)) }
        }
    }()

    @Test("the vectors are there") func present() { #expect(Self.vectors.count > 70) }

    @Test("each published vector opens or is refused as it says", arguments: vectors)
    func vector(_ vector: Vector) throws {
        let identity: AgeIdentity
        if let passphrase = vector.fields["passphrase"]?.first {
            identity = .passphrase(try AgePassphrase(SecretText(passphrase)))
        } else if let keys = vector.fields["identity"] {
            identity = try .file(keys.joined(separator: "\n"))
        } else {
            identity = .keys([AgePrivateKey()])
        }
        // In pieces of odd sizes, as they come from a pipe.
        for size in [vector.file.count + 1, 997] {
            var decryptor = AgeDecryptor(identity)
            var plain: [UInt8] = []
            var refused: Failure.Code?
            do throws(Failure) {
                for start in stride(from: 0, to: vector.file.count, by: size) {
                    plain += try decryptor.decrypt(vector.file[start..<min(start + size, vector.file.count)])
                }
                plain += try decryptor.finish()
            } catch {
                refused = error.code
            }
            switch vector.fields["expect"]?.first {
            case "success":
                #expect(refused == nil)
                let digest = SHA256.hash(data: plain).map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }
                #expect(digest.joined() == vector.fields["payload"]?.first)
            case "no match": #expect(refused == .ageNoMatch)
            // More work than is done here is refused as such, not as damage.
            case "header failure": #expect(refused == .ageDamaged || refused == .ageUnsupported)
            case "HMAC failure", "payload failure": #expect(refused == .ageDamaged)
            case let other: Issue.record("the vector expects \(other ?? "nothing")")
            }
        }
    }
}
