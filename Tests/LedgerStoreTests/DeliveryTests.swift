import Foundation
import GRDB
import Shiplog
import ShiplogTesting
import Testing

@testable import LedgerStore

/// What the figures are made of is tested in ShiplogTests; here, that the right rows are read, and at what cost.
@Suite("Deployments out of the ledger") struct DeliveryTests {
    /// A ledger with an application, and one that deploys by hand: each step a minute after the last.
    private struct Story {
        let test: TestLedger
        let application: RegisteredApplication
        var ledger: Ledger { test.ledger }

        static func begin() async throws -> Story {
            let test = try await TestLedger.make()
            let (application, _) = try await test.ledger.putApplication(
                Samples.application("guestbook", project: "shop"), actor: .controller)
            return Story(test: test, application: application)
        }

        @discardableResult
        func deploy(
            _ value: String, commit: Character, kind: Revision.Kind = .sync, cause: Cause = .manual,
            health: HealthStatus = .progressing, failed: Int = 0
        ) async throws -> SequenceNumber {
            test.clock.advance(byMilliseconds: 60_000)
            var intent = try Samples.intent(
                application.reference, [try Samples.configMap("greeting", ["text": value])], at: test.clock.now,
                kind: kind, commit: commit)
            intent.cause = cause
            let attempt = try await ledger.begin(intent)
            test.clock.advance(byMilliseconds: 1000)
            var revision = Samples.success(of: attempt, at: test.clock.now)
            revision.health = health
            revision.counts.failed = failed
            return try await ledger.finish(attempt, revision)
        }

        func health(_ health: HealthStatus, of revision: SequenceNumber) async throws {
            test.clock.advance(byMilliseconds: 60_000)
            try await ledger.record(
                Event(
                    .healthReached, application: application.reference, actor: .controller, revision: revision,
                    outcome: health.rawValue, facts: ["health": .string(health.rawValue)]))
        }

        func read(from: Timestamp, to: Timestamp) async throws -> [Deployment] {
            try await ledger.deliveries(of: [application.uid], from: from, to: to).items.first?.deployments ?? []
        }
    }

    @Test("deployments, their health and what became of them are read from revisions and events") func story()
        async throws
    {
        let story = try await Story.begin()
        let start = story.test.clock.now
        let first = try await story.deploy("one", commit: "a", health: .healthy)
        let second = try await story.deploy("two", commit: "b")
        try await story.health(.degraded, of: second)
        let back = try await story.deploy("one", commit: "a", kind: .rollback)
        try await story.health(.healthy, of: back)
        let healed = try await story.deploy("one", commit: "a", cause: .selfHeal)
        let partly = try await story.deploy("three", commit: "c", failed: 1)
        let end = story.test.clock.now.advanced(byMilliseconds: 1)
        let found = try await story.read(from: start, to: end)
        #expect(found.map(\.first) == [first, second, back, partly])
        #expect(found.map(\.project) == ["shop", "shop", "shop", "shop"])
        #expect(found.first?.healthy?.sequence == first && found.first?.trouble == [])
        let bad = found.dropFirst().first
        #expect(bad?.trouble == [.degraded, .rolledBack])
        #expect(bad?.restored.map { $0.sequence > back && $0.sequence < healed } == true)
        // A success in which a resource failed is none.
        #expect(found.last?.succeeded == nil && found.last?.trouble == [.failed])
        let read = try await story.ledger.deliveries(of: [story.application.uid], from: start, to: end)
        #expect(read.items.first?.exclusions.selfHeals == 1)
        #expect(try await read.asOf == story.ledger.head())
        await story.test.close()
    }

    @Test("a window takes what began in it, and knows what was before and what came after") func window() async throws {
        let story = try await Story.begin()
        try await story.deploy("one", commit: "a", health: .healthy)
        story.test.clock.advance(byMilliseconds: 1000)
        let from = story.test.clock.now
        // The same manifests as before the window, then the old commit with others, then a new one.
        try await story.deploy("one", commit: "a", health: .healthy)
        let again = try await story.deploy("two", commit: "a", health: .healthy)
        let late = try await story.deploy("three", commit: "d")
        story.test.clock.advance(byMilliseconds: 1000)
        let to = story.test.clock.now
        try await story.health(.healthy, of: late)
        try await story.deploy("four", commit: "e", health: .healthy)
        let found = try await story.read(from: from, to: to)
        #expect(found.map(\.first) == [again, late])
        #expect(found.first?.leadTime == nil, "the commit was healthy before")
        #expect(found.last?.healthy?.sequence.value == late.value + 1, "health after the window counts")
        #expect(try await story.read(from: to, to: story.test.clock.now.advanced(byMilliseconds: 1)).count == 1)
        #expect(try await story.read(from: from.advanced(byMilliseconds: -9_000_000), to: from).count == 1)
        #expect(try await story.ledger.deliveries(of: [], from: from, to: to).items.isEmpty)
        await story.test.close()
    }

    @Test("no statement behind the figures walks a table or sorts") func plans() async throws {
        let story = try await Story.begin()
        for index in 0..<50 { try await story.deploy("\(index)", commit: "a", health: .healthy) }
        await story.test.close()
        let queue = try DatabaseQueue(path: story.test.directory.ledger)
        for isAnalyzed in [false, true] {
            if isAnalyzed { try await queue.write { db in try db.execute(sql: "ANALYZE") } }
            let range: StatementArguments = ["application": "x", "first": 5, "last": 900, "limit": 10]
            let statements: [(String, StatementArguments)] = [
                (DeliverySQL.revisions, range), (DeliverySQL.health, range),
                (DeliverySQL.before, ["application": "x", "first": 5]),
                (DeliverySQL.known, ["application": "x", "first": 5, "commit": "c"])
            ]
            try await queue.read { db in
                for (sql, arguments) in statements {
                    let steps = try Row.fetchAll(db, sql: "EXPLAIN QUERY PLAN " + sql, arguments: arguments)
                    for step in steps {
                        let detail: String = step["detail"]
                        #expect(!detail.hasPrefix("SCAN") && !detail.contains("TEMP B-TREE"), "\(detail): \(sql)")
                    }
                }
            }
        }
        try queue.close()
    }
}
