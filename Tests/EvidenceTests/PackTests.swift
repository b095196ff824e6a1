import Foundation
import LedgerStore
import Shiplog
import ShiplogTesting
import Testing
import TransparencyLog

@testable import Evidence

@Suite("An evidence pack") struct PackTests {
    private func sound(_ path: String, keys: [NoteVerifier] = [], kept: [KeptHead] = []) throws -> EvidenceReport {
        let report = try EvidenceVerifier.verify(path, keys: keys, kept: kept)
        #expect(report.isSound, "\(report.finding.map { "\($0)" } ?? "")")
        let (status, text) = try verifyPy(path)
        #expect(status == 0, "\(text)")
        return report
    }

    @Test("of everything holds, in Swift and in Python, and opens with other programs") func everything() async throws {
        let fixture = try await PackFixture.make()
        try await fixture.fill()
        let path = try await fixture.pack()
        let report = try sound(path)
        let size = try await fixture.ledger.treeHead().size
        #expect(report.entries == size)
        #expect(report.range == 1...size)
        #expect(report.isComplete)
        #expect(report.bodies > 20)
        #expect(report.signers == [try #require(fixture.keeper.epoch).origin])
        #expect(report.notes.contains { $0.hasPrefix("self-attested") })
        // What found nothing changed is in the entries and not among the matches.
        #expect(report.matches == size - 160)
        try RunningProgram.output(["unzip", "-tq", path])
        try RunningProgram.output(["python3", "-m", "zipfile", "-t", path])
        let files = fixture.folder.path + "/files"
        try RunningProgram.output(["unzip", "-q", path, "-d", files])
        try RunningProgram.output(["sha256sum", "--check", "--strict", "--quiet", "manifest.sha256"], in: files)
        #expect(
            FileManager.default.contents(atPath: files + "/verify.py")
                == FileManager.default.contents(atPath: HouseFolder.sources + "/Evidence/verify.py"))
        let table = try Unpacked(path)["entries.csv"]
        #expect(String(decoding: table, as: UTF8.self).contains("\"'=cmd|'/c calc'!A0, \"\"quoted\"\"\""))
        await fixture.test.close()
    }

    static func questions() -> [(String, Selection.Question)] {
        func filter(_ change: (inout EvidenceFilter) -> Void) -> Selection.Question {
            var filter = EvidenceFilter()
            change(&filter)
            return .init(filter)
        }
        let start: Int64 = 1_795_442_400_000
        return [
            ("an application", filter { $0.applications = ["app1"] }),
            ("a project", filter { $0.projects = ["payments"] }),
            ("syncs", filter { $0.kinds = ["sync", "rollback"] }),
            ("refusals", filter { $0.kinds = ["request.refused"] }),
            ("a cause", filter { $0.causes = ["poll"] }),
            ("a person", filter { $0.actor = "eve" }),
            ("the controller", filter { $0.actor = "shiplog" }),
            ("an outcome", filter { $0.outcomes = ["refused", "Healthy"] }),
            ("a commit", filter { $0.commit = "bbbbbbb" }),
            ("unchanged too", filter { $0.includeUnchanged = true }),
            (
                "a time",
                filter {
                    $0.from = Timestamp(milliseconds: start + 70_000)
                    $0.to = Timestamp(milliseconds: start + 90_000)
                }
            ),
            ("a time after all", filter { $0.from = Timestamp(milliseconds: start + 86_400_000) }),
            ("a time before all", filter { $0.to = Timestamp(milliseconds: start) }),
            ("entries", .init(first: 5, last: 60)), ("one entry", .init(first: 7, last: 7)),
            ("a text", filter { $0.text = "BECAUSE" }),
            ("nothing", filter { $0.actor = "nobody" })
        ]
    }

    @Test("answers each question whole", arguments: questions()) func answers(
        _ name: String, _ question: Selection.Question
    ) async throws {
        let fixture = try await PackFixture.make()
        try await fixture.fill()
        let report = try sound(try await fixture.pack(question))
        #expect(report.isComplete == (question.filter.text == nil))
        if name == "a text" {
            // The syncs, and the attempts that promised them.
            #expect(report.matches == 8)
            #expect(report.notes.contains { $0.hasPrefix("integrity only") })
        }
        if name == "nothing" || name == "a time before all" { #expect(report.matches == 0) }
        if name == "a commit" { #expect(report.matches == 2) }
        if name == "refusals" || name == "a person" { #expect(report.matches == 2) }
        if name == "a time" {
            // The edges lie outside of the times, and prove themselves.
            #expect(report.entries > report.matches)
            #expect(report.range?.lowerBound != 1)
        }
        await fixture.test.close()
    }

    @Test("holds to checkpoints and keys that the reader kept") func kept() async throws {
        let fixture = try await PackFixture.make()
        let early = try #require(fixture.keeper.published)
        try await fixture.fill()
        let middle = try #require(try await fixture.keeper.publish())
        try await fixture.fillMore()
        let key = try #require(fixture.keeper.epoch?.keys.last)
        let path = try await fixture.pack(.init(first: 100, last: middle.head.size + 1), earlier: [early.head.size])
        let newest = try #require(fixture.keeper.published)
        for checkpoint in [early, middle, newest] {
            let report = try EvidenceVerifier.verify(path, keys: [key], kept: [KeptHead(checkpoint.head)])
            #expect(report.isSound, "\(report)")
            #expect(report.unproven.isEmpty)
            let file = fixture.folder.path + "/checkpoint"
            try Data(checkpoint.note.bytes).write(to: URL(fileURLWithPath: file))
            let (status, text) = try verifyPy(path, "--key", key.description, "--checkpoint", file)
            #expect(status == 0, "\(text)")
            // Of the same size and another tree.
            let other = TreeHead(size: checkpoint.head.size, root: .leaf([1]))
            #expect(!(try EvidenceVerifier.verify(path, kept: [KeptHead(other)])).isSound)
            let signer = try #require(NoteSigner(name: "ledger.example/other"))
            let forged = try Checkpoint(origin: "ledger.example/other", other, signers: [signer])
            try Data(forged.note.bytes).write(to: URL(fileURLWithPath: file))
            #expect(try verifyPy(path, "--checkpoint", file).status == 8)
        }
        let between = try EvidenceVerifier.verify(path, kept: [KeptHead(try await fixture.ledger.treeHead(at: 50))])
        #expect(between.isSound)
        #expect(between.unproven.count == 1)
        let stranger = try #require(NoteSigner(name: key.name)).verifier
        let foreign = try EvidenceVerifier.verify(path, keys: [stranger])
        #expect(foreign.finding?.message.contains("none of the signatures") == true)
        #expect(try verifyPy(path, "--key", stranger.description).status == 8)
        await fixture.test.close()
    }

    @Test("says what was erased and what retention took") func goneAndErased() async throws {
        let fixture = try await PackFixture.make()
        try await fixture.fill()
        _ = try #require(try await fixture.keeper.publish())
        let event = try await fixture.ledger.record(Event(.serverStopped, actor: .controller)).value
        let erased = try await fixture.eraseReasons()
        // The way that retention takes: a fold first, then what it covers.
        try fixture.tamper(
            """
            INSERT INTO fold (event, first, last, entries) VALUES (\(event), 12, 40, 29);
            DELETE FROM revision WHERE sequence BETWEEN 12 AND 40 AND same_as IS NOT NULL;
            """)
        let report = try sound(try await fixture.pack())
        #expect(report.gone > 20)
        #expect(erased.count == 4)
        #expect(report.erased == 4)
        #expect(report.unprovenErasures == 0)
        #expect(!report.isComplete)
        #expect(report.notes.contains { $0.contains("retention took") })
        // Asked for all, the rows that are gone are no matches: nobody knows what they said.
        var all = EvidenceFilter()
        all.includeUnchanged = true
        let whole = try sound(try await fixture.pack(.init(all)))
        #expect(whole.gone == report.gone)
        #expect(whole.matches == whole.entries - whole.gone)
        await fixture.test.close()
    }

    @Test("says that an erasure is unproven when its event is behind the range") func unprovenErasure() async throws {
        let fixture = try await PackFixture.make()
        try await fixture.fill()
        let last = try await fixture.ledger.treeHead().size
        let erased = try await fixture.eraseReasons()
        let path = try await fixture.pack(.init(last: last))
        let report = try sound(path)
        #expect(report.erased == 4)
        #expect(report.unprovenErasures == 4)
        let by = try #require(erased.first)
        let note = "unproven erasure: #\(by) is said to have erased the body reason of "
        #expect(report.notes.contains { $0.hasPrefix(note) })
        #expect(try verifyPy(path).text.contains("note: unproven erasure: #\(by) "))
        await fixture.test.close()
    }

    @Test("takes folded entries out of their bundles") func folded() async throws {
        let fixture = try await PackFixture.make()
        let application = try await fixture.ledger.putApplication(Samples.application("app"), actor: .controller).0
        let changed = try await fixture.ledger.record(
            Samples.reconcile(application.reference, at: fixture.test.clock.now))
        let (ledger, now) = (fixture.ledger, fixture.test.clock.now)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<50 {
                group.addTask {
                    for _ in 0..<100 {
                        try await ledger.record(
                            Samples.reconcile(application.reference, at: now, sameAs: changed))
                    }
                }
            }
            try await group.waitForAll()
        }
        let later = now.advanced(byMilliseconds: 1)
        let folded = try await ledger.fold(before: later, keepsEntries: true, actor: .controller)
        #expect(try #require(folded).entries > 4000)
        var all = EvidenceFilter()
        all.includeUnchanged = true
        let report = try sound(try await fixture.pack(.init(all)))
        #expect(report.gone == 0)
        #expect(report.isComplete)
        #expect(report.matches == report.entries)
        await fixture.test.close()
    }

    @Test("carries the longest entries and long bodies") func huge() async throws {
        let fixture = try await PackFixture.make()
        let long = String(repeating: "\u{1F680}\"\\\n", count: 1000)
        try await fixture.ledger.record(
            Event(.serverStarted, actor: .controller, facts: ["text": .string(long)]))
        var noise = SystemRandomNumberGenerator()
        let body = (0..<(6 << 20)).map { _ in Character(Unicode.Scalar(UInt8.random(in: 97...122, using: &noise))) }
        try await fixture.ledger.record(
            Event(.serverStarted, actor: .controller, detail: ["reason": .string(String(body))]))
        let path = try await fixture.pack()
        let report = try sound(path)
        #expect(report.bodies == 1)
        await fixture.test.close()
    }

    @Test("is cut short nowhere without being found out") func truncated() async throws {
        let fixture = try await PackFixture.make()
        try await fixture.fill()
        let path = try await fixture.pack()
        let whole = try #require(FileManager.default.contents(atPath: path))
        let cut = fixture.folder.path + "/cut.zip"
        for part in 0..<40 {
            let length = part == 39 ? whole.count - 1 : whole.count * part / 40
            try whole.prefix(length).write(to: URL(fileURLWithPath: cut))
            #expect(!(try EvidenceVerifier.verify(cut)).isSound, "\(length) bytes")
            if part % 13 == 0 { #expect(try verifyPy(cut).status == 8, "\(length) bytes") }
        }
        await fixture.test.close()
    }
}

extension PackFixture {
    /// Erases every reason of a revision the way that people do.
    /// - Returns: the events that did it.
    func eraseReasons() async throws -> [Int64] {
        let size = try await ledger.treeHead().size
        var events: [Int64] = []
        for number in 1...size {
            let entries = try await ledger.entries(number...number)
            guard let found = entries.first, let bytes = found, let sequence = SequenceNumber(number),
                try JSON(parsing: bytes).at("bodies", "reason") != nil
            else { continue }
            let event = Event(.bodyErased, actor: .controller, detail: ["reason": "asked for"])
            events.append(try await ledger.eraseBody("reason", of: sequence, event: event).value)
        }
        return events
    }

    func fillMore() async throws {
        for _ in 0..<20 { try await ledger.record(Event(.serverStopped, actor: .controller)) }
    }
}
