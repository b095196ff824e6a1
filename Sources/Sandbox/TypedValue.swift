import Shiplog

/// How a value falls apart into separately owned pieces, by its shape.
enum TypedValue {
    enum PartKind: Sendable { case member, mapEntry, listElement }

    struct Part: Sendable {
        /// As in `FieldSet`.
        let element: String
        let value: JSON
        let shape: Shape
        let kind: PartKind
    }

    /// The pieces, or nil when the value is owned whole: a plain value, an atomic map or list, null, or a list whose
    /// elements cannot be told apart.
    static func parts(_ value: JSON, _ shape: Shape) -> [Part]? {
        switch value {
        case .object(let members):
            switch shape {
            case .map(let inner, isAtomic: false):
                return members.map { Part(element: "f:" + $0.key, value: $0.value, shape: inner, kind: .mapEntry) }
            case .any:
                return members.map { Part(element: "f:" + $0.key, value: $0.value, shape: .any, kind: .mapEntry) }
            default:
                guard let structure = shape.structure, !structure.isAtomic else { return nil }
                return members.map { name, value in
                    let field = structure.fields[name]
                    let inner = field.map { $0.isAtomic ? .opaque : $0.shape } ?? .any
                    return Part(
                        element: "f:" + name, value: value, shape: inner, kind: field == nil ? .mapEntry : .member)
                }
            }
        case .array(let elements):
            guard case .list(let inner, let kind) = shape, kind != .atomic else { return nil }
            var seen = Set<String>()
            var parts: [Part] = []
            parts.reserveCapacity(elements.count)
            for element in elements {
                guard let name = name(of: element, kind, inner), seen.insert(name).inserted else { return nil }
                parts.append(Part(element: name, value: element, shape: inner, kind: .listElement))
            }
            return parts
        default:
            return nil
        }
    }

    private static func name(of element: JSON, _ kind: Shape.ListKind, _ shape: Shape) -> String? {
        switch kind {
        case .atomic: return nil
        case .set:
            if case .object = element { return nil }
            return "v:" + element.canonicalString
        case .map(let keys):
            guard case .object(let members) = element else { return nil }
            var identity: [String: JSON] = [:]
            for key in keys {
                if let value = members[key], !value.isNull {
                    identity[key] = value
                } else if let value = shape.structure?.fields[key]?.defaultValue {
                    identity[key] = value
                }
            }
            // A key that is missing everywhere identifies nothing; a missing one among others is part of the identity.
            guard !identity.isEmpty else { return nil }
            return "k:" + JSON.object(identity).canonicalString
        }
    }

    /// Why a configuration for server-side apply cannot be told apart, or nil: a duplicate list key.
    static func duplicate(in value: JSON, _ shape: Shape, path: String = "") -> String? {
        if case .array(let elements) = value, case .list(let inner, let kind) = shape, kind != .atomic {
            var seen = Set<String>()
            for element in elements {
                guard let name = name(of: element, kind, inner) else {
                    return "\(path): element without the keys of its list"
                }
                guard seen.insert(name).inserted else {
                    let set = FieldSet(children: [name: .member])
                    return "\(path): duplicate entries for key \(set.readablePaths.first ?? name)"
                }
            }
        }
        for part in parts(value, shape) ?? [] {
            let inner = path + FieldSet(children: [part.element: .member]).readablePaths.joined()
            if let problem = duplicate(in: part.value, part.shape, path: inner) { return problem }
        }
        return nil
    }

    /// The paths that a configuration names: its leaves, its empty maps, and its list elements themselves.
    static func fieldSet(of value: JSON, _ shape: Shape) -> FieldSet {
        guard let parts = parts(value, shape) else { return .member }
        var set = FieldSet()
        for part in parts {
            var child = fieldSet(of: part.value, part.shape)
            switch part.kind {
            case .listElement, .mapEntry: child.isMember = true
            case .member:
                if case .object(let members) = part.value, members.isEmpty { child.isMember = true }
            }
            if !child.isEmpty { set.children[part.element] = child }
        }
        return set
    }

    /// What differs between two values.
    struct Comparison: Sendable {
        var added = FieldSet()
        var removed = FieldSet()
        var modified = FieldSet()

        var isSame: Bool { added.isEmpty && removed.isEmpty && modified.isEmpty }
        var changed: FieldSet { added.union(modified) }
    }

    static func compare(_ old: JSON?, _ new: JSON?, _ shape: Shape) -> Comparison {
        var result = Comparison()
        guard old != nil || new != nil else { return result }
        let oldParts = old.flatMap { parts($0, shape) }
        let newParts = new.flatMap { parts($0, shape) }
        let isLeaf =
            (old != nil && oldParts == nil) || (new != nil && newParts == nil)
            || (oldParts ?? []).isEmpty && (newParts ?? []).isEmpty
        if isLeaf {
            if old == nil {
                result.added = .member
                if let newParts, !newParts.isEmpty, let new { result.added = everything(new, shape) }
            } else if new == nil {
                result.removed = .member
                if let oldParts, !oldParts.isEmpty, let old { result.removed = everything(old, shape) }
            } else if old != new {
                result.modified = .member
            }
            return result
        }
        result.added.isMember = old == nil
        result.removed.isMember = new == nil
        let newByElement = Dictionary((newParts ?? []).map { ($0.element, $0) }, uniquingKeysWith: { $1 })
        var seen = Set<String>()
        for part in oldParts ?? [] {
            seen.insert(part.element)
            let counterpart = newByElement[part.element]
            if let counterpart, counterpart.value == part.value { continue }
            result.add(compare(part.value, counterpart?.value, part.shape), at: part.element)
        }
        for part in newParts ?? [] where !seen.contains(part.element) {
            result.add(compare(nil, part.value, part.shape), at: part.element)
        }
        return result
    }

    private static func everything(_ value: JSON, _ shape: Shape) -> FieldSet {
        var set = FieldSet.member
        for part in parts(value, shape) ?? [] { set.children[part.element] = everything(part.value, part.shape) }
        return set
    }
}

extension TypedValue.Comparison {
    fileprivate mutating func add(_ other: Self, at element: String) {
        if !other.added.isEmpty { added.children[element] = other.added }
        if !other.removed.isEmpty { removed.children[element] = other.removed }
        if !other.modified.isEmpty { modified.children[element] = other.modified }
    }
}
