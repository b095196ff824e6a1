import Shiplog
import Testing

@testable import Sandbox

/// Objects that no one writes on purpose: whatever comes in, the cluster answers and goes on.
@Suite struct HostileInputTests {
    private static let odd: [JSON] = [
        .null, true, 0, -1, .integer(.max), .integer(.min), .number(1e308), .number(0.5), "", "x", "-1%", "9999999999%",
        "1e400", "10.96.300.1", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", [], [[:]], [.null], [1, 1], [:],
        ["name": "x"], ["": ""], ["matchLabels": ["app": "web"]], ["$patch": "delete"], .string("\u{0}"),
        .string(String(repeating: "y", count: 300))
    ]

    /// A value with one of its nodes replaced.
    private static func mutated(_ value: JSON, _ random: inout RandomSource, depth: Int = 0) -> JSON {
        func pick(_ count: Int) -> Int { Int(random.next() % UInt64(max(count, 1))) }
        if pick(6) == 0, depth > 0 { return odd[pick(odd.count)] }
        switch value {
        case .object(var members):
            let keys = members.keys.sorted()
            guard !keys.isEmpty else { return odd[pick(odd.count)] }
            let key = keys[pick(keys.count)]
            members[key] = mutated(members[key] ?? .null, &random, depth: depth + 1)
            return .object(members)
        case .array(var elements):
            guard !elements.isEmpty else { return odd[pick(odd.count)] }
            let index = pick(elements.count)
            elements[index] = mutated(elements[index], &random, depth: depth + 1)
            if pick(4) == 0 { elements.append(elements[index]) }
            return .array(elements)
        default: return odd[pick(odd.count)]
        }
    }

    private static func seeds(_ cluster: inout TestCluster) throws -> [(path: String, object: JSON)] {
        var stateful = deployment()
        stateful["kind"] = "StatefulSet"
        stateful.set(nil, at: ["spec", "progressDeadlineSeconds"])
        var daemon = deployment()
        daemon["kind"] = "DaemonSet"
        for field in ["progressDeadlineSeconds", "replicas"] { daemon.set(nil, at: ["spec", field]) }
        let pod: JSON = ["spec": ["containers": [["name": "a", "image": "a", "ports": [["containerPort": 1]]]]]]
        let claim: JSON = [
            "spec": ["accessModes": ["ReadWriteOnce"], "resources": ["requests": ["storage": "1Gi"]]]
        ]
        let core = "/api/v1/namespaces/default/"
        let apps = "/apis/apps/v1/namespaces/default/"
        let objects: [(String, JSON)] = [
            (apps + "deployments", deployment()), (apps + "statefulsets", stateful), (apps + "daemonsets", daemon),
            (core + "pods", pod), (core + "configmaps", configMap(["a": "1"])),
            (core + "services", ["spec": ["ports": [["port": 80]], "selector": ["app": "web"]]]),
            (core + "persistentvolumeclaims", claim),
            (
                "/apis/batch/v1/namespaces/default/jobs",
                [
                    "spec": [
                        "template": ["spec": ["restartPolicy": "Never", "containers": [["name": "a", "image": "a"]]]]
                    ]
                ]
            ),
            (
                "/apis/policy/v1/namespaces/default/poddisruptionbudgets",
                ["spec": ["minAvailable": "50%", "selector": ["matchLabels": ["app": "web"]]]]
            ),
            (
                "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers",
                [
                    "spec": [
                        "maxReplicas": 3,
                        "scaleTargetRef": ["apiVersion": "apps/v1", "kind": "Deployment", "name": "web"]
                    ]
                ]
            ),
            (
                "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
                [
                    "metadata": ["name": "things.example.com"],
                    "spec": [
                        "group": "example.com", "scope": "Cluster", "names": ["plural": "things", "kind": "Thing"],
                        "versions": [
                            [
                                "name": "v1", "served": true, "storage": true,
                                "additionalPrinterColumns": [["name": "A", "jsonPath": ".spec.a[0]", "type": "string"]],
                                "schema": ["openAPIV3Schema": ["type": "object"]]
                            ]
                        ]
                    ]
                ]
            )
        ]
        return try objects.map { path, object in
            var object = object
            if object.name.isEmpty { object.set("web", at: ["metadata", "name"]) }
            let made = try cluster.send("POST", path, object).body
            return (path + "/" + made.name, made)
        }
    }

