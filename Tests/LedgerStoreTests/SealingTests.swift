import Foundation
import GRDB
@testable import LedgerStore
import Shiplog
import ShiplogTesting
import Testing

@Suite struct SealingTests {
    @Test("no planted secret is in the files, as it is or in base64, hex or JSON") func canary() async throws {
        let test = try await TestLedger.make { $0.checkpointPages = nil }
        let ledger = test.ledger
        let canaries = (0..<5).map { "canary-\($0)-" + UUID().uuidString.lowercased() }
        let application = Samples.application("app", webhookSecret: canaries[0])
        let (registered, _) = try await ledger.putApplication(application, actor: .controller)
        var secret = try Samples.secret("login", ["password": canaries[1]])
        secret.set(.string(Data(canaries[2].utf8).base64EncodedString()), at: "data", "token")
        secret.set(
            .string("{\"stringData\":{\"password\":\"\(canaries[3])\"}}"), at: "metadata", "annotations",
            "kubectl.kubernetes.io/last-applied-configuration")
        let (token, text) = try await ledger.createToken(Token.Draft(name: "ci", role: .admin), actor: .controller)
        let attempt = try await ledger.begin(try Samples.intent(registered.reference, [secret], at: test.clock.now))
        try await ledger.finish(attempt, Samples.success(of: attempt, at: test.clock.now))
        let shown = try #require(try await ledger.manifests(attempt.desired)?.first)
        for canary in canaries { #expect(!shown.object.canonicalString.contains(canary)) }
        let cluster = try #require(try await ledger.manifestsForCluster(attempt.desired)?.first)
        #expect(cluster.object.at("data", "password")?.string == Data(canaries[1].utf8).base64EncodedString())
        #expect(cluster.object.at("data", "token")?.string == Data(canaries[2].utf8).base64EncodedString())
        #expect(try await ledger.application(uid: registered.uid)?.application == application)

        let forms =
            canaries.flatMap { canary -> [Data] in
                let plain = Data(canary.utf8)
                return [plain, Data(plain.base64EncodedString().utf8.prefix(24)), Data(Array(plain).hex.utf8)]
            } + [Data(text.revealed.utf8), Data(text.revealed.utf8.suffix(30))]
        var files = 0
        for name in try FileManager.default.subpathsOfDirectory(atPath: test.directory.path) {
            let path = test.directory.path + "/" + name
            guard let bytes = FileManager.default.contents(atPath: path) else { continue }
            files += 1
            for form in forms { #expect(bytes.range(of: form) == nil, "\(name) holds a secret") }
        }
        #expect(files > 4)
        #expect(token.role == .admin)
        let report = try await test.verify()
        #expect(report.isSound, "\(report)")
    }

    @Test("digests do not depend on order, on server fields, or on how a Secret was written") func digests()
        async throws
    {
        let ledger = try await TestLedger.make().ledger
        let map = try Samples.configMap("a", ["x": "1"])
        let secret = try Samples.secret("b", ["password": "p"])
        #expect(try ledger.digest(of: [map, secret]) == ledger.digest(of: [secret, map]))
        var folded = secret
        folded.set(nil, at: "stringData")
        folded.set(["password": .string(Data("p".utf8).base64EncodedString())], at: "data")
        #expect(try ledger.digest(of: secret) == ledger.digest(of: folded))
        var live = map
        live.set([["manager": "shiplog"]], at: "metadata", "managedFields")
        live.set(["kubectl.kubernetes.io/last-applied-configuration": "{}"], at: "metadata", "annotations")
        #expect(try ledger.digest(of: live) == ledger.digest(of: map))
        var other = folded
        other.set(["password": .string(Data("q".utf8).base64EncodedString())], at: "data")
        #expect(try ledger.digest(of: other) != ledger.digest(of: folded))
        #expect(throws: Failure.self) { try ledger.digest(of: [map, map]) }
        let elsewhere = try await TestLedger.make().ledger
        #expect(try elsewhere.digest(of: secret) != ledger.digest(of: secret), "keyed: another ledger, another digest")
    }

    @Test("an odd Secret is sealed too, and comes back as it was") func odd() async throws {
        let test = try await TestLedger.make()
        let objects: [JSON] = [
            ["apiVersion": "v1", "kind": "Secret", "metadata": ["name": "a"], "data": "hidden-whole"],
            ["apiVersion": "v1", "kind": "Secret", "metadata": ["name": "b"], "data": ["n": 12345, "o": .null]],
            [
                "apiVersion": "v1", "kind": "Secret", "metadata": ["name": "c"], "data": [:],
                "stringData": ["k": ["hidden-list"]]
            ],
            ["apiVersion": "v1", "kind": "Secret", "metadata": ["name": "d"], "data": ["a~b": "not base64 hidden"]],
            ["apiVersion": "v1", "kind": "Secret", "metadata": ["name": "e"], "data": .null],
            // Slips of the pen: no API server keeps these members, the ledger would.
            [
                "apiVersion": "v1", "kind": "Secret", "metadata": ["name": "f"], "stringdata": ["k": "hidden-map"],
                "pass/word": "hidden-text", "list": ["hidden-element"], "type": "Opaque", "immutable": true
            ]
        ]
        let resources = try objects.map { try Resource($0) }
        let digest = try await test.ledger.store(manifests: resources)
        let shown = try #require(try await test.ledger.manifests(digest))
        #expect(!shown.map(\.object.canonicalString).joined().contains("hidden"))
        let back = try #require(try await test.ledger.manifestsForCluster(digest)).map(\.object.canonicalString)
        #expect(back == objects.map(\.canonicalString))
        let report = try await test.verify()
        #expect(report.isSound, "\(report)")
    }

    @Test("an erased value is gone, said so, and refused by name; storing it anew brings it back") func erased()
        async throws
    {
        let test = try await TestLedger.make()
        let (application, _, desired) = try await test.deployed(secret: "first")
        let key = try Samples.secret("login", [:]).key
        try await test.ledger.eraseSecretValues(
            of: key, name: "password", for: application.uid, actor: .controller, reason: "leaked")
        let ledger = test.ledger
        let failure = await #expect(throws: Failure.self) { try await ledger.manifestsForCluster(desired) }
        #expect(failure?.code == .ledgerValueErased)
        #expect(failure?.message.contains("login") == true)
        #expect(failure?.message.contains("password") == true)
        #expect(try await ledger.manifests(desired)?.count == 2, "what is shown stays")
        let sound = try await test.verify()
        #expect(sound.isSound, "\(sound)")
        let again = await #expect(throws: Failure.self) {
            try await ledger.eraseSecretValues(
                of: key, name: nil, for: application.uid, actor: .controller, reason: nil)
        }
        #expect(again?.code == "ledger.value-unknown")
        try await test.deployed(secret: "first")
        #expect(try await ledger.manifestsForCluster(desired)?.count == 2)
    }

    @Test("an erased body reads as erased, and the row stays proven") func erasedBody() async throws {
        let test = try await TestLedger.make()
        let (_, revision, _) = try await test.deployed()
        for name in ["author", "reason", "address"] {
            try await test.ledger.eraseBody(name, of: revision, event: Event(.bodyErased, actor: .controller))
        }
        guard case .revision(let stored)? = try await test.ledger.record(at: revision) else {
            Issue.record("the revision is gone")
            return
        }
        #expect(stored.erased == ["address", "author", "reason"])
        #expect(stored.value.source?.commit.author == "(erased)")
        #expect(stored.value.reason == "(erased)")
        #expect(stored.value.actor.address == nil)
        let report = try await test.verify()
        #expect(report.isSound, "\(report)")
        #expect(!report.notes.isEmpty)
    }

    @Test("a data key wrapped for one place opens at no other") func moved() async throws {
        let test = try await TestLedger.make()
        let (_, _, first) = try await test.deployed("one", secret: "first")
        let (_, _, second) = try await test.deployed("two", secret: "second")
        #expect(first != second)
        await test.close()
        try dropTriggers(test, of: "sealed")
        try tamper(
            test,
            """
            UPDATE sealed SET wrapped = (SELECT wrapped FROM sealed AS o WHERE o.id <> sealed.id),
                ciphertext = (SELECT ciphertext FROM sealed AS o WHERE o.id <> sealed.id)
            """)
        let clock = test.clock
        let reader = try await Ledger.open(test.directory, mode: nil, access: .read, now: { clock.now })
        let failure = await #expect(throws: Failure.self) { try await reader.manifestsForCluster(first) }
        #expect(failure?.code == .ledgerKeyWrong)
        await reader.close()
    }
}
