import KubernetesAPI
import LedgerStore
import Shiplog
import Testing

@testable import Reconciling

/// Given, when, then: sync options on the embedded cluster.
@Suite("Sync options", .serialized)
struct OptionScenarios {
    private static func annotated(_ name: String, _ value: String, _ options: String) -> String {
        World.configMap(name, value, annotations: "\n  annotations: {argocd.argoproj.io/sync-options: \"\(options)\"}")
    }

    @Test("given Replace=true, when an object is synced, then what others have put into it goes")
    func replaced() async throws {
        try await Scene.play { (scene) async throws -> Void in
            try scene.world.commit(["a.yaml": Self.annotated("a", "1", "Replace=true")])
            try await scene.world.run { (running) async throws -> Void in
                #expect(try await running.deploy().outcome == "succeeded")
                let uid = await scene.uid("ConfigMap", "a")
                let kind = try await scene.cluster.catalog(refresh: false).served(
                    GroupVersionKind(group: "", version: "v1", kind: "ConfigMap"))
                _ = try await scene.cluster.patch(
                    kind, namespace: "demo", name: "a", .merge(["data": ["extra": "x"]]),
                    WriteOptions(fieldManager: "kubectl-edit"))
                try scene.world.commit(["a.yaml": Self.annotated("a", "2", "Replace=true")])
                #expect(try await running.sync().outcome == "succeeded")
                #expect(await scene.object("ConfigMap", "a")?["data"] == ["value": "2"])
                #expect(await scene.uid("ConfigMap", "a") == uid)
                #expect(try await running.newest().steps == ["Sync 0 updated ConfigMap demo/a"])
                try await running.refresh()
                #expect(await running.controller.status(of: "app")?.sync == .synced)
            }
        }
    }

    @Test("given Replace=true and Force=true, when an object differs, then it is another one afterwards")
    func forced() async throws {
        try await Scene.play { (scene) async throws -> Void in
            try scene.world.commit(["a.yaml": Self.annotated("a", "1", "Replace=true,Force=true")])
            try await scene.world.run { (running) async throws -> Void in
                #expect(try await running.deploy().outcome == "succeeded")
                let uid = await scene.uid("ConfigMap", "a")
                try scene.world.commit(["a.yaml": Self.annotated("a", "2", "Replace=true,Force=true")])
                #expect(try await running.sync().outcome == "succeeded")
                #expect(await scene.object("ConfigMap", "a")?["data"] == ["value": "2"])
                #expect(await scene.uid("ConfigMap", "a") != uid)
            }
        }
    }

    @Test(
        "given CreateNamespace and managedNamespaceMetadata, when it is synced, then the namespace carries it, and later changes"
    )
    func namespaceMetadata() async throws {
        try await Scene.play { (scene) async throws -> Void in
            try scene.world.commit(["a.yaml": World.configMap("a", "1")])
            try await scene.world.run { (running) async throws -> Void in
                var application = scene.world.application(automated: nil)
                application.destination.namespace = "fresh"
                application.syncPolicy.options.createNamespace = true
                let path = ["spec", "syncPolicy", "managedNamespaceMetadata"]
                application.document.set(
                    ["labels": ["team": "shop", "old": "yes"], "annotations": ["note": "made"]], at: path)
                try await running.put(application)
                #expect(try await running.sync().outcome == "succeeded")
                #expect(
                    try await running.newest().steps == [
                        "PreSync 0 created Namespace fresh", "Sync 0 created ConfigMap fresh/a"
                    ])
                let made = await scene.object("Namespace", "fresh", namespace: "")
                #expect(made?.at("metadata", "labels", "team") == "shop")
                #expect(made?.at("metadata", "annotations", "note") == "made")
                application.document.set(["labels": ["team": "web"]], at: path)
                try await running.put(application)
                #expect(try await running.sync().outcome == "succeeded")
                let changed = await scene.object("Namespace", "fresh", namespace: "")
                #expect(changed?.at("metadata", "labels", "team") == "web")
                #expect(changed?.at("metadata", "labels", "old") == nil)
                #expect(try await running.newest().steps.first == "PreSync 0 updated Namespace fresh")
                // What is as it should be is not written again.
                #expect(try await running.sync().outcome == "succeeded")
                #expect(try await running.newest().steps == ["Sync 0 unchanged ConfigMap fresh/a"])
            }
        }
    }

    @Test("given PruneLast=true, when something goes and something comes, then it goes last")
    func pruneLast() async throws {
        try await Scene.play { (scene) async throws -> Void in
            try scene.world.commit(["a.yaml": World.configMap("a", "1"), "b.yaml": Scene.configMap("b", wave: 3)])
            try await scene.world.run { (running) async throws -> Void in
                var application = scene.world.application(automated: nil)
                application.syncPolicy.options.written = ["PruneLast=true"]
                try await running.put(application)
                #expect(try await running.sync().outcome == "succeeded")
                try scene.world.commit(["a.yaml": nil, "b.yaml": Scene.configMap("b", "2", wave: 3)])
                #expect(try await running.sync("app", SyncRequest(prune: true)).outcome == "succeeded")
                #expect(
                    try await running.newest().steps == [
                        "Sync 3 updated ConfigMap demo/b", "Sync 4 pruned ConfigMap demo/a"
                    ])
            }
        }
    }

    @Test("given Prune=false of the application, when something goes, then it stays and is told")
    func kept() async throws {
        try await Scene.play { (scene) async throws -> Void in
            try scene.world.commit(["a.yaml": World.configMap("a", "1"), "b.yaml": World.configMap("b", "1")])
            try await scene.world.run { (running) async throws -> Void in
                var application = scene.world.application(automated: nil)
                application.syncPolicy.options.written = ["Prune=false"]
                try await running.put(application)
                #expect(try await running.sync().outcome == "succeeded")
                try scene.world.commit(["b.yaml": nil])
                #expect(try await running.sync("app", SyncRequest(prune: true)).outcome == "succeeded")
                #expect(await scene.object("ConfigMap", "b") != nil)
                let row = try await running.newest()
                #expect(row.steps.contains("Sync 0 leftover ConfigMap demo/b"))
                #expect(row.revision.resources.contains { $0.message?.contains("Prune=false") == true })
            }
        }
    }
}