    @Test("mutated objects by every way of writing leave a cluster that still works", arguments: 1...6)
    func mutations(seed: Int) throws {
        var cluster = TestCluster()
        var random = RandomSource(seed: UInt64(seed))
        let seeds = try Self.seeds(&cluster)
        cluster.settle(milliseconds: 3000)
        let table = "application/json;as=Table;v=v1;g=meta.k8s.io"
        for _ in 0..<400 {
            let (path, made) = seeds[Int(random.next() % UInt64(seeds.count))]
            let base = (try? cluster.get(path)) ?? made
            var body = Self.mutated(base, &random)
            body.set(nil, at: ["metadata", "resourceVersion"])
            switch random.next() % 8 {
            case 0: _ = cluster.refusal("PUT", path, body)
            case 1: _ = cluster.refusal("PATCH", path, body, type: "application/merge-patch+json")
            case 2: _ = cluster.refusal("PATCH", path, body, type: "application/strategic-merge-patch+json")
            case 3:
                body.set(nil, at: ["metadata", "managedFields"])
                _ = cluster.refusal(
                    "PATCH", path + "?fieldManager=m&force=true", body, type: "application/apply-patch+yaml")
            case 4: _ = cluster.refusal("PUT", path + "/status", body)
            case 5: _ = cluster.refusal("PUT", path + "/scale", body)
            case 6: _ = cluster.refusal("DELETE", path, Self.mutated(["propagationPolicy": "Foreground"], &random))
            default:
                let parent = path.split(separator: "/").dropLast().joined(separator: "/")
                _ = cluster.refusal("POST", "/" + parent, body)
                let list = APIRequest(method: "GET", target: "/" + parent, accept: table)
                _ = try? cluster.state.respond(list, now: cluster.now)
            }
            cluster.settle(milliseconds: Int64(random.next() % 700))
        }
        cluster.settle(milliseconds: 60_000)
        _ = try cluster.send("POST", configMaps, configMap([:], name: "still-here"))
        #expect(try cluster.get(configMaps + "/still-here").name == "still-here")
        // Everything that is stored can be described, listed as a table, and written and read back.
        for (path, _) in seeds {
            let parent = "/" + path.split(separator: "/").dropLast().joined(separator: "/")
            _ = try cluster.state.respond(APIRequest(method: "GET", target: parent, accept: table), now: cluster.now)
        }
        for (_, object) in cluster.state.everything {
            #expect(try JSON(parsing: object.canonicalBytes).canonicalBytes == object.canonicalBytes)
        }
    }

    @Test(
        "odd targets and parameters are answered with an error",
        arguments: [
            "/", "//", "/api/v1/namespaces/default", "/api/v1/namespaces/%ff/configmaps", "/apis", "/apis/x",
            "/apis/apps/v1/namespaces//deployments", "/api/v1/pods?limit=-1", "/api/v1/pods?limit=99999999999999999999",
            "/api/v1/pods?continue=5b5d", "/api/v1/pods?resourceVersion=x", "/api/v1/pods?labelSelector=%00",
            "/api/v1/pods?fieldSelector==", "/api/v1/pods?dryRun=Some", "/api/v1/namespaces/default/pods/a/b/c/d",
            "/openapi/v3/x", "/openapi/v3/api/v9", "/openapi/v2", "/api/v1/watch", "/api/v1/pods/x", "/%", "/?%=%",
            "/api/v1/pods?continue=" + String(repeating: "5b", count: 500)
        ])
    func targets(target: String) throws {
        var cluster = TestCluster()
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "TRACE"] {
            let error = cluster.refusal(method, target, [:])
            #expect(error == nil || (400..<600).contains(error?.code ?? 0))
        }
        #expect(try cluster.get("/api/v1/namespaces/default").name == "default")
    }
}
