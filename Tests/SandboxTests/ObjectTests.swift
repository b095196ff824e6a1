import Shiplog
import Testing

@testable import Sandbox

@Suite struct ObjectTests {
    @Test("an update needs the present version, and a change of the spec counts in the generation")
    func versions() throws {
        var cluster = TestCluster()
        let made = try cluster.send("POST", deployments, deployment()).body
        #expect(made.at("metadata", "generation") == 1)
        var changed = made
        changed.set(3, at: ["spec", "replicas"])
        let updated = try cluster.send("PUT", deployments + "/web", changed).body
        #expect(updated.at("metadata", "generation") == 2)
        let stale = cluster.refusal("PUT", deployments + "/web", changed)
        #expect(stale?.code == 409)
        #expect(stale?.message.contains("the object has been modified; please apply your changes") == true)
        var labelled = updated
        labelled.set("x", at: ["metadata", "labels", "l"])
        #expect(try cluster.send("PUT", deployments + "/web", labelled).body.at("metadata", "generation") == 2)
    }

    @Test("the status changes by its own door only")
    func status() throws {
        var cluster = TestCluster()
        _ = try cluster.send("POST", deployments, deployment())
        let merge = "application/merge-patch+json"
        let untouched = try cluster.send("PATCH", deployments + "/web", ["status": ["replicas": 9]], type: merge).body
        #expect(untouched.at("status", "replicas") == nil)
        let changed = try cluster.send(
            "PATCH", deployments + "/web/status", ["status": ["replicas": 9], "spec": ["replicas": 7]], type: merge
        ).body
        #expect(changed.at("status", "replicas") == 9)
        #expect(changed.at("spec", "replicas") == 2)
        #expect(changed.at("metadata", "generation") == 1)
    }

    @Test("scale reads and sets the replicas")
    func scale() throws {
        var cluster = TestCluster()
        _ = try cluster.send("POST", deployments, deployment())
        var scale = try cluster.get(deployments + "/web/scale")
        #expect(scale.at("spec", "replicas") == 2)
        #expect(scale.at("status", "selector") == "app=web")
        scale.set(4, at: ["spec", "replicas"])
        _ = try cluster.send("PUT", deployments + "/web/scale", scale)
        #expect(try cluster.get(deployments + "/web").at("spec", "replicas") == 4)
        scale.set(-1, at: ["spec", "replicas"])
        scale.set(nil, at: ["metadata", "resourceVersion"])
        #expect(cluster.refusal("PUT", deployments + "/web/scale", scale)?.code == 422)
    }

    @Test(
        "what cannot change is refused as the API server words it",
        arguments: [
            (deployments, "web", ["spec", "selector", "matchLabels", "app"], "spec.selector"),
            ("/apis/apps/v1/namespaces/default/statefulsets", "web", ["spec", "serviceName"], "spec"),
            ("/apis/batch/v1/namespaces/default/jobs", "web", ["spec", "template", "spec", "hostname"], "spec.template")
        ] as [(String, String, [String], String)])
    func immutable(path: String, name: String, field: [String], cause: String) throws {
        var cluster = TestCluster()
        var body = deployment()
        let kind = path.hasSuffix("jobs") ? "Job" : path.hasSuffix("statefulsets") ? "StatefulSet" : "Deployment"
        body["kind"] = .string(kind)
        body["apiVersion"] = kind == "Job" ? "batch/v1" : "apps/v1"
        if kind == "Job" {
            body.set(nil, at: ["spec", "selector"])
            body.set(nil, at: ["spec", "replicas"])
            body.set("Never", at: ["spec", "template", "spec", "restartPolicy"])
        }
        _ = try cluster.send("POST", path, body)
        var live = try cluster.get(path + "/" + name)
        live.set("other", at: field)
        if kind == "Deployment" { live.set("other", at: ["spec", "template", "metadata", "labels", "app"]) }
        let refusal = cluster.refusal("PUT", path + "/" + name, live)
        let error = try #require(refusal)
        #expect(error.code == 422)
        #expect(error.reason == "Invalid")
        #expect(error.causes.map(\.field) == [cause])
        #expect(error.message.contains(kind == "StatefulSet" ? "are forbidden" : "field is immutable"))
    }

