import Shiplog
import Testing

@testable import Sandbox

@Suite struct ServerSideApplyTests {
    private func owners(_ object: JSON) -> [String: JSON] {
        var result: [String: JSON] = [:]
        for entry in object.at("metadata", "managedFields")?.array ?? [] {
            result[(entry["manager"]?.string ?? "") + ":" + (entry["operation"]?.string ?? "")] = entry["fieldsV1"]
        }
        return result
    }

    @Test("apply makes an object and owns exactly what it names")
    func create() throws {
        var cluster = TestCluster()
        let made = try cluster.apply(configMaps + "/settings", configMap(["a": "1"]))
        #expect(owners(made) == ["shiplog:Apply": ["f:data": ["f:a": [:]]]])
        let deployed = try cluster.apply(deployments + "/web", deployment())
        #expect(deployed.at("spec", "revisionHistoryLimit") == 10)
        #expect(owners(deployed)["shiplog:Apply"]?.at("f:spec", "f:revisionHistoryLimit") == nil)
    }

    @Test("applying the same again writes nothing, whatever the clock says")
    func same() throws {
        var cluster = TestCluster()
        var body = deployment()
        body.set(
            [["name": "web", "image": "web:1", "resources": ["limits": ["cpu": "1000m"]]]],
            at: [
                "spec", "template", "spec", "containers"
            ])
        body.set(false, at: ["spec", "paused"])
        let first = try cluster.apply(deployments + "/web", body)
        cluster.now = cluster.now.advanced(byMilliseconds: 60_000)
        let version = cluster.state.version
        let second = try cluster.apply(deployments + "/web", body)
        #expect(second == first)
        #expect(cluster.state.version == version)
        #expect(
            first.at("spec", "template", "spec", "containers")?.array?.first?.at("resources", "limits", "cpu") == "1")
    }

    @Test("a field of another applier is a conflict that names it, and force takes it")
    func conflict() throws {
        var cluster = TestCluster()
        _ = try cluster.apply(configMaps + "/settings", configMap(["a": "1", "b": "1"]))
        let error = #expect(throws: StatusError.self) {
            _ = try cluster.apply(configMaps + "/settings", configMap(["a": "2"]), manager: "other")
        }
        #expect(error?.code == 409)
        #expect(error?.message == #"Apply failed with 1 conflict: conflict with "shiplog" using v1: .data.a"#)
        #expect(
            error?.causes == [
                StatusError.Cause(
                    reason: "FieldManagerConflict", message: #"conflict with "shiplog" using v1"#, field: ".data.a")
            ])
        let forced = try cluster.apply(configMaps + "/settings", configMap(["a": "2"]), manager: "other", force: true)
        #expect(forced["data"] == ["a": "2", "b": "1"])
        #expect(owners(forced)["other:Apply"] == ["f:data": ["f:a": [:]]])
        #expect(owners(forced)["shiplog:Apply"] == ["f:data": ["f:b": [:]]])
    }

    @Test("the same value is owned together, and stays until the last owner drops it")
    func coOwners() throws {
        var cluster = TestCluster()
        _ = try cluster.apply(configMaps + "/settings", configMap(["a": "1"]))
        _ = try cluster.apply(configMaps + "/settings", configMap(["a": "1"]), manager: "other")
        let kept = try cluster.apply(configMaps + "/settings", configMap([:]))
        #expect(kept["data"] == ["a": "1"])
        let gone = try cluster.apply(configMaps + "/settings", configMap([:]), manager: "other")
        #expect(gone["data"] == nil || gone["data"] == [:])
    }

    @Test("what the applier drops goes, what others added stays")
    func dropped() throws {
        var cluster = TestCluster()
        _ = try cluster.apply(configMaps + "/settings", configMap(["a": "1", "b": "1"]))
        _ = try cluster.send(
            "PATCH", configMaps + "/settings", ["data": ["hand": "made"]], type: "application/merge-patch+json")
        let result = try cluster.apply(configMaps + "/settings", configMap(["a": "1"]))
        #expect(result["data"] == ["a": "1", "hand": "made"])
    }

    @Test("containers, ports, environment and volumes are merged by their keys")
    func lists() throws {
        var cluster = TestCluster()
        func web(_ container: JSON, _ spec: [String: JSON] = [:]) -> JSON {
            var body = deployment()
            body.set([container], at: ["spec", "template", "spec", "containers"])
            for (name, value) in spec { body.set(value, at: ["spec", "template", "spec", name]) }
            return body
        }
        let first: JSON = [
            "name": "web", "image": "web:1", "ports": [["containerPort": 80]],
            "env": [["name": "A", "value": "1"], ["name": "B", "value": "1"]]
        ]
        _ = try cluster.apply(deployments + "/web", web(first, ["volumes": [["name": "v", "emptyDir": [:]]]]))
        _ = try cluster.apply(
            deployments + "/web",
            [
                "apiVersion": "apps/v1", "kind": "Deployment",
                "spec": [
                    "template": [
                        "spec": [
                            "containers": [
                                [
                                    "name": "web", "ports": [["containerPort": 80, "protocol": "UDP"]],
                                    "env": [["name": "C", "value": "1"]]
                                ],
                                ["name": "side", "image": "side:1"]
                            ]
                        ]
                    ]
                ]
            ], manager: "injector")
        let without: JSON = ["name": "web", "image": "web:2", "env": [["name": "B", "value": "2"]]]
        let result = try cluster.apply(deployments + "/web", web(without))
        let containers = try #require(result.at("spec", "template", "spec", "containers")?.array)
        #expect(containers.map { $0["name"]?.string } == ["web", "side"])
        #expect(containers[0]["image"] == "web:2")
        #expect(containers[0]["env"]?.array?.compactMap { $0["name"]?.string }.sorted() == ["B", "C"])
        #expect(containers[0]["ports"] == [["containerPort": 80, "protocol": "UDP"]])
        #expect(result.at("spec", "template", "spec", "volumes") == nil)
    }

    @Test("finalizers are a set, owner references go by uid, tolerations are one piece")
    func setsAndAtoms() throws {
        var cluster = TestCluster()
        func body(_ finalizers: [JSON]) -> JSON {
            var object = configMap(["a": "1"])
            object.set(.array(finalizers), at: ["metadata", "finalizers"])
            return object
        }
        _ = try cluster.apply(configMaps + "/settings", body(["example.com/one"]))
        let both = try cluster.apply(configMaps + "/settings", body(["example.com/two"]), manager: "other")
        #expect(both.at("metadata", "finalizers") == ["example.com/one", "example.com/two"])
        var bad = deployment()
        bad.set([["key": "a"]], at: ["spec", "template", "spec", "tolerations"])
        _ = try cluster.apply(deployments + "/web", bad)
        bad.set([["key": "b"]], at: ["spec", "template", "spec", "tolerations"])
        let error = #expect(throws: StatusError.self) {
            _ = try cluster.apply(deployments + "/web", bad, manager: "other")
        }
        #expect(error?.causes.map(\.field) == [".spec.template.spec.tolerations"])
    }

    @Test("an update owns what it changed and takes it from the applier")
    func update() throws {
        var cluster = TestCluster()
        _ = try cluster.apply(deployments + "/web", deployment())
        _ = try cluster.send(
            "PATCH", deployments + "/web?fieldManager=hand", ["spec": ["replicas": 5]],
            type: "application/merge-patch+json")
        let live = try cluster.get(deployments + "/web")
        #expect(owners(live)["hand:Update"] == ["f:spec": ["f:replicas": [:]]])
        #expect(owners(live)["shiplog:Apply"]?.at("f:spec", "f:replicas") == nil)
        let error = #expect(throws: StatusError.self) { _ = try cluster.apply(deployments + "/web", deployment()) }
        #expect(error?.message.contains(#"conflict with "hand" using apps/v1 at "#) == true)
    }

    @Test("managedFields can be handed over by an update guarded by the version")
    func handOver() throws {
        var cluster = TestCluster()
        _ = try cluster.send("POST", configMaps + "?fieldManager=argocd-controller", configMap(["a": "1", "old": "1"]))
        var live = try cluster.get(configMaps + "/settings")
        var entries = try #require(live.at("metadata", "managedFields")?.array)
        entries[0]["manager"] = "shiplog"
        entries[0]["operation"] = "Apply"
        live.set(.array(entries), at: ["metadata", "managedFields"])
        _ = try cluster.send("PUT", configMaps + "/settings?fieldManager=shiplog", live)
        let result = try cluster.apply(configMaps + "/settings", configMap(["a": "1"]))
        #expect(result["data"] == ["a": "1"])
        #expect(Array(owners(result).keys) == ["shiplog:Apply"])
        live.set("1", at: ["metadata", "resourceVersion"])
        #expect(cluster.refusal("PUT", configMaps + "/settings", live)?.reason == "Conflict")
        var reset = result
        reset.set([[:]], at: ["metadata", "managedFields"])
        reset.set(nil, at: ["metadata", "resourceVersion"])
        _ = try cluster.send("PUT", configMaps + "/settings", reset)
        #expect(try cluster.get(configMaps + "/settings").at("metadata", "managedFields") == nil)
    }

    @Test("a field that the schema does not have cannot be applied")
    func unknown() {
        var cluster = TestCluster()
        var body = deployment()
        body.set(3, at: ["spec", "replicaz"])
        let error = cluster.refusal(
            "PATCH", deployments + "/web?fieldManager=x", body, type: "application/apply-patch+yaml")
        #expect(error?.message.hasSuffix(".spec.replicaz: field not declared in schema") == true)
        #expect(
            cluster.refusal("PATCH", deployments + "/web", deployment(), type: "application/apply-patch+yaml")?.code
                == 400)
    }

    @Test("a dry run answers what would be and stores nothing")
    func dryRun() throws {
        var cluster = TestCluster()
        _ = try cluster.apply(deployments + "/web", deployment())
        let before = try cluster.get(deployments + "/web")
        let (version, count) = (cluster.state.version, cluster.state.count)
        let answer = try cluster.send(
            "PATCH", deployments + "/web?fieldManager=shiplog&dryRun=All", deployment(image: "web:2"),
            type: "application/apply-patch+yaml"
        ).body
        #expect(answer.at("metadata", "resourceVersion") == before.at("metadata", "resourceVersion"))
        #expect(answer.at("metadata", "generation") == 2)
        #expect(try cluster.get(deployments + "/web") == before)
        _ = try cluster.send("POST", configMaps + "?dryRun=All", configMap([:], name: "dry"))
        _ = try cluster.send("DELETE", deployments + "/web?dryRun=All")
        #expect(cluster.state.version == version && cluster.state.count == count)
    }

    @Test("managers beyond ten are folded into one")
    func ancient() throws {
        var cluster = TestCluster()
        _ = try cluster.send("POST", configMaps, configMap(["start": "1"]))
        for index in 0..<30 {
            cluster.now = cluster.now.advanced(byMilliseconds: 1000)
            _ = try cluster.send(
                "PATCH", configMaps + "/settings?fieldManager=m\(index)", ["data": [("k\(index)"): "1"]],
                type: "application/merge-patch+json")
        }
        let live = try cluster.get(configMaps + "/settings")
        #expect((live.at("metadata", "managedFields")?.array?.count ?? 99) <= 11)
        #expect(owners(live)["ancient-changes:Update"]?.at("f:data", "f:k0") == [:])
    }
}
