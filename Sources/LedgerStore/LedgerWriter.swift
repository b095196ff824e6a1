import GRDB
import Shiplog
import Synchronization

/// The one writer: appends queue up while a transaction is being made durable, and the next transaction takes them all.
///
/// It runs on its connection's own serial queue, never on a caller's task: cancelling a caller cancels nothing. One append
/// that fails takes no other with it: its group is undone and written again with a savepoint each. Callers go on when
/// their row is durable.
final class LedgerWriter: Sendable {
    enum Use: Sendable {
        case ordinary
        /// Closes an open attempt: may use the reserve when the disk is full.
        case closing
    }

    private struct Job: Sendable {
        let use: Use
        /// Writes, and gives back what tells the caller so.
        let write: @Sendable (WriteTransaction) throws -> @Sendable () -> Void
        let refuse: @Sendable (Failure) -> Void
    }

    private struct Shared {
        var jobs: [Job] = []
        var isDraining = false
        var isClosed = false
        /// The connection is being closed or is closed: SQLite crashes when it is asked anything then.
        var isReleased = false
        var failure: Failure?
        /// Appends admitted and not yet answered, and callers that wait to be.
        var admitted = 0
        var waiting: [CheckedContinuation<Void, Never>] = []
        /// Whoever closes waits here until the last job is answered.
        var closing: [CheckedContinuation<Void, Never>] = []
        var end: LogEnd
        var metrics = Ledger.CommitMetrics()
    }

    private let connection: DatabaseQueue
    private let options: Ledger.Options
    private let now: @Sendable () -> Timestamp
    private let space: WriterSpace
    private let announce: @Sendable (SequenceNumber) -> Void
    private let shared: Mutex<Shared>

    init(
        _ connection: DatabaseQueue, end: LogEnd, options: Ledger.Options, reserve: Reserve, pageSize: Int64,
        now: @escaping @Sendable () -> Timestamp, announce: @escaping @Sendable (SequenceNumber) -> Void
    ) {
        self.connection = connection
        self.options = options
        self.now = now
        self.announce = announce
        space = WriterSpace(reserve: reserve, maximumBytes: options.maximumBytes, pageSize: pageSize)
        shared = Mutex(Shared(end: end))
        connection.asyncWriteWithoutTransaction { [space] db in space.arrange(db) }
    }

    /// Prepares on the caller's task, writes on the writer's queue, returns when durable.
    /// - Parameter prepare: what needs no transaction: encoding, sealing, compressing.
    func write<Prepared: Sendable, Value: Sendable>(
        _ use: Use = .ordinary, prepare: () throws(Failure) -> Prepared,
        _ body: @escaping @Sendable (WriteTransaction, Prepared) throws -> Value
    ) async throws(Failure) -> Value {
        await admit()
        defer { leave() }
        let prepared = try prepare()
        let result: Result<Value, Failure> = await withCheckedContinuation { continuation in
            enqueue(
                Job(
                    use: use,
                    write: { transaction in
                        let value = try body(transaction, prepared)
                        return { continuation.resume(returning: .success(value)) }
                    },
                    refuse: { continuation.resume(returning: .failure($0)) }))
        }
        return try result.get()
    }

    func write<Value: Sendable>(
        _ use: Use = .ordinary, _ body: @escaping @Sendable (WriteTransaction) throws -> Value
    ) async throws(Failure) -> Value {
        try await write(use, prepare: { () throws(Failure) in }, { transaction, _ in try body(transaction) })
    }

    var end: LogEnd { shared.withLock(\.end) }
    var metrics: Ledger.CommitMetrics { shared.withLock(\.metrics) }
    var failure: Failure? { shared.withLock(\.failure) }
    var isFull: Bool { space.isFull }

