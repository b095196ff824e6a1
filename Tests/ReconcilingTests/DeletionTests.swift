import GitSource
import LedgerStore
import Shiplog
import ShiplogTesting
import Testing

@testable import Reconciling

/// An application that is deleted with its resources while the process ends.
@Suite("Deletions that a crash interrupts") struct DeletionTests {
    private static let key = ResourceKey(group: "", kind: "ConfigMap", namespace: "demo", name: "a")

    private static func deployed(_ world: World) async throws {
        try world.commit(["a.yaml": World.configMap("a", "1"), "b.yaml": World.configMap("b", "1")])
        try await world.run { running in
            try await running.put(world.application())
            try await running.wait("the objects") { await running.value(of: "b") == "1" }
            try await running.wait("the end of the sync") { try await running.ledger.openAttempts().isEmpty }
        }
    }

    @Test("one whose objects were half gone is brought to its end by the next start") func halfGone() async throws {
        let world = try World()
        defer { world.remove() }
        try await Self.deployed(world)
        await world.cluster.fail(.delete, named: "a", .hang)
        try await world.run { running in
            let deletion = Task {
                try await running.controller.delete("app", cascade: true, actor: World.person, reason: "over")
            }
            try await running.wait("the deletion to be on its way") { await world.cluster.hanging == 1 }
            // The process ends here: what it was about to do is nobody's any more.
            deletion.cancel()
            _ = await deletion.result
            #expect(try await running.ledger.application(named: "app") != nil)
            #expect(await world.cluster.object(Self.key) != nil)
        }
        try await world.run { running in
            try await running.wait("the application to go") {
                try await running.ledger.application(named: "app") == nil
            }
            #expect(await world.cluster.object(Self.key) == nil)
            #expect(try await running.ledger.openAttempts().isEmpty)
            #expect(await running.controller.status(of: "app") == nil)
        }
        try await world.verify()
    }

    @Test("one whose objects were all gone is brought to its end, and nothing brings them back") func allGone()
        async throws
    {
        let world = try World()
        defer { world.remove() }
        try await Self.deployed(world)
        try await world.run { running in
            let application = try #require(try await running.ledger.application(named: "app"))
            await running.controller.state.supersede(application.uid)
            try await running.controller.removeObjects(
                of: application, actor: World.person, reason: "over", isConfirmed: false)
        }
        #expect(await world.cluster.object(Self.key) == nil)
        try await world.run { running in
            try await running.wait("the application to go") {
                try await running.ledger.application(named: "app") == nil
            }
            #expect(await world.cluster.object(Self.key) == nil)
            let gone = try await running.ledger.events(EventQuery(kinds: [.applicationDeleted])).items.first?.value
            #expect(gone?.actor.name == World.person.name)
        }
        try await world.verify()
    }
}
