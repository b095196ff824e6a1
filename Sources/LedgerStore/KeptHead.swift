public import TransparencyLog

/// A tree head that somebody kept outside the ledger, to hold the ledger to it.
public struct KeptHead: Sendable, Hashable {
    public let head: TreeHead
    /// As a finding names it: `the checkpoint that was given`.
    public let name: String

    public init(_ head: TreeHead, name: String = "the tree head that was given") {
        self.head = head
        self.name = name
    }
}

/// The root of a complete subtree of 256^level leaves.
struct TileHash: Sendable, Hashable {
    let level: Int
    let position: Int64
    /// nil for a stored one that is none.
    let hash: MerkleHash?

    /// The first sequence below it.
    var first: Int64 { position << (8 * level) + 1 }
}
