import Foundation
import HTTPAPI
import LedgerStore
import Shiplog
import ShiplogTesting
import Testing

@Suite("Who may do what") struct AccessTests {
    private let api = Site.api

    @Test("on loopback reading needs no token, and every change does") func loopback() async throws {
        try await Site.run { site in
            try await site.put("guestbook")
            let client = site.client
            #expect(try await client.get(api + "/applications").status == 200)
            #expect(try await client.get(api + "/applications/guestbook").status == 200)
            #expect(try await client.get(api + "/me").json["means"] == "anonymous")
            for (method, path) in [
                ("POST", "/applications/guestbook/sync"), ("POST", "/applications/guestbook/refresh"),
                ("POST", "/applications/guestbook/rollback"), ("PUT", "/applications/guestbook/pin"),
                ("DELETE", "/applications/guestbook/pin"), ("POST", "/applications/guestbook/terminate"),
                ("POST", "/applications/guestbook/accept-cluster"), ("PUT", "/applications/guestbook"),
                ("PUT", "/applications/another"), ("DELETE", "/applications/guestbook"), ("GET", "/tokens"),
                ("POST", "/tokens"), ("DELETE", "/tokens/abc"), ("POST", "/applications/nothing/sync"),
                ("POST", "/plans"), ("POST", "/plans/apply")
            ] {
                let answer = try await client.send(
                    method, api + path, ["Content-Type": "application/json"], body: Array("{}".utf8))
                #expect(answer.status == 401, "\(method) \(path): \(answer.text)")
                #expect(answer.header("WWW-Authenticate") == "Bearer realm=\"shiplog\"")
                #expect(answer.code == "request.unauthenticated")
            }
        }
    }

    @Test("a token sees the projects its globs cover, and changes none when it is narrowed") func projects()
        async throws
    {
        try await Site.run { site in
            for name in ["shop", "web"] {
                let answer = try await site.boss.send(
                    "PUT", api + "/projects/" + name, ["Content-Type": "application/json"],
                    body: Site.project(name).canonicalBytes)
                #expect(answer.status == 201, "\(answer.text)")
            }
            let viewer = site.client.signed(try await site.token(.viewer, projects: ["shop"]))
            let names = try await viewer.get(api + "/projects").json["items"]?.array?.map { $0["name"]?.string }
            #expect(names == ["shop"])
            #expect(try await viewer.get(api + "/projects/shop").status == 200)
            #expect(try await viewer.get(api + "/projects/shop/windows").status == 200)
            let hidden = try await viewer.get(api + "/projects/web")
            #expect(hidden.status == 404 && hidden.code == "project.not-found")
            #expect(try await viewer.get(api + "/projects/web/windows").status == 404)
            // Who could widen a project could widen what the token may touch.
            let narrow = site.client.signed(try await site.token(.admin, projects: ["shop"]))
            let refused = try await narrow.send(
                "PUT", api + "/projects/shop", ["Content-Type": "application/json"],
                body: Site.project("shop", ["description": "mine"]).canonicalBytes)
            #expect(refused.status == 403)
            #expect(try await narrow.send("DELETE", api + "/projects/shop", [:]).status == 403)
            let deployer = site.client.signed(try await site.token(.deployer))
            #expect(try await deployer.send("DELETE", api + "/projects/shop", [:]).status == 403)
        }
    }

    @Test("beyond loopback reading needs a token too, and probes do not") func behindProxy() async throws {
        try await Site.run(settings: { $0.behindProxy = true }) { site in
            for path in ["/applications", "/revisions", "/events", "/stream", "/me", "/system", "/entries/1", "/state"]
            {
                let answer = try await site.client.get(api + path)
                #expect(answer.status == 401, "\(path)")
            }
            #expect(try await site.client.get("/metrics").status == 401)
            #expect(try await site.boss.get("/metrics").status == 200)
            #expect(try await site.boss.get(api + "/applications").status == 200)
            for path in ["/healthz", "/livez", "/readyz"] {
                #expect(try await site.client.get(path, ["Host": "10.0.0.7"]).status == 200)
            }
        }
    }

    @Test("a server that other machines reach refuses to start without TLS or a proxy") func needsTLS() async throws {
        for host in ["0.0.0.0", "::", "192.0.2.1", "cd.example.org"] {
            do {
                try await Site.run(settings: { $0.host = host }) { _ in }
                Issue.record("it started on \(host)")
            } catch let failure as Failure {
                #expect(failure.code == "server.tls-required")
            }
        }
        var settings = ServerSettings()
        #expect(settings.isLocal)
        settings.behindProxy = true
        #expect(!settings.isLocal)
    }

