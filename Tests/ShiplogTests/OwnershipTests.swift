import Shiplog
import Testing

@Suite struct OwnershipTests {
    private static func deployment(_ metadata: JSON = [:]) throws -> Resource {
        var object: JSON = ["apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata]
        object.set("web", at: ["metadata", "name"])
        object.set("demo", at: ["metadata", "namespace"])
        return try Resource(object)
    }

    private static let shop = ApplicationUID("shop")
    private static let other = ApplicationUID("other")

    @Test("what was marked is ours, and another application's for another") func marks() throws {
        let (shop, other) = (try Self.shop.get("shop"), try Self.other.get("other"))
        let marked = Ownership.mark(try Self.deployment(), as: shop)
        #expect(marked.annotations["shiplog.dev/tracking-id"] == "shop:apps/Deployment:demo/web")
        #expect(marked.labels["shiplog.dev/application"] == "shop")
        #expect(Ownership.of(marked, for: shop) == .ours)
        #expect(Ownership.of(marked, for: other) == .otherApplication(shop))
        #expect(Ownership.mark(marked, as: shop) == marked)
    }

    @Test("marking keeps labels and annotations, and replaces what stands in their place") func keeps() throws {
        let marked = Ownership.mark(
            try Self.deployment(["labels": ["app": "web"], "annotations": .null]), as: try Self.shop.get(""))
        #expect(marked.labels["app"] == "web")
        #expect(marked.annotations.count == 1)
    }

    @Test(
        "an annotation that a controller copied to another object owns nothing",
        arguments: [
            "shop:apps/Deployment:demo/api", "shop:apps/Deployment:other/web", "shop:/Deployment:demo/web",
            "shop:apps/ReplicaSet:demo/web", "shop", "", ":", "Shop!:apps/Deployment:demo/web",
            "shop:apps/Deployment:demo/web/x"
        ])
    func copied(_ id: String) throws {
        let live = try Self.deployment(["annotations": ["shiplog.dev/tracking-id": .string(id)]])
        #expect(Ownership.of(live, for: try Self.shop.get("")) == .copied)
    }

    @Test("the label alone owns nothing") func labelOnly() throws {
        let live = try Self.deployment(["labels": ["shiplog.dev/application": "shop"]])
        #expect(Ownership.of(live, for: try Self.shop.get("")) == .unmarked)
    }

    @Test("Argo CD's marks make an object Argo CD's") func argo() throws {
        let shop = try Self.shop.get("")
        let tracked = try Self.deployment([
            "annotations": ["argocd.argoproj.io/tracking-id": "a:apps/Deployment:demo/web"]
        ])
        #expect(Ownership.of(tracked, for: shop) == .argoCD("a:apps/Deployment:demo/web"))
        let labelled = try Self.deployment(["labels": ["app.kubernetes.io/instance": "a"]])
        #expect(Ownership.of(labelled, for: shop) == .argoCD("a"))
        #expect(Ownership.of(Ownership.mark(tracked, as: shop), for: shop) == .ours)
    }
}
