import Foundation
import HTTPAPI
import LedgerStore
import Shiplog
import ShiplogTesting
import Testing

@Suite("Who may see which past, and bring it back") struct StateAccessTests {
    private let api = Site.api

    private func names(_ answer: Answer) -> [String] {
        (answer.json["items"]?.array ?? []).compactMap { $0.at("application", "name")?.string }
    }

    @Test("a token sees the applications of its globs, then as now") func globs() async throws {
        try await Site.run { site in
            try site.commit("hello")
            try await site.put("shop", project: "team")
            try await site.put("bank", project: "other")
            let before = try #require(try await site.ledger.head()).value
            try await site.put("shop", project: "other")
            let viewer = site.client.signed(try await site.token(.viewer, projects: ["team"]))
            #expect(names(try await viewer.get(api + "/state?at=\(before)")) == ["shop"])
            // It belongs to another project by now.
            #expect(names(try await viewer.get(api + "/state")).isEmpty)
            #expect(names(try await viewer.get(api + "/state/compare?from=1&to=\(before)")) == ["shop"])
            #expect(names(try await site.boss.get(api + "/state/compare?from=1&to=\(before)")) == ["bank", "shop"])
            #expect(names(try await site.boss.get(api + "/state?project=other&at=\(before)")) == ["bank"])
            let blame = "/blame?application=bank&kind=ConfigMap&name=greeting"
            #expect(try await viewer.get(api + blame).code == "application.not-found")
        }
    }

    @Test("pages go on where they stopped, and a cursor fits its own filters") func pages() async throws {
        try await Site.run { site in
            try site.commit("hello")
            for name in ["a", "b", "c"] { try await site.put(name) }
            let first = try await site.client.get(api + "/state?limit=2")
            #expect(names(first) == ["a", "b"])
            let cursor = try #require(first.json["nextCursor"]?.string)
            #expect(names(try await site.client.get(api + "/state?limit=2&cursor=\(cursor)")) == ["c"])
            #expect(try await site.client.get(api + "/state?at=1&cursor=\(cursor)").code == "request.invalid")
            try await until("nothing is written between two answers") {
                let tag = try #require(try await site.client.get(api + "/state").header("ETag"))
                return try await site.client.send("GET", api + "/state", ["If-None-Match": tag]).status == 304
            }
        }
    }

    @Test("a plan asks for leave for each of its applications") func plans() async throws {
        try await Site.run { site in
            try site.commit("hello")
            for name in ["shop", "bank"] {
                try await site.put(name)
                try await site.finish(try await site.boss.post(api + "/applications/\(name)/sync", [:]))
            }
            let then = try #require(try await site.ledger.head()).value
            try site.commit("goodbye")
            for name in ["shop", "bank"] {
                try await site.finish(try await site.boss.post(api + "/applications/\(name)/sync", [:]))
            }
            let viewer = site.client.signed(try await site.token(.viewer))
            #expect(try await viewer.post(api + "/plans", ["at": .string("\(then)")]).status == 403)
            let deployer = site.client.signed(try await site.token(.deployer, applications: ["shop"]))
            let seen = try await deployer.post(api + "/plans", ["at": .string("\(then)")]).json["plan"]
            #expect(seen?["items"]?.array?.compactMap { $0.at("application", "name")?.string } == ["shop"])
            var whole = try #require(try await site.boss.post(api + "/plans", ["at": .string("\(then)")]).json["plan"])
            #expect(whole["items"]?.array?.count == 2)
            // Another's application is as good as none, whatever the plan calls it.
            let refused = try await deployer.post(api + "/plans/apply", ["plan": whole, "reason": "x"])
            #expect(refused.status == 404 && refused.code == "application.not-found")
            var items = whole["items"]?.array ?? []
            for index in items.indices { items[index].set("shop", at: ["application", "name"]) }
            whole["items"] = .array(Array(items.prefix(1)))
            #expect(try await deployer.post(api + "/plans/apply", ["plan": whole, "reason": "x"]).status == 404)
            // A deletion is an administrator's.
            let early = try #require(
                try await deployer.post(api + "/plans", ["at": "1", "delete": true]).json["plan"])
            #expect(early["items"]?.array?.first?["action"] == "delete")
            #expect(try await deployer.post(api + "/plans/apply", ["plan": early, "reason": "x"]).status == 403)
            let applied = try await deployer.post(
                api + "/plans/apply", ["plan": try #require(seen), "reason": "x"])
            #expect(applied.status == 202, "\(applied.text)")
            let group = try #require(applied.json.at("fleet", "group")?.integer)
            let blind = site.client.signed(try await site.token(.viewer, applications: ["bank"]))
            #expect(try await blind.get(api + "/fleets/\(group)").code == "fleet.not-found")
            try await until("it ends") {
                try await deployer.get(api + "/fleets/\(group)?wait=5").json["state"] == "finished"
            }
        }
    }
}
