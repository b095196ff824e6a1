import HTTPTypes
import Hummingbird
import LedgerStore
import Logging
import NIOCore
import Reconciling
import Shiplog

/// What Hummingbird gives each request: here, its connection.
struct ConnectionContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    let channel: any Channel

    init(source: ApplicationRequestContextSource) {
        coreContext = CoreRequestContextStorage(source: source)
        channel = source.channel
    }
}

/// The one way in. Every request takes these steps, in this order, whatever its address: host, address, who asks,
/// whether that one may, the handler; and on the way out: the problem's document, headers, counts, the access log.
struct Gate: HTTPResponder {
    let parts: Parts
    let table: RouteTable
    /// Refusals of one token a minute that get an event each; further ones are counted, by what they asked for.
    private let refusalsByToken = AttemptLimiter(limit: 30)

    init(parts: Parts, table: RouteTable) {
        self.parts = parts
        self.table = table
    }

    func respond(to request: Request, context: ConnectionContext) async throws -> Response {
        let began = ContinuousClock.now
        var visit = Visit(request, context.channel, parts.settings)
        var response: Response
        do {
            response = try await answer(request, &visit, context.channel)
        } catch {
            response = await refuse(error, visit)
        }
        if request.method == .head { response = Self.withoutBody(response) }
        parts.page.protect(&response, isSecure: parts.authenticator.isSecure)
        response.headers[.xRequestID] = visit.requestID
        let took = began.duration(to: .now)
        parts.metrics.count(route: visit.route, method: request.method, status: response.status, took: took)
        log(request, response, visit, took)
        if response.headers[.connection] == "close" { response = Self.closing(response, context.channel) }
        return response
    }

    private func answer(_ request: Request, _ visit: inout Visit, _ channel: any Channel) async throws -> Response {
        try parts.origins.checkHost(request.head)
        let target = request.head.path ?? "/"
        let path = target.prefix { $0 != "?" && $0 != "#" }
        switch table.match(request.method, path) {
        case .none:
            if path.hasPrefix("/api/") || path == "/api" { throw Problem.notFound("such address in this API") }
            visit.route = "page"
            return try parts.page.answer(request, path: String(path))
        case .otherMethods(let methods):
            throw Problem(
                .methodNotAllowed, "request.method-not-allowed",
                "this address does not take \(request.method.rawValue)",
                headers: [.allow: Self.allowed(methods)])
        case .found(let route, let values):
            visit.route = route.pattern
            visit.path = values
            let query = try Query(target.dropFirst(path.count + 1).prefix { $0 != "#" })
            try query.allow(route.parameters)
            let principal = try await authenticate(request, route, &visit)
            let call = Call(
                parts: parts, request: request, path: values, query: query, principal: principal,
                address: visit.address, requestID: visit.requestID, channel: channel)
            try await authorize(call, route)
            try LogHandlers.refuseWhileUnconfirmed(route, call)
            return try await route.handler(call)
        }
    }

    // MARK: - Who, and whether

    private func authenticate(_ request: Request, _ route: Route, _ visit: inout Visit) async throws -> Principal {
        let isForeign = parts.origins.isForeign(request.head)
        let changes = request.method != .get && request.method != .head
        if route.scope == .open {
            // Signing in from another site's page would be somebody else's session.
            if isForeign, changes { throw OriginRules.refused }
            return .local
        }
        // No page of another site has any business here, reading included; people following a link read the page.
        if isForeign { throw OriginRules.refused }
        visit.showedCredential = try parts.authenticator.credential(request.head) != nil
        guard let principal = try await parts.authenticator.principal(request.head, address: visit.address) else {
            throw Authenticator.noToken
        }
        visit.principal = principal
        if principal.means == .session, changes, !parts.origins.saysOrigin(request.head) { throw OriginRules.refused }
        return principal
    }

