import KubernetesAPI
import LedgerStore
import Shiplog
import Testing

@testable import Reconciling

/// Given, when, then: prunes and deletions that want a person's word.
@Suite("Confirmations", .serialized)
struct ConfirmScenarios {
    private static func asking(_ name: String, _ option: String = "Prune=confirm") -> String {
        World.configMap(name, "1", annotations: "\n  annotations: {argocd.argoproj.io/sync-options: \"\(option)\"}")
    }

    private static func waits(_ running: Running) async -> Set<String> {
        guard let uid = await running.controller.status(of: "app")?.registered.uid else { return [] }
        return Set(await running.controller.state.unconfirmed(uid)?.keys.map(\.name) ?? [])
    }

    /// Deploys `a`, `b` and `c`, the last two with the option, and then asks for a sync without those.
    private static func begin(_ scene: Scene, _ running: Running) async throws -> Operation {
        try scene.world.commit([
            "a.yaml": World.configMap("a", "1"), "b.yaml": asking("b"), "c.yaml": asking("c")
        ])
        #expect(try await running.deploy().outcome == "succeeded")
        try scene.world.commit(["a.yaml": World.configMap("a", "2"), "b.yaml": nil, "c.yaml": nil])
        let operation = try await running.controller.sync("app", SyncRequest(prune: true), actor: World.person)
        try await running.wait("the question") { await waits(running) == ["b", "c"] }
        return operation
    }

