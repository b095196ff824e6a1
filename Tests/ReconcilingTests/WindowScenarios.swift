import Foundation
import KubernetesAPI
import LedgerStore
import Shiplog
import ShiplogTesting
import Testing

@testable import Reconciling

/// Given, when, then: sync windows on the embedded cluster.
@Suite("Sync windows of a project", .serialized)
struct WindowScenarios {
    private static func windows(_ lines: String...) -> String {
        ProjectScenarios.open + "\nsyncWindows:\n" + lines.map { "- " + $0 }.joined(separator: "\n")
    }

    private static func deny(_ more: String = "") -> String {
        "{kind: deny, schedule: '* * * * *', duration: 1h, applications: ['*']\(more)}"
    }

    /// Open from a minute ago on, for an hour.
    private static func now(_ kind: String, _ clock: Timestamp, _ more: String = "") -> String {
        let minute = clock.milliseconds / 60_000 - 1
        return "{kind: \(kind), schedule: '\(minute % 60) \(minute / 60 % 24) * * *', duration: 1h, "
            + "applications: ['*']\(more)}"
    }

    @Test("given a window that denies, when a commit comes, then it waits, says so, and is synced afterwards")
    func automated() async throws {
        try await Scene.play { (scene) async throws -> Void in
            try scene.world.commit(["a.yaml": World.configMap("a", "1")])
            try await scene.world.run { (running) async throws -> Void in
                try await running.project(Self.windows(Self.deny()))
                try await running.put(scene.world.application())
                for _ in 0..<3 { try await running.refresh() }
                let status = await running.controller.status(of: "app")
                #expect(status?.sync == .outOfSync)
                #expect(status?.conditions.map(\.code) == [.windowClosed])
                #expect(status?.conditions.first?.message.contains("a sync window denies it") == true)
                // Waiting is no failure: no attempt, no failed row, one event.
                #expect(try await running.revisions([.sync]).isEmpty)
                #expect(try await running.revisions().allSatisfy { $0.revision.outcome == .succeeded })
                #expect(try await running.ledger.events(EventQuery(kinds: [.policyRefused])).items.count == 1)
                #expect(await scene.object("ConfigMap", "a") == nil)
                try await running.project(ProjectScenarios.open)
                try await running.wait("the sync") { await scene.object("ConfigMap", "a") != nil }
            }
        }
    }

    @Test("given a window that ends, when its end comes, then the loop syncs by itself")
    func ends() async throws {
        try await Scene.play { (scene) async throws -> Void in
            try scene.world.commit(["a.yaml": World.configMap("a", "1")])
            try await scene.world.run { (running) async throws -> Void in
                try await running.project(Self.windows(Self.now("deny", scene.world.clock.now)))
                try await running.put(scene.world.application())
                try await running.refresh()
                #expect(await running.controller.status(of: "app")?.conditions.map(\.code) == [.windowClosed])
                scene.world.clock.jump(milliseconds: 2 * 3_600_000)
                try await running.refresh()
                try await running.wait("the sync") { await scene.object("ConfigMap", "a") != nil }
                #expect(await running.controller.status(of: "app")?.conditions.isEmpty == true)
            }
        }
    }

    @Test("given windows that allow and none open, when self-heal would act, then the change stays until one opens")
    func selfHeal() async throws {
        try await Scene.play { (scene) async throws -> Void in
            try scene.world.commit(["a.yaml": World.configMap("a", "1")])
            try await scene.world.run { (running) async throws -> Void in
                try await running.put(scene.world.application())
                try await running.wait("the sync") { await scene.object("ConfigMap", "a") != nil }
                try await running.wait("rest") { await running.controller.status(of: "app")?.sync == .synced }
                try await running.project(
                    Self.windows("{kind: allow, schedule: '0 0 30 2 *', duration: 1h, namespaces: [demo]}"))
                let kind = try await scene.cluster.catalog(refresh: false).served(
                    GroupVersionKind(group: "", version: "v1", kind: "ConfigMap"))
                _ = try await scene.cluster.patch(
                    kind, namespace: "demo", name: "a", .merge(["data": ["value": "by hand"]]),
                    WriteOptions(fieldManager: "kubectl-edit"))
                try await running.wait("the condition") {
                    await running.controller.status(of: "app")?.conditions.first?.code == .windowClosed
                }
                let before = try await running.revisions([.sync]).count
                for _ in 0..<3 { try await running.refresh() }
                #expect(try await running.revisions([.sync]).count == before)
                #expect(await scene.object("ConfigMap", "a")?.at("data", "value") == "by hand")
                try await running.project(ProjectScenarios.open)
                try await running.wait("the heal") {
                    await scene.object("ConfigMap", "a")?.at("data", "value") == "1"
                }
            }
        }
    }

