import Evidence
import LedgerStore
import Logging
import Shiplog
import Synchronization

/// One target's place in the log, and its one worker.
///
/// A row is behind the cursor only when it was delivered, given up by an event in the log, or not asked for. Whatever
/// ends the process, the next one goes on from there; what was being delivered then is delivered again, with the same id.
actor Mailbox {
    nonisolated let target: NotificationTarget
    private let ledger: Ledger
    private let file: CursorFile
    private let now: @Sendable () -> Timestamp
    private let logger: Logger
    private(set) var status: NotificationStatus
    private var isRestored = false
    private let wakes: AsyncStream<Void>
    private let waker: AsyncStream<Void>.Continuation

    /// Dead letters that wait to be delivered after all, at most.
    static let mostAgain = 1000
    /// Rows read at once.
    private static let page = 100
    /// Rows that were not asked for and are looked at again after a crash, at most.
    private static let stride: Int64 = 1000
    /// When the log or the disk fails.
    private static let pause: Int64 = 30_000

    init(
        _ target: NotificationTarget, ledger: Ledger, file: CursorFile, now: @escaping @Sendable () -> Timestamp,
        logger: Logger
    ) {
        self.target = target
        self.ledger = ledger
        self.file = file
        self.now = now
        self.logger = logger
        status = NotificationStatus(name: target.name, url: target.shownAddress)
        (wakes, waker) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    nonisolated func wake() { waker.yield() }

    /// Where it stands. A target that is new begins at the log's end: nobody wants a year of news.
    func restore() async throws(Failure) {
        guard !isRestored else { return }
        let head = try await ledger.head()?.value ?? 0
        if let kept = try file.read(ledger: ledger.uid), kept.cursor <= head {
            (status.cursor, status.again) = (kept.cursor, kept.again)
        } else {
            // Nothing kept, another ledger's, or a later life's of a ledger that was put back.
            status.cursor = head
            try keep()
        }
        isRestored = true
    }

    func run() async {
        var saved = status.cursor
        for await _ in wakes {
            while !Task.isCancelled {
                do throws(Failure) {
                    try await restore()
                    guard try await step() else { break }
                    if status.cursor - saved >= Self.stride {
                        try keep()
                        saved = status.cursor
                    }
                } catch {
                    if Task.isCancelled { return }
                    logger.error(
                        "notifications wait",
                        metadata: ["notification": "\(target.name)", "code": "\(error.code)"])
                    try? await Task.sleep(for: .milliseconds(Self.pause))
                }
            }
            if Task.isCancelled { return }
        }
    }

    /// Does the next thing there is to do.
    /// - Returns: whether there was one.
    private func step() async throws(Failure) -> Bool {
        if let sequence = status.again.first {
            try await deliverAgain(sequence)
            return true
        }
        guard let head = try await ledger.head()?.value, head > status.cursor else { return false }
        let found = try await ledger.changed(status.cursor + 1...head, limit: Self.page)
        for sequence in found {
            guard let number = SequenceNumber(sequence) else { continue }
            if let event = try await CloudEvent.read(number, of: ledger), target.rule.takes(event.entry) {
                try await deliver(number, event)
                status.cursor = sequence
                try keep()
                // Somebody may have asked for a dead letter meanwhile.
                if !status.again.isEmpty { return true }
            }
            status.cursor = sequence
        }
        if found.count < Self.page { status.cursor = max(status.cursor, head) }
        return true
    }

    private func deliver(_ sequence: SequenceNumber, _ event: CloudEvent) async throws(Failure) {
        if let miss = try await attempt(sequence, event) { try await giveUp(sequence, miss) }
    }

    private func deliverAgain(_ sequence: SequenceNumber) async throws(Failure) {
        if let event = try await CloudEvent.read(sequence, of: ledger) {
            if let miss = try await attempt(sequence, event) {
                try await giveUp(sequence, miss)
            } else {
                var facts: [String: JSON] = [
                    "notification": .string(target.name), "sequence": .integer(sequence.value)
                ]
                facts["status"] = status.delivered.map { .integer(Int64($0.status)) }
                try await ledger.record(Event(.notificationDelivered, actor: .controller, facts: .object(facts)))
            }
        }
        status.again.removeAll { $0 == sequence }
        try keep()
    }

    /// Tries until it is delivered or its tries are used up.
    /// - Returns: nil when it was delivered, or what went wrong last.
    private func attempt(_ sequence: SequenceNumber, _ event: CloudEvent) async throws(Failure) -> NotificationTarget
        .Miss?
    {
        let body = event.json.canonicalBytes
        var number = 1
        while true {
            do throws(NotificationTarget.Miss) {
                let answer = try await target.send(id: event.id, body, at: now())
                if status.trouble != nil {
                    logger.notice("notifications arrive again", metadata: ["notification": "\(target.name)"])
                }
                status.delivered = .init(sequence: sequence, at: now(), status: answer)
                status.trouble = nil
                return nil
            } catch {
                // Cut short by the end of the server: it is tried anew at the next start.
                if Task.isCancelled { throw Self.stopped }
                if status.trouble?.code != error.code || status.trouble?.status != error.status {
                    logger.warning(
                        "a notification did not arrive",
                        metadata: [
                            "notification": "\(target.name)", "sequence": "\(sequence.value)",
                            "code": "\(error.code)", "status": "\(error.status ?? 0)"
                        ])
                }
                let wait = target.patience.delay(
                    before: number + 1, chance: Double.random(in: 0...1), asked: error.wait)
                status.trouble = .init(
                    sequence: sequence, tries: number, code: error.code, status: error.status,
                    next: now().advanced(byMilliseconds: wait))
                guard number < target.patience.tries else { return error }
                number += 1
                try? await Task.sleep(for: .milliseconds(wait))
                if Task.isCancelled { throw Self.stopped }
            }
        }
    }

    private static let stopped = Failure("notification.stopped", "the server stopped", next: .superseded)

    /// A dead letter is an event, so that nothing is given up unseen; it stands in the log before the cursor moves on.
    private func giveUp(_ sequence: SequenceNumber, _ miss: NotificationTarget.Miss) async throws(Failure) {
        var facts: [String: JSON] = [
            "notification": .string(target.name), "sequence": .integer(sequence.value),
            "code": .string(miss.code.rawValue), "tries": .integer(Int64(max(1, target.patience.tries)))
        ]
        facts["status"] = miss.status.map { .integer(Int64($0)) }
        try await ledger.record(
            Event(.notificationDead, actor: .controller, outcome: "failed", facts: .object(facts)))
        status.trouble = nil
    }

    /// - Returns: those that are taken up.
    func retry(_ sequences: [SequenceNumber], actor: Actor) async throws(Failure) -> [SequenceNumber] {
        try await restore()
        let wanted = sequences.filter { !status.again.contains($0) }
        guard status.again.count + wanted.count <= Self.mostAgain else {
            throw Failure(
                "notification.too-many", "more than \(Self.mostAgain) dead letters of \(target.name) would wait",
                remedy: "wait until some have been delivered", next: .retry(afterMilliseconds: 30_000))
        }
        for sequence in wanted {
            try await ledger.record(
                Event(
                    .notificationRetried, actor: actor,
                    facts: ["notification": .string(target.name), "sequence": .integer(sequence.value)]))
            if !status.again.contains(sequence) { status.again.append(sequence) }
        }
        try keep()
        wake()
        return wanted
    }

    private func keep() throws(Failure) {
        try file.write(.init(ledger: ledger.uid, cursor: status.cursor, again: status.again))
    }
}
