/// How the lists and maps of one kind merge, from its OpenAPI schema: `x-kubernetes-list-type`, `-list-map-keys` and
/// `-map-type`. What is no list and no map is left out.
///
/// Source: https://kubernetes.io/docs/reference/using-api/server-side-apply/#merge-strategy
public indirect enum MergeSchema: Sendable, Hashable {
    /// - members: by name, those that say something.
    /// - others: of all further members (`additionalProperties`).
    case map(members: [String: MergeSchema], others: MergeSchema?, isAtomic: Bool)
    case list(of: MergeSchema, ListShape)
    /// A value without parts.
    case scalar
    /// The schema says nothing of what is in it.
    case unknown

    /// Schemas of more parts are not read: nothing of theirs is known.
    static let maximumParts = 20_000
    /// Deeper parts are unknown.
    static let maximumDepth = 48

    /// Reads the schema of a kind.
    /// - Parameter components: what `$ref` names, by the part after `#/components/schemas/`.
    /// - Returns: nil when there is too much of it.
    public init?(_ schema: JSON, components: [String: JSON] = [:]) {
        var reader = Reader(components: components)
        guard let read = reader.read(schema, depth: 0) else { return nil }
        self = read
    }

    /// What is at the fields: member names from the top, elements of lists left out.
    func at(_ fields: [String]) -> MergeSchema {
        var current = self
        for name in fields {
            while case .list(let element, _) = current { current = element }
            guard case .map(let members, let others, _) = current else { return .unknown }
            current = members[name] ?? others ?? .unknown
        }
        return current
    }

    private struct Reader {
        let components: [String: JSON]
        var left = MergeSchema.maximumParts

        mutating func read(_ schema: JSON, depth: Int) -> MergeSchema? {
            guard left > 0 else { return nil }
            left -= 1
            guard depth < MergeSchema.maximumDepth else { return .unknown }
            if let name = schema["$ref"]?.string {
                let prefix = "#/components/schemas/"
                guard name.hasPrefix(prefix), let target = components[String(name.dropFirst(prefix.count))] else {
                    return .unknown
                }
                return read(target, depth: depth + 1)
            }
            // Members beside $ref do not count in OpenAPI, so Kubernetes wraps a reference; what stands beside the wrapping wins.
            if let only = schema["allOf"]?.array, only.count == 1, let inner = only.first {
                guard let read = read(inner, depth: depth + 1) else { return nil }
                if case .map(let members, let others, _) = read, schema["x-kubernetes-map-type"] == "atomic" {
                    return .map(members: members, others: others, isAtomic: true)
                }
                return read
            }
            switch schema["type"]?.string {
            case "array": return list(schema, depth)
            case "object": return map(schema, depth)
            case "string", "integer", "number", "boolean": return .scalar
            default: return schema["properties"] != nil ? map(schema, depth) : .unknown
            }
        }

        private mutating func list(_ schema: JSON, _ depth: Int) -> MergeSchema? {
            let items = schema["items"] ?? [:]
            guard let element = read(items, depth: depth + 1) else { return nil }
            switch schema["x-kubernetes-list-type"]?.string {
            case "set": return .list(of: element, .set)
            case "map":
                let keys = (schema["x-kubernetes-list-map-keys"]?.array ?? []).compactMap(\.string)
                guard !keys.isEmpty else { return .list(of: element, .unknown) }
                var defaults: [String: JSON] = [:]
                for key in keys { defaults[key] = properties(of: items)[key]?["default"] }
                return .list(of: element, .map(keys: keys, defaults: defaults))
            case "atomic", nil: return .list(of: element, .atomic)
            default: return .list(of: element, .unknown)
            }
        }

        /// Of an element, through one reference.
        private func properties(of schema: JSON) -> [String: JSON] {
            var schema = schema
            if let only = schema["allOf"]?.array?.first { schema = only }
            if let name = schema["$ref"]?.string {
                schema = components[String(name.split(separator: "/").last ?? "")] ?? [:]
            }
            return schema["properties"]?.object ?? [:]
        }

        private mutating func map(_ schema: JSON, _ depth: Int) -> MergeSchema? {
            var members: [String: MergeSchema] = [:]
            for (name, member) in schema["properties"]?.object ?? [:] {
                guard let read = read(member, depth: depth + 1) else { return nil }
                members[name] = read
            }
            var others: MergeSchema?
            switch schema["additionalProperties"] {
            case .object(let inner):
                guard let read = read(.object(inner), depth: depth + 1) else { return nil }
                others = read
            case .bool(false), nil: others = nil
            default: others = .unknown
            }
            return .map(members: members, others: others, isAtomic: schema["x-kubernetes-map-type"] == "atomic")
        }
    }
}

extension MergeSchema {
    /// The schemas of the kinds that a CustomResourceDefinition defines, its stored version's last.
    public static func defined(by definition: Resource) -> [GroupVersionKind: MergeSchema] {
        guard let defined = definition.definedKind else { return [:] }
        var result: [GroupVersionKind: MergeSchema] = [:]
        for version in definition.object.at("spec", "versions")?.array ?? [] {
            guard let name = version["name"]?.string, let schema = version.at("schema", "openAPIV3Schema") else {
                continue
            }
            result[GroupVersionKind(group: defined.group, version: name, kind: defined.kind)] = MergeSchema(schema)
        }
        return result
    }

    /// The schemas of all kinds of an OpenAPI v3 document, without those that cannot be read.
    public static func all(inDocument document: JSON) -> [GroupVersionKind: MergeSchema] {
        let components = document.at("components", "schemas")?.object ?? [:]
        var result: [GroupVersionKind: MergeSchema] = [:]
        for schema in components.values {
            let kinds = schema["x-kubernetes-group-version-kind"]?.array ?? []
            guard kinds.count == 1, let only = kinds.first, let kind = only["kind"]?.string,
                let version = only["version"]?.string
            else { continue }
            let gvk = GroupVersionKind(group: only["group"]?.string ?? "", version: version, kind: kind)
            // Lists and options have the same extension; only an object has metadata of its own.
            guard !ListKeys.builtIn.knows(gvk.groupKind), schema.at("properties", "metadata") != nil else { continue }
            result[gvk] = MergeSchema(schema, components: components)
        }
        return result
    }
}
