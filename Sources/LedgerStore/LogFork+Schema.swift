import Foundation
import GRDB
import Shiplog
import TransparencyLog

extension LogFork {
    /// Holds a file of an older schema to its last checkpoint before anything of it is changed: a copy that is not the
    /// ledger must stay as it was found. Reads the leaves alone, which every schema has; whoever signs looks again, closer.
    /// - Throws: `ledger.rolled-back`, `ledger.forked`, `log.note-invalid`, `log.checkpoint-invalid`.
    static func hold(_ db: Database, to folder: String) throws {
        let version = try Schema.check(db)
        guard version > 0, version < Schema.newest,
            let uid = try String.fetchOne(db, sql: "SELECT uid FROM ledger"),
            let last = try CheckpointFile(folder: folder, uid: uid).read()
        else { return }
        let size = try Int64.fetchOne(db, sql: "SELECT max(sequence) FROM leaf") ?? 0
        guard last.head.size <= size else {
            throw LogFork(kind: .older(size: size), checkpoint: last).failure
        }
        var tree = MerkleRange()
        let cursor = try Row.fetchCursor(
            db, sql: "SELECT hash FROM leaf WHERE sequence <= ? ORDER BY sequence", arguments: [last.head.size])
        while let row = try cursor.next() {
            guard let hash = MerkleHash(bytes: try row.held(0) as Data) else {
                throw Failure.corrupt("a hash of the tree has no 32 bytes")
            }
            tree.append(hash)
        }
        guard tree.head == last.head else { throw LogFork(kind: .other, checkpoint: last).failure }
    }
}
