/// A place in a manifest as people write it: `.spec.replicas`, `spec.template.spec.containers[0].image`,
/// `metadata.labels["app.kubernetes.io/name"]`, `spec.containers[name=web].image`.
public struct ManifestPath: Sendable, Hashable, CustomStringConvertible {
    public enum Step: Sendable, Hashable {
        case member(String)
        /// From 0.
        case index(Int)
        /// The first element of a list whose member has that text.
        case element(member: String, text: String)
    }

    public let steps: [Step]

    /// The longest that is read, in bytes of UTF-8.
    public static let limit = 1000

    /// nil unless the text is such a path of at least one step.
    public init?(_ text: String) {
        guard text.utf8.count <= Self.limit else { return nil }
        var rest = text[...]
        var steps: [Step] = []
        // `$` is JSONPath's name for the whole.
        if rest.first == "$" { rest = rest.dropFirst() }
        if rest.first != ".", rest.first != "[" { rest = "." + rest }
        while let first = rest.first {
            if first == "." {
                let name = rest.dropFirst().prefix { $0 != "." && $0 != "[" }
                guard !name.isEmpty else { return nil }
                steps.append(.member(String(name)))
                rest = rest.dropFirst(1 + name.count)
            } else {
                guard first == "[", let (step, after) = Self.bracket(rest.dropFirst()) else { return nil }
                steps.append(step)
                rest = after
            }
        }
        guard !steps.isEmpty else { return nil }
        self.steps = steps
    }

    /// What stands between brackets, and the rest after them.
    private static func bracket(_ text: Substring) -> (Step, Substring)? {
        if let quote = text.first, quote == "\"" || quote == "'" {
            let name = text.dropFirst().prefix { $0 != quote }
            let rest = text.dropFirst(1 + name.count)
            guard rest.hasPrefix("\(quote)]"), !name.isEmpty else { return nil }
            return (.member(String(name)), rest.dropFirst(2))
        }
        let inside = text.prefix { $0 != "]" }
        guard inside.endIndex != text.endIndex, !inside.isEmpty else { return nil }
        let rest = text.dropFirst(inside.count + 1)
        if let equal = inside.firstIndex(of: "=") {
            let (member, value) = (inside[..<equal], inside[inside.index(after: equal)...])
            guard !member.isEmpty, !value.isEmpty else { return nil }
            return (.element(member: String(member), text: String(value)), rest)
        }
        guard inside.allSatisfy({ $0.isASCII && $0.isNumber }), let index = Int(inside) else { return nil }
        return (.index(index), rest)
    }

    /// What stands there; nil when nothing does.
    public func value(in json: JSON) -> JSON? {
        var current = json
        for step in steps {
            let next: JSON? =
                switch step {
                case .member(let name): current[name]
                case .index(let index): current.array.flatMap { $0.indices.contains(index) ? $0[index] : nil }
                case .element(let member, let text): current.array?.first { $0[member]?.string == text }
                }
            guard let next else { return nil }
            current = next
        }
        return current
    }

    public var description: String {
        steps.map { step in
            switch step {
            case .member(let name):
                name.contains(".") || name.contains("[") ? "[\"" + name + "\"]" : "." + name
            case .index(let index): "[\(index)]"
            case .element(let member, let text): "[\(member)=\(text)]"
            }
        }.joined()
    }
}
