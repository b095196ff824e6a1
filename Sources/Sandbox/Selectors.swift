import Shiplog

/// A label selector, in its text form or as an object.
struct LabelSelector: Sendable, Hashable {
    enum Requirement: Sendable, Hashable {
        case isIn(String, Set<String>)
        case isNotIn(String, Set<String>)
        case exists(String)
        case isAbsent(String)
        case isGreater(String, Int64)
        case isLess(String, Int64)
    }

    var requirements: [Requirement] = []

    static let everything = LabelSelector()

    func matches(_ labels: [String: JSON]) -> Bool {
        requirements.allSatisfy { requirement in
            switch requirement {
            case .isIn(let key, let values): labels[key]?.string.map(values.contains) ?? false
            case .isNotIn(let key, let values): labels[key]?.string.map { !values.contains($0) } ?? true
            case .exists(let key): labels[key] != nil
            case .isAbsent(let key): labels[key] == nil
            case .isGreater(let key, let bound): labels[key]?.string.flatMap { Int64($0) }.map { $0 > bound } ?? false
            case .isLess(let key, let bound): labels[key]?.string.flatMap { Int64($0) }.map { $0 < bound } ?? false
            }
        }
    }

    func matches(_ object: JSON) -> Bool {
        requirements.isEmpty || matches(object.at("metadata", "labels")?.object ?? [:])
    }

    init() {}

    /// From a LabelSelector object, or a plain map of labels; nil matches nothing (as a missing selector does).
    init?(_ object: JSON?) {
        guard case .object(let members)? = object else { return nil }
        if members["matchLabels"] == nil, members["matchExpressions"] == nil {
            for (key, value) in members { requirements.append(.isIn(key, [value.string ?? ""])) }
            return
        }
        for (key, value) in members["matchLabels"]?.object ?? [:] {
            requirements.append(.isIn(key, [value.string ?? ""]))
        }
        for expression in members["matchExpressions"]?.array ?? [] {
            let key = expression["key"]?.string ?? ""
            let values = Set(expression["values"]?.array?.compactMap(\.string) ?? [])
            switch expression["operator"]?.string {
            case "In": requirements.append(.isIn(key, values))
            case "NotIn": requirements.append(.isNotIn(key, values))
            case "Exists": requirements.append(.exists(key))
            case "DoesNotExist": requirements.append(.isAbsent(key))
            default: return nil
            }
        }
    }

    /// From the query's text: `a=b,c!=d,e in (f,g),!h,i>1`.
    init(parsing text: String) throws(StatusError) {
        var rest = text[...]
        func skip() { rest = rest.drop { $0 == " " || $0 == "\t" } }
        func word() -> String {
            skip()
            let word = rest.prefix { !" \t=!,()<>".contains($0) }
            rest = rest.dropFirst(word.count)
            skip()
            return String(word)
        }
        func take(_ token: String) -> Bool {
            guard rest.hasPrefix(token) else { return false }
            rest = rest.dropFirst(token.count)
            skip()
            return true
        }
        func fail() -> StatusError { .badRequest("unable to parse requirement: found '\(text.prefix(200))'") }
        skip()
        guard !rest.isEmpty else { return }
        while true {
            if take("!") {
                let key = word()
                guard Names.isQualified(key) else { throw fail() }
                requirements.append(.isAbsent(key))
            } else {
                let key = word()
                guard Names.isQualified(key) else { throw fail() }
                if take("==") || take("=") {
                    requirements.append(.isIn(key, [word()]))
                } else if take("!=") {
                    requirements.append(.isNotIn(key, [word()]))
                } else if take(">") {
                    guard let bound = Int64(word()) else { throw fail() }
                    requirements.append(.isGreater(key, bound))
                } else if take("<") {
                    guard let bound = Int64(word()) else { throw fail() }
                    requirements.append(.isLess(key, bound))
                } else if rest.isEmpty || rest.first == "," {
                    requirements.append(.exists(key))
                } else {
                    let name = word()
                    guard name == "in" || name == "notin", take("(") else { throw fail() }
                    var values = Set<String>()
                    repeat { values.insert(word()) } while take(",")
                    guard take(")") else { throw fail() }
                    requirements.append(name == "in" ? .isIn(key, values) : .isNotIn(key, values))
                }
            }
            if rest.isEmpty { return }
            guard take(","), requirements.count < 1000 else { throw fail() }
        }
    }

    /// The text form, sorted.
    var text: String {
        requirements.map { requirement in
            switch requirement {
            case .isIn(let key, let values) where values.count == 1: key + "=" + (values.first ?? "")
            case .isIn(let key, let values): "\(key) in (\(values.sorted().joined(separator: ",")))"
            case .isNotIn(let key, let values): "\(key) notin (\(values.sorted().joined(separator: ",")))"
            case .exists(let key): key
            case .isAbsent(let key): "!" + key
            case .isGreater(let key, let bound): "\(key)>\(bound)"
            case .isLess(let key, let bound): "\(key)<\(bound)"
            }
        }.sorted().joined(separator: ",")
    }
}

/// A field selector: equality of a few fields.
struct FieldSelector: Sendable, Hashable {
    private struct Term: Sendable, Hashable {
        let path: [String]
        let value: String
        let isEqual: Bool
    }

    private var terms: [Term] = []

    static let everything = FieldSelector()

    private init() {}

    init(parsing text: String, _ kind: Kind) throws(StatusError) {
        for part in text.split(separator: ",") {
            let isEqual = !part.contains("!=")
            let pieces = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard pieces.count == 2 else {
                throw .badRequest("invalid selector: '\(part)'; can't understand '\(part)'")
            }
            let field = pieces[0].drop { $0 == " " }.prefix { $0 != "!" && $0 != " " }
            var value = pieces[1]
            if value.first == "=" { value = value.dropFirst() }
            guard Self.allowed(kind).contains(String(field)) else {
                throw .badRequest("field label not supported: \(field)")
            }
            terms.append(
                Term(path: field.split(separator: ".").map(String.init), value: String(value), isEqual: isEqual))
        }
    }

    /// The one name asked for, which makes a list a look-up.
    var name: String? { terms.first { $0.isEqual && $0.path == ["metadata", "name"] }?.value }

    func matches(_ object: JSON) -> Bool {
        terms.allSatisfy { term in
            let found: String =
                switch object.at(term.path[...]) {
                case .string(let text): text
                case .integer(let number): String(number)
                case .bool(let flag): String(flag)
                default: ""
                }
            return (found == term.value) == term.isEqual
        }
    }

    private static func allowed(_ kind: Kind) -> Set<String> {
        var fields: Set<String> = ["metadata.name"]
        if kind.isNamespaced { fields.insert("metadata.namespace") }
        switch kind.kind {
        case "Pod":
            fields.formUnion([
                "spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName",
                "spec.hostNetwork", "status.phase", "status.podIP", "status.nominatedNodeName"
            ])
        case "Event":
            fields.formUnion(
                ["kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath"].map {
                    "involvedObject." + $0
                } + ["reason", "reportingComponent", "source", "type"])
        case "Secret": fields.insert("type")
        case "Namespace": fields.insert("status.phase")
        case "Node": fields.insert("spec.unschedulable")
        case "ReplicaSet", "ReplicationController": fields.insert("status.replicas")
        case "Job": fields.insert("status.successful")
        default: break
        }
        return fields
    }
}
