import Foundation
@testable import LedgerStore
import Shiplog
import ShiplogTesting
import Testing

/// Every byte of a released format is pinned: a changed golden file is a broken promise, not a new expectation.
@Suite struct EntryFormatTests {
    static let golden = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Golden")
    static let regenerates = ProcessInfo.processInfo.environment["SHIPLOG_REGENERATE"] == "1"
    static func reference() throws -> ApplicationReference {
        ApplicationReference(
            uid: try #require(ApplicationUID("k3x9q2m7w4tb")), name: "guestbook", project: "default")
    }

    static func revisions() throws -> [String: Revision] {
        let start = Timestamp(milliseconds: 1_795_442_602_118)
        let digest = try #require(Digest(bytes: (0..<32).map { UInt8($0) }))
        let reference = try Self.reference()
        let key = ResourceKey(group: "apps", kind: "Deployment", namespace: "demo", name: "web")
        var counts = Revision.Counts()
        counts.created = 1
        counts.updated = 2
        counts.unchanged = 3
        counts.pruned = 4
        counts.failed = 5
        counts.leftover = 6
        var source = try Samples.source("c", subject: "Say \"hé\" \u{1F600}\u{1}")
        source.previousCommit = CommitID(String(repeating: "d", count: 40))
        let full = Revision(
            kind: .rollback, application: reference, cluster: Samples.cluster, cause: .selfHeal,
            actor: Actor(name: "ada", means: .session, tokenID: "t1", address: "192.0.2.7", requestID: "r1"),
            reason: "the new one fails", ticket: "OPS-7", source: source, desired: digest, liveBefore: digest,
            resources: [
                ResourceOutcome(
                    key: key, apiVersion: "apps/v1", action: .failed, wave: -1, message: "no",
                    code: "cluster.forbidden", before: digest, after: digest)
            ], counts: counts,
            options: OperationOptions(
                prune: true, dryRun: true, replace: true, confirmDestructive: true, keepSecrets: true,
                hold: .untilUnpinned),
            outcome: .failed(
                Failure(
                    "cluster.forbidden", "it may not", remedy: "let it",
                    next: .retry(afterMilliseconds: 9_007_199_254_740_993))), syncStatus: .outOfSync, health: .degraded,
            rolledBackTo: SequenceNumber(7), attempt: SequenceNumber(8), retry: 2, startedAt: start,
            finishedAt: start.advanced(byMilliseconds: 900), inputs: "sha:x", warnings: ["old", "odd"])
        var superseded = Samples.reconcile(reference, at: start)
        superseded.outcome = .superseded("a newer commit came")
        superseded.syncStatus = .unknown
        superseded.health = .unknown
        return [
            "revision-full": full, "revision-superseded": superseded,
            "revision-unchanged": Samples.reconcile(reference, at: start, sameAs: SequenceNumber(48_001))
        ]
    }

    static func events() throws -> [String: (Event, PinChange?, [ResourceKey])] {
        let digest = try #require(Digest(bytes: (0..<32).map { UInt8($0) }))
        let reference = try Self.reference()
        let key = ResourceKey(group: "", kind: "Secret", namespace: "demo", name: "login")
        let pin = Pin(
            hold: .untilNewCommit, target: try #require(SequenceNumber(7)), desired: digest,
            commit: CommitID(String(repeating: "c", count: 40)), leftInputs: "in", rejected: [digest])
        let actor = Actor(name: "ci", means: .token, tokenID: "t2", address: "2001:db8::1")
        let intent = Intent(
            kind: .rollback, application: reference, cluster: Samples.cluster, cause: .manual, actor: actor,
            reason: "back", ticket: "OPS-8", source: try Samples.source("c"), inputs: "in", resources: [],
            prunes: [key], options: OperationOptions(prune: true), rolledBackTo: SequenceNumber(7), retry: 1,
            pin: .set(pin), startedAt: Timestamp(milliseconds: 1_795_442_602_118))
        var part = intent
        part.group = SequenceNumber(48_001)
        return [
            "event-plain": (Event(.serverStarted, actor: .controller), nil, []),
            "event-full": (
                Event(
                    .healthReached, application: reference, actor: actor, revision: SequenceNumber(9),
                    outcome: "Healthy", facts: ["health": "Healthy", "big": .integer(.max), "half": 0.5],
                    detail: ["message": "all is well"]), nil, [key]
            ),
            "event-attempt": (EntryFormat1.event(of: intent, desired: digest), .set(pin), []),
            "event-attempt-of-group": (EntryFormat1.event(of: part, desired: digest), nil, []),
            "event-unpinned": (Event(.unpinned, application: reference, actor: actor), .release, [])
        ]
    }

    private func raw(_ draft: EntryDraft) throws -> RawRecord {
        var bodies: [String: [UInt8]?] = [:]
        for body in draft.bodies {
            bodies[body.name] = try StoredBytes.unpack(body.content, encoding: body.encoding, limit: 1 << 20)
        }
        return RawRecord(entry: draft.entry(sequence: 48_211, recordedAt: 1_795_442_602_121), bodies: bodies)
    }

    /// Salts are random, so digests of bodies are: the golden files have zeros there.
    private func pinned(_ entry: [UInt8], _ draft: EntryDraft) -> String {
        var text = String(decoding: entry, as: UTF8.self)
        for body in draft.bodies {
            text = text.replacingOccurrences(of: body.digest.hex, with: String(repeating: "0", count: 64))
        }
        return text + "\n"
    }

    private func compare(_ name: String, _ text: String) throws {
        let file = Self.golden.appendingPathComponent(name + ".json")
        if Self.regenerates {
            try FileManager.default.createDirectory(at: Self.golden, withIntermediateDirectories: true)
            if !FileManager.default.fileExists(atPath: file.path) { try Data(text.utf8).write(to: file) }
        }
        #expect(try String(contentsOf: file, encoding: .utf8) == text, "\(name) is written otherwise than it was")
    }

    @Test("entry format 1 writes every member of a revision as it always did, and reads it back")
    func revisions() throws {
        for (name, revision) in try Self.revisions() {
            let draft = try EntryFormat1.draft(revision)
            let raw = try raw(draft)
            try compare(name, pinned(raw.entry, draft))
            guard case .revision(let stored) = try EntryDecoder.record(raw) else {
                Issue.record("\(name) reads back as an event")
                continue
            }
            #expect(stored.value == revision)
            #expect(stored.sequence.value == 48_211)
            #expect(stored.recordedAt.milliseconds == 1_795_442_602_121)
            #expect(stored.erased.isEmpty)
        }
    }

    @Test("what took time says so, and a row from before there were times reads as it did")
    func timing() throws {
        var revision = try #require(try Self.revisions()["revision-full"])
        let earlier = try EntryFormat1.draft(revision)
        let resources = try #require(earlier.bodies.first { $0.name == "resources" })
        let text = String(
            decoding: try StoredBytes.unpack(resources.content, encoding: resources.encoding, limit: 1 << 20),
            as: UTF8.self)
        #expect(!text.contains("took"), "\(text)")
        revision.resources[0].timing = .init(startedAfter: 0, took: 1234)
        guard case .revision(let stored) = try EntryDecoder.record(raw(EntryFormat1.draft(revision))) else {
            Issue.record("it reads back as an event")
            return
        }
        #expect(stored.value == revision)
    }

    @Test("entry format 1 writes every member of an event as it always did, and reads it back")
    func events() throws {
        for (name, (event, pin, gone)) in try Self.events() {
            let draft = try EntryFormat1.draft(event, pin: pin, gone: gone)
            let raw = try raw(draft)
            try compare(name, pinned(raw.entry, draft))
            guard case .event(let stored) = try EntryDecoder.record(raw) else {
                Issue.record("\(name) reads back as a revision")
                continue
            }
            var expected = event
            expected.facts = EntryFields.exact(event.facts)
            #expect(stored.value == expected)
            #expect(stored.pin == pin)
            #expect(stored.gone == gone)
        }
    }

    @Test("what an attempt recorded of its intent reads back, without the manifests") func intent() throws {
        let (event, pin, _) = try #require(try Self.events()["event-attempt"])
        guard case .event(let stored) = try EntryDecoder.record(raw(EntryFormat1.draft(event, pin: pin))) else {
            Issue.record("reads back as a revision")
            return
        }
        let (intent, desired) = try EntryDecoder.intent(of: stored)
        #expect(desired.bytes.first == 0)
        #expect(intent.prunes.map(\.name) == ["login"])
        #expect(intent.reason == "back")
        #expect(intent.pin == pin)
        #expect(intent.source?.commit.author == "Ada Lovelace <ada@example.org>")
        #expect(intent.actor.address == "2001:db8::1")
    }

    @Test("entries are canonical JSON, to the scanner and to the parser") func canonical() throws {
        var drafts: [EntryDraft] = []
        for revision in try Self.revisions().values { drafts.append(try EntryFormat1.draft(revision)) }
        for (event, pin, gone) in try Self.events().values {
            drafts.append(try EntryFormat1.draft(event, pin: pin, gone: gone))
        }
        for draft in drafts {
            let entry = draft.entry(sequence: 5, recordedAt: 6)
            #expect(try JSON(parsing: entry).canonicalBytes == entry)
            let scanned = try #require(entry.withUnsafeBufferPointer { CanonicalScanner.scan($0) })
            #expect(scanned.sequence == 5)
            #expect(scanned.recordedAt == 6)
            #expect(scanned.format == 1)
            #expect(scanned.bodies.count == draft.bodies.count)
        }
    }

    @Test(
        "the scanner refuses what is not canonical",
        arguments: [
            #"{"b":1,"a":2}"#, #"{"a":1,"a":2}"#, #"{"a": 1}"#, #"{"a":01}"#, #"{"a":-0}"#, #"{"a":1.0}"#,
            #"{"a":1e2}"#,
            #"{"a":9007199254740993}"#, #"{"a":"\/"}"#, #"{"a":"\u0041"}"#, #"{"a":"\u001F"}"#, #"{"a":"\u000a"}"#,
            #"{"a":1}x"#, #"{"a":1"#, #"[1]"#, "{\"a\":\"\u{1}\"}", #"{"a":tru}"#, #"{"é":1,"z":1}"#, ""
        ])
    func scannerRefuses(_ text: String) {
        #expect(Array(text.utf8).withUnsafeBufferPointer { CanonicalScanner.scan($0) } == nil)
    }

    @Test(
        "the scanner takes what is canonical",
        arguments: [
            #"{}"#, #"{"a":0.5,"b":[1,-2,null,true],"c":{"d":"x"}}"#, #"{"a":"\u001f\n\"\\"}"#, #"{"z":1,"é":1}"#,
            #"{"a":1e+21}"#, #"{"A":1,"a":1,"aa":2}"#
        ])
    func scannerTakes(_ text: String) {
        #expect(Array(text.utf8).withUnsafeBufferPointer { CanonicalScanner.scan($0) } != nil)
    }

    @Test("an entry larger than 16 KiB is refused before it is queued") func tooLarge() async throws {
        let test = try await TestLedger.make()
        var event = Event(.serverStarted, actor: .controller)
        event.facts = ["text": .string(String(repeating: "x", count: 17_000))]
        let large = event
        let failure = await #expect(throws: Failure.self) { try await test.ledger.record(large) }
        #expect(failure?.code == .ledgerEntryTooLarge)
        #expect(try await test.ledger.head() == nil)
    }
}