    /// Refuses what comes from now on, and returns when what was queued is durable.
    func close() async {
        await withCheckedContinuation { continuation in
            let isIdle = shared.withLock { shared in
                shared.isClosed = true
                // Not the serial queue's order: a drain may be decided on and not yet be in the queue.
                if shared.isDraining { shared.closing.append(continuation) }
                return !shared.isDraining
            }
            if isIdle { continuation.resume() }
        }
        let isFirst = shared.withLock { shared in
            defer { shared.isReleased = true }
            return !shared.isReleased
        }
        guard isFirst else { return }
        let checkpoints = options.checkpointPages != nil && failure == nil
        _ = try? await connection.writeWithoutTransaction { db in
            if checkpoints { _ = try? db.checkpoint(.truncate) }
        }
        try? connection.close()
    }

    /// Puts the write-ahead log back into the file and cuts it to nothing, so that what was erased is in neither. Readers of
    /// an older state keep it from ending: it is tried for a second, and again by every erasing that follows and at the end.
    /// Whoever replicates checkpoints for himself, and is left to.
    func overwrite() async {
        guard options.checkpointPages != nil else { return }
        for attempt in 0..<10 {
            if attempt > 0 { try? await Task.sleep(for: .milliseconds(100)) }
            guard failure == nil, !shared.withLock({ $0.isClosed }) else { return }
            let isDone = try? await connection.writeWithoutTransaction { db in
                // Not as long as the connection would wait otherwise: nobody can append meanwhile.
                try db.execute(sql: "PRAGMA busy_timeout = 50")
                defer { try? db.execute(sql: "PRAGMA busy_timeout = 10000") }
                _ = try db.checkpoint(.truncate)
                return true
            }
            if isDone == true { return }
        }
    }

    // MARK: The queue

    private func admit() async {
        await withCheckedContinuation { continuation in
            let admitted = shared.withLock { shared in
                guard shared.admitted >= options.queueLimit else {
                    shared.admitted += 1
                    return true
                }
                shared.waiting.append(continuation)
                return false
            }
            if admitted { continuation.resume() }
        }
    }

    private func leave() {
        let next = shared.withLock { shared -> CheckedContinuation<Void, Never>? in
            // The place is handed on, so that nobody who comes later overtakes.
            if !shared.waiting.isEmpty { return shared.waiting.removeFirst() }
            shared.admitted -= 1
            return nil
        }
        next?.resume()
    }

    private func enqueue(_ job: Job) {
        enum Next { case start, nothing, refuse(Failure) }
        let next: Next = shared.withLock { shared in
            if let failure = shared.failure { return .refuse(failure) }
            if shared.isClosed { return .refuse(Failure(.ledgerClosed, "the ledger is closed", next: .superseded)) }
            shared.jobs.append(job)
            if shared.isDraining { return .nothing }
            shared.isDraining = true
            return .start
        }
        switch next {
        case .nothing: break
        case .refuse(let failure): job.refuse(failure)
        case .start: connection.asyncWriteWithoutTransaction { db in self.drain(db) }
        }
    }

    private func take() -> [Job]? {
        let (group, closing) = shared.withLock { shared -> ([Job], [CheckedContinuation<Void, Never>]) in
            guard !shared.jobs.isEmpty else {
                shared.isDraining = false
                defer { shared.closing = [] }
                return ([], shared.closing)
            }
            let group = Array(shared.jobs.prefix(options.groupLimit))
            shared.jobs.removeFirst(group.count)
            return (group, [])
        }
        for closer in closing { closer.resume() }
        return group.isEmpty ? nil : group
    }

    // MARK: On the writer's queue

    private func drain(_ db: Database) {
        while let group = take() {
            if let failure { for job in group { job.refuse(failure) } } else { commit(group, db) }
        }
    }

