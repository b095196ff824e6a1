import Foundation
public import Hummingbird
import HummingbirdCore
import HummingbirdTLS
public import LedgerStore
public import Logging
import NIOCore
public import Reconciling
public import Shiplog

/// The API, the webhooks' door, the metrics and the page behind one port: the same composition in `main` and in tests.
public struct Server: Sendable {
    private let parts: Parts
    private let builder: HTTPServerBuilder
    private let tls: TLS?
    private let onListening: @Sendable (Int) async -> Void

    /// - Parameters:
    ///   - formats: how Applications are read and manifests written.
    ///   - now: the clock that sessions, limits and answers go by.
    ///   - onListening: called with the port once it takes connections.
    /// - Throws: `server.tls-required`, `server.tls-invalid`, `server.web-missing`, `server.listen-invalid`.
    public init(
        ledger: Ledger, log: LogKeeper? = nil, controller: Controller, formats: Formats, settings: ServerSettings,
        notifications: NotificationDesk = .none,
        now: @escaping @Sendable () -> Timestamp, logger: Logger,
        onListening: @escaping @Sendable (Int) async -> Void = { _ in }
    ) throws(Failure) {
        try settings.check()
        let closing = Closing()
        let metrics = Metrics()
        let sessions = Sessions(capacity: settings.limits.sessions, length: settings.sessionLength)
        parts = Parts(
            ledger: ledger, log: log, controller: controller, settings: settings, formats: formats,
            authenticator: Authenticator(
                ledger: ledger, sessions: sessions,
                limiter: AttemptLimiter(limit: settings.limits.authenticationFailures), settings: settings, now: now),
            sessions: sessions, origins: OriginRules(settings),
            streams: StreamHub(
                ledger: ledger, controller: controller, limits: settings.limits, metrics: metrics, closing: closing,
                logger: logger),
            webhooks: WebhookDesk(
                limit: settings.webhooks.queueLimit, controller: controller, ledger: ledger, logger: logger),
            webhookProof: WebhookProof(), notifications: notifications, metrics: metrics,
            page: try StaticPage(settings.webDirectory),
            closing: closing, startedAt: now(), now: now, logger: logger)
        let limits = settings.limits
        tls =
            if let files = settings.tls {
                try TLS(files, interval: limits.certificateInterval, logger: logger)
            } else { nil }
        var http = HTTP1Channel.Configuration(
            additionalChannelHandlers: [ConnectionGuard(closing: closing, headTime: limits.headTime)],
            idleTimeout: .milliseconds(limits.idleTime))
        http.httpDecoder = .init(
            maxHeaderFieldSize: limits.head, maxHeaderListSize: limits.head, maxHeaderFieldCount: 100)
        let plain = HTTPServerBuilder.http1(configuration: http)
        if let tls {
            do {
                builder = try .tls(plain, tlsConfiguration: tls.configuration)
            } catch {
                throw Failure("server.tls-invalid", "the TLS certificate and key cannot be used")
            }
        } else {
            builder = plain
        }
        self.onListening = onListening
    }

    /// Hummingbird's application. `run` runs it together with what it needs; a test that sends requests needs that too.
    public func buildApplication() -> some ApplicationProtocol {
        let settings = parts.settings
        return Application(
            responder: Gate(parts: parts, table: .all), server: builder,
            configuration: ApplicationConfiguration(
                address: .hostname(settings.host, port: settings.port), serverName: nil,
                availableConnectionsDelegate: .maximum(settings.limits.connections, logger: parts.logger)),
            onServerRunning: { [onListening] channel in
                await onListening(channel.localAddress?.port ?? settings.port)
            }, logger: parts.logger)
    }

    /// Serves until cancelled or gracefully shut down: then streams end, requests under way are answered, and what was
    /// counted or queued is recorded.
    public func run() async throws {
        let application = buildApplication()
        let (parts, tls) = (parts, tls)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await parts.streams.run() }
            group.addTask { await parts.webhooks.run() }
            group.addTask { await Self.recordRefusals(parts) }
            if let tls { group.addTask { await tls.run() } }
            defer { group.cancelAll() }
            // In the group's own task, so that a graceful shutdown of the caller reaches it and its end ends the rest.
            do {
                try await withTaskCancellationHandler {
                    try await application.run()
                } onCancel: {
                    parts.closing.begin()
                }
            } catch let error as IOError {
                throw Self.cannotListen(parts.settings, error)
            }
            parts.closing.begin()
            group.cancelAll()
            try await group.waitForAll()
        }
    }

    private static func cannotListen(_ settings: ServerSettings, _ error: IOError) -> Failure {
        let address = "\(settings.host):\(settings.port)"
        return error.errnoCode == EADDRINUSE
            ? Failure(
                "server.address-in-use", "another program listens on \(address) already",
                remedy: "stop it, or choose another address with --listen; port 0 takes a free one")
            : Failure(
                "server.listen-failed",
                "nobody can listen on \(address): \(String(cString: strerror(error.errnoCode)))",
                remedy: "choose an address of this machine with --listen")
    }

    /// Counts of refusals become events a minute later at most.
    private static func recordRefusals(_ parts: Parts) async {
        while !Task.isCancelled {
            do { try await Task.sleep(for: .seconds(20)) } catch { return }
            do throws(Failure) {
                try await parts.ledger.recordRefusals()
            } catch {
                parts.logger.error("refusals could not be recorded", metadata: ["code": "\(error.code)"])
            }
        }
    }
}
