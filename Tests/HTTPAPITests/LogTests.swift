import Foundation
import LedgerStore
import Shiplog
import ShiplogTesting
import Testing
import TransparencyLog

@testable import HTTPAPI

/// The log as any tool reads it, and what people do with its keys.
@Suite("The log behind the API") struct LogTests {
    private static func grow(_ site: Site, to size: Int64) async throws {
        while try await site.ledger.treeHead().size < size {
            try await site.ledger.record(Event(.serverStarted, actor: .controller))
        }
        try await until("the last entry is signed") {
            let text = try await site.client.get("/log/checkpoint").text
            return try Checkpoint(parsing: text.utf8).head.size >= size
        }
    }

    @Test("checkpoint and tiles give every entry and the root that is signed") func tiles() async throws {
        try await Site.run(signs: true) { site in
            try await Self.grow(site, to: 300)
            let answer = try await site.client.get("/log/checkpoint")
            #expect(answer.status == 200)
            #expect(answer.header("content-type") == "text/plain; charset=utf-8")
            #expect(answer.header("cache-control") == "no-cache")
            let checkpoint = try Checkpoint(parsing: answer.text.utf8)
            let status = try await site.client.get(Site.api + "/log").json
            let key = try NoteVerifier(try #require(status["epochs"]?.array?.last?["keys"]?.array?.last?.string))
            try checkpoint.note.verify([key])
            #expect(status["selfAttested"] == true)
            #expect(status["confirmed"] == true)
            var tree = MerkleRange()
            for tile in Tile.entries(from: 0, size: checkpoint.head.size) {
                let bundle = try await site.client.get("/log/tile/" + tile.path)
                #expect(bundle.status == 200)
                #expect(bundle.header("content-type") == "application/octet-stream")
                #expect(bundle.header("cache-control")?.contains("immutable") == true)
                for entry in try #require(EntryBundle.entries(of: bundle.body)) { tree.append(.leaf(entry)) }
            }
            #expect(tree.head == checkpoint.head)
            let level = try await site.client.get("/log/tile/1/000.p/1")
            #expect(level.body.count == 32)
            for path in ["0/001", "0/000.p/0", "entries/009", "x", "0/000/000", "2/000.p/1", "0/%2e%2e/000", "64/000"] {
                let missing = try await site.client.get("/log/tile/" + path)
                #expect(missing.status == 404, "\(path)")
                #expect(missing.json["code"] == "log.tile-unknown", "\(path)")
            }
        }
    }

    @Test("a proof leads from an entry to the signed root, and one size to the next") func proofs() async throws {
        try await Site.run(signs: true) { site in
            try await Self.grow(site, to: 20)
            let entry = try await site.client.get(Site.api + "/entries/7")
            let proof = try await site.client.get(Site.api + "/entries/7/proof").json
            let checkpoint = try Checkpoint(parsing: try #require(proof["checkpoint"]?.string).utf8)
            let path = (proof["proof"]?.array ?? []).compactMap(\.string).compactMap { Data(base64Encoded: $0) }
                .compactMap { MerkleHash(bytes: $0) }
            #expect(MerkleProof.includes(.leaf(entry.body), at: 6, in: checkpoint.head, path))
            // The number with its epoch is the same entry.
            #expect(try await site.client.get(Site.api + "/entries/1%2F7").body == entry.body)
            #expect(try await site.client.get(Site.api + "/entries/2%2F7").status == 404)
            #expect(try await site.client.get(Site.api + "/entries/1%2Fx").status == 400)
            #expect(try await site.client.get(Site.api + "/entries/9999/proof").status == 404)
            #expect(try await site.client.get(Site.api + "/entries/7/proof?size=6").status == 400)
            #expect(try await site.client.get(Site.api + "/entries/7/proof?size=99999").status == 400)
            let consistency = try await site.client.get(Site.api + "/log/consistency?from=5&to=20").json
            let hashes = (consistency["proof"]?.array ?? []).compactMap(\.string).compactMap { Data(base64Encoded: $0) }
                .compactMap { MerkleHash(bytes: $0) }
            let (five, twenty) = (try await site.ledger.treeHead(at: 5), try await site.ledger.treeHead(at: 20))
            #expect(MerkleProof.extends(twenty, five, hashes))
            #expect(try await site.client.get(Site.api + "/log/consistency?from=20&to=5").status == 400)
            #expect(try await site.client.get(Site.api + "/log/consistency?to=9223372036854775807").status == 400)
        }
    }

    @Test("entries want the right to read all of them; hashes tell nothing about anybody") func access() async throws {
        try await Site.run(signs: true) { site in
            let narrow = site.client.signed(try await site.token(.viewer, projects: ["a"]))
            #expect(try await narrow.get("/log/checkpoint").status == 200)
            #expect(try await narrow.get("/log/tile/0/000.p/1").status == 200)
            #expect(try await narrow.get("/log/tile/entries/000.p/1").status == 403)
            let auditor = site.client.signed(try await site.token(.auditor))
            #expect(try await auditor.get("/log/tile/entries/000.p/1").status == 200)
            for path in ["/log/rotate-key", "/log/confirm"] {
                #expect(try await auditor.post(Site.api + path, .object([:])).status == 403)
                #expect(try await site.client.post(Site.api + path, .object([:])).status == 401)
            }
        }
    }

    @Test("a rotated key signs from then on, and the history says who did it") func rotation() async throws {
        try await Site.run(signs: true) { site in
            let before = try await site.client.get("/log/checkpoint").text
            let answer = try await site.boss.post(Site.api + "/log/rotate-key", ["reason": "yearly"])
            #expect(answer.status == 200)
            let key = try NoteVerifier(try #require(answer.json["key"]?.string))
            let between = try Checkpoint(parsing: try await site.client.get("/log/checkpoint").text.utf8)
            try between.note.verify([key])
            let old = try Checkpoint(parsing: before.utf8)
            #expect(throws: Failure.self) { try old.note.verify([key]) }
            let events = try await site.boss.get(Site.api + "/events?kind=key.rotated").json
            let event = try #require(events["items"]?.array?.first)
            #expect(event.at("actor", "name") == "admin")
            #expect(event["reason"] == "yearly")
            #expect(event["requestID"]?.string != nil)
            #expect(event.at("facts", "new")?.string == key.description)
            #expect(try await site.boss.post(Site.api + "/log/confirm", .object([:])).json["code"] == "log.confirmed")
        }
    }

    @Test("the server checks itself when it is asked, and keeps that it was") func verification() async throws {
        try await Site.run(signs: true) { site in
            let auditor = site.client.signed(try await site.token(.auditor))
            let report = try await auditor.post(Site.api + "/log/verify", .object([:]))
            #expect(report.status == 200)
            #expect(report.json["sound"] == true)
            #expect(report.json["rows"]?.integer ?? 0 > 1)
            let events = try await auditor.get(Site.api + "/events?kind=ledger.verified").json
            #expect(events["items"]?.array?.first?.at("actor", "name") == "auditor-ann")
            #expect(events["items"]?.array?.first?.at("facts", "findings") == 0)
            #expect(events["items"]?.array?.first?.at("facts", "through") == report.json["rows"])
        }
    }

    @Test("a part is erased once, with a reason, by an administrator, and reads as erased") func erasing() async throws
    {
        try await Site.run(signs: true) { site in
            let answer = try await site.boss.post(Site.api + "/log/rotate-key", ["reason": "Ada asked for it"])
            #expect(answer.status == 200)
            let events = try await site.boss.get(Site.api + "/events?kind=key.rotated").json
            let sequence = try #require(events["items"]?.array?.first?["sequence"]?.integer)
            let path = Site.api + "/entries/\(sequence)/erase"
            let before = try await site.boss.get(Site.api + "/entries/\(sequence)").body
            let auditor = site.client.signed(try await site.token(.auditor))
            #expect(try await auditor.post(path, ["part": "detail", "reason": "asked"]).status == 403)
            #expect(try await site.boss.post(path, ["part": "detail"]).status == 400)
            #expect(
                try await site.boss.post(path, ["part": "author", "reason": "asked"]).code == "ledger.value-unknown")
            let erased = try await site.boss.post(path, ["part": "detail", "reason": "asked"])
            #expect(erased.status == 200)
            #expect(erased.json["alsoIn"] == JSON.array([]))
            #expect(try await site.boss.post(path, ["part": "detail", "reason": "again"]).status == 404)
            let event = try await site.boss.get(Site.api + "/events/\(sequence)").json
            #expect(event["erased"] == ["detail"])
            #expect(event["reason"] == nil)
            // The entry, its hash and its proof are what they were.
            #expect(try await site.boss.get(Site.api + "/entries/\(sequence)").body == before)
            let by = try await site.boss.get(Site.api + "/events?kind=body.erased").json
            #expect(by["items"]?.array?.first?.at("facts", "erased", "sequence")?.integer == sequence)
            #expect(by["items"]?.array?.first?["reason"] == "asked")
            let missing = try await site.boss.post(
                Site.api + "/applications/none/erase-secret", ["namespace": "a", "name": "b", "reason": "c"])
            #expect(missing.status == 404)
        }
    }

    @Test("without a keeper nothing is signed, and everything else is there") func unsigned() async throws {
        try await Site.run { site in
            let checkpoint = try await site.client.get("/log/checkpoint")
            #expect(checkpoint.code == "log.not-signed")
            let tile = try await site.client.get("/log/tile/0/000.p/1")
            #expect(tile.status == 200)
            let rotation = try await site.boss.post(Site.api + "/log/rotate-key", .object([:]))
            #expect(rotation.status == 404)
            let proof = try await site.client.get(Site.api + "/entries/1/proof")
            #expect(proof.status == 200)
        }
    }
}
