/// An expression that names places in a JSON document: a part of jq (https://jqlang.org/manual/), in which every answer is
/// a place.
///
/// `.a.b`, `."a.b"`, `.["a.b"]`, `.a[0]`, `.a[-1]`, `.a[]`, `…?`, `… | …`, `select(…)` with comparisons, `and`, `or`, `not`,
/// `length`, `type`, `has("a")`, `startswith("a")`, `endswith("a")` and `contains("a")` inside. Anything else of jq's is
/// refused when the expression is read. Where jq would stop with an error (a step into a string, a list of null), this
/// finds nothing at that place and goes on.
public struct PathQuery: Sendable, Hashable, CustomStringConvertible {
    public let text: String
    let expression: QueryExpression

    /// Bytes of an expression.
    static let maximumLength = 1024
    /// Places that one evaluation may look at.
    static let maximumSteps = 200_000

    /// - Throws: what is wrong with it, or which part of jq it wants that is not understood here.
    public init(_ text: String) throws(QueryError) {
        guard text.utf8.count <= Self.maximumLength else {
            throw QueryError("it has more than \(Self.maximumLength) bytes")
        }
        var parser = QueryParser(text)
        expression = try parser.whole()
        guard expression.isPath else {
            throw QueryError("it computes a value and names no field", isOutside: true)
        }
        self.text = text
    }

    public var description: String { text }

    /// The places that are there, each once, in the document's order. None when it would take too long: what is looked for in
    /// an object of ordinary size never does.
    public func paths(in json: JSON) -> [FieldPath] {
        var run = QueryRun(steps: Self.maximumSteps)
        guard let found = try? run.outputs(of: expression, at: .init(path: FieldPath(), value: json)) else { return [] }
        var seen = Set<FieldPath>()
        return found.compactMap { output in
            guard let path = output.path, json.value(at: path) != nil, seen.insert(path).inserted else { return nil }
            return path
        }
    }

    /// The values at those places.
    public func values(in json: JSON) -> [JSON] { paths(in: json).compactMap { json.value(at: $0) } }
}

/// A condition on a JSON document, in the same part of jq as `PathQuery`.
public struct QueryCondition: Sendable, Hashable, CustomStringConvertible {
    public let text: String
    private let expression: QueryExpression

    /// - Throws: what `PathQuery` throws.
    public init(_ text: String) throws(QueryError) {
        guard text.utf8.count <= PathQuery.maximumLength else {
            throw QueryError("it has more than \(PathQuery.maximumLength) bytes")
        }
        var parser = QueryParser(text)
        expression = try parser.whole()
        self.text = text
    }

    public var description: String { text }

    /// Whether one of its answers is neither null nor false, as `select` has it; nil when it takes too long to tell.
    public func holds(in json: JSON) -> Bool? {
        var run = QueryRun(steps: PathQuery.maximumSteps)
        guard let found = try? run.outputs(of: expression, at: .init(path: nil, value: json)) else { return nil }
        return found.contains { QueryRun.isTrue($0.value) }
    }
}

/// An expression, read.
indirect enum QueryExpression: Sendable, Hashable {
    enum Step: Sendable, Hashable {
        case field(String)
        /// Negative ones count from the end.
        case index(Int)
        case each
    }
    enum Comparison: String, Sendable, Hashable, CaseIterable {
        case equal = "=="
        case notEqual = "!="
        case atMost = "<="
        case atLeast = ">="
        case less = "<"
        case more = ">"
    }
    enum Function: Sendable, Hashable {
        case not, length, type
        case has(JSON)
        case startsWith(String)
        case endsWith(String)
        case contains(String)
    }

    case identity
    case literal(JSON)
    case steps(QueryExpression, [Step])
    case pipe(QueryExpression, QueryExpression)
    case select(QueryExpression)
    case compare(QueryExpression, Comparison, QueryExpression)
    case and(QueryExpression, QueryExpression)
    case or(QueryExpression, QueryExpression)
    case function(Function)

    /// Whether everything it gives is a place in the document.
    var isPath: Bool {
        switch self {
        case .identity, .select: true
        case .steps(let base, _): base.isPath
        case .pipe(let left, let right): left.isPath && right.isPath
        case .literal, .compare, .and, .or, .function: false
        }
    }
}

/// One evaluation, with what it may still cost.
struct QueryRun {
    struct TooLong: Error {}
    struct Output {
        /// nil for a value that was computed.
        let path: FieldPath?
        let value: JSON
    }

    var steps: Int

    private mutating func spend() throws(TooLong) {
        guard steps > 0 else { throw TooLong() }
        steps -= 1
    }

    mutating func outputs(of expression: QueryExpression, at input: Output) throws(TooLong) -> [Output] {
        try spend()
        switch expression {
        case .identity: return [input]
        case .literal(let value): return [Output(path: nil, value: value)]
        case .steps(let base, let steps):
            var current = try outputs(of: base, at: input)
            for step in steps {
                var next: [Output] = []
                for output in current { try follow(step, from: output, into: &next) }
                current = next
            }
            return current
        case .pipe(let left, let right):
            var result: [Output] = []
            for output in try outputs(of: left, at: input) { result += try outputs(of: right, at: output) }
            return result
        case .select(let condition):
            return try outputs(of: condition, at: input).contains { Self.isTrue($0.value) } ? [input] : []
        case .compare(let left, let comparison, let right):
            var result: [Output] = []
            let (lefts, rights) = (try outputs(of: left, at: input), try outputs(of: right, at: input))
            for left in lefts {
                for right in rights {
                    try spend()
                    guard let answer = Self.compare(left.value, comparison, right.value) else { continue }
                    result.append(Output(path: nil, value: .bool(answer)))
                }
            }
            return result
        case .and(let left, let right): return try join(left, right, at: input, stopsAt: false)
        case .or(let left, let right): return try join(left, right, at: input, stopsAt: true)
        case .function(let function):
            return Self.apply(function, to: input.value).map { [Output(path: nil, value: $0)] } ?? []
        }
    }

