/// Checking proofs, as whoever does not trust the log does it.
///
/// The algorithms are those of RFC 9162, §2.1.3.2 and §2.1.4.2: <https://www.rfc-editor.org/rfc/rfc9162>.
public enum MerkleProof {
    /// Whether the proof shows that the leaf stands at `index` in the tree.
    /// - Parameter index: from 0.
    public static func includes(_ leaf: MerkleHash, at index: Int64, in tree: TreeHead, _ proof: [MerkleHash]) -> Bool {
        root(over: leaf, at: index, size: tree.size, proof) == tree.root
    }

    /// The root of the tree in which the proof puts the leaf at `index`; nil for what is no proof of that place.
    /// - Parameters:
    ///   - index: from 0.
    ///   - size: leaves of the tree.
    public static func root(over leaf: MerkleHash, at index: Int64, size: Int64, _ proof: [MerkleHash]) -> MerkleHash? {
        guard index >= 0, index < size else { return nil }
        var (node, last) = (index, size - 1)
        var root = leaf
        for sibling in proof {
            if last == 0 { return nil }
            if node & 1 == 1 || node == last {
                root = .node(sibling, root)
                while node & 1 == 0, node != 0 {
                    node >>= 1
                    last >>= 1
                }
            } else {
                root = .node(root, sibling)
            }
            node >>= 1
            last >>= 1
        }
        return last == 0 ? root : nil
    }

    /// Whether the proof shows that the earlier tree is a beginning of the later one.
    public static func extends(_ later: TreeHead, _ earlier: TreeHead, _ proof: [MerkleHash]) -> Bool {
        guard earlier.size >= 0, earlier.size <= later.size else { return false }
        if earlier.size == later.size { return proof.isEmpty && earlier.root == later.root }
        // Every tree begins with the empty one, which has one root.
        if earlier.size == 0 { return proof.isEmpty && earlier.root == .empty }
        var rest = proof[...]
        var (node, last) = (earlier.size - 1, later.size - 1)
        while node & 1 == 1 {
            node >>= 1
            last >>= 1
        }
        let start: MerkleHash
        if earlier.size & (earlier.size - 1) == 0 {
            start = earlier.root
        } else {
            guard let first = rest.popFirst() else { return false }
            start = first
        }
        var (old, new) = (start, start)
        for sibling in rest {
            if last == 0 { return false }
            if node & 1 == 1 || node == last {
                old = .node(sibling, old)
                new = .node(sibling, new)
                while node & 1 == 0, node != 0 {
                    node >>= 1
                    last >>= 1
                }
            } else {
                new = .node(new, sibling)
            }
            node >>= 1
            last >>= 1
        }
        return last == 0 && old == earlier.root && new == later.root
    }

    /// The head that a whole range of leaves has with the subtrees on both sides of it; nil when they do not fit.
    /// - Parameter leaves: what stands from `leaves.begin` to `leaves.end`.
    public static func head(
        of leaves: MerkleRange, left: [MerkleHash], right: [MerkleHash], size: Int64
    ) -> TreeHead? {
        let before = MerkleRange.subtrees(of: 0..<max(0, leaves.begin))
        guard leaves.end <= size, before.count == left.count else { return nil }
        let after = MerkleRange.subtrees(of: leaves.end..<size)
        guard after.count == right.count else { return nil }
        var range = MerkleRange()
        for (subtree, hash) in zip(before, left) { range.append(subtree: hash, height: subtree.height) }
        guard range.append(leaves) else { return nil }
        for (subtree, hash) in zip(after, right) { range.append(subtree: hash, height: subtree.height) }
        return range.head.flatMap { $0.size == size ? $0 : nil }
    }
}
