import Shiplog

/// JSON merge patch (RFC 7396) and JSON patch (RFC 6902).
enum Patches {
    static func merge(_ target: JSON, _ patch: JSON) -> JSON {
        guard case .object(let changes) = patch else { return patch }
        var members = target.object ?? [:]
        for (name, change) in changes {
            if change.isNull {
                members[name] = nil
            } else {
                members[name] = merge(members[name] ?? .null, change)
            }
        }
        return .object(members)
    }

    /// At most this many operations in one JSON patch, as the API server has it.
    static let maximumOperations = 10_000

    /// What its copy operations may come to together.
    static let maximumCopiedBytes = 3 << 20

    static func apply(_ operations: JSON, to target: JSON) throws(StatusError) -> JSON {
        guard let list = operations.array else {
            throw .badRequest("json: cannot unmarshal object into Go value of type jsonpatch.Patch")
        }
        guard list.count <= maximumOperations else {
            throw StatusError(
                413, "RequestEntityTooLarge",
                "The allowed maximum operations in a JSON patch is \(maximumOperations), got \(list.count)")
        }
        var result = target
        var copied = 0
        for operation in list {
            if operation["op"] == "copy", let from = operation["from"]?.string {
                // Copies of copies would double without end.
                copied += value(result, try pointer(from))?.canonicalBytes.count ?? 0
                guard copied <= maximumCopiedBytes else {
                    throw StatusError(
                        413, "RequestEntityTooLarge", "the patch copies more than \(maximumCopiedBytes) bytes")
                }
            }
            result = try apply(one: operation, to: result)
        }
        return result
    }

    private static func apply(one operation: JSON, to target: JSON) throws(StatusError) -> JSON {
        guard let name = operation["op"]?.string, let text = operation["path"]?.string else {
            throw .badRequest("a JSON patch operation needs op and path")
        }
        let path = try pointer(text)
        switch name {
        case "add":
            return try change(target, path[...]) { _ in .insert(operation["value"] ?? .null) }
        case "remove":
            return try change(target, path[...]) { existing throws(StatusError) in
                guard existing != nil else { throw failed("remove", text) }
                return .remove
            }
        case "replace":
            return try change(target, path[...]) { existing throws(StatusError) in
                guard existing != nil else { throw failed("replace", text) }
                return .replace(operation["value"] ?? .null)
            }
        case "test":
            guard value(target, path) ?? .null == operation["value"] ?? .null else {
                throw StatusError(
                    422, "Invalid",
                    "the server rejected our request due to an error in our request: "
                        + "testing value \(text) failed")
            }
            return target
        case "move", "copy":
            guard let from = operation["from"]?.string else { throw .badRequest("\(name) needs from") }
            let source = try pointer(from)
            guard let moved = value(target, source) else { throw failed(name, from) }
            var rest = target
            if name == "move" { rest = try change(rest, source[...]) { _ in .remove } }
            return try change(rest, path[...]) { _ in .insert(moved) }
        default:
            throw .badRequest("unexpected kind of operation: \(name)")
        }
    }

    private static func failed(_ operation: String, _ path: String) -> StatusError {
        StatusError(
            422, "Invalid",
            "the server rejected our request due to an error in our request: \(operation) operation does not apply: "
                + "doc is missing path: \(path)")
    }

    private enum Edit { case insert(JSON), replace(JSON), remove }

    private static func pointer(_ text: String) throws(StatusError) -> [String] {
        if text.isEmpty { return [] }
        guard text.first == "/" else { throw .badRequest("a JSON pointer starts with '/'") }
        let parts = text.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count <= 100 else { throw .badRequest("a JSON pointer is too long") }
        return parts.map { part in
            guard part.contains("~") else { return String(part) }
            return part.split(separator: "~1", omittingEmptySubsequences: false).map {
                $0.split(separator: "~0", omittingEmptySubsequences: false).joined(separator: "~")
            }.joined(separator: "/")
        }
    }

    private static func value(_ target: JSON, _ path: [String]) -> JSON? {
        var current = target
        for step in path {
            switch current {
            case .object(let members):
                guard let next = members[step] else { return nil }
                current = next
            case .array(let elements):
                guard let index = Int(step), elements.indices.contains(index) else { return nil }
                current = elements[index]
            default: return nil
            }
        }
        return current
    }

    private static func change(
        _ target: JSON, _ path: ArraySlice<String>, _ edit: (JSON?) throws(StatusError) -> Edit
    ) throws(StatusError) -> JSON {
        guard let step = path.first else {
            switch try edit(target) {
            case .insert(let value), .replace(let value): return value
            case .remove: return .null
            }
        }
        switch target {
        case .object(var members):
            if path.count == 1 {
                switch try edit(members[step]) {
                case .insert(let value), .replace(let value): members[step] = value
                case .remove: members[step] = nil
                }
            } else {
                guard let child = members[step] else { throw failed("patch", path.joined(separator: "/")) }
                members[step] = try change(child, path.dropFirst(), edit)
            }
            return .object(members)
        case .array(var elements):
            if path.count == 1 {
                let index = step == "-" ? elements.count : Int(step)
                guard let index, index >= 0, index <= elements.count else { throw failed("patch", step) }
                let existing = index < elements.count ? elements[index] : nil
                switch try edit(existing) {
                case .insert(let value): elements.insert(value, at: index)
                case .replace(let value): if existing != nil { elements[index] = value }
                case .remove: if existing != nil { elements.remove(at: index) }
                }
            } else {
                guard let index = Int(step), elements.indices.contains(index) else { throw failed("patch", step) }
                elements[index] = try change(elements[index], path.dropFirst(), edit)
            }
            return .array(elements)
        default:
            throw failed("patch", path.joined(separator: "/"))
        }
    }
}