    @Test("roles reach as far as they say") func roles() async throws {
        try await Site.run { site in
            try await site.put("guestbook")
            let expected: [(String, String, [Token.Role])] = [
                ("GET", "/applications/guestbook", [.viewer, .deployer, .auditor, .admin]),
                ("POST", "/applications/guestbook/refresh", [.deployer, .admin]),
                ("GET", "/tokens", [.auditor, .admin]),
                ("POST", "/applications/guestbook/accept-cluster", [.admin]),
                ("DELETE", "/applications/guestbook", [.admin])
            ]
            for (method, path, allowed) in expected {
                for role in Token.Role.allCases {
                    let client = site.client.signed(try await site.token(role))
                    let body: [UInt8]? = method == "POST" ? Array("{}".utf8) : nil
                    let answer = try await client.send(
                        method, api + path, body == nil ? [:] : ["Content-Type": "application/json"], body: body)
                    if allowed.contains(role) {
                        #expect((200..<300).contains(answer.status), "\(role) \(method) \(path): \(answer.text)")
                    } else {
                        #expect(answer.status == 403, "\(role) \(method) \(path): \(answer.text)")
                        #expect(answer.code == "request.forbidden")
                    }
                }
            }
        }
    }

    @Test("a token that its globs hold back hears of them, and not of its role") func narrowed() async throws {
        try await Site.run { site in
            let roles: [Token.Role] = [.auditor, .admin]
            for role in roles {
                let client = site.client.signed(try await site.token(role, projects: ["shop"]))
                let answer = try await client.get(api + "/tokens")
                #expect(answer.status == 403 && answer.code == "request.forbidden")
                #expect(answer.text.contains("for some applications or projects only"), "\(answer.text)")
                #expect(!answer.text.contains("the role"), "\(answer.text)")
            }
            let viewer = site.client.signed(try await site.token(.viewer, projects: ["shop"]))
            #expect(try await viewer.get(api + "/tokens").text.contains("the role viewer"))
        }
    }

