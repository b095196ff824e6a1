import HTTPTypes
import Hummingbird

/// One address of the API: what it takes, who may use it, and who answers.
struct Route: Sendable {
    enum Scope: Sendable, Hashable {
        /// Anybody that reaches the port: health, signing in, deliveries that prove themselves.
        case open
        /// Somebody who may do this; lists then show what that one may see.
        case act(Act)
        /// Somebody who may do this with the application `{name}`.
        case application(Act)
    }

    let method: HTTPRequest.Method
    /// `/api/shiplog/v1/applications/{name}`: also the label in metrics and logs.
    let pattern: String
    let scope: Scope
    /// Query parameters it reads.
    let parameters: Set<String>
    let handler: @Sendable (Call) async throws -> Response
    private let segments: [Segment]
    /// Its last name takes all that is left of the path, slashes included.
    private let isOpenEnded: Bool

    private enum Segment: Sendable, Hashable {
        case word(String)
        case name(String)
    }

    init(
        _ method: HTTPRequest.Method, _ pattern: String, _ scope: Scope, _ parameters: Set<String>,
        isOpenEnded: Bool = false, _ handler: @escaping @Sendable (Call) async throws -> Response
    ) {
        self.isOpenEnded = isOpenEnded
        self.method = method
        self.pattern = pattern
        self.scope = scope
        self.parameters = parameters
        self.handler = handler
        segments = pattern.dropFirst().split(separator: "/", omittingEmptySubsequences: false).map { part in
            part.hasPrefix("{") && part.hasSuffix("}")
                ? .name(String(part.dropFirst().dropLast())) : .word(String(part))
        }
    }

    /// An address that reads no query parameters.
    init(
        _ method: HTTPRequest.Method, _ pattern: String, _ scope: Scope,
        _ handler: @escaping @Sendable (Call) async throws -> Response
    ) {
        self.init(method, pattern, scope, [], handler)
    }

    /// The values of its names when the path is one of its; nil otherwise.
    func match(_ path: [String]) -> [String: String]? {
        var path = path
        if isOpenEnded, path.count > segments.count, segments.count > 0 {
            let rest = path[(segments.count - 1)...].joined(separator: "/")
            path = path.prefix(segments.count - 1) + [rest]
        }
        guard path.count == segments.count else { return nil }
        var values: [String: String] = [:]
        for (segment, text) in zip(segments, path) {
            switch segment {
            case .word(let word): guard word == text else { return nil }
            case .name(let name):
                guard !text.isEmpty else { return nil }
                values[name] = text
            }
        }
        return values
    }
}

/// All addresses. A path is split and decoded once; `%2F` inside a segment is part of a name and no separator.
struct RouteTable: Sendable {
    let routes: [Route]

    enum Match {
        case found(Route, [String: String])
        /// The address is there, and not for this method.
        case otherMethods([HTTPRequest.Method])
        case none
    }

    /// - Parameter path: as sent, without query.
    func match(_ method: HTTPRequest.Method, _ path: some StringProtocol) -> Match {
        guard let segments = Self.segments(path) else { return .none }
        var methods: [HTTPRequest.Method] = []
        for route in routes {
            guard let values = route.match(segments) else { continue }
            if route.method == method || (method == .head && route.method == .get) { return .found(route, values) }
            methods.append(route.method)
        }
        return methods.isEmpty ? .none : .otherMethods(methods)
    }

    static func segments(_ path: some StringProtocol) -> [String]? {
        guard path.first == "/", path.utf8.count <= 4096 else { return nil }
        var result: [String] = []
        for part in path.dropFirst().split(separator: "/", maxSplits: 32, omittingEmptySubsequences: false) {
            guard let text = Query.decode(part.utf8, plusIsBlank: false) else { return nil }
            result.append(text)
        }
        return result
    }
}