    /// jq's `and` and `or`: the right side is looked at only where the left one does not decide.
    private mutating func join(
        _ left: QueryExpression, _ right: QueryExpression, at input: Output, stopsAt decided: Bool
    ) throws(TooLong) -> [Output] {
        var result: [Output] = []
        for output in try outputs(of: left, at: input) {
            if Self.isTrue(output.value) == decided {
                result.append(Output(path: nil, value: .bool(decided)))
            } else {
                for other in try outputs(of: right, at: input) {
                    result.append(Output(path: nil, value: .bool(Self.isTrue(other.value))))
                }
            }
        }
        return result
    }

    private mutating func follow(
        _ step: QueryExpression.Step, from output: Output, into result: inout [Output]
    ) throws(TooLong) {
        try spend()
        func add(_ step: FieldPath.Step, _ value: JSON) {
            result.append(Output(path: output.path?.appending(step), value: value))
        }
        switch (step, output.value) {
        case (.field(let name), .object(let members)): add(.field(name), members[name] ?? .null)
        case (.field(let name), .null): add(.field(name), .null)
        case (.index(let index), .array(let elements)):
            let place = index < 0 ? elements.count + index : index
            add(.index(place), elements.indices.contains(place) ? elements[place] : .null)
        case (.index(let index), .null): add(.index(index), .null)
        case (.each, .array(let elements)):
            for (index, element) in elements.enumerated() {
                try spend()
                add(.index(index), element)
            }
        case (.each, .object(let members)):
            for name in members.keys.sorted() {
                try spend()
                add(.field(name), members[name] ?? .null)
            }
        default: return
        }
    }

    /// Everything but null and false.
    static func isTrue(_ value: JSON) -> Bool { value != .null && value != .bool(false) }

    /// nil for lists and maps that are asked which is more.
    private static func compare(_ left: JSON, _ comparison: QueryExpression.Comparison, _ right: JSON) -> Bool? {
        let isEqual = left == right || ScalarComparison.areEqualNumbers(left, right)
        switch comparison {
        case .equal: return isEqual
        case .notEqual: return !isEqual
        case .atMost, .atLeast, .less, .more: break
        }
        guard let isLess = isLess(left, right) else { return nil }
        switch comparison {
        case .less: return isLess && !isEqual
        case .atMost: return isLess || isEqual
        case .more: return !isLess && !isEqual
        default: return !isLess || isEqual
        }
    }

    /// jq's order: null, false, true, numbers, strings.
    private static func isLess(_ left: JSON, _ right: JSON) -> Bool? {
        func rank(_ value: JSON) -> Int {
            switch value {
            case .null: 0
            case .bool(false): 1
            case .bool(true): 2
            case .integer, .number: 3
            case .string: 4
            case .array: 5
            case .object: 6
            }
        }
        let (first, second) = (rank(left), rank(right))
        if first != second { return first < second }
        switch (left, right) {
        case (.string(let left), .string(let right)):
            return left.unicodeScalars.lexicographicallyPrecedes(right.unicodeScalars)
        case (.integer(let left), .integer(let right)): return left < right
        case (.array, _), (.object, _): return nil
        default: return double(left) < double(right)
        }
    }

    private static func double(_ value: JSON) -> Double {
        switch value {
        case .integer(let number): Double(number)
        case .number(let number): number
        default: 0
        }
    }

    /// nil where jq would stop with an error.
    private static func apply(_ function: QueryExpression.Function, to value: JSON) -> JSON? {
        switch (function, value) {
        case (.not, _): return .bool(!isTrue(value))
        case (.length, .null): return 0
        case (.length, .string(let text)): return .integer(Int64(text.unicodeScalars.count))
        case (.length, .array(let elements)): return .integer(Int64(elements.count))
        case (.length, .object(let members)): return .integer(Int64(members.count))
        case (.length, .integer(let number)): return .integer(number == .min ? .max : abs(number))
        case (.length, .number(let number)): return .number(abs(number))
        case (.type, _):
            switch value {
            case .null: return "null"
            case .bool: return "boolean"
            case .integer, .number: return "number"
            case .string: return "string"
            case .array: return "array"
            case .object: return "object"
            }
        case (.has(.string(let name)), .object(let members)): return .bool(members[name] != nil)
        case (.has(.integer(let index)), .array(let elements)):
            return .bool(index >= 0 && index < Int64(elements.count))
        case (.startsWith(let start), .string(let text)): return .bool(text.utf8.starts(with: start.utf8))
        case (.endsWith(let end), .string(let text)):
            return .bool(text.utf8.reversed().starts(with: end.utf8.reversed()))
        case (.contains(let part), .string(let text)): return .bool(Array(text.utf8).holds(Array(part.utf8)))
        default: return nil
        }
    }
}

extension [UInt8] {
    /// Whether these bytes stand somewhere in it.
    fileprivate func holds(_ part: [UInt8]) -> Bool {
        guard !part.isEmpty else { return true }
        guard count >= part.count else { return false }
        return (0...(count - part.count)).contains { self[$0..<($0 + part.count)].elementsEqual(part) }
    }
}
