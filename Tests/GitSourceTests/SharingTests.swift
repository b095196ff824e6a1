import Foundation
import Shiplog
import Synchronization
import Testing

@testable import GitSource

@Suite("Sharing a fetch")
struct SharingTests {
    @Test("who comes while a run is under way shares the next one, and one run serves all of them")
    func next() async throws {
        let sharing = Sharing<Int>(cancelled: Failure("test.cancelled", "Given up"))
        let starts = Atomic<Int>(0)
        let runs = Atomic<Int>(0)
        let start: @Sendable () -> Void = { starts.add(1, ordering: .relaxed) }
        @Sendable func ask() async throws(Failure) -> Int { try await sharing.join(start: start) }
        @Sendable func once() -> Result<Int, Failure> { .success(runs.add(1, ordering: .relaxed).newValue) }

        async let first = ask()
        #expect(try await eventually { starts.load(ordering: .relaxed) == 1 })
        let others = Mutex<[Task<Int, any Error>]>([])
        let again = sharing.run(
            {
                // Eight more come now: too late for this answer.
                for _ in 0..<8 { others.withLock { $0.append(Task { try await ask() }) } }
                let deadline = ContinuousClock.now + .seconds(60)
                while sharing.waiting < 8, ContinuousClock.now < deadline { usleep(1000) }
                return once()
            }, afterwards: {})
        #expect(again)
        #expect(try await first == 1)
        #expect(sharing.run({ once() }, afterwards: {}) == false)
        for task in others.withLock({ $0 }) { #expect(try await task.value == 2) }
        #expect(starts.load(ordering: .relaxed) == 1 && runs.load(ordering: .relaxed) == 2)
    }

    @Test("a cancelled caller leaves at once; the run is only stopped when nobody is left")
    func cancelling() async throws {
        let sharing = Sharing<Int>(cancelled: Failure("test.cancelled", "Given up"))
        let one = Task { try await sharing.join(start: {}) }
        let two = Task { try await sharing.join(start: {}) }
        #expect(try await eventually { sharing.waiting == 2 })
        let again = sharing.run(
            {
                one.cancel()
                let deadline = ContinuousClock.now + .seconds(60)
                while sharing.waiting > 1, ContinuousClock.now < deadline { usleep(1000) }
                let stoppedWithOne = sharing.shouldStop
                two.cancel()
                while !sharing.shouldStop, ContinuousClock.now < deadline { usleep(1000) }
                #expect(!stoppedWithOne && sharing.shouldStop)
                return .success(1)
            }, afterwards: {})
        #expect(!again)
        for task in [one, two] { #expect(await failure { try await task.value }?.code == "test.cancelled") }
        let late = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return try await sharing.join(start: { Issue.record("a caller that was cancelled before starts nothing") })
        }
        #expect(await failure { try await late.value }?.code == "test.cancelled")
        #expect(sharing.waiting == 0)
    }

    @Test("more callers than the limit are refused")
    func limit() async throws {
        let sharing = Sharing<Int>(limit: 1, cancelled: Failure("test.cancelled", "Given up"))
        let one = Task { try await sharing.join(start: {}) }
        #expect(try await eventually { sharing.waiting == 1 })
        #expect(await failure { try await sharing.join(start: {}) }?.code == "git.busy")
        _ = sharing.run({ .success(7) }, afterwards: {})
        #expect(try await one.value == 7)
    }

    private final class Count: Sendable {
        let value = Mutex(0)
    }

    @Test("fifty callers at once cost few looks at the server, and all see the newest commit")
    func repositories() async throws {
        let fixture = try Fixture()
        let origin = try fixture.repository()
        let first = try origin.commit("first")
        let server = try GitServer(.http, root: fixture.root)
        let repositories = fixture.repositories()
        let url = try RepositoryURL("http://127.0.0.1:\(server.port)/origin")
        let asked = Count()
        try Data().write(to: URL(fileURLWithPath: fixture.root + "/hold"))
        try await withThrowingTaskGroup(of: CommitID?.self) { group in
            for _ in 0..<50 {
                group.addTask {
                    asked.value.withLock { $0 += 1 }
                    return try await repositories.fetch(url).refs.headCommit
                }
            }
            // The server answers the first when all have asked.
            #expect(try await eventually { asked.value.withLock { $0 } == 50 })
            try FileManager.default.removeItem(atPath: fixture.root + "/hold")
            for try await head in group { #expect(head == first) }
        }
        #expect((1...10).contains(repositories.statistics.checks))
    }

    @Test("a fetch that everybody gave up is ended, and the next one works")
    func givenUp() async throws {
        let fixture = try Fixture()
        let server = try SilentServer()
        let repositories = fixture.repositories()
        let url = try RepositoryURL("git://127.0.0.1:\(server.port)/origin")
        let tasks = (0..<3).map { _ in Task { try await repositories.fetch(url) } }
        #expect(try await eventually { try !processes(mentioning: "127.0.0.1:\(server.port)").isEmpty })
        for task in tasks { task.cancel() }
        for task in tasks { #expect(await failure { try await task.value }?.code == "git.cancelled") }
        #expect(try await eventually { try processes(mentioning: "127.0.0.1:\(server.port)").isEmpty })
        let origin = try fixture.repository()
        try origin.commit("first")
        #expect(try await repositories.fetch(origin.url).changed)
    }
}
