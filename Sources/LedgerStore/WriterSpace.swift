import GRDB
import Shiplog
import Synchronization

/// What the writer does about a full disk, and how it classes what SQLite answers.
final class WriterSpace: Sendable {
    private let reserve: Reserve
    /// Pages the file may have, the last ones held back; nil without a limit.
    private let pages: (ordinary: Int64, all: Int64)?
    private let full = Mutex(false)

    init(reserve: Reserve, maximumBytes: Int64?, pageSize: Int64) {
        self.reserve = reserve
        pages = maximumBytes.map { bytes in
            let all = max(64, bytes / pageSize)
            return (max(64, all - reserve.size / pageSize), all)
        }
    }

    var isFull: Bool { full.withLock { $0 } }

    /// Sets the limit of a newly opened connection, and takes the reserve.
    func arrange(_ db: Database) {
        limit(db, pages?.ordinary)
        if !reserve.hold() { full.withLock { $0 = true } }
    }

    /// Frees what was held back; `isFull` from now on.
    func release(_ db: Database) {
        full.withLock { $0 = true }
        reserve.release()
        limit(db, pages?.all)
    }

    /// Whether there is room again: the reserve can be had once more.
    func refill(_ db: Database) -> Bool {
        if let pages, let used = try? Int64.fetchOne(db, sql: "PRAGMA page_count"), used >= pages.ordinary {
            return false
        }
        guard reserve.hold() else { return false }
        limit(db, pages?.ordinary)
        full.withLock { $0 = false }
        return true
    }

    private func limit(_ db: Database, _ pages: Int64?) {
        guard let pages else { return }
        try? db.execute(sql: "PRAGMA max_page_count = \(pages)")
    }

    static let failure = Failure(
        .ledgerFull, "the disk that holds the ledger is full, so nothing new may begin",
        remedy: "make room on the disk of the data directory; a server that runs goes on by itself",
        next: .retry(afterMilliseconds: nil))

    enum Trouble: Error {
        case full
        case busy(Failure)
        case fatal(Failure)
    }

    /// nil when the error is one row's own.
    static func trouble(_ error: any Error, inTransaction: Bool) -> Trouble? {
        if let trouble = error as? Trouble { return trouble }
        guard let error = error as? DatabaseError else { return inTransaction ? nil : .fatal(fatal(error)) }
        switch error.resultCode {
        case .SQLITE_FULL: return .full
        case .SQLITE_BUSY, .SQLITE_LOCKED:
            return .busy(
                Failure(
                    .ledgerBusy, "another process holds the ledger's write lock (\(Connections.describe(error)))",
                    remedy: "end the other program that has ledger.sqlite open", next: .retry(afterMilliseconds: nil)))
        // A row that breaks a rule: the statement was undone, the transaction stands.
        case .SQLITE_CONSTRAINT, .SQLITE_TOOBIG, .SQLITE_MISMATCH, .SQLITE_RANGE:
            return inTransaction ? nil : .fatal(fatal(error))
        // A statement of ours that the schema does not fit, a trigger's RAISE, a failed read inside an append.
        case .SQLITE_ERROR, .SQLITE_ABORT, .SQLITE_SCHEMA, .SQLITE_AUTH, .SQLITE_MISUSE:
            return inTransaction ? nil : .fatal(fatal(error))
        // I/O errors, a failed fsync, damage, no memory: nobody knows what is on the disk.
        default: return .fatal(fatal(error))
        }
    }

    /// What the caller whose row it was is told.
    static func refusal(_ error: any Error) -> Failure {
        if let failure = error as? Failure { return failure }
        guard let error = error as? DatabaseError else { return Failure(.ledgerFailed, "an append failed") }
        return Failure(
            "ledger.refused", "the ledger's own rules refuse this row (\(Connections.describe(error)))",
            remedy: "this is a fault of shiplog; please report it with this message")
    }

    static func fatal(_ error: any Error) -> Failure {
        let words =
            (error as? DatabaseError).map(Connections.describe) ?? (error as? Failure)?.message ?? "unknown error"
        return Failure(
            .ledgerFailed, "a write to the ledger failed, and nothing more is written to it (\(words))",
            remedy: "check the disk, restart the server, and run `shiplog ledger verify`")
    }
}