    /// One group, one transaction; when the transaction as a whole fails for a reason that is one row's, row by row.
    private func commit(_ group: [Job], _ db: Database) {
        var group = group
        if space.isFull, !space.refill(db) {
            // Fail closed: nothing begins without room to end.
            for job in group where job.use == .ordinary { job.refuse(WriterSpace.failure) }
            group.removeAll { $0.use == .ordinary }
            if group.isEmpty { return }
        }
        switch transact(group, db) {
        case .done: return
        case .busy(let failure): for job in group { job.refuse(failure) }
        case .fatal(let failure): fail(failure, group)
        case .full:
            space.release(db)
            for job in group {
                guard job.use == .closing else {
                    job.refuse(WriterSpace.failure)
                    continue
                }
                switch transact([job], db) {
                case .done: break
                case .busy(let failure): job.refuse(failure)
                case .full: job.refuse(WriterSpace.failure)
                case .fatal(let failure): fail(failure, [job])
                }
            }
        }
    }

    private enum End {
        /// Every caller has been answered.
        case done
        /// Nothing was written, nobody answered.
        case full
        case busy(Failure)
        case fatal(Failure)
    }

    /// A savepoint costs each append a copy of every page it touches, and hardly any append fails: a group goes without
    /// them first, and once more with them when one of its appends is refused.
    private func transact(_ group: [Job], _ db: Database) -> End {
        attempt(group, db, apart: false) ?? attempt(group, db, apart: true) ?? .done
    }

    /// - Parameter apart: each append has a savepoint of its own.
    /// - Returns: nil when an append was refused that had none: nothing was written then, nobody answered.
    private func attempt(_ group: [Job], _ db: Database, apart: Bool) -> End? {
        let start = shared.withLock(\.end)
        let transaction = WriteTransaction(db, end: start, now: now())
        var answers: [@Sendable () -> Void] = []
        var written = 0
        do {
            try transaction.run("BEGIN IMMEDIATE")
            for job in group {
                // Only with savepoints: a copy held here would make each append copy the tree's roots.
                let before = apart ? transaction.end : nil
                if apart { try transaction.run("SAVEPOINT append") }
                do {
                    let answer = try job.write(transaction)
                    if apart { try transaction.run("RELEASE append") }
                    answers.append(answer)
                    written += 1
                } catch {
                    // What concerns the file ends the group; what concerns this row ends this row.
                    if let trouble = WriterSpace.trouble(error, inTransaction: db.isInsideTransaction) { throw trouble }
                    guard apart else {
                        try transaction.run("ROLLBACK")
                        return nil
                    }
                    let failure = WriterSpace.refusal(error)
                    try transaction.run("ROLLBACK TO append")
                    try transaction.run("RELEASE append")
                    if let before { transaction.restore(before) }
                    answers.append { job.refuse(failure) }
                }
            }
            try options.atCommit?(.before)
            try transaction.run("COMMIT")
        } catch {
            if db.isInsideTransaction { try? db.execute(sql: "ROLLBACK") }
            switch WriterSpace.trouble(error, inTransaction: true) {
            case .full: return .full
            case .busy(let failure): return .busy(failure)
            case .fatal(let failure): return .fatal(failure)
            case nil: return .fatal(WriterSpace.fatal(error))
            }
        }
        if let atCommit = options.atCommit {
            do throws(Failure) {
                try atCommit(.after)
            } catch {
                return .fatal(WriterSpace.fatal(error))
            }
        }
        let end = transaction.end
        shared.withLock { shared in
            shared.end = end
            shared.metrics.commits += 1
            shared.metrics.appends += written
            shared.metrics.largestGroup = max(shared.metrics.largestGroup, written)
        }
        for answer in answers { answer() }
        if end.sequence != start.sequence, let head = SequenceNumber(end.sequence) { announce(head) }
        return .done
    }

    /// Nothing that comes later may be written on top of a state nobody knows.
    private func fail(_ failure: Failure, _ group: [Job]) {
        let isFirst = shared.withLock { shared in
            defer { shared.failure = shared.failure ?? failure }
            return shared.failure == nil
        }
        // Said before anybody is answered: who was refused can rely on it.
        if isFirst { options.onFatal?(failure) }
        for job in group { job.refuse(failure) }
    }
}
