import LedgerStore
import Shiplog
import ShiplogTesting
import Testing

@Suite("Who last changed a resource") struct BlameTests {
    private func blame(
        _ test: TestLedger, _ application: RegisteredApplication, _ name: String, _ field: String? = nil,
        at instant: Instant = .head
    ) async throws -> Blame {
        let path = try field.map { try #require(ManifestPath($0)) }
        return try await test.ledger.blame(
            ResourceQuestion(kind: "configmap", name: name), of: application.reference, field: path, at: instant)
    }

    private func code(_ body: () async throws -> Void) async -> String? {
        do {
            try await body()
            return nil
        } catch let failure as Failure { return failure.code.rawValue } catch { return "\(error)" }
    }

    @Test("it is the revision in which the present manifest began, not the newest that applied it")
    func resources() async throws {
        let test = try await TestLedger.make()
        let (application, _) = try await test.ledger.putApplication(
            Samples.application("guestbook"), actor: .controller)
        let first = try await test.apply(application, ["one": "1", "two": "1"], commit: "a")
        let second = try await test.apply(application, ["one": "2", "two": "1"], commit: "b")
        let third = try await test.apply(application, ["one": "2", "two": "1", "three": "1"], commit: "c")
        let one = try await blame(test, application, "one")
        #expect(one.revision.sequence == second && one.change == .changed && one.previous == first)
        let two = try await blame(test, application, "two")
        #expect(two.revision.sequence == first && two.change == .created && two.previous == nil)
        #expect(try await blame(test, application, "three").revision.sequence == third)
        #expect(try await blame(test, application, "one", at: .sequence(first)).revision.sequence == first)
        #expect(await code { _ = try await blame(test, application, "four") } == "blame.resource-unknown")
    }

    @Test("a field is followed by itself") func fields() async throws {
        let test = try await TestLedger.make()
        let (application, _) = try await test.ledger.putApplication(
            Samples.application("guestbook"), actor: .controller)
        func apply(_ data: [String: String], _ commit: Character) async throws -> SequenceNumber {
            let resources = [try Samples.configMap("one", data)]
            let attempt = try await test.ledger.begin(
                try Samples.intent(application.reference, resources, at: test.clock.now, commit: commit))
            return try await test.close(attempt)
        }
        let first = try await apply(["text": "hello", "size": "1"], "a")
        let second = try await apply(["text": "hello", "size": "2"], "b")
        let third = try await apply(["text": "hello"], "c")
        let text = try await blame(test, application, "one", ".data.text")
        #expect(text.revision.sequence == first && text.value == "hello" && text.change == .created)
        let size = try await blame(test, application, "one", "data.size")
        #expect(size.revision.sequence == third && size.change == .removed && size.previousValue == "2")
        let then = try await blame(test, application, "one", "data['size']", at: .sequence(second))
        #expect(then.revision.sequence == second && then.change == .changed && then.previousValue == "1")
        #expect(await code { _ = try await blame(test, application, "one", ".data.none") } == "blame.field-unknown")
    }

    @Test("what failed changed nothing, what was pruned was pruned by somebody") func outcomes() async throws {
        let test = try await TestLedger.make()
        let (application, _) = try await test.ledger.putApplication(
            Samples.application("guestbook"), actor: .controller)
        let first = try await test.apply(application, ["one": "1", "two": "1"], commit: "a")
        let failed = try await test.close(try await test.open(application, ["one": "2", "two": "2"], commit: "b")) {
            $0.fail(after: ["one": .updated, "two": .failed])
        }
        #expect(try await blame(test, application, "one").revision.sequence == failed)
        #expect(try await blame(test, application, "two").revision.sequence == first)
        let pruned = try await test.apply(application, ["one": "2"], commit: "b") { $0.note(["two": .pruned]) }
        let two = try await blame(test, application, "two")
        #expect(two.revision.sequence == pruned && two.change == .pruned && two.previous == first)
        #expect(try await blame(test, application, "one").revision.sequence == failed)
    }

    @Test("a Secret's values are shown as keyed digests") func secrets() async throws {
        let test = try await TestLedger.make()
        let (application, revision, _) = try await test.deployed(secret: "very-secret-text")
        let path = try #require(ManifestPath("data.password"))
        let found = try await test.ledger.blame(
            ResourceQuestion(kind: "Secret", name: "login"), of: application.reference, field: path)
        #expect(found.revision.sequence == revision)
        #expect(found.value?.string?.hasPrefix("hmac:") == true)
        #expect(found.value?.canonicalString.contains("very-secret-text") == false)
    }

    @Test("a name in two namespaces has to be told apart") func ambiguous() async throws {
        let test = try await TestLedger.make()
        let (application, _) = try await test.ledger.putApplication(
            Samples.application("guestbook"), actor: .controller)
        let resources = [
            try Samples.configMap("one", namespace: "a", ["x": "1"]), try Samples.configMap("one", namespace: "b", [:])
        ]
        let attempt = try await test.ledger.begin(
            try Samples.intent(application.reference, resources, at: test.clock.now))
        let sequence = try await test.close(attempt)
        #expect(await code { _ = try await blame(test, application, "one") } == "blame.resource-ambiguous")
        let found = try await test.ledger.blame(
            ResourceQuestion(kind: "ConfigMap", name: "one", namespace: "b"), of: application.reference)
        #expect(found.revision.sequence == sequence && found.key.namespace == "b")
    }
}
