import HTTPTypes
import LedgerStore
import Shiplog

/// From a request's head to who is asking.
struct Authenticator: Sendable {
    let ledger: Ledger
    let sessions: Sessions
    let limiter: AttemptLimiter
    let settings: ServerSettings
    let now: @Sendable () -> Timestamp

    /// What a request shows to say who it is.
    enum Credential: Sendable, Hashable {
        case token(SecretText)
        /// A session's cookie.
        case cookie(String)
    }

    /// - Returns: nil when nothing is shown and reading needs something.
    /// - Throws: `request.unauthenticated` when what is shown is not (or no longer) good, `request.too-many-attempts`.
    func principal(_ head: HTTPRequest, address: String) async throws -> Principal? {
        switch try credential(head) {
        case nil: return settings.isLocal ? .local : nil
        case .token(let secret):
            return Principal(try await check(secret, address: address), means: .token)
        case .cookie(let cookie):
            // A cookie that means nothing any more is as good as none: browsers keep sending it.
            guard let secret = sessions.token(of: cookie, at: now()) else { return settings.isLocal ? .local : nil }
            guard let token = try await ledger.authenticate(secret) else {
                sessions.close(cookie)
                return settings.isLocal ? .local : nil
            }
            return Principal(token, means: .session)
        }
    }

    /// Checks a token's text, at the cost of one try.
    func check(_ secret: SecretText, address: String) async throws -> Token {
        if let wait = limiter.take(address, at: now()) {
            throw Problem(
                .tooManyRequests, "request.too-many-attempts", "too many wrong tokens came from this address",
                remedy: "wait a minute", headers: [.retryAfter: String((wait + 999) / 1000)])
        }
        guard let token = try await ledger.authenticate(secret) else { throw Self.wrongToken }
        limiter.giveBack(address)
        return token
    }

    func credential(_ head: HTTPRequest) throws(Problem) -> Credential? {
        if let value = head.headerFields[.authorization] {
            let parts = value.split(separator: " ", maxSplits: 1)
            guard parts.count == 2, parts[0].lowercased() == "bearer" else {
                throw Problem(
                    .unauthorized, "request.unauthenticated", "the Authorization header is not Bearer and a token",
                    headers: Self.challenge)
            }
            return .token(SecretText(parts[1].trimming()))
        }
        return cookie(head).map { .cookie($0) }
    }

    /// `__Host-` ties a cookie to this host and to TLS; browsers take that prefix over TLS only.
    var cookieName: String { isSecure ? "__Host-shiplog" : "shiplog" }
    var isSecure: Bool { settings.tls != nil || settings.behindProxy }

    func cookie(_ head: HTTPRequest) -> String? {
        for field in head.headerFields[values: .cookie] {
            for pair in field.split(separator: ";").prefix(50) {
                let halves = pair.split(separator: "=", maxSplits: 1)
                if halves.count == 2, halves[0].trimming() == cookieName { return halves[1].trimming() }
            }
        }
        return nil
    }

    static let challenge: HTTPFields = [.wwwAuthenticate: "Bearer realm=\"shiplog\""]

    static var wrongToken: Problem {
        Problem(
            .unauthorized, "request.unauthenticated", "the token is unknown, expired or revoked",
            remedy: "ask an administrator for a token, or make one with `shiplog token create`", headers: challenge)
    }

    static var noToken: Problem {
        Problem(
            .unauthorized, "request.unauthenticated", "this needs a token",
            remedy: "send it as `Authorization: Bearer …`, or sign in on the page", headers: challenge)
    }
}
