import HTTPTypes
import Hummingbird
import LedgerStore
import Shiplog

enum PeopleHandlers {
    @Sendable static func me(_ call: Call) async throws -> Response {
        let principal = call.principal
        return .json(
            .members([
                "name": principal.means == .anonymous ? nil : .string(principal.name),
                "role": .string(principal.role.rawValue), "means": .string(principal.means.rawValue),
                "robot": .bool(principal.isRobot), "projects": .array(principal.projectGlobs.map { .string($0) }),
                "applications": .array(principal.applicationGlobs.map { .string($0) }),
                "tokenID": principal.tokenID.map { .string($0) }, "expiresAt": principal.expiresAt?.projection
            ]))
    }

    // MARK: - Sessions

    /// Exchanges a token for a cookie that no script can read.
    @Sendable static func signIn(_ call: Call) async throws -> Response {
        let fields = try await call.fields(["token"])
        guard let text = try fields.string("token", limit: 300) else { throw fields.wrong("token", "is missing") }
        let secret = SecretText(text)
        let authenticator = call.parts.authenticator
        let token = try await authenticator.check(secret, address: call.address)
        // One browser, one session: another token takes the old one's place.
        try await closeSession(call, why: "another was opened")
        let (cookie, seconds) = call.parts.sessions.open(secret, until: token.expiresAt, at: call.parts.now())
        let principal = Principal(token, means: .session)
        try await record(.sessionOpened, principal, call, ["role": .string(principal.role.rawValue)])
        var response = Response.json([
            "name": .string(principal.name), "role": .string(principal.role.rawValue), "means": "session",
            "expiresIn": .integer(seconds)
        ])
        response.headers[.setCookie] = attributes(cookie, seconds, authenticator)
        return response
    }

    @Sendable static func signOut(_ call: Call) async throws -> Response {
        try await closeSession(call, why: "asked for")
        var response = Response.noContent
        response.headers[.setCookie] = attributes("", 0, call.parts.authenticator)
        return response
    }

    /// Ends the session of the request's cookie, if there is one that still holds.
    private static func closeSession(_ call: Call, why: String) async throws(Failure) {
        guard let cookie = call.parts.authenticator.cookie(call.request.head),
            let secret = call.parts.sessions.token(of: cookie, at: call.parts.now())
        else { return }
        call.parts.sessions.close(cookie)
        guard let token = try await call.ledger.authenticate(secret) else { return }
        try await record(.sessionClosed, Principal(token, means: .session), call, ["why": .string(why)])
    }

    private static func attributes(_ value: String, _ seconds: Int64, _ authenticator: Authenticator) -> String {
        "\(authenticator.cookieName)=\(value); Path=/; Max-Age=\(seconds); HttpOnly; SameSite=Strict"
            + (authenticator.isSecure ? "; Secure" : "")
    }

    private static func record(
        _ kind: Event.Kind, _ principal: Principal, _ call: Call, _ facts: JSON
    ) async throws(Failure) {
        let actor = Actor(
            name: principal.name, means: .session, tokenID: principal.tokenID, address: call.address,
            requestID: call.requestID)
        try await call.ledger.record(Event(kind, actor: actor, facts: facts))
    }

    // MARK: - Tokens

    @Sendable static func tokens(_ call: Call) async throws -> Response {
        .json(["items": .array(try await call.ledger.tokens().map { $0.projection(at: call.parts.now()) })])
    }

    /// The answer is the only place where the token's text ever stands.
    @Sendable static func makeToken(_ call: Call) async throws -> Response {
        let fields = try await call.fields(["name", "role", "projects", "applications", "expiresAt", "robot"])
        guard let name = try fields.string("name", limit: 200) else { throw fields.wrong("name", "is missing") }
        guard !name.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F }) else {
            throw fields.wrong("name", "must have no control characters")
        }
        guard let role = try fields.word("role", Token.Role.self) else { throw fields.wrong("role", "is missing") }
        let expiresAt = try fields.time("expiresAt")
        if let expiresAt, expiresAt <= call.parts.now() { throw fields.wrong("expiresAt", "must lie in the future") }
        let draft = Token.Draft(
            name: name, isRobot: try fields.flag("robot") ?? false, role: role,
            projects: try fields.strings("projects") ?? ["*"],
            applications: try fields.strings("applications") ?? ["*"], expiresAt: expiresAt)
        let (token, secret) = try await call.ledger.createToken(draft, actor: call.actor)
        var response = Response.json(
            ["token": token.projection(at: call.parts.now()), "secret": .string(secret.revealed)], status: .created)
        response.headers[.location] = RouteTable.base + "/tokens/" + token.id
        response.headers[.cacheControl] = "no-store"
        return response
    }

    @Sendable static func revokeToken(_ call: Call) async throws -> Response {
        try await call.ledger.revokeToken(call.path["id"] ?? "", actor: call.actor)
        return .noContent
    }
}

extension Token {
    func projection(at now: Timestamp) -> JSON {
        let state = revokedBy != nil ? "revoked" : expiresAt.map { $0 <= now } == true ? "expired" : "active"
        return .members([
            "id": .string(id), "name": .string(name), "robot": .bool(isRobot), "role": .string(role.rawValue),
            "projects": .array(projects.map { .string($0) }),
            "applications": .array(applications.map { .string($0) }), "expiresAt": expiresAt?.projection,
            "createdAt": createdAt.projection, "createdBy": createdBy.projection,
            "revokedBy": revokedBy?.projection, "state": .string(state)
        ])
    }
}
