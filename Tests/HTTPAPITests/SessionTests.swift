import HTTPAPI
import Shiplog
import ShiplogTesting
import Testing

@Suite("Sessions of browsers") struct SessionTests {
    private let api = Site.api

    private func signIn(_ site: Site, _ headers: [String: String] = [:]) async throws -> (Answer, cookie: String) {
        let answer = try await site.client.post(
            api + "/session", ["token": .string(site.admin)], ["Sec-Fetch-Site": "same-origin"].merging(headers) { $1 })
        let cookie = (answer.header("Set-Cookie") ?? "").prefix { $0 != ";" }
        return (answer, String(cookie))
    }

    @Test("a token buys a cookie that no script reads, and signing out ends it") func roundTrip() async throws {
        try await Site.run { site in
            let (answer, cookie) = try await signIn(site)
            #expect(answer.status == 200)
            let attributes = try #require(answer.header("Set-Cookie"))
            #expect(attributes.contains("HttpOnly") && attributes.contains("SameSite=Strict"))
            #expect(!attributes.contains("Secure"), "a browser would not send it back over plain loopback")
            #expect(!answer.text.contains(site.admin))
            let me = try await site.client.get(api + "/me", ["Cookie": cookie])
            #expect(me.json["means"] == "session" && me.json["name"] == "admin")
            let ended = try await site.client.send("DELETE", api + "/session", ["Cookie": "theme=dark; " + cookie])
            #expect(ended.status == 204)
            #expect(try await site.client.get(api + "/me", ["Cookie": cookie]).json["means"] == "anonymous")
            let kinds = try await site.boss.get(api + "/events?order=asc").json["items"]?.array?.map { $0["kind"] }
            #expect(kinds?.suffix(2) == ["session.opened", "session.closed"])
        }
    }

    @Test("over TLS or behind a proxy the cookie is tied to the host") func hostPrefix() async throws {
        try await Site.run(settings: { $0.behindProxy = true }) { site in
            let (answer, cookie) = try await signIn(site)
            #expect(answer.header("Set-Cookie")?.contains("; Secure") == true)
            #expect(cookie.hasPrefix("__Host-shiplog="))
            #expect(answer.header("Strict-Transport-Security") != nil)
            #expect(try await site.client.get(api + "/me", ["Cookie": cookie]).status == 200)
            let bare = cookie.dropFirst("__Host-".count)
            #expect(try await site.client.get(api + "/me", ["Cookie": String(bare)]).status == 401)
        }
    }

    @Test("with a session, changes come from our own page alone") func crossSite() async throws {
        try await Site.run { site in
            try await site.put("guestbook")
            let (_, cookie) = try await signIn(site)
            func sync(_ headers: [String: String]) async throws -> Answer {
                try await site.client.post(
                    api + "/applications/guestbook/refresh", [:], ["Cookie": cookie].merging(headers) { $1 })
            }
            let own = "http://127.0.0.1:\(site.client.port)"
            #expect(try await sync(["Sec-Fetch-Site": "same-origin"]).status == 202)
            #expect(try await sync(["Origin": own]).status == 202)
            for headers in [
                [:], ["Sec-Fetch-Site": "cross-site"], ["Sec-Fetch-Site": "same-site"], ["Origin": "null"],
                ["Origin": "https://evil.example.org"], ["Origin": own + "1"],
                ["Sec-Fetch-Site": "same-origin", "Origin": "https://evil.example.org"]
            ] {
                let answer = try await sync(headers)
                #expect(answer.status == 403 && answer.code == "request.cross-site", "\(headers): \(answer.text)")
            }
            // Reading from another site's page is refused too, and a form's media type in any case.
            let read = try await site.client.get(api + "/me", ["Cookie": cookie, "Origin": "https://evil.example.org"])
            #expect(read.status == 403)
            let form = try await site.client.send(
                "POST", api + "/applications/guestbook/refresh",
                ["Cookie": cookie, "Sec-Fetch-Site": "same-origin", "Content-Type": "text/plain"],
                body: Array("{}".utf8))
            #expect(form.status == 415)
            #expect(try await signIn(site, ["Sec-Fetch-Site": "cross-site"]).0.status == 403)
        }
    }

    @Test("a session ends with its token, and with its time") func ends() async throws {
        try await Site.run(settings: { $0.sessionLength = 60_000 }) { site in
            let (answer, cookie) = try await signIn(site)
            #expect(answer.json["expiresIn"] == 60)
            site.clock.advance(byMilliseconds: 60_001)
            #expect(try await site.client.get(api + "/me", ["Cookie": cookie]).json["means"] == "anonymous")
            let made = try await site.boss.post(api + "/tokens", ["name": "guest", "role": "deployer"])
            let secret = try #require(made.json["secret"])
            let opened = try await site.client.post(api + "/session", ["token": secret])
            let guest = String((opened.header("Set-Cookie") ?? "").prefix { $0 != ";" })
            #expect(try await site.client.get(api + "/me", ["Cookie": guest]).json["name"] == "guest")
            let id = try #require(made.json.at("token", "id")?.string)
            #expect(try await site.boss.send("DELETE", api + "/tokens/" + id).status == 204)
            #expect(try await site.client.get(api + "/me", ["Cookie": guest]).json["means"] == "anonymous")
        }
    }

    @Test("the table of sessions is bounded: the oldest gives way") func bounded() async throws {
        try await Site.run(settings: { $0.limits.sessions = 2 }) { site in
            var cookies: [String] = []
            for _ in 0..<3 { cookies.append(try await signIn(site).cookie) }
            var means: [JSON?] = []
            for cookie in cookies {
                means.append(try await site.client.get(api + "/me", ["Cookie": cookie]).json["means"])
            }
            #expect(means == ["anonymous", "session", "session"])
        }
    }
}
