import Foundation
import LedgerStore
import Shiplog
import ShiplogTesting
import Testing

@testable import Reconciling

@Suite("Rollback")
struct RollbackTests {
    /// Three versions deployed; the objects never have a health check, so each becomes Healthy at once.
    private func threeVersions(_ running: Running) async throws {
        try running.world.commit(["a.yaml": World.configMap("a", "1")], message: "one")
        try await running.put(running.world.application())
        try await running.wait("version 1") { await running.value(of: "a") == "1" }
        try await healthy(running)
        for version in ["2", "3"] {
            try running.world.commit(["a.yaml": World.configMap("a", version)], message: "version \(version)")
            try await running.refresh()
            try await running.wait("version \(version)") { await running.value(of: "a") == version }
            try await healthy(running)
        }
    }

    private func healthy(_ running: Running) async throws {
        try await running.wait("health") {
            guard let sync = try await running.revisions([.sync, .rollback]).first else { return false }
            var query = EventQuery(limit: 50)
            query.kinds = [.healthReached]
            return try await running.ledger.events(query).items.contains { $0.event.revision == sync.sequence }
        }
    }

    private func pinned(_ running: Running) async throws -> Pin? {
        try await running.ledger.application(named: "app")?.pin
    }

    @Test("goes back to the last good state by default, pins, and says who and why")
    func lastGood() async throws {
        let world = try World()
        defer { world.remove() }
        try await world.run { running in
            try await threeVersions(running)
            let operation = try await running.rollback("app", RollbackRequest(target: .lastGood, reason: "3 is broken"))
            #expect(operation.outcome == "succeeded", "\(operation)")
            #expect(await running.value(of: "a") == "2")
            let row = try #require(try await running.revisions([.rollback]).first)
            #expect(row.revision.reason == "3 is broken")
            #expect(row.revision.actor.name == "ada")
            #expect(row.revision.source?.commit.subject == "version 2")
            let target = try #require(row.revision.rolledBackTo)
            guard case .revision(let stored)? = try await running.ledger.record(at: target) else {
                Issue.record("the target is no revision")
                return
            }
            #expect(stored.revision.desired == row.revision.desired)
            #expect(try await pinned(running)?.target == target)
            // HEAD stands where it stood: what is shown of Git is not what is enforced.
            try await running.wait("the commit at HEAD") {
                await running.controller.status(of: "app")?.targetCommit?.subject == "version 3"
            }
            // The loop goes on and does not bring version 3 back.
            try await running.refresh()
            try await running.refresh()
            #expect(await running.value(of: "a") == "2")
            #expect(await running.controller.status(of: "app")?.sync == .synced)
        }
        try await world.verify()
    }

    @Test("an unrelated commit, a force-push and a moved tag do not bring the bad version back")
    func pinHolds() async throws {
        let world = try World()
        defer { world.remove() }
        try await world.run { running in
            try await threeVersions(running)
            try await running.rollback("app", RollbackRequest(target: .lastGood, reason: "bad"))
            try world.commit(["/elsewhere.txt": "not ours"], message: "unrelated")
            try await running.refresh()
            #expect(await running.value(of: "a") == "2")
            // The same manifests, written another way: the inputs change, what they render to does not.
            try world.commit(["a.yaml": World.configMap("a", "3") + "# a comment\n"], message: "comment")
            try await running.refresh()
            #expect(await running.value(of: "a") == "2")
            try world.git("commit", "-q", "--amend", "-m", "rewritten")
            try await running.refresh()
            #expect(await running.value(of: "a") == "2")
            #expect(try await pinned(running) != nil)
        }
        try await world.verify()
    }

    @Test("a commit that renders to something new lets go")
    func pinReleases() async throws {
        let world = try World()
        defer { world.remove() }
        try await world.run { running in
            try await threeVersions(running)
            try await running.rollback("app", RollbackRequest(target: .lastGood, reason: "bad"))
            try world.commit(["a.yaml": World.configMap("a", "4")], message: "the fix")
            try await running.refresh()
            try await running.wait("version 4") { await running.value(of: "a") == "4" }
            #expect(try await pinned(running) == nil)
        }
        try await world.verify()
    }

