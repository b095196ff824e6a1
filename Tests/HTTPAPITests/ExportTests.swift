import Evidence
import Foundation
import LedgerStore
import Shiplog
import ShiplogTesting
import Testing
import TransparencyLog

@testable import HTTPAPI

/// Evidence packs and streams over the API.
@Suite("Exports") struct ExportTests {
    private static let exports = Site.api + "/exports"

    private static func fill(_ site: Site, _ count: Int = 30) async throws {
        for _ in 0..<count { try await site.ledger.record(Event(.serverStarted, actor: .controller)) }
    }

    private static func verify(_ answer: Answer, keys: [NoteVerifier] = []) throws -> EvidenceReport {
        let folder = try TemporaryDirectory("export")
        let path = folder.path + "/pack.zip"
        try Data(answer.body).write(to: URL(fileURLWithPath: path))
        return try EvidenceVerifier.verify(path, keys: keys)
    }

    @Test("a pack holds under the log's own key, and the log says who asked for it") func pack() async throws {
        try await Site.run(signs: true) { site in
            try await Self.fill(site)
            let auditor = site.client.signed(try await site.token(.auditor))
            let answer = try await auditor.post(Self.exports, ["kind": ["server.started"], "q": "no such text"])
            #expect(answer.status == 200)
            let unread = try Self.verify(answer)
            #expect(unread.isSound && !unread.isComplete)
            let whole = try await auditor.post(Self.exports, ["kind": ["server.started", "token.created"]])
            #expect(whole.header("content-type") == "application/zip")
            #expect(whole.header("cache-control") == "no-store")
            #expect(whole.header("transfer-encoding") == "chunked")
            let status = try await site.client.get(Site.api + "/log").json
            let key = try NoteVerifier(try #require(status["epochs"]?.array?.last?["keys"]?.array?.last?.string))
            let report = try Self.verify(whole, keys: [key])
            #expect(report.isSound && report.isComplete)
            #expect(report.matches == 32)
            let last = try #require(report.range?.upperBound)
            #expect(whole.header("shiplog-last") == String(last))
            #expect(whole.header("shiplog-matches") == "32")
            #expect(
                whole.header("content-disposition")
                    == "attachment; filename=\"shiplog-\(site.ledger.uid)-1-\(last).zip\"")
            let event = try await auditor.get(Site.api + "/events/\(last + 1)").json
            #expect(event["kind"] == "ledger.exported")
            #expect(event.at("actor", "name") == "auditor-ann")
            #expect(event.at("facts", "format") == "pack" && event.at("facts", "matches") == 32)
            #expect(event.at("facts", "checkpoint")?.string == whole.header("shiplog-checkpoint"))
            #expect(event.at("detail", "filter", "kind") == ["server.started", "token.created"])
        }
    }

    @Test("a population counts what an export holds, and leaves no trail") func population() async throws {
        try await Site.run(signs: true) { site in
            try await Self.fill(site)
            let before = try await site.ledger.head()
            let count = try await site.boss.post(Self.exports + "/population", ["kind": ["server.started"]]).json
            #expect(count["matches"] == 30 && count["gaps"] == 0 && count["completeness"] == "proven")
            #expect(count["selfAttested"] == true)
            #expect(count["root"]?.string == (try await site.client.get(Site.api + "/log").json["root"]?.string))
            #expect(try await site.ledger.head() == before)
        }
    }

    @Test("a feed goes on behind what it has seen, and finds nothing twice") func feed() async throws {
        try await Site.run { site in
            try await Self.fill(site)
            let first = try await site.boss.post(Self.exports, ["format": "jsonl", "after": 0])
            #expect(first.header("content-type")?.hasPrefix("application/jsonl") == true)
            let last = try #require(first.header("shiplog-last").flatMap { Int64($0) })
            #expect(first.text.split(separator: "\n").count == Int(last))
            let second = try await site.boss.post(Self.exports, ["format": "ocsf", "after": .integer(last)])
            // What is new is that somebody asked.
            let lines = second.text.split(separator: "\n")
            #expect(lines.count == 1 && lines[0].contains("ledger.exported"))
            let head = try #require(try await site.ledger.head()).value
            for format in ["csv", "cloudevents", "jsonl"] {
                let none = try await site.boss.post(Self.exports, ["format": .string(format), "after": .integer(head)])
                #expect(none.status == 200)
                #expect(none.header("shiplog-last") == String(head))
            }
            #expect(try await site.ledger.head()?.value == head)
        }
    }

    @Test("only who may audit everything exports") func roles() async throws {
        try await Site.run(signs: true) { site in
            #expect(try await site.client.post(Self.exports, [:]).status == 401)
            for role in [Token.Role.viewer, .deployer] {
                #expect(try await site.client.signed(try await site.token(role)).post(Self.exports, [:]).status == 403)
            }
            let limited = try await site.token(.auditor, projects: ["payments"])
            #expect(try await site.client.signed(limited).post(Self.exports, [:]).status == 403)
        }
    }

    @Test("what makes no sense is refused, and no export of it is recorded") func refused() async throws {
        try await Site.run { site in
            let wrong: [JSON] = [
                ["format": "docx"], ["kind": ["no.kind"]], ["kind": "sync"], ["cause": ["whim"]], ["commit": "xyz"],
                ["commit": "abc"], ["after": -1], ["after": 1, "first": 1], ["checkpoints": "x"], ["checkpoints": [-1]],
                ["from": "yesterday"], ["color": "red"], ["revision": 0]
            ]
            for body in wrong { #expect(try await site.boss.post(Self.exports, body).status == 400, "\(body)") }
            let far = try await site.boss.post(Self.exports, ["format": "csv", "first": 1_000_000])
            #expect(far.status == 422 && far.code == "evidence.range-empty")
            let unsigned = try await site.boss.post(Self.exports, [:])
            #expect(unsigned.status == 404 && unsigned.code == "log.not-signed")
            #expect(try await site.ledger.events(EventQuery(kinds: [.exported])).items.isEmpty)
        }
    }

    @Test("two are made at once, and a place is free again when its answer is gone") func places() throws {
        let places = AnswerPlaces.exports(limit: 2)
        var held: [AnswerPlaces.Place] = [try places.enter(), try places.enter()]
        #expect(throws: Problem.self) { try places.enter() }
        held[0].leave()
        held[0].leave()
        held.append(try places.enter())
        #expect(throws: Problem.self) { try places.enter() }
        held = []
        _ = (try places.enter(), try places.enter())
    }
}
