import Shiplog

/// An API error, as Kubernetes answers it: a `Status` object with a code, a reason and the causes.
struct StatusError: Error, Sendable, Hashable {
    /// One thing that is wrong with one field.
    struct Cause: Sendable, Hashable {
        var reason: String
        var message: String
        var field: String
    }

    /// The HTTP status.
    var code: Int
    /// `NotFound`, `Conflict`, `Invalid`, …
    var reason: String
    var message: String
    var name = ""
    var group = ""
    /// The resource's plural name, or the kind for what is invalid.
    var kind = ""
    var uid = ""
    var causes: [Cause] = []
    var retryAfterSeconds: Int?

    init(_ code: Int, _ reason: String, _ message: String) {
        self.code = code
        self.reason = reason
        self.message = message
    }

    /// The object for the response's body.
    var json: JSON {
        var details: [String: JSON] = [:]
        if !name.isEmpty { details["name"] = .string(name) }
        if !group.isEmpty { details["group"] = .string(group) }
        if !kind.isEmpty { details["kind"] = .string(kind) }
        if !uid.isEmpty { details["uid"] = .string(uid) }
        if let retryAfterSeconds { details["retryAfterSeconds"] = .integer(Int64(retryAfterSeconds)) }
        if !causes.isEmpty {
            details["causes"] = .array(
                causes.map {
                    ["reason": .string($0.reason), "message": .string($0.message), "field": .string($0.field)]
                })
        }
        return .members([
            "kind": "Status", "apiVersion": "v1", "metadata": [:], "status": "Failure", "message": .string(message),
            "reason": reason.isEmpty ? nil : .string(reason), "details": details.isEmpty ? nil : .object(details),
            "code": .integer(Int64(code))
        ])
    }
}

extension StatusError {
    private func about(_ kind: Kind, _ name: String) -> StatusError {
        var copy = self
        copy.name = name
        copy.group = kind.group
        copy.kind = kind.plural
        return copy
    }

    static func notFound(_ kind: Kind, _ name: String) -> StatusError {
        StatusError(404, "NotFound", "\(kind.qualifiedPlural) \"\(name)\" not found").about(kind, name)
    }

    /// The path leads nowhere: the kind is not served.
    static var noSuchResource: StatusError {
        StatusError(404, "NotFound", "the server could not find the requested resource")
    }

    static func alreadyExists(_ kind: Kind, _ name: String) -> StatusError {
        StatusError(409, "AlreadyExists", "\(kind.qualifiedPlural) \"\(name)\" already exists").about(kind, name)
    }

    static func conflict(_ kind: Kind, _ name: String, _ why: String) -> StatusError {
        StatusError(409, "Conflict", "Operation cannot be fulfilled on \(kind.qualifiedPlural) \"\(name)\": \(why)")
            .about(kind, name)
    }

    static func modified(_ kind: Kind, _ name: String) -> StatusError {
        conflict(
            kind, name,
            "the object has been modified; please apply your changes to the latest version and try again")
    }

    static func forbidden(_ kind: Kind, _ name: String, _ why: String) -> StatusError {
        StatusError(403, "Forbidden", "\(kind.qualifiedPlural) \"\(name)\" is forbidden: \(why)").about(kind, name)
    }

    static func badRequest(_ message: String) -> StatusError { StatusError(400, "BadRequest", message) }

    static func unsupportedMediaType(_ accepted: String) -> StatusError {
        StatusError(
            415, "UnsupportedMediaType",
            "the body of the request was in an unknown format - accepted media types include: \(accepted)")
    }

    static var notAcceptable: StatusError {
        StatusError(
            406, "NotAcceptable",
            "only the following media types are accepted: application/json, application/yaml")
    }

    static func methodNotAllowed(_ method: String) -> StatusError {
        StatusError(405, "MethodNotAllowed", "the server does not allow the method \(method) on the requested resource")
    }

    static func expired(_ message: String) -> StatusError { StatusError(410, "Expired", message) }

    static func `internal`(_ message: String) -> StatusError { StatusError(500, "InternalError", message) }

    /// 422 with one cause a problem; the message joins them as the API server does.
    static func invalid(_ kind: Kind, _ name: String, _ problems: [FieldProblem]) -> StatusError {
        let texts = problems.map(\.text)
        let joined = texts.count == 1 ? texts[0] : "[" + texts.joined(separator: ", ") + "]"
        let qualified = kind.group.isEmpty ? kind.kind : kind.kind + "." + kind.group
        var error = StatusError(422, "Invalid", "\(qualified) \"\(name)\" is invalid: \(joined)")
        error.name = name
        error.group = kind.group
        error.kind = kind.kind
        error.causes = problems.map {
            Cause(reason: $0.reason.rawValue, message: $0.body, field: $0.path)
        }
        return error
    }
}

/// What is wrong with one field.
struct FieldProblem: Sendable, Hashable {
    enum Reason: String, Sendable {
        case required = "FieldValueRequired"
        case invalid = "FieldValueInvalid"
        case unsupported = "FieldValueNotSupported"
        case forbidden = "FieldValueForbidden"
        case duplicate = "FieldValueDuplicate"
        case typeInvalid = "FieldValueTypeInvalid"
    }

    let reason: Reason
    let path: String
    /// The message without the path.
    let body: String

    var text: String { path + ": " + body }

    static func required(_ path: String, _ detail: String = "") -> FieldProblem {
        FieldProblem(reason: .required, path: path, body: "Required value" + (detail.isEmpty ? "" : ": " + detail))
    }

    static func invalid(_ path: String, _ value: JSON, _ detail: String) -> FieldProblem {
        FieldProblem(reason: .invalid, path: path, body: "Invalid value: \(shown(value)): \(detail)")
    }

    static func unsupported(_ path: String, _ value: JSON, _ allowed: [String]) -> FieldProblem {
        let list = allowed.sorted().map { "\"\($0)\"" }.joined(separator: ", ")
        return FieldProblem(
            reason: .unsupported, path: path, body: "Unsupported value: \(shown(value)): supported values: \(list)")
    }

    static func forbidden(_ path: String, _ detail: String) -> FieldProblem {
        FieldProblem(reason: .forbidden, path: path, body: "Forbidden: " + detail)
    }

    static func immutable(_ path: String, _ value: JSON?) -> FieldProblem {
        .invalid(path, value ?? .null, "field is immutable")
    }

    private static func shown(_ value: JSON) -> String {
        switch value {
        case .object, .array: String(value.canonicalString.prefix(1000))
        default: value.canonicalString
        }
    }
}
