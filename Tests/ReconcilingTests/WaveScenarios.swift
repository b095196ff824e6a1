import Foundation
import LedgerStore
import Shiplog
import Testing

@testable import Reconciling

/// Given, when, then: phases and waves on the embedded cluster.
@Suite("Waves", .serialized)
struct WaveScenarios {
    @Test("given two waves, when they are synced, then the second begins when the first is healthy")
    func healthGate() async throws {
        try await Scene.play { (scene) async throws -> Void in
            try scene.world.commit([
                "d.yaml": Scene.deployment("web"), "a.yaml": Scene.configMap("after", wave: 1),
                "b.yaml": Scene.configMap("before", wave: -1)
            ])
            try await scene.world.run { (running) async throws -> Void in
                #expect(try await running.deploy().outcome == "succeeded")
                #expect(
                    try await running.newest().steps == [
                        "Sync -1 created ConfigMap demo/before", "Sync 0 created apps/Deployment demo/web",
                        "Sync 1 created ConfigMap demo/after"
                    ])
                let web = try await scene.version("Deployment", "web")
                #expect(try await scene.version("ConfigMap", "before") < web)
                #expect(
                    try await scene.version("ConfigMap", "after") > web, "written after the last word on the deployment"
                )
                #expect(await scene.object("Deployment", "web")?.at("status", "availableReplicas") == 1)
            }
        }
    }

    @Test("given a first wave that becomes Degraded, when it is synced, then the second never begins")
    func degraded() async throws {
        try await Scene.play { (scene) async throws -> Void in
            try scene.world.commit([
                "d.yaml": Scene.deployment("web", image: "example.com/web:does-not-exist"),
                "a.yaml": Scene.configMap("after", wave: 1)
            ])
            try await scene.world.run { (running) async throws -> Void in
                #expect(try await running.deploy().outcome == "failed")
                let row = try await running.newest()
                guard case .failed(let failure) = row.revision.outcome else { return #expect(Bool(false), "\(row)") }
                #expect(failure.code == "sync.degraded")
                #expect(
                    row.steps == [
                        "Sync 0 created apps/Deployment demo/web", "Sync 1 skipped ConfigMap demo/after"
                    ])
                #expect(await scene.object("ConfigMap", "after") == nil)
            }
        }
    }

    @Test("given one wave alone, when it is synced, then the attempt does not wait for health")
    func lastWave() async throws {
        try await Scene.play(timeScale: 50) { scene in
            try scene.world.commit(["d.yaml": Scene.deployment("web")])
            try await scene.world.run { (running) async throws -> Void in
                #expect(try await running.deploy().outcome == "succeeded")
                #expect(try await running.newest().revision.health == .progressing)
            }
        }
    }

    @Test("given waves that are done, when only the last one changed, then nothing is waited for that does not follow")
    func onlyTheLast() async throws {
        try await Scene.play { (scene) async throws -> Void in
            try scene.world.commit([
                "b.yaml": Scene.configMap("before", wave: -1), "a.yaml": Scene.configMap("after", wave: 1)
            ])
            try await scene.world.run { (running) async throws -> Void in
                #expect(try await running.deploy().outcome == "succeeded")
                try scene.world.commit(["a.yaml": Scene.configMap("after", "2", wave: 1)])
                #expect(try await running.sync().outcome == "succeeded")
                #expect(
                    try await running.newest().steps == [
                        "Sync -1 unchanged ConfigMap demo/before", "Sync 1 updated ConfigMap demo/after"
                    ])
            }
        }
    }

    @Test("given a PreSync hook in a namespace of the manifests, when it is synced, then the namespace is there for it")
    func namespaceForHook() async throws {
        try await Scene.play { (scene) async throws -> Void in
            let namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: fresh}\n"
            let job = Scene.job("h", hook: "PreSync").replacingOccurrences(
                of: "  name: h\n", with: "  name: h\n  namespace: fresh\n")
            try scene.world.commit(["n.yaml": namespace, "h.yaml": job, "a.yaml": World.configMap("a", "1")])
            try await scene.world.run { (running) async throws -> Void in
                #expect(try await running.deploy().outcome == "succeeded")
                #expect(
                    try await running.newest().steps == [
                        "PreSync 0 created Namespace fresh", "PreSync 0 ran batch/Job fresh/h",
                        "Sync 0 created ConfigMap demo/a"
                    ])
            }
        }
    }

    @Test("given a definition and its object, when they are synced together, then the definition is established first")
    func definition() async throws {
        try await Scene.play { (scene) async throws -> Void in
            let definition = """
                apiVersion: apiextensions.k8s.io/v1
                kind: CustomResourceDefinition
                metadata: {name: widgets.example.com}
                spec:
                  group: example.com
                  scope: Namespaced
                  names: {plural: widgets, singular: widget, kind: Widget, listKind: WidgetList}
                  versions:
                  - name: v1
                    served: true
                    storage: true
                    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}

                """
            let widget = "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: w}\nspec: {size: 3}\n"
            try scene.world.commit(["a.yaml": widget, "z.yaml": definition])
            try await scene.world.run { (running) async throws -> Void in
                let operation = try await running.deploy()
                #expect(operation.outcome == "succeeded", "\(operation)")
                #expect(
                    try await running.newest().steps == [
                        "Sync 0 created apiextensions.k8s.io/CustomResourceDefinition widgets.example.com",
                        "Sync 0 created example.com/Widget demo/w"
                    ])
                #expect(await scene.object("Widget", "w")?.at("spec", "size") == 3)
            }
        }
    }

    @Test("given objects of several waves, when they are pruned, then the last applied goes first")
    func prunes() async throws {
        try await Scene.play { (scene) async throws -> Void in
            try scene.world.commit([
                "a.yaml": Scene.configMap("a", wave: 0), "b.yaml": Scene.configMap("b", wave: 2),
                "keep.yaml": World.configMap("keep", "1")
            ])
            try await scene.world.run { (running) async throws -> Void in
                #expect(try await running.deploy().outcome == "succeeded")
                try scene.world.commit(["a.yaml": nil, "b.yaml": nil])
                #expect(try await running.sync("app", SyncRequest(prune: true)).outcome == "succeeded")
                #expect(
                    try await running.newest().steps == [
                        "Sync 0 pruned ConfigMap demo/b", "Sync 0 unchanged ConfigMap demo/keep",
                        "Sync 2 pruned ConfigMap demo/a"
                    ])
            }
        }
    }
}
