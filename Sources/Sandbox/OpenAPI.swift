import Shiplog

/// OpenAPI v3 documents, one a group and version: enough for kubectl's explain, apply, diff and validation.
enum OpenAPI {
    /// `/openapi/v3`: where the documents are. The version stands for their content in caches.
    static func index(_ registry: KindRegistry, version: Int64) -> JSON {
        var paths: [String: JSON] = [:]
        for group in registry.groups {
            for apiVersion in registry.versions(of: group) {
                let path = group.isEmpty ? "api/\(apiVersion)" : "apis/\(group)/\(apiVersion)"
                let isCustom = registry.kinds(group: group, version: apiVersion).contains(where: \.isCustom)
                let hash = isCustom ? "\(version)" : ServerVersion.git
                paths[path] = ["serverRelativeURL": .string("/openapi/v3/\(path)?hash=\(hash)")]
            }
        }
        return ["paths": .object(paths)]
    }

    /// nil when nothing of that group and version is served.
    static func document(group: String, version: String, _ registry: KindRegistry) -> JSON? {
        let kinds = registry.kinds(group: group, version: version)
        guard !kinds.isEmpty else { return nil }
        var schemas = SchemaCollection()
        var paths: [String: JSON] = [:]
        for kind in kinds {
            let name = schemas.add(kind)
            let prefix = group.isEmpty ? "/api/\(version)" : "/apis/\(group)/\(version)"
            let base = prefix + (kind.isNamespaced ? "/namespaces/{namespace}" : "") + "/" + kind.plural
            paths[base] = ["get": operation("list", kind, name), "post": operation("post", kind, name)]
            paths[base + "/{name}"] = [
                "get": operation("get", kind, name), "put": operation("put", kind, name),
                "patch": operation("patch", kind, name), "delete": operation("delete", kind, name)
            ]
            if kind.isNamespaced { paths[prefix + "/" + kind.plural] = ["get": operation("list", kind, name)] }
        }
        return [
            "openapi": "3.0.0", "info": ["title": "Shiplog sandbox", "version": .string(ServerVersion.git)],
            "paths": .object(paths), "components": ["schemas": .object(schemas.schemas)]
        ]
    }

    static func gvk(_ kind: Kind) -> JSON {
        ["group": .string(kind.group), "version": .string(kind.version), "kind": .string(kind.kind)]
    }

    private static func operation(_ action: String, _ kind: Kind, _ schema: String) -> JSON {
        let reference: JSON = ["$ref": .string("#/components/schemas/" + schema)]
        func parameter(_ name: String) -> JSON {
            ["name": .string(name), "in": "query", "schema": ["type": "string", "uniqueItems": true]]
        }
        var result: [String: JSON] = [
            "x-kubernetes-action": .string(action), "x-kubernetes-group-version-kind": gvk(kind),
            "responses": ["200": ["description": "OK", "content": ["application/json": ["schema": reference]]]]
        ]
        if ["post", "put", "patch"].contains(action) {
            result["parameters"] = .array(["dryRun", "fieldManager", "fieldValidation"].map(parameter))
            var types = ["application/json"]
            if action == "patch" {
                types = ["application/apply-patch+yaml", "application/json-patch+json", "application/merge-patch+json"]
                if !kind.isCustom { types.append("application/strategic-merge-patch+json") }
            }
            let schema: JSON = action == "patch" ? ["type": "object"] : reference
            result["requestBody"] = [
                "content": .object(Dictionary(uniqueKeysWithValues: types.map { ($0, ["schema": schema] as JSON) })),
                "required": true
            ]
        }
        return .object(result)
    }
}

/// The schemas of one document, each type once.
private struct SchemaCollection {
    var schemas: [String: JSON] = [:]

    /// Adds a kind's schema with all it refers to; answers its name.
    mutating func add(_ kind: Kind) -> String {
        guard let structure = kind.shape.structure else { return "" }
        let group = kind.group.isEmpty ? "core" : kind.group
        let name = kind.isCustom ? "\(group).\(kind.version).\(kind.kind)" : structure.name
        var schema = object(structure)
        schema["description"] = .string(Explanations.kinds[kind.kind] ?? "The kind \(kind.kind).")
        schema["x-kubernetes-group-version-kind"] = [OpenAPI.gvk(kind)]
        schemas[name] = schema
        return name
    }

