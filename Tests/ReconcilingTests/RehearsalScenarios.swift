import KubernetesAPI
import LedgerStore
import Shiplog
import ShiplogTesting
import Testing

@testable import Reconciling

/// Given, when, then: the dry run of everything before the first write.
@Suite("The dry run before a sync", .serialized)
struct RehearsalScenarios {
    private static func deployment(_ name: String, label: String) -> String {
        """
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: \(name)}
        spec:
          selector: {matchLabels: {app: \(name)}}
          template:
            metadata: {labels: {app: \(label)}}
            spec: {containers: [{name: web, image: 'web:1'}]}

        """
    }

    private static let denied = Failure(
        .clusterForbidden, "admission webhook \"policy.example.com\" denied the request")

    @Test("given one object that the server refuses, when it is synced, then nothing at all is written")
    func invalid() async throws {
        try await Scene.play { (scene) async throws -> Void in
            try scene.world.commit([
                "a.yaml": World.configMap("a", "1"), "pre.yaml": Scene.job("pre", hook: "PreSync"),
                "fail.yaml": Scene.job("fail", hook: "SyncFail"), "web.yaml": Self.deployment("web", label: "other")
            ])
            try await scene.world.run { (running) async throws -> Void in
                #expect(try await running.deploy().outcome == "failed")
                let row = try await running.newest()
                #expect(
                    row.steps == [
                        "PreSync 0 skipped batch/Job demo/pre", "Sync 0 skipped ConfigMap demo/a",
                        "Sync 0 failed apps/Deployment demo/web"
                    ])
                guard case .failed(let failure) = row.revision.outcome else { return #expect(Bool(false), "\(row)") }
                #expect(failure.code == .clusterInvalid && failure.message.contains("nothing was written"))
                #expect(row.revision.resources.last?.code == .clusterInvalid)
                #expect(row.revision.counts.failed == 1 && row.revision.counts.created == 0)
                for (kind, name) in [("ConfigMap", "a"), ("Job", "pre"), ("Job", "fail"), ("Deployment", "web")] {
                    #expect(await scene.object(kind, name) == nil, "\(kind) \(name)")
                }
                // Mended, it goes through.
                try scene.world.commit(["web.yaml": Self.deployment("web", label: "web"), "fail.yaml": nil])
                #expect(try await running.sync().outcome == "succeeded")
            }
        }
    }