    @Test("given a window that denies, when a person syncs, then manualSync decides")
    func manual() async throws {
        try await Scene.play { (scene) async throws -> Void in
            try scene.world.commit(["a.yaml": World.configMap("a", "1")])
            try await scene.world.run { (running) async throws -> Void in
                try await running.project(Self.windows(Self.deny()))
                let refused = try await running.deploy()
                #expect(refused.failure?.code == .windowClosed)
                #expect(refused.failure?.remedy?.contains("--override-window") == true)
                #expect(await scene.object("ConfigMap", "a") == nil)
                try await running.project(Self.windows(Self.deny(", manualSync: true")))
                #expect(try await running.sync().outcome == "succeeded")
                #expect(try await running.ledger.events(EventQuery(kinds: [.policyOverridden])).items.isEmpty)
            }
        }
    }

    @Test("given a window that denies, when a person sets it aside with a reason, then an event says who and why")
    func overridden() async throws {
        try await Scene.play { (scene) async throws -> Void in
            try scene.world.commit(["a.yaml": World.configMap("a", "1")])
            try await scene.world.run { (running) async throws -> Void in
                try await running.project(Self.windows(Self.deny()))
                try await running.put(scene.world.application(automated: nil))
                var request = SyncRequest()
                request.overridesWindow = true
                await #expect(throws: Failure.self) { try await running.sync("app", request) }
                request.reason = "the shop is down"
                #expect(try await running.sync("app", request).outcome == "succeeded")
                let event = try #require(
                    try await running.ledger.events(EventQuery(kinds: [.policyOverridden])).items.first)
                #expect(event.value.actor.name == "ada")
                #expect(event.value.facts["operation"] == "sync")
                #expect(event.value.facts["windows"]?.array?.count == 1)
                #expect(event.value.detail?["reason"] == "the shop is down")
            }
        }
    }

    @Test("given a window that denies, when a person rolls back, then it is refused at once, and goes with an override")
    func rollback() async throws {
        try await Scene.play { (scene) async throws -> Void in
            try scene.world.commit(["a.yaml": World.configMap("a", "1")])
            try await scene.world.run { (running) async throws -> Void in
                let first = try #require(try await running.deploy().revision)
                try scene.world.commit(["a.yaml": World.configMap("a", "2")])
                #expect(try await running.sync().outcome == "succeeded")
                try await running.project(Self.windows(Self.deny()))
                var request = RollbackRequest(target: .sequence(first), reason: "three in the morning")
                #expect(try await running.rollback("app", request).failure?.code == .windowClosed)
                // A plan tells it before anybody tries.
                let plan = try await running.controller.planRollback("app", request)
                #expect(plan.notes.contains { $0.contains("window.closed") })
                request.overridesWindow = true
                #expect(try await running.rollback("app", request).outcome == "succeeded")
                #expect(await scene.object("ConfigMap", "a")?.at("data", "value") == "1")
            }
        }
    }

    @Test("given a sync that runs, when a window closes, then it ends there, and the row says why")
    func closes() async throws {
        let row = try await Self.closing(Self.deny())
        #expect(row?.failure?.code == .windowClosed)
        #expect(row?.revision.resources.map(\.action.rawValue).contains("created") == false)
    }

    @Test("given a sync that runs, when a window with syncOverrun closes, then it goes on to its end")
    func overrun() async throws {
        let row = try await Self.closing(Self.deny(", syncOverrun: true"))
        #expect(row?.revision.outcome == .succeeded)
    }

    /// A sync whose hook runs when the window begins to deny.
    private static func closing(_ window: String) async throws -> StoredRevision? {
        let box = Kept<StoredRevision>()
        try await Scene.play { (scene) async throws -> Void in
            try scene.world.commit([
                "a.yaml": World.configMap("a", "1"), "h.yaml": Scene.job("migrate", hook: "PreSync")
            ])
            try await scene.world.run { (running) async throws -> Void in
                // Open when it begins: the overrun asks for that moment under the new windows.
                try await running.put(scene.world.application(automated: nil))
                let start = scene.world.clock.now
                let operation = try await running.controller.sync("app", SyncRequest(), actor: World.person)
                try await running.wait("the hook") { await scene.object("Job", "migrate") != nil }
                let minute = start.milliseconds / 60_000 + 2
                let later = window.replacingOccurrences(
                    of: "'* * * * *'", with: "'\(minute % 60) \(minute / 60 % 24) * * *'")
                try await running.project(windows(later))
                scene.world.clock.jump(milliseconds: 10 * 60_000)
                _ = try await running.finish(operation)
                await box.keep(try await running.newest())
            }
        }
        return await box.value
    }

    @Test("given an attempt that a crash left open, when its window has closed, then recovery writes nothing")
    func recovery() async throws {
        let world = try World()
        defer { world.remove() }
        try world.commit(["a.yaml": World.configMap("a", "1"), "b.yaml": World.configMap("b", "1")])
        try await world.run { (running) async throws -> Void in
            try await running.project(Self.windows(Self.now("allow", world.clock.now)))
            try await running.put(world.application(automated: nil))
            await world.cluster.fail(.apply, named: "b", .hang)
            _ = try await running.controller.sync("app", SyncRequest(), actor: World.person)
            try await running.wait("the write") { await world.cluster.hanging == 1 }
        }
        await world.cluster.clearFaults()
        world.clock.jump(milliseconds: 3 * 3_600_000)
        try await world.run { (running) async throws -> Void in
            try await running.wait("the end of the attempt") {
                try await running.revisions([.sync]).first != nil
            }
            let row = try await running.newest()
            #expect(row.failure?.code == .windowClosed)
            #expect(await running.value(of: "b") == nil)
        }
        try await world.verify()
    }

    @Test("given a window that denies, when an application is deleted with what it owns, then it goes")
    func deletion() async throws {
        try await Scene.play { (scene) async throws -> Void in
            try scene.world.commit(["a.yaml": World.configMap("a", "1")])
            try await scene.world.run { (running) async throws -> Void in
                #expect(try await running.deploy().outcome == "succeeded")
                try await running.project(Self.windows(Self.deny()))
                _ = try await running.controller.delete("app", cascade: true, actor: World.person, reason: nil)
                #expect(await scene.object("ConfigMap", "a") == nil)
            }
        }
    }

    @Test("given an attempt's window set aside, when a crash comes between, then recovery knows it")
    func overriddenRecovery() async throws {
        let world = try World()
        defer { world.remove() }
        try world.commit(["b.yaml": World.configMap("b", "1")])
        try await world.run { (running) async throws -> Void in
            try await running.project(Self.windows(Self.deny()))
            try await running.put(world.application(automated: nil))
            await world.cluster.fail(.apply, named: "b", .hang)
            var request = SyncRequest(reason: "the shop is down")
            request.overridesWindow = true
            _ = try await running.controller.sync("app", request, actor: World.person)
            try await running.wait("the write") { await world.cluster.hanging == 1 }
        }
        await world.cluster.clearFaults()
        try await world.run { (running) async throws -> Void in
            try await running.wait("the end of the attempt") {
                try await running.revisions([.sync]).first?.revision.outcome == .succeeded
            }
            #expect(await running.value(of: "b") == "1")
        }
        try await world.verify()
    }
}

private actor Kept<Value: Sendable> {
    private(set) var value: Value?
    func keep(_ new: Value) { value = new }
}