    @Test("what a rollback was told not to prune stays, however often the loop looks, until the pin is let go")
    func keptLeftover() async throws {
        let world = try World()
        defer { world.remove() }
        try await world.run { running in
            try world.commit(["a.yaml": World.configMap("a", "1")], message: "one")
            try await running.put(world.application())
            try await running.wait("version 1") { await running.value(of: "a") == "1" }
            try await healthy(running)
            try world.commit(
                ["a.yaml": World.configMap("a", "2"), "b.yaml": World.configMap("b", "2")], message: "two")
            try await running.refresh()
            try await running.wait("version 2") { await running.value(of: "b") == "2" }
            try await healthy(running)
            let operation = try await running.rollback(
                "app", RollbackRequest(target: .lastGood, prune: false, reason: "keep b"))
            #expect(operation.outcome == "succeeded", "\(operation)")
            for _ in 0..<3 { try await running.refresh() }
            #expect(await running.value(of: "a") == "1")
            #expect(await running.value(of: "b") == "2")
            // Drift is healed under the pin all the same, and that sync prunes nothing either.
            await world.cluster.edit(running.key("a")) { $0.set("by hand", at: "data", "value") }
            try await running.wait("the heal") { await running.value(of: "a") == "1" }
            #expect(await running.value(of: "b") == "2")
            try await running.wait("the heal's row") {
                try await running.revisions([.sync]).first?.revision.cause == .selfHeal
            }
            let heal = try #require(try await running.revisions([.sync]).first)
            #expect(heal.revision.options.prune == false)
            // A new commit lets go: from then on the application's own setting holds again.
            try world.commit(["a.yaml": World.configMap("a", "3"), "b.yaml": nil], message: "three")
            try await running.refresh()
            try await running.wait("version 3") { await running.value(of: "a") == "3" }
            try await running.wait("the prune") { await running.value(of: "b") == nil }
        }
        try await world.verify()
    }

    @Test("a rollback writes nothing when a part of the cluster cannot be read")
    func unknownIsRefusedWhole() async throws {
        let world = try World()
        defer { world.remove() }
        try await world.run { running in try await threeVersions(running) }
        let forbidden = Failure(.clusterForbidden, "no listing for you")
        for _ in 0..<500 { await world.cluster.fail(.list, .failedNotPersisted(forbidden)) }
        try await world.run { running in
            let operation = try await running.rollback("app", RollbackRequest(target: .lastGood, reason: "3 is bad"))
            #expect(operation.outcome != "succeeded", "\(operation)")
            #expect(await running.value(of: "a") == "3")
            #expect(try await running.revisions([.rollback]).filter { $0.revision.attempt != nil }.isEmpty)
            #expect(try await pinned(running) == nil)
        }
        await world.cluster.clearFaults()
        try await world.verify()
    }

    @Test("until-unpinned waits for a person")
    func untilUnpinned() async throws {
        let world = try World()
        defer { world.remove() }
        try await world.run { running in
            try await threeVersions(running)
            try await running.rollback(
                "app", RollbackRequest(target: .lastGood, hold: .untilUnpinned, reason: "bad"))
            try world.commit(["a.yaml": World.configMap("a", "4")])
            try await running.refresh()
            #expect(await running.value(of: "a") == "2")
            _ = try await running.controller.unpin("app", actor: World.person, reason: "fixed")
            try await running.wait("version 4") { await running.value(of: "a") == "4" }
        }
        try await world.verify()
    }

    @Test("unpinning follows what the repository has now, not what was fetched last", arguments: [false, true])
    func unpinningFetches(wasAway: Bool) async throws {
        let world = try World()
        defer { world.remove() }
        try await world.run { running in
            try await threeVersions(running)
            try await running.rollback(
                "app", RollbackRequest(target: .lastGood, hold: .untilUnpinned, reason: "3 is bad"))
            let before = try await running.revisions([.sync]).count
            try world.commit(["a.yaml": World.configMap("a", "4")])
            if wasAway {
                // What is remembered of it is that it could not be fetched.
                try FileManager.default.moveItem(atPath: world.repository, toPath: world.repository + "-away")
                try await running.refresh()
                try FileManager.default.moveItem(atPath: world.repository + "-away", toPath: world.repository)
            }
            _ = try await running.controller.unpin("app", actor: World.person, reason: "fixed")
            try await running.wait("version 4") { await running.value(of: "a") == "4" }
            // Version 3 was not put back in between.
            #expect(try await running.revisions([.sync]).count <= before + 1)
        }
        try await world.verify()
    }

