import Shiplog
import Testing
import TransparencyLog

/// Proofs against RFC 6962's own definitions, written down again here as the RFC has them.
@Suite("Proofs")
struct ProofTests {
    static let entries = (0..<600).map { Array("entry \($0)".utf8) }
    static let leaves = entries.map { MerkleHash.leaf($0) }

    /// What a log stores, and nothing more: a read of what is not complete within the size is a fault.
    static func tree(_ size: Int) -> MerkleTree {
        var rows: [[MerkleHash]] = [Array(leaves[..<size])]
        while rows[rows.count - 1].count >= 256 {
            let row = rows[rows.count - 1]
            rows.append(
                (0..<row.count / 256).compactMap { position in
                    var range = MerkleRange()
                    for hash in row[(position * 256)..<(position * 256 + 256)] { range.append(hash) }
                    return range.head?.root
                })
        }
        return MerkleTree(size: Int64(size)) { level, positions in
            guard rows.indices.contains(level), positions.upperBound <= rows[level].count else { return [] }
            return Array(rows[level][Int(positions.lowerBound)..<Int(positions.upperBound)])
        }
    }

    /// RFC 6962 §2.1.1.
    static func path(_ leaf: Int, _ entries: ArraySlice<[UInt8]>) -> [[UInt8]] {
        guard entries.count > 1 else { return [] }
        let (left, right) = halves(entries)
        return leaf < left.count
            ? path(leaf, left) + [MerkleTests.definition(right)]
            : path(leaf - left.count, right) + [MerkleTests.definition(left)]
    }

    /// RFC 6962 §2.1.2.
    static func subproof(_ size: Int, _ entries: ArraySlice<[UInt8]>, _ isWhole: Bool) -> [[UInt8]] {
        if size == entries.count { return isWhole ? [] : [MerkleTests.definition(entries)] }
        let (left, right) = halves(entries)
        return size <= left.count
            ? subproof(size, left, isWhole) + [MerkleTests.definition(right)]
            : subproof(size - left.count, right, false) + [MerkleTests.definition(left)]
    }

    private static func halves(_ entries: ArraySlice<[UInt8]>) -> (ArraySlice<[UInt8]>, ArraySlice<[UInt8]>) {
        var split = 1
        while split * 2 < entries.count { split *= 2 }
        let middle = entries.startIndex + split
        return (entries[..<middle], entries[middle...])
    }

    @Test("an inclusion proof is the RFC's path, and proves its leaf at its place in its tree alone")
    func inclusion() throws {
        for size in [1, 2, 3, 4, 5, 7, 8, 21, 33, 64, 100] {
            let tree = Self.tree(size)
            let head = try tree.head()
            for index in 0..<size {
                let proof = try tree.inclusionProof(of: Int64(index))
                #expect(proof.map(\.bytes) == Self.path(index, Self.entries[..<size]), "\(index) of \(size)")
                let leaf = Self.leaves[index]
                #expect(MerkleProof.includes(leaf, at: Int64(index), in: head, proof))
                #expect(!MerkleProof.includes(Self.leaves[599], at: Int64(index), in: head, proof))
                #expect(!MerkleProof.includes(leaf, at: Int64(index) + 1, in: head, proof))
                #expect(!MerkleProof.includes(leaf, at: Int64(index), in: head, proof + [leaf]))
                if !proof.isEmpty {
                    #expect(!MerkleProof.includes(leaf, at: Int64(index), in: head, proof.dropLast()))
                    #expect(!MerkleProof.includes(leaf, at: Int64(index), in: head, proof.dropLast() + [leaf]))
                }
                let other = TreeHead(size: head.size, root: .leaf([1]))
                #expect(!MerkleProof.includes(leaf, at: Int64(index), in: other, proof))
            }
        }
    }

