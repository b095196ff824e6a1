import Foundation
import KubernetesAPI
import Shiplog

/// The API of one server.
struct Client: Sendable {
    static let base = "/api/shiplog/v1"
    static let defaultServer = "http://127.0.0.1:8080"

    /// Without the slash at its end.
    let server: String
    /// What was asked for with `--timeout`; 0 is without end.
    let timeout: Span?
    private let token: SecretText?
    /// Whether the server is told who asks.
    var hasToken: Bool { token != nil }
    private let tls: TLSSettings

    init(_ options: ServerOptions, environment: [String: String]) throws(Failure) {
        var address =
            options.server ?? environment["SHIPLOG_SERVER"].flatMap { $0.isEmpty ? nil : $0 }
            ?? Self.defaultServer
        while address.hasSuffix("/") { address.removeLast() }
        guard address.hasPrefix("http://") || address.hasPrefix("https://") else {
            throw Failure(
                "http.request-invalid", "the server's address must begin with http:// or https://",
                remedy: "such as --server https://shiplog.example.org")
        }
        server = address
        timeout = options.timeout
        token = try Self.token(options.tokenFile, environment)
        var tls = TLSSettings()
        if let file = options.caFile { tls.authorities = try Places.read(file) }
        self.tls = tls
        if token != nil, address.hasPrefix("http://"), !Self.isLoopback(address) {
            Talk.warn("the token goes to \(address) unencrypted: use https")
        }
    }

    private static func token(_ file: String?, _ environment: [String: String]) throws(Failure) -> SecretText? {
        let text: String
        if let file {
            text = try read(file)
        } else if let value = environment["SHIPLOG_TOKEN"], !value.isEmpty {
            text = value
        } else if let file = environment["SHIPLOG_TOKEN_FILE"], !file.isEmpty {
            text = try read(file)
        } else {
            return nil
        }
        let trimmed = text.trimmingCharacters(in: .whitespacesAndNewlines)
        guard !trimmed.isEmpty, trimmed.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw Failure("token.invalid", "the token given is no token", remedy: "a token begins with shp_")
        }
        return SecretText(trimmed)
    }

    private static func read(_ file: String) throws(Failure) -> String {
        String(decoding: try Places.read(file), as: UTF8.self)
    }

    static func isLoopback(_ address: String) -> Bool {
        let rest = address.dropFirst(address.hasPrefix("https://") ? 8 : 7)
        let host = rest.hasPrefix("[") ? rest.dropFirst().prefix { $0 != "]" } : rest.prefix { $0 != ":" && $0 != "/" }
        return host == "localhost" || host == "::1"
            || (host.hasPrefix("127.") && host.allSatisfy { $0.isNumber || $0 == "." })
    }
}

/// What stands after the `?`.
struct QueryText: Sendable {
    private(set) var pairs: [(String, String)] = []

    init(_ pairs: [(String, String?)] = []) {
        for (name, value) in pairs { add(name, value) }
    }

    mutating func add(_ name: String, _ value: String?) {
        if let value { pairs.append((name, value)) }
    }

    mutating func add(_ name: String, all values: [String]) {
        for value in values { pairs.append((name, value)) }
    }

    var text: String {
        pairs.isEmpty ? "" : "?" + pairs.map { $0.0 + "=" + Self.encode($0.1) }.joined(separator: "&")
    }

    /// Percent-encodes all but RFC 3986's unreserved characters.
    static func encode(_ text: String) -> String {
        var result = ""
        for byte in text.utf8 {
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F, 0x7E:
                result.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                let digits = String(byte, radix: 16, uppercase: true)
                result += "%" + (digits.count == 1 ? "0" : "") + digits
            }
        }
        return result
    }
}

extension Client {
    /// `/applications/NAME…`, the name encoded.
    static func application(_ name: String, _ rest: String = "") -> String {
        "/applications/" + QueryText.encode(name) + rest
    }

    func get(_ path: String, _ query: QueryText = QueryText(), waiting milliseconds: Int = 0) async throws -> JSON {
        try await send("GET", path, query, extraMilliseconds: milliseconds).json
    }

    func post(_ path: String, _ body: JSON = .object([:]), waiting milliseconds: Int = 0) async throws -> JSON {
        try await send("POST", path, QueryText(), body, extraMilliseconds: milliseconds).json
    }

    func put(_ path: String, _ body: JSON) async throws -> (status: Int, json: JSON) {
        try await send("PUT", path, QueryText(), body)
    }

    func delete(_ path: String, _ query: QueryText = QueryText()) async throws -> JSON {
        try await send("DELETE", path, query).json
    }

