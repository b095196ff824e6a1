/// A JSON value: the one tree that manifests, live objects, ledger entries and API answers share.
///
/// Integers that fit 64 bits stay exact, as Kubernetes keeps them; anything else numeric is a double. Objects are
/// unordered, as RFC 8259 has them: the writer sorts, so that the same value always gives the same bytes.
public enum JSON: Sendable, Hashable {
    case null
    case bool(Bool)
    case integer(Int64)
    case number(Double)
    case string(String)
    case array([JSON])
    case object([String: JSON])
}

extension JSON {
    /// The string, if this is one.
    public var string: String? {
        if case .string(let value) = self { value } else { nil }
    }

    /// The integer, if this is one; a double with an integral value within ±2^53 counts.
    public var integer: Int64? {
        switch self {
        case .integer(let value): value
        case .number(let value) where value.rounded() == value && value.magnitude <= 9_007_199_254_740_992: Int64(value)
        default: nil
        }
    }

    /// The Boolean, if this is one.
    public var bool: Bool? {
        if case .bool(let value) = self { value } else { nil }
    }

    /// The elements, if this is an array.
    public var array: [JSON]? {
        if case .array(let value) = self { value } else { nil }
    }

    /// The members, if this is an object.
    public var object: [String: JSON]? {
        if case .object(let value) = self { value } else { nil }
    }

    public var isNull: Bool { self == .null }

    /// The word for this value's type in messages to a person.
    public var typeName: String {
        switch self {
        case .null: "null"
        case .bool: "a Boolean"
        case .integer, .number: "a number"
        case .string: "a string"
        case .array: "a list"
        case .object: "a map"
        }
    }

    /// The member of that name, or nil when this is no object or has none.
    ///
    /// Setting nil removes the member. Setting a member on anything that is no object makes it one.
    public subscript(key: String) -> JSON? {
        get {
            if case .object(let members) = self { members[key] } else { nil }
        }
        set {
            var members: [String: JSON]
            if case .object(let existing) = self { members = existing } else { members = [:] }
            // Empty the original first, so that the dictionary is changed in place and not copied.
            self = .null
            members[key] = newValue
            self = .object(members)
        }
    }

    /// The value at a path of member names, or nil when any step is missing.
    public func at(_ path: String...) -> JSON? { at(path[...]) }

    /// The value at a path of member names, or nil when any step is missing.
    public func at(_ path: ArraySlice<String>) -> JSON? {
        var current = self
        for key in path {
            guard let next = current[key] else { return nil }
            current = next
        }
        return current
    }

    /// Sets the value at a path of member names, making objects on the way; nil removes it.
    public mutating func set(_ value: JSON?, at path: [String]) { set(value, at: path[...]) }

    private mutating func set(_ value: JSON?, at path: ArraySlice<String>) {
        guard let first = path.first else { return }
        if path.count == 1 {
            self[first] = value
            return
        }
        guard var child = self[first] ?? (value == nil ? nil : JSON.object([:])) else { return }
        child.set(value, at: path.dropFirst())
        self[first] = child
    }

    /// The members of an object of strings (labels, annotations); what is no string is left out.
    public var stringMap: [String: String] {
        guard case .object(let members) = self else { return [:] }
        return members.compactMapValues(\.string)
    }

    /// An object of strings.
    public init(_ map: [String: String]) { self = .object(map.mapValues { .string($0) }) }

    /// An object of the members that have a value.
    public static func members(_ pairs: KeyValuePairs<String, JSON?>) -> JSON {
        var result: [String: JSON] = [:]
        for (key, value) in pairs { if let value { result[key] = value } }
        return .object(result)
    }
}

extension JSON: ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral,
    ExpressibleByFloatLiteral, ExpressibleByStringLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral,
    ExpressibleByStringInterpolation
{
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    public init(integerLiteral value: Int64) { self = .integer(value) }
    public init(floatLiteral value: Double) { self = .number(value) }
    public init(stringLiteral value: String) { self = .string(value) }
    public init(arrayLiteral elements: JSON...) { self = .array(elements) }
    public init(dictionaryLiteral elements: (String, JSON)...) {
        self = .object(Dictionary(elements, uniquingKeysWith: { $1 }))
    }
}
