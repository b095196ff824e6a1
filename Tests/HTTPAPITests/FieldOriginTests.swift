import LedgerStore
import Shiplog
import ShiplogTesting
import Testing

@Suite("A difference, field by field") struct FieldOriginTests {
    @Test("says since which revision the desired value stands, and who else owns the live one") func origins()
        async throws
    {
        try await Site.run { site in
            try site.commit("hello")
            try await site.put("one")
            try await site.finish(try await site.boss.post(Site.api + "/applications/one/sync", [:]))
            let sync = try #require(
                try await site.ledger.revisions(RevisionQuery(kinds: [.sync], limit: 1)).items.first)
            let object = try #require(await site.cluster.all.first { $0.key.kind == "ConfigMap" })
            let name = try #require(object.object["data"]?.object?.keys.sorted().first)
            let wanted = try #require(object.object.at("data", name))
            await site.cluster.edit(object.key, manager: "kubectl-edit") { $0.set("by hand", at: "data", name) }
            var answer = try await site.boss.get(Site.api + "/applications/one/diff")
            try await until("the difference") {
                answer = try await site.boss.get(Site.api + "/applications/one/diff")
                return answer.json["items"]?.array?.first?["fields"] != nil
            }
            let field = try #require(answer.json["items"]?.array?.first?["fields"]?.array?.first)
            #expect(field["path"]?.string == "data.\(name)", "\(field)")
            #expect(field["kind"] == "changed" && field["desired"] == wanted && field["live"] == "by hand")
            #expect(field.at("since", "sequence")?.integer == sync.sequence.value)
        }
    }
}
