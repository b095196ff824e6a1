import Foundation
import LedgerStore
import Shiplog
import TransparencyLog

/// The way through all entries of a pack: each is hashed, asked whether it fits, and compared with what is said of it.
struct PackWalk {
    private let question: PackQuestion
    private let proof: PackProof
    /// Smallest first.
    private var kept: [KeptHead]
    private var tree = MerkleRange()
    private var lastTime = Int64.min
    /// The next line of the bodies, when it was read and belongs to none yet.
    private var body: JSON?
    /// Who is said to have erased what: asked when the way comes by that event.
    private var erasures: [Int64: [Erasure]] = [:]

    private struct Erasure {
        let sequence: Int64
        let name: String
    }

    /// The longest that an entry may be, and that a body may be in base64 with its names.
    private static let entryLimit = 1 << 16
    private static let bodyLimit = 100 << 20

    init(_ question: PackQuestion, _ proof: PackProof, kept: [KeptHead]) {
        self.question = question
        self.proof = proof
        self.kept = kept.sorted { $0.head.size < $1.head.size }
        for (height, hash) in proof.left { tree.append(subtree: hash, height: height) }
    }

    mutating func run(
        _ entries: PackReader, _ leaves: PackReader, _ table: PackReader, _ bodies: PackReader,
        _ report: inout EvidenceReport, _ progress: (Int64, Int64) -> Void
    ) throws(Failure) {
        let range = question.range
        guard try table.bytes(CSVFormat.header.count).map(Array.init) == CSVFormat.header else {
            throw EvidenceVerifier.wrong("entries.csv does not begin with its columns")
        }
        if let message = holdToKept() { throw EvidenceVerifier.wrong(message) }
        for sequence in range {
            guard let line = try entries.line(limit: Self.entryLimit) else {
                report.finding = .init(sequence: sequence, message: "is missing from entries.jsonl")
                return
            }
            guard let leaf = try leaves.bytes(32).flatMap({ MerkleHash(bytes: $0) }) else {
                report.finding = .init(sequence: sequence, message: "is missing from leaves.bin")
                return
            }
            if let message = try fault(line, leaf, sequence, table, bodies, &report) {
                report.finding = .init(sequence: sequence, message: message)
                return
            }
            tree.append(leaf)
            report.entries += 1
            if let message = holdToKept() {
                report.finding = .init(sequence: nil, message: message)
                return
            }
            if report.entries % 65_536 == 0 { progress(report.entries, Int64(range.count)) }
        }
        guard body == nil else { throw EvidenceVerifier.wrong("bodies.jsonl goes on behind the range") }
        for reader in [entries, leaves, table, bodies] where try !reader.isAtEnd() {
            throw EvidenceVerifier.wrong("\(reader.name) goes on behind the range")
        }
        for (height, hash) in proof.right { tree.append(subtree: hash, height: height) }
        guard tree.head == proof.head else {
            throw EvidenceVerifier.wrong(
                "the entries #\(range.lowerBound) to #\(range.upperBound) are not those that the checkpoint signs")
        }
    }

    /// nil while the tree so far is what the reader kept.
    private mutating func holdToKept() -> String? {
        while let next = kept.first, next.head.size <= tree.end {
            kept.removeFirst()
            if next.head.size == tree.end, next.head != tree.head {
                return "the first \(tree.end) entries are not those of \(next.name)"
            }
        }
        return nil
    }

    // MARK: - One entry

