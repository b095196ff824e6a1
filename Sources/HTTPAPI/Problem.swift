import HTTPTypes
import Hummingbird
import Shiplog

/// An answer that is no success, as RFC 9457 writes it.
struct Problem: Error {
    /// A place in the request that is wrong, as a JSON pointer (RFC 6901), a query parameter or a header.
    struct Field: Sendable, Hashable {
        let pointer: String
        let message: String
    }

    let status: HTTPResponse.Status
    let failure: Failure
    var fields: [Field] = []
    /// Sent with the answer: `Allow`, `Retry-After`, `WWW-Authenticate`, …
    var headers = HTTPFields()
    /// Somebody asked for what is not theirs: the history keeps that, whatever the status says.
    private(set) var isRefusal = false

    var asRefusal: Problem {
        var copy = self
        copy.isRefusal = true
        return copy
    }

    init(_ status: HTTPResponse.Status, _ failure: Failure, fields: [Field] = [], headers: HTTPFields = [:]) {
        self.status = status
        self.failure = failure
        self.fields = fields
        self.headers = headers
    }

    init(
        _ status: HTTPResponse.Status, _ code: Failure.Code, _ message: String, remedy: String? = nil,
        fields: [Field] = [], headers: HTTPFields = [:]
    ) {
        self.init(status, Failure(code, message, remedy: remedy), fields: fields, headers: headers)
    }

    /// A failure of the controller, the ledger or a source, with the status its code stands for.
    init(_ failure: Failure) {
        status = Self.status(of: failure)
        self.failure = failure
        if case .retry(let after) = failure.next, status == .serviceUnavailable || status == .tooManyRequests {
            let seconds = max(1, min(3600, ((after ?? 1000) + 999) / 1000))
            headers[.retryAfter] = String(seconds)
        }
    }

    /// The document. `instance` is the request's id, so that a person can quote it and an operator find it in the log.
    func document(instance: String?) -> JSON {
        .members([
            "type": .string("urn:shiplog:problem:" + failure.code.rawValue), "title": .string(Self.title(failure.code)),
            "status": .integer(Int64(status.code)), "detail": .string(failure.message),
            "code": .string(failure.code.rawValue), "hint": failure.remedy.map { .string($0) },
            "instance": instance.map { .string($0) },
            "errors": fields.isEmpty
                ? nil : .array(fields.map { ["pointer": .string($0.pointer), "message": .string($0.message)] })
        ])
    }

    func response(instance: String?) -> Response {
        var response = Response.json(
            document(instance: instance), status: status, type: "application/problem+json; charset=utf-8")
        for field in headers { response.headers[field.name] = field.value }
        response.headers[.cacheControl] = "no-store"
        return response
    }

    /// The same words for each occurrence of a code, made of the code itself: `rollback.no-target` is "Rollback: no target".
    private static func title(_ code: Failure.Code) -> String {
        let parts = code.rawValue.split(separator: ".", maxSplits: 1).map { part in
            part.map { $0 == "-" || $0 == "." ? " " : String($0) }.joined()
        }
        guard let first = parts.first, let initial = first.first else { return "Problem" }
        let area = initial.uppercased() + first.dropFirst()
        return parts.count == 2 ? area + ": " + parts[1] : area
    }

    /// Which status a code is answered with. Whole codes first, then what stands after the dot, then the area.
    static func status(of failure: Failure) -> HTTPResponse.Status {
        let code = failure.code.rawValue
        if let exact = exactStatuses[code] { return exact }
        let parts = code.split(separator: ".", maxSplits: 1)
        let area = parts.first.map(String.init) ?? ""
        switch parts.count == 2 ? String(parts[1]) : "" {
        case "not-found": if area != "cluster", area != "git" { return .notFound }
        case "exists", "not-eligible", "no-target", "current", "in-progress", "nothing-to-do": return .conflict
        case "reason-missing": return .badRequest
        default: break
        }
        switch area {
        case "request": return .badRequest
        case "registry" where failure.isTransient: return .serviceUnavailable
        case "application", "project", "registry", "window", "manifest", "plan", "sync", "rollback", "configuration":
            return .unprocessableContent
        case "pin", "operation", "attempt": return .conflict
        // What a repository holds is the caller's to mend; a server that cannot be used is not.
        case "git": return failure.isTransient ? .serviceUnavailable : .unprocessableContent
        case "cluster": return failure.isTransient ? .serviceUnavailable : .badGateway
        default: return failure.isTransient ? .serviceUnavailable : .internalServerError
        }
    }

