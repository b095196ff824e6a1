import Shiplog
import Testing

@Suite struct ManagedFieldsTests {
    private static let fields: JSON = [
        "f:metadata": ["f:finalizers": ["v:\"a/b\"": [:]]],
        "f:spec": [
            "f:replicas": [:], "f:args": [:],
            "f:ports": [
                ".": [:], "k:{\"containerPort\":80,\"protocol\":\"TCP\"}": [".": [:], "f:containerPort": [:]],
                "i:3": [:]
            ]
        ]
    ]

    private static func path(_ steps: FieldPath.Step...) -> FieldPath { FieldPath(steps) }

    @Test("a set of fields knows its members, and what is below a value owned whole") func contains() {
        let set = FieldSet(fieldsV1: Self.fields)
        #expect(set.contains(Self.path(.field("spec"), .field("replicas"))))
        #expect(set.contains(Self.path(.field("spec"))))
        #expect(set.contains(Self.path(.field("spec"), .field("args"), .index(2))))
        #expect(!set.contains(Self.path(.field("spec"), .field("paused"))))
        #expect(set.contains(Self.path(.field("metadata"), .field("finalizers"), .value("a/b"))))
        #expect(!set.contains(Self.path(.field("metadata"), .field("finalizers"), .value("c/d"))))
        let port = FieldPath.Step.key(["containerPort": 80, "protocol": "TCP"])
        #expect(set.contains(Self.path(.field("spec"), .field("ports"), port)))
        #expect(!set.contains(Self.path(.field("spec"), .field("ports"), port, .field("name"))))
    }

    @Test("a set is written as it was read") func roundTrip() {
        #expect(FieldSet(fieldsV1: Self.fields).fieldsV1 == Self.fields)
    }

    @Test("what no step starts with is left out, and depth is bounded") func hostile() {
        #expect(FieldSet(fieldsV1: ["x:a": [:], "k:{": [:], "v:": [:], "i:x": [:], "f": [:], "": [:]]).children.isEmpty)
        var deep: JSON = [:]
        for _ in 0..<500 { deep = ["f:a": deep] }
        var node = FieldSet(fieldsV1: deep)
        var depth = 0
        while let next = node.children[.field("a")] { (node, depth) = (next, depth + 1) }
        #expect(depth == 64)
    }

    @Test("paths are written as people write them") func descriptions() {
        #expect(
            Self.path(.field("spec"), .field("containers"), .key(["name": "web"]), .field("image")).description
                == "spec.containers[name=web].image")
        #expect(
            Self.path(.field("metadata"), .field("labels"), .field("a.b/c")).description == "metadata.labels[\"a.b/c\"]"
        )
        #expect(
            Self.path(.field("l"), .index(0), .key(["b": 1, "a": "x"]), .value(true)).description
                == "l[0][a=x,b=1][true]")
    }

    private static func live(_ entries: [JSON]) throws -> Resource {
        try Resource([
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": ["name": "web", "resourceVersion": "7", "managedFields": .array(entries)]
        ])
    }

    private static func entry(_ manager: String, _ operation: String, _ fields: JSON, subresource: String? = nil)
        -> JSON
    {
        .members([
            "manager": .string(manager), "operation": .string(operation), "apiVersion": "apps/v1",
            "fieldsType": "FieldsV1",
            "fieldsV1": fields, "subresource": subresource.map { .string($0) }
        ])
    }

    @Test("what earlier tools own is handed over to Shiplog's own entry") func handover() throws {
        let live = try Self.live([
            Self.entry("argocd-controller", "Apply", ["f:spec": ["f:replicas": [:]]]),
            Self.entry("kubectl-client-side-apply", "Update", ["f:spec": ["f:paused": [:]]]),
            Self.entry("shiplog", "Apply", ["f:data": ["f:a": [:]]]),
            Self.entry("kube-controller-manager", "Update", ["f:status": [:]], subresource: "status"),
            Self.entry("argocd-controller", "Update", ["f:status": [:]], subresource: "status")
        ])
        let list = try ManagedFields.handover(
            of: live, from: ["argocd-controller", "kubectl-client-side-apply"], to: "shiplog"
        ).get("a handover").array.get("a list")
        #expect(list.map { $0["manager"]?.string } == ["kube-controller-manager", "argocd-controller", "shiplog"])
        #expect(list.last?["operation"] == "Apply")
        #expect(list.last?["fieldsV1"] == ["f:spec": ["f:replicas": [:], "f:paused": [:]], "f:data": ["f:a": [:]]])
    }

    @Test("nobody to take over from, nothing to hand over") func noHandover() throws {
        let live = try Self.live([Self.entry("shiplog", "Apply", ["f:data": [:]])])
        #expect(ManagedFields.handover(of: live, from: ["kubectl"], to: "shiplog") == nil)
        #expect(ManagedFields.handover(of: try Self.live([]), from: ["kubectl"], to: "shiplog") == nil)
    }
}
