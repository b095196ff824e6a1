import Foundation
import GRDB
import LedgerStore
import Shiplog
import ShiplogTesting
import Testing

@Suite("What was deployed at a moment") struct PointInTimeTests {
    private func registered(
        _ test: TestLedger, _ name: String = "guestbook", project: String = "default"
    ) async throws -> RegisteredApplication {
        try await test.ledger.putApplication(Samples.application(name, project: project), actor: .controller).0
    }

    @Test("a moment means the last row recorded by then, and the whole revision before it is what was deployed")
    func whole() async throws {
        let test = try await TestLedger.make()
        let application = try await registered(test)
        test.clock.advance(byMilliseconds: 60_000)
        let nothing = try #require(try await test.state())
        #expect(nothing.content == .nothing && nothing.presence == .existed && nothing.sync == nil)
        let first = try await test.apply(application, ["one": "1", "two": "2"], commit: "a")
        let between = test.clock.now
        test.clock.advance(byMilliseconds: 60_000)
        let second = try await test.apply(application, ["one": "1", "two": "3"], commit: "b")
        let then = try #require(try await test.state(at: .moment(between.advanced(byMilliseconds: 59_999))))
        #expect(then.whole?.sequence == first && then.whole?.commit == CommitID(String(repeating: "a", count: 40)))
        #expect(then.whole?.recordedAt == between && then.whole?.actor.name == "ada" && then.whole?.cause == .manual)
        #expect(then.health == .progressing && then.sync == .synced)
        #expect(try await test.state()?.whole?.sequence == second)
        #expect(try await test.state(at: .sequence(first))?.whole?.sequence == first)
        let page = try await test.ledger.states(at: .moment(between))
        #expect(page.at.sequence == first && page.at.recordedAt == between && page.asOf == second)
        let before = try await test.ledger.states(at: .moment(Timestamp(milliseconds: 1)))
        #expect(before.at.sequence == nil && before.items.isEmpty)
        await #expect(throws: Failure.self) {
            try await test.ledger.states(at: .sequence(try #require(SequenceNumber(second.value + 1))))
        }
    }

    @Test("a sync of selected resources stands for them alone, however many they are")
    func selected() async throws {
        let test = try await TestLedger.make()
        let application = try await registered(test)
        let whole = try await test.apply(application, ["one": "1", "two": "1"], commit: "a") { $0.health = .healthy }
        let part = try await test.apply(application, ["one": "2", "two": "2"], commit: "b") { revision in
            revision.resources.removeAll { $0.key.name == "two" }
            revision.options.resources = revision.resources.map(\.key)
            revision.health = .healthy
        }
        let mixture = try #require(try await test.state()?.mixture)
        #expect(mixture.base?.sequence == whole && mixture.parts.map(\.sequence) == [part])
        #expect(mixture.parts.first?.isPartial == true && mixture.parts.first?.outcome == "succeeded")
        #expect(mixture.resources.map(\.sequence) == [part, whole])
        // What is good, what is whole and what can be gone back to is the whole one still.
        #expect(try await test.ledger.lastRevision(of: application.uid, where: .whole)?.sequence == whole)
        var query = RevisionQuery(applications: [application.uid], kinds: [.sync])
        query.wholeOnly = true
        #expect(try await test.ledger.revisions(query).items.map(\.sequence) == [whole])
        #expect(try await test.ledger.lastGood(of: application.uid, differingFrom: nil)?.sequence == whole)
        // All of them selected is a part nonetheless; the next whole one ends it.
        try await test.apply(application, ["one": "3", "two": "3"], commit: "c") { revision in
            revision.options.resources = revision.resources.map(\.key)
        }
        #expect(try await test.state()?.mixture?.resources.count == 2)
        let next = try await test.apply(application, ["one": "3", "two": "3"], commit: "c")
        #expect(try await test.state()?.whole?.sequence == next)
        let stored = try #require(try await test.ledger.lastRevision(of: application.uid, where: .applied))
        #expect(stored.revision.options.resources.isEmpty)
        guard case .revision(let read)? = try await test.ledger.record(at: part) else { return }
        #expect(read.revision.options.resources.map(\.name) == ["one"])
    }

    @Test("unchanged looks change nothing, and what they saw of health and sync counts")
    func unchanged() async throws {
        let test = try await TestLedger.make()
        let application = try await registered(test)
        let first = try await test.apply(application, ["one": "1"])
        var seen = Samples.reconcile(application.reference, at: test.clock.now, sameAs: nil)
        seen.health = .degraded
        seen.syncStatus = .outOfSync
        let degraded = try await test.ledger.record(seen)
        try await test.ledger.record(
            Samples.reconcile(application.reference, at: test.clock.now, sameAs: degraded))
        let newest = try await test.ledger.record(
            Event(
                .healthReached, application: application.reference, actor: .controller, revision: first,
                outcome: "Suspended"))
        let state = try #require(try await test.state(at: .sequence(degraded)))
        #expect(state.whole?.sequence == first && state.health == .degraded && state.sync == .outOfSync)
        #expect(try await test.state(at: .sequence(newest))?.health == .suspended)
        #expect(try await test.state(at: .sequence(newest))?.whole?.sequence == first)
    }

    @Test("a part of a sync is mixed, and says which revisions contributed what")
    func partialFailure() async throws {
        let test = try await TestLedger.make()
        let application = try await registered(test)
        let first = try await test.apply(application, ["one": "1", "two": "2", "three": "3"], commit: "a")
        let failed = try await test.close(
            try await test.open(application, ["one": "9", "two": "9", "three": "3"], commit: "b")
        ) { $0.fail(after: ["one": .updated, "two": .failed, "three": .unchanged]) }
        let mixture = try #require(try await test.state()?.mixture)
        #expect(mixture.base?.sequence == first)
        #expect(mixture.parts.map(\.sequence) == [failed] && mixture.parts.first?.resources == 2)
        #expect(mixture.parts.first?.outcome == "failed" && mixture.parts.first?.isUnknown == false)
        #expect(
            mixture.resources.map { "\($0.key.name)@\($0.sequence.value)" }.sorted() == [
                "one@\(failed.value)", "three@\(failed.value)", "two@\(first.value)"
            ])
        // The same once more, whole: then it is whole.
        let whole = try await test.apply(application, ["one": "9", "two": "9", "three": "3"], commit: "b")
        #expect(try await test.state()?.whole?.sequence == whole)
        #expect(try await test.state(at: .sequence(failed))?.mixture == mixture)
    }

