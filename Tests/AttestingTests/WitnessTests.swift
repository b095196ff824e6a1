import Foundation
import KubernetesAPI
import LedgerStore
import Shiplog
import ShiplogTesting
import Testing
import TransparencyLog

@testable import Attesting

@Suite("Witnesses") struct WitnessTests {
    @Test("a signature is checked, put on the checkpoint and kept in the log, and alone makes no new round")
    func signs() async throws {
        let test = try await TestLedger.make()
        let log = try await test.log()
        let key = WitnessKey()
        #expect(log.isSelfAttested)
        try await Desk.run({ call in (200, (try? key.cosign(call.body)) ?? "") }) { desk, url in
            let witness = try Witness(url: url + "/w", key: try key.verifier.description)
            let attester = try test.attester(log, .witness(witness))
            let checkpoint = try #require(log.published)
            await attester.round()
            let call = try #require(desk.calls.first)
            #expect(call.path == "/w/add-checkpoint")
            #expect(call.body == "old 0\n\n" + checkpoint.note.description)
            #expect(try log.published?.note.verify([try key.verifier]).count == 1)
            #expect(log.cosigned?.head == checkpoint.head)
            #expect(!log.isSelfAttested)
            let standing = try #require(log.attestations.first)
            #expect(standing.size == checkpoint.head.size && standing.failure == nil)
            #expect(standing.at == Timestamp(milliseconds: 1_700_000_000_000))
            let receipts = try await test.events(.checkpointCosigned)
            #expect(receipts.count == 1)
            let facts = try #require(receipts.first?.value.facts)
            #expect(facts["witness"]?.string == key.name)
            #expect(facts["size"]?.integer == checkpoint.head.size)
            // The receipt is enough to check the signature again.
            let rebuilt = "\(checkpoint.origin)\n\(checkpoint.head.size)\n\(checkpoint.head.rootText)\n\n"
            let line = try #require(facts["signature"]?.string)
            try SignedNote(parsing: (rebuilt + line + "\n").utf8).verify([try key.verifier])

            // The receipt made the log grow; that is nothing to sign.
            try await log.publish()
            await attester.round()
            #expect(desk.calls.count == 1)
            try await test.grow(log)
            await attester.round()
            #expect(desk.calls.count == 2)
            #expect(desk.calls.last?.body.hasPrefix("old \(checkpoint.head.size)\n") == true)
        }
        await test.close()
    }

    @Test("a witness that stands elsewhere says where, and is asked from there with a proof") func standsElsewhere()
        async throws
    {
        let test = try await TestLedger.make()
        let log = try await test.log(entries: 20)
        let key = WitnessKey()
        try await Desk.run { desk, url in
            desk.answer { call in
                call.body.hasPrefix("old 7\n") ? (200, (try? key.cosign(call.body)) ?? "") : (409, "7\n")
            }
            let witness = try Witness(url: url, key: try key.verifier.description)
            try await test.attester(log, .witness(witness)).round()
            #expect(log.attestations.first?.failure == nil)
            #expect(desk.calls.count == 2)
            let lines = try #require(desk.calls.last?.body.split(separator: "\n\n").first).split(separator: "\n")
            let proof = lines.dropFirst().compactMap { Data(base64Encoded: String($0)) }.compactMap {
                MerkleHash(bytes: $0)
            }
            let before = try await test.ledger.treeHead(at: 7)
            #expect(MerkleProof.extends(try #require(log.cosigned).head, before, proof))
        }
        await test.close()
    }

    static let refusals: [(answer: Desk.Answer, code: Failure.Code)] = [
        ((403, "no"), "log.witness-refused"), ((404, ""), "log.witness-unknown"),
        ((422, ""), "log.witness-inconsistent"), ((500, ""), "log.witness-unavailable"),
        ((429, ""), "log.witness-unavailable"), ((400, ""), "log.witness-answer-invalid"),
        ((302, ""), "log.witness-answer-invalid"), ((200, ""), "log.witness-answer-invalid"),
        ((200, "<html>"), "log.witness-answer-invalid"), ((200, "<html>\n"), "log.witness-answer-invalid"),
        ((200, "\u{2014} witness.example/w1 AAAA\n"), "log.witness-answer-invalid"),
        ((200, "\u{2014} witness.example/w1 AAAAAAAAAAAA\n"), "log.witness-signature-wrong"),
        ((200, String(repeating: "x", count: 100_000)), "http.too-large"),
        ((409, "99999\n"), "log.witness-ahead"), ((409, "x"), "log.witness-answer-invalid"),
        ((409, "-1\n"), "log.witness-answer-invalid"), ((409, "0\n"), "log.witness-answer-invalid"),
        ((409, "99999999999999999999\n"), "log.witness-answer-invalid")
    ]

