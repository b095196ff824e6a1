import HTTPAPI
import LedgerStore
import Manifests
import Notifying
import ServiceLifecycle
import Shiplog

extension Wiring {
    /// Whom the configuration wants to be told.
    /// - Throws: what is wrong with a secret or a cursor: at the start, not with the first notification.
    func notifier(_ ledger: Ledger, folder: String) async throws(Failure) -> Notifier {
        var targets: [NotificationTarget] = []
        for notification in configuration.notifications { targets.append(try target(notification)) }
        let notifier = try Notifier(
            ledger: ledger, targets: targets, folder: folder, now: { Self.now() }, logger: logger)
        try await notifier.prepare()
        return notifier
    }

    private func target(_ notification: ServerConfiguration.Notification) throws(Failure) -> NotificationTarget {
        let address: NotificationTarget.Address
        switch notification.address {
        case .plain(let url): address = .plain(url)
        case .secret(let secret):
            try Self.checkAddress(try secret.resolve(), of: notification.name)
            address = .secret(Self.reader(secret))
        }
        for secret in [notification.secret, notification.token] { _ = try secret?.resolve() }
        var patience = NotificationTarget.Patience()
        patience.tries = notification.tries
        patience.initial = notification.initial.wholeMilliseconds
        patience.maximum = notification.maximum.wholeMilliseconds
        patience.timeout = Int(notification.timeout.wholeMilliseconds)
        return NotificationTarget(
            name: notification.name, address: address, key: notification.secret.map(Self.reader),
            token: notification.token.map(Self.reader),
            rule: NotificationRule(
                kinds: Set(notification.kinds), outcomes: Set(notification.outcomes),
                applications: notification.applications.compactMap { Glob($0) },
                projects: notification.projects.compactMap { Glob($0) }), patience: patience)
    }

    /// The address is not repeated: it is a secret.
    private static func checkAddress(_ address: SecretText, of name: String) throws(Failure) {
        let url = address.revealed
        guard url.hasPrefix("https://") || url.hasPrefix("http://"), !url.contains("@") else {
            throw Failure(
                .configurationInvalid, "what the notification \(name) points at is no http or https address",
                remedy: "put the whole address into the file or variable, without a user name")
        }
    }

    static func desk(_ notifier: Notifier) -> NotificationDesk {
        NotificationDesk(
            statuses: { await notifier.statuses() },
            dead: { (name) throws(Failure) in try await notifier.dead(of: name) },
            retry: { (name, sequence, actor) throws(Failure) in try await notifier.retry(name, sequence, actor: actor)
            })
    }
}

/// Tells others until the server stops. What was restored is told nobody before somebody has looked at it.
struct NotifyingService: Service {
    let notifier: Notifier
    let log: LogKeeper

    func run() async throws {
        let work = Task {
            do { try await log.waitUntilConfirmed() } catch { return }
            await notifier.run()
        }
        await withTaskCancellationHandler {
            await withGracefulShutdownHandler {
                await work.value
            } onGracefulShutdown: {
                work.cancel()
            }
        } onCancel: {
            work.cancel()
        }
    }
}
