import Shiplog
import Testing

@testable import Sandbox

private typealias FieldSet = Sandbox.FieldSet

@Suite struct FieldSetTests {
    private func set(_ text: String) throws -> FieldSet {
        let json = try JSON(parsing: text)
        return try #require(FieldSet(json: json))
    }

    @Test("fieldsV1 is written as it was read")
    func roundTrip() throws {
        let text = #"{"f:a":{".":{},"f:b":{}},"f:list":{"k:{\"name\":\"x\"}":{".":{},"f:v":{}},"v:\"s\"":{}}}"#
        #expect(try set(text).json.canonicalString == text)
    }

    @Test("malformed fieldsV1 is refused")
    func malformed() throws {
        for text in [#"{"a":{}}"#, #"{"f:a":1}"#, #"{"k:{":{}}"#, #"[]"#, #"{"i:x":{}}"#] {
            #expect(FieldSet(json: try JSON(parsing: text)) == nil, "\(text)")
        }
        var deep = "{}"
        for _ in 0..<110 { deep = #"{"f:a":\#(deep)}"# }
        #expect(FieldSet(json: try JSON(parsing: deep)) == nil)
    }

    @Test("union, intersection and difference keep the tree free of empty branches")
    func algebra() throws {
        let left = try set(#"{"f:a":{"f:b":{},"f:c":{}},"f:d":{}}"#)
        let right = try set(#"{"f:a":{"f:b":{}},"f:e":{}}"#)
        #expect(left.union(right) == (try set(#"{"f:a":{"f:b":{},"f:c":{}},"f:d":{},"f:e":{}}"#)))
        #expect(left.intersection(right) == (try set(#"{"f:a":{"f:b":{}}}"#)))
        #expect(left.subtracting(right) == (try set(#"{"f:a":{"f:c":{}},"f:d":{}}"#)))
        #expect(left.subtracting(left).isEmpty)
    }

    @Test("paths read as people write them")
    func readable() throws {
        let some = try set(#"{"f:spec":{"f:containers":{"k:{\"name\":\"web\"}":{"f:image":{}}}}}"#)
        #expect(some.readablePaths == [#".spec.containers[name="web"].image"#])
    }

    @Test("a configuration's paths are its leaves and its list elements")
    func ofValue() {
        let value: JSON = [
            "spec": [
                "replicas": 1, "selector": ["matchLabels": ["a": "b"]],
                "template": [
                    "metadata": ["labels": ["a": "b"]],
                    "spec": [
                        "containers": [["name": "c", "ports": [["containerPort": 80]]]],
                        "tolerations": [["key": "k"]]
                    ]
                ]
            ]
        ]
        let set = TypedValue.fieldSet(of: value, .named("Deployment"))
        #expect(
            set.readablePaths == [
                ".spec.replicas", ".spec.selector", ".spec.template.metadata.labels.a",
                #".spec.template.spec.containers[name="c"]"#, #".spec.template.spec.containers[name="c"].name"#,
                #".spec.template.spec.containers[name="c"].ports[containerPort=80,protocol="TCP"]"#,
                #".spec.template.spec.containers[name="c"].ports[containerPort=80,protocol="TCP"].containerPort"#,
                ".spec.template.spec.tolerations"
            ])
    }

    @Test("a duplicate key of a list is named")
    func duplicates() {
        let value: JSON = ["spec": ["containers": [["name": "a"], ["name": "a"]]]]
        #expect(
            TypedValue.duplicate(in: value, .named("Pod"))
                == #".spec.containers: duplicate entries for key [name="a"]"#)
    }

    @Test("comparison tells added, removed and changed apart, and a new order of keyed elements is no change")
    func comparison() {
        let old: JSON = ["spec": ["containers": [["name": "a", "image": "1"], ["name": "b", "image": "1"]]]]
        let new: JSON = ["spec": ["containers": [["name": "c", "image": "1"], ["name": "a", "image": "2"]]]]
        let result = TypedValue.compare(old, new, .named("Pod"))
        #expect(result.modified.readablePaths == [#".spec.containers[name="a"].image"#])
        #expect(
            result.added.readablePaths == [
                #".spec.containers[name="c"]"#, #".spec.containers[name="c"].image"#,
                #".spec.containers[name="c"].name"#
            ])
        #expect(result.removed.readablePaths.contains(#".spec.containers[name="b"]"#))
        let turned: JSON = ["spec": ["containers": [["name": "b", "image": "1"], ["name": "a", "image": "1"]]]]
        #expect(TypedValue.compare(old, turned, .named("Pod")).isSame)
    }
}