    private func authorize(_ call: Call, _ route: Route) async throws {
        switch route.scope {
        case .open: return
        case .act(let act):
            try await call.demand(act, on: .everything, hiddenAs: Problem.notFound("such address in this API"))
        case .application(let act):
            let missing = Problem.noApplication(String(call.application.prefix(100)))
            guard let application = try await reference(call.application) else {
                // Who may not even ask hears that first, whether it exists or not.
                if call.principal.means == .anonymous, act != .read { throw Authenticator.noToken }
                throw missing
            }
            try await call.demand(act, on: Subject(application), hiddenAs: missing.asRefusal)
        }
    }

    /// The ledger knows applications that the loop, still starting, does not.
    private func reference(_ name: String) async throws(Failure) -> ApplicationReference? {
        if let status = await parts.controller.status(of: name) { return status.registered.reference }
        return try await parts.ledger.application(named: name)?.reference
    }

    private static func allowed(_ methods: [HTTPRequest.Method]) -> String {
        var words = Set(methods.map(\.rawValue))
        if words.contains("GET") { words.insert("HEAD") }
        return words.sorted().joined(separator: ", ")
    }

    // MARK: - Refusing

    private func refuse(_ error: any Error, _ visit: Visit) async -> Response {
        let problem: Problem
        switch error {
        case let known as Problem: problem = known
        case let failure as Failure: problem = Problem(failure)
        case is CancellationError:
            problem = Problem(.serviceUnavailable, "server.stopping", "the server is stopping", remedy: "try again")
        default:
            // What it says may come from anywhere, so nobody but the log hears it.
            parts.logger.error(
                "a request failed",
                metadata: ["request": "\(visit.requestID)", "error": "\(String(reflecting: type(of: error)))"])
            problem = Problem(
                .internalServerError, "server.error", "the server could not answer",
                remedy: "look for the request's id in the server's log")
        }
        if problem.status.code >= 500 {
            parts.logger.warning(
                "request failed",
                metadata: [
                    "request": "\(visit.requestID)", "code": "\(problem.failure.code)",
                    "message": "\(problem.failure.message)"
                ])
        }
        await keep(problem, visit)
        return problem.response(instance: visit.requestID)
    }

    /// Refusals are part of the history: one event each for somebody known who does not flood it, two a minute and code
    /// for strangers. So is
    /// every request for a change that came to nothing, whatever the reason: what was tried is told like what was done.
    private func keep(_ problem: Problem, _ visit: Visit) async {
        let code = problem.failure.code
        guard visit.asksForChange || Self.isRefusal(problem),
            problem.status != .unauthorized || visit.showedCredential || visit.method != .get
        else { return }
        do throws(Failure) {
            guard let principal = visit.principal, let token = principal.tokenID else {
                return try await parts.ledger.record(refusal: Refusal(code: code, address: visit.address))
            }
            let actor = Actor(
                name: principal.name, means: principal.means == .session ? .session : .token, tokenID: token,
                address: visit.address, requestID: visit.requestID)
            let application = try await named(visit)
            if refusalsByToken.take(token, at: parts.now()) == nil {
                try await parts.ledger.record(
                    Event(
                        .requestRefused, application: application, actor: actor,
                        outcome: problem.status.code >= 500 ? "failed" : "refused",
                        facts: .members([
                            "code": .string(code.rawValue), "method": .string(visit.method.rawValue),
                            "route": .string(visit.route), "status": .integer(Int64(problem.status.code)),
                            "token": visit.namedToken.map { .string($0) }
                        ])))
            } else {
                try await parts.ledger.record(
                    refusal: Refusal(
                        code: code, actor: actor, method: visit.method.rawValue, route: visit.route,
                        status: problem.status.code, application: application, namedToken: visit.namedToken))
            }
        } catch {
            parts.logger.error("a refusal could not be recorded", metadata: ["code": "\(error.code)"])
        }
    }

    /// The application that the path names, if there is one.
    private func named(_ visit: Visit) async throws(Failure) -> ApplicationReference? {
        guard let name = visit.path["name"] else { return nil }
        return try await reference(name)
    }

    private static func isRefusal(_ problem: Problem) -> Bool {
        problem.isRefusal || [401, 403, 421].contains(problem.status.code)
            || problem.failure.code == "request.too-many-attempts"
    }

