import Foundation
import GRDB
import Shiplog
import TransparencyLog

/// The tree's hashes as they are stored.
enum Subtrees {
    static let insert = "INSERT INTO subtree (level, position, hash) VALUES (?, ?, ?)"

    /// A tree of the first `size` entries, read on this connection.
    static func tree(_ db: Database, size: Int64) -> MerkleTree {
        MerkleTree(size: size) { level, positions in try hashes(db, level, positions) }
    }

    /// Stored hashes of a level; fewer than asked for where they are missing.
    static func hashes(_ db: Database, _ level: Int, _ positions: Range<Int64>) throws -> [MerkleHash] {
        let (sql, arguments): (String, StatementArguments) =
            level == 0
            ? (LedgerSQL.leaves, ["first": positions.lowerBound + 1, "last": positions.upperBound])
            : (LedgerSQL.subtrees, ["level": level, "first": positions.lowerBound, "last": positions.upperBound - 1])
        let cursor = try Row.fetchCursor(db.cachedStatement(sql: sql), arguments: arguments)
        var hashes: [MerkleHash] = []
        hashes.reserveCapacity(positions.count)
        while let row = try cursor.next() {
            guard let hash = try row.withUnsafeData(atIndex: 0, { $0.flatMap { MerkleHash(bytes: $0) } }) else {
                throw Failure.corrupt("a hash of the tree has no 32 bytes")
            }
            hashes.append(hash)
        }
        return hashes
    }

    /// Writes the subtrees that a log from before the tree lacks. A log of 20 million entries takes about a minute, once.
    static func complete(_ db: Database) throws {
        let size = try Int64.fetchOne(db, sql: "SELECT max(sequence) FROM leaf") ?? 0
        for level in 1...7 {
            let wanted = size >> (8 * level)
            var next =
                try Int64.fetchOne(
                    db, sql: "SELECT coalesce(max(position), -1) + 1 FROM subtree WHERE level = ?", arguments: [level])
                ?? 0
            while next < wanted {
                // In pieces, so that the write-ahead log stays small.
                let end = min(wanted, next + 4096)
                try db.inTransaction(.immediate) {
                    for position in next..<end {
                        let leaves = try hashes(db, level - 1, position * 256..<position * 256 + 256)
                        guard leaves.count == 256, let root = root(leaves) else {
                            throw Failure.corrupt("the log has a gap below #\((position + 1) << (8 * level))")
                        }
                        try db.cachedStatement(sql: insert).execute(
                            arguments: [level, position, Data(root.bytes)])
                    }
                    return .commit
                }
                next = end
            }
        }
    }

    private static func root(_ hashes: [MerkleHash]) -> MerkleHash? {
        var range = MerkleRange()
        for hash in hashes { range.append(hash) }
        return range.head?.root
    }
}