    @Test("a consistency proof is the RFC's, and shows nothing but what it is of")
    func consistency() throws {
        for size in [1, 2, 3, 4, 6, 7, 8, 13, 32, 70] {
            let tree = Self.tree(size)
            let head = try tree.head()
            for earlier in 1...size {
                let proof = try tree.consistencyProof(from: Int64(earlier))
                #expect(proof.map(\.bytes) == Self.subproof(earlier, Self.entries[..<size], true))
                let old = try Self.tree(earlier).head()
                #expect(MerkleProof.extends(head, old, proof), "\(earlier) to \(size)")
                let forged = TreeHead(size: old.size, root: .leaf([1]))
                #expect(!MerkleProof.extends(head, forged, proof))
                #expect(!MerkleProof.extends(TreeHead(size: head.size, root: .leaf([1])), old, proof))
                #expect(!MerkleProof.extends(head, old, proof + [.leaf([1])]))
                if !proof.isEmpty { #expect(!MerkleProof.extends(head, old, proof.dropLast())) }
                if earlier < size { #expect(!MerkleProof.extends(old, head, proof)) }
            }
        }
    }

    @Test("every tree begins with the empty one, and with nothing that only says it is empty")
    func empty() throws {
        let head = try Self.tree(9).head()
        #expect(MerkleProof.extends(head, TreeHead(size: 0, root: .empty), []))
        #expect(!MerkleProof.extends(head, TreeHead(size: 0, root: .leaf([])), []))
        #expect(!MerkleProof.extends(head, TreeHead(size: -1, root: .empty), []))
        #expect(!MerkleProof.includes(.leaf([]), at: 0, in: TreeHead(size: 0, root: .empty), []))
        #expect(!MerkleProof.includes(.leaf([]), at: -1, in: head, []))
    }

    @Test("proofs over stored subtrees are those over all leaves", arguments: [255, 256, 257, 511, 512, 513, 600])
    func tiles(size: Int) throws {
        let tree = Self.tree(size)
        #expect(try tree.head().root.bytes == MerkleTests.definition(Self.entries[..<size]))
        for index in [0, 1, 100, 254, size - 1] {
            #expect(try tree.inclusionProof(of: Int64(index)).map(\.bytes) == Self.path(index, Self.entries[..<size]))
        }
        for earlier in [1, 2, 128, 255, size - 1] {
            #expect(
                try tree.consistencyProof(from: Int64(earlier)).map(\.bytes)
                    == Self.subproof(earlier, Self.entries[..<size], true))
        }
    }

    @Test("what is not in the tree is refused, and a tree that lacks hashes gives no proof")
    func refused() throws {
        let tree = Self.tree(5)
        for leaf in [-1, 5, Int64.max] { #expect(throws: Failure.self) { try tree.inclusionProof(of: leaf) } }
        for size in [-1, 6, Int64.max] { #expect(throws: Failure.self) { try tree.consistencyProof(from: size) } }
        #expect(throws: Failure.self) { try tree.rangeProof(of: 3..<6) }
        let hollow = MerkleTree(size: 5) { _, _ in [] }
        #expect(throws: Failure.self) { try hollow.head() }
        #expect(throws: Failure.self) { try hollow.inclusionProof(of: 1) }
        #expect(throws: Failure.self) { try hollow.consistencyProof(from: 2) }
    }

    @Test("a range's proof holds for exactly that range", arguments: [1, 2, 7, 64, 100, 300])
    func ranges(size: Int) throws {
        let tree = Self.tree(size)
        let head = try tree.head()
        for first in Set([0, 1, size / 3, size - 1]).filter({ $0 < size }) {
            for end in Set([first + 1, (first + size + 1) / 2, size]).filter({ $0 > first }) {
                let (left, right) = try tree.rangeProof(of: Int64(first)..<Int64(end))
                func range(_ leaves: [MerkleHash]) -> MerkleRange {
                    var range = MerkleRange(from: Int64(first))
                    for leaf in leaves { range.append(leaf) }
                    return range
                }
                let leaves = Array(Self.leaves[first..<end])
                func proven(_ leaves: [MerkleHash]) -> TreeHead? {
                    MerkleProof.head(of: range(leaves), left: left, right: right, size: Int64(size))
                }
                #expect(proven(leaves) == head, "\(first)..<\(end) of \(size)")
                #expect(proven(Array(leaves.dropLast())) != head)
                #expect(proven(leaves.dropLast() + [.leaf([1])]) != head)
                if leaves.count > 1 { #expect(proven([leaves[1], leaves[0]] + leaves.dropFirst(2)) != head) }
                #expect(
                    MerkleProof.head(of: range(leaves), left: left + [leaves[0]], right: right, size: Int64(size))
                        == nil)
            }
        }
    }

    @Test("a tree grown leaf by leaf tells each subtree of 256 leaves once, joined ranges those across the seam")
    func tileHashes() throws {
        var told: [Int64: MerkleHash] = [:]
        var whole = MerkleRange()
        for leaf in Self.leaves { whole.append(leaf) { if $0 == 1 { told[$1] = $2 } } }
        #expect(told.keys.sorted() == [0, 1])
        for cut in [100, 255, 256, 257, 400] {
            var found: [Int64: MerkleHash] = [:]
            var left = MerkleRange()
            var right = MerkleRange(from: Int64(cut))
            for leaf in Self.leaves[..<cut] { left.append(leaf) { found[$1] = $2 } }
            for leaf in Self.leaves[cut...] { right.append(leaf) { found[$1] = $2 } }
            left.append(right) { found[$1] = $2 }
            #expect(found == told, "cut at \(cut)")
        }
    }
}
