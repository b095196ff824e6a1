import Foundation
import GRDB
public import Shiplog
public import TransparencyLog

extension Failure.Code {
    /// An entry, or a bundle of them, that retention has taken.
    public static let logEntriesGone: Self = "log.entries-gone"
    public static let logTileUnknown: Self = "log.tile-unknown"
}

/// What shows that an entry stands in the log at its place.
public struct InclusionProof: Sendable, Hashable {
    public let sequence: SequenceNumber
    /// The entry's own hash.
    public let leaf: MerkleHash
    /// The tree it is proven in.
    public let head: TreeHead
    /// Siblings, the lowest first.
    public let path: [MerkleHash]

    /// As the API answers it and the command line prints it.
    /// - Parameter checkpoint: the newest one, which goes along when it is of the proof's tree.
    public func document(checkpoint: Checkpoint? = nil) -> JSON {
        let signed = checkpoint.flatMap { $0.head == head ? $0 : nil }
        return .members([
            "sequence": .integer(sequence.value), "index": .integer(sequence.value - 1),
            "leaf": .string(leaf.base64), "size": .integer(head.size), "root": .string(head.rootText),
            "proof": .array(path.map { .string($0.base64) }),
            "checkpoint": signed.map { .string($0.note.description) }
        ])
    }
}

/// How long a log is and what it says, for whoever compares two without looking into them.
public struct LogHead: Sendable, Hashable {
    public let size: Int64
    /// The tree's root over that many entries, in base64.
    public let root: String

    public init(size: Int64, root: String) {
        self.size = size
        self.root = root
    }
}

extension Ledger {
    /// Of everything that is durable.
    public func logHead() async throws(Failure) -> LogHead {
        let head = try await treeHead()
        return LogHead(size: head.size, root: head.root.base64)
    }

    /// Of the first `size` entries; nil when there are fewer.
    public func logHead(at size: Int64) async throws(Failure) -> LogHead? {
        guard size >= 0, size <= (try await treeHead().size) else { return nil }
        return LogHead(size: size, root: try await treeHead(at: size).root.base64)
    }

    /// The tree over everything that is durable. While serving it is at hand without a read.
    public func treeHead() async throws(Failure) -> TreeHead {
        if let head = (try? writer)?.end.tree.head { return head }
        return try await read("reading the tree") { db in
            try Subtrees.tree(db, size: try Reading.head(db)?.value ?? 0).head()
        }
    }

    /// The tree as it was when it had `size` entries.
    /// - Throws: `log.proof-impossible` when the log is shorter.
    public func treeHead(at size: Int64) async throws(Failure) -> TreeHead {
        try await read("reading the tree") { db in try Self.tree(db, size).head() }
    }

    /// - Parameter size: of the tree to prove it in; nil for the whole log.
    /// - Throws: `log.proof-impossible` for an entry or a size that there is not.
    public func inclusionProof(of sequence: SequenceNumber, size: Int64? = nil) async throws(Failure) -> InclusionProof
    {
        try await read("proving an entry") { db in
            let tree = try Self.tree(db, size ?? Reading.head(db)?.value ?? 0)
            let path = try tree.inclusionProof(of: sequence.value - 1)
            guard let leaf = try Subtrees.hashes(db, 0, sequence.value - 1..<sequence.value).first else {
                throw Failure.corrupt("\(sequence) has no leaf")
            }
            // The path has everything that the root is made of: nothing is read twice.
            guard
                let root = MerkleProof.root(over: leaf, at: sequence.value - 1, size: tree.size, path)
            else { throw Failure.corrupt("the tree over the log has no path to \(sequence)") }
            let head = TreeHead(size: tree.size, root: root)
            return InclusionProof(sequence: sequence, leaf: leaf, head: head, path: path)
        }
    }

    /// What shows that the log of `later` entries begins with the log of `earlier` ones; with both heads.
    /// - Throws: `log.proof-impossible`.
    public func consistencyProof(
        from earlier: Int64, to later: Int64
    ) async throws(Failure) -> (earlier: TreeHead, later: TreeHead, proof: [MerkleHash]) {
        try await read("proving that the log was only appended to") { db in
            let tree = try Self.tree(db, later)
            let proof = try tree.consistencyProof(from: earlier)
            return (try Self.tree(db, earlier).head(), try tree.head(), proof)
        }
    }

    /// What a contiguous range of entries lacks to be hashed up to the root of a tree.
    /// - Throws: `log.proof-impossible`.
    public func rangeProof(
        of sequences: ClosedRange<SequenceNumber>, size: Int64
    ) async throws(Failure) -> (left: [MerkleHash], right: [MerkleHash]) {
        try await read("proving a range of entries") { db in
            try Self.tree(db, size).rangeProof(of: sequences.lowerBound.value - 1..<sequences.upperBound.value)
        }
    }

    /// A tile's bytes: hashes, or entries each behind its length.
    /// - Throws: `log.tile-unknown` for what the log does not have (yet); `log.entries-gone` for entries that retention
    ///   took.
    public func tile(_ tile: Tile) async throws(Failure) -> [UInt8] {
        try await read("reading a tile") { db in
            guard tile.available(in: try Reading.head(db)?.value ?? 0) >= tile.width else {
                throw Failure(
                    .logTileUnknown, "the log has no tile \(tile.path)",
                    remedy: "ask for the tiles of the size that /log/checkpoint says")
            }
            let positions = tile.positions
            guard let level = tile.level else {
                return try Reading.bundle(db, positions.lowerBound + 1...positions.upperBound)
            }
            let hashes = try Subtrees.hashes(db, level, positions)
            guard hashes.count == tile.width else { throw Failure.corrupt("the tree lacks hashes of \(tile.path)") }
            return hashes.flatMap(\.bytes)
        }
    }

    private static func tree(_ db: Database, _ size: Int64) throws -> MerkleTree {
        let head = try Reading.head(db)?.value ?? 0
        guard 0...head ~= size else {
            throw Failure(
                "log.proof-impossible", "the log has \(head) entries, not \(size)",
                remedy: "ask for a size from 0 to \(head)")
        }
        return Subtrees.tree(db, size: size)
    }
}

extension Reading {
    /// Entries of a contiguous range, each behind its length, as a tile of entries has them.
    static func bundle(_ db: Database, _ sequences: ClosedRange<Int64>) throws -> [UInt8] {
        let cursor = try Row.fetchCursor(
            db.cachedStatement(sql: LedgerSQL.entries),
            arguments: ["first": sequences.lowerBound, "last": sequences.upperBound])
        var bundle: [UInt8] = []
        var next = sequences.lowerBound
        var folded: [Int64: ArraySlice<UInt8>] = [:]
        // What stands between two rows was folded, or the log has a gap.
        func fill(to end: Int64) throws {
            while next < end {
                if folded[next] == nil { folded = try Self.folded(db, covering: next) ?? [:] }
                guard let entry = folded[next] else { throw Failure.corrupt("#\(next) has no entry") }
                EntryBundle.append(entry, to: &bundle)
                next += 1
            }
        }
        while let row = try cursor.next() {
            try fill(to: try row.held(0))
            let isWhole = try row.withUnsafeData(atIndex: 1) { EntryBundle.append($0 ?? Data(), to: &bundle) }
            guard isWhole else { throw Failure.corrupt("#\(next) is longer than an entry may be") }
            next += 1
        }
        try fill(to: sequences.upperBound + 1)
        return bundle
    }
}