    @Test("an immutable ConfigMap and a Service's address stay")
    func frozen() throws {
        var cluster = TestCluster()
        var body = configMap(["a": "1"])
        body["immutable"] = true
        _ = try cluster.send("POST", configMaps, body)
        let merge = "application/merge-patch+json"
        let error = cluster.refusal("PATCH", configMaps + "/settings", ["data": ["a": "2"]], type: merge)
        #expect(error?.causes.first?.message == "Forbidden: field is immutable when `immutable` is set")
        let services = "/api/v1/namespaces/default/services"
        let service: JSON = ["metadata": ["name": "web"], "spec": ["ports": [["port": 80]]]]
        let made = try cluster.send("POST", services, service).body
        let address = try #require(made.at("spec", "clusterIP")?.string)
        #expect(made.at("spec", "ports")?.array?.first?["targetPort"] == 80)
        #expect(
            cluster.refusal("PATCH", services + "/web", ["spec": ["clusterIP": "10.96.9.9"]], type: merge)?.code == 422)
        var again = service
        again.set(made.at("metadata", "resourceVersion"), at: ["metadata", "resourceVersion"])
        #expect(
            try cluster.send("PUT", services + "/web", again).body.at("spec", "clusterIP") == .string(address))
    }

    @Test(
        "bad objects are refused with the fields that are wrong",
        arguments: [
            (["metadata": ["name": "Bad_Name"]], "metadata.name"),
            (["metadata": ["name": "x", "labels": ["a b": "c"]]], "metadata.labels"),
            (["metadata": ["name": "x"], "data": ["a/b": "c"]], "data[a/b]")
        ] as [(JSON, String)])
    func invalid(body: JSON, field: String) {
        var cluster = TestCluster()
        let error = cluster.refusal("POST", configMaps, body)
        #expect(error?.code == 422)
        #expect(error?.causes.map(\.field) == [field])
    }

    @Test("wrong types, names and namespaces are 400, an unknown field a warning or an error")
    func badRequests() throws {
        var cluster = TestCluster()
        var body = deployment()
        body.set("two", at: ["spec", "replicas"])
        let type = cluster.refusal("POST", deployments, body)
        #expect(type?.code == 400)
        #expect(type?.message.hasSuffix("Go struct field Deployment.spec.replicas of type int32") == true)
        var moved = configMap([:])
        moved.set("other", at: ["metadata", "namespace"])
        #expect(cluster.refusal("POST", configMaps, moved)?.code == 400)
        #expect(cluster.refusal("PUT", configMaps + "/else", configMap([:]))?.code == 400)
        #expect(cluster.refusal("POST", configMaps, [])?.code == 400)
        #expect(cluster.refusal("POST", configMaps)?.code == 400)
        var unknown = deployment()
        unknown.set(1, at: ["spec", "nope"])
        #expect(cluster.refusal("POST", deployments + "?fieldValidation=Strict", unknown)?.code == 400)
        let warned = try cluster.send("POST", deployments, unknown)
        #expect(warned.warnings == [#"unknown field "spec.nope""#])
        #expect(warned.body.at("spec", "nope") == nil)
        #expect(cluster.refusal("GET", "/api/v1/namespaces/default/nothings")?.code == 404)
        #expect(cluster.refusal("POST", "/api/v1/namespaces/gone/configmaps", configMap([:]))?.code == 404)
    }

    @Test("a list comes in pages that together are the whole")
    func pages() throws {
        var cluster = TestCluster()
        for index in 0..<25 { _ = try cluster.send("POST", configMaps, configMap([:], name: "c\(index)")) }
        var names: [String] = []
        var token = ""
        var pages = 0
        repeat {
            let page = try cluster.get(configMaps + "?limit=10&continue=\(token)")
            names += page["items"]?.array?.map(\.name) ?? []
            token = page.at("metadata", "continue")?.string ?? ""
            pages += 1
        } while !token.isEmpty && pages < 10
        #expect(pages == 3)
        #expect(Set(names).count == 26 && names.count == 26)
        #expect(cluster.refusal("GET", configMaps + "?limit=1&continue=zz")?.code == 400)
        let items = try cluster.get(configMaps + "?limit=1")["items"]?.array
        #expect(items?.first?["kind"] == nil)
    }

    @Test("generated names, folded secrets, and namespaces with what they need")
    func server() throws {
        var cluster = TestCluster()
        let made = try cluster.send("POST", configMaps, ["metadata": ["generateName": "x-"]]).body
        #expect(made.name.hasPrefix("x-") && made.name.count == 7)
        let secret = try cluster.send(
            "POST", "/api/v1/namespaces/default/secrets",
            ["metadata": ["name": "s"], "stringData": ["a": "hello"], "data": ["a": "eA==", "b": "eA=="]]
        ).body
        #expect(secret["data"] == ["a": "aGVsbG8=", "b": "eA=="])
        #expect(secret["stringData"] == nil && secret["type"] == "Opaque")
        _ = try cluster.send("POST", "/api/v1/namespaces", ["metadata": ["name": "new"]])
        cluster.settle(milliseconds: 10)
        #expect(try cluster.get("/api/v1/namespaces/new/serviceaccounts/default").name == "default")
        #expect(
            try cluster.get("/api/v1/namespaces/new").at("metadata", "labels", "kubernetes.io/metadata.name") == "new")
    }

    @Test("every built-in kind has a shape, and every type a shape refers to exists")
    func schemas() {
        for kind in BuiltIn.kinds { #expect(kind.shape.structure != nil, "\(kind.kind)") }
        func check(_ shape: Shape) {
            switch shape {
            case .named(let name): #expect(SchemaTable.shared[name] != nil, "\(name)")
            case .map(let inner, _), .list(let inner, _): check(inner)
            default: break
            }
        }
        for name in SchemaTable.shared.names {
            for field in SchemaTable.shared[name]?.fields.values ?? [:].values { check(field.shape) }
        }
        #expect(BuiltIn.kinds.count == 39)
    }

    @Test("every document of the API's description can be made, and names all its types")
    func documents() throws {
        var cluster = TestCluster()
        let index = try cluster.get("/openapi/v3")
        for (path, _) in index["paths"]?.object ?? [:] {
            let document = try cluster.get("/openapi/v3/" + path)
            let schemas = document.at("components", "schemas")?.object ?? [:]
            #expect(!schemas.isEmpty)
            func check(_ value: JSON) {
                if let reference = value["$ref"]?.string {
                    #expect(schemas[String(reference.dropFirst("#/components/schemas/".count))] != nil, "\(reference)")
                }
                for member in value.object?.values.map({ $0 }) ?? value.array ?? [] { check(member) }
            }
            for schema in schemas.values {
                for property in schema["properties"]?.object?.values ?? [:].values { check(property) }
            }
        }
    }
}
