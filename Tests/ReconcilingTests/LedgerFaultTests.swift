import LedgerStore
import Shiplog
import Synchronization
import Testing

@testable import Reconciling

/// The ledger's own commits fail, each of a sync's and a rollback's, before and after they are durable. The process has
/// to end then; the next one must bring cluster, ledger and timeline to agreement.
@Suite("Faults of the ledger")
struct LedgerFaultTests {
    struct Fault: Sendable, CustomTestStringConvertible {
        /// Which commit after the operation was asked for.
        let commit: Int
        let point: Ledger.CommitPoint
        let isRollback: Bool

        var testDescription: String {
            "commit \(commit) \(point == .before ? "failed, not persisted" : "failed but persisted") in a "
                + (isRollback ? "rollback" : "sync")
        }
    }

    static let faults: [Fault] = [false, true].flatMap { isRollback in
        [Ledger.CommitPoint.before, .after].flatMap { point in
            (1...4).map { Fault(commit: $0, point: point, isRollback: isRollback) }
        }
    }

    /// Fails one commit, counted from when it is armed.
    final class Breaker: Sendable {
        private struct State {
            var left: Int?
            var hasFailed = false
        }
        private let point: Ledger.CommitPoint
        private let state = Mutex(State())

        init(at point: Ledger.CommitPoint) { self.point = point }

        func arm(after commits: Int) { state.withLock { $0.left = commits } }
        var hasFailed: Bool { state.withLock(\.hasFailed) }

        var options: Ledger.Options {
            Ledger.Options(atCommit: { (point) throws(Failure) in try self.pass(point) })
        }

        private func pass(_ point: Ledger.CommitPoint) throws(Failure) {
            let fails = state.withLock { state -> Bool in
                guard point == self.point, let left = state.left, !state.hasFailed else { return false }
                state.left = left - 1
                state.hasFailed = left == 1
                return left == 1
            }
            if fails { throw Failure("test.disk", "the disk failed") }
        }
    }

    @Test(
        "a commit that fails ends the writing, and the next process brings everything to agreement", arguments: faults)
    func commitFails(_ fault: Fault) async throws {
        let world = try World()
        defer { world.remove() }
        try world.commit(["a.yaml": World.configMap("a", "1"), "b.yaml": World.configMap("b", "1")])
        let first = try await world.run { running in
            try await running.put(world.application())
            try await running.wait("version 1") { await running.controller.status(of: "app")?.sync == .synced }
            try await running.wait("the row") { try await !running.revisions([.sync]).isEmpty }
            return try #require(try await running.revisions([.sync]).first)
        }
        try world.commit(["a.yaml": World.configMap("a", "2"), "b.yaml": nil])
        if fault.isRollback {
            try await world.run { running in
                try await running.refresh()
                try await running.wait("version 2") { await running.value(of: "b") == nil }
            }
        }
        let breaker = Breaker(at: fault.point)
        try await world.run(options: breaker.options) { running in
            if fault.isRollback {
                try await running.refresh()
                breaker.arm(after: fault.commit)
                _ = try? await running.controller.rollback(
                    "app", RollbackRequest(target: .sequence(first.sequence), reason: "fault"), actor: World.person)
            } else {
                breaker.arm(after: fault.commit)
                _ = try? await running.controller.refresh("app", hard: false, actor: World.person)
            }
            try await running.wait("the fault") {
                // Fewer commits than the fault waits for: whatever comes next meets it.
                if await running.controller.status(of: "app")?.activity == .idle {
                    _ = try? await running.controller.refresh("app", hard: false, actor: World.person)
                }
                return breaker.hasFailed
            }
            // Nothing is written on top of a state that nobody knows.
            try await running.wait("the refusal") { running.ledger.failure != nil }
        }
        try await world.run { running in
            try await running.refresh()
            let isPinned = try await running.ledger.application(named: "app")?.pin != nil
            let wantsFirst = fault.isRollback && isPinned
            try await running.wait("agreement") {
                let a = await running.value(of: "a")
                let b = await running.value(of: "b")
                return wantsFirst ? a == "1" && b == "1" : a == "2" && b == nil
            }
            try await running.wait("synced") { await running.controller.status(of: "app")?.sync == .synced }
            #expect(try await running.ledger.openAttempts().isEmpty)
            let attempts = try await running.ledger.events(EventQuery(kinds: [.attemptStarted], limit: 200)).items
            let closed = try await running.revisions([.sync, .rollback]).compactMap(\.revision.attempt)
            #expect(Set(attempts.map(\.sequence)) == Set(closed))
            #expect(closed.count == attempts.count)
        }
        try await world.verify()
    }
}
