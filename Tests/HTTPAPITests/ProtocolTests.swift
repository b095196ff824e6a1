import HTTPAPI
import NIOCore
import Shiplog
import ShiplogTesting
import Testing

@Suite("Requests that are wrong, large or slow") struct ProtocolTests {
    private let api = Site.api

    @Test("every error is a problem document with the request's id") func problems() async throws {
        try await Site.run { site in
            let answer = try await site.client.get(api + "/nothing", ["X-Request-Id": "quote-me.1"])
            #expect(answer.status == 404)
            #expect(answer.header("Content-Type") == "application/problem+json; charset=utf-8")
            #expect(answer.header("X-Request-Id") == "quote-me.1")
            #expect(answer.json["instance"] == "quote-me.1")
            #expect(answer.json["type"] == "urn:shiplog:problem:request.not-found")
            #expect(answer.json["status"] == 404)
            let made = try await site.client.get(api + "/me", ["X-Request-Id": "no spaces in it"])
            #expect(made.header("X-Request-Id")?.utf8.count == 24)
        }
    }

    @Test("the page is never the answer to an address of the API") func unknownAddresses() async throws {
        try await Site.run { site in
            for path in ["/api", "/api/", "/api/v1/applications", api, api + "/", api + "/applications/", "/api/../x"] {
                let answer = try await site.client.get(path, ["Accept": "text/html"])
                #expect(answer.status == 404 && answer.code == "request.not-found", "\(path)")
            }
            let wrong = try await site.boss.send("PATCH", api + "/applications/x")
            #expect(wrong.status == 405 && wrong.header("Allow") == "DELETE, GET, HEAD, PUT")
            for path in ["/nothing", "/ui/main.js", "/etc/passwd", "/%2e%2e/x"] {
                #expect(try await site.client.get(path).status == 404, "\(path)")
            }
            let root = try await site.client.get("/")
            #expect(root.status == 200 && root.text.contains(api), "without the page's files it says so")
        }
    }

    @Test("a body past its limit is refused while it streams in") func largeBodies() async throws {
        try await Site.run(settings: { $0.limits.body = 1000 }) { site in
            let announced = try await site.boss.send(
                "POST", api + "/tokens", ["Content-Type": "application/json"], body: Array(repeating: 0x20, count: 2000)
            )
            #expect(announced.status == 413 && announced.code == "request.body-too-large")
            // Without a length, and with no end: the answer comes although the body has not ended.
            let head = site.boss.head(
                "POST", api + "/tokens",
                ["Content-Type": "application/json", "Transfer-Encoding": "chunked", "Connection": "keep-alive"],
                length: nil)
            let answer = try await site.boss.connect { connection in
                try await connection.write(head)
                for _ in 0..<3 {
                    try await connection.write("200\r\n" + String(repeating: " ", count: 512) + "\r\n")
                }
                let answer = try await connection.answer()
                try await connection.drain()
                return answer
            }
            #expect(answer.status == 413)
        }
    }

    @Test("a body that does not arrive in time is not waited for") func slowBodies() async throws {
        try await Site.run(settings: { $0.limits.bodyTime = 100 }) { site in
            let head = site.boss.head("POST", api + "/tokens", ["Content-Type": "application/json"], length: 100)
            let answer = try await site.boss.connect { connection in
                try await connection.write(head + Array("{".utf8))
                let answer = try await connection.answer()
                try await connection.drain()
                return answer
            }
            #expect(answer.status == 408 && answer.code == "request.body-too-slow")
        }
    }

    @Test("a connection that says nothing, or half a head, is closed") func slowHeads() async throws {
        try await Site.run(settings: { $0.limits.headTime = 150 }) { site in
            for text in ["", "GET /healthz HTTP/1.1\r\nHost: local"] {
                try await site.client.connect { connection in
                    // On a slow machine it may be closed before anything was said, which is as good.
                    if !text.isEmpty { try? await connection.write(text) }
                    try? await connection.drain()
                }
            }
            try await until("somebody quicker is answered") {
                (try? await site.client.get("/healthz").status) == 200
            }
        }
    }

