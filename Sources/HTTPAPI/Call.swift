import HTTPTypes
import Hummingbird
import LedgerStore
import Logging
import NIOCore
import Reconciling
import Shiplog

/// What all handlers share. One of it, made once.
struct Parts: Sendable {
    let ledger: Ledger
    /// Signs the log; nil for a server that was given none, as tests' are.
    let log: LogKeeper?
    let controller: Controller
    let settings: ServerSettings
    let formats: Formats
    let authenticator: Authenticator
    let sessions: Sessions
    let origins: OriginRules
    let streams: StreamHub
    let webhooks: WebhookDesk
    let webhookProof: WebhookProof
    let notifications: NotificationDesk
    let metrics: Metrics
    let page: StaticPage
    let closing: Closing
    let startedAt: Timestamp
    let verifying = OneAtATime()
    let exports = AnswerPlaces.exports(limit: 2)
    let logReaders = AnswerPlaces.logs(limit: 32)
    let now: @Sendable () -> Timestamp
    let logger: Logger
}

/// One request on its way through: matched, and asked by somebody known.
struct Call: Sendable {
    let parts: Parts
    let request: Request
    /// Decoded segments of the path by their names in the route's pattern.
    let path: [String: String]
    let query: Query
    let principal: Principal
    let address: String
    let requestID: String
    let channel: any Channel

    var ledger: Ledger { parts.ledger }
    var controller: Controller { parts.controller }

    /// Who the ledger says it was.
    var actor: Actor {
        Actor(
            name: principal.name, means: principal.means == .session ? .session : .token, tokenID: principal.tokenID,
            address: address, requestID: requestID)
    }

    func header(_ name: HTTPField.Name) -> String? { request.headers[name] }

    /// The `{name}` of an application's route; who asks may do what the route says with it.
    var application: String { path["name"] ?? "" }

    func sequence() throws(Problem) -> SequenceNumber {
        guard let text = path["sequence"], let sequence = SequenceNumber(text) else {
            throw .invalid("sequence", "must be the number of a revision or event, such as 48211")
        }
        return sequence
    }

    /// Refuses with the one rule (`Principal.judge`), and keeps what was refused.
    func demand(_ act: Act, on subject: Subject, hiddenAs hidden: @autoclosure () -> Problem) async throws {
        switch principal.judge(act, on: subject) {
        case .allowed: return
        case .hidden: throw hidden()
        case .anonymous: throw Authenticator.noToken
        case .forbidden where principal.isNarrowed(for: act):
            throw Problem(
                .forbidden, "request.forbidden",
                "this token is for some applications or projects only, and that wants one for all",
                remedy: "ask an administrator for a token that is not narrowed")
        case .forbidden:
            throw Problem(
                .forbidden, "request.forbidden",
                "the role \(principal.role.rawValue) of this token does not allow that",
                remedy: "ask an administrator for a token with another role")
        }
    }
}

// MARK: - Bodies

extension Call {
    /// The request's body, collected within its limits of size and time.
    /// - Throws: `request.body-too-large` (before more than the limit was taken in), `request.body-too-slow`.
    func body(limit: Int) async throws -> [UInt8] {
        if let length = header(.contentLength).flatMap({ Int($0) }), length > limit { throw Self.tooLarge(limit) }
        let body = request.body
        let time = parts.settings.limits.bodyTime
        return try await withThrowingTaskGroup(of: [UInt8]?.self) { group in
            group.addTask {
                var bytes: [UInt8] = []
                for try await chunk in body {
                    guard bytes.count + chunk.readableBytes <= limit else { throw Self.tooLarge(limit) }
                    bytes.append(contentsOf: chunk.readableBytesView)
                }
                return bytes
            }
            group.addTask {
                try await Task.sleep(for: .milliseconds(time))
                return nil
            }
            defer { group.cancelAll() }
            guard let bytes = try await group.next() ?? nil else {
                throw Problem(
                    .requestTimeout, "request.body-too-slow", "the body did not arrive in time",
                    headers: [.connection: "close"])
            }
            return bytes
        }
    }

    private static func tooLarge(_ limit: Int) -> Problem {
        Problem(
            .contentTooLarge, "request.body-too-large", "the body is larger than \(limit) bytes",
            headers: [.connection: "close"])
    }