    private static let exactStatuses: [String: HTTPResponse.Status] = [
        "application.unknown": .notFound, "application.changed-meanwhile": .preconditionFailed,
        "application.exists": .preconditionFailed,
        "project.changed-meanwhile": .preconditionFailed, "project.exists": .preconditionFailed,
        "project.in-use": .conflict, "project.default-stays": .conflict, "project.too-many": .conflict,
        "window.closed": .conflict, "window.override-refused": .forbidden, "ledger.part-in-use": .conflict,
        "ledger.value-erased": .unprocessableContent,
        "plan.moved": .preconditionFailed, "plan.invalid": .badRequest, "plan.before-the-log": .conflict,
        "fleet.busy": .conflict, "notification.not-dead": .conflict,
        "state.sequence-unknown": .notFound, "blame.resource-unknown": .notFound, "blame.field-unknown": .notFound,
        "blame.resource-ambiguous": .conflict,
        "resource.unknown": .notFound, "resource.no-pod": .notFound, "resource.ambiguous": .conflict,
        "token.unknown": .notFound, "attempt.open": .conflict, "operation.too-many": .serviceUnavailable,
        "cluster.not-configured": .unprocessableContent, "cluster.changed": .conflict,
        "cluster.immutable": .conflict,
        "cluster.kind-unknown": .unprocessableContent, "cluster.version-not-served": .unprocessableContent,
        "git.authentication": .badGateway, "git.certificate": .badGateway, "git.host-key-unknown": .badGateway,
        "git.failed": .badGateway, "git.library-missing": .internalServerError,
        "git.program-missing": .internalServerError, "git.program-too-old": .internalServerError,
        "git.directory-unusable": .internalServerError, "git.disk-full": .insufficientStorage,
        "rollback.moved": .preconditionFailed, "token.invalid": .badRequest, "ledger.full": .insufficientStorage,
        "ledger.busy": .serviceUnavailable, "ledger.closed": .serviceUnavailable, "ledger.failed": .serviceUnavailable,
        "ledger.read-only": .serviceUnavailable, "ledger.query-invalid": .badRequest,
        "ledger.value-unknown": .notFound, "log.tile-unknown": .notFound, "log.entries-gone": .gone,
        "log.proof-impossible": .badRequest,
        "log.confirmed": .conflict, "log.rotation-open": .conflict, "log.unconfirmed": .conflict,
        "evidence.range-empty": .unprocessableContent, "evidence.cancelled": .serviceUnavailable,
        "ledger.entry-too-large": .unprocessableContent, "ledger.manifests-missing": .notFound
    ]
}

extension HTTPResponse.Status {
    static let insufficientStorage = HTTPResponse.Status(code: 507, reasonPhrase: "Insufficient Storage")
}

extension Problem {
    static func notFound(_ what: String) -> Problem {
        Problem(.notFound, "request.not-found", "there is no \(what)", remedy: "see docs/api.md for what can be asked")
    }

    /// The same answer for what does not exist and for what the asker may not see.
    static func noApplication(_ name: String) -> Problem {
        Problem(.notFound, "application.not-found", "there is no application \(name)", remedy: "see `shiplog app list`")
    }

    static func noRevision(_ sequence: SequenceNumber) -> Problem {
        Problem(.notFound, "revision.not-found", "there is no revision \(sequence)", remedy: "see `shiplog history`")
    }

    static func invalid(_ pointer: String, _ message: String) -> Problem {
        Problem(
            .badRequest, "request.invalid", "\(pointer): \(message)",
            fields: [Field(pointer: pointer, message: message)])
    }
}