    @Test("an attempt without effect, or with the same manifests, leaves what was whole whole")
    func harmlessFailures() async throws {
        let test = try await TestLedger.make()
        let application = try await registered(test)
        let first = try await test.apply(application, ["one": "1", "two": "2"])
        try await test.close(try await test.open(application, ["one": "9", "two": "9"], commit: "b")) {
            $0.fail(after: ["one": .failed])
        }
        #expect(try await test.state()?.whole?.sequence == first)
        // A repair that got half way: what it wrote is what was there.
        try await test.close(try await test.open(application, ["one": "1", "two": "2"])) {
            $0.fail(after: ["one": .updated, "two": .failed])
        }
        #expect(try await test.state()?.whole?.sequence == first)
    }

    @Test("one that was ended after its last write is whole, one that nobody saw end is not")
    func endings() async throws {
        let test = try await TestLedger.make()
        let application = try await registered(test)
        let first = try await test.apply(application, ["one": "1"])
        let ended = try await test.close(try await test.open(application, ["one": "9"], commit: "b")) {
            $0.fail(after: ["one": .updated])
            $0.outcome = .superseded("something newer was asked for while it ran")
        }
        #expect(try await test.state()?.whole?.sequence == ended)
        let lost = try await test.close(try await test.open(application, ["one": "7"], commit: "c")) {
            $0.resources = []
            $0.counts = Revision.Counts()
            $0.syncStatus = .unknown
            $0.outcome = .superseded("the application was changed after it began")
        }
        let mixture = try #require(try await test.state()?.mixture)
        #expect(mixture.base?.sequence == first && mixture.parts.first?.sequence == lost)
        #expect(mixture.parts.first?.isUnknown == true)
        #expect(mixture.parts.map(\.sequence) == [lost, ended])
    }

