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
    /// The entry that is said to record the export.
    let made: Int64?
    private let askedFirst: Int64?
    private let askedLast: Int64?
    private let size: Int64

    /// All that it may have: what is not known is not passed over.
    private static let names: Set<String> = [
        "format", "ledger", "origin", "filter", "asked", "completeness", "range", "made", "matches", "matched", "gone"
    ]

    /// - Parameter entries: how many leaves the pack has.
    init(_ json: JSON, entries: Int64, _ checkpoint: Checkpoint) throws(Failure) {
        let head = checkpoint.head
        guard json["format"] == EvidencePack.format else {
            throw EvidenceVerifier.wrong("query.json is of a format that this version does not know")
        }
        if let name = (json.object ?? [:]).keys.filter({ !Self.names.contains($0) }).min() {
            throw EvidenceVerifier.wrong("query.json has a member \(name) that this version does not know")
        }
        guard let origin = json["origin"]?.string, origin.utf8.elementsEqual(checkpoint.origin.utf8),
            let ledger = json["ledger"]?.string, Self.isOrigin(origin, of: ledger)
        else { throw EvidenceVerifier.wrong("query.json is about another log than the checkpoint") }
        guard let made = json["made"]?.object, made["event"].map({ ($0.whole ?? 0) > 0 }) ?? true else {
            throw EvidenceVerifier.wrong("query.json does not say how the pack was made")
        }
        guard let asked = json["asked"]?.object,
            ["first", "last"].allSatisfy({ name in asked[name].map { $0.whole != nil } ?? true })
        else { throw EvidenceVerifier.wrong("query.json does not say what was asked") }
        guard let filter = json["filter"].flatMap({ EvidenceFilter(document: $0) }) else {
            throw EvidenceVerifier.wrong("query.json asks for something that this version does not know")
        }
        guard let first = json.at("range", "first")?.whole, let last = json.at("range", "last")?.whole,
            last <= Checkpoint.largestSize, first >= 1, last >= first, last <= head.size, last - first + 1 == entries,
            json.at("range", "entries")?.whole == entries, json.at("range", "gaps")?.whole == 0
        else { throw EvidenceVerifier.wrong("the range in query.json is not that of the entries") }
        let completeness = filter.isProvable ? "proven" : "integrity only"
        guard json["completeness"]?.string == completeness else {
            throw EvidenceVerifier.wrong("query.json claims another completeness than \(completeness)")
        }
        self.filter = filter
        range = first...last
        size = head.size
        self.made = made["event"]?.whole
        askedFirst = asked["first"]?.whole
        askedLast = asked["last"]?.whole
        matches = try Self.set(json["matched"], range, "matched")
        gone = try Self.set(json["gone"], range, "gone")
        guard json.at("matches", "count")?.whole == matches.count,
            json.at("matches", "first")?.whole == matches.first, json.at("matches", "last")?.whole == matches.last,
            json.at("range", "gone")?.whole == gone.count
        else { throw EvidenceVerifier.wrong("the counts in query.json are not those of its lists") }
    }

    /// Whether the origin ends with the ledger's uid; from the second epoch on with the epoch's number behind it.
    static func isOrigin(_ origin: String, of ledger: String) -> Bool {
        let parts = Array(origin.utf8).split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        guard !ledger.isEmpty, let last = parts.last else { return false }
        if last.elementsEqual(ledger.utf8) { return true }
        guard let uid = parts.dropLast().last, uid.elementsEqual(ledger.utf8) else { return false }
        let digits = last.prefix { $0 != UInt8(ascii: "-") }
        guard digits.count <= 10, digits.allSatisfy({ (0x30...0x39).contains($0) }) else { return false }
        return (Int64(String(decoding: digits, as: UTF8.self)) ?? 0) >= 2
    }

    private static func set(_ json: JSON?, _ range: ClosedRange<Int64>, _ name: String) throws(Failure) -> MatchSet {
        var set = MatchSet(range)
        var next = range.lowerBound
        guard let runs = json?.array else { throw EvidenceVerifier.wrong("query.json has no list \(name)") }
        for run in runs {
            guard let first = run.array?.first?.whole, let last = run.array?.last?.whole, run.array?.count == 2,
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
        guard json["size"]?.whole == head.size, json["root"]?.string == head.root.base64,
            json["first"]?.whole == range.lowerBound, json["last"]?.whole == range.upperBound
        else { throw EvidenceVerifier.wrong("proofs.json is about another range or another checkpoint") }
        self.head = head
        left = try Self.side(json["left"], 0..<range.lowerBound - 1)
        right = try Self.side(json["right"], range.upperBound..<head.size)
        var consistency: [Int64: [MerkleHash]] = [:]
        guard let items = json["consistency"]?.array else {
            throw EvidenceVerifier.wrong("proofs.json has no list of proofs of consistency")
        }
        for item in items {
            guard let size = item["size"]?.whole, let hashes = Self.hashes(item["proof"]) else {
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
        json?.string.flatMap { $0.strictBase64 }.flatMap { MerkleHash(bytes: Array($0)) }
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
