import Shiplog
import Testing

@Suite("Orphaned resources")
struct OrphanTests {
    private func object(_ kind: String, _ name: String, _ metadata: JSON = [:], in namespace: String = "demo") throws
        -> Resource
    {
        var all: JSON = ["name": .string(name), "namespace": .string(namespace)]
        for (key, value) in metadata.object ?? [:] { all[key] = value }
        return try Resource(["apiVersion": "v1", "kind": .string(kind), "metadata": all])
    }

    @Test("what no application and no controller owns is an orphan; what every namespace has is none")
    func standing() throws {
        let owned = try object("Secret", "owned", ["ownerReferences": [["uid": "u"]]])
        let marked = Ownership.mark(
            try object("ConfigMap", "marked"), as: try #require(ApplicationUID("abc")))
        let live = try [
            object("ConfigMap", "left"), object("ConfigMap", "kube-root-ca.crt"),
            object("ServiceAccount", "default"), object("Service", "kubernetes", in: "default"),
            object("Service", "kubernetes"), object("Event", "told"), object("ConfigMap", "wanted"), owned, marked
        ]
        let found = OrphanedResources.find(live: live, desired: [try object("ConfigMap", "wanted").key])
        #expect(found.items.map(\.name) == ["left", "kubernetes"])
        #expect(found.count == 2)
    }

    @Test("a mark that a controller copied to another object owns nothing")
    func copied() throws {
        let marked = Ownership.mark(try object("ConfigMap", "a"), as: try #require(ApplicationUID("abc")))
        let copy = try object("ConfigMap", "b", ["annotations": JSON(marked.annotations)])
        #expect(OrphanedResources.find(live: [copy], desired: []).items.map(\.name) == ["b"])
    }

    @Test("patterns leave out what they match, and the list is bounded while the count is not")
    func ignored() throws {
        let live = try (0..<5).map { try object("ConfigMap", "cm-\($0)") } + [try object("Secret", "token-a")]
        let rule = try #require(OrphanedResources.Ignore(group: "", kind: "Secret", name: "token-*"))
        let found = OrphanedResources.find(live: live, desired: [], ignoring: [rule], atMost: 2)
        #expect(found.items.map(\.name) == ["cm-0", "cm-1"])
        #expect(found.count == 5)
        #expect(OrphanedResources.Ignore(group: "[", kind: "", name: "") == nil)
    }
}
