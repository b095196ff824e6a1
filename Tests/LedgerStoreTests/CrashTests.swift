import Foundation
import LedgerStore
import Shiplog
import ShiplogTesting
import Synchronization
import Testing

/// kill -9 leaves the files as they were at some moment: copies taken at many moments stand for as many kills.
@Suite struct CrashTests {
    /// Copies that were taken, each with what callers knew to be durable just before.
    private final class Moments: Sendable {
        private struct State {
            var taken: [(path: String, acknowledged: Int64)] = []
            var known: Int64 = 0
        }

        private let state = Mutex(State())
        var taken: [(path: String, acknowledged: Int64)] { state.withLock(\.taken) }
        var count: Int { state.withLock { $0.taken.count } }
        var known: Int64 { state.withLock(\.known) }
        func add(_ path: String, _ known: Int64) { state.withLock { $0.taken.append((path, known)) } }
        func acknowledge(_ sequence: SequenceNumber) { state.withLock { $0.known = max($0.known, sequence.value) } }
    }

    @Test("files as kill -9 leaves them, at every commit, hold all that was acknowledged and no half of anything")
    func copies() async throws {
        let copies = try TemporaryDirectory("kill")
        let test = try await TestLedger.make { $0.checkpointPages = nil }
        let directory = test.directory
        let moments = Moments()
        // On the writer's queue, around each commit: between the group's last row and COMMIT, and right after it.
        let clock = test.clock
        let ledger = try await test.reopen { options in
            options.checkpointPages = nil
            options.groupLimit = 3
            options.atCommit = { _ in
                let number = moments.count
                guard number < 40 else { return }
                let known = moments.known
                let path = copies.path + "/\(number)"
                guard let copy = try? DataDirectory(path) else { return }
                for file in ["master.key", "redaction.key"] {
                    try? FileManager.default.copyItem(
                        atPath: directory.keys + "/" + file, toPath: copy.keys + "/" + file)
                }
                try? FileManager.default.copyItem(atPath: directory.ledger, toPath: copy.ledger)
                try? FileManager.default.copyItem(atPath: directory.ledger + "-wal", toPath: copy.ledger + "-wal")
                moments.add(path, known)
            }
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<8 {
                group.addTask {
                    let (registered, _) = try await ledger.putApplication(
                        Samples.application("app-\(number)"), actor: .controller)
                    let attempt = try await ledger.begin(
                        try Samples.intent(
                            registered.reference, [try Samples.secret("login", ["password": "p\(number)"])],
                            at: clock.now))
                    moments.acknowledge(attempt.sequence)
                    let end = try await ledger.finish(attempt, Samples.success(of: attempt, at: clock.now))
                    moments.acknowledge(end)
                }
            }
            try await group.waitForAll()
        }
        #expect(moments.count > 10)
        for moment in moments.taken {
            let copy = try DataDirectory(moment.path)
            let restored = try await Ledger.open(copy, mode: .sandbox, access: .serve, now: { clock.now })
            let head = try await restored.head()?.value ?? 0
            #expect(head >= moment.acknowledged, "an acknowledged row is lost")
            // Recovery is the normal path: what is open has its manifests, and can be ended.
            for attempt in try await restored.openAttempts() {
                #expect(try await restored.manifestsForCluster(attempt.desired)?.count == 1)
                try await restored.finish(attempt, Samples.success(of: attempt, at: clock.now))
            }
            await restored.close()
            let report = try await Ledger.verify(copy)
            #expect(report.isSound, "\(report.findings)")
        }
    }
}
