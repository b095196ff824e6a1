import LedgerStore
import Shiplog
import ShiplogTesting
import Testing

@testable import Reconciling

@Suite("The loop")
struct LoopTests {
    @Test("a commit becomes a deployment and a row")
    func commitBecomesDeployment() async throws {
        let world = try World()
        defer { world.remove() }
        let commit = try world.commit(["a.yaml": World.configMap("a", "1")], message: "first")
        try await world.run { running in
            try await running.put(world.application())
            try await running.wait("the object") { await running.value(of: "a") == "1" }
            try await running.wait("a synced status") { await running.controller.status(of: "app")?.sync == .synced }
            let sync = try #require(try await running.revisions([.sync]).first?.revision)
            #expect(sync.outcome == .succeeded)
            #expect(sync.cause == .automated)
            #expect(sync.source?.commit.id == commit)
            #expect(sync.source?.commit.subject == "first")
            #expect(sync.counts.created == 1)
            let live = try #require(await world.cluster.object(running.key("a")))
            let uid = try #require(await running.controller.status(of: "app")?.registered.uid)
            #expect(Ownership.of(live, for: uid) == .ours)
        }
        try await world.verify()
    }

    @Test("an unchanged application costs no call to the cluster and one small row")
    func unchangedIsCheap() async throws {
        let world = try World()
        defer { world.remove() }
        try world.commit(["a.yaml": World.configMap("a", "1")])
        try await world.run { running in
            try await running.put(world.application())
            try await running.wait("a synced status") { await running.controller.status(of: "app")?.sync == .synced }
            try await running.refresh()
            try await running.refresh()
            await world.cluster.resetCounts()
            let before = try await running.revisions().count
            let operation = try await running.refresh()
            let calls = await world.cluster.calls.filter { $0.key != .watch }
            #expect(calls.isEmpty, "\(calls)")
            #expect(try await running.revisions().count == before + 1)
            let sequence = try #require(operation.revision)
            let bytes = try #require(try await running.ledger.entry(sequence))
            #expect(bytes.count < 320, "\(String(decoding: bytes, as: UTF8.self))")
        }
        try await world.verify()
    }

    @Test("what leaves Git is pruned when the policy says so, and only what is ours")
    func prune() async throws {
        let world = try World()
        defer { world.remove() }
        try world.commit(["a.yaml": World.configMap("a", "1"), "b.yaml": World.configMap("b", "1")])
        try await world.run { running in
            try await running.put(world.application())
            try await running.wait("both objects") {
                let a = await running.value(of: "a")
                let b = await running.value(of: "b")
                return a != nil && b != nil
            }
            await world.cluster.put(
                try Resource([
                    "apiVersion": "v1", "kind": "ConfigMap", "metadata": ["name": "foreign", "namespace": "demo"]
                ]))
            try world.commit(["b.yaml": nil])
            try await running.refresh()
            try await running.wait("the prune") { await running.value(of: "b") == nil }
            #expect(await world.cluster.object(running.key("foreign")) != nil)
            #expect(await running.value(of: "a") == "1")
        }
        try await world.verify()
    }

    @Test("a file that held a manifest and holds none any more leads to no prune, until it is removed")
    func mistyped() async throws {
        let world = try World()
        defer { world.remove() }
        try world.commit(["a.yaml": World.configMap("a", "1"), "b.yaml": World.configMap("b", "1")])
        try await world.run { running in
            try await running.put(world.application())
            try await running.wait("both objects") {
                let a = await running.value(of: "a")
                let b = await running.value(of: "b")
                return a != nil && b != nil
            }
            for text in ["hello world\n", "data: {v: '1'}\n", "Kind: ConfigMap\napiVersion: v1\nmetadata: {name: b}\n"]
            {
                try world.commit(["a.yaml": World.configMap("a", text.contains("hello") ? "2" : "3"), "b.yaml": text])
                try await running.refresh()
                #expect(await running.value(of: "b") == "1", "\(text)")
                #expect(await running.value(of: "a") == "1", "\(text)")
            }
            try world.commit(["b.yaml": nil])
            try await running.refresh()
            try await running.wait("the prune") { await running.value(of: "b") == nil }
            #expect(await running.value(of: "a") == "3")
        }
        try await world.verify()
    }