    @Test("what a witness may answer instead is reported, and changes nothing", arguments: refusals.indices)
    func refuses(index: Int) async throws {
        let (answer, code) = Self.refusals[index]
        let test = try await TestLedger.make()
        let log = try await test.log()
        let before = log.published
        try await Desk.run({ _ in answer }) { _, url in
            let witness = try Witness(url: url, key: try WitnessKey().verifier.description)
            try await test.attester(log, .witness(witness)).round()
        }
        #expect(log.attestations.first?.failure?.code == code)
        #expect(log.published == before && log.cosigned == nil)
        #expect(log.isSelfAttested)
        #expect(try await test.events(.checkpointCosigned).isEmpty)
        await test.close()
    }

    @Test("signatures of other keys are passed over, over another text or without a time refused")
    func signatures() async throws {
        let test = try await TestLedger.make()
        let log = try await test.log()
        let (key, stranger) = (WitnessKey(), WitnessKey("stranger.example"))
        // The same name, another key.
        let impostor = WitnessKey()
        try await Desk.run { desk, url in
            let witness = try Witness(url: url, key: try key.verifier.description)
            let attester = try test.attester(log, .witness(witness))
            for answer in [
                try stranger.cosign("old 0\n\n" + (try #require(log.published).note.description)),
                try impostor.cosign("old 0\n\n" + (try #require(log.published).note.description)),
                try key.cosign("old 0\n\nother\n1\nx\n\n"),
                try key.cosign("old 0\n\n" + (try #require(log.published).note.description), at: 0)
            ] {
                desk.answer { _ in (200, answer) }
                await attester.round()
                #expect(log.attestations.first?.failure?.code == "log.witness-signature-wrong")
                #expect(log.isSelfAttested)
            }
            desk.answer { call in
                (200, ((try? stranger.cosign(call.body)) ?? "") + ((try? key.cosign(call.body)) ?? ""))
            }
            await attester.round()
            #expect(log.attestations.first?.failure == nil)
            #expect(log.published?.note.description.contains("stranger") == false)
        }
        await test.close()
    }

    @Test("one that is down does not keep the others from signing, and is known again after a restart")
    func down() async throws {
        let test = try await TestLedger.make()
        let log = try await test.log()
        let (up, dead) = (WitnessKey("up.example"), WitnessKey("dead.example"))
        let unreachable = try Witness(url: "http://127.0.0.1:1", key: try dead.verifier.description)
        try await Desk.run({ call in (200, (try? up.cosign(call.body)) ?? "") }) { desk, url in
            let witness = try Witness(url: url, key: try up.verifier.description)
            let attester = try test.attester(log, .witness(unreachable), .witness(witness))
            await attester.round()
            try await log.publish()
            await attester.round()
            // The one that signed is not asked for the receipt of its own signature, though the other one is.
            #expect(desk.calls.count == 1)
        }
        #expect(log.attestations.first { $0.name == "dead.example" }?.failure?.code == "http.unreachable")
        let size = try #require(log.attestations.first { $0.name == "up.example" }?.size)
        #expect(try await test.events(.checkpointCosigned).count == 1)

        try await test.reopen()
        let restarted = try await test.log()
        #expect(restarted.isSelfAttested)
        let again = try Witness(url: "http://127.0.0.1:1", key: try up.verifier.description)
        try await test.attester(restarted, .witness(again)).restore()
        #expect(restarted.attestations.first?.size == size)
        // A receipt of somebody who is not configured any more counts for nothing.
        let other = try Witness(url: "http://127.0.0.1:1", key: try WitnessKey("up.example").verifier.description)
        let third = try await test.log()
        try await test.attester(third, .witness(other)).restore()
        #expect(third.isSelfAttested)
        await test.close()
    }

    @Test("only the key of a witness is one, and two of one name are refused") func keys() async throws {
        let plain = try #require(NoteSigner(name: "log.example")).verifier.description
        #expect(throws: Failure.self) { try Witness(url: "http://127.0.0.1:1", key: plain) }
        let test = try await TestLedger.make()
        let log = try await test.log()
        let witness = Party.witness(try Witness(url: "http://127.0.0.1:1", key: try WitnessKey().verifier.description))
        #expect(throws: Failure.self) { try test.attester(log, witness, witness) }
        await test.close()
    }
}
