import Shiplog

/// Turns a request's object into what the API server would store: unknown members dropped, nulls and empty optional
/// members left out, quantities canonical.
struct Decoding {
    /// Paths of members that the kind does not have.
    private(set) var unknown: [String] = []
    /// Violations of a custom kind's schema.
    private(set) var problems: [FieldProblem] = []
    private let kind: Kind
    /// For a configuration to be applied: nothing is left out or filled in, only written canonically.
    private let isConfiguration: Bool

    init(_ kind: Kind, isConfiguration: Bool = false) {
        self.kind = kind
        self.isConfiguration = isConfiguration
    }

    mutating func decode(_ object: JSON) throws(StatusError) -> JSON {
        guard case .object = object else { throw .badRequest("the object provided is unrecognized (must be a map)") }
        guard let result = try value(object, Field(shape: kind.shape, isRequired: true), []) else { return [:] }
        return result
    }

    /// The parts of a path; joined only when there is something to say.
    private typealias Path = [String]

    private static func text(_ path: Path) -> String {
        var result = ""
        for part in path { result += part.hasPrefix("[") || result.isEmpty ? part : "." + part }
        return result
    }

    private mutating func value(_ value: JSON, _ field: Field, _ path: Path) throws(StatusError) -> JSON? {
        if value.isNull {
            if isConfiguration { return value }
            if case .opaque = field.shape { return value }
            return field.isNullable ? value : nil
        }
        if kind.isCustom, let constraints = field.constraints { check(value, constraints, path) }
        switch field.shape {
        case .any, .opaque:
            return value
        case .string, .bytes:
            guard case .string(let text) = value else { return try mismatch(value, "string", path) }
            if field.dropsZero, text.isEmpty, !isConfiguration { return nil }
            return value
        case .int32, .int64:
            guard let number = value.integer else {
                return try mismatch(value, kind.isCustom ? "integer" : bits(field), path)
            }
            if case .int32 = field.shape, Int32(exactly: number) == nil {
                return try mismatch(value, "int32", path)
            }
            return field.dropsZero && number == 0 && !isConfiguration ? nil : .integer(number)
        case .number:
            switch value {
            case .integer, .number: return value
            default: return try mismatch(value, kind.isCustom ? "number" : "float64", path)
            }
        case .boolean:
            guard case .bool(let flag) = value else {
                return try mismatch(value, kind.isCustom ? "boolean" : "bool", path)
            }
            return field.dropsZero && !flag && !isConfiguration ? nil : value
        case .quantity:
            let text: String
            switch value {
            case .string(let string): text = string
            case .integer(let number): text = String(number)
            case .number(let number): text = JSON.number(number).canonicalString
            default: return try mismatch(value, "Quantity", path)
            }
            guard let canonical = Quantity.canonical(text) else {
                throw refused(
                    "quantities must match the regular expression "
                        + "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'")
            }
            return .string(canonical)
        case .time, .microTime:
            guard case .string(let text) = value, let time = Timestamp(text) else {
                return try mismatch(value, "Time", path)
            }
            if case .microTime = field.shape { return value }
            return .string(Clock.seconds(time))
        case .intOrString:
            switch value {
            case .integer, .string: return value
            case .number(let number):
                guard let integer = JSON.number(number).integer else { return try mismatch(value, "int32", path) }
                return .integer(integer)
            default: return try mismatch(value, "IntOrString", path)
            }
        case .map(let inner, _):
            guard case .object(let members) = value else { return try mismatch(value, "map", path) }
            if members.isEmpty, !field.isRequired, !kind.isCustom, !isConfiguration { return nil }
            var result: [String: JSON] = [:]
            result.reserveCapacity(members.count)
            let slot = Field(shape: inner, isNullable: kind.isCustom)
            for (name, member) in members {
                if let kept = try self.value(member, slot, path + [name]) {
                    result[name] = kept
                } else if case .string = inner {
                    // A null in a map of strings reads as the empty string, as Go's decoder has it.
                    result[name] = ""
                }
            }
            return .object(result)
        case .list(let inner, _):
            guard case .array(let elements) = value else { return try mismatch(value, "array", path) }
            if elements.isEmpty, !field.isRequired, !kind.isCustom, !isConfiguration { return nil }
            var result: [JSON] = []
            result.reserveCapacity(elements.count)
            let slot = Field(shape: inner, isRequired: true)
            for (index, element) in elements.enumerated() {
                if let kept = try self.value(element, slot, path + ["[\(index)]"]) { result.append(kept) }
            }
            return .array(result)
        case .named, .structure:
            guard let structure = field.shape.structure else { return value }
            return try members(value, structure, path)
        }
    }

