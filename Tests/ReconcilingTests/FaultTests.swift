import LedgerStore
import Shiplog
import ShiplogTesting
import Testing

@testable import Reconciling

/// Each step of a sync and a rollback × {failed and not persisted, failed but persisted}: afterwards the process starts
/// again, and cluster, ledger and timeline must agree.
@Suite("Faults")
struct FaultTests {
    struct Fault: Sendable, CustomTestStringConvertible {
        let call: FakeCluster.Call
        let name: String?
        let isPersisted: Bool
        let isRollback: Bool

        var testDescription: String {
            "\(call.rawValue) \(name ?? "any") \(isPersisted ? "failed but persisted" : "failed, not persisted") "
                + (isRollback ? "in a rollback" : "in a sync")
        }

        func inject(into cluster: FakeCluster) async {
            let failure = Failure(.clusterUnreachable, "the connection broke", next: .retry(afterMilliseconds: nil))
            await cluster.fail(
                call, named: name, isPersisted ? .failedButPersisted(failure) : .failedNotPersisted(failure))
        }
    }

    static let faults: [Fault] = [false, true].flatMap { isRollback in
        [false, true].flatMap { isPersisted in
            [
                Fault(call: .identity, name: nil, isPersisted: isPersisted, isRollback: isRollback),
                Fault(call: .catalog, name: nil, isPersisted: isPersisted, isRollback: isRollback),
                Fault(call: .list, name: nil, isPersisted: isPersisted, isRollback: isRollback),
                Fault(call: .apply, name: "a", isPersisted: isPersisted, isRollback: isRollback),
                Fault(call: .apply, name: "b", isPersisted: isPersisted, isRollback: isRollback),
                Fault(call: .delete, name: "gone", isPersisted: isPersisted, isRollback: isRollback)
            ]
        }
    }

    private static func version(_ version: String, with extra: String?) -> [String: String?] {
        [
            "a.yaml": World.configMap("a", version), "b.yaml": World.configMap("b", version),
            "gone.yaml": extra == nil ? nil : World.configMap("gone", version)
        ]
    }

    @Test("a fault at any step ends in a row, and a restart brings everything to agreement", arguments: faults)
    func faultThenRestart(_ fault: Fault) async throws {
        let world = try World()
        defer { world.remove() }
        let policy = Application.Retry(limit: 5, initialMilliseconds: 20, factor: 1, maximumMilliseconds: 20)
        // Version 2 drops an object, so that going on to it prunes; going back to 1 from 2 prunes `extra`.
        try world.commit([
            "a.yaml": World.configMap("a", "1"), "b.yaml": World.configMap("b", "1"),
            "gone.yaml": World.configMap("gone", "1")
        ])
        try await world.run { running in
            try await running.put(world.application(retry: policy))
            try await running.wait("version 1") { await running.value(of: "b") == "1" }
            try await running.wait("synced") { await running.controller.status(of: "app")?.sync == .synced }
        }
        let expected: String
        if fault.isRollback {
            try world.commit([
                "a.yaml": World.configMap("a", "2"), "b.yaml": World.configMap("b", "2"), "gone.yaml": nil
            ])
            try await world.run { running in
                try await running.refresh()
                try await running.wait("version 2") { await running.value(of: "b") == "2" }
            }
            try world.commit(["gone.yaml": World.configMap("gone", "3")])
            try await world.run { running in
                try await running.refresh()
                try await running.wait("version 3") { await running.value(of: "gone") == "3" }
                let target = try #require(
                    try await running.revisions([.sync]).first { $0.revision.counts.pruned == 1 })
                await fault.inject(into: world.cluster)
                _ = try await running.rollback(
                    "app", RollbackRequest(target: .sequence(target.sequence), reason: "fault"))
            }
            expected = "2"
        } else {
            try world.commit([
                "a.yaml": World.configMap("a", "2"), "b.yaml": World.configMap("b", "2"), "gone.yaml": nil
            ])
            try await world.run { running in
                await fault.inject(into: world.cluster)
                _ = try await running.refresh()
            }
            expected = "2"
        }
        await world.cluster.clearFaults()
        // Start again: whatever was left open is finished, and the loop goes on.
        try await world.run { running in
            try await running.refresh()
            if fault.isRollback, try await running.ledger.application(named: "app")?.pin == nil {
                // The rollback was refused before its intent was durable: that is told, and nothing was touched.
                #expect(await running.value(of: "gone") == "3")
                return
            }
            try await running.wait("agreement") {
                let a = await running.value(of: "a")
                let b = await running.value(of: "b")
                let gone = await running.value(of: "gone")
                return a == expected && b == expected && gone == nil
            }
            try await running.wait("synced") { await running.controller.status(of: "app")?.sync == .synced }
            #expect(try await running.ledger.openAttempts().isEmpty)
            // Each attempt that was begun ended exactly once.
            var started = EventQuery(limit: 200)
            started.kinds = [.attemptStarted]
            let attempts = try await running.ledger.events(started).items.map(\.sequence)
            let closed = try await running.revisions([.sync, .rollback]).compactMap(\.revision.attempt)
            #expect(Set(attempts) == Set(closed))
            #expect(closed.count == attempts.count)
        }
        try await world.verify()
    }

    @Test("an attempt that was open when the process ended is finished from its stored manifests, not from HEAD")
    func recovery() async throws {
        let world = try World()
        defer { world.remove() }
        try world.commit(["a.yaml": World.configMap("a", "1"), "b.yaml": World.configMap("b", "1")])
        try await world.run { running in
            await world.cluster.fail(.apply, named: "b", .hang)
            try await running.put(world.application(automated: nil))
            try await running.wait("the status") { await running.controller.status(of: "app")?.sync == .outOfSync }
            _ = try await running.controller.sync("app", SyncRequest(), actor: World.person)
            try await running.wait("the hanging apply") { await world.cluster.hanging == 1 }
            // The loop is stopped while the attempt is open.
        }
        try world.commit(["a.yaml": World.configMap("a", "2"), "b.yaml": World.configMap("b", "2")])
        try await world.run { running in
            try await running.wait("recovery") { try await running.ledger.openAttempts().isEmpty }
            #expect(await running.value(of: "a") == "1")
            #expect(await running.value(of: "b") == "1")
            let row = try #require(try await running.revisions([.sync]).first?.revision)
            #expect(row.outcome == .succeeded)
            #expect(row.actor.name == "ada")
        }
        try await world.verify()
    }

    @Test("an open attempt whose application was changed meanwhile is closed, not applied")
    func supersededAttempt() async throws {
        let world = try World()
        defer { world.remove() }
        try world.commit(["a.yaml": World.configMap("a", "1")])
        try await world.run { running in
            await world.cluster.fail(.apply, named: "a", .hang)
            try await running.put(world.application(automated: nil))
            try await running.wait("the status") { await running.controller.status(of: "app")?.sync == .outOfSync }
            _ = try await running.controller.sync("app", SyncRequest(), actor: World.person)
            try await running.wait("the hanging apply") { await world.cluster.hanging == 1 }
            try await running.put(world.application(automated: nil, path: "elsewhere"))
        }
        try await world.run { running in
            try await running.wait("the end of the attempt") { try await running.ledger.openAttempts().isEmpty }
            #expect(await running.value(of: "a") == nil)
            #expect(try await running.revisions([.sync]).first?.revision.outcome.word == "superseded")
        }
        try await world.verify()
    }
}