    @Test("works with Git gone, bit for bit")
    func gitGone() async throws {
        let world = try World()
        defer { world.remove() }
        try await world.run { running in
            try await threeVersions(running)
            try FileManager.default.removeItem(atPath: world.repository)
            try FileManager.default.removeItem(atPath: world.directory + "/data/repositories")
            let first = try #require(try await running.revisions([.sync]).last)
            let operation = try await running.rollback(
                "app", RollbackRequest(target: .sequence(first.sequence), reason: "Git is down"))
            #expect(operation.outcome == "succeeded", "\(operation)")
            #expect(await running.value(of: "a") == "1")
            let row = try #require(try await running.revisions([.rollback]).first?.revision)
            #expect(row.desired == first.revision.desired)
        }
        try await world.verify()
    }

    @Test("by commit and by moment")
    func byCommitAndMoment() async throws {
        let world = try World()
        defer { world.remove() }
        try await world.run { running in
            try await threeVersions(running)
            let rows = try await running.revisions([.sync])
            let first = try #require(rows.last)
            let commit = try #require(first.revision.source?.commit.id)
            try await running.rollback("app", RollbackRequest(target: .commit(commit.short), reason: "by commit"))
            #expect(await running.value(of: "a") == "1")
            let second = try #require(rows.dropLast().last)
            let operation = try await running.rollback(
                "app", RollbackRequest(target: .moment(second.recordedAt), reason: "by time"))
            #expect(operation.outcome == "succeeded", "\(operation)")
            #expect(await running.value(of: "a") == "2")
        }
        try await world.verify()
    }

    @Test("a drift under a pin is healed to the pinned state")
    func selfHealUnderPin() async throws {
        let world = try World()
        defer { world.remove() }
        try await world.run { running in
            try await threeVersions(running)
            try await running.rollback("app", RollbackRequest(target: .lastGood, reason: "bad"))
            try await running.wait("a synced status") { await running.controller.status(of: "app")?.sync == .synced }
            await world.cluster.edit(running.key("a")) { $0.set("edited", at: "data", "value") }
            try await running.wait("the heal") { await running.value(of: "a") == "2" }
        }
        try await world.verify()
    }

    @Test("a manual sync lets go of the pin")
    func manualSyncLetsGo() async throws {
        let world = try World()
        defer { world.remove() }
        try await world.run { running in
            try await threeVersions(running)
            try await running.rollback("app", RollbackRequest(target: .lastGood, reason: "bad"))
            let operation = try await running.sync()
            #expect(operation.outcome == "succeeded", "\(operation)")
            #expect(await running.value(of: "a") == "3")
            #expect(try await pinned(running) == nil)
        }
        try await world.verify()
    }

    @Test("a pin survives a restart")
    func pinSurvives() async throws {
        let world = try World()
        defer { world.remove() }
        try await world.run { running in
            try await threeVersions(running)
            try await running.rollback("app", RollbackRequest(target: .lastGood, reason: "bad"))
        }
        try await world.run { running in
            try await running.refresh()
            #expect(await running.value(of: "a") == "2")
            #expect(await running.controller.status(of: "app")?.sync == .synced)
        }
        try await world.verify()
    }

    @Test("ends a running sync and does not wait behind it")
    func endsRunningSync() async throws {
        let world = try World()
        defer { world.remove() }
        try await world.run { running in
            try await threeVersions(running)
            await world.cluster.fail(.apply, named: "a", .hang)
            try world.commit(["a.yaml": World.configMap("a", "4")], message: "stuck")
            _ = try await running.controller.refresh("app", hard: false, actor: World.person)
            try await running.wait("the hanging apply") { await world.cluster.hanging == 1 }
            let operation = try await running.rollback("app", RollbackRequest(target: .lastGood, reason: "stuck"))
            #expect(operation.outcome == "succeeded", "\(operation)")
            #expect(await running.value(of: "a") == "2")
            let outcomes = try await running.revisions([.sync]).map(\.revision.outcome.word)
            #expect(outcomes.first == "superseded", "\(outcomes)")
        }
        try await world.verify()
    }

