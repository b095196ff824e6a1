import Foundation
import LedgerStore
import Shiplog
import ShiplogTesting
import Testing

@testable import Reconciling

/// Given, when, then: a new commit that does not become Healthy, on the embedded cluster.
@Suite("Automatic rollback", .serialized)
struct TakingBackScenarios {
    private static let broken = "example.com/web:does-not-exist"
    private static let waiting = """
        apiVersion: v1
        kind: Service
        metadata: {name: web}
        spec: {type: LoadBalancer, ports: [{port: 80}]}

        """

    private func application(_ world: World, after: String = "2s", onDegraded: Bool = false) -> Application {
        var application = world.application()
        application.annotations[AutomaticRollback.annotation] = after
        if onDegraded { application.annotations[AutomaticRollback.degradedAnnotation] = "true" }
        return application
    }

    /// Version 1 is deployed and Healthy.
    private func deployed(_ running: Running, _ application: Application, hook: String? = nil) async throws {
        try running.world.commit(["d.yaml": Scene.deployment("web")], message: "one")
        if let hook { try running.world.commit(["h.yaml": hook], message: "a hook") }
        try await running.put(application)
        try await healthy(running)
    }

    private func healthy(_ running: Running) async throws {
        try await running.wait("health") {
            guard let newest = try await running.revisions([.sync, .rollback]).first else { return false }
            let reached = try await running.ledger.events(
                EventQuery(kinds: [.healthReached], revision: newest.sequence))
            return reached.items.contains { $0.event.outcome == "Healthy" }
        }
    }

    private func rollback(_ running: Running) async throws -> StoredRevision {
        try await running.wait("the rollback") { try await !running.revisions([.rollback]).isEmpty }
        return try #require(try await running.revisions([.rollback]).first)
    }

    private func image(_ scene: Scene) async -> String? {
        await scene.object("Deployment", "web")?.at("spec", "template", "spec", "containers")?.array?.first?["image"]?
            .string
    }

