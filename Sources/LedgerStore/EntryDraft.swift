import Crypto
import Foundation
import Shiplog

/// An entry that lacks only what the writer's transaction decides: its sequence and when it was recorded.
///
/// Everything else is encoded by the caller, on the caller's thread; the one writer only puts pieces together. Members
/// are sorted (RFC 8785), so the two missing ones have fixed places: `recordedAt` after `head`, `sequence` after `middle`.
struct EntryDraft: Sendable {
    let head: [UInt8]
    let middle: [UInt8]
    let tail: [UInt8]
    let bodies: [DraftBody]

    /// What `tlog-tiles` could carry is 64 KiB; a quarter of it keeps a row of the log a page or two.
    static let limit = 16_384
    /// The longest a sequence and a time can be, in digits.
    private static let numbers = 38

    /// - Parameter members: without `recordedAt`, `sequence` and `bodies`.
    /// - Throws: `ledger.entry-too-large`.
    init(_ members: [String: JSON], bodies: [DraftBody]) throws(Failure) {
        var members = members
        if !bodies.isEmpty {
            members["bodies"] = .object(
                Dictionary(bodies.map { ($0.name, JSON.string($0.digest.hex)) }, uniquingKeysWith: { $1 }))
        }
        var pieces: [[UInt8]] = [[UInt8(ascii: "{")], [], []]
        // Names of members of an entry are ASCII: their order is that of their bytes.
        for (name, value) in members.sorted(by: { $0.key < $1.key }) {
            let piece = name < "recordedAt" ? 0 : name < "sequence" ? 1 : 2
            if piece != 0 { pieces[piece].append(UInt8(ascii: ",")) }
            pieces[piece] += JSON.string(name).canonicalBytes
            pieces[piece].append(UInt8(ascii: ":"))
            pieces[piece] += value.canonicalBytes
            if piece == 0 { pieces[piece].append(UInt8(ascii: ",")) }
        }
        head = pieces[0] + Array(#""recordedAt":"#.utf8)
        middle = pieces[1] + Array(#","sequence":"#.utf8)
        tail = pieces[2] + [UInt8(ascii: "}")]
        self.bodies = bodies
        guard head.count + middle.count + tail.count + Self.numbers <= Self.limit else {
            throw Failure(
                .ledgerEntryTooLarge, "an entry of the ledger may hold 16 KiB, and this one needs more",
                remedy: "shorten the names, the ticket or the facts it carries")
        }
    }

    func entry(sequence: Int64, recordedAt: Int64) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(head.count + middle.count + tail.count + Self.numbers)
        bytes += head
        bytes += String(recordedAt).utf8
        bytes += middle
        bytes += String(sequence).utf8
        bytes += tail
        return bytes
    }
}

/// Content that an entry names by a salted digest and that can be erased without touching the entry.
struct DraftBody: Sendable {
    let name: String
    let salt: [UInt8]
    /// SHA-256(salt || content).
    let digest: [UInt8]
    let encoding: Int64
    /// As stored.
    let content: [UInt8]

    init(_ name: String, _ value: JSON) throws(Failure) {
        self.name = name
        var generator = SystemRandomNumberGenerator()
        salt = (0..<32).map { _ in UInt8.random(in: 0...255, using: &generator) }
        let bytes = value.canonicalBytes
        guard bytes.count <= StoredBytes.limit else {
            throw Failure(.ledgerEntryTooLarge, "the part \(name) of a record is larger than 64 MiB")
        }
        digest = Self.digest(salt: salt, content: bytes)
        // Short texts stay as they are, so that a filter on a reason can look at them in SQL.
        (encoding, content) =
            bytes.count < 4096 && name == "reason" ? (StoredBytes.plain, bytes) : StoredBytes.pack(bytes)
    }

    static func digest(salt: [UInt8], content: [UInt8]) -> [UInt8] {
        var hash = SHA256()
        hash.update(data: salt)
        hash.update(data: content)
        return Array(hash.finalize())
    }
}

enum Hashing {
    static func sha256(_ bytes: [UInt8]) -> [UInt8] { Array(SHA256.hash(data: bytes)) }

    static func digest(_ bytes: [UInt8]) throws(Failure) -> Shiplog.Digest {
        guard let digest = Shiplog.Digest(bytes: sha256(bytes)) else { throw .corrupt("a digest has no 32 bytes") }
        return digest
    }
}
