import Shiplog
import Testing

@testable import Sandbox

@Suite struct ControllerTests {
    private func pods(_ cluster: inout TestCluster) throws -> [JSON] {
        try cluster.get("/api/v1/namespaces/default/pods")["items"]?.array ?? []
    }

    @Test("a Deployment becomes available through a ReplicaSet and pods")
    func deploy() throws {
        var cluster = TestCluster()
        _ = try cluster.send("POST", deployments, deployment())
        cluster.settle(milliseconds: 0)
        #expect(try cluster.get(deployments + "/web").condition("Available")?["status"] == "False")
        cluster.settle(milliseconds: 2000)
        let live = try cluster.get(deployments + "/web")
        #expect(live.at("status", "availableReplicas") == 2)
        #expect(live.at("status", "observedGeneration") == live.at("metadata", "generation"))
        #expect(live.condition("Progressing")?["reason"] == "NewReplicaSetAvailable")
        #expect(live.at("metadata", "annotations", "deployment.kubernetes.io/revision") == "1")
        #expect(try pods(&cluster).allSatisfy { $0.at("status", "phase") == "Running" })
        #expect(!cluster.state.work.hasTimers, "nothing is waited for once all is well")
    }

    @Test("a rolling update never has fewer or more pods than it may, and keeps the old ReplicaSet")
    func roll() throws {
        var cluster = TestCluster()
        _ = try cluster.send("POST", deployments, deployment(replicas: 8))
        cluster.settle(milliseconds: 3000)
        _ = try cluster.send(
            "PATCH", deployments + "/web?fieldManager=t&force=true", deployment(image: "web:2", replicas: 8),
            type: "application/apply-patch+yaml")
        for _ in 0..<100 {
            cluster.settle(milliseconds: 50)
            let status = try cluster.get(deployments + "/web")["status"] ?? [:]
            #expect((status["availableReplicas"]?.integer ?? 0) >= 6)
            #expect((status["replicas"]?.integer ?? 0) <= 10)
        }
        let live = try cluster.get(deployments + "/web")
        #expect(live.at("status", "updatedReplicas") == 8 && live.at("status", "replicas") == 8)
        #expect(try cluster.get("/apis/apps/v1/namespaces/default/replicasets")["items"]?.array?.count == 2)
        #expect(Set(try pods(&cluster).compactMap { $0.at("spec", "containers")?.array?.first?["image"] }) == ["web:2"])
    }