    @Test("given an invalid hook of PostSync, when it is synced, then it is known before anything is written")
    func hook() async throws {
        try await Scene.play { (scene) async throws -> Void in
            let broken = """
                apiVersion: apps/v1
                kind: Deployment
                metadata: {name: post, annotations: {argocd.argoproj.io/hook: PostSync}}
                spec:
                  selector: {matchLabels: {app: post}}
                  template: {metadata: {labels: {app: no}}, spec: {containers: [{name: web, image: 'web:1'}]}}

                """
            try scene.world.commit(["a.yaml": World.configMap("a", "1"), "post.yaml": broken])
            try await scene.world.run { (running) async throws -> Void in
                #expect(try await running.deploy().outcome == "failed")
                #expect(
                    try await running.newest().steps == [
                        "Sync 0 skipped ConfigMap demo/a", "PostSync 0 failed apps/Deployment demo/post"
                    ])
                #expect(await scene.object("ConfigMap", "a") == nil)
            }
        }
    }

    @Test("given a namespace among the manifests, when what is in it is rehearsed, then its absence is no refusal")
    func namespace() async throws {
        try await Scene.play { (scene) async throws -> Void in
            let inside = """
                apiVersion: v1
                kind: Namespace
                metadata: {name: fresh}
                ---
                apiVersion: v1
                kind: ConfigMap
                metadata: {name: inside, namespace: fresh}
                ---
                apiVersion: v1
                kind: Secret
                metadata: {name: inside, namespace: fresh}
                stringData: {password: hunter2}

                """
            try scene.world.commit(["all.yaml": inside])
            try await scene.world.run { (running) async throws -> Void in
                #expect(try await running.deploy().outcome == "succeeded")
                #expect(await scene.object("Secret", "inside", namespace: "fresh") != nil)
            }
        }
    }

    @Test("given a namespace that nobody makes, when it is synced, then that is known before anything is written")
    func noNamespace() async throws {
        try await Scene.play { (scene) async throws -> Void in
            let elsewhere = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b, namespace: nowhere}\n"
            try scene.world.commit(["a.yaml": World.configMap("a", "1"), "b.yaml": elsewhere])
            try await scene.world.run { (running) async throws -> Void in
                #expect(try await running.deploy().outcome == "failed")
                #expect(
                    try await running.newest().steps == [
                        "Sync 0 skipped ConfigMap demo/a", "Sync 0 failed ConfigMap nowhere/b"
                    ])
                #expect(await scene.object("ConfigMap", "a") == nil)
            }
        }
    }

    @Test(
        "given a webhook that denies, when it is synced by itself, then nothing is written and it is not tried for ever"
    )
    func denied() async throws {
        let world = try World()
        defer { world.remove() }
        try world.commit(["a.yaml": World.configMap("a", "1"), "b.yaml": World.configMap("b", "1")])
        try await world.run { running in
            await world.cluster.fail(.dryRun, named: "b", .failedNotPersisted(Self.denied))
            try await running.put(world.application())
            try await running.wait("the failed sync") { try await running.revisions([.sync]).count == 1 }
            let row = try await running.newest()
            #expect(row.steps == ["Sync 0 skipped ConfigMap demo/a", "Sync 0 failed ConfigMap demo/b"])
            #expect(row.revision.retry == 0)
            try await running.refresh()
            let writes = await world.cluster.writes
            #expect(!writes.contains { $0.hasPrefix("apply") })
            #expect(try await running.revisions([.sync]).count == 1, "a person has to mend it")
            let conditions = await running.controller.status(of: "app")?.conditions.map(\.code) ?? []
            #expect(conditions.contains("sync.exhausted"), "\(conditions)")
        }
        try await world.verify()
    }

    @Test("given a server that is busy during the dry run, when it is synced by itself, then the next try does it all")
    func busy() async throws {
        let world = try World()
        defer { world.remove() }
        try world.commit(["a.yaml": World.configMap("a", "1"), "b.yaml": World.configMap("b", "1")])
        try await world.run { running in
            let busy = Failure(.clusterBusy, "429", next: .retry(afterMilliseconds: nil))
            await world.cluster.fail(.dryRun, named: "a", .failedNotPersisted(busy))
            let retry = Application.Retry(limit: 3, initialMilliseconds: 20)
            try await running.put(world.application(retry: retry))
            try await running.wait("the second try") {
                try await running.revisions([.sync]).first?.revision.outcome == .succeeded
            }
            let rows = try await running.revisions([.sync])
            #expect(rows.map(\.revision.retry) == [1, 0])
            #expect(rows.last?.steps == ["Sync 0 failed ConfigMap demo/a", "Sync 0 skipped ConfigMap demo/b"])
        }
        try await world.verify()
    }

    @Test("given a webhook with side effects, when it refuses the dry run, then the object is applied and it is told")
    func sideEffects() async throws {
        let world = try World()
        defer { world.remove() }
        try world.commit(["a.yaml": World.configMap("a", "1")])
        try await world.run { running in
            let refused = Failure(
                .clusterDryRunUnsupported, "admission webhook \"audit.example.com\" does not support dry run")
            await world.cluster.fail(.dryRun, named: "a", .failedNotPersisted(refused))
            #expect(try await running.deploy().outcome == "succeeded")
            let row = try await running.newest()
            #expect(row.steps == ["Sync 0 created ConfigMap demo/a"])
            #expect(row.revision.warnings.contains { $0.contains("without a dry run") }, "\(row.revision.warnings)")
        }
        try await world.verify()
    }

    @Test("given Validate=false, when it is synced, then the object is not rehearsed")
    func unvalidated() async throws {
        let world = try World()
        defer { world.remove() }
        let option = "\n  annotations: {argocd.argoproj.io/sync-options: \"Validate=false\"}"
        try world.commit(["a.yaml": World.configMap("a", "1", annotations: option), "b.yaml": World.configMap("b", "1")]
        )
        try await world.run { running in
            await world.cluster.fail(.dryRun, named: "a", .failedNotPersisted(Self.denied))
            let row = try await running.deploy()
            #expect(row.outcome == "succeeded")
            #expect(await world.cluster.calls[.dryRun] == 1, "b alone")
        }
        try await world.verify()
    }

    @Test(
        "when a sync is only planned, then the server's verdict stands in the plan and nothing is written or recorded")
    func planned() async throws {
        try await Scene.play { (scene) async throws -> Void in
            try scene.world.commit([
                "a.yaml": World.configMap("a", "1"), "web.yaml": Self.deployment("web", label: "no")
            ])
            try await scene.world.run { (running) async throws -> Void in
                try await running.put(scene.world.application(automated: nil))
                let plan = try await running.controller.planSync("app", SyncRequest(dryRun: true)).plan
                #expect(plan.blockers.map(\.code) == [.clusterInvalid])
                #expect(plan.counts.create == 1 && plan.counts.cannot == 1)
                #expect(await scene.object("ConfigMap", "a") == nil)
                #expect(try await running.revisions([.sync]).isEmpty)
            }
        }
    }
}
