import Shiplog
import Testing

@testable import Manifests

@Suite("The JSON Schemas say what the readers do")
struct SchemaTests {
    @Test("the schemas name exactly the fields that the readers know and do not refuse")
    func drift() throws {
        for (path, field) in [
            ("schema/application.schema.json", ApplicationFields.document),
            ("schema/config.schema.json", ConfigurationFields.document)
        ] {
            let schema = try JSON(parsing: file(path))
            #expect(schema["$schema"] == "https://json-schema.org/draft/2020-12/schema")
            #expect(Self.fields(of: schema) == Self.fields(of: field), "\(path)")
        }
    }

    @Test("the examples hold by the schema, and a field too many does not")
    func examples() throws {
        let schema = try JSON(parsing: file("schema/application.schema.json"))
        for path in [
            "examples/applications/my-app.yaml", "examples/applications/demo-app.yaml",
            "examples/guestbook/application.yaml"
        ] {
            let documents = try YAML.read(file(path), file: path)
            #expect(documents.count == 1)
            for document in documents {
                #expect(Self.problems(document.json, schema) == [], "\(path)")
                var wrong = document.json
                wrong.set(["helm": 1], at: ["spec", "extra"])
                wrong.set(3, at: ["spec", "project"])
                #expect(Self.problems(wrong, schema) == ["/spec/extra", "/spec/project"])
            }
        }
    }

    /// Each field's path, with `[]` for a list's elements.
    private static func fields(of field: Field, _ path: String = "") -> Set<String> {
        switch field {
        case .map(let members):
            members.reduce(into: []) { result, member in
                if case .refused = member.value { return }
                result.insert(path + "/" + member.key)
                result.formUnion(fields(of: member.value, path + "/" + member.key))
            }
        case .list(let element): fields(of: element, path + "[]")
        default: []
        }
    }

    private static func fields(of schema: JSON, _ path: String = "") -> Set<String> {
        var result = Set<String>()
        for (name, member) in schema["properties"]?.object ?? [:] {
            result.insert(path + "/" + name)
            result.formUnion(fields(of: member, path + "/" + name))
        }
        if let items = schema["items"] { result.formUnion(fields(of: items, path + "[]")) }
        return result
    }

    /// As much of JSON Schema as the two files use for structure: types, required, additionalProperties, const.
    private static func problems(_ json: JSON, _ schema: JSON, _ path: String = "") -> [String] {
        if let wanted = schema["const"], wanted != json { return [path] }
        let types = schema["type"]?.string.map { [$0] } ?? (schema["type"]?.array ?? []).compactMap(\.string)
        if !types.isEmpty, !types.contains(where: { isOf($0, json) }) { return [path] }
        var result: [String] = []
        for (name, member) in (json.object ?? [:]).sorted(by: { $0.key < $1.key }) {
            if let own = schema["properties"]?[name] {
                result += problems(member, own, path + "/" + name)
            } else if let any = schema["additionalProperties"], any.object != nil {
                result += problems(member, any, path + "/" + name)
            } else if schema["additionalProperties"] == false {
                result.append(path + "/" + name)
            }
        }
        for name in (schema["required"]?.array ?? []).compactMap(\.string) where json[name] == nil {
            result.append(path + "/" + name)
        }
        for element in json.array ?? [] { result += problems(element, schema["items"] ?? [:], path + "[]") }
        return result
    }

    private static func isOf(_ type: String, _ json: JSON) -> Bool {
        switch type {
        case "object": json.object != nil
        case "array": json.array != nil
        case "string": json.string != nil
        case "boolean": json.bool != nil
        case "integer": json.integer != nil
        default: false
        }
    }
}

@Suite("The guestbook of the demo")
struct GuestbookTests {
    private func render(_ version: String) throws -> [Resource] {
        let folder = "examples/guestbook/\(version)"
        let files = try names(in: folder).map {
            SourceFile(path: "guestbook/\($0)", bytes: try file("\(folder)/\($0)"))
        }
        let source = try DirectorySource(DirectoryOptions(path: "guestbook"))
        #expect(files.allSatisfy { source.matches(path: $0.path) })
        let rendered = try source.render(files: files)
        #expect(rendered.warnings.isEmpty)
        for resource in rendered.resources {
            let (normalized, warnings) = DesiredNormalization.apply(resource)
            #expect(normalized == resource)
            #expect(warnings.isEmpty)
        }
        return rendered.resources
    }

    @Test("three versions hold the same objects; the third cannot be pulled")
    func versions() throws {
        let all = try ["v1", "v2", "v3"].map(render)
        for resources in all {
            #expect(
                resources.map(\.key.description) == [
                    "ConfigMap guestbook-config", "apps/Deployment guestbook-ui", "Service guestbook-ui"
                ])
            #expect(resources[1].object.at("spec", "progressDeadlineSeconds") == 10)
        }
        func image(_ resources: [Resource]) -> String? {
            resources[1].object.at("spec", "template", "spec", "containers")?.array?.first?["image"]?.string
        }
        #expect(
            all.map(image) == [
                "registry.example.com/guestbook:v1", "registry.example.com/guestbook:v2",
                "registry.example.invalid/guestbook:v3-broken"
            ])
        #expect(all.map { $0[1].object.at("spec", "replicas") } == [1, 3, 3])
        #expect(all[0][0] != all[1][0])
    }

    @Test("its application is read without a warning")
    func application() throws {
        let read = try ApplicationReader.read(file("examples/guestbook/application.yaml"), file: "application.yaml")
        #expect(read.count == 1)
        #expect(read.first?.warnings == [])
        #expect(read.first?.application.syncPolicy.automated == .init(prune: true, selfHeal: true))
        #expect(read.first?.application.syncPolicy.options.createNamespace == true)
        #expect(read.first?.application.destination.namespace == "guestbook")
    }
}