    private mutating func fault(
        _ line: [UInt8], _ leaf: MerkleHash, _ sequence: Int64, _ table: PackReader, _ bodies: PackReader,
        _ report: inout EvidenceReport
    ) throws(Failure) -> String? {
        guard let json = try? JSON(parsing: line) else { return "its entry is no JSON" }
        if question.gone.contains(sequence) {
            guard json["format"] == nil, json["sequence"]?.whole == sequence, PackProof.hash(json["leaf"]) == leaf
            else { return "is said to be gone, and its line does not name its hash" }
            guard !question.matches.contains(sequence) else { return "is said to be gone, and to match" }
            guard sequence != question.range.lowerBound && sequence != question.range.upperBound || isAnEnd(sequence)
            else { return "stands at an end of the range and is gone, so that the end is not shown" }
            // Retention takes no events.
            guard sequence != question.made else { return "is said to be gone, and to be the entry of the export" }
            guard erasures[sequence] == nil else { return "is said to be gone, and to have erased a body" }
            report.gone += 1
            return nil
        }
        guard MerkleHash.leaf(line) == leaf else { return "its entry is not the one that was hashed" }
        guard json["format"]?.whole == 1 else { return "its entry is in a format that this version does not know" }
        guard json["sequence"]?.whole == sequence, let time = json["recordedAt"]?.whole else {
            return "its entry does not say that it is #\(sequence)"
        }
        guard time >= lastTime else { return "was recorded before the entry in front of it" }
        lastTime = time
        if sequence == question.range.lowerBound, !question.showsBeginning(time) {
            return "begins the range, and entries in front of it could fit the question too"
        }
        if sequence == question.range.upperBound, !question.showsEnd(time) {
            return "ends the range, and entries behind it could fit the question too"
        }
        if sequence == question.made, json["kind"]?.string != Event.Kind.exported.rawValue {
            return "is said to be the entry of the export, and is another"
        }
        for erasure in erasures.removeValue(forKey: sequence) ?? [] where !Self.says(json, erasure) {
            return "is said to have erased the body \(erasure.name) of #\(erasure.sequence), and does not say so"
        }
        let isMatch = question.matches.contains(sequence)
        let fits = question.filter.takes(json)
        if isMatch, !fits { return "is said to match, and does not fit the question" }
        if !isMatch, fits, question.filter.isProvable { return "fits the question, and was left out of the matches" }
        guard isMatch else { return nil }
        report.matches += 1
        let row = CSVFormat.line(
            ExportedEntry(ledger: "", sequence: sequence, bytes: line, json: json, leaf: leaf))
        guard let found = try table.bytes(row.count), found.elementsEqual(row) else {
            return "its line in entries.csv is not what its entry says"
        }
        return try fault(in: bodies, of: json, sequence, &report)
    }

    /// Whether an entry is the event that erased this body: each names one.
    private static func says(_ entry: JSON, _ erasure: Erasure) -> Bool {
        guard entry["kind"]?.string == Event.Kind.bodyErased.rawValue,
            let name = entry.at("facts", "erased", "name")?.string
        else { return false }
        return name.utf8.elementsEqual(erasure.name.utf8)
            && entry.at("facts", "erased", "sequence")?.whole == erasure.sequence
    }

    /// Notes on what is said to be erased by events behind the range; called when the way is at its end.
    func unprovenErasures() -> (count: Int64, notes: [String]) {
        let count = erasures.values.reduce(Int64(0)) { $0 + Int64($1.count) }
        guard count > 0 else { return (0, []) }
        var notes = [
            "\(count) of the bodies that are said to be erased name an event behind the range: that it "
                + "says so is not shown"
        ]
        for by in erasures.keys.sorted().prefix(8) {
            for erasure in (erasures[by] ?? []).prefix(1) {
                notes.append(
                    "unproven erasure: #\(by) is said to have erased the body \(erasure.name) of "
                        + "#\(erasure.sequence); ask for `shiplog ledger proof \(by)`, or for a wider pack")
            }
        }
        return (count, notes)
    }

    /// An end that the question itself names, or the log's own, needs no entry to show it.
    private func isAnEnd(_ sequence: Int64) -> Bool {
        (sequence != question.range.lowerBound || question.showsBeginning(.max))
            && (sequence != question.range.upperBound || question.showsEnd(.min))
    }

    private mutating func fault(
        in bodies: PackReader, of entry: JSON, _ sequence: Int64, _ report: inout EvidenceReport
    ) throws(Failure) -> String? {
        let named = entry["bodies"]?.object ?? [:]
        for name in named.keys.sorted(by: { $0.utf8.lexicographicallyPrecedes($1.utf8) }) {
            if body == nil { body = try bodies.line(limit: Self.bodyLimit).flatMap { try? JSON(parsing: $0) } }
            guard let found = body, found["sequence"]?.whole == sequence, found["name"]?.string == name else {
                // Retention takes the bodies of what found nothing changed, with its row.
                guard entry["sameAs"] != nil else { return "its body \(name) is missing from bodies.jsonl" }
                report.erased += 1
                continue
            }
            body = nil
            report.bodies += 1
            if let erasedBy = found["erasedBy"] {
                guard let by = erasedBy.whole, by > sequence, by <= proof.head.size, found.object?.count == 3 else {
                    return "its body \(name) is said to be erased by what cannot have erased it"
                }
                report.erased += 1
                erasures[by, default: []].append(Erasure(sequence: sequence, name: name))
                continue
            }
            guard let salt = found["salt"]?.string.flatMap({ $0.strictBase64 }),
                let content = found["content"]?.string.flatMap({ $0.strictBase64 }),
                found.object?.count == 4,
                named[name]?.string == PackReader.digest(salt: salt, content: content)
            else { return "its body \(name) is not the one that its entry names" }
        }
        return nil
    }
}
