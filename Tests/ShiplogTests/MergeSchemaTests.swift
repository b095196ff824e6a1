import Foundation
import Shiplog
import Testing

@Suite("Schemas of custom kinds")
struct MergeSchemaTests {
    private static func definition() throws -> Resource {
        let place = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent(
            "Cases/definition.json")
        return try Resource(try JSON(parsing: try String(contentsOf: place, encoding: .utf8)))
    }

    @Test("lists and maps merge as the definition says", arguments: Case.all(in: "schema"))
    func lists(_ example: Case) throws {
        try example.expectDifference(
            schema: ListKeys.builtIn.adding(MergeSchema.defined(by: try Self.definition())))
    }

    @Test("the cases are there") func cases() {
        #expect(Case.all(in: "schema").count >= 20)
    }

    @Test("a document's schemas are read through its references") func document() throws {
        let document: JSON = [
            "components": [
                "schemas": [
                    "org.example.v1.Thing": [
                        "type": "object",
                        "x-kubernetes-group-version-kind": [["group": "example.org", "version": "v1", "kind": "Thing"]],
                        "properties": [
                            "metadata": ["allOf": [["$ref": "#/components/schemas/Meta"]]],
                            "spec": ["$ref": "#/components/schemas/Spec"]
                        ]
                    ],
                    "Spec": [
                        "type": "object",
                        "properties": [
                            "routes": [
                                "type": "array", "x-kubernetes-list-type": "map",
                                "x-kubernetes-list-map-keys": ["name"],
                                "items": ["allOf": [["$ref": "#/components/schemas/Route"]], "default": [:]]
                            ]
                        ]
                    ],
                    "Route": [
                        "type": "object",
                        "properties": [
                            "name": ["type": "string", "default": "main"],
                            // A type that contains itself.
                            "inner": ["$ref": "#/components/schemas/Route"]
                        ]
                    ],
                    "ThingList": [
                        "x-kubernetes-group-version-kind": [
                            ["group": "example.org", "version": "v1", "kind": "ThingList"],
                            ["group": "other.org", "version": "v1", "kind": "ThingList"]
                        ]
                    ],
                    "Deployment": [
                        "x-kubernetes-group-version-kind": [["group": "apps", "version": "v1", "kind": "Deployment"]],
                        "properties": ["metadata": [:]]
                    ]
                ]
            ]
        ]
        let schemas = MergeSchema.all(inDocument: document)
        #expect(schemas.keys.map(\.description) == ["example.org/v1/Thing"])
        let thing = GroupVersionKind(group: "example.org", version: "v1", kind: "Thing")
        let keys = ListKeys.builtIn.adding(schemas)
        #expect(keys.list(thing, ["spec", "routes"]) == .map(keys: ["name"], defaults: ["name": "main"]))
        #expect(keys.map(thing, ["spec", "routes"]) == .granular)
        #expect(keys.list(thing, ["spec", "nothing"]) == .unknown)
        #expect(ListKeys.builtIn.list(thing, ["spec", "routes"]) == .unknown)
    }

    @Test("a schema that grows without end is not read") func bounds() {
        var components: [String: JSON] = [:]
        for level in 0..<40 {
            let next: JSON = ["$ref": .string("#/components/schemas/L\(level + 1)")]
            components["L\(level)"] = ["type": "object", "properties": ["a": next, "b": next]]
        }
        #expect(MergeSchema(["$ref": "#/components/schemas/L0"], components: components) == nil)
        #expect(MergeSchema(["type": "array", "items": ["$ref": "#/components/schemas/none"]]) != nil)
        #expect(MergeSchema(["$ref": "elsewhere"]) == .unknown)
    }
}
