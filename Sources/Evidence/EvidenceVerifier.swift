import Foundation
public import LedgerStore
public import Shiplog
public import TransparencyLog

/// Checks a pack without any ledger, believing nothing in it: the same checks, in the same order, as its `verify.py`.
public struct EvidenceVerifier {
    private let zip: ZipReader
    private let members: [String: ZipReader.Member]
    private let keys: [NoteVerifier]
    private let kept: [KeptHead]
    private let length: UInt64
    private var digests: [String: String] = [:]

    private static let smallFile = 4 << 20
    /// A million runs of matches are some twenty megabytes.
    private static let queryFile = 256 << 20

    /// - Parameters:
    ///   - path: of the zip file.
    ///   - keys: that the reader trusts; none takes the pack's word for the log's own.
    ///   - kept: what the reader kept from another time.
    /// - Throws: `evidence.unreadable`. What is wrong with the pack is in the report.
    public static func verify(
        _ path: String, keys: [NoteVerifier] = [], kept: [KeptHead] = [],
        progress: (_ done: Int64, _ total: Int64) -> Void = { _, _ in }
    ) throws(Failure) -> EvidenceReport {
        var report = EvidenceReport()
        do throws(Failure) {
            var verifier = try EvidenceVerifier(path, keys, kept)
            try verifier.run(&report, progress)
        } catch {
            guard error.code != "evidence.unreadable" else { throw error }
            report.finding = report.finding ?? .init(sequence: nil, message: error.message)
        }
        return report
    }

