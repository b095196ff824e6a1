import KubernetesAPI
import LedgerStore
import Shiplog
import Testing

@testable import Reconciling

/// Given, when, then: hooks on the embedded cluster.
@Suite("Hooks", .serialized)
struct HookScenarios {
    @Test("given hooks before and after, when it is synced, then each has ended before what follows it began")
    func phases() async throws {
        try await Scene.play { (scene) async throws -> Void in
            try scene.world.commit([
                "a.yaml": World.configMap("a", "1"), "pre.yaml": Scene.job("pre", hook: "PreSync"),
                "in.yaml": Scene.job("in", hook: "Sync", wave: 1), "post.yaml": Scene.job("post", hook: "PostSync"),
                "fail.yaml": Scene.job("fail", hook: "SyncFail")
            ])
            try await scene.world.run { (running) async throws -> Void in
                let operation = try await running.deploy()
                #expect(operation.outcome == "succeeded", "\(operation)")
                let row = try await running.newest()
                #expect(
                    row.steps == [
                        "PreSync 0 ran batch/Job demo/pre", "Sync 0 created ConfigMap demo/a",
                        "Sync 1 ran batch/Job demo/in", "PostSync 0 ran batch/Job demo/post"
                    ])
                #expect(row.revision.options.hooks)
                #expect(row.revision.syncStatus == .synced)
                #expect(row.revision.counts.created == 1)
                let map = try await scene.version("ConfigMap", "a")
                let post = await scene.object("Job", "post")
                #expect(post?.condition("Complete") == "True")
                #expect(
                    post?.at("metadata", "labels", "shiplog.dev/attempt")?.string
                        == row.revision.attempt.map { "\($0.value)" })
                #expect(post?.at("metadata", "labels", "shiplog.dev/hook-phase") == "PostSync")
                #expect(post?.at("metadata", "finalizers") == nil || post?.at("metadata", "finalizers") == [])
                #expect(await scene.object("Job", "fail") == nil)
                // The job's pod had ended before the map was written.
                let pre = await scene.object("Job", "pre")
                #expect(pre?.condition("Complete") == "True")
                #expect(try await scene.version("Job", "post") > map)
                // What hooks leave is no drift, and is not pruned.
                try await running.refresh()
                #expect(await running.controller.status(of: "app")?.sync == .synced)
                #expect(await running.controller.status(of: "app")?.resources.count == 1)
            }
        }
    }

    @Test("given a PreSync hook that fails, when it is synced, then nothing is applied and SyncFail runs")
    func failure() async throws {
        try await Scene.play { (scene) async throws -> Void in
            try scene.world.commit([
                "a.yaml": World.configMap("a", "1"), "pre.yaml": Scene.failing("pre", hook: "PreSync"),
                "post.yaml": Scene.job("post", hook: "PostSync"), "fail.yaml": Scene.job("fail", hook: "SyncFail")
            ])
            try await scene.world.run { (running) async throws -> Void in
                let operation = try await running.deploy()
                #expect(operation.outcome == "failed", "\(operation)")
                let row = try await running.newest()
                guard case .failed(let failure) = row.revision.outcome else { return #expect(Bool(false), "\(row)") }
                #expect(failure.code == "sync.hook-failed")
                #expect(
                    row.steps == [
                        "PreSync 0 failed batch/Job demo/pre", "Sync 0 skipped ConfigMap demo/a",
                        "PostSync 0 skipped batch/Job demo/post", "SyncFail 0 ran batch/Job demo/fail"
                    ])
                #expect(await scene.object("ConfigMap", "a") == nil)
                #expect(await scene.object("Job", "fail")?.condition("Complete") == "True")
            }
        }
    }

    @Test("given delete policies, when syncs end, then objects go or stay as they say")
    func policies() async throws {
        try await Scene.play { (scene) async throws -> Void in
            try scene.world.commit([
                "a.yaml": World.configMap("a", "1"),
                "goes.yaml": Scene.job("goes", hook: "PreSync", policy: "HookSucceeded"),
                "stays.yaml": Scene.job("stays", hook: "PreSync", policy: "HookFailed"),
                "anew.yaml": Scene.job("anew", hook: "PreSync"),
                "broken.yaml": Scene.failing("broken", hook: "PostSync", policy: "HookFailed,BeforeHookCreation")
            ])
            try await scene.world.run { (running) async throws -> Void in
                #expect(try await running.deploy().outcome == "failed")
                try await running.wait("the hook that succeeded to go") { await scene.object("Job", "goes") == nil }
                try await running.wait("the hook that failed to go") { await scene.object("Job", "broken") == nil }
                let stays = await scene.uid("Job", "stays")
                let anew = await scene.uid("Job", "anew")
                #expect(stays != nil && anew != nil)
                // Argo CD's documents: each hook goes by its own end, not by that of the whole sync.
                #expect(try await running.sync().outcome == "failed")
                #expect(await scene.uid("Job", "stays") == stays, "kept without BeforeHookCreation")
                #expect(await scene.uid("Job", "anew") != anew, "made anew")
            }
        }
    }

    @Test("given a hook without a name, when it is synced twice, then there are two, named by commit, phase and time")
    func generatedNames() async throws {
        try await Scene.play { (scene) async throws -> Void in
            let commit = try scene.world.commit([
                "a.yaml": World.configMap("a", "1"), "m.yaml": Scene.job("migrate-", hook: "PreSync", generated: true)
            ])
            try await scene.world.run { (running) async throws -> Void in
                #expect(try await running.deploy().outcome == "succeeded")
                let first = try #require(try await running.newest().revision.resources.first)
                #expect(first.key.name.hasPrefix("migrate-\(commit.short)-presync-"), "\(first.key)")
                // Names are made of seconds.
                try await Task.sleep(for: .milliseconds(1100))
                #expect(try await running.sync().outcome == "succeeded")
                let second = try #require(try await running.newest().revision.resources.first)
                #expect(second.key.name != first.key.name)
                #expect(await scene.object("Job", first.key.name) != nil)
                #expect(await scene.object("Job", second.key.name) != nil)
                #expect(await running.controller.status(of: "app")?.sync == .synced)
            }
        }
    }

    @Test("given a hook of two phases, when it is synced, then it runs in each")
    func twoPhases() async throws {
        try await Scene.play { (scene) async throws -> Void in
            try scene.world.commit([
                "a.yaml": World.configMap("a", "1"), "b.yaml": Scene.job("both", hook: "PreSync,PostSync")
            ])
            try await scene.world.run { (running) async throws -> Void in
                #expect(try await running.deploy().outcome == "succeeded")
                #expect(
                    try await running.newest().steps == [
                        "PreSync 0 ran batch/Job demo/both", "Sync 0 created ConfigMap demo/a",
                        "PostSync 0 ran batch/Job demo/both"
                    ])
                #expect(
                    await scene.object("Job", "both")?.at("metadata", "labels", "shiplog.dev/hook-phase") == "PostSync")
            }
        }
    }

    @Test("given a Pod as a hook, when it is synced, then it is waited for until its phase is Succeeded")
    func pod() async throws {
        try await Scene.play { (scene) async throws -> Void in
            let pod = """
                apiVersion: v1
                kind: Pod
                metadata: {name: p, annotations: {argocd.argoproj.io/hook: PreSync}}
                spec: {restartPolicy: Never, containers: [{name: main, image: 'busybox:1'}]}

                """
            try scene.world.commit(["a.yaml": World.configMap("a", "1"), "p.yaml": pod])
            try await scene.world.run { (running) async throws -> Void in
                #expect(try await running.deploy().outcome == "succeeded")
                #expect(await scene.object("Pod", "p")?.at("status", "phase") == "Succeeded")
                #expect(try await running.newest().steps.first == "PreSync 0 ran Pod demo/p")
            }
        }
    }

    @Test("given automated sync, when drift is healed, then no hook runs; a new commit runs them")
    func selfHeal() async throws {
        try await Scene.play { (scene) async throws -> Void in
            try scene.world.commit(["a.yaml": World.configMap("a", "1"), "h.yaml": Scene.job("h", hook: "PreSync")])
            try await scene.world.run { (running) async throws -> Void in
                try await running.put(scene.world.application())
                try await running.wait("the first sync") {
                    try await running.revisions([.sync]).first?.revision.outcome == .succeeded
                }
                let uid = await scene.uid("Job", "h")
                #expect(uid != nil)
                let kind = try await scene.cluster.catalog(refresh: false).served(
                    GroupVersionKind(group: "", version: "v1", kind: "ConfigMap"))
                _ = try await scene.cluster.patch(
                    kind, namespace: "demo", name: "a", .merge(["data": ["value": "edited"]]),
                    WriteOptions(fieldManager: "kubectl-edit"))
                try await running.wait("the heal") {
                    try await running.revisions([.sync]).first?.revision.cause == .selfHeal
                }
                let row = try await running.newest()
                #expect(row.steps == ["Sync 0 updated ConfigMap demo/a"])
                #expect(!row.revision.options.hooks)
                #expect(await scene.uid("Job", "h") == uid)
                try scene.world.commit(["a.yaml": World.configMap("a", "2")])
                try await running.refresh()
                try await running.wait("the second deployment") { await scene.uid("Job", "h") != uid }
            }
        }
    }

    @Test("given a deployed history, when it is rolled back, then hooks run only where they are asked for")
    func rollback() async throws {
        try await Scene.play { (scene) async throws -> Void in
            try scene.world.commit(["a.yaml": World.configMap("a", "1"), "h.yaml": Scene.job("h", hook: "PreSync")])
            try await scene.world.run { (running) async throws -> Void in
                #expect(try await running.deploy().outcome == "succeeded")
                let first = try await running.newest().sequence
                try scene.world.commit(["a.yaml": World.configMap("a", "2")])
                #expect(try await running.sync().outcome == "succeeded")
                let uid = await scene.uid("Job", "h")
                let plain = RollbackRequest(target: .sequence(first), reason: "back")
                #expect(try await running.rollback("app", plain).outcome == "succeeded")
                #expect(try await running.newest().steps == ["Sync 0 updated ConfigMap demo/a"])
                #expect(await scene.uid("Job", "h") == uid)
                var asked = plain
                asked.hooks = true
                #expect(try await running.rollback("app", asked).outcome == "succeeded")
                #expect(
                    try await running.newest().steps == [
                        "PreSync 0 ran batch/Job demo/h", "Sync 0 unchanged ConfigMap demo/a"
                    ])
                #expect(await scene.uid("Job", "h") != uid)
            }
        }
    }

    @Test("given an application that says so, when it is rolled back, then the target's hooks run")
    func rollbackByAnnotation() async throws {
        try await Scene.play { (scene) async throws -> Void in
            try scene.world.commit(["a.yaml": World.configMap("a", "1"), "h.yaml": Scene.job("h", hook: "PostSync")])
            try await scene.world.run { (running) async throws -> Void in
                var application = scene.world.application(automated: nil)
                application.annotations[Application.rollbackHooksAnnotation] = "true"
                try await running.put(application)
                #expect(try await running.sync().outcome == "succeeded")
                let first = try await running.newest().sequence
                try scene.world.commit(["a.yaml": World.configMap("a", "2"), "h.yaml": nil])
                #expect(try await running.sync().outcome == "succeeded")
                let back = RollbackRequest(target: .sequence(first), reason: "back")
                #expect(try await running.rollback("app", back).outcome == "succeeded")
                #expect(try await running.newest().steps.last == "PostSync 0 ran batch/Job demo/h")
            }
        }
    }
}

extension JSON {
    /// The status of a condition.
    func condition(_ type: String) -> String? {
        at("status", "conditions")?.array?.first { $0["type"]?.string == type }?["status"]?.string
    }
}
