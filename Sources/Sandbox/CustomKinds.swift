import Shiplog

/// Kinds out of a CustomResourceDefinition.
enum CustomKinds {
    /// The served versions of a definition, the API's preferred one first; empty while it is malformed.
    static func kinds(of definition: JSON) -> [Kind] {
        guard let spec = definition["spec"], let group = spec["group"]?.string, let names = spec["names"],
            let plural = names["plural"]?.string, let kindName = names["kind"]?.string
        else { return [] }
        var result: [Kind] = []
        for version in spec["versions"]?.array ?? [] where version["served"]?.bool == true {
            guard let name = version["name"]?.string else { continue }
            var kind = Kind(
                group: group, version: name, kind: kindName, plural: plural,
                singular: names["singular"]?.string ?? kindName.lowercased(),
                shape: .structure(root(version.at("schema", "openAPIV3Schema") ?? [:])))
            kind.shortNames = names["shortNames"]?.array?.compactMap(\.string) ?? []
            kind.categories = names["categories"]?.array?.compactMap(\.string) ?? []
            kind.isNamespaced = spec["scope"]?.string != "Cluster"
            kind.hasGeneration = true
            kind.isCustom = true
            kind.hasStatus = version.at("subresources", "status") != nil
            if let scale = version.at("subresources", "scale") {
                kind.scale = Kind.ScalePaths(
                    specReplicas: path(scale["specReplicasPath"]) ?? ["spec", "replicas"],
                    statusReplicas: path(scale["statusReplicasPath"]) ?? ["status", "replicas"],
                    selector: path(scale["labelSelectorPath"]))
            }
            kind.columns = version["additionalPrinterColumns"]?.array ?? []
            result.append(kind)
        }
        return result.sorted { KindRegistry.newerFirst($0.version, $1.version) }
    }

    private static func path(_ value: JSON?) -> [String]? {
        value?.string.map { $0.split(separator: ".").map(String.init) }
    }

    /// The whole object: what the schema says, with the parts that every object has.
    private static func root(_ schema: JSON) -> Structure {
        var fields: [(String, Field)] = [
            ("apiVersion", Field(shape: .string, summary: Explanations.fields["apiVersion"])),
            ("kind", Field(shape: .string, summary: Explanations.fields["kind"])),
            ("metadata", Field(shape: .named("ObjectMeta"), summary: Explanations.fields["metadata"]))
        ]
        let required = Set(schema["required"]?.array?.compactMap(\.string) ?? [])
        for (name, property) in (schema["properties"]?.object ?? [:]).sorted(by: { $0.key < $1.key })
        where !["apiVersion", "kind", "metadata"].contains(name) {
            fields.append((name, field(property, isRequired: required.contains(name), depth: 0)))
        }
        return Structure(name: "", fields: fields, isAtomic: false, keepsUnknown: keepsUnknown(schema))
    }

    private static func keepsUnknown(_ schema: JSON) -> Bool {
        schema["x-kubernetes-preserve-unknown-fields"]?.bool == true || schema.object?.isEmpty != false
    }

    private static func field(_ schema: JSON, isRequired: Bool, depth: Int) -> Field {
        var field = Field(shape: shape(schema, depth: depth), isRequired: isRequired)
        field.defaultValue = schema["default"]
        field.isNullable = schema["nullable"]?.bool == true
        field.summary = schema["description"]?.string
        var constraints = Constraints()
        constraints.allowed = schema["enum"]?.array ?? []
        constraints.minimum = number(schema["minimum"])
        constraints.maximum = number(schema["maximum"])
        constraints.minLength = schema["minLength"]?.integer
        constraints.maxLength = schema["maxLength"]?.integer
        constraints.minItems = schema["minItems"]?.integer
        constraints.maxItems = schema["maxItems"]?.integer
        if constraints != Constraints() { field.constraints = constraints }
        return field
    }

    private static func number(_ value: JSON?) -> Double? {
        switch value {
        case .integer(let integer): Double(integer)
        case .number(let number): number
        default: nil
        }
    }

    private static func shape(_ schema: JSON, depth: Int) -> Shape {
        guard depth < 64 else { return .any }
        if schema["x-kubernetes-int-or-string"]?.bool == true { return .intOrString }
        switch schema["type"]?.string {
        case "string":
            return .string
        case "integer":
            return schema["format"]?.string == "int32" ? .int32 : .int64
        case "number":
            return .number
        case "boolean":
            return .boolean
        case "array":
            let element = shape(schema["items"] ?? [:], depth: depth + 1)
            switch schema["x-kubernetes-list-type"]?.string {
            case "set": return .list(element, .set)
            case "map":
                let keys = schema["x-kubernetes-list-map-keys"]?.array?.compactMap(\.string) ?? []
                return .list(element, keys.isEmpty ? .atomic : .map(keys: keys))
            default: return .list(element, .atomic)
            }
        case "object":
            let isAtomic = schema["x-kubernetes-map-type"]?.string == "atomic"
            if let properties = schema["properties"]?.object {
                let required = Set(schema["required"]?.array?.compactMap(\.string) ?? [])
                let fields = properties.sorted { $0.key < $1.key }.map { name, property in
                    (name, field(property, isRequired: required.contains(name), depth: depth + 1))
                }
                return .structure(
                    Structure(
                        name: "", fields: fields, isAtomic: isAtomic,
                        keepsUnknown: schema["x-kubernetes-preserve-unknown-fields"]?.bool == true))
            }
            switch schema["additionalProperties"] {
            case .object(let members): return .map(shape(.object(members), depth: depth + 1), isAtomic: isAtomic)
            case .bool(true): return .map(.any, isAtomic: isAtomic)
            default: break
            }
            if schema["x-kubernetes-preserve-unknown-fields"]?.bool == true
                || schema["x-kubernetes-embedded-resource"]?.bool == true
            {
                return isAtomic ? .opaque : .any
            }
            return .structure(Structure(name: "", fields: [], isAtomic: isAtomic))
        default:
            return .any
        }
    }
}
