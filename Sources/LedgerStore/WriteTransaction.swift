import Foundation
import GRDB
import Shiplog
import TransparencyLog

/// What the writer knows of the log's end.
struct LogEnd: Sendable {
    /// 0 for an empty log.
    var sequence: Int64 { tree.end }
    /// Milliseconds.
    var recordedAt: Int64
    /// The roots that the tree over the log is made of.
    var tree: MerkleRange
}

/// The writer's transaction as one append sees it. Used on the writer's queue only.
final class WriteTransaction {
    let db: Database
    private(set) var end: LogEnd
    private let now: Timestamp

    init(_ db: Database, end: LogEnd, now: Timestamp) {
        self.db = db
        self.end = end
        self.now = now
    }

    enum Table: String { case revision, event }

    /// The sequence that the next append gets.
    var next: Int64 { end.sequence + 1 }

    /// Appends an entry with its leaf and bodies.
    func append(_ draft: EntryDraft, to table: Table) throws -> SequenceNumber {
        let sequence = end.sequence + 1
        // A clock that was set back must not make the log lie about its order.
        let recordedAt = max(end.recordedAt, now.milliseconds)
        let entry = draft.entry(sequence: sequence, recordedAt: recordedAt)
        guard let number = SequenceNumber(sequence) else { throw Failure.corrupt("the log's sequence is exhausted") }
        let leaf = MerkleHash.leaf(entry)
        try run("INSERT INTO leaf (sequence, hash) VALUES (?, ?)", [sequence, leaf.withUnsafeBytes { Data($0) }])
        try end.tree.append(leaf) { level, position, hash in
            try run(Subtrees.insert, [level, position, hash.withUnsafeBytes { Data($0) }])
        }
        try run(
            table == .revision
                ? "INSERT INTO revision (sequence, entry) VALUES (?, ?)"
                : "INSERT INTO event (sequence, entry) VALUES (?, ?)",
            [sequence, String(decoding: entry, as: UTF8.self)])
        for body in draft.bodies {
            try run(
                "INSERT INTO body (sequence, name, salt, encoding, content) VALUES (?, ?, ?, ?, ?)",
                [sequence, body.name, Data(body.salt), body.encoding, Data(body.content)])
        }
        end.recordedAt = recordedAt
        return number
    }

    /// Takes back what a failed append has counted; its savepoint takes back the rows.
    func restore(_ end: LogEnd) { self.end = end }

    /// Executes a statement, prepared once.
    func run(_ sql: String, _ arguments: StatementArguments = StatementArguments()) throws {
        try db.cachedStatement(sql: sql).execute(arguments: arguments)
    }

    /// The first row of a query, prepared once.
    func row(_ sql: String, _ arguments: StatementArguments) throws -> Row? {
        try Row.fetchOne(db.cachedStatement(sql: sql), arguments: arguments)
    }

    func exists(_ sql: String, _ arguments: StatementArguments) throws -> Bool {
        try Int.fetchOne(db.cachedStatement(sql: sql), arguments: arguments) != nil
    }
}
