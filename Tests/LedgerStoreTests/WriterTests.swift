import Foundation
import GRDB
@testable import LedgerStore
import Shiplog
import ShiplogTesting
import Synchronization
import Testing

@Suite struct WriterTests {
    private func event(_ number: Int) -> Event {
        Event(.serverStarted, actor: .controller, facts: ["number": .integer(Int64(number))])
    }

    @Test("64 writers at once get each a sequence of their own, without a gap, several a commit")
    func concurrent() async throws {
        let test = try await TestLedger.make()
        let ledger = test.ledger
        let sequences = try await withThrowingTaskGroup(of: [Int64].self) { group in
            for writer in 0..<64 {
                group.addTask {
                    var mine: [Int64] = []
                    for row in 0..<20 { mine.append(try await ledger.record(event(writer * 100 + row)).value) }
                    return mine
                }
            }
            return try await group.reduce(into: [Int64]()) { all, mine in
                #expect(mine == mine.sorted(), "a writer's own rows are in its own order")
                all += mine
            }
        }
        #expect(sequences.sorted() == Array(1...1280))
        let commits = try await ledger.statistics().commits
        #expect(commits.appends == 1280)
        #expect(commits.meanGroup > 2, "\(commits)")
        let report = try await test.verify()
        #expect(report.isSound, "\(report)")
    }

