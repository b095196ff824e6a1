import Foundation
import GRDB
@testable import LedgerStore
import Shiplog
import ShiplogTesting
import Testing

/// A page must cost the same at ten thousand rows and at ten million: nothing that a page asks walks a whole table,
/// and nothing sorts more than the page it gives.
@Suite struct PlanTests {
    private static let uid = ApplicationUID("k3x9q2m7w4tb")

    static func revisionQueries() -> [(String, RevisionQuery)] {
        let uids = [uid].compactMap { $0 }
        var queries: [(String, RevisionQuery)] = [
            ("everything that changed", RevisionQuery()),
            ("the oldest first", RevisionQuery(order: .oldestFirst, cursor: SequenceNumber(70))),
            ("one application", RevisionQuery(applications: uids)),
            ("one application, unchanged too", RevisionQuery(applications: uids, includeUnchanged: true)),
            ("one application's failures", RevisionQuery(applications: uids, outcomes: ["failed"])),
            ("one application with text", RevisionQuery(applications: uids, text: "greeting")),
            ("a project", RevisionQuery(projects: ["default"])),
            ("rollbacks", RevisionQuery(kinds: [.rollback])),
            ("syncs and rollbacks", RevisionQuery(kinds: [.sync, .rollback])),
            ("a cause", RevisionQuery(causes: [.manual])),
            ("a person", RevisionQuery(actor: "ada")),
            ("failures", RevisionQuery(outcomes: ["failed"])),
            ("a commit", RevisionQuery(commit: String(repeating: "a", count: 40))),
            ("a short commit", RevisionQuery(commit: "aaaaaaa")),
            ("a time", RevisionQuery(from: Timestamp(milliseconds: 1), to: Timestamp(milliseconds: .max / 2)))
        ]
        for (name, query) in queries {
            var next = query
            next.cursor = SequenceNumber(1500)
            next.order = query.order
            queries.append((name + ", the next page", next))
        }
        return queries
    }

    static func eventQueries() -> [(String, EventQuery)] {
        [
            ("an application's", EventQuery(applications: [uid].compactMap { $0 })),
            ("a project's", EventQuery(projects: ["default"])), ("one kind", EventQuery(kinds: [.serverStarted])),
            ("a person's", EventQuery(actor: "ada")), ("refused ones", EventQuery(outcomes: ["refused"])),
            ("a revision's", EventQuery(revision: SequenceNumber(7)))
        ]
    }

    private func plan(_ db: Database, _ sql: String, _ arguments: StatementArguments) throws -> [String] {
        try Row.fetchAll(db, sql: "EXPLAIN QUERY PLAN " + sql, arguments: arguments).map { $0["detail"] }
    }

