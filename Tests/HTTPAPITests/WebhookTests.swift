import Crypto
import Foundation
import HTTPAPI
import Shiplog
import ShiplogTesting
import Testing

@Suite("Webhooks") struct WebhookTests {
    private let hook = "/api/webhook"

    private func gitlab(_ site: Site, branch: String = "main", url: String? = nil) -> JSON {
        [
            "object_kind": "push", "ref": .string("refs/heads/" + branch),
            "project": ["git_http_url": .string(url ?? "file://" + site.repository), "default_branch": "main"]
        ]
    }

    private func deliver(
        _ site: Site, _ payload: JSON, event: String = "Push Hook", token: String? = nil, id: String? = nil
    ) async throws -> Answer {
        var headers = ["X-Gitlab-Event": event]
        headers["X-Gitlab-Token"] = token
        headers["X-Gitlab-Event-UUID"] = id
        return try await site.client.post(hook, payload, headers)
    }

    private func deliveries(_ site: Site, _ count: Int) async throws -> [JSON] {
        var events: [JSON] = []
        try await until("\(count) deliveries are recorded") {
            events =
                try await site.boss.get(Site.api + "/events?kind=webhook.delivered&order=asc").json["items"]?.array
                ?? []
            return events.count >= count
        }
        return events
    }

    @Test("a push wakes the applications of its repository and branch, and is recorded") func push() async throws {
        try await Site.run(settings: { $0.webhooks.gitlabSecret = SecretText("s3cret") }) { site in
            try site.commit("hello")
            try await site.put("one", automated: true)
            try await until("the first sync is done") {
                await site.cluster.all.contains { $0.name == "greeting" }
            }
            try site.commit("good bye")
            let answer = try await deliver(site, gitlab(site), token: "s3cret", id: "d-1")
            #expect(answer.status == 200 && answer.json["status"] == "accepted")
            try await until("the new commit is applied") {
                await site.cluster.all.contains { $0.object.at("data", "text") == "good bye" }
            }
            let event = try #require(try await deliveries(site, 1).first)
            #expect(event.at("facts", "delivery") == "d-1")
            #expect(event.at("facts", "applications") == ["one"])
            #expect(event.at("facts", "body")?.string?.hasPrefix("sha256:") == true)
            #expect(event.at("detail", "address") == "127.0.0.1")
            let revisions = try await site.boss.get(Site.api + "/revisions?kind=sync&cause=automated").json
            #expect((revisions["items"]?.array?.count ?? 0) >= 1, "\(revisions)")
        }
    }

    @Test("what does not show the secret is refused before anybody reads it") func wrongSecret() async throws {
        try await Site.run(settings: { $0.webhooks.gitlabSecret = SecretText("s3cret") }) { site in
            for token in [nil, "x", "s3cre", "s3cret1", "S3CRET", "\"s3cret\""] {
                // The body is no JSON at all: were it read first, the answer would be another.
                var headers = ["X-Gitlab-Event": "Push Hook", "Content-Type": "application/json"]
                headers["X-Gitlab-Token"] = token
                let answer = try await site.client.send("POST", hook, headers, body: Array("no json".utf8))
                #expect(answer.status == 401 && answer.code == "webhook.unverified", "\(token ?? "none")")
            }
            let right = try await site.client.send(
                "POST", hook,
                ["X-Gitlab-Event": "Push Hook", "X-Gitlab-Token": "s3cret", "Content-Type": "application/json"],
                body: Array("no json".utf8))
            #expect(right.code == "request.json-invalid")
        }
    }

    @Test("without any secret deliveries are refused") func noSecret() async throws {
        try await Site.run { site in
            let answer = try await deliver(site, gitlab(site))
            #expect(answer.status == 403 && answer.code == "webhook.no-secret")
            let github = try await site.client.post(hook, [:], ["X-GitHub-Event": "push"])
            #expect(github.status == 403 && github.code == "webhook.no-secret")
        }
    }

    @Test("an application's own secret speaks for its repository alone") func ownSecret() async throws {
        try await Site.run { site in
            try site.commit("hello")
            try await site.put("one", secret: "mine")
            #expect(try await deliver(site, gitlab(site), token: "mine", id: "1").json["status"] == "accepted")
            let other = try await deliver(
                site, gitlab(site, url: "https://git.example.org/team/other.git"), token: "mine", id: "2")
            #expect(other.json["status"] == "ignored")
            #expect(try await deliver(site, gitlab(site), token: "another").status == 401)
            let shown = try await site.boss.get(Site.api + "/applications/one").text
            #expect(!shown.contains("mine"))
        }
    }