    /// The media type without its parameters, lower-case.
    var mediaType: String { (header(.contentType) ?? "").prefix { $0 != ";" }.lowercased().trimming() }

    /// A body of JSON members. Another media type is refused: forms of other sites can send no `application/json`.
    /// - Throws: `request.media-type`, `request.json-invalid`, `request.invalid` for members nobody reads.
    func fields(_ known: Set<String>) async throws -> BodyFields {
        guard mediaType == "application/json" else {
            throw Problem(
                .unsupportedMediaType, "request.media-type", "the body must be application/json",
                remedy: "send Content-Type: application/json")
        }
        let bytes = try await body(limit: parts.settings.limits.body)
        // Nothing at all stands for no members.
        if bytes.isEmpty { return BodyFields(.object([:])) }
        let fields = BodyFields(try Self.json(bytes))
        try fields.allow(known)
        return fields
    }

    static func json(_ bytes: [UInt8]) throws(Problem) -> JSON {
        do throws(JSONError) {
            return try JSON(parsing: bytes, depth: 64)
        } catch {
            throw Problem(.badRequest, "request.json-invalid", "the body is no JSON: \(error)")
        }
    }
}

/// The members of a request's body, each read with its type. null counts as not given.
struct BodyFields: Sendable {
    let json: JSON
    let pointer: String

    init(_ json: JSON, at pointer: String = "") {
        self.json = json
        self.pointer = pointer
    }

    func allow(_ known: Set<String>) throws(Problem) {
        guard let members = json.object else {
            throw .invalid(pointer.isEmpty ? "/" : pointer, "must be a map, not \(json.typeName)")
        }
        for name in members.keys.sorted() where !known.contains(name) {
            throw wrong(
                name,
                "there is no such member; "
                    + (known.isEmpty ? "there is none" : "there are \(known.sorted().joined(separator: ", "))"))
        }
    }

    func wrong(_ name: String, _ message: String) -> Problem {
        let escaped = String(name.prefix(80)).map { $0 == "~" ? "~0" : $0 == "/" ? "~1" : String($0) }.joined()
        return .invalid(pointer + "/" + escaped, message)
    }

    func value(_ name: String) -> JSON? { json[name].flatMap { $0.isNull ? nil : $0 } }

    /// - Parameter limit: bytes of UTF-8.
    func string(_ name: String, limit: Int = 1000) throws(Problem) -> String? {
        guard let value = value(name) else { return nil }
        guard let text = value.string else { throw wrong(name, "must be a string, not \(value.typeName)") }
        guard text.utf8.count <= limit else { throw wrong(name, "must have at most \(limit) bytes") }
        return text.isEmpty ? nil : text
    }

    func flag(_ name: String) throws(Problem) -> Bool? {
        guard let value = value(name) else { return nil }
        guard let flag = value.bool else { throw wrong(name, "must be true or false, not \(value.typeName)") }
        return flag
    }

    func sequence(_ name: String) throws(Problem) -> SequenceNumber? {
        guard let value = value(name) else { return nil }
        guard let sequence = value.integer.flatMap({ SequenceNumber($0) }) else {
            throw wrong(name, "must be a revision's number")
        }
        return sequence
    }

    func time(_ name: String) throws(Problem) -> Timestamp? {
        guard let text = try string(name) else { return nil }
        guard let time = Timestamp(text) else { throw wrong(name, "must be a time as RFC 3339 writes it") }
        return time
    }

    func word<Word: RawRepresentable & CaseIterable>(
        _ name: String, _: Word.Type = Word.self
    ) throws(Problem) -> Word? where Word.RawValue == String {
        guard let text = try string(name) else { return nil }
        guard let word = Word(rawValue: text) else {
            throw wrong(name, "must be one of \(Word.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        return word
    }

    func strings(_ name: String, limit: Int = 100) throws(Problem) -> [String]? {
        guard let value = value(name) else { return nil }
        guard let elements = value.array, elements.count <= limit else {
            throw wrong(name, "must be a list of at most \(limit) strings")
        }
        var result: [String] = []
        for element in elements {
            guard let text = element.string, !text.isEmpty, text.utf8.count <= 300 else {
                throw wrong(name, "must be a list of strings of 1 to 300 bytes")
            }
            result.append(text)
        }
        return result
    }
}