    /// The bytes of an answer as they came.
    func bytes(_ path: String) async throws -> [UInt8] {
        try await answer(request("GET", path, QueryText(), nil)).body
    }

    /// A file that stands beside the API, such as `/log/checkpoint`.
    func file(_ path: String) async throws -> [UInt8] {
        var request = request("GET", "", QueryText(), nil)
        request.url = server + path
        request.headers = request.headers.map { $0.name == "Accept" ? ("Accept", "*/*") : $0 }
        return try await answer(request).body
    }

    /// Every item of a list, page by page, until there are `limit`.
    func items(_ path: String, _ query: QueryText, limit: Int) async throws -> (items: [JSON], asOf: Int64) {
        var items: [JSON] = []
        var cursor: String?
        var asOf: Int64 = 0
        repeat {
            var page = query
            page.add("limit", String(max(1, min(500, limit - items.count))))
            page.add("cursor", cursor)
            let answer = try await get(path, page)
            items += answer.items.prefix(limit - items.count)
            // What the first page knew: everything later is found by following the stream from there.
            if cursor == nil { asOf = answer["asOf"]?.integer ?? 0 }
            cursor = answer["nextCursor"]?.string
        } while cursor != nil && items.count < limit
        return (items, asOf)
    }

    private func send(
        _ method: String, _ path: String, _ query: QueryText, _ body: JSON? = nil, extraMilliseconds: Int = 0
    ) async throws -> (status: Int, json: JSON) {
        let response = try await answer(
            request(method, path, query, body, extraMilliseconds: extraMilliseconds))
        if response.body.isEmpty { return (response.status, .object([:])) }
        guard let json = try? JSON(parsing: response.body) else { throw Self.noAPI(server) }
        return (response.status, json)
    }

    private func answer(_ request: HTTPRequest) async throws -> HTTPResponse {
        let response = try await HTTPClient.shared.send(request)
        try check(response)
        return response
    }

    func check(_ response: HTTPResponse) throws(CommandError) {
        guard !response.isSuccess else { return }
        guard let problem = try? JSON(parsing: response.body), problem["code"]?.string != nil else {
            throw CommandError(
                .of(status: response.status, code: ""),
                Failure(
                    Failure.Code(rawValue: "http.status-\(response.status)"),
                    "\(server) answered \(response.status) and no word of why",
                    remedy: "check that it is a Shiplog server, and what proxies stand before it"))
        }
        var error = CommandError(problem: problem, status: response.status)
        if error.ending == .notAllowed, token == nil {
            error = CommandError(
                .notAllowed,
                Failure(
                    error.failure.code, error.failure.message,
                    remedy: "give a token with --token-file, SHIPLOG_TOKEN or SHIPLOG_TOKEN_FILE"), problem: problem)
        }
        throw error
    }

    private static func noAPI(_ server: String) -> CommandError {
        CommandError(
            .trouble, "http.answer-invalid", "what \(server) answers is no JSON",
            remedy: "check that it is the address of a Shiplog server")
    }

    func request(
        _ method: String, _ path: String, _ query: QueryText, _ body: JSON?, extraMilliseconds: Int = 0
    ) -> HTTPRequest {
        var request = HTTPRequest(
            method, server + Self.base + path + query.text,
            headers: [("Accept", "application/json"), ("User-Agent", "shiplog/\(Version.current)")],
            body: body?.canonicalBytes, tls: tls)
        if body != nil { request.headers.append(("Content-Type", "application/json")) }
        if let token { request.headers.append(("Authorization", "Bearer \(token.revealed)")) }
        request.mayBeRepeated = method == "GET" || method == "PUT"
        let patience = timeout.map { $0.milliseconds == 0 ? 3_600_000 : Int(min($0.milliseconds, 3_600_000)) } ?? 30_000
        request.timeoutMilliseconds = max(1, patience) + extraMilliseconds
        return request
    }

    /// Reads server-sent events until `deliver` says that it has enough, the server ends the stream or time is over.
    ///
    /// - Parameter milliseconds: after so long the stream is given up with `http.timeout`, however lively it is.
    func events(
        _ query: QueryText, milliseconds: Int, deliver: @escaping @Sendable (ServerEvent) async -> Bool
    ) async throws {
        var request = request("GET", "/stream", query, nil)
        request.headers = request.headers.map { $0.name == "Accept" ? ("Accept", "text/event-stream") : $0 }
        request.timeoutMilliseconds = milliseconds
        let reader = ServerEventReader()
        let response = try await HTTPClient.shared.lines(request) { line in
            guard let event = reader.take(line) else { return true }
            return await deliver(event)
        }
        try check(response)
    }
}