    @Test("a queue that is full makes callers wait, and loses nobody") func backPressure() async throws {
        let test = try await TestLedger.make { options in
            options.queueLimit = 2
            options.groupLimit = 1
        }
        let ledger = test.ledger
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<50 { group.addTask { try await ledger.record(event(number)) } }
            try await group.waitForAll()
        }
        #expect(try await ledger.head()?.value == 50)
        #expect(try await ledger.statistics().commits.largestGroup == 1)
    }

    @Test("an append that fails takes no other of its group with it") func oneFails() async throws {
        let test = try await TestLedger.make()
        let ledger = test.ledger
        let (application, _) = try await ledger.putApplication(Samples.application("app"), actor: .controller)
        let outcomes = await withTaskGroup(of: Result<SequenceNumber, Failure>.self) { group in
            for number in 0..<60 {
                group.addTask {
                    do throws(Failure) {
                        if number % 3 == 0 {
                            let bad = Samples.reconcile(
                                application.reference, at: test.clock.now, sameAs: SequenceNumber(1))
                            return .success(try await ledger.record(bad))
                        }
                        return .success(try await ledger.record(event(number)))
                    } catch {
                        return .failure(error)
                    }
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        let failures = outcomes.compactMap { if case .failure(let failure) = $0 { failure.code } else { nil } }
        #expect(failures == Array(repeating: "ledger.same-as-unknown", count: 20))
        #expect(try await ledger.head()?.value == 41)
        let report = try await test.verify()
        #expect(report.isSound, "\(report)")
    }

    @Test("cancelling a caller does not lose its append, nor those of its group") func cancelled() async throws {
        let test = try await TestLedger.make()
        let ledger = test.ledger
        let tasks = (0..<40).map { number in Task { try await ledger.record(event(number)) } }
        for task in tasks where Bool.random() { task.cancel() }
        var sequences: Set<Int64> = []
        for task in tasks { sequences.insert(try await task.value.value) }
        #expect(sequences == Set(1...40))
        #expect(try await ledger.head()?.value == 40)
    }

    @Test("a clock that goes back does not make the log go back") func clock() async throws {
        let test = try await TestLedger.make()
        let ledger = test.ledger
        let start = test.clock.now
        try await ledger.record(event(1))
        test.clock.advance(byMilliseconds: -3_600_000)
        try await ledger.record(event(2))
        test.clock.set(start.advanced(byMilliseconds: 5))
        try await ledger.record(event(3))
        let times = try await ledger.log(after: nil, limit: 10).map(\.recordedAt)
        #expect(times == [start, start, start.advanced(byMilliseconds: 5)])
        try await test.reopen()
        test.clock.advance(byMilliseconds: -1000)
        try await test.ledger.record(event(4))
        let last = try await test.ledger.record(at: try #require(SequenceNumber(4)))
        #expect(last?.recordedAt == start.advanced(byMilliseconds: 5), "also across a restart")
    }

    @Test("a commit that fails leaves nothing and stops the ledger; after a restart it goes on")
    func failedBefore() async throws {
        let fatal = Mutex<[Failure.Code]>([])
        let test = try await TestLedger.make { options in
            options.onFatal = { failure in fatal.withLock { $0.append(failure.code) } }
        }
        try await test.ledger.record(event(1))
        test.faults.failCommit(.before)
        let ledger = test.ledger
        let failure = await #expect(throws: Failure.self) { try await ledger.record(event(2)) }
        #expect(failure?.code == .ledgerFailed)
        let later = await #expect(throws: Failure.self) { try await ledger.record(event(3)) }
        #expect(later?.code == .ledgerFailed)
        #expect(fatal.withLock { $0 } == [.ledgerFailed], "said once")
        #expect(try await ledger.head()?.value == 1, "reading goes on")
        try await test.reopen()
        #expect(try await test.ledger.record(event(2)).value == 2)
        let report = try await test.verify()
        #expect(report.isSound, "\(report)")
    }

    @Test("a commit that succeeds without anybody hearing of it is there after a restart") func failedAfter()
        async throws
    {
        let test = try await TestLedger.make()
        let (application, _) = try await test.ledger.putApplication(Samples.application("app"), actor: .controller)
        let intent = try Samples.intent(
            application.reference, [try Samples.configMap("a", ["x": "1"])], at: test.clock.now)
        test.faults.failCommit(.after)
        let ledger = test.ledger
        await #expect(throws: Failure.self) { try await ledger.begin(intent) }
        try await test.reopen()
        let open = try await test.ledger.openAttempts()
        #expect(open.count == 1)
        let attempt = try #require(open.first)
        #expect(try await test.ledger.manifestsForCluster(attempt.desired)?.count == 1)
        try await test.ledger.finish(attempt, Samples.success(of: attempt, at: test.clock.now))
        let report = try await test.verify()
        #expect(report.isSound, "\(report)")
    }

    @Test("files copied in the middle of the work open as a whole, acknowledged part of it") func tornCopy()
        async throws
    {
        let test = try await TestLedger.make { $0.checkpointPages = nil }
        let ledger = test.ledger
        for number in 0..<50 { try await ledger.record(event(number)) }
        let copies = try TemporaryDirectory("copy")
        let copy = try DataDirectory(copies.path + "/data")
        let files = FileManager.default
        for file in try files.contentsOfDirectory(atPath: test.directory.keys) {
            try files.copyItem(atPath: test.directory.keys + "/" + file, toPath: copy.keys + "/" + file)
        }
        try files.copyItem(atPath: test.directory.ledger, toPath: copy.ledger)
        // The WAL is cut in the middle of a frame, as a crash leaves it.
        let wal = try Data(contentsOf: URL(fileURLWithPath: test.directory.ledger + "-wal"))
        try wal.prefix(wal.count * 2 / 3 + 17).write(to: URL(fileURLWithPath: copy.ledger + "-wal"))
        let clock = test.clock
        let restored = try await Ledger.open(copy, mode: .sandbox, access: .serve, now: { clock.now })
        let head = try await restored.head()?.value ?? 0
        #expect((1..<50).contains(head))
        #expect(try await restored.record(event(99)).value == head + 1)
        await restored.close()
        let report = try await Ledger.verify(copy)
        #expect(report.isSound, "\(report)")
    }

    @Test("a full disk refuses what is new, still closes an open attempt, and opens again when there is room")
    func full() async throws {
        let test = try await TestLedger.make()
        let (application, _) = try await test.ledger.putApplication(Samples.application("app"), actor: .controller)
        let resources = [try Samples.configMap("a", ["x": "1"])]
        let attempt = try await test.ledger.begin(
            try Samples.intent(application.reference, resources, at: test.clock.now))
        let size = try #require(try await test.ledger.statistics().bytes as Int64?)
        // The size that there is, and the reserve on top of it.
        let ledger = try await test.reopen { options in
            options.maximumBytes = max(size, 300 << 10) + (400 << 10)
            options.reserveBytes = 200 << 10
        }
        // Down to the last page: a small row may still fit where a large one did not.
        for size in [12_000, 3000, 500, 50] {
            let filler = String(repeating: "x", count: size)
            var refused: Failure?
            for number in 0..<400 where refused == nil {
                do throws(Failure) {
                    try await ledger.record(
                        Event(
                            .serverStarted, actor: .controller,
                            facts: ["n": .integer(Int64(number)), "f": .string(filler)]))
                } catch {
                    refused = error
                }
            }
            #expect(refused?.code == .ledgerFull)
        }
        let other = await #expect(throws: Failure.self) {
            try await ledger.putApplication(Samples.application("second"), actor: .controller)
        }
        #expect(other?.code == .ledgerFull)
        let sequence = try await ledger.finish(attempt, Samples.success(of: attempt, at: test.clock.now))
        #expect(try await ledger.openAttempts().isEmpty)
        #expect(ledger.failure == nil)
        try await test.reopen()
        #expect(try await test.ledger.record(event(1)) > sequence)
        let report = try await test.verify()
        #expect(report.isSound, "\(report)")
    }

    @Test("a ledger that is closed takes nothing more, and closing waits for what it took") func closing() async throws
    {
        let test = try await TestLedger.make()
        let ledger = test.ledger
        let tasks = (0..<30).map { number in Task { try? await ledger.record(event(number)) } }
        await ledger.close()
        var acknowledged: Set<Int64> = []
        for task in tasks { if let sequence = await task.value { acknowledged.insert(sequence.value) } }
        let failure = await #expect(throws: Failure.self) { try await ledger.record(event(1)) }
        #expect(failure?.code == .ledgerClosed)
        try await test.reopen()
        let head = try await test.ledger.head()?.value ?? 0
        #expect(Set(acknowledged) == Set(head == 0 ? [] : Array(1...head)))
    }
}
