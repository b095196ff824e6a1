import Shiplog
import Testing

@Suite("Selected resources") struct PlanSelectionTests {
    @Test(
        "a selector is read as it is written",
        arguments: [
            ("apps:Deployment:web", ResourceSelector(group: "apps", kind: "Deployment", name: "web")),
            (":Service:prod/web", ResourceSelector(group: "", kind: "Service", namespace: "prod", name: "web")),
            ("ConfigMap:a", ResourceSelector(kind: "ConfigMap", name: "a")),
            ("ConfigMap:prod/a", ResourceSelector(kind: "ConfigMap", namespace: "prod", name: "a")),
            (
                "rbac.authorization.k8s.io:ClusterRole:system:view",
                ResourceSelector(group: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "system:view")
            )
        ])
    func read(text: String, selector: ResourceSelector) { #expect(ResourceSelector(text) == selector) }

    @Test(
        "what names no resource is refused", arguments: ["", "web", "Deployment:", ":web", "a:B:", "B:ns/", "B:a/b/c"])
    func refused(text: String) { #expect(ResourceSelector(text) == nil) }

    @Test("without group and namespace any is meant, and an empty group is the core's")
    func matching() {
        let service = ResourceKey(group: "", kind: "Service", namespace: "prod", name: "web")
        let other = ResourceKey(group: "serving.knative.dev", kind: "Service", namespace: "prod", name: "web")
        #expect(ResourceSelector(kind: "Service", name: "web").matches(service))
        #expect(ResourceSelector(kind: "Service", name: "web").matches(other))
        #expect(!ResourceSelector(group: "", kind: "Service", name: "web").matches(other))
        #expect(!ResourceSelector(kind: "Service", namespace: "test", name: "web").matches(service))
    }
}
