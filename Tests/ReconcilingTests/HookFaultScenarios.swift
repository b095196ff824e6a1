import KubernetesAPI
import LedgerStore
import Sandbox
import Shiplog
import Testing

@testable import Reconciling

/// Given, when, then: hooks that are interrupted, meet others, or whose answers are lost.
@Suite("Hooks and trouble", .serialized)
struct HookFaultScenarios {
    @Test("given a hook that runs, when the server dies, then its next start waits for that one and makes no other")
    func recovery() async throws {
        try await Scene.play(timeScale: 1) { scene in
            try scene.world.commit(["a.yaml": World.configMap("a", "1"), "h.yaml": Scene.job("h", hook: "PreSync")])
            var uid: String?
            try await scene.world.run { (running) async throws -> Void in
                try await running.put(scene.world.application(automated: nil))
                _ = try await running.controller.sync("app", SyncRequest(), actor: World.person)
                try await running.wait("the hook") { await scene.object("Job", "h") != nil }
            }
            uid = await scene.uid("Job", "h")
            #expect(await scene.object("ConfigMap", "a") == nil)
            try await scene.world.run { (running) async throws -> Void in
                try await running.wait("the attempt's end") {
                    try await running.revisions([.sync]).first?.revision.outcome == .succeeded
                }
                let row = try await running.newest()
                #expect(row.steps == ["PreSync 0 ran batch/Job demo/h", "Sync 0 created ConfigMap demo/a"])
                #expect(row.revision.resources.first?.message?.contains("earlier start") == true)
                #expect(await scene.uid("Job", "h") == uid)
                #expect(try await running.revisions([.sync]).count == 1)
            }
        }
    }

    @Test(
        "given a hook whose row was not written, when its job has gone meanwhile but for the finalizer, then it counts")
    func heldEvidence() async throws {
        try await Scene.play(timeScale: 1) { scene in
            try scene.world.commit(["a.yaml": World.configMap("a", "1"), "h.yaml": Scene.job("h", hook: "PreSync")])
            try await scene.world.run { (running) async throws -> Void in
                try await running.put(scene.world.application(automated: nil))
                _ = try await running.controller.sync("app", SyncRequest(), actor: World.person)
                try await running.wait("the hook") { await scene.object("Job", "h") != nil }
            }
            // It ends while nobody looks, and whatever cleans up after jobs deletes it.
            while await scene.object("Job", "h")?.condition("Complete") != "True" {
                try await Task.sleep(for: .milliseconds(20))
            }
            let kind = try await scene.cluster.catalog(refresh: false).served(
                GroupVersionKind(group: "batch", version: "v1", kind: "Job"))
            _ = try await scene.cluster.delete(
                kind, namespace: "demo", name: "h", DeleteOptions(propagation: .background))
            #expect(await scene.object("Job", "h") != nil, "the finalizer holds it")
            try await scene.world.run { (running) async throws -> Void in
                try await running.wait("the attempt's end") {
                    try await running.revisions([.sync]).first?.revision.outcome == .succeeded
                }
                #expect(try await running.newest().steps.first == "PreSync 0 ran batch/Job demo/h")
                try await running.wait("the job to be let go") { await scene.object("Job", "h") == nil }
            }
        }
    }

    @Test("given a hook that runs, when the sync is terminated, then the hook is deleted and the row says so")
    func terminated() async throws {
        try await Scene.play(timeScale: 20) { scene in
            try scene.world.commit(["a.yaml": World.configMap("a", "1"), "h.yaml": Scene.job("h", hook: "PreSync")])
            try await scene.world.run { (running) async throws -> Void in
                try await running.put(scene.world.application(automated: nil))
                let operation = try await running.controller.sync("app", SyncRequest(), actor: World.person)
                try await running.wait("the hook") { await scene.object("Job", "h") != nil }
                try await running.controller.terminate("app", actor: World.person)
                #expect(try await running.finish(operation).outcome == "superseded")
                let row = try await running.newest()
                #expect(row.steps == ["PreSync 0 failed batch/Job demo/h", "Sync 0 skipped ConfigMap demo/a"])
                try await running.wait("the hook to go") { await scene.object("Job", "h") == nil }
                #expect(await scene.object("ConfigMap", "a") == nil)
            }
        }
    }

