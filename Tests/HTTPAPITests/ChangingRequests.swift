import Crypto
import Foundation
import HTTPAPI
import LedgerStore
import Shiplog
import ShiplogTesting
import Testing

/// Every address that changes something, by method and pattern: what succeeds on a site that has the deployed and pinned
/// application `one`.
enum ChangingRequest: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case putApplication = "PUT /api/shiplog/v1/applications/{name}"
    case deleteApplication = "DELETE /api/shiplog/v1/applications/{name}"
    case sync = "POST /api/shiplog/v1/applications/{name}/sync"
    case refresh = "POST /api/shiplog/v1/applications/{name}/refresh"
    case rollback = "POST /api/shiplog/v1/applications/{name}/rollback"
    case pin = "PUT /api/shiplog/v1/applications/{name}/pin"
    case unpin = "DELETE /api/shiplog/v1/applications/{name}/pin"
    case terminate = "POST /api/shiplog/v1/applications/{name}/terminate"
    case confirmPrunes = "POST /api/shiplog/v1/applications/{name}/confirm"
    case acceptCluster = "POST /api/shiplog/v1/applications/{name}/accept-cluster"
    case putProject = "PUT /api/shiplog/v1/projects/{project}"
    case deleteProject = "DELETE /api/shiplog/v1/projects/{project}"
    case signIn = "POST /api/shiplog/v1/session"
    case signOut = "DELETE /api/shiplog/v1/session"
    case makeToken = "POST /api/shiplog/v1/tokens"
    case revokeToken = "DELETE /api/shiplog/v1/tokens/{id}"
    case anyHook = "POST /api/webhook"
    case gitlabHook = "POST /api/shiplog/v1/webhooks/gitlab"
    case githubHook = "POST /api/shiplog/v1/webhooks/github"

    case plan = "POST /api/shiplog/v1/plans"
    case applyPlan = "POST /api/shiplog/v1/plans/apply"
    case rotateKey = "POST /api/shiplog/v1/log/rotate-key"
    case confirm = "POST /api/shiplog/v1/log/confirm"
    case verify = "POST /api/shiplog/v1/log/verify"
    case erasePart = "POST /api/shiplog/v1/entries/{sequence}/erase"
    case eraseSecret = "POST /api/shiplog/v1/applications/{name}/erase-secret"
    case retryNotification = "POST /api/shiplog/v1/notifications/{notification}/retry"
    case export = "POST /api/shiplog/v1/exports"
    case population = "POST /api/shiplog/v1/exports/population"

    /// They only read: a plan writes nothing, and counting takes nothing along.
    var leavesNothing: Bool { self == .plan || self == .population }

    var testDescription: String { rawValue }
    var isHook: Bool { self == .anyHook || self == .gitlabHook || self == .githubHook }

    /// Who sends it, and under which id.
    struct Sender: Sendable {
        let site: Site
        let token: String
        let requestID: String

        func send(
            _ method: String, _ path: String, _ body: JSON? = [:], _ headers: [String: String] = [:]
        ) async throws -> Answer {
            var all = ["X-Request-Id": requestID]
            if body != nil { all["Content-Type"] = "application/json" }
            return try await site.client.signed(token).send(
                method, path, all.merging(headers) { $1 }, body: body.map(\.canonicalBytes))
        }
    }

    func perform(by sender: Sender) async throws -> Answer {
        let one = Site.api + "/applications/one"
        switch self {
        case .putApplication:
            var document = sender.site.document("one", namespace: "one")
            document.set("main", at: ["metadata", "labels", "team"])
            return try await sender.send("PUT", one, document)
        case .deleteApplication: return try await sender.send("DELETE", one, nil)
        case .sync: return try await ended(try await sender.send("POST", one + "/sync"), sender)
        case .refresh: return try await ended(try await sender.send("POST", one + "/refresh"), sender)
        case .rollback: return try await ended(try await rollback(by: sender), sender)
        case .pin: return try await sender.send("PUT", one + "/pin")
        case .unpin: return try await sender.send("DELETE", one + "/pin", nil)
        case .terminate: return try await terminate(by: sender)
        case .confirmPrunes: return try await confirmPrunes(by: sender)
        case .acceptCluster: return try await sender.send("POST", one + "/accept-cluster")
        case .putProject: return try await sender.send("PUT", Site.api + "/projects/team", Site.project("team"))
        case .deleteProject:
            _ = try await sender.site.boss.send(
                "PUT", Site.api + "/projects/team", ["Content-Type": "application/json"],
                body: Site.project("team").canonicalBytes)
            return try await sender.send("DELETE", Site.api + "/projects/team", nil)
        case .signIn:
            return try await sender.send(
                "POST", Site.api + "/session", ["token": .string(sender.token)],
                ["Authorization": "", "Sec-Fetch-Site": "same-origin"])
        case .signOut:
            let opened = try await sender.site.client.post(
                Site.api + "/session", ["token": .string(sender.token)], ["Sec-Fetch-Site": "same-origin"])
            let cookie = String((opened.header("Set-Cookie") ?? "").prefix { $0 != ";" })
            return try await sender.send("DELETE", Site.api + "/session", nil, ["Authorization": "", "Cookie": cookie])
        case .makeToken:
            return try await sender.send("POST", Site.api + "/tokens", ["name": "ci", "role": "viewer"])
        case .revokeToken:
            let made = try await sender.site.ledger.createToken(
                Token.Draft(name: "old", role: .viewer), actor: .controller)
            return try await sender.send("DELETE", Site.api + "/tokens/" + made.0.id, nil)
        case .anyHook: return try await deliver("/api/webhook", by: sender)
        case .gitlabHook: return try await deliver(Site.api + "/webhooks/gitlab", by: sender)
        case .githubHook: return try await deliver(Site.api + "/webhooks/github", by: sender)
        case .plan: return try await sender.send("POST", Site.api + "/plans", try await question(sender))
        case .applyPlan: return try await applyPlan(by: sender)
        case .rotateKey: return try await sender.send("POST", Site.api + "/log/rotate-key", ["reason": "yearly"])
        case .confirm: return try await sender.send("POST", Site.api + "/log/confirm")
        case .verify: return try await sender.send("POST", Site.api + "/log/verify")
        case .erasePart:
            let sync = try await first(sender)
            return try await sender.send(
                "POST", Site.api + "/entries/\(sync)/erase", ["part": "address", "reason": "asked for"])
        case .eraseSecret: return try await eraseSecret(by: sender)
        case .retryNotification:
            return try await sender.send("POST", Site.api + "/notifications/chat/retry", ["all": true])
        case .export: return try await sender.send("POST", Site.api + "/exports", ["format": "jsonl"])
        case .population: return try await sender.send("POST", Site.api + "/exports/population")
        }
    }

    /// The first sync of the site's application.
    private func first(_ sender: Sender) async throws -> Int64 {
        let first = try await sender.site.ledger.revisions(RevisionQuery(kinds: [.sync], order: .oldestFirst)).items
        return first.first?.sequence.value ?? 1
    }

    private func question(_ sender: Sender) async throws -> JSON {
        ["at": .string("#\(try await first(sender))"), "applications": ["one"]]
    }

    private func applyPlan(by sender: Sender) async throws -> Answer {
        let plan = try await sender.site.boss.post(Site.api + "/plans", try await question(sender)).json["plan"]
        let answer = try await sender.send(
            "POST", Site.api + "/plans/apply", ["plan": plan ?? .null, "reason": "the greeting is wrong"])
        if answer.status == 202, let group = answer.json.at("fleet", "group")?.integer {
            try await until("the fleet has ended") {
                try await sender.site.boss.get(Site.api + "/fleets/\(group)?wait=1").json["state"] == "finished"
            }
        }
        return answer
    }

    /// Something must have been sealed that can be erased.
    private func eraseSecret(by sender: Sender) async throws -> Answer {
        let site = sender.site
        let manifest = """
            apiVersion: v1
            kind: Secret
            metadata: {name: login}
            stringData: {password: s3cret}
            """
        try manifest.write(toFile: site.repository + "/app/secret.yaml", atomically: true, encoding: .utf8)
        try site.commit("with a secret")
        try await site.finish(try await site.boss.post(Site.api + "/applications/one/sync", [:]))
        return try await sender.send(
            "POST", Site.api + "/applications/one/erase-secret",
            ["namespace": "one", "name": "login", "reason": "leaked"])
    }

    private func ended(_ answer: Answer, _ sender: Sender) async throws -> Answer {
        if answer.status == 202 { try await sender.site.finish(answer) }
        return answer
    }

    private func rollback(by sender: Sender) async throws -> Answer {
        try await sender.send(
            "POST", Site.api + "/applications/one/rollback",
            ["to": ["sequence": .integer(try await first(sender))], "reason": "the greeting is wrong"])
    }

    /// Something must run that can be ended.
    private func terminate(by sender: Sender) async throws -> Answer {
        let site = sender.site
        try site.commit("later")
        await site.cluster.fail(.apply, named: "greeting", .hang)
        let sync = try await site.boss.post(Site.api + "/applications/one/sync", [:])
        try await until("the sync is at the cluster") { await site.cluster.hanging == 1 }
        let answer = try await sender.send("POST", Site.api + "/applications/one/terminate")
        await site.cluster.clearFaults()
        await site.cluster.release()
        try await site.finish(sync)
        return answer
    }

    /// A sync must wait with a prune.
    private func confirmPrunes(by sender: Sender) async throws -> Answer {
        let site = sender.site
        let asks = "\n  annotations: {argocd.argoproj.io/sync-options: \"Prune=confirm\"}"
        let file = site.repository + "/app/asks.yaml"
        try ("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: asks" + asks + "\n").write(
            toFile: file, atomically: true, encoding: .utf8)
        try site.commit("with one that asks")
        try await site.finish(try await site.boss.post(Site.api + "/applications/one/sync", [:]))
        try FileManager.default.removeItem(atPath: file)
        try site.commit("without it")
        let sync = try await site.boss.post(Site.api + "/applications/one/sync", ["prune": true])
        try await until("the sync waits") {
            try await site.boss.get(Site.api + "/applications/one").json.canonicalString.contains("confirmation")
        }
        let answer = try await sender.send("POST", Site.api + "/applications/one/confirm")
        if answer.status >= 400 { _ = try await site.boss.post(Site.api + "/applications/one/terminate", [:]) }
        try await site.finish(sync)
        return answer
    }

    /// An administrator's delivery shows the right secret, anybody else's a wrong one.
    private func deliver(_ path: String, by sender: Sender) async throws -> Answer {
        let isRight = sender.token == sender.site.admin
        if self == .githubHook {
            let body: JSON = ["ref": "refs/heads/main", "repository": ["clone_url": "x"]]
            let code = HMAC<SHA256>.authenticationCode(
                for: body.canonicalBytes, using: SymmetricKey(data: Data("s3cret".utf8)))
            return try await sender.send(
                "POST", path, body,
                [
                    "Authorization": "", "X-GitHub-Event": "push",
                    "X-Hub-Signature-256": isRight ? "sha256=" + Array(code).hex : "sha256=00"
                ])
        }
        let body: JSON = ["object_kind": "push", "ref": "refs/heads/main", "project": ["git_http_url": "x"]]
        return try await sender.send(
            "POST", path, body,
            ["Authorization": "", "X-Gitlab-Event": "Push Hook", "X-Gitlab-Token": isRight ? "s3cret" : "guess"])
    }

    /// A site where every one of these can succeed.
    static func site(_ body: @Sendable (Site) async throws -> Void) async throws {
        try await Site.run(
            signs: true,
            settings: {
                $0.webhooks.gitlabSecret = SecretText("s3cret")
                $0.webhooks.githubSecret = SecretText("s3cret")
            }
        ) { site in
            try site.commit("hello")
            try await site.put("one")
            for value in ["hello", "good bye"] {
                try site.commit(value + "!")
                try await site.finish(try await site.boss.post(Site.api + "/applications/one/sync", [:]))
            }
            try await site.boss.send(
                "PUT", Site.api + "/applications/one/pin", ["Content-Type": "application/json"], body: Array("{}".utf8))
            try await body(site)
        }
    }
}
