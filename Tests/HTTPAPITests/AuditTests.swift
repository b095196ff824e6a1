import Foundation
import HTTPTypes
import LedgerStore
import Shiplog
import ShiplogTesting
import Testing

@testable import HTTPAPI

/// Every address that changes something leaves a trace, whatever becomes of the request. A route that is added later and
/// not here fails the first of these tests.
@Suite("Every request for a change is in the ledger") struct AuditTests {
    private static var changing: [Route] { RouteTable.all.routes.filter { $0.method != .get } }
    private static func key(_ route: Route) -> String { route.method.rawValue + " " + route.pattern }

    @Test("every address that changes something is tried here") func complete() {
        #expect(
            Set(Self.changing.map(Self.key)) == Set(ChangingRequest.allCases.map(\.rawValue)),
            "tell ChangingRequest how the new address succeeds, and see to it that the ledger tells of it")
    }

    /// Who, how and from where a row says somebody came.
    private static func actors(_ site: Site, after head: SequenceNumber?) async throws -> [(actor: Actor, kind: String)]
    {
        try await site.ledger.log(after: head, limit: 500).map { record in
            switch record {
            case .revision(let stored): (stored.value.actor, stored.value.kind.rawValue)
            case .event(let stored): (stored.value.actor, stored.value.kind.rawValue)
            }
        }
    }

    @Test("what succeeds says who, how, from where and in which request", arguments: ChangingRequest.allCases)
    func success(_ request: ChangingRequest) async throws {
        try await ChangingRequest.site { site in
            let sender = ChangingRequest.Sender(site: site, token: site.admin, requestID: "request-of-mine")
            let head = try await site.ledger.head()
            let answer = try await request.perform(by: sender)
            // Nothing was restored here that could be confirmed; who confirms is told in the entry itself.
            if request == .confirm { return #expect(answer.code == "log.confirmed") }
            #expect((200..<300).contains(answer.status), "\(answer.status) \(answer.text)")
            if request.leavesNothing { return }
            try await until("it is in the ledger") {
                try await Self.actors(site, after: head).contains { $0.actor.requestID == sender.requestID }
            }
            for (actor, kind) in try await Self.actors(site, after: head) where actor.requestID == sender.requestID {
                #expect(kind != "request.refused")
                #expect(actor.address == "127.0.0.1")
                if request.isHook {
                    #expect(actor.name == (request == .githubHook ? "github" : "gitlab") && actor.means == .webhook)
                } else {
                    #expect(actor.name == "admin" && actor.tokenID != nil)
                    #expect(actor.means == (kind.hasPrefix("session") ? .session : .token))
                }
            }
        }
    }

    @Test("what is refused says so, with the code", arguments: ChangingRequest.allCases)
    func refusal(_ request: ChangingRequest) async throws {
        try await ChangingRequest.site { site in
            let route = try #require(Self.changing.first { Self.key($0) == request.rawValue })
            let isOpen = route.scope == .open
            // Signing in is refused to a token that is none, a delivery to a wrong secret, all else to a viewer.
            let token = request == .signIn ? "shp_nobody" : try await site.token(.viewer)
            let sender = ChangingRequest.Sender(site: site, token: token, requestID: "request-of-mine")
            let head = try await site.ledger.head()
            let answer: Answer
            if request == .terminate {
                answer = try await sender.send("POST", Site.api + "/applications/one/terminate")
            } else {
                answer = try await request.perform(by: sender)
            }
            // Ending one's own session is refused to nobody.
            if request == .signOut { return #expect(answer.status == 204) }
            #expect(answer.status == (isOpen ? 401 : 403), "\(answer.status) \(answer.text)")
            if isOpen {
                // Strangers are counted together, a minute and code at a time.
                site.clock.advance(byMilliseconds: 61_000)
                try await site.ledger.recordRefusals()
            }
            let events = try await site.ledger.events(EventQuery(kinds: [.requestRefused])).items
                .filter { $0.sequence > (head ?? $0.sequence) }
            let event = try #require(events.first?.value)
            #expect(events.count == 1 && event.outcome == "refused")
            #expect(event.facts["code"]?.string == answer.code)
            if isOpen {
                #expect(event.facts["count"] == 1)
            } else {
                #expect(event.actor.requestID == sender.requestID && event.actor.name == "viewer-ann")
                #expect(event.actor.address == "127.0.0.1" && event.actor.tokenID != nil)
                #expect(event.facts["route"]?.string == route.pattern && event.facts["status"] == 403)
                if route.pattern.contains("{name}") { #expect(event.application?.name == "one") }
            }
        }
    }

    @Test("a change that cannot be made is told too, whatever the reason") func impossible() async throws {
        try await Site.run { site in
            try await site.put("one")
            let tries: [(String, String, JSON?, Int)] = [
                ("DELETE", "/applications/one/pin", nil, 409), ("POST", "/applications/one/terminate", [:], 409),
                ("PUT", "/applications/one/pin", [:], 409), ("POST", "/applications/one/sync", ["prune": "yes"], 400),
                ("POST", "/applications/none/sync", [:], 404), ("DELETE", "/tokens/abcdefghijkl", nil, 404),
                ("POST", "/tokens", ["name": "x"], 400), ("PUT", "/applications/one", ["kind": "Pod"], 422)
            ]
            for (index, (method, path, body, status)) in tries.enumerated() {
                let sender = ChangingRequest.Sender(site: site, token: site.admin, requestID: "try-\(index)")
                let answer = try await sender.send(method, Site.api + path, body)
                #expect(answer.status == status, "\(method) \(path): \(answer.text)")
                let events = try await site.ledger.events(EventQuery(kinds: [.requestRefused], limit: 1))
                let event = try #require(events.items.first?.value)
                #expect(event.actor.requestID == "try-\(index)" && event.facts["code"]?.string == answer.code)
                #expect(event.facts["status"]?.integer == Int64(status))
            }
            let revoked = try await site.ledger.events(EventQuery(kinds: [.requestRefused])).items
            #expect(revoked.contains { $0.value.facts["token"] == "abcdefghijkl" })
        }
    }

    @Test("a specification's change can be read field by field, and its secret never") func fields() async throws {
        try await Site.run { site in
            try await site.put("one", secret: "hook-secret-1")
            let created = try await site.ledger.events(EventQuery(kinds: [.applicationCreated])).items.first
            try await site.put("one", secret: "hook-secret-2", automated: true)
            let stored = try #require(
                try await site.ledger.events(EventQuery(kinds: [.applicationChanged])).items.first)
            #expect(
                stored.value.facts["changed"] == [
                    "/spec/syncPolicy/automated/prune", "/spec/syncPolicy/automated/selfHeal",
                    "/spec/webhook/gitlab/0/secret"
                ])
            let viewer = site.client.signed(try await site.token(.viewer))
            for client in [site.boss, viewer] {
                let event = try await client.get(Site.api + "/events/\(stored.sequence.value)")
                #expect(!event.text.contains("hook-secret"))
                let changes = event.json["changes"]?.array ?? []
                #expect(changes.first == ["path": "/spec/syncPolicy/automated/prune", "after": true])
                let secret = try #require(changes.last)
                #expect(secret["before"]?.string?.hasPrefix("hmac:") == true && secret["before"] != secret["after"])
            }
            let first = try await site.boss.get(Site.api + "/events/\(try #require(created).sequence.value)").json
            #expect(
                first["changes"]?.array?.contains { $0["path"] == "/spec/source/path" && $0["after"] == "app" } == true)
            // A list stays small: it names what changed, and leaves the documents out.
            let list = try await site.boss.get(Site.api + "/events?kind=application.changed").json["items"]?.array
            #expect(list?.first?.at("facts", "changed")?.array?.count == 3)
            #expect(list?.first?.at("detail", "before") == nil && list?.first?["changes"] == nil)

            _ = try await site.boss.send("DELETE", Site.api + "/applications/one?reason=moved")
            let deleted = try #require(
                try await site.ledger.events(EventQuery(kinds: [.applicationDeleted])).items.first)
            let told = try await site.boss.get(Site.api + "/events/\(deleted.sequence.value)").json
            #expect(told["reason"] == "moved")
            #expect(
                told["changes"]?.array?.contains {
                    $0["path"] == "/spec/source/path" && $0["before"] == "app" && $0["after"] == nil
                } == true)
        }
    }

    @Test("what an application had in another project is not shown beyond that project") func projects() async throws {
        try await Site.run { site in
            try await site.put("one", project: "shop")
            try await site.put("one", project: "bank")
            let stored = try #require(
                try await site.ledger.events(EventQuery(kinds: [.applicationChanged])).items.first)
            let path = Site.api + "/events/\(stored.sequence.value)"
            let narrow = site.client.signed(try await site.token(.viewer, projects: ["bank"]))
            #expect(try await narrow.get(path).json["changes"] == nil)
            #expect(try await site.boss.get(path).json["changes"] != nil)
        }
    }

    @Test("two refreshes that one look answers are both told of") func joined() async throws {
        try await Site.run { site in
            try site.commit("hello")
            try await site.put("one")
            try await site.look("one")
            async let first = ChangingRequest.Sender(site: site, token: site.admin, requestID: "first")
                .send("POST", Site.api + "/applications/one/refresh")
            async let second = ChangingRequest.Sender(site: site, token: site.admin, requestID: "second")
                .send("POST", Site.api + "/applications/one/refresh")
            for answer in try await [first, second] { try await site.finish(answer) }
            let told = try await Self.actors(site, after: nil).compactMap(\.actor.requestID)
            #expect(told.filter { $0 == "first" }.count == 1 && told.filter { $0 == "second" }.count == 1)
        }
    }

    @Test("another session takes the old one's place, and both are told of") func replaced() async throws {
        try await Site.run { site in
            let opened = try await site.client.post(
                Site.api + "/session", ["token": .string(site.admin)], ["Sec-Fetch-Site": "same-origin"])
            let cookie = String((opened.header("Set-Cookie") ?? "").prefix { $0 != ";" })
            try await site.client.post(
                Site.api + "/session", ["token": .string(site.admin)],
                ["Sec-Fetch-Site": "same-origin", "Cookie": cookie])
            let events = try await site.ledger.events(EventQuery(order: .oldestFirst)).items.map(\.value)
            #expect(events.suffix(3).map(\.kind) == [.sessionOpened, .sessionClosed, .sessionOpened])
            #expect(events.suffix(2).first?.facts["why"] == "another was opened")
        }
    }
}
