public import LedgerStore
public import Logging
public import Shiplog

/// Tells others what became of syncs and rollbacks: reads the log behind a cursor of its own for each target, and holds
/// nothing of it in memory. A target that is slow or gone holds up neither the log nor another target.
///
/// Why it is so: docs/decisions/0026-notifications-behind-a-cursor.md.
public struct Notifier: Sendable {
    private let ledger: Ledger
    private let mailboxes: [Mailbox]

    /// - Parameter folder: where cursors are kept; private, of the data directory.
    /// - Throws: `notification.twice` for two targets of one name.
    public init(
        ledger: Ledger, targets: [NotificationTarget], folder: String, now: @escaping @Sendable () -> Timestamp,
        logger: Logger
    ) throws(Failure) {
        var names: Set<String> = []
        for target in targets where !names.insert(target.name).inserted {
            throw Failure(
                "notification.twice", "two notifications are called \(target.name)", remedy: "name them apart")
        }
        self.ledger = ledger
        mailboxes = targets.map { target in
            Mailbox(
                target, ledger: ledger, file: CursorFile(folder + "/" + target.name + ".json"), now: now,
                logger: logger)
        }
    }

    /// Where a target begins is fixed before anything else is appended, so that nothing is lost between.
    /// - Throws: `notification.cursor-invalid`, `notification.cursor-unwritable`, and what reading the log does.
    public func prepare() async throws(Failure) {
        for mailbox in mailboxes { try await mailbox.restore() }
    }

    /// Goes on until cancelled.
    public func run() async {
        await withTaskGroup(of: Void.self) { group in
            for mailbox in mailboxes { group.addTask { await mailbox.run() } }
            let heads = ledger.changes()
            group.addTask { [mailboxes] in
                for await _ in heads { for mailbox in mailboxes { mailbox.wake() } }
            }
            await group.waitForAll()
        }
    }

    public func statuses() async -> [NotificationStatus] {
        let head = (try? await ledger.head())?.value ?? 0
        var statuses: [NotificationStatus] = []
        for mailbox in mailboxes {
            var status = await mailbox.status
            status.behind = max(0, head - status.cursor)
            statuses.append(status)
        }
        return statuses
    }

    /// What was given up, newest first, of all targets or of one.
    public func dead(of name: String? = nil) async throws(Failure) -> [DeadLetter] {
        let kinds: [Event.Kind] = [.notificationDead, .notificationRetried, .notificationDelivered]
        var events: [StoredEvent] = []
        for kind in kinds { events += try await ledger.events(EventQuery(kinds: [kind], limit: 500)).items }
        events.sort { $0.sequence > $1.sequence }
        let letters = DeadLetter.fold(events.map { ($0.sequence, $0.recordedAt, $0.value) })
        return letters.filter { name == nil || $0.notification == name }
    }

    /// Takes dead letters up again, all of a target or one.
    /// - Returns: the rows that will be told of after all.
    /// - Throws: `notification.not-found`, `notification.not-dead`, `notification.too-many`.
    public func retry(
        _ name: String, _ sequence: SequenceNumber?, actor: Actor
    ) async throws(Failure) -> [SequenceNumber] {
        guard let mailbox = mailboxes.first(where: { $0.target.name == name }) else {
            throw Failure(
                "notification.not-found", "there is no notification \(name)",
                remedy: "see `shiplog notifications list`")
        }
        let letters = try await dead(of: name).filter { sequence == nil || $0.sequence == sequence }
        guard !letters.isEmpty else {
            throw Failure(
                "notification.not-dead",
                sequence.map { "\($0) is no dead letter of \(name)" } ?? "\(name) has no dead letters",
                remedy: "see `shiplog notifications dead`")
        }
        // The oldest first, as they happened.
        return try await mailbox.retry(letters.filter { !$0.isTriedAgain }.map(\.sequence).reversed(), actor: actor)
    }
}
