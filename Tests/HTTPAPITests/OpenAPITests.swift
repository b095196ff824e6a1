import Foundation
import HTTPTypes
import LedgerStore
import Manifests
import Shiplog
import Testing

@testable import HTTPAPI

@Suite("schema/openapi.yaml says what the server does") struct OpenAPITests {
    private let document: JSON

    init() throws {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("schema/openapi.yaml")
        document = try YAML.read(Array(Data(contentsOf: file)), file: "openapi.yaml").first?.json ?? .null
    }

    private func resolve(_ json: JSON) -> JSON {
        guard let reference = json["$ref"]?.string else { return json }
        return document.at(reference.split(separator: "/").dropFirst().map(String.init)[...]) ?? .null
    }

    @Test("the same addresses, methods and parameters, no more and no fewer") func routes() {
        let verbs = ["get", "put", "post", "delete", "patch", "head"]
        var described: [String: Set<String>] = [:]
        for (path, item) in document["paths"]?.object ?? [:] {
            for verb in verbs {
                guard let operation = item[verb] else { continue }
                let all = (item["parameters"]?.array ?? []) + (operation["parameters"]?.array ?? [])
                let query = all.map(resolve).filter { $0["in"] == "query" }.compactMap { $0["name"]?.string }
                described[verb.uppercased() + " " + path] = Set(query)
                let inPath = Set(all.map(resolve).filter { $0["in"] == "path" }.compactMap { $0["name"]?.string })
                let named = path.split(separator: "/").filter { $0.hasPrefix("{") }.map {
                    String($0.dropFirst().dropLast())
                }
                #expect(inPath == Set(named), "\(path)")
            }
        }
        var served: [String: Set<String>] = [:]
        for route in RouteTable.all.routes { served[route.method.rawValue + " " + route.pattern] = route.parameters }
        #expect(Set(described.keys) == Set(served.keys))
        for (address, parameters) in served { #expect(described[address] == parameters, "\(address)") }
    }

    @Test("the same words") func words() {
        func schema(_ name: String) -> [String] {
            document.at("components", "schemas", name)?["enum"]?.array?.compactMap(\.string).sorted() ?? []
        }
        func all<Word: CaseIterable & RawRepresentable>(_: Word.Type) -> [String] where Word.RawValue == String {
            Word.allCases.map(\.rawValue).sorted()
        }
        #expect(schema("Sync") == all(SyncStatus.self))
        #expect(schema("HealthStatus") == all(HealthStatus.self))
        #expect(schema("Cause") == all(Cause.self))
        #expect(schema("RevisionKind") == all(Revision.Kind.self))
        #expect(schema("EventKind") == all(Event.Kind.self))
        #expect(schema("Role") == all(Token.Role.self))
        #expect(schema("Hold") == all(Pin.Hold.self))
    }

    @Test("what needs a token says so") func security() {
        for route in RouteTable.all.routes {
            let security = document.at("paths", route.pattern, route.method.rawValue.lowercased(), "security")
            switch route.scope {
            case .open: #expect(security == [[:]], "\(route.method) \(route.pattern)")
            case .act(.read), .application(.read):
                // PUT asks for more once it knows what it is about.
                if route.method == .get { #expect(security == nil, "\(route.pattern)") }
            default: #expect(security == [["token": []], ["session": []]], "\(route.method) \(route.pattern)")
            }
        }
    }
}