    @Test("given a good version, when the next one does not become Healthy in time, then it is taken back and pinned")
    func inTime() async throws {
        try await Scene.play { (scene) async throws -> Void in
            try await scene.world.run { (running) async throws -> Void in
                try await deployed(running, application(scene.world), hook: Scene.job("h", hook: "PreSync"))
                let good = try await running.newest()
                try scene.world.commit(["d.yaml": Scene.deployment("web", image: Self.broken)], message: "broken")
                try await running.refresh()
                let row = try await rollback(running)
                let bad = try #require(
                    try await running.revisions([.sync]).first { $0.revision.source?.commit.subject == "broken" })
                #expect(row.revision.outcome == .succeeded)
                #expect(row.revision.cause == .unhealthy)
                #expect(row.revision.actor == .controller)
                #expect(row.revision.options.reactsTo == bad.sequence)
                #expect(row.revision.rolledBackTo == good.sequence)
                #expect(
                    row.revision.reason?.contains("did not become Healthy within 2s") == true,
                    "\(row.revision.reason ?? "")")
                #expect(
                    row.revision.finishedAt.milliseconds - bad.revision.finishedAt.milliseconds >= 2000,
                    "it was given its time")
                #expect(await image(scene) == "web:1")
                #expect(!row.steps.contains { $0.contains("Job") }, "no hook runs: \(row.steps)")
                let pin = try #require(try await running.ledger.application(named: "app")?.pin)
                #expect(pin.hold == .untilNewCommit)
                try await healthy(running)
                // It stays: an unrelated commit lets nothing go, and the loop does not swing.
                try scene.world.commit(["/elsewhere.txt": "not ours"], message: "unrelated")
                for _ in 0..<3 { try await running.refresh() }
                #expect(try await running.newest().sequence == row.sequence)
                try scene.world.commit(["d.yaml": Scene.deployment("web", image: "web:3")], message: "the fix")
                try await running.refresh()
                try await running.wait("the fix") { await image(scene) == "web:3" }
                #expect(try await running.ledger.application(named: "app")?.pin == nil)
                try await healthy(running)
                #expect(try await running.revisions([.rollback]).count == 1)
            }
        }
    }

    @Test("given an application that says so, when the new version is Degraded, then it is not waited for")
    func degraded() async throws {
        try await Scene.play { (scene) async throws -> Void in
            try await scene.world.run { (running) async throws -> Void in
                try await deployed(running, application(scene.world, after: "1h", onDegraded: true))
                try scene.world.commit(["d.yaml": Scene.deployment("web", image: Self.broken)], message: "broken")
                try await running.refresh()
                let row = try await rollback(running)
                #expect(row.revision.reason?.contains("is Degraded") == true, "\(row.revision.reason ?? "")")
                try await running.wait("the old version") { await image(scene) == "web:1" }
            }
        }
    }

    @Test("given nothing good before, when the first version does not become Healthy, then that is told once")
    func nothingGood() async throws {
        try await Scene.play { (scene) async throws -> Void in
            try scene.world.commit(["d.yaml": Scene.deployment("web", image: Self.broken)], message: "broken")
            let told = { (running: Running) async throws -> [Event] in
                try await running.ledger.events(EventQuery(kinds: [.rollbackWithheld])).items.map(\.event)
            }
            try await scene.world.run { (running) async throws -> Void in
                try await running.put(application(scene.world, after: "1s"))
                try await running.wait("the event") { try await !told(running).isEmpty }
                let event = try #require(try await told(running).first)
                #expect(event.facts["code"]?.string == "rollback.no-target")
                #expect(event.revision == (try await running.newest().sequence))
                try await running.wait("the condition") {
                    await running.controller.status(of: "app")?.conditions
                        .contains { $0.code == "rollback.impossible" } == true
                }
                for _ in 0..<3 { try await running.refresh() }
                #expect(try await told(running).count == 1)
            }
            try await scene.world.run { (running) async throws -> Void in
                try await running.refresh()
                try await running.refresh()
                #expect(try await told(running).count == 1, "a restart does not tell it again")
                #expect(try await running.revisions([.rollback]).isEmpty)
            }
        }
    }

    @Test("given a server that stops while it waits, when it starts after the time is over, then it takes back at once")
    func acrossRestart() async throws {
        try await Scene.play { (scene) async throws -> Void in
            try await scene.world.run { (running) async throws -> Void in
                try await deployed(running, application(scene.world, after: "1h"))
                try scene.world.commit(["d.yaml": Scene.deployment("web", image: Self.broken)], message: "broken")
                try await running.refresh()
                try await running.wait("the sync") {
                    try await running.newest().revision.source?.commit.subject == "broken"
                }
                try await running.refresh()
                #expect(try await running.revisions([.rollback]).isEmpty)
            }
            scene.world.clock.jump(milliseconds: 3_600_000)
            try await scene.world.run { (running) async throws -> Void in
                let row = try await rollback(running)
                #expect(row.revision.reason?.contains("within 1h") == true, "\(row.revision.reason ?? "")")
                try await running.wait("the old version") { await image(scene) == "web:1" }
            }
        }
    }

    @Test("given a sync by hand, when it does not become Healthy, then whoever asked for it looks after it")
    func byHand() async throws {
        try await Scene.play { (scene) async throws -> Void in
            try await scene.world.run { (running) async throws -> Void in
                var application = application(scene.world, after: "1s")
                application.syncPolicy.automated = nil
                try scene.world.commit(["d.yaml": Scene.deployment("web")], message: "one")
                try await running.put(application)
                #expect(try await running.sync().outcome == "succeeded")
                try await healthy(running)
                try scene.world.commit(["d.yaml": Scene.deployment("web", image: Self.broken)], message: "broken")
                #expect(try await running.sync().outcome == "succeeded")
                try await Task.sleep(for: .milliseconds(1500))
                try await running.refresh()
                #expect(try await running.revisions([.rollback]).isEmpty)
                #expect(await image(scene) == Self.broken)
            }
        }
    }

    @Test("a cluster that cannot be seen is not unhealthy: nothing is taken back until it is seen again")
    func unknown() async throws {
        let world = try World()
        defer { world.remove() }
        // Nothing gives it an address here: it stays Progressing.
        try await world.run { (running) async throws -> Void in
            try world.commit(["a.yaml": World.configMap("a", "1")], message: "one")
            try await running.put(application(world, after: "1s"))
            try await healthy(running)
            try world.commit(["s.yaml": Self.waiting], message: "never ready")
            try await running.refresh()
            try await running.wait("the sync") {
                try await running.newest().revision.source?.commit.subject == "never ready"
            }
            try await running.refresh()
        }
        world.clock.jump(milliseconds: 10_000)
        for _ in 0..<400 {
            await world.cluster.fail(
                .identity,
                .failedNotPersisted(Failure("http.unreachable", "down", next: .retry(afterMilliseconds: nil))))
        }
        try await world.run { (running) async throws -> Void in
            try await running.wait("Unknown") { await running.controller.status(of: "app")?.sync == .unknown }
            try await running.refresh()
            #expect(try await running.revisions([.rollback]).isEmpty)
            await world.cluster.clearFaults()
            try await running.refresh()
            let row = try await rollback(running)
            #expect(row.revision.cause == .unhealthy)
            #expect(await world.cluster.object(running.key("web", kind: "Service")) == nil, "it is pruned")
        }
        try await world.verify()
    }

    @Test("given a rollback that a crash interrupts, when the server starts again, then it still says why")
    func recovered() async throws {
        let world = try World()
        defer { world.remove() }
        try await world.run { (running) async throws -> Void in
            try world.commit(["a.yaml": World.configMap("a", "1")], message: "one")
            try await running.put(application(world, after: "1s"))
            try await healthy(running)
            try world.commit(
                ["a.yaml": World.configMap("a", "2"), "s.yaml": Self.waiting], message: "never ready")
            try await running.refresh()
            try await running.wait("the sync") {
                try await running.newest().revision.source?.commit.subject == "never ready"
            }
            // The rehearsal is the first apply of the rollback; what hangs is the write itself.
            await world.cluster.fail(.delete, named: "web", .hang)
            try await running.wait("the hanging write") { await world.cluster.hanging == 1 }
        }
        await world.cluster.clearFaults()
        try await world.run { (running) async throws -> Void in
            let row = try await rollback(running)
            #expect(row.revision.cause == .unhealthy)
            #expect(row.revision.options.reactsTo != nil)
            #expect(row.revision.reason?.contains("did not become Healthy") == true)
            #expect(await running.value(of: "a") == "1")
            for _ in 0..<2 { try await running.refresh() }
            #expect(try await running.revisions([.rollback]).count == 1)
        }
        try await world.verify()
    }
}