    @Test("given a hook that runs, when a rollback is asked for, then it does not wait for the hook")
    func supersededByRollback() async throws {
        try await Scene.play(timeScale: 0.1) { scene in
            try scene.world.commit(["a.yaml": World.configMap("a", "1")])
            try await scene.world.run { (running) async throws -> Void in
                #expect(try await running.deploy().outcome == "succeeded")
                let first = try await running.newest().sequence
                // Its image is never there, and its time is long.
                try scene.world.commit([
                    "a.yaml": World.configMap("a", "2"), "h.yaml": Scene.failing("h", hook: "PreSync", deadline: 90_000)
                ])
                let stuck = try await running.controller.sync("app", SyncRequest(), actor: World.person)
                try await running.wait("the hook") { await scene.object("Job", "h") != nil }
                let back = try await running.rollback("app", RollbackRequest(target: .sequence(first), reason: "stuck"))
                #expect(back.outcome == "succeeded", "\(back)")
                #expect(try await running.finish(stuck).outcome == "superseded")
                try await running.wait("the hook to go") { await scene.object("Job", "h") == nil }
            }
        }
    }

    @Test("given a hook that takes too long, when the time is over, then the sync fails and the hook is deleted")
    func timeOver() async throws {
        try await Scene.play(timeScale: 20, settings: { $0.gateTimeout = 300 }) { scene in
            try scene.world.commit(["a.yaml": World.configMap("a", "1"), "h.yaml": Scene.job("h", hook: "PreSync")])
            try await scene.world.run { (running) async throws -> Void in
                #expect(try await running.deploy().outcome == "failed")
                let row = try await running.newest()
                guard case .failed(let failure) = row.revision.outcome else { return #expect(Bool(false), "\(row)") }
                #expect(failure.code == "sync.wait-over")
                #expect(row.steps == ["PreSync 0 failed batch/Job demo/h", "Sync 0 skipped ConfigMap demo/a"])
                try await running.wait("the hook to go") { await scene.object("Job", "h") == nil }
            }
        }
    }

    @Test(
        "given a hook's create whose answer is lost, when it is synced, then the hook that was made is the one waited for"
    )
    func lostAnswer() async throws {
        try await Scene.play { (scene) async throws -> Void in
            try scene.world.commit(["a.yaml": World.configMap("a", "1"), "h.yaml": Scene.job("h", hook: "PreSync")])
            await scene.sandbox.setFault(
                SandboxFault(
                    .drop, persists: true,
                    matching: { method, path in
                        method == "POST" && path.contains("/jobs") && !path.contains("dryRun")
                    }))
            try await scene.world.run { (running) async throws -> Void in
                #expect(try await running.deploy().outcome == "succeeded")
                #expect(
                    try await running.newest().steps == [
                        "PreSync 0 ran batch/Job demo/h", "Sync 0 created ConfigMap demo/a"
                    ])
            }
        }
    }

    @Test(
        "given somebody else's object under a hook's name, when it is synced, then it is left alone and the sync fails")
    func nameTaken() async throws {
        try await Scene.play { (scene) async throws -> Void in
            let template: JSON = [
                "template": [
                    "spec": ["restartPolicy": "Never", "containers": [["name": "main", "image": "busybox:1"]]]
                ]
            ]
            try await scene.make("batch/v1", "Job", "h", ["spec": template])
            let uid = await scene.uid("Job", "h")
            try scene.world.commit(["a.yaml": World.configMap("a", "1"), "h.yaml": Scene.job("h", hook: "PreSync")])
            try await scene.world.run { (running) async throws -> Void in
                #expect(try await running.deploy().outcome == "failed")
                let row = try await running.newest()
                guard case .failed(let failure) = row.revision.outcome else { return #expect(Bool(false), "\(row)") }
                #expect(failure.code == "hook.name-taken")
                #expect(await scene.uid("Job", "h") == uid)
                #expect(await scene.object("ConfigMap", "a") == nil)
            }
        }
    }

    @Test("given a retry policy, when a hook fails, then each try is a row of its own with hooks of its own")
    func retries() async throws {
        try await Scene.play { (scene) async throws -> Void in
            try scene.world.commit([
                "a.yaml": World.configMap("a", "1"), "h.yaml": Scene.failing("h", hook: "PreSync", deadline: 1)
            ])
            try await scene.world.run { (running) async throws -> Void in
                let retry = Application.Retry(limit: 2, initialMilliseconds: 50, factor: 1, maximumMilliseconds: 50)
                try await running.put(scene.world.application(automated: .init(), retry: retry))
                try await running.wait("three rows") { try await running.revisions([.sync]).count == 3 }
                let rows = try await running.revisions([.sync])
                #expect(rows.map(\.revision.retry) == [2, 1, 0])
                #expect(rows.map(\.revision.cause) == [.retry, .retry, .automated])
                #expect(Set(rows.map(\.revision.attempt)).count == 3)
                try await running.wait("it to give up") {
                    await running.controller.status(of: "app")?.conditions.contains { $0.code == "sync.exhausted" }
                        == true
                }
                #expect(try await running.revisions([.sync]).count == 3)
            }
        }
    }
}
