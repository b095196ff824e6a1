import HTTPAPI
import LedgerStore
import Shiplog
import ShiplogTesting
import Testing

@Suite("The event stream") struct StreamTests {
    private let api = Site.api

    private func open(
        _ client: Client, _ path: String = "/stream?after=0", _ headers: [String: String] = [:],
        _ body: @Sendable (inout Connection) async throws -> Void
    ) async throws {
        try await client.connect { connection in
            try await connection.write(client.head("GET", Site.api + path, headers, length: nil))
            let head = try await connection.head()
            try #require(head.status == 200)
            #expect(head.header("Content-Type") == "text/event-stream; charset=utf-8")
            #expect(head.header("X-Accel-Buffering") == "no")
            try await body(&connection)
        }
    }

    @Test("every row arrives once and in order, what was there and what comes") func rows() async throws {
        try await Site.run { site in
            try await site.put("one")
            try await open(site.client) { stream in
                var seen: [Int64] = []
                let head = try #require(try await site.ledger.head()).value
                while seen.count < head {
                    guard let event = try await stream.event() else { break }
                    if let id = event.id { seen.append(id) }
                }
                try await site.put("two")
                var sawTwo = false
                while !sawTwo {
                    let event = try #require(try await stream.event())
                    if let id = event.id { seen.append(id) }
                    if event.data["kind"] == "application.created" {
                        #expect(event.event == "event")
                        #expect(event.data.at("application", "name") == "two")
                        sawTwo = true
                    }
                }
                #expect(seen == (1...Int64(seen.count)).map { $0 })
            }
        }
    }

    @Test("Last-Event-ID wins over after, and only what follows is sent") func resume() async throws {
        try await Site.run { site in
            try await site.put("one")
            try await site.put("two")
            try await open(site.client, "/stream?after=0", ["Last-Event-ID": "2"]) { stream in
                while let event = try await stream.event() {
                    guard let id = event.id else { continue }
                    #expect(id == 3)
                    return
                }
            }
            // Past the log's end, as far as numbers go: nothing comes, and nothing breaks.
            try await open(site.client, "/stream?after=9223372036854775807") { stream in
                try await site.put("three")
                while let event = try await stream.event() {
                    #expect(event.id == nil)
                    if event.event == "application", event.data["name"] == "three" { return }
                }
            }
        }
    }

    @Test("an application that changes is sent as it is in the list") func applications() async throws {
        try await Site.run { site in
            try site.commit("hello")
            try await site.put("one")
            try await open(site.client, "/stream?application=one") { stream in
                try await site.look("one")
                while let event = try await stream.event() {
                    guard event.event == "application", event.data["sync"] == "OutOfSync" else { continue }
                    #expect(event.data["name"] == "one")
                    #expect(event.data["document"] == nil && event.data["resources"] == nil)
                    return
                }
                Issue.record("the stream ended")
            }
        }
    }

    @Test("a token with globs hears of its own applications alone") func globs() async throws {
        try await Site.run { site in
            let token = try await site.token(.viewer, applications: ["mine"])
            try await open(site.client.signed(token)) { stream in
                try await site.put("theirs")
                try await site.put("mine")
                while let event = try await stream.event() {
                    let name = event.event == "application" ? event.data["name"] : event.data.at("application", "name")
                    #expect(name == "mine")
                    if event.data["kind"] == "application.created" { return }
                }
            }
        }
    }

    @Test("a stream ends when its token is revoked") func revoked() async throws {
        try await Site.run(settings: { $0.limits.heartbeat = 50 }) { site in
            let made = try await site.boss.post(api + "/tokens", ["name": "guest", "role": "viewer"])
            let secret = try #require(made.json["secret"]?.string)
            let id = try #require(made.json.at("token", "id")?.string)
            try await open(site.client.signed(secret)) { stream in
                #expect(try await site.boss.send("DELETE", api + "/tokens/" + id).status == 204)
                while try await stream.event() != nil {}
            }
        }
    }

    @Test("one address has only so many streams, and gets its places back") func caps() async throws {
        // The end of a client's connection may be half an end: the next heartbeat tells.
        try await Site.run(settings: {
            $0.limits.streamsPerAddress = 2
            $0.limits.heartbeat = 100
        }) { site in
            try await open(site.client) { _ in
                try await open(site.client) { _ in
                    let third = try await site.client.get(api + "/stream")
                    #expect(third.status == 503 && third.code == "stream.too-many")
                    #expect(third.header("Retry-After") == "15")
                }
            }
            try await until("a place is free again") {
                var status = 0
                try await site.client.connect { connection in
                    try await connection.write(site.client.head("GET", Site.api + "/stream", [:], length: nil))
                    status = try await connection.head().status
                }
                return status == 200
            }
            let metrics = try await site.client.get("/metrics").text
            #expect(metrics.contains("shiplog_sse_clients"))
        }
    }

    @Test("streams and long polls end when the server stops") func shutdown() async throws {
        let ended = Counter()
        try await Site.run { site in
            let (openings, opened) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
            Task {
                try await open(site.client) { stream in
                    opened.yield()
                    while let _ = try? await stream.event() {}
                    await ended.add()
                }
            }
            for await _ in openings { break }
        }
        try await until("the stream has ended") { await ended.count == 1 }
    }
}

actor Counter {
    private(set) var count = 0
    func add() { count += 1 }
}