    // MARK: - The way out

    private static func withoutBody(_ response: Response) -> Response {
        var head = response.createHeadResponse()
        // The length of what GET would send stands for the body that is left out; a stream has none.
        if response.body.contentLength == nil { head.headers[.contentLength] = nil }
        return head
    }

    /// Closes the connection after the answer: what is still coming in is nothing anybody wants.
    private static func closing(_ response: Response, _ channel: any Channel) -> Response {
        var copy = response
        let body = response.body
        let length = response.headers[.contentLength]
        copy.body = ResponseBody(contentLength: body.contentLength) { writer in
            try await body.write(writer)
            // Not at once: bytes that were never read would make the kernel reset the connection under the answer.
            channel.eventLoop.scheduleTask(in: .seconds(1)) { channel.close(promise: nil) }
        }
        copy.headers[.contentLength] = length
        return copy
    }

    private func log(_ request: Request, _ response: Response, _ visit: Visit, _ took: Duration) {
        let isQuiet = ["/healthz", "/livez", "/readyz", "/metrics", "page"].contains(visit.route)
        let path = Visit.harmless((request.head.path ?? "/").prefix { $0 != "?" && $0 != "#" })
        parts.logger.log(
            level: isQuiet && response.status.code < 500 ? .debug : .info, "request",
            metadata: [
                "request": "\(visit.requestID)", "method": "\(request.method.rawValue)", "path": "\(path)",
                "status": "\(response.status.code)", "milliseconds": "\(took / .milliseconds(1))",
                "address": "\(visit.address)", "actor": "\(visit.principal?.name ?? "-")"
            ])
    }
}

/// What is known of a request before, and even without, anybody having let it in.
private struct Visit {
    let requestID: String
    let address: String
    let method: HTTPRequest.Method
    /// `none` and `page` are no routes of the API.
    var route = "none"
    /// What the path names.
    var path: [String: String] = [:]
    var principal: Principal?
    var showedCredential = false

    init(_ request: Request, _ channel: any Channel, _ settings: ServerSettings) {
        method = request.method
        requestID = Self.sane(request.headers[.xRequestID]) ?? Self.random()
        let remote = channel.remoteAddress?.ipAddress ?? "unknown"
        // Only the proxy's own entry, the last, is its word; what stands before it came from outside.
        let forwarded = request.headers[values: .xForwardedFor].last?.split(separator: ",").last?.trimming()
        if settings.behindProxy, let forwarded, !forwarded.isEmpty, forwarded.utf8.count <= 64,
            forwarded.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
        {
            address = forwarded
        } else {
            address = remote
        }
    }

    /// Whether it came to an address that changes something.
    var asksForChange: Bool { route != "none" && route != "page" && method != .get && method != .head }

    /// The id of a token that the path names; nil for what cannot be one, such as a token's own text.
    var namedToken: String? {
        guard let id = path["id"], id.utf8.count == 12 else { return nil }
        return id.utf8.allSatisfy { (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) } ? id : nil
    }

    /// A path for the log: somebody who takes a token's text for its id has it in the address.
    static func harmless(_ path: Substring) -> String {
        var rest = path.prefix(300)
        var result = ""
        while let start = rest.firstRange(of: "shp_") {
            result += rest[..<start.upperBound] + "…"
            rest = rest[start.upperBound...].drop { $0.isLetter || $0.isNumber || $0 == "_" || $0 == "-" }
        }
        return result + rest
    }

    private static func sane(_ text: String?) -> String? {
        guard let text, (1...64).contains(text.utf8.count) else { return nil }
        let isSane = text.utf8.allSatisfy { byte in
            (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
                || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_") || byte == UInt8(ascii: ".")
        }
        return isSane ? text : nil
    }

    private static func random() -> String {
        var generator = SystemRandomNumberGenerator()
        return (0..<12).map { _ in UInt8.random(in: .min ... .max, using: &generator) }.hex
    }
}
