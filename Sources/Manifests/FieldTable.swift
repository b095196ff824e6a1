import Shiplog

/// What a document may say, as data: the readers walk it, and the tests compare the JSON Schemas with it.
indirect enum Field: Sendable {
    case string
    case bool
    case integer
    /// A Go duration or a number of seconds.
    case duration
    case strings
    case stringMap
    case list(Field)
    case map([String: Field])
    /// Belongs to somebody else; nothing is read and nothing said.
    case ignored
    /// Kept without effect, and the reader is told so.
    case warned(String)
    /// Refused by name, unless it is null or (`unlessEmpty`) holds nothing.
    case refused(String, unlessEmpty: Bool)
}

/// Walks a document along a table of fields and throws at the first that has no place in it.
struct FieldCheck {
    /// The codes of what can be wrong.
    struct Codes {
        let invalid: Failure.Code
        let unknown: Failure.Code
        let unsupported: Failure.Code
    }

    let codes: Codes
    /// Turns a path into the place it is quoted with: `config.yaml:12: `, or nothing.
    let place: ([String]) -> String
    private(set) var warnings: [String] = []

    init(codes: Codes, place: @escaping ([String]) -> String) {
        self.codes = codes
        self.place = place
    }

    /// A failure that names the field.
    func failure(_ code: Failure.Code, _ path: [String], _ message: String, remedy: String? = nil) -> Failure {
        Failure(code, place(path) + (path.isEmpty ? "" : Self.name(path) + " ") + message, remedy: remedy)
    }

    func invalid(_ path: [String], _ message: String, remedy: String? = nil) -> Failure {
        failure(codes.invalid, path, message, remedy: remedy)
    }

    /// `spec.source.helm`, `clusters[0].name`.
    static func name(_ path: [String]) -> String {
        path.reduce(into: "") { text, step in
            text += Int(step) != nil ? "[\(step)]" : text.isEmpty ? step : "." + step
        }
    }

    mutating func check(_ json: JSON, _ field: Field, _ path: [String] = []) throws(Failure) {
        // In Kubernetes' JSON, null is the same as not being there.
        if json.isNull { return }
        switch field {
        case .string:
            guard json.string != nil else { throw wrongType(json, path, "a string") }
        case .bool:
            guard json.bool != nil else { throw wrongType(json, path, "true or false") }
        case .integer:
            guard json.integer != nil else { throw wrongType(json, path, "a whole number") }
        case .duration:
            let text = json.string ?? json.integer.map { String($0) }
            guard let text, GoDuration.milliseconds(text) != nil else {
                throw wrongType(json, path, "a duration such as 30s or 3m0s")
            }
        case .strings: try check(json, .list(.string), path)
        case .stringMap:
            guard let members = json.object else { throw wrongType(json, path, "a map of strings") }
            for name in members.keys.sorted() { try check(members[name] ?? .null, .string, path + [name]) }
        case .list(let element):
            guard let elements = json.array else { throw wrongType(json, path, "a list") }
            for (index, value) in elements.enumerated() { try check(value, element, path + [String(index)]) }
        case .map(let fields):
            guard let members = json.object else { throw wrongType(json, path, "a map") }
            for name in members.keys.sorted() {
                guard let own = fields[name] else { throw unknown(name, fields, path) }
                try check(members[name] ?? .null, own, path + [name])
            }
        case .ignored: break
        case .warned(let why): warnings.append(place(path) + Self.name(path) + " is kept without effect: " + why)
        case .refused(let why, let unlessEmpty):
            if unlessEmpty, isEmpty(json) { return }
            throw failure(codes.unsupported, path, why, remedy: "remove it")
        }
    }

    private func wrongType(_ json: JSON, _ path: [String], _ wanted: String) -> Failure {
        let isScalar = json.array == nil && json.object == nil
        return invalid(
            path, "must be \(wanted), not \(json.typeName)",
            remedy: wanted == "a string" && isScalar && json.string == nil ? "put it in quotes" : nil)
    }

    private func unknown(_ name: String, _ fields: [String: Field], _ path: [String]) -> Failure {
        let usable = fields.filter { if case .refused = $0.value { false } else { true } }.keys
        let near = Nearest.of(name, among: usable)
        return failure(
            codes.unknown, path + [Self.clean(name)], "is no known field",
            remedy: near.map { "did you mean \($0)?" } ?? "known here: " + usable.sorted().joined(separator: ", "))
    }

    private static func clean(_ name: String) -> String { String(YAMLComposer.quote(name).dropFirst().dropLast()) }

    private func isEmpty(_ json: JSON) -> Bool {
        switch json {
        case .null, .bool(false), .integer(0): true
        case .string(let text): text.isEmpty
        case .array(let elements): elements.isEmpty
        case .object(let members): members.values.allSatisfy(isEmpty)
        default: false
        }
    }
}

/// The known name that a mistyped one comes nearest to.
enum Nearest {
    /// nil when none is near: more than a third of the letters would have to change.
    static func of(_ name: String, among known: some Collection<String>) -> String? {
        let limit = max(1, name.count / 3 + 1)
        guard name.count <= 64 else { return nil }
        return known.map { (distance(name.lowercased(), $0.lowercased()), $0) }.filter { $0.0 <= limit }
            .min { ($0.0, $0.1) < ($1.0, $1.1) }?.1
    }

    /// Levenshtein's distance.
    static func distance(_ left: String, _ right: String) -> Int {
        let (left, right) = (Array(left), Array(right))
        var row = Array(0...right.count)
        for (i, a) in left.enumerated() {
            var diagonal = row[0]
            row[0] = i + 1
            for (j, b) in right.enumerated() {
                let above = row[j + 1]
                row[j + 1] = a == b ? diagonal : 1 + min(diagonal, above, row[j])
                diagonal = above
            }
        }
        return row[right.count]
    }
}
