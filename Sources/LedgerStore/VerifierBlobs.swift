import Foundation
import GRDB
import Shiplog

extension Verifier {
    /// Every blob is what its digest says, every set has its manifests, and every mark of a Secret has its sealed value.
    func blobs(_ db: Database) throws {
        let total = try Int64.fetchOne(db, sql: "SELECT count(*) FROM blob") ?? 0
        let cursor = try Row.fetchCursor(db, sql: "SELECT digest, kind, encoding, size, content FROM blob")
        var done: Int64 = 0
        while let row = try cursor.next() {
            done += 1
            if done & 0xFF == 0 {
                try Task.checkCancellation()
                progress(VerificationProgress(phase: .blobs, done: done, total: total))
            }
            let (digest, kind, encoding, size, content): (Data, String, Int64, Int, Data) = (
                try row.held(0), try row.held(1), try row.held(2), try row.held(3), try row.held(4)
            )
            let name = "the stored \(kind == "set" ? "set of manifests" : "manifest") \(Array(digest).hex.prefix(12))"
            guard let bytes = try? StoredBytes.unpack(Array(content), encoding: encoding, limit: StoredBytes.limit),
                bytes.count == size, Hashing.sha256(bytes) == Array(digest)
            else {
                findings.add(nil, "\(name) is not what its digest says")
                continue
            }
            findings.countBlobs(1, bytes: Int64(bytes.count))
            do {
                if kind == "set" {
                    try checkSet(db, bytes, name)
                } else {
                    try checkValues(db, Array(digest), bytes, name)
                }
            } catch let failure as Failure {
                findings.add(nil, "\(name): \(failure.message)")
            }
        }
        progress(VerificationProgress(phase: .blobs, done: total, total: total))
    }

    private func checkSet(_ db: Database, _ bytes: [UInt8], _ name: String) throws {
        for member in try ManifestSet.members(of: bytes)
        where try !Reading.hasBlob(db, member.digest, kind: "resource") {
            findings.add(nil, "\(name) lacks the manifest of \(member.key)")
        }
    }

    private func checkValues(_ db: Database, _ owner: [UInt8], _ bytes: [UInt8], _ name: String) throws {
        // Most manifests are no Secrets: do not parse them.
        guard Data(bytes).range(of: Self.secret) != nil else { return }
        let object = try EntryDecoder.parse(bytes)
        let paths = Redactor.markedPaths(in: object)
        guard !paths.isEmpty else { return }
        let place = try Resource(object).key.trackingForm
        try checkSealed(db, owner, paths, name) { path, value in
            guard let keys else { return true }
            let mark = Redactor(key: keys.redaction).mark(place: place, path: path, value)
            return object.at(Redactor.pathParts(path)[...])?.string == mark
        }
    }

    private static let secret = Data(#""kind":"Secret""#.utf8)

    private func checkSealed(
        _ db: Database, _ owner: [UInt8], _ paths: [String], _ name: String, _ isNamed: (String, JSON) throws -> Bool
    ) throws {
        let statement = try db.cachedStatement(sql: "SELECT path, wrapped, ciphertext FROM sealed WHERE owner = ?")
        var missing = Set(paths)
        for row in try Row.fetchAll(statement, arguments: [Data(owner)]) {
            let (path, wrapped, ciphertext): (String, Data?, Data?) = (
                try row.held(0), try row.held(1), try row.held(2)
            )
            missing.remove(path)
            guard let keys, let wrapped, let ciphertext else { continue }
            let opened = try? Sealer(keys).open(
                wrapped: Array(wrapped), ciphertext: Array(ciphertext), owner: owner, path: path)
            guard let opened, try isNamed(path, EntryDecoder.parse(opened)) else {
                findings.add(nil, "\(name): the sealed value \(path) is not the one its digest names")
                continue
            }
        }
        for path in missing.sorted() { findings.add(nil, "\(name): the sealed value \(path) is missing") }
    }
}