    private mutating func object(_ structure: Structure) -> JSON {
        var properties: [String: JSON] = [:]
        var required: [JSON] = []
        for name in structure.order {
            guard let field = structure.fields[name] else { continue }
            properties[name] = property(field)
            if field.isRequired { required.append(.string(name)) }
        }
        return .members([
            "type": "object", "properties": properties.isEmpty ? nil : .object(properties),
            "required": required.isEmpty ? nil : .array(required),
            "x-kubernetes-map-type": structure.isAtomic ? "atomic" : nil,
            "x-kubernetes-preserve-unknown-fields": structure.keepsUnknown ? true : nil
        ])
    }

    private mutating func property(_ field: Field) -> JSON {
        var schema = self.schema(field.shape)
        // Members beside $ref do not count, so a reference is wrapped.
        if schema["$ref"] != nil { schema = ["allOf": [schema], "default": [:]] }
        if let summary = field.summary { schema["description"] = .string(summary) }
        if let defaultValue = field.defaultValue { schema["default"] = defaultValue }
        if field.isNullable { schema["nullable"] = true }
        if field.isAtomic { schema["x-kubernetes-map-type"] = "atomic" }
        if let patch = field.patch {
            let strategy = [patch.merges ? "merge" : nil, patch.retainsKeys ? "retainKeys" : nil].compactMap(\.self)
            schema["x-kubernetes-patch-strategy"] = .string(strategy.joined(separator: ","))
            if let key = patch.key { schema["x-kubernetes-patch-merge-key"] = .string(key) }
        }
        if let allowed = field.constraints?.allowed, !allowed.isEmpty { schema["enum"] = .array(allowed) }
        return schema
    }

    private mutating func schema(_ shape: Shape) -> JSON {
        switch shape {
        case .string: return ["type": "string"]
        case .bytes: return ["type": "string", "format": "byte"]
        case .int32: return ["type": "integer", "format": "int32"]
        case .int64: return ["type": "integer", "format": "int64"]
        case .number: return ["type": "number", "format": "double"]
        case .boolean: return ["type": "boolean"]
        case .quantity:
            schemas["Quantity"] = ["oneOf": [["type": "string"], ["type": "number"]], "description": "A quantity."]
            return ["$ref": "#/components/schemas/Quantity"]
        case .time, .microTime: return ["type": "string", "format": "date-time"]
        case .intOrString:
            schemas["IntOrString"] = [
                "oneOf": [["type": "integer"], ["type": "string"]], "format": "int-or-string",
                "description": "A whole number, or text such as a percentage or a name."
            ]
            return ["$ref": "#/components/schemas/IntOrString"]
        case .any: return ["x-kubernetes-preserve-unknown-fields": true]
        case .opaque: return ["type": "object"]
        case .map(let inner, let isAtomic):
            var result: JSON = ["type": "object", "additionalProperties": schema(inner)]
            if isAtomic { result["x-kubernetes-map-type"] = "atomic" }
            return result
        case .list(let inner, let kind):
            var result: JSON = ["type": "array", "items": schema(inner)]
            switch kind {
            case .atomic: result["x-kubernetes-list-type"] = "atomic"
            case .set: result["x-kubernetes-list-type"] = "set"
            case .map(let keys):
                result["x-kubernetes-list-type"] = "map"
                result["x-kubernetes-list-map-keys"] = .array(keys.map { .string($0) })
            }
            return result
        case .structure(let structure): return object(structure)
        case .named(let name):
            if schemas[name] == nil, let structure = SchemaTable.shared[name] {
                // Entered before it is filled: types may contain themselves.
                schemas[name] = [:]
                schemas[name] = object(structure)
            }
            return ["$ref": .string("#/components/schemas/" + name)]
        }
    }
}
