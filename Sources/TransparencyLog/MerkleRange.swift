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
    public mutating func append(_ leaf: MerkleHash) {
        push(Node(height: 0, first: end, hash: leaf))
        end += 1
    }

    /// Joins the range that begins where this one ends.
    /// - Returns: false, with nothing changed, when the two do not meet.
    @discardableResult
    public mutating func append(_ next: MerkleRange) -> Bool {
        guard next.begin == end else { return false }
        for node in next.nodes { push(node) }
        end = next.end
        return true
    }

    private mutating func push(_ node: Node) {
        var node = node
        // Two neighbours are a subtree of the next height when the left one begins where such a subtree may begin.
        while let left = nodes.last, left.height == node.height, left.first & ((1 << (left.height + 1)) - 1) == 0 {
            nodes.removeLast()
            node = Node(height: left.height + 1, first: left.first, hash: .node(left.hash, node.hash))
        }
        nodes.append(node)
    }

    /// The tree's head; nil unless the range begins at the first leaf.
    public var head: TreeHead? {
        guard begin == 0 else { return nil }
        guard var root = nodes.last?.hash else { return TreeHead(size: 0, root: .empty) }
        for node in nodes.dropLast().reversed() { root = .node(node.hash, root) }
        return TreeHead(size: end, root: root)
    }
}