    @Test("what lies outside a token's globs is as if it were not there") func globs() async throws {
        try await Site.run { site in
            try await site.put("shop-web", project: "shop")
            try await site.put("bank-web", project: "bank")
            let token = try await site.token(.admin, projects: ["shop"], applications: ["shop-*"])
            let client = site.client.signed(token)
            let list = try await client.get(api + "/applications").json
            #expect(list["items"]?.array?.map { $0["name"] } == ["shop-web"])
            let hidden = try await client.get(api + "/applications/bank-web", ["X-Request-Id": "same"])
            let missing = try await client.get(api + "/applications/no-such-x", ["X-Request-Id": "same"])
            #expect(hidden.status == 404)
            #expect(
                hidden.text.replacingOccurrences(of: "bank-web", with: "N")
                    == missing.text.replacingOccurrences(of: "no-such-x", with: "N"))
            for (method, path) in [
                ("POST", "/applications/bank-web/sync"), ("DELETE", "/applications/bank-web"),
                ("GET", "/applications/bank-web/diff")
            ] {
                let answer = try await client.send(
                    method, api + path, ["Content-Type": "application/json"], body: Array("{}".utf8))
                #expect(answer.status == 404, "\(method) \(path)")
            }
            // Its rows are no more to be seen than the application.
            for path in ["/events", "/revisions?includeUnchanged=true"] {
                let items = try await client.get(api + path).json["items"]?.array ?? []
                #expect(items.allSatisfy { $0.at("application", "name") == "shop-web" }, "\(path)")
            }
            let created = try #require(
                try await site.boss.get(api + "/events?application=bank-web&kind=application.created")
                    .json["items"]?.array?.first?["sequence"]?.integer)
            #expect(try await client.get(api + "/events/\(created)").status == 404)
            #expect(try await client.get(api + "/entries/\(created)").status == 404)
            #expect(try await site.boss.get(api + "/entries/\(created)").status == 200)
            // An application of another project cannot be made, nor one be moved out of reach.
            let put = try await client.send(
                "PUT", api + "/applications/shop-new", ["Content-Type": "application/json"],
                body: site.document("shop-new", project: "bank").canonicalBytes)
            #expect(put.status == 403)
            let move = try await client.send(
                "PUT", api + "/applications/shop-web", ["Content-Type": "application/json"],
                body: site.document("shop-web", project: "bank").canonicalBytes)
            #expect(move.status == 403)
            // What was deleted keeps its history for whom it was in reach of, and for nobody else.
            for name in ["shop-web", "bank-web"] {
                let path = api + "/applications/" + name + "?cascade=false&reason=old"
                let gone = try await site.boss.send("DELETE", path)
                #expect(gone.status < 300, "\(gone.text)")
            }
            let left = try await client.get(api + "/events?kind=application.deleted").json["items"]?.array ?? []
            #expect(left.map { $0.at("application", "name") } == ["shop-web"])
            // Tokens belong to no project.
            #expect(try await client.get(api + "/tokens").status == 403)
            let token2 = try await client.post(api + "/tokens", ["name": "x", "role": "admin"])
            #expect(token2.status == 403)
        }
    }

    @Test("refusals are in the history: one event each for a known token, one together for strangers")
    func refusalsAreRecorded() async throws {
        try await Site.run { site in
            try await site.put("guestbook")
            let viewer = site.client.signed(try await site.token(.viewer))
            #expect(try await viewer.post(api + "/applications/guestbook/sync", [:]).status == 403)
            for _ in 0..<5 {
                #expect(try await site.client.signed("shp_wrong").get(api + "/me").status == 401)
            }
            site.clock.advance(byMilliseconds: 61_000)
            try await site.ledger.recordRefusals()
            let events = try await site.boss.get(api + "/events?kind=request.refused").json["items"]?.array ?? []
            let known = events.filter { $0.at("actor", "name") == "viewer-ann" }
            #expect(known.count == 1)
            #expect(known.first?.at("facts", "code") == "request.forbidden")
            #expect(known.first?.at("facts", "route") == "/api/shiplog/v1/applications/{name}/sync")
            let strangers = events.filter { $0.at("actor", "name") != "viewer-ann" }
            // The first at once, so that a crash loses none but how many more there were.
            #expect(strangers.map { $0.at("facts", "count") } == [4, 1], "\(events)")
        }
    }

    @Test("a token that asks for one refused thing after another is told by name however often")
    func floodsOfAToken() async throws {
        try await Site.run { site in
            try await site.put("guestbook")
            let viewer = site.client.signed(try await site.token(.viewer))
            for _ in 0..<40 { #expect(try await viewer.post(api + "/applications/guestbook/sync", [:]).status == 403) }
            #expect(try await viewer.post(api + "/tokens", ["name": "x", "role": "admin"]).status == 403)
            let events = {
                try await site.boss.get(api + "/events?kind=request.refused&limit=200").json["items"]?.array ?? []
            }
            // Thirty of their own, the first beyond them, and the first of another kind: before the minute is over.
            let before = try await events()
            #expect(before.count == 32)
            #expect(before.allSatisfy { $0.at("actor", "name") == "viewer-ann" })
            #expect(before.first?.at("facts", "route") == "/api/shiplog/v1/tokens")
            site.clock.advance(byMilliseconds: 61_000)
            try await site.ledger.recordRefusals()
            let rest = try await events().first
            #expect(rest?.at("facts", "count") == 9 && rest?.at("actor", "name") == "viewer-ann")
            #expect(rest?.at("facts", "route") == "/api/shiplog/v1/applications/{name}/sync")
            #expect(rest?.at("application", "name") == "guestbook" && rest?.at("facts", "status") == 403)
        }
    }

    @Test("whoever tries many tokens is kept waiting, right token or not") func guessing() async throws {
        try await Site.run(settings: { $0.limits.authenticationFailures = 3 }) { site in
            let wrong = site.client.signed("shp_wrong")
            for _ in 0..<3 { #expect(try await wrong.get(api + "/me").status == 401) }
            let answer = try await site.boss.get(api + "/me")
            #expect(answer.status == 429)
            #expect(answer.code == "request.too-many-attempts")
            #expect(answer.header("Retry-After") == "60")
            site.clock.advance(byMilliseconds: 60_001)
            for _ in 0..<10 { #expect(try await site.boss.get(api + "/me").status == 200) }
        }
    }

    @Test("a token that has expired or was revoked opens nothing") func endedTokens() async throws {
        try await Site.run { site in
            let end = site.clock.now.advanced(byMilliseconds: 1000)
            let short = site.client.signed(try await site.token(.viewer, expiresAt: end))
            #expect(try await short.get(api + "/me").json["role"] == "viewer")
            site.clock.advance(byMilliseconds: 1001)
            #expect(try await short.get(api + "/me").status == 401)
            let made = try await site.boss.post(api + "/tokens", ["name": "robot", "role": "deployer", "robot": true])
            #expect(made.status == 201)
            let secret = try #require(made.json["secret"]?.string)
            let id = try #require(made.json.at("token", "id")?.string)
            #expect(try await site.client.signed(secret).get(api + "/me").json["robot"] == true)
            #expect(try await site.boss.send("DELETE", api + "/tokens/" + id).status == 204)
            #expect(try await site.client.signed(secret).get(api + "/me").status == 401)
            let listed = try await site.boss.get(api + "/tokens")
            #expect(
                listed.json["items"]?.array?.contains { $0["id"] == .string(id) && $0["state"] == "revoked" } == true)
            #expect(!listed.text.contains(secret) && !listed.text.contains("hash"))
        }
    }

    @Test("another name that points at this machine is not answered") func rebinding() async throws {
        try await Site.run(settings: { $0.allowedHosts = ["cd.internal"] }) { site in
            for host in ["evil.example.org", "127.0.0.1.evil.example.org:80", "169.254.169.254", "localhost.evil"] {
                let answer = try await site.client.get(api + "/me", ["Host": host])
                #expect(answer.status == 421, "\(host)")
                #expect(answer.code == "request.host-refused")
            }
            for host in ["localhost", "LOCALHOST:99", "127.0.0.1", "[::1]:8080", "cd.internal", "127.9.9.9"] {
                #expect(try await site.client.get(api + "/me", ["Host": host]).status == 200, "\(host)")
            }
        }
    }
}