    private init(_ path: String, _ keys: [NoteVerifier], _ kept: [KeptHead]) throws(Failure) {
        zip = try ZipReader(path: path)
        members = Dictionary(zip.members.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        length = zip.length
        self.keys = keys
        self.kept = kept
    }

    static func wrong(_ message: String) -> Failure { Failure("evidence.wrong", message) }

    // MARK: - The story

    private mutating func run(_ report: inout EvidenceReport, _ progress: (Int64, Int64) -> Void) throws(Failure) {
        let (missing, added) = (
            Set(EvidencePack.names).subtracting(members.keys), Set(members.keys).subtracting(EvidencePack.names)
        )
        if let name = missing.sorted().first { throw Self.wrong("the file \(name) is missing from the pack") }
        if let name = added.sorted().first { throw Self.wrong("the file \(name) does not belong into a pack") }
        for name in ["README.txt", "verify.py"] { _ = try small(name) }
        let note = try small("checkpoint")
        let checkpoint = try Checkpoint(parsing: note)
        guard checkpoint.note.bytes == note else {
            throw Self.wrong("the checkpoint of the pack is not written the one way that there is")
        }
        report.checkpoint = checkpoint
        try checkSignature(checkpoint, try document("keys.json"), &report)
        let question = try PackQuestion(
            try document("query.json", limit: Self.queryFile), entries: try countOfLeaves(), checkpoint)
        report.range = question.range
        report.filter = question.filter.document
        let proof = try PackProof(try document("proofs.json"), question.range, checkpoint.head)
        try checkKept(proof, question.range, checkpoint.head, &report)
        var walk = PackWalk(
            question, proof,
            kept: kept.filter {
                $0.head.size >= question.range.lowerBound - 1 && $0.head.size <= question.range.upperBound
            })
        let readers = (
            entries: try reader("entries.jsonl"), leaves: try reader("leaves.bin"), table: try reader("entries.csv"),
            bodies: try reader("bodies.jsonl")
        )
        try walk.run(readers.entries, readers.leaves, readers.table, readers.bodies, &report, progress)
        guard report.isSound else { return }
        for reader in [readers.entries, readers.leaves, readers.table, readers.bodies] {
            digests[reader.name] = try reader.digest()
        }
        try checkManifest(String(decoding: try small("manifest.sha256"), as: UTF8.self))
        report.isComplete = question.filter.isProvable && report.gone == 0
        if !question.filter.isProvable {
            report.notes.append(
                "integrity only: the question looks into texts, so that a match that was left out would not be seen")
        }
        if report.gone > 0 {
            report.notes.append(
                "retention took \(report.gone) entries of the range: their hashes stand in the tree, and whether they "
                    + "fit the question cannot be shown")
        }
        if report.erased > 0 {
            report.notes.append("\(report.erased) bodies are said to be erased, or went with their rows")
        }
        let unproven = walk.unprovenErasures()
        report.unprovenErasures = unproven.count
        report.notes += unproven.notes
    }

    // MARK: - Files

    private func reader(_ name: String) throws(Failure) -> PackReader {
        guard let member = members[name] else { throw Self.wrong("the file \(name) is missing from the pack") }
        return PackReader(name, try zip.open(member))
    }

    private mutating func small(_ name: String, limit: Int = smallFile) throws(Failure) -> [UInt8] {
        guard let member = members[name] else { throw Self.wrong("the file \(name) is missing from the pack") }
        let bytes = try zip.whole(member, limit: limit)
        digests[name] = PackReader.digest(bytes)
        return bytes
    }

    private mutating func document(_ name: String, limit: Int = smallFile) throws(Failure) -> JSON {
        let bytes = try small(name, limit: limit)
        do throws(JSONError) {
            return try JSON(parsing: bytes)
        } catch {
            throw Self.wrong("\(name) is no JSON: \(error)")
        }
    }

    /// How many leaves there are. Hashes do not compress, so that no file can claim more than it holds.
    private func countOfLeaves() throws(Failure) -> Int64 {
        guard let size = members["leaves.bin"]?.size, size % 32 == 0, size > 0, size <= length else {
            throw Self.wrong("leaves.bin does not hold hashes of 32 bytes")
        }
        return Int64(size / 32)
    }

    private func checkManifest(_ text: String) throws(Failure) {
        var listed: [String: String] = [:]
        for line in text.split(separator: "\n") {
            let parts = line.split(separator: " ", omittingEmptySubsequences: false)
            guard parts.count == 3, parts[1].isEmpty, listed[String(parts[2])] == nil else {
                throw Self.wrong("manifest.sha256 is no list of digests and names")
            }
            listed[String(parts[2])] = String(parts[0])
        }
        for name in EvidencePack.names where name != "manifest.sha256" {
            guard let digest = listed.removeValue(forKey: name), digest == digests[name] else {
                throw Self.wrong("the file \(name) is not the one that manifest.sha256 names")
            }
        }
        guard listed.isEmpty else { throw Self.wrong("manifest.sha256 names files that are not there") }
    }

    // MARK: - The checkpoint

    private func checkSignature(
        _ checkpoint: Checkpoint, _ document: JSON, _ report: inout EvidenceReport
    ) throws(Failure) {
        var trusted = keys
        guard let epochs = document["epochs"]?.array, document["selfAttested"]?.bool != nil else {
            throw Self.wrong("keys.json does not list the log's keys")
        }
        if trusted.isEmpty {
            for text in epochs.filter({ $0["origin"]?.string == checkpoint.origin }).flatMap({ $0["keys"]?.array ?? [] }
            ) {
                trusted.append(try NoteVerifier(text.string ?? ""))
            }
            report.notes.append(
                "the checkpoint was checked with the key that the pack itself names; give yours with --key")
        }
        let verified = try checkpoint.note.verify(trusted)
        report.signers = verified.map { $0.key.name }
        if !verified.contains(where: { $0.key.algorithm == .cosignature }) {
            report.notes.append("self-attested: no witness that you trust has signed the checkpoint")
        }
    }

    /// Holds the checkpoint to those that the reader kept; what lies within the range is compared on the way through it.
    private func checkKept(
        _ proof: PackProof, _ range: ClosedRange<Int64>, _ head: TreeHead, _ report: inout EvidenceReport
    ) throws(Failure) {
        for one in kept {
            if one.head.size == head.size {
                guard one.head == head else {
                    throw Self.wrong("the checkpoint of the pack is not \(one.name): as many entries, another root")
                }
            } else if let path = proof.consistency[one.head.size] {
                guard MerkleProof.extends(head, one.head, path) else {
                    throw Self.wrong("the log of the pack does not go on from \(one.name)")
                }
            } else if !(range.lowerBound - 1...range.upperBound).contains(one.head.size) {
                report.unproven.append(
                    one.head.size > head.size
                        ? "\(one.name) covers \(one.head.size) entries, and the pack's checkpoint only \(head.size)"
                        : "\(one.name) covers \(one.head.size) entries, and nothing in the pack leads from there")
            }
        }
    }
}
