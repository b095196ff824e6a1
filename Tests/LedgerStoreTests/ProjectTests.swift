import GRDB
import Shiplog
import ShiplogTesting
import Testing

@testable import LedgerStore

/// Projects are their events: what is read is what was done, and nothing besides.
@Suite("Projects in the ledger") struct ProjectLedgerTests {
    private static func project(_ name: String, _ description: String = "") -> AppProject {
        var project = AppProject.permissive(name)
        project.document.set(.string(description), at: ["spec", "description"])
        return project
    }

    private static let ada = Actor(name: "ada", means: .token, tokenID: "t1")

    @Test("a project is made, changed and deleted by events with before and after") func life() async throws {
        let test = try await TestLedger.make()
        let ledger = test.ledger
        #expect(try await ledger.hasHadProjects() == false)
        let (made, changed) = try await ledger.putProject(Self.project("shop"), actor: Self.ada)
        #expect(changed && made.createdBy == made.changedBy)
        #expect(try await ledger.putProject(Self.project("shop"), actor: Self.ada).changed == false)
        let (second, _) = try await ledger.putProject(
            Self.project("shop", "new"), actor: Self.ada, ifChangedBy: made.changedBy)
        #expect(second.createdBy == made.createdBy && second.changedBy > made.changedBy)
        let event = try #require(try await ledger.events(EventQuery(kinds: [.projectChanged])).items.first)
        #expect(event.value.actor.name == "ada")
        #expect(event.value.facts["changed"] == ["/spec/description"])
        #expect(event.changes?.map(\.path) == ["/spec/description"])
        try await ledger.deleteProject("shop", actor: Self.ada, reason: "gone")
        #expect(try await ledger.projects().isEmpty)
        #expect(try await ledger.hasHadProjects())
        let again = try await ledger.putProject(Self.project("shop"), actor: Self.ada).0
        #expect(again.createdBy == again.changedBy)
    }

    @Test("a change against another version, or to what should be new, is refused") func preconditions() async throws {
        let test = try await TestLedger.make()
        let (made, _) = try await test.ledger.putProject(Self.project("shop"), actor: Self.ada)
        let changed = await #expect(throws: Failure.self) {
            try await test.ledger.putProject(
                Self.project("shop", "new"), actor: Self.ada, ifChangedBy: SequenceNumber(made.changedBy.value + 1))
        }
        #expect(changed?.code == .projectChangedMeanwhile)
        let exists = await #expect(throws: Failure.self) {
            try await test.ledger.putProject(Self.project("shop"), actor: Self.ada, expectAbsent: true)
        }
        #expect(exists?.code == .projectExists)
        let missing = await #expect(throws: Failure.self) {
            try await test.ledger.deleteProject("web", actor: Self.ada)
        }
        #expect(missing?.code == .projectNotFound)
    }

    @Test("a project that an application names stays") func inUse() async throws {
        let test = try await TestLedger.make()
        try await test.ledger.putProject(Self.project("shop"), actor: Self.ada)
        _ = try await test.ledger.putApplication(Samples.application("web", project: "shop"), actor: Self.ada)
        let failure = await #expect(throws: Failure.self) {
            try await test.ledger.deleteProject("shop", actor: Self.ada)
        }
        #expect(failure?.code == .projectInUse)
    }

    @Test("what a project says now cannot be erased, what it said before can") func erasing() async throws {
        let test = try await TestLedger.make()
        let ledger = test.ledger
        let (first, _) = try await ledger.putProject(Self.project("shop", "Ada Byron's"), actor: Self.ada)
        let event = Event(.bodyErased, actor: Self.ada)
        let failure = await #expect(throws: Failure.self) {
            try await ledger.eraseBody("detail", of: first.changedBy, event: event)
        }
        #expect(failure?.code == "ledger.part-in-use")
        try await ledger.putProject(Self.project("shop", "the team's"), actor: Self.ada)
        try await ledger.eraseBody("detail", of: first.changedBy, event: event)
        #expect(try await ledger.project(named: "shop")?.document.at("spec", "description") == "the team's")
    }

    @Test("nobody else makes events of projects") func reserved() async throws {
        let test = try await TestLedger.make()
        let failure = await #expect(throws: Failure.self) {
            try await test.ledger.record(Event(.projectChanged, actor: Self.ada, facts: ["name": "shop"]))
        }
        #expect(failure?.code == "ledger.event-reserved")
    }

    @Test("projects are found by an index, not by walking the log") func plan() async throws {
        let test = try await TestLedger.make()
        let plan = try await test.ledger.readers.read { db in
            try Row.fetchAll(db, sql: "EXPLAIN QUERY PLAN " + ProjectFold.query).map { try $0.held("detail") as String }
        }
        #expect(plan.contains { $0.contains("event_kind") }, "\(plan)")
        #expect(!plan.contains { $0.hasPrefix("SCAN event") }, "\(plan)")
    }
}