    @Test("an image that cannot be pulled runs into the deadline while the old pods serve, and a good one recovers")
    func broken() throws {
        var cluster = TestCluster()
        _ = try cluster.send("POST", deployments, deployment())
        cluster.settle(milliseconds: 2000)
        _ = try cluster.apply(deployments + "/web", deployment(image: "registry.invalid/web:3"), force: true)
        cluster.settle(milliseconds: 5000)
        #expect(try cluster.get(deployments + "/web").condition("Progressing")?["reason"] == "ReplicaSetUpdated")
        cluster.settle(milliseconds: 10_000)
        let live = try cluster.get(deployments + "/web")
        #expect(live.condition("Progressing")?["reason"] == "ProgressDeadlineExceeded")
        #expect(live.condition("Available")?["status"] == "True")
        let reasons = try pods(&cluster).compactMap {
            $0.at("status", "containerStatuses")?.array?.first?.at("state", "waiting", "reason")?.string
        }
        #expect(reasons == ["ImagePullBackOff"])
        #expect(!cluster.state.work.hasTimers)
        _ = try cluster.apply(deployments + "/web", deployment(image: "web:1"), force: true)
        cluster.settle(milliseconds: 3000)
        #expect(try cluster.get(deployments + "/web").condition("Progressing")?["reason"] == "NewReplicaSetAvailable")
        #expect(
            try cluster.get(deployments + "/web").at("metadata", "annotations", "deployment.kubernetes.io/revision")
                == "3")
    }

    @Test(
        "what an image's name says about pulling it",
        arguments: [
            ("web", true), ("web:1", true), ("registry.invalid/web:1", false), ("registry.invalid:5000/web", false),
            ("web:broken", false), ("a/b:v3-broken", false), ("localhost:5000/web:does-not-exist", false),
            ("broken/web:1", true), ("web@sha256:00", true), ("", true)
        ])
    func images(name: String, canBePulled: Bool) {
        #expect(ImageReference(name).canBePulled == canBePulled)
    }

    @Test("a StatefulSet makes its pods in order, with storage of their own")
    func stateful() throws {
        var cluster = TestCluster()
        var body = deployment(replicas: 3)
        body["kind"] = "StatefulSet"
        body.set(nil, at: ["spec", "progressDeadlineSeconds"])
        body.set("web", at: ["spec", "serviceName"])
        body.set(
            [
                [
                    "metadata": ["name": "data"],
                    "spec": ["accessModes": ["ReadWriteOnce"], "resources": ["requests": ["storage": "1Gi"]]]
                ]
            ], at: ["spec", "volumeClaimTemplates"])
        let path = "/apis/apps/v1/namespaces/default/statefulsets"
        _ = try cluster.send("POST", path, body)
        cluster.settle(milliseconds: 100)
        #expect(try pods(&cluster).map(\.name) == ["web-0"])
        cluster.settle(milliseconds: 5000)
        #expect(try pods(&cluster).map(\.name) == ["web-0", "web-1", "web-2"])
        let live = try cluster.get(path + "/web")
        #expect(live.at("status", "readyReplicas") == 3)
        #expect(live.at("status", "currentRevision") == live.at("status", "updateRevision"))
        let claims = try cluster.get("/api/v1/namespaces/default/persistentvolumeclaims")["items"]?.array ?? []
        #expect(claims.map(\.name) == ["data-web-0", "data-web-1", "data-web-2"])
        #expect(claims.allSatisfy { $0.at("status", "phase") == "Bound" })
        _ = try cluster.send(
            "PATCH", path + "/web", ["spec": ["template": ["metadata": ["labels": ["v": "2"]]]]],
            type: "application/merge-patch+json")
        cluster.settle(milliseconds: 10_000)
        #expect(try pods(&cluster).allSatisfy { $0.labels["v"] == "2" })
        #expect(try cluster.get(path + "/web").at("status", "updatedReplicas") == 3)
    }

    @Test("a Job completes and, told so, goes away")
    func job() throws {
        var cluster = TestCluster()
        let path = "/apis/batch/v1/namespaces/default/jobs"
        _ = try cluster.send(
            "POST", path,
            [
                "metadata": ["name": "once"],
                "spec": [
                    "completions": 3, "parallelism": 2, "ttlSecondsAfterFinished": 60,
                    "template": ["spec": ["restartPolicy": "Never", "containers": [["name": "a", "image": "a"]]]]
                ]
            ])
        cluster.settle(milliseconds: 6000)
        let live = try cluster.get(path + "/once")
        #expect(live.at("status", "succeeded") == 3)
        #expect(live.condition("Complete")?["status"] == "True")
        cluster.settle(milliseconds: 70_000)
        #expect(cluster.refusal("GET", path + "/once")?.code == 404)
        cluster.settle(milliseconds: 1000)
        #expect(try pods(&cluster).isEmpty)
    }

    @Test(
        "deleting in the background, in the foreground, and leaving orphans",
        arguments: ["Background", "Foreground", "Orphan"])
    func collect(policy: String) throws {
        var cluster = TestCluster()
        _ = try cluster.send("POST", deployments, deployment())
        cluster.settle(milliseconds: 2000)
        let answer = try cluster.send("DELETE", deployments + "/web", ["propagationPolicy": .string(policy)]).body
        if policy == "Foreground" {
            #expect(answer.at("metadata", "finalizers") == ["foregroundDeletion"])
            #expect(try cluster.get(deployments + "/web").isBeingDeleted)
        } else {
            #expect(answer["status"] == "Success")
        }
        cluster.settle(milliseconds: 5000)
        #expect(cluster.refusal("GET", deployments + "/web")?.code == 404)
        let sets = try cluster.get("/apis/apps/v1/namespaces/default/replicasets")["items"]?.array ?? []
        #expect(sets.count == (policy == "Orphan" ? 1 : 0))
        #expect(try pods(&cluster).count == (policy == "Orphan" ? 2 : 0))
        if policy == "Orphan" {
            #expect(sets.first?.at("metadata", "ownerReferences") == nil)
            _ = try cluster.send("POST", deployments, deployment())
            cluster.settle(milliseconds: 100)
            #expect(try cluster.get(deployments + "/web").at("status", "availableReplicas") == 2)
        }
    }

    @Test("finalizers hold an object until the last is gone, and an object without a living owner goes")
    func finalizers() throws {
        var cluster = TestCluster()
        var body = configMap([:])
        body.set(["example.com/hold"], at: ["metadata", "finalizers"])
        _ = try cluster.send("POST", configMaps, body)
        let marked = try cluster.send("DELETE", configMaps + "/settings").body
        #expect(marked.isBeingDeleted)
        cluster.settle(milliseconds: 1000)
        #expect(try cluster.get(configMaps + "/settings").isBeingDeleted)
        _ = try cluster.send(
            "PATCH", configMaps + "/settings", ["metadata": ["finalizers": .null]], type: "application/merge-patch+json"
        )
        #expect(cluster.refusal("GET", configMaps + "/settings")?.code == 404)
        var orphan = configMap([:], name: "orphan")
        orphan.set(
            [["apiVersion": "v1", "kind": "ConfigMap", "name": "gone", "uid": "no-such"]],
            at: ["metadata", "ownerReferences"])
        _ = try cluster.send("POST", configMaps, orphan)
        cluster.settle(milliseconds: 100)
        #expect(cluster.refusal("GET", configMaps + "/orphan")?.code == 404)
    }

    @Test("preconditions guard a deletion")
    func preconditions() throws {
        var cluster = TestCluster()
        let made = try cluster.send("POST", configMaps, configMap([:])).body
        #expect(
            cluster.refusal("DELETE", configMaps + "/settings", ["preconditions": ["uid": "other"]])?.code == 409)
        #expect(
            cluster.refusal("DELETE", configMaps + "/settings", ["preconditions": ["resourceVersion": "1"]])?.code
                == 409)
        _ = try cluster.send(
            "DELETE", configMaps + "/settings", ["preconditions": ["uid": .string(made.uid)]])
    }

    @Test("a namespace waits for its content, refuses more, and takes everything along")
    func namespace() throws {
        var cluster = TestCluster()
        _ = try cluster.send("POST", "/api/v1/namespaces", ["metadata": ["name": "temp"]])
        var held = configMap([:], name: "held")
        held.set(["example.com/hold"], at: ["metadata", "finalizers"])
        _ = try cluster.send("POST", "/api/v1/namespaces/temp/configmaps", held)
        _ = try cluster.send("POST", "/apis/apps/v1/namespaces/temp/deployments", deployment())
        cluster.settle(milliseconds: 2000)
        _ = try cluster.send("DELETE", "/api/v1/namespaces/temp")
        cluster.settle(milliseconds: 3000)
        #expect(try cluster.get("/api/v1/namespaces/temp").at("status", "phase") == "Terminating")
        let refused = cluster.refusal("POST", "/api/v1/namespaces/temp/configmaps", configMap([:]))
        #expect(refused?.causes.first?.reason == "NamespaceTerminating")
        _ = try cluster.send(
            "PATCH", "/api/v1/namespaces/temp/configmaps/held", ["metadata": ["finalizers": .null]],
            type: "application/merge-patch+json")
        cluster.settle(milliseconds: 1000)
        #expect(cluster.refusal("GET", "/api/v1/namespaces/temp")?.code == 404)
        #expect(cluster.state.content(of: "temp").isEmpty)
        #expect(cluster.refusal("DELETE", "/api/v1/namespaces/kube-system")?.code == 403)
    }

    @Test("a custom kind is served once established, and goes with its definition")
    func custom() throws {
        var cluster = TestCluster()
        let definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        let version: @Sendable (String, Bool) -> JSON = { name, storage in
            [
                "name": .string(name), "served": true, "storage": .bool(storage),
                "schema": [
                    "openAPIV3Schema": [
                        "type": "object",
                        "properties": [
                            "spec": [
                                "type": "object", "required": ["size"],
                                "properties": [
                                    "size": ["type": "integer", "minimum": 1, "maximum": 5],
                                    "color": ["type": "string", "default": "red", "enum": ["red", "blue"]]
                                ]
                            ]
                        ]
                    ]
                ]
            ]
        }
        _ = try cluster.send(
            "POST", definitions,
            [
                "metadata": ["name": "widgets.example.com"],
                "spec": [
                    "group": "example.com", "scope": "Namespaced", "names": ["plural": "widgets", "kind": "Widget"],
                    "versions": [version("v1", true), version("v1beta1", false)]
                ]
            ])
        let widgets = "/apis/example.com/v1/namespaces/default/widgets"
        let widget: JSON = ["metadata": ["name": "w"], "spec": ["size": 2, "unknown": true]]
        #expect(cluster.refusal("POST", widgets, widget)?.code == 404)
        cluster.settle(milliseconds: 10)
        #expect(try cluster.get(definitions + "/widgets.example.com").condition("Established")?["status"] == "True")
        let made = try cluster.send("POST", widgets, widget).body
        #expect(made["spec"] == ["size": 2, "color": "red"])
        #expect(made.at("metadata", "generation") == 1)
        let beta = "/apis/example.com/v1beta1/namespaces/default/widgets"
        #expect(try cluster.get(beta + "/w")["apiVersion"] == "example.com/v1beta1")
        let bad: JSON = ["metadata": ["name": "bad"], "spec": ["size": 9, "color": "green"]]
        #expect(Set(cluster.refusal("POST", widgets, bad)?.causes.map(\.field) ?? []) == ["spec.size", "spec.color"])
        #expect(cluster.refusal("POST", widgets, ["metadata": ["name": "b"], "spec": ["size": "x"]])?.code == 422)
        #expect(try cluster.get("/apis/example.com")["versions"]?.array?.count == 2)
        _ = try cluster.send("DELETE", definitions + "/widgets.example.com")
        #expect(cluster.refusal("GET", widgets)?.code == 404)
        #expect(cluster.state.objects(GroupResource(group: "example.com", plural: "widgets"), namespace: nil).isEmpty)
    }
}
