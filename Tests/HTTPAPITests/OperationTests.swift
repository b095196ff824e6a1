import Foundation
import HTTPAPI
import LedgerStore
import Shiplog
import ShiplogTesting
import Testing

@Suite("Operations and applications") struct OperationTests {
    private let api = Site.api

    @Test("a long poll answers when its time is up, and when the operation ends") func longPoll() async throws {
        try await Site.run { site in
            try site.commit("hello")
            try await site.put("one")
            try await site.look("one")
            await site.cluster.fail(.apply, named: "greeting", .hang)
            let answer = try await site.boss.post(api + "/applications/one/sync", [:])
            let location = try #require(answer.header("Location"))
            try await until("the sync is at the cluster") { await site.cluster.hanging == 1 }
            let early = try await site.boss.get(location + "?wait=1").json
            #expect(early["state"] == "running" && early["attempt"]?.integer != nil)
            async let late = site.boss.get(location + "?wait=30")
            await site.cluster.release()
            let end = try await late.json
            #expect(end["state"] == "finished" && end["outcome"] == "succeeded")
        }
    }

    @Test("terminate ends what runs, and the history says so") func terminate() async throws {
        try await Site.run { site in
            try site.commit("hello")
            try await site.put("one")
            try await site.look("one")
            await site.cluster.fail(.apply, named: "greeting", .hang)
            let answer = try await site.boss.post(api + "/applications/one/sync", [:])
            try await until("the sync is at the cluster") { await site.cluster.hanging == 1 }
            let ended = try await site.boss.post(api + "/applications/one/terminate", [:])
            #expect(ended.status == 204 && ended.body.isEmpty)
            let operation = try await site.finish(answer)
            let revision = try #require(operation["revision"]?.integer)
            let stored = try await site.boss.get(api + "/revisions/\(revision)").json
            #expect(stored["outcome"] == "superseded" && stored.at("error", "code") != nil)
            let events = try await site.boss.get(api + "/events?kind=operation.terminated").json["items"]?.array ?? []
            #expect(events.count == 1 && events.first?.at("application", "name") == "one")
        }
    }

    @Test("pages follow each other without a gap or a repetition") func pages() async throws {
        try await Site.run { site in
            for index in 1...7 { try await site.put("app-\(index)") }
            for path in ["/applications?limit=3", "/events?limit=3&order=asc", "/events?limit=3"] {
                var names: [String] = []
                var cursor = ""
                repeat {
                    let page = try await site.boss.get(api + path + (cursor.isEmpty ? "" : "&cursor=" + cursor)).json
                    let items = page["items"]?.array ?? []
                    #expect(items.count <= 3)
                    names += items.compactMap { $0["name"]?.string ?? $0["sequence"].map(\.canonicalString) }
                    cursor = page["nextCursor"]?.string ?? ""
                } while !cursor.isEmpty && names.count < 100
                #expect(Set(names).count == names.count)
                #expect(names.count >= 7, "\(path): \(names)")
                if path.hasPrefix("/applications") { #expect(names == (1...7).map { "app-\($0)" }) }
            }
        }
    }

    @Test("asking again for an unchanged list costs a comparison") func notModified() async throws {
        try await Site.run { site in
            try await site.put("one")
            try await until("the first look is over") {
                try await site.boss.get(api + "/revisions?includeUnchanged=true").json["items"]?.array?.isEmpty == false
            }
            let list = try await site.boss.get(api + "/events?kind=application.created")
            let tag = try #require(list.header("ETag"))
            #expect(tag.hasPrefix("W/"))
            try await until("nothing happens any more") {
                let first = try await site.boss.get(api + "/revisions?kind=sync").header("ETag") ?? ""
                return try await site.boss.get(api + "/revisions?kind=sync", ["If-None-Match": first]).status == 304
            }
        }
    }

    @Test("secrets of webhooks and of clusters are in no answer") func secrets() async throws {
        try await Site.run { site in
            try site.commit("hello")
            let secret = """
                apiVersion: v1
                kind: Secret
                metadata:
                  name: password
                stringData:
                  password: hunter2

                """
            try secret.write(toFile: site.repository + "/app/secret.yaml", atomically: true, encoding: .utf8)
            try site.commit("with a secret")
            try await site.put("one", secret: "hook-secret")
            try await site.look("one")
            let end = try await site.finish(try await site.boss.post(api + "/applications/one/sync", [:]))
            #expect(end["outcome"] == "succeeded", "\(end)")
            let sequence = try #require(end["revision"]?.integer)
            for path in [
                "/applications/one", "/applications/one/diff", "/applications/one/manifests?source=desired",
                "/applications/one/manifests?source=live", "/applications/one/manifests?source=deployed",
                "/revisions/\(sequence)", "/revisions/\(sequence)/manifests", "/revisions/\(sequence)/diff",
                "/events", "/revisions", "/entries/\(sequence)"
            ] {
                let answer = try await site.boss.get(api + path)
                #expect(answer.status == 200, "\(path): \(answer.text)")
                for value in ["hunter2", "aHVudGVyMg", "hook-secret"] {
                    #expect(!answer.text.contains(value), "\(path) says \(value)")
                }
            }
            let manifests = try await site.boss.get(api + "/revisions/\(sequence)/manifests").json["items"]?.array ?? []
            #expect(manifests.contains { $0["kind"] == "Secret" })
        }
    }
}
