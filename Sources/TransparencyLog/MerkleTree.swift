import Shiplog

/// A tree of which the leaves and the roots of complete subtrees of 256^level leaves are stored: enough to prove anything
/// about it with a few hundred reads, however large it is.
public struct MerkleTree {
    /// Reads stored hashes: those of leaves at level 0, at level L roots of 256^L leaves. A range never reaches past what
    /// is complete within `size`.
    public typealias Read = (_ level: Int, _ positions: Range<Int64>) throws -> [MerkleHash]

    /// Leaves; 0 or more.
    public let size: Int64
    private let read: Read

    public init(size: Int64, read: @escaping Read) {
        self.size = max(0, size)
        self.read = read
    }

    /// The roots that the tree is made of, ready to go on appending or to be hashed.
    public func range() throws -> MerkleRange {
        var range = MerkleRange()
        for (first, height) in MerkleRange.subtrees(of: 0..<size) {
            range.append(subtree: try subtree(first, height), height: height)
        }
        return range
    }

    public func head() throws -> TreeHead {
        guard let head = try range().head else { throw Self.incomplete }
        return head
    }

    /// The siblings on the way from a leaf to the root, the lowest first (RFC 6962 §2.1.1).
    /// - Parameter leaf: from 0.
    /// - Throws: `log.proof-impossible` for a leaf outside the tree.
    public func inclusionProof(of leaf: Int64) throws -> [MerkleHash] {
        guard (0..<size).contains(leaf) else {
            throw Failure(
                "log.proof-impossible", "a tree of \(size) entries has no leaf of index \(leaf)",
                remedy: "ask for a proof in a tree that is at least as large")
        }
        var proof: [MerkleHash] = []
        var (low, high) = (Int64(0), size)
        while high - low > 1 {
            let middle = low + Self.split(high - low)
            if leaf < middle {
                proof.append(try hash(middle..<high))
                high = middle
            } else {
                proof.append(try hash(low..<middle))
                low = middle
            }
        }
        return proof.reversed()
    }

    /// What shows that the tree of `earlier` leaves is a beginning of this one (RFC 6962 §2.1.2).
    /// - Parameter earlier: 0…size; a proof for 0 and for the same size is empty.
    /// - Throws: `log.proof-impossible` for more leaves than there are.
    public func consistencyProof(from earlier: Int64) throws -> [MerkleHash] {
        guard (0...size).contains(earlier) else {
            throw Failure(
                "log.proof-impossible", "a tree of \(size) entries extends none of \(earlier)",
                remedy: "give the smaller size first")
        }
        guard earlier > 0, earlier < size else { return [] }
        var proof: [MerkleHash] = []
        var (low, high) = (Int64(0), size)
        var isWhole = true
        while earlier != high {
            let middle = low + Self.split(high - low)
            if earlier <= middle {
                proof.append(try hash(middle..<high))
                high = middle
            } else {
                proof.append(try hash(low..<middle))
                low = middle
                isWhole = false
            }
        }
        if !isWhole { proof.append(try hash(low..<high)) }
        return proof.reversed()
    }

    /// What a contiguous range of leaves lacks to be hashed up to the root: the subtrees to its left and to its right,
    /// from left to right. With the leaves themselves they prove that the range is whole, however long it is.
    /// - Throws: `log.proof-impossible` for a range outside the tree.
    public func rangeProof(of leaves: Range<Int64>) throws -> (left: [MerkleHash], right: [MerkleHash]) {
        guard leaves.lowerBound >= 0, leaves.upperBound <= size else {
            throw Failure("log.proof-impossible", "a tree of \(size) entries does not hold that range")
        }
        func hashes(_ range: Range<Int64>) throws -> [MerkleHash] {
            try MerkleRange.subtrees(of: range).map { try subtree($0.first, $0.height) }
        }
        return (try hashes(0..<leaves.lowerBound), try hashes(leaves.upperBound..<size))
    }

    /// The largest power of two that is smaller than `count`, which is 2 or more.
    private static func split(_ count: Int64) -> Int64 { 1 << (63 - (count - 1).leadingZeroBitCount) }

    /// The hash of leaves whose range begins where a subtree of that size may begin.
    private func hash(_ range: Range<Int64>) throws -> MerkleHash {
        var hashes = try MerkleRange.subtrees(of: range).map { try subtree($0.first, $0.height) }
        guard var root = hashes.popLast() else { throw Self.incomplete }
        while let left = hashes.popLast() { root = .node(left, root) }
        return root
    }

    private func subtree(_ first: Int64, _ height: Int) throws -> MerkleHash {
        let level = min(7, height / 8)
        let count = Int64(1) << (height - 8 * level)
        let position = first >> (8 * level)
        var hashes = try read(level, position..<position + count)
        guard hashes.count == count else { throw Self.incomplete }
        while hashes.count > 1 {
            hashes = stride(from: 0, to: hashes.count, by: 2).map { .node(hashes[$0], hashes[$0 + 1]) }
        }
        guard let root = hashes.first else { throw Self.incomplete }
        return root
    }

    private static let incomplete = Failure(
        "log.tree-incomplete", "the tree over the log lacks hashes that it must have",
        remedy: "run `shiplog ledger verify`")
}
