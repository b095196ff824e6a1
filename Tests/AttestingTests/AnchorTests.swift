import Foundation
import GitSource
import KubernetesAPI
import LedgerStore
import Shiplog
import ShiplogTesting
import Testing
import TransparencyLog

@testable import Attesting

@Suite("Anchors") struct AnchorTests {
    private static let secret = "s3cr3t-anchor-token"

    @Test("a checkpoint is posted, and the answer is a receipt without the token that it repeats")
    func posts() async throws {
        let test = try await TestLedger.make()
        let log = try await test.log()
        try await Desk.run { desk, url in
            desk.answer { call in (201, "stored for \(call.headers["authorization"] ?? "")") }
            let anchor = HTTPAnchor(name: "archive", url: url + "/x", token: { SecretText(Self.secret) })
            let checkpoint = try #require(log.published)
            try await test.attester(log, .http(anchor)).round()
            let call = try #require(desk.calls.first)
            #expect(call.path == "/x" && call.body == checkpoint.note.description)
            #expect(call.headers["authorization"] == "Bearer " + Self.secret)
            #expect(call.headers["content-type"] == "text/plain; charset=utf-8")
        }
        #expect(log.attestations.first?.failure == nil)
        #expect(!log.isSelfAttested)
        let receipt = try #require(try await test.events(.checkpointAnchored).first)
        #expect(receipt.value.facts["status"] == 201 && receipt.value.facts["anchor"] == "archive")
        #expect(receipt.value.facts["answerDigest"]?.string?.hasPrefix("sha256:") == true)
        #expect(receipt.value.detail?["answer"]?.string == "stored for Bearer [token]")
        await test.close()
        for file in try FileManager.default.subpathsOfDirectory(atPath: test.directory.path) {
            let bytes = FileManager.default.contents(atPath: test.directory.path + "/" + file) ?? Data()
            #expect(bytes.range(of: Data(Self.secret.utf8)) == nil, "\(file)")
        }
    }

    @Test(
        "the token goes out of an answer however it is written",
        arguments: [
            "a/b+c=d e", "a%2Fb%2Bc%3Dd%20e", "a%2fb%2bc%3dd%20e", "a%2Fb%2Bc%3Dd+e", "a/b+c=d%20e", "YS9iK2M9ZCBl"
        ])
    func forms(form: String) {
        #expect(HTTPAnchor.kept(Array("got \(form).".utf8), SecretText("a/b+c=d e")) == "got [token].")
    }

    @Test("what is kept of an answer is bounded, whole characters and without the token") func kept() {
        let long = String(repeating: "ü", count: 5000)
        let kept = HTTPAnchor.kept(Array(long.utf8), nil)
        #expect(kept.utf8.count == 4096 && kept == String(repeating: "ü", count: 2048))
        let answer = "token \(Self.secret) and \(Data(Self.secret.utf8).base64EncodedString())"
        #expect(HTTPAnchor.kept(Array(answer.utf8), SecretText(Self.secret)) == "token [token] and [token]")
    }

    @Test("an anchor that refuses leaves no receipt", arguments: [301, 400, 401, 404, 429, 500])
    func refuses(status: Int) async throws {
        let test = try await TestLedger.make()
        let log = try await test.log()
        try await Desk.run({ _ in (status, "no") }) { desk, url in
            try await test.attester(log, .http(HTTPAnchor(name: "archive", url: url + "/x"))).round()
            #expect(desk.calls.count == 1)
        }
        let failure = try #require(log.attestations.first?.failure)
        #expect(failure.code == "log.anchor-refused")
        #expect(failure.isTransient == (status == 429 || status == 500))
        #expect(try await test.events(.checkpointAnchored).isEmpty)
        #expect(log.isSelfAttested)
        await test.close()
    }

    @Test("each checkpoint is a commit of its own on a branch of a Git repository") func commits() async throws {
        let test = try await TestLedger.make()
        let log = try await test.log()
        let folder = try TemporaryDirectory("anchor")
        let url = folder.path + "/anchor.git"
        try Self.git(["init", "--quiet", "--bare", url])
        let clock = test.clock
        let repositories = Repositories(directory: folder.path + "/repositories")
        let anchor = try GitAnchor(
            name: "team", url: url, branch: "ledger", path: "checkpoints", repositories: repositories,
            now: { clock.now })
        let attester = try test.attester(log, .git(anchor))
        let first = try #require(log.published)
        await attester.round()
        try await test.grow(log)
        let second = try #require(log.published)
        await attester.round()
        #expect(log.attestations.first?.failure == nil)
        #expect(log.attestations.first?.size == second.head.size)
        let receipts = try await test.events(.checkpointAnchored)
        #expect(receipts.count == 2)
        #expect(try Self.git(["-C", url, "rev-list", "--count", "ledger"]) == "2")
        for (receipt, checkpoint) in zip(receipts.reversed(), [first, second]) {
            let commit = try #require(receipt.value.facts["commit"]?.string)
            let path = try #require(receipt.value.facts["path"]?.string)
            #expect(path.hasPrefix("checkpoints/\(test.ledger.uid)/"))
            let kept = try Self.git(["-C", url, "cat-file", "blob", "\(commit):\(path)"])
            #expect(kept + "\n" == checkpoint.note.description)
        }
        await test.close()
    }

    @discardableResult
    static func git(_ arguments: [String]) throws -> String {
        let child = ChildProcess(
            program: "/usr/bin/git", arguments: arguments,
            environment: ["PATH": "/usr/bin:/bin", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"],
            directory: "/tmp")
        let outcome = child.run()
        try #require(outcome.status == 0, "\(String(decoding: outcome.errors, as: UTF8.self))")
        return String(decoding: outcome.output, as: UTF8.self).trimmingCharacters(in: .newlines)
    }
}