    @Test(
        "given Prune=confirm, when it is synced, then it waits, and prunes what a person has confirmed, who is recorded"
    )
    func confirmed() async throws {
        try await Scene.play { (scene) async throws -> Void in
            try await scene.world.run { (running) async throws -> Void in
                let operation = try await Self.begin(scene, running)
                #expect(await scene.object("ConfigMap", "b") != nil)
                #expect(await scene.object("ConfigMap", "a")?["data"] == ["value": "1"], "nothing after it has begun")
                let first = try await running.controller.confirm(
                    "app", resources: [ResourceSelector(kind: "ConfigMap", name: "b")], actor: World.person,
                    reason: "old")
                #expect(await Self.waits(running) == ["c"])
                #expect(await scene.object("ConfigMap", "b") != nil, "both go together")
                _ = try await running.controller.confirm("app", resources: [], actor: World.person, reason: nil)
                #expect(try await running.finish(operation).outcome == "succeeded")
                #expect(
                    try await running.newest().steps == [
                        "Sync 0 pruned ConfigMap demo/b", "Sync 0 pruned ConfigMap demo/c",
                        "Sync 0 updated ConfigMap demo/a"
                    ])
                #expect(await scene.object("ConfigMap", "b") == nil)
                guard case .event(let event)? = try await running.ledger.record(at: first) else {
                    return #expect(Bool(false), "there is no event")
                }
                #expect(event.value.kind == .operationConfirmed && event.value.actor.name == "ada")
                #expect(event.value.facts["count"] == 1 && event.value.detail?["reason"] == "old")
            }
        }
    }

    @Test("given a sync that waits for a word, when it is terminated, then nothing of it is pruned")
    func terminated() async throws {
        try await Scene.play { (scene) async throws -> Void in
            try await scene.world.run { (running) async throws -> Void in
                let operation = try await Self.begin(scene, running)
                try await running.controller.terminate("app", actor: World.person)
                #expect(try await running.finish(operation).outcome == "superseded")
                #expect(await scene.object("ConfigMap", "b") != nil)
                #expect(
                    try await running.newest().steps == [
                        "Sync 0 skipped ConfigMap demo/b", "Sync 0 skipped ConfigMap demo/c",
                        "Sync 0 skipped ConfigMap demo/a"
                    ])
                do throws(Failure) {
                    _ = try await running.controller.confirm("app", resources: [], actor: World.person, reason: nil)
                    Issue.record("there was something to confirm")
                } catch {
                    #expect(error.code == "operation.nothing-to-confirm")
                }
            }
        }
    }

    @Test("given a half confirmed sync, when the server starts again, then it waits for the other half alone")
    func recovered() async throws {
        try await Scene.play { (scene) async throws -> Void in
            try await scene.world.run { (running) async throws -> Void in
                _ = try await Self.begin(scene, running)
                _ = try await running.controller.confirm(
                    "app", resources: [ResourceSelector(kind: "ConfigMap", name: "b")], actor: World.person, reason: nil
                )
            }
            for name in ["b", "c"] { #expect(await scene.object("ConfigMap", name) != nil) }
            try await scene.world.run { (running) async throws -> Void in
                try await running.wait("the question again") { await Self.waits(running) == ["c"] }
                #expect(await scene.object("ConfigMap", "b") != nil)
                _ = try await running.controller.confirm("app", resources: [], actor: World.person, reason: nil)
                try await running.wait("the row") {
                    try await running.revisions([.sync]).first?.revision.counts.pruned == 2
                }
                #expect(try await running.revisions([.sync]).count == 2)
            }
        }
    }

    @Test("given nothing that waits, or another resource than does, when it is confirmed, then that is said")
    func nothing() async throws {
        try await Scene.play { (scene) async throws -> Void in
            try await scene.world.run { (running) async throws -> Void in
                let operation = try await Self.begin(scene, running)
                do throws(Failure) {
                    _ = try await running.controller.confirm(
                        "app", resources: [ResourceSelector(kind: "ConfigMap", name: "a")], actor: World.person,
                        reason: nil)
                    Issue.record("it was taken")
                } catch {
                    #expect(error.code == "operation.nothing-to-confirm")
                }
                _ = try await running.controller.confirm("app", resources: [], actor: World.person, reason: nil)
                #expect(try await running.finish(operation).outcome == "succeeded")
            }
        }
    }

    @Test("given Prune=confirm of the application, when an object says Prune=true, then it goes without a question")
    func overruled() async throws {
        try await Scene.play { (scene) async throws -> Void in
            try scene.world.commit(["a.yaml": World.configMap("a", "1"), "b.yaml": Self.asking("b", "Prune=true")])
            try await scene.world.run { (running) async throws -> Void in
                var application = scene.world.application(automated: nil)
                application.syncPolicy.options.written = ["Prune=confirm"]
                try await running.put(application)
                #expect(try await running.sync().outcome == "succeeded")
                try scene.world.commit(["b.yaml": nil])
                #expect(try await running.sync("app", SyncRequest(prune: true)).outcome == "succeeded")
                #expect(await scene.object("ConfigMap", "b") == nil)
            }
        }
    }

    @Test("given Delete=confirm, when the application is deleted with its resources, then only --confirm deletes any")
    func deletion() async throws {
        try await Scene.play { (scene) async throws -> Void in
            try scene.world.commit(["a.yaml": World.configMap("a", "1"), "b.yaml": Self.asking("b", "Delete=confirm")])
            try await scene.world.run { (running) async throws -> Void in
                #expect(try await running.deploy().outcome == "succeeded")
                let target = try await running.newest().sequence
                do throws(Failure) {
                    _ = try await running.controller.delete("app", cascade: true, actor: World.person, reason: nil)
                    Issue.record("it was deleted")
                } catch {
                    #expect(error.code == "plan.delete-unconfirmed")
                }
                for name in ["a", "b"] { #expect(await scene.object("ConfigMap", name) != nil) }
                #expect(await running.controller.status(of: "app") != nil)
                _ = try await running.controller.delete(
                    "app", cascade: true, actor: World.person, reason: nil, isConfirmed: true)
                for name in ["a", "b"] { #expect(await scene.object("ConfigMap", name) == nil) }
                let row = try await running.newest()
                #expect(row.revision.options.deletion == .foreground)
                // History stays, and what was there can be brought back from it.
                try await running.put(scene.world.application(automated: nil))
                let back = try await running.rollback("app", RollbackRequest(target: .former(target), reason: "back"))
                #expect(back.outcome == "succeeded", "\(back)")
                #expect(await scene.object("ConfigMap", "b") != nil)
            }
        }
    }
}