    @Test("with rights in one namespace only, that one is listed and watched, and others stay unknown")
    func namespacedRights() async throws {
        let world = try World()
        defer { world.remove() }
        try world.commit(["a.yaml": World.configMap("a", "1"), "b.yaml": World.configMap("b", "1")])
        await world.cluster.allowListing(in: ["demo"])
        try await world.run { running in
            try await running.put(world.application())
            try await running.wait("a synced status") { await running.controller.status(of: "app")?.sync == .synced }
            // The watch is there too: an edit is healed without anybody asking.
            await world.cluster.edit(running.key("a")) { $0.set("edited", at: "data", "value") }
            try await running.wait("the heal") { await running.value(of: "a") == "1" }
            try world.commit(["b.yaml": nil])
            try await running.refresh()
            try await running.wait("the prune") { await running.value(of: "b") == nil }
            // Somebody else's namespace is not readable: unknown, and nothing is applied there.
            var other = world.application("other")
            other.destination.namespace = "elsewhere"
            try await running.put(other)
            try await running.wait("unknown") {
                await running.controller.status(of: "other")?.conditions.first?.code == .clusterForbidden
            }
            #expect(await running.controller.status(of: "other")?.sync == .unknown)
            let there = ResourceKey(group: "", kind: "ConfigMap", namespace: "elsewhere", name: "a")
            #expect(await world.cluster.object(there) == nil)
            try await running.wait("the first application, synced as before") {
                await running.controller.status(of: "app")?.sync == .synced
            }
        }
        try await world.verify()
    }

    @Test("automated sync that gave up tries again when the application is changed")
    func rearmed() async throws {
        let world = try World()
        defer { world.remove() }
        try world.commit(["a.yaml": World.configMap("a", "1")])
        let never = Application.Retry(limit: 0, initialMilliseconds: 10, factor: 1, maximumMilliseconds: 10)
        try await world.run { running in
            await world.cluster.fail(
                .apply, named: "a", .failedNotPersisted(Failure("cluster.not-found", "no namespace")))
            try await running.put(world.application(retry: never))
            try await running.wait("giving up") {
                await running.controller.status(of: "app")?.conditions.contains { $0.code == "sync.exhausted" } == true
            }
            var changed = world.application(retry: never)
            changed.syncPolicy.options.createNamespace = true
            try await running.put(changed)
            try await running.wait("the sync") { await running.value(of: "a") == "1" }
        }
        try await world.verify()
    }

    @Test("a first listing that takes long says how far it has come, and is silent when it is done")
    func progress() async throws {
        let world = try World()
        defer { world.remove() }
        try world.commit(["a.yaml": World.configMap("a", "1")])
        await world.cluster.fail(.list, .hang)
        try await world.run { running in
            try await running.put(world.application())
            try await running.wait("the progress") {
                await running.controller.status(of: "app")?.progress == "listing the cluster: 0 of 1 kinds"
            }
            await world.cluster.release()
            try await running.wait("a synced status") { await running.controller.status(of: "app")?.sync == .synced }
            try await running.wait("silence") { await running.controller.status(of: "app")?.progress == nil }
        }
        try await world.verify()
    }