    @Test("that is refused ends nothing: the sync that runs goes on")
    func refusedEndsNothing() async throws {
        let world = try World()
        defer { world.remove() }
        try await world.run { running in
            try await threeVersions(running)
            await world.cluster.fail(.apply, named: "a", .hang)
            try world.commit(["a.yaml": World.configMap("a", "4")], message: "slow")
            _ = try await running.controller.refresh("app", hard: false, actor: World.person)
            try await running.wait("the hanging apply") { await world.cluster.hanging == 1 }
            let nowhere = try #require(SequenceNumber(99_999))
            let operation = try await running.rollback(
                "app", RollbackRequest(target: .sequence(nowhere), reason: "typo"))
            #expect(operation.failure != nil, "\(operation)")
            #expect(await world.cluster.hanging == 1)
            let refusals = try await running.ledger.events(EventQuery(kinds: [.requestRefused]))
            #expect(refusals.items.first?.event.outcome == "refused")
            await world.cluster.release()
            try await running.wait("version 4") { await running.value(of: "a") == "4" }
            let outcomes = try await running.revisions([.sync]).map(\.revision.outcome.word)
            #expect(!outcomes.contains("superseded"), "\(outcomes)")
        }
        try await world.verify()
    }

    @Test("without a reason, to a failed revision, to a reconcile or to somebody else's: refused by name")
    func refusals() async throws {
        let world = try World()
        defer { world.remove() }
        try await world.run { running in
            try await threeVersions(running)
            await #expect(throws: Failure.self) {
                _ = try await running.controller.rollback(
                    "app", RollbackRequest(target: .lastGood, reason: "  "), actor: World.person)
            }
            let reconcile = try await running.refresh()
            let sequence = try #require(reconcile.revision)
            let refused = try await running.rollback(
                "app", RollbackRequest(target: .sequence(sequence), reason: "x"))
            #expect(refused.failure?.code == "rollback.not-eligible", "\(refused)")
            let unknown = try await running.rollback("app", RollbackRequest(target: .commit("abcdef0"), reason: "x"))
            #expect(unknown.failure?.code == "rollback.no-target")
            #expect(unknown.failure?.remedy?.contains("#") == true)
            #expect(await running.value(of: "a") == "3")
        }
        try await world.verify()
    }

    @Test("a kind the cluster no longer serves is refused before anything is written")
    func kindGone() async throws {
        let world = try World()
        defer { world.remove() }
        try await world.run { running in
            try running.world.commit([
                "a.yaml": World.configMap("a", "1"),
                "s.yaml": "apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {ports: [{port: 80}]}\n"
            ])
            try await running.put(world.application())
            try await running.wait("version 1") { await running.value(of: "a") == "1" }
            try await healthy(running)
            try world.commit(["a.yaml": World.configMap("a", "2"), "s.yaml": nil])
            try await running.refresh()
            try await running.wait("version 2") { await running.value(of: "a") == "2" }
            try await healthy(running)
            await world.cluster.stopServing(GroupVersionKind(group: "", version: "v1", kind: "Service"))
            let writes = await world.cluster.writes.count
            let operation = try await running.rollback("app", RollbackRequest(target: .lastGood, reason: "back"))
            #expect(operation.failure != nil, "\(operation)")
            #expect(await world.cluster.writes.count == writes)
            #expect(try await pinned(running) == nil)
        }
        try await world.verify()
    }

    @Test("the plan shows the diff, and nothing is written for it")
    func dryRun() async throws {
        let world = try World()
        defer { world.remove() }
        try await world.run { running in
            try await threeVersions(running)
            // Looks at the cluster may still come in beside it: they are not the plan's.
            let before = try await running.revisions([.sync, .rollback]).map(\.sequence)
            let plan = try await running.controller.planRollback(
                "app", RollbackRequest(target: .lastGood, dryRun: true))
            #expect(plan.current.first?.object.at("data", "value")?.string == "3")
            #expect(plan.next.first?.object.at("data", "value")?.string == "2")
            #expect(plan.plan.hasChanges)
            #expect(try await running.revisions([.sync, .rollback]).map(\.sequence) == before)
        }
        try await world.verify()
    }
}
