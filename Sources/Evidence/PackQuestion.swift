import Crypto
import Foundation
import Shiplog
import TransparencyLog

/// `query.json`: what was asked, and what is said to be the answer.
struct PackQuestion {
    let filter: EvidenceFilter
    let range: ClosedRange<Int64>
    let matches: MatchSet
    let gone: MatchSet
    private let askedFirst: Int64?
    private let askedLast: Int64?
    private let size: Int64

    /// - Parameter entries: how many leaves the pack has.
    init(_ json: JSON, entries: Int64, _ head: TreeHead) throws(Failure) {
        guard json["format"] == EvidencePack.format else {
            throw EvidenceVerifier.wrong("query.json is of a format that this version does not know")
        }
        guard let filter = json["filter"].flatMap({ EvidenceFilter(document: $0) }) else {
            throw EvidenceVerifier.wrong("query.json asks for something that this version does not know")
        }
        guard let first = json.at("range", "first")?.integer, let last = json.at("range", "last")?.integer, first > 0,
            last <= Checkpoint.largestSize,
            first >= 1, last >= first, last <= head.size, last - first + 1 == entries,
            json.at("range", "entries")?.integer == entries, json.at("range", "gaps")?.integer == 0
        else { throw EvidenceVerifier.wrong("the range in query.json is not that of the entries") }
        let completeness = filter.isProvable ? "proven" : "integrity only"
        guard json["completeness"]?.string == completeness else {
            throw EvidenceVerifier.wrong("query.json claims another completeness than \(completeness)")
        }
        self.filter = filter
        range = first...last
        size = head.size
        askedFirst = json.at("asked", "first")?.integer
        askedLast = json.at("asked", "last")?.integer
        matches = try Self.set(json["matched"], range, "matched")
        gone = try Self.set(json["gone"], range, "gone")
        guard json.at("matches", "count")?.integer == matches.count,
            json.at("matches", "first")?.integer == matches.first, json.at("matches", "last")?.integer == matches.last,
            json.at("range", "gone")?.integer == gone.count
        else { throw EvidenceVerifier.wrong("the counts in query.json are not those of its lists") }
    }

    private static func set(_ json: JSON?, _ range: ClosedRange<Int64>, _ name: String) throws(Failure) -> MatchSet {
        var set = MatchSet(range)
        var next = range.lowerBound
        guard let runs = json?.array else { throw EvidenceVerifier.wrong("query.json has no list \(name)") }
        for run in runs {
            guard let first = run.array?.first?.integer, let last = run.array?.last?.integer, run.array?.count == 2,
                first >= next, last >= first, last <= range.upperBound, last <= Checkpoint.largestSize
            else { throw EvidenceVerifier.wrong("the list \(name) of query.json is not in order within the range") }
            for sequence in first...last { set.insert(sequence) }
            next = last + 1
        }
        return set
    }

    /// Whether nothing that was asked for can lie in front of the range.
    func showsBeginning(_ recordedAt: Int64) -> Bool {
        range.lowerBound == 1 || askedFirst == range.lowerBound
            || filter.from.map { recordedAt < $0.milliseconds } ?? false
    }

    /// Whether nothing that was asked for can lie behind the range, as far as the checkpoint goes.
    func showsEnd(_ recordedAt: Int64) -> Bool {
        range.upperBound == size || askedLast == range.upperBound
            || filter.to.map { recordedAt >= $0.milliseconds } ?? false
    }
}

/// `proofs.json`.
struct PackProof {
    /// The subtrees in front of the range and behind it.
    let left: [(height: Int, hash: MerkleHash)]
    let right: [(height: Int, hash: MerkleHash)]
    /// From earlier sizes to the checkpoint's.
    let consistency: [Int64: [MerkleHash]]
    let head: TreeHead

    init(_ json: JSON, _ range: ClosedRange<Int64>, _ head: TreeHead) throws(Failure) {
        guard json["size"]?.integer == head.size, json["root"]?.string == head.root.base64,
            json["first"]?.integer == range.lowerBound, json["last"]?.integer == range.upperBound
        else { throw EvidenceVerifier.wrong("proofs.json is about another range or another checkpoint") }
        self.head = head
        left = try Self.side(json["left"], 0..<range.lowerBound - 1)
        right = try Self.side(json["right"], range.upperBound..<head.size)
        var consistency: [Int64: [MerkleHash]] = [:]
        for item in json["consistency"]?.array ?? [] {
            guard let size = item["size"]?.integer, let hashes = Self.hashes(item["proof"]) else {
                throw EvidenceVerifier.wrong("a proof of consistency in proofs.json is no list of hashes")
            }
            guard let root = Self.hash(item["root"]),
                MerkleProof.extends(head, TreeHead(size: size, root: root), hashes)
            else { throw EvidenceVerifier.wrong("the proof of consistency from \(size) entries does not hold") }
            consistency[size] = hashes
        }
        self.consistency = consistency
    }

    private static func side(_ json: JSON?, _ leaves: Range<Int64>) throws(Failure) -> [(Int, MerkleHash)] {
        let subtrees = MerkleRange.subtrees(of: leaves)
        guard let hashes = hashes(json), hashes.count == subtrees.count else {
            throw EvidenceVerifier.wrong("proofs.json does not have the subtrees beside the range")
        }
        return zip(subtrees, hashes).map { ($0.height, $1) }
    }

    private static func hashes(_ json: JSON?) -> [MerkleHash]? {
        guard let items = json?.array, items.count <= 128 else { return nil }
        let hashes = items.compactMap { hash($0) }
        return hashes.count == items.count ? hashes : nil
    }

    static func hash(_ json: JSON?) -> MerkleHash? {
        json?.string.flatMap { MerkleHash(base64: $0) }
    }
}

extension PackReader {
    static func digest(_ bytes: [UInt8]) -> String { Array(SHA256.hash(data: bytes)).hex }

    /// What an entry calls a body.
    static func digest(salt: Data, content: Data) -> String {
        var hash = SHA256()
        hash.update(data: salt)
        hash.update(data: content)
        return Array(hash.finalize()).hex
    }
}