    /// `SEARCH … USING …` and the scan of a list given as JSON are all that may stand in a plan.
    private func check(_ plan: [String], _ name: String, mayWalk: Bool = false, maySort: Bool = false) {
        for step in plan {
            let isList = step.contains("json_each") || step.hasPrefix("SCAN CONSTANT ROW")
            let isOfParts = step.hasPrefix("SCAN (") || step.hasPrefix("SCAN subquery")
            let isWalk = mayWalk && step.contains("USING INDEX")
            #expect(
                !step.hasPrefix("SCAN") || isList || isOfParts || isWalk, "\(name) walks a whole table: \(plan)")
            #expect(maySort || !step.contains("TEMP B-TREE FOR ORDER BY"), "\(name) sorts: \(plan)")
        }
    }

    private func filled(_ rows: Int) async throws -> TestLedger {
        let test = try await TestLedger.make()
        let (application, revision, _) = try await test.deployed()
        let ledger = test.ledger
        let at = test.clock.now
        try await withThrowingTaskGroup(of: Void.self) { group in
            for writer in 0..<100 {
                group.addTask {
                    for number in 0..<(rows / 100) {
                        // One of fifty changed something.
                        let sameAs = (writer + number) % 50 == 0 ? nil : revision
                        try await ledger.record(Samples.reconcile(application.reference, at: at, sameAs: sameAs))
                    }
                }
            }
            try await group.waitForAll()
        }
        return test
    }

    @Test("no query behind a page walks a table or sorts, statistics known or not")
    func plans() async throws {
        let test = try await filled(2000)
        await test.close()
        let queue = try DatabaseQueue(path: test.directory.ledger)
        for analyzed in [false, true] {
            if analyzed { try await queue.write { db in try db.execute(sql: "ANALYZE") } }
            try await queue.read { db in
                for (name, query) in Self.revisionQueries() {
                    let statement = try query.statement(uids: query.applications.map(\.value), from: nil, to: nil)
                    // A prefix may name several commits; the index holds the rows of each in order, not of all.
                    try check(
                        self.plan(db, statement), name, mayWalk: statement.index == "revision_changed",
                        maySort: query.commit?.utf8.count == 7)
                }
                for (name, query) in Self.eventQueries() {
                    let statement = query.statement(uids: query.applications.map(\.value), from: nil, to: nil)
                    try check(self.plan(db, statement), name)
                }
                try self.whole(db)
            }
        }
        try queue.close()
    }

    private func plan(_ db: Database, _ statement: PageStatement) throws -> [String] {
        var arguments = statement.arguments
        arguments["limit"] = 51
        return try plan(db, statement.sql, StatementArguments(arguments))
    }

    /// The statements that are not put together for a filter.
    private func whole(_ db: Database) throws {
        try check(plan(db, LedgerSQL.log, ["after": 5, "limit": 100]), "the stream")
        try check(plan(db, LedgerSQL.recordedAt, ["sequence": 5]), "a moment")
        for selection: Ledger.RevisionSelection in [.changed, .any, .applied, .whole] {
            try check(plan(db, LedgerSQL.last(selection), ["application": "x"]), "the last revision (\(selection))")
        }
        try check(plan(db, LedgerSQL.whole, ["application": "x", "digest": nil]), "good revisions")
        try check(plan(db, LedgerSQL.becameHealthy, ["application": "x", "sequence": 5]), "becoming healthy")
        try check(plan(db, TrialSQL.attempts, ["application": "x", "limit": 100]), "what is on trial")
        try check(plan(db, TrialSQL.withheld, ["sequence": 5]), "what was not taken back")
        try check(plan(db, LedgerSQL.sealed, ["owner": Data()]), "sealed values")
        let page: StatementArguments = ["at": 5, "name": "", "uid": ""]
        try check(plan(db, LedgerSQL.states(named: false), page), "what was deployed at a moment")
        try check(plan(db, LedgerSQL.states(named: true), page + ["names": "[]"]), "one application at a moment")
        let then: StatementArguments = ["application": "x", "at": 5]
        try check(plan(db, LedgerSQL.applied, then), "attempts by a moment")
        try check(plan(db, LedgerSQL.declaration, then), "a declaration at a moment")
        try check(plan(db, LedgerSQL.pinned, then), "a pin at a moment")
        try check(plan(db, LedgerSQL.fleets, ["kind": "x"]), "rollbacks of several applications")
        try check(plan(db, LedgerSQL.fleetGroups, ["kind": "x", "after": 0]), "those that have ended")
        try check(plan(db, LedgerSQL.fleetEnd, ["kind": "x", "group": 5]), "the end of one")
        try check(plan(db, LedgerSQL.fleetAttempt, ["application": "x", "group": 5]), "an application's part of one")
        let pair: StatementArguments = ["first": 5, "last": 500]
        try check(plan(db, LedgerSQL.entries, pair), "a range's entries")
        try check(plan(db, LedgerSQL.leaves, pair), "a range's leaves")
        try check(plan(db, LedgerSQL.changed, ["first": 5, "last": 500, "limit": 100]), "what changed in a range")
        let after: StatementArguments = ["first": 5, "last": 500, "sequence": 5, "name": ""]
        try check(plan(db, LedgerSQL.bodies, after), "a range's bodies")
        try check(plan(db, LedgerSQL.nextEntry, ["sequence": 5]), "the next entry")
        try check(plan(db, LedgerSQL.previousEntry, ["sequence": 5]), "the entry before")
        let single = [
            "SELECT sequence, entry FROM revision WHERE sequence = 5",
            "SELECT name, encoding, content FROM body WHERE sequence = 5",
            "SELECT encoding, size, content FROM blob WHERE digest = x'00'",
            "SELECT uid FROM application WHERE name = 'x'",
            "SELECT sequence FROM attempt WHERE application = 'x' AND closed_by IS NULL",
            """
            SELECT api_group, kind, namespace, name, api_version, first, last FROM inventory
            WHERE application = 'x' ORDER BY api_group, kind, namespace, name
            """
        ]
        for sql in single { try check(plan(db, sql, []), sql) }
    }
}