    @Test("a listing that fails never leads to a prune")
    func unknownIsNotAbsent() async throws {
        let world = try World()
        defer { world.remove() }
        try world.commit(["a.yaml": World.configMap("a", "1"), "b.yaml": World.configMap("b", "1")])
        try await world.run { running in
            try await running.put(world.application())
            try await running.wait("a synced status") { await running.controller.status(of: "app")?.sync == .synced }
        }
        try world.commit(["b.yaml": nil])
        let down = Failure(.clusterForbidden, "no listing for you")
        for _ in 0..<50 { await world.cluster.fail(.list, .failedNotPersisted(down)) }
        try await world.run { running in
            try await running.refresh()
            #expect(await running.controller.status(of: "app")?.sync == .unknown)
            #expect(await world.cluster.object(running.key("b")) != nil)
            let newest = try #require(try await running.revisions().first?.revision)
            #expect(newest.syncStatus == .unknown)
        }
        try await world.verify()
    }

    @Test("a commit that leaves nothing does not wipe everything")
    func emptyIsRefused() async throws {
        let world = try World()
        defer { world.remove() }
        try world.commit(["a.yaml": World.configMap("a", "1")])
        try await world.run { running in
            try await running.put(world.application())
            try await running.wait("the object") { await running.value(of: "a") == "1" }
            try world.commit(["a.yaml": nil, "README.md": "nothing here"])
            try await running.refresh()
            #expect(await running.value(of: "a") == "1")
            let conditions = await running.controller.status(of: "app")?.conditions.map(\.code)
            #expect(conditions?.contains("plan.would-remove-everything") == true, "\(conditions ?? [])")
        }
        try await world.verify()
    }

    @Test("a hand edit is healed, and the row says that it was drift")
    func selfHeal() async throws {
        let world = try World()
        defer { world.remove() }
        try world.commit(["a.yaml": World.configMap("a", "1")])
        try await world.run { running in
            try await running.put(world.application())
            try await running.wait("a synced status") { await running.controller.status(of: "app")?.sync == .synced }
            await world.cluster.edit(running.key("a")) { $0.set("edited", at: "data", "value") }
            try await running.wait("the heal") { await running.value(of: "a") == "1" }
            try await running.wait("the row") {
                try await running.revisions([.sync]).first?.revision.cause == .selfHeal
            }
        }
        try await world.verify()
    }

    @Test("without self-heal a hand edit stays and is told")
    func driftWithoutSelfHeal() async throws {
        let world = try World()
        defer { world.remove() }
        try world.commit(["a.yaml": World.configMap("a", "1")])
        try await world.run { running in
            try await running.put(world.application(automated: .init(prune: true, selfHeal: false)))
            try await running.wait("a synced status") { await running.controller.status(of: "app")?.sync == .synced }
            await world.cluster.edit(running.key("a")) { $0.set("edited", at: "data", "value") }
            try await running.wait("the drift") { await running.controller.status(of: "app")?.sync == .outOfSync }
            try await running.refresh()
            #expect(await running.value(of: "a") == "edited")
            let findings = try #require(try await running.revisions([.reconcile]).first { $0.revision.sameAs == nil })
            #expect(findings.revision.syncStatus == .outOfSync)
        }
        try await world.verify()
    }

    @Test("a transient failure is retried, each try its own row")
    func retry() async throws {
        let world = try World()
        defer { world.remove() }
        try world.commit(["a.yaml": World.configMap("a", "1")])
        let busy = Failure(.clusterBusy, "too many requests", next: .retry(afterMilliseconds: nil))
        await world.cluster.fail(.apply, .failedNotPersisted(busy))
        await world.cluster.fail(.apply, .failedNotPersisted(busy))
        try await world.run { running in
            try await running.put(
                world.application(
                    retry: .init(limit: 5, initialMilliseconds: 10, factor: 2, maximumMilliseconds: 100)))
            try await running.wait("the object") { await running.value(of: "a") == "1" }
            try await running.wait("three rows") { try await running.revisions([.sync]).count == 3 }
            let rows = try await running.revisions([.sync]).map(\.revision)
            #expect(rows.map(\.outcome.word) == ["succeeded", "failed", "failed"])
            #expect(rows.map(\.cause) == [.retry, .retry, .automated])
            #expect(rows.map(\.retry) == [2, 1, 0])
        }
        try await world.verify()
    }

