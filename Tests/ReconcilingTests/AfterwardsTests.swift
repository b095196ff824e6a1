import LedgerStore
import Shiplog
import ShiplogTesting
import Testing

@testable import Reconciling

/// What a row says of its objects, and what is told of it later.
@Suite("After the operation", .serialized)
struct AfterwardsTests {
    private func reached(_ running: Running, _ revision: SequenceNumber) async throws -> [Event] {
        try await running.ledger.events(EventQuery(kinds: [.healthReached], revision: revision)).items.map(\.event)
    }

    @Test("given a hook and an object, when they are synced, then the row says when each began and how long it took")
    func timing() async throws {
        try await Scene.play { (scene) async throws -> Void in
            try scene.world.commit([
                "h.yaml": Scene.job("migrate", hook: "PreSync"), "a.yaml": World.configMap("a", "1")
            ])
            try await scene.world.run { (running) async throws -> Void in
                #expect(try await running.deploy().outcome == "succeeded")
                let rows = try await running.newest().revision.resources
                let hook = try #require(rows.first { $0.key.kind == "Job" }?.timing)
                let object = try #require(rows.first { $0.key.kind == "ConfigMap" }?.timing)
                #expect(hook.took > 0)
                #expect(object.startedAfter >= hook.startedAfter + hook.took)
            }
        }
    }

    @Test("given a server that stops before health is reached, when it starts again, then it tells how long it took")
    func acrossRestart() async throws {
        try await Scene.play(timeScale: 0.5) { (scene) async throws -> Void in
            try scene.world.commit(["d.yaml": Scene.deployment("web")])
            let sequence = try await scene.world.run { (running) async throws -> SequenceNumber in
                let operation = try await running.deploy()
                #expect(operation.outcome == "succeeded", "\(operation)")
                return try #require(operation.revision)
            }
            try await scene.world.run { (running) async throws -> Void in
                try await running.wait("health") { try await reached(running, sequence).count == 1 }
                let event = try #require(try await reached(running, sequence).first)
                #expect(event.outcome == "Healthy")
                #expect(event.facts["afterMilliseconds"]?.integer ?? 0 > 0)
                try await running.refresh()
                #expect(try await reached(running, sequence).count == 1, "it is told once")
            }
            try await scene.world.run { (running) async throws -> Void in
                try await running.refresh()
                #expect(try await reached(running, sequence).count == 1, "and not again by another process")
            }
        }
    }
}
