/// What has to be kept of a range of leaves to hash the tree over them and to go on: the roots of the perfect subtrees
/// that the range is made of, at most two a height. Ranges that meet can be joined, so parts of a log may be hashed apart.
///
/// The tree is RFC 6962's (§2.1): <https://www.rfc-editor.org/rfc/rfc6962>.
public struct MerkleRange: Sendable, Hashable {
    private struct Node: Sendable, Hashable {
        /// The subtree has 2^height leaves.
        let height: Int
        /// The index of its first leaf, a multiple of 2^height.
        let first: Int64
        let hash: MerkleHash
    }

    /// The index of the first leaf, from 0.
    public let begin: Int64
    /// The index behind the last leaf.
    public private(set) var end: Int64
    /// From left to right.
    private var nodes: [Node] = []

    /// An empty range in front of a leaf.
    /// - Parameter begin: 0 or more.
    public init(from begin: Int64 = 0) {
        self.begin = max(0, begin)
        end = self.begin
    }

    /// Adds the leaf at `end`.
    public mutating func append(_ leaf: MerkleHash) { append(leaf) { _, _, _ in } }

    /// Adds the leaf at `end`.
    /// - Parameter onTileHash: called for each subtree of 256, 65,536, … leaves that the leaf completes: with its level
    ///   (1 for 256 leaves), its position among those of the level, and its root. Tiles are made of these.
    public mutating func append(
        _ leaf: MerkleHash, onTileHash: (_ level: Int, _ position: Int64, MerkleHash) throws -> Void
    ) rethrows {
        try push(Node(height: 0, first: end, hash: leaf), onTileHash)
        end += 1
    }

    /// Adds the root of the 2^height leaves that begin at `end`.
    /// - Returns: false, with nothing changed, where no such subtree may begin.
    @discardableResult
    public mutating func append(subtree hash: MerkleHash, height: Int) -> Bool {
        guard 0...62 ~= height, end & ((1 << height) - 1) == 0 else { return false }
        let (next, overflow) = end.addingReportingOverflow(1 << height)
        guard !overflow else { return false }
        push(Node(height: height, first: end, hash: hash)) { _, _, _ in }
        end = next
        return true
    }

    /// Joins the range that begins where this one ends.
    /// - Parameter onTileHash: called for each subtree that only the two together complete, as by `append`.
    /// - Returns: false, with nothing changed, when the two do not meet.
    @discardableResult
    public mutating func append(
        _ next: MerkleRange, onTileHash: (_ level: Int, _ position: Int64, MerkleHash) -> Void = { _, _, _ in }
    ) -> Bool {
        guard next.begin == end else { return false }
        for node in next.nodes { push(node, onTileHash) }
        end = next.end
        return true
    }

    private mutating func push(
        _ node: Node, _ onTileHash: (Int, Int64, MerkleHash) throws -> Void
    ) rethrows {
        var node = node
        // Two neighbours are a subtree of the next height when the left one begins where such a subtree may begin.
        while let left = nodes.last, left.height == node.height, left.first & ((1 << (left.height + 1)) - 1) == 0 {
            nodes.removeLast()
            node = Node(height: left.height + 1, first: left.first, hash: .node(left.hash, node.hash))
            if node.height & 7 == 0 { try onTileHash(node.height >> 3, node.first >> node.height, node.hash) }
        }
        nodes.append(node)
    }

    /// The perfect subtrees that a range of leaves is made of, from left to right: the largest that fits each time.
    public static func subtrees(of range: Range<Int64>) -> [(first: Int64, height: Int)] {
        var subtrees: [(first: Int64, height: Int)] = []
        var first = max(0, range.lowerBound)
        while first < range.upperBound {
            let room = 63 - (range.upperBound - first).leadingZeroBitCount
            let height = first == 0 ? room : min(room, first.trailingZeroBitCount)
            subtrees.append((first, height))
            first += 1 << height
        }
        return subtrees
    }

    /// The tree's head; nil unless the range begins at the first leaf.
    public var head: TreeHead? {
        guard begin == 0 else { return nil }
        guard var root = nodes.last?.hash else { return TreeHead(size: 0, root: .empty) }
        for node in nodes.dropLast().reversed() { root = .node(node.hash, root) }
        return TreeHead(size: end, root: root)
    }
}