    @Test("between two requests, a byte now and then keeps no connection open") func trickle() async throws {
        try await Site.run(settings: { $0.limits.idleTime = 1500 }) { site in
            try await site.client.connect { connection in
                try await connection.write(
                    site.client.head("GET", "/healthz", ["Connection": "keep-alive"], length: nil))
                let answer = try await connection.answer()
                #expect(answer.text == "ok\n")
                let output = connection.output
                let trickle = Task {
                    for _ in 0..<1000 {
                        // On a slow machine the server closes it before the next byte, which is as good.
                        try? await output.write(ByteBuffer(string: "G"))
                        try await Task.sleep(for: .milliseconds(20))
                    }
                }
                let began = ContinuousClock.now
                try? await connection.drain()
                #expect(began.duration(to: .now) < .seconds(15))
                trickle.cancel()
                _ = await trickle.result
            }
        }
    }

    @Test("heads that are too large are refused") func largeHeads() async throws {
        try await Site.run { site in
            let many = Dictionary(uniqueKeysWithValues: (0..<200).map { ("X-\($0)", "y") })
            for headers in [["X-Long": String(repeating: "x", count: 40_000)], many] {
                let status: Int
                do { status = try await site.client.get("/healthz", headers).status } catch { status = 0 }
                #expect(status != 200, "\(headers.count) headers")
            }
            let next = try await site.client.get("/healthz")
            #expect(next.status == 200)
        }
    }

    @Test("a connection serves request after request, HEAD without a body included") func keepAlive() async throws {
        try await Site.run { site in
            try await site.client.connect { connection in
                let head = { (method: String) in
                    site.client.head(method, "/healthz", ["Connection": "keep-alive"], length: nil)
                }
                try await connection.write(head("GET"))
                #expect(try await connection.answer().text == "ok\n")
                try await connection.write(head("HEAD"))
                let answer = try await connection.head()
                #expect(answer.status == 200)
                try await connection.write(head("GET"))
                let last = try await connection.answer()
                #expect(last.text == "ok\n")
            }
        }
    }

    @Test("misspelt members, parameters and media types are named") func strictness() async throws {
        try await Site.run { site in
            let member = try await site.boss.post(api + "/tokens", ["name": "x", "role": "viewer", "rolle": "y"])
            #expect(member.status == 400)
            #expect(member.json["errors"]?.array?.first?["pointer"] == "/rolle")
            let wrongType = try await site.boss.post(api + "/tokens", ["name": 3, "role": "viewer"])
            #expect(wrongType.json["errors"]?.array?.first?["pointer"] == "/name")
            for path in [
                "/applications?sinc=Synced", "/applications?sync=synced", "/revisions?limit=0", "/revisions?limit=501",
                "/revisions?from=yesterday", "/revisions?order=up", "/revisions?limit=5&limit=6",
                "/revisions?cursor=zz", "/events?kind=nothing", "/revisions/0", "/revisions/-1",
                "/revisions/9223372036854775808", "/revisions?outcome=fine", "/operations/x?wait=31",
                "/stream?after=-1", "/me?x=1", "/revisions?actor=%zz", "/revisions?actor=%ff",
                "/revisions?includeUnchanged=yes"
            ] {
                let answer = try await site.boss.get(api + path)
                #expect(answer.status == 400, "\(path): \(answer.status) \(answer.text)")
            }
            #expect(try await site.boss.get(api + "/revisions/9223372036854775807").status == 404)
            let broken = try await site.boss.send(
                "POST", api + "/tokens", ["Content-Type": "application/json"], body: Array("{\"name\":".utf8))
            #expect(broken.status == 400 && broken.code == "request.json-invalid")
            let form = try await site.boss.send(
                "POST", api + "/tokens", ["Content-Type": "application/x-www-form-urlencoded"], body: Array("a=b".utf8))
            #expect(form.status == 415)
        }
    }

    @Test("every answer carries the headers that keep a browser harmless") func securityHeaders() async throws {
        try await Site.run { site in
            for path in ["/healthz", api + "/me", api + "/nothing", "/"] {
                let answer = try await site.client.get(path)
                #expect(answer.header("X-Content-Type-Options") == "nosniff", "\(path)")
                #expect(answer.header("Content-Security-Policy")?.hasPrefix("default-src 'none'") == true)
                #expect(answer.header("Referrer-Policy") == "no-referrer")
                #expect(answer.header("Cache-Control") != nil)
                #expect(answer.header("Server") == nil)
            }
        }
    }
}
