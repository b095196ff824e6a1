import Crypto
import HTTPTypes
import Hummingbird
import Reconciling
import Shiplog

enum WebhookHandlers {
    /// `/api/webhook`, where Argo CD listens: the header names the provider, the provider's own proof decides.
    @Sendable static func any(_ call: Call) async throws -> Response {
        switch (call.header(.gitlabEvent), call.header(.githubEvent)) {
        case (_?, nil): return try await gitlab(call)
        case (nil, _?): return try await github(call)
        default:
            throw Problem(
                .badRequest, "webhook.unknown", "this is no delivery of GitLab or GitHub",
                remedy: "deliveries carry X-Gitlab-Event or X-GitHub-Event")
        }
    }

    @Sendable static func gitlab(_ call: Call) async throws -> Response {
        let event = try name(of: call.header(.gitlabEvent), "X-Gitlab-Event")
        let settings = call.parts.settings.webhooks
        // The server's own secret speaks for every repository, an application's for that application's.
        var secrets = settings.gitlabSecret.map { [$0] } ?? []
        var repositories: [String?] = secrets.map { _ in nil }
        for status in await call.controller.statuses() {
            let application = status.registered.application
            for webhook in application.webhooks {
                secrets.append(webhook.secret)
                repositories.append(RepositoryAddress.comparable(application.source.repository))
            }
        }
        guard !secrets.isEmpty else { throw noSecret(call, .gitlab) }
        let matches = call.parts.webhookProof.matches(call.header(.gitlabToken), secrets)
        let matched = zip(matches, repositories).filter(\.0).map(\.1)
        guard !matched.isEmpty else { throw unverified(call, .gitlab) }
        let reach = matched.contains(nil) ? nil : Set(matched.compactMap { $0 })
        let bytes = try await body(call)
        var reading = WebhookPayload.gitlab(event: event, try Call.json(bytes))
        if let reach, case .hint(var hint) = reading {
            hint.repositories = hint.repositories.filter { reach.contains(RepositoryAddress.comparable($0)) }
            reading =
                hint.repositories.isEmpty
                ? .ignored("the secret is an application's that reads another repository") : .hint(hint)
        }
        let id = call.header(.idempotencyKey) ?? call.header(.gitlabEventUUID)
        return try deliver(call, .gitlab, event, id: id, reading, bytes)
    }

    @Sendable static func github(_ call: Call) async throws -> Response {
        let event = try name(of: call.header(.githubEvent), "X-GitHub-Event")
        let settings = call.parts.settings.webhooks
        guard let secret = settings.githubSecret else { throw noSecret(call, .github) }
        // The signature is over the body's bytes, so they have to be here first; nothing reads them before it holds.
        let bytes = try await body(call)
        guard WebhookProof.isSigned(bytes, call.header(.hubSignature), secret) else {
            throw unverified(call, .github)
        }
        let reading = WebhookPayload.github(event: event, try Call.json(bytes))
        return try deliver(call, .github, event, id: call.header(.githubDelivery), reading, bytes)
    }

    private static func name(of header: String?, _ field: String) throws(Problem) -> String {
        guard let header, (1...100).contains(header.utf8.count) else { throw .invalid(field, "is missing or too long") }
        return header
    }

    private static func body(_ call: Call) async throws -> [UInt8] {
        guard call.mediaType == "application/json" else {
            throw Problem(
                .unsupportedMediaType, "request.media-type", "a delivery must be application/json",
                remedy: "choose the content type application/json where the webhook is set up")
        }
        return try await call.body(limit: call.parts.settings.webhooks.maximumBody)
    }

    private static func deliver(
        _ call: Call, _ provider: WebhookProvider, _ event: String, id: String?, _ reading: WebhookReading,
        _ bytes: [UInt8]
    ) throws(Problem) -> Response {
        guard let digest = Digest(bytes: SHA256.hash(data: bytes)) else { throw .invalid("/", "has no digest") }
        let delivery = WebhookDesk.Delivery(
            provider: provider, event: event, id: id.flatMap { $0.isEmpty ? nil : $0 },
            reading: reading, body: digest,
            actor: Actor(
                name: provider.rawValue, means: .webhook, address: call.address, requestID: call.requestID))
        let receipt = call.parts.webhooks.take(delivery)
        var answer: JSON
        switch (receipt, reading) {
        case (.busy, _):
            call.parts.metrics.count(delivery: provider.rawValue, result: "busy")
            throw Problem(
                .serviceUnavailable, "webhook.busy", "too many deliveries wait already", remedy: "deliver it again",
                headers: [.retryAfter: "10"])
        case (.repeated, _): answer = ["status": "repeated"]
        case (.accepted, .ignored(let why)): answer = ["status": "ignored", "reason": .string(why)]
        case (.accepted, .hint): answer = ["status": "accepted"]
        }
        call.parts.metrics.count(delivery: provider.rawValue, result: answer["status"]?.string ?? "accepted")
        return .json(answer)
    }

    // MARK: - Refusing

    private static func unverified(_ call: Call, _ provider: WebhookProvider) -> Problem {
        call.parts.metrics.count(delivery: provider.rawValue, result: "refused")
        return Problem(
            .unauthorized, "webhook.unverified", "the delivery does not show the secret it was set up with",
            remedy: "set the same secret where the webhook is set up and in Shiplog")
    }

    private static func noSecret(_ call: Call, _ provider: WebhookProvider) -> Problem {
        call.parts.metrics.count(delivery: provider.rawValue, result: "refused")
        return Problem(
            .forbidden, "webhook.no-secret", "no secret for deliveries of \(provider.rawValue) is configured",
            remedy: "set webhooks.\(provider.rawValue) in the configuration, or spec.webhook in an Application (GitLab)"
        )
    }
}

extension HTTPField.Name {
    static let gitlabEvent = webhook("X-Gitlab-Event")
    static let gitlabToken = webhook("X-Gitlab-Token")
    static let gitlabEventUUID = webhook("X-Gitlab-Event-UUID")
    static let idempotencyKey = webhook("Idempotency-Key")
    static let githubEvent = webhook("X-GitHub-Event")
    static let githubDelivery = webhook("X-GitHub-Delivery")
    static let hubSignature = webhook("X-Hub-Signature-256")

    /// Constants, and tokens by RFC 9110: the fallback is never used.
    private static func webhook(_ text: String) -> HTTPField.Name { HTTPField.Name(text) ?? .server }
}
