import Foundation
import LedgerStore
import Shiplog
import ShiplogTesting
import Testing

@Suite("Figures of delivery over the API") struct DeliveryAPITests {
    private let path = Site.api + "/metrics/dora"

    @Test("nothing deployed is no zero divided by zero") func nothing() async throws {
        try await Site.run { site in
            try await site.put("one")
            let answer = try await site.boss.get(path)
            #expect(answer.status == 200)
            let total = try #require(answer.json["total"])
            #expect(total.at("deploymentFrequency", "deployments") == 0)
            #expect(total.at("leadTime", "medianMs") == nil && total.at("changeFailRate", "rate") == nil)
            #expect(total.at("timeToRestore", "medianMs") == nil)
            #expect(answer.json["applications"] == [] && answer.json["projects"] == [])
            #expect(answer.json["rules"]?.object?.count == 6)
        }
    }

    @Test("each figure names rows that are there, by application and by project") func figures() async throws {
        try await Site.run(clock: TestClock(Timestamp(milliseconds: Int64(Date().timeIntervalSince1970 * 1000)))) {
            site in
            for (name, project) in [("one", "shop"), ("two", "bank")] {
                try site.commit("hello from " + name)
                try await site.put(name, project: project)
                // The same again is no deployment.
                for _ in 1...2 {
                    try await site.finish(try await site.boss.post(Site.api + "/applications/\(name)/sync", [:]))
                }
            }
            site.clock.advance(byMilliseconds: 1)
            let report = try await site.boss.get(path).json
            let names = report["applications"]?.array?.compactMap { $0.at("application", "name")?.string }
            #expect(names == ["one", "two"])
            #expect(report["projects"]?.array?.compactMap { $0["project"]?.string } == ["bank", "shop"])
            let total = try #require(report["total"])
            #expect(total.at("deploymentFrequency", "deployments") == 2)
            #expect(
                total.at("changeFailRate", "rate") == .integer(0) || total.at("changeFailRate", "rate") == .number(0))
            let sequences = total.at("deploymentFrequency", "sequences")?.array ?? []
            #expect(sequences.count == 2)
            for sequence in sequences {
                let revision = try await site.boss.get(Site.api + "/revisions/\(sequence.canonicalString)").json
                #expect(revision["kind"] == "sync" && revision["outcome"] == "succeeded")
            }
            let narrow = site.client.signed(try await site.token(.viewer, projects: ["bank"]))
            let seen = try await narrow.get(path).json
            #expect(seen["applications"]?.array?.count == 1)
            #expect(seen.at("total", "deploymentFrequency", "deployments") == 1)
            #expect(try await site.boss.get(path + "?project=shop").json["applications"]?.array?.count == 1)
            #expect(
                try await site.boss.get(path + "?application=two").json.at("total", "changeFailRate", "changes") == 1)
            #expect(try await site.boss.get(path + "?application=nobody").json["applications"] == [])
        }
    }

    @Test("a window that ends before it begins is refused") func window() async throws {
        try await Site.run { site in
            for query in ["?from=2026-11-02&to=2026-11-01", "?from=2026-11-01&to=2026-11-01", "?from=then"] {
                let answer = try await site.boss.get(path + query)
                #expect(answer.status == 400 && answer.code == "request.invalid")
            }
        }
    }
}