    @Test("a failure before anything was ever whole is mixed without a base")
    func neverWhole() async throws {
        let test = try await TestLedger.make()
        let application = try await registered(test)
        let failed = try await test.close(try await test.open(application, ["one": "1", "two": "2"])) {
            $0.fail(after: ["one": .created, "two": .failed])
        }
        let mixture = try #require(try await test.state()?.mixture)
        #expect(mixture.base == nil && mixture.parts.map(\.sequence) == [failed])
    }

    @Test("an attempt that was open then is in progress, and never shown as its target")
    func openAttempt() async throws {
        let test = try await TestLedger.make()
        let application = try await registered(test)
        let first = try await test.apply(application, ["one": "1"], commit: "a")
        let attempt = try await test.open(application, ["one": "2"], commit: "b")
        func check() async throws {
            let state = try #require(try await test.state(at: .sequence(attempt.sequence)))
            #expect(state.open?.sequence == attempt.sequence && state.open?.desired == attempt.desired)
            guard case .inProgress(_, let before) = state.content else { return }
            #expect(before?.sequence == first)
        }
        try await check()
        let second = try await test.close(attempt)
        // Still so once it has ended since.
        try await check()
        #expect(try await test.state()?.whole?.sequence == second)
        #expect(try await test.state(at: .sequence(first))?.whole?.sequence == first)
    }

    @Test("a rollback counts as what it applied, with the pin that it set")
    func rollback() async throws {
        let test = try await TestLedger.make()
        let application = try await registered(test)
        let first = try await test.apply(application, ["one": "1"], commit: "a")
        let second = try await test.apply(application, ["one": "2"], commit: "b")
        let digest = try #require(try await test.state(at: .sequence(first))?.whole?.desired)
        let pin = Pin(
            hold: .untilNewCommit, target: first, desired: digest, commit: nil, leftInputs: nil, rejected: [])
        let back = try await test.apply(
            application, ["one": "1"], commit: "a", kind: .rollback, backTo: first, pin: .set(pin))
        let released = try await test.ledger.setPin(
            .release, of: application.uid,
            event: Event(.unpinned, application: application.reference, actor: .controller))
        let state = try #require(try await test.state(at: .sequence(back)))
        #expect(state.whole?.kind == .rollback && state.whole?.rolledBackTo == first && state.whole?.desired == digest)
        #expect(state.whole?.commit?.hex.first == "a")
        #expect(state.pin == pin)
        #expect(try await test.state(at: .sequence(second))?.pin == nil)
        #expect(try await test.state(at: .sequence(released))?.pin == nil)
    }