    @Test("a merge wakes its target branch, other things of merge requests nothing") func mergeRequests() async throws {
        try await Site.run(settings: { $0.webhooks.gitlabSecret = SecretText("s") }) { site in
            try site.commit("hello")
            try await site.put("one")
            func merge(_ action: String, _ branch: String, _ id: String) async throws -> JSON {
                let payload: JSON = [
                    "object_kind": "merge_request",
                    "project": ["git_http_url": .string("file://" + site.repository), "default_branch": "main"],
                    "object_attributes": ["action": .string(action), "target_branch": .string(branch)]
                ]
                let answer = try await deliver(site, payload, event: "Merge Request Hook", token: "s", id: id)
                #expect(answer.status == 200)
                return answer.json["status"] ?? .null
            }
            #expect(try await merge("open", "main", "1") == "ignored")
            #expect(try await merge("merge", "main", "2") == "accepted")
            #expect(try await merge("merge", "side", "3") == "accepted")
            let note = try await deliver(site, ["x": 1], event: "Note Hook", token: "s", id: "4")
            #expect(note.status == 200 && note.json["status"] == "ignored")
            let events = try await deliveries(site, 4)
            #expect(events.map { $0.at("facts", "woken") } == [nil, 1, 0, nil])
        }
    }

    @Test("a delivery that comes again has no second effect") func replay() async throws {
        try await Site.run(settings: { $0.webhooks.gitlabSecret = SecretText("s") }) { site in
            #expect(try await deliver(site, gitlab(site), token: "s", id: "d").json["status"] == "accepted")
            #expect(try await deliver(site, gitlab(site), token: "s", id: "d").json["status"] == "repeated")
            // The id of another body is another delivery: an id alone, which anybody can guess, silences nothing.
            let other = try await deliver(site, gitlab(site, branch: "side"), token: "s", id: "d")
            #expect(other.json["status"] == "accepted")
            #expect(try await deliveries(site, 2).count == 2)
        }
    }

    @Test("GitHub's signature is over the bytes, and an empty one fails") func github() async throws {
        let secret = "It's a Secret to Everybody"
        try await Site.run(settings: { $0.webhooks.githubSecret = SecretText(secret) }) { site in
            try site.commit("hello")
            try await site.put("one")
            let body = Array(
                "{\"ref\":\"refs/heads/main\", \"repository\":{\"clone_url\":\"file://\(site.repository)\"}}".utf8)
            func send(_ event: String, _ signature: String?, _ bytes: [UInt8]) async throws -> Answer {
                var headers = ["X-GitHub-Event": event, "Content-Type": "application/json"]
                headers["X-Hub-Signature-256"] = signature
                headers["X-GitHub-Delivery"] = "\(bytes.count)-\(event)"
                return try await site.client.send("POST", hook, headers, body: bytes)
            }
            func sign(_ bytes: [UInt8]) -> String {
                let code = HMAC<SHA256>.authenticationCode(for: bytes, using: SymmetricKey(data: Data(secret.utf8)))
                return "sha256=" + Array(code).hex
            }
            // GitHub's own example: the signature holds, and what it signs is no JSON.
            let example = try await send(
                "push", "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
                Array("Hello, World!".utf8))
            #expect(example.code == "request.json-invalid")
            #expect(try await send("push", sign(body), body).json["status"] == "accepted")
            #expect(try await send("ping", sign(body), body).json["status"] == "ignored")
            let right = sign(body)
            for signature in [
                nil, "x", "sha256=", "sha256=zz", "sha1=" + right.dropFirst(7), String(right.dropLast(2)),
                right + "00", String(right.dropFirst(7))
            ] {
                let answer = try await send("push", signature, body)
                #expect(answer.status == 401 && answer.code == "webhook.unverified", "\(signature ?? "none")")
            }
            #expect(try await send("push", right, body + [0x20]).status == 401)
            #expect(try await deliveries(site, 2).first?.at("facts", "woken") == 1)
        }
    }

    @Test("a delivery that is too large, of another type or of nobody's is refused") func refused() async throws {
        try await Site.run(settings: {
            $0.webhooks.gitlabSecret = SecretText("s")
            $0.webhooks.maximumBody = 1000
        }) { site in
            let large = try await deliver(
                site, ["x": .string(String(repeating: "x", count: 2000))], token: "s")
            #expect(large.status == 413)
            let form = try await site.client.send(
                "POST", hook,
                [
                    "X-Gitlab-Event": "Push Hook", "X-Gitlab-Token": "s",
                    "Content-Type": "application/x-www-form-urlencoded"
                ], body: Array("payload=x".utf8))
            #expect(form.status == 415)
            let nobody = try await site.client.post(hook, [:])
            #expect(nobody.status == 400 && nobody.code == "webhook.unknown")
            let both = try await site.client.post(hook, [:], ["X-Gitlab-Event": "a", "X-GitHub-Event": "b"])
            #expect(both.status == 400)
            let direct = try await site.client.post(
                Site.api + "/webhooks/gitlab", gitlab(site), ["X-Gitlab-Event": "Push Hook", "X-Gitlab-Token": "s"])
            #expect(direct.status == 200)
        }
    }
}