    private func bits(_ field: Field) -> String {
        if case .int32 = field.shape { "int32" } else { "int64" }
    }

    private mutating func members(_ value: JSON, _ structure: Structure, _ path: Path) throws(StatusError) -> JSON? {
        guard case .object(let members) = value else {
            return try mismatch(value, kind.isCustom ? "object" : structure.name, path)
        }
        var result: [String: JSON] = [:]
        result.reserveCapacity(members.count)
        for (name, member) in members {
            guard let field = structure.fields[name] else {
                if structure.keepsUnknown {
                    result[name] = member
                } else {
                    unknown.append(Self.text(path + [name]))
                }
                continue
            }
            if let kept = try self.value(member, field, path + [name]) { result[name] = kept }
        }
        if kind.isCustom, !isConfiguration, path.first != "metadata" {
            for name in structure.order {
                guard result[name] == nil, let field = structure.fields[name] else { continue }
                if let defaultValue = field.defaultValue {
                    result[name] = try self.value(defaultValue, field, path + [name])
                } else if field.isRequired {
                    problems.append(.required(Self.text(path + [name])))
                }
            }
        }
        return .object(result)
    }

    private mutating func mismatch(_ value: JSON, _ wanted: String, _ path: Path) throws(StatusError) -> JSON? {
        if kind.isCustom, path.first != "metadata" {
            let shown = Self.text(path)
            problems.append(
                .invalid(
                    shown, .string(Self.typeName(value)),
                    "\(shown) in body must be of type \(wanted): \"\(Self.typeName(value))\""))
            return value
        }
        throw refused(
            "json: cannot unmarshal \(Self.typeName(value)) into Go struct field \(kind.kind).\(Self.text(path)) "
                + "of type \(wanted)")
    }

    private func refused(_ why: String) -> StatusError {
        .badRequest("\(kind.kind) in version \"\(kind.version)\" cannot be handled as a \(kind.kind): \(why)")
    }

    private static func typeName(_ value: JSON) -> String {
        switch value {
        case .null: "null"
        case .bool: "bool"
        case .integer, .number: "number"
        case .string: "string"
        case .array: "array"
        case .object: "object"
        }
    }

    private mutating func check(_ value: JSON, _ constraints: Constraints, _ path: Path) {
        let shown = Self.text(path)
        if !constraints.allowed.isEmpty, !constraints.allowed.contains(value) {
            problems.append(.unsupported(shown, value, constraints.allowed.map { $0.string ?? $0.canonicalString }))
        }
        var number: Double?
        if case .integer(let integer) = value { number = Double(integer) }
        if case .number(let double) = value { number = double }
        if let number, let minimum = constraints.minimum, number < minimum {
            let bound = JSON.number(minimum).canonicalString
            problems.append(.invalid(shown, value, "\(shown) in body should be greater than or equal to \(bound)"))
        }
        if let number, let maximum = constraints.maximum, number > maximum {
            let bound = JSON.number(maximum).canonicalString
            problems.append(.invalid(shown, value, "\(shown) in body should be less than or equal to \(bound)"))
        }
        if let text = value.string {
            let length = Int64(text.unicodeScalars.count)
            if let minimum = constraints.minLength, length < minimum {
                problems.append(.invalid(shown, value, "\(shown) in body should be at least \(minimum) chars long"))
            }
            if let maximum = constraints.maxLength, length > maximum {
                problems.append(.invalid(shown, value, "\(shown) in body may not be longer than \(maximum)"))
            }
        }
        if let elements = value.array {
            if let minimum = constraints.minItems, Int64(elements.count) < minimum {
                problems.append(.invalid(shown, value, "\(shown) in body should have at least \(minimum) items"))
            }
            if let maximum = constraints.maxItems, Int64(elements.count) > maximum {
                problems.append(.invalid(shown, value, "\(shown) in body should have at most \(maximum) items"))
            }
        }
    }
}