    @Test("history follows the uid: an application registered again under its name is another")
    func recreated() async throws {
        let test = try await TestLedger.make()
        let old = try await registered(test)
        let first = try await test.apply(old, ["one": "1"])
        let deleted = try await test.ledger.deleteApplication(old.uid, actor: .controller)
        let new = try await registered(test)
        let second = try await test.apply(new, ["one": "2"], commit: "b")
        #expect(old.uid != new.uid)
        let then = try await test.ledger.states(at: .sequence(first)).items
        #expect(then.map(\.application.uid) == [old.uid] && then.first?.deletedBy == deleted)
        #expect(try await test.ledger.states(at: .sequence(deleted)).items.isEmpty)
        #expect(try await test.ledger.states(at: .head).items.map(\.application.uid) == [new.uid])
        // Asked for by name, both are told of, with whether they existed.
        let named = try await test.ledger.states(at: .sequence(first), names: ["guestbook"]).items
        #expect(
            Set(named.map { "\($0.application.uid == old.uid) \($0.presence.rawValue)" }) == [
                "true existed", "false not-created"
            ])
        let gone = try await test.ledger.states(at: .sequence(second), names: ["guestbook"]).items
        #expect(gone.first { $0.application.uid == old.uid }?.presence == .deleted)
        let comparison = try await test.ledger.compare(from: .sequence(first), to: .sequence(second))
        #expect(comparison.items.count == 2 && comparison.unchanged == 0)
        for item in comparison.items {
            switch item {
            case .vanished(let state): #expect(state.application.uid == old.uid)
            case .appeared(let state): #expect(state.application.uid == new.uid)
            case .changed: Issue.record("two applications are taken for one")
            }
        }
    }

    @Test("with the clock set back, order is that of the sequence")
    func clockSetBack() async throws {
        let test = try await TestLedger.make()
        let application = try await registered(test)
        let first = try await test.apply(application, ["one": "1"])
        let before = test.clock.now
        test.clock.advance(byMilliseconds: -3_600_000)
        let second = try await test.apply(application, ["one": "2"], commit: "b")
        #expect(try await test.state(at: .moment(before))?.whole?.sequence == second)
        #expect(try await test.ledger.states(at: .moment(before.advanced(byMilliseconds: -1))).at.sequence == nil)
        #expect(try await test.state(at: .sequence(first))?.whole?.sequence == first)
    }

    @Test("dry runs do not count") func dryRun() async throws {
        let test = try await TestLedger.make()
        let application = try await registered(test)
        let first = try await test.apply(application, ["one": "1"])
        let dry = try await test.open(application, ["one": "2"], commit: "b", dryRun: true)
        #expect(try await test.state()?.whole?.sequence == first)
        try await test.close(dry)
        #expect(try await test.state()?.whole?.sequence == first)
    }

    @Test("pruned resources are gone, leftover ones are counted beside what is whole") func prune() async throws {
        let test = try await TestLedger.make()
        let application = try await registered(test)
        try await test.apply(application, ["one": "1", "two": "2"])
        let kept = try await test.apply(application, ["one": "1"], commit: "b") { $0.note(["two": .leftover]) }
        let whole = try await test.state()?.whole
        #expect(whole?.sequence == kept && whole?.leftover == 1)
        // The prune came about, and what was to be changed after it did not.
        let failed = try await test.close(try await test.open(application, ["one": "5", "three": "3"], commit: "c")) {
            $0.fail(after: ["three": .created, "one": .failed, "two": .pruned])
        }
        let mixture = try #require(try await test.state()?.mixture)
        #expect(mixture.resources.first { $0.key.name == "two" }?.manifest == nil)
        #expect(mixture.resources.first { $0.key.name == "three" }?.sequence == failed)
        let pruned = try await test.apply(application, [:], commit: "d") { $0.note(["one": .pruned, "three": .pruned]) }
        #expect(try await test.state()?.whole?.sequence == pruned)
    }

    @Test("an application cannot be renamed, and its project is the one it had") func names() async throws {
        let test = try await TestLedger.make()
        let application = try await registered(test, project: "team")
        let first = try await test.apply(application, ["one": "1"])
        _ = try await registered(test, project: "other")
        #expect(try await test.state(at: .sequence(first))?.application.project == "team")
        #expect(try await test.state()?.application.project == "other")
        let uids = try await test.ledger.states(
            at: .sequence(first), where: { $0.project == "team" }
        ).items.map(\.application.uid)
        #expect(uids == [application.uid])
        #expect(throws: DatabaseError.self) {
            try tamper(test, "UPDATE application SET name = 'another' WHERE uid = '\(application.uid.value)'")
        }
    }

    @Test("pages follow each other by name, and leave out what may not be seen") func pages() async throws {
        let test = try await TestLedger.make()
        for name in ["delta", "alpha", "charlie", "bravo", "hidden"] { _ = try await registered(test, name) }
        var names: [String] = []
        var after: ApplicationReference?
        repeat {
            let page = try await test.ledger.states(at: .head, after: after, limit: 2, where: { $0.name != "hidden" })
            names += page.items.map(\.application.name)
            #expect(page.items.count <= 2)
            after = page.next
        } while after != nil
        #expect(names == ["alpha", "bravo", "charlie", "delta"])
    }

    @Test("what is the same at two instants is only counted") func comparing() async throws {
        let test = try await TestLedger.make()
        let (one, two) = (try await registered(test, "one"), try await registered(test, "two"))
        try await test.apply(one, ["a": "1"])
        let from = try await test.apply(two, ["a": "1"])
        try await test.apply(one, ["a": "1"])
        let to = try await test.apply(two, ["a": "2"], commit: "b")
        let comparison = try await test.ledger.compare(from: .sequence(from), to: .head)
        #expect(comparison.unchanged == 1 && comparison.to.sequence == to)
        guard case .changed(let before, let after)? = comparison.items.first else {
            Issue.record("nothing changed")
            return
        }
        #expect(before.whole?.sequence == from && after.whole?.sequence == to && comparison.items.count == 1)
    }
}