    @Test("retries end at their limit and the application says so")
    func retryLimit() async throws {
        let world = try World()
        defer { world.remove() }
        try world.commit(["a.yaml": World.configMap("a", "1")])
        let busy = Failure(.clusterBusy, "too many requests", next: .retry(afterMilliseconds: nil))
        for _ in 0..<20 { await world.cluster.fail(.apply, .failedNotPersisted(busy)) }
        try await world.run { running in
            try await running.put(
                world.application(retry: .init(limit: 2, initialMilliseconds: 5, factor: 1, maximumMilliseconds: 5)))
            try await running.wait("the end of the tries") {
                await running.controller.status(of: "app")?.conditions.contains { $0.code == "sync.exhausted" } == true
            }
            #expect(try await running.revisions([.sync]).count == 3)
        }
        try await world.verify()
    }

    @Test("a manual application waits for a person")
    func manual() async throws {
        let world = try World()
        defer { world.remove() }
        try world.commit(["a.yaml": World.configMap("a", "1")])
        try await world.run { running in
            try await running.put(world.application(automated: nil))
            try await running.wait("the comparison") { await running.controller.status(of: "app")?.sync == .outOfSync }
            #expect(await running.value(of: "a") == nil)
            let plan = try await running.controller.planSync("app", SyncRequest())
            #expect(plan.plan.hasChanges)
            let operation = try await running.sync("app", SyncRequest(reason: "go", ticket: "T-1"))
            #expect(operation.outcome == "succeeded", "\(operation)")
            #expect(await running.value(of: "a") == "1")
            let row = try #require(try await running.revisions([.sync]).first?.revision)
            #expect(row.actor.name == "ada")
            #expect(row.reason == "go")
            #expect(row.ticket == "T-1")
        }
        try await world.verify()
    }

    @Test("a clock that jumps back does not turn the log around")
    func clockJump() async throws {
        let world = try World()
        defer { world.remove() }
        try world.commit(["a.yaml": World.configMap("a", "1")])
        try await world.run { running in
            try await running.put(world.application())
            try await running.wait("a synced status") { await running.controller.status(of: "app")?.sync == .synced }
            world.clock.jump(milliseconds: -3_600_000)
            try await running.refresh()
            try await running.refresh()
            let times = try await running.revisions().map(\.recordedAt)
            #expect(times == times.sorted(by: >))
        }
        try await world.verify()
    }

    @Test("another cluster behind the same address is left alone until a person accepts it")
    func clusterChanged() async throws {
        let world = try World()
        defer { world.remove() }
        try world.commit(["a.yaml": World.configMap("a", "1")])
        try await world.run { running in
            try await running.put(world.application())
            try await running.wait("a synced status") { await running.controller.status(of: "app")?.sync == .synced }
        }
        await world.cluster.become("cluster-2")
        try world.commit(["a.yaml": World.configMap("a", "2")])
        try await world.run { running in
            try await running.refresh()
            #expect(await running.value(of: "a") == "1")
            #expect(await running.controller.status(of: "app")?.conditions.first?.code == .clusterChanged)
            _ = try await running.controller.acceptCluster("app", actor: World.person)
            try await running.wait("the sync") { await running.value(of: "a") == "2" }
        }
        try await world.verify()
    }

    @Test("a broken manifest is a failed row that names file and line")
    func brokenManifest() async throws {
        let world = try World()
        defer { world.remove() }
        try world.commit(["a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a\n"])
        try await world.run { running in
            try await running.put(world.application())
            try await running.wait("the row") { try await !running.revisions().isEmpty }
            guard case .failed(let failure)? = try await running.revisions().last?.revision.outcome else {
                Issue.record("no failure recorded")
                return
            }
            #expect(failure.code == "manifest.yaml-invalid")
            #expect(failure.message.contains("app/a.yaml:"))
        }
        try await world.verify()
    }
}
