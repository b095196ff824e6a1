/// Fields that a manifest names only to leave them to somebody in the cluster: applied, they would be taken from whoever
/// fills them, who would take them back.
public enum LeftToCluster {
    /// The object without them:
    ///
    /// - `rules` of a ClusterRole with an `aggregationRule`, which the control plane overwrites with the rules of other roles
    ///   (https://kubernetes.io/docs/reference/access-authn-authz/rbac/#aggregated-clusterroles);
    /// - an empty `caBundle`, or one of blanks such as `Cg==`, which stands for one that is injected.
    ///
    /// - Returns: the object, and the paths of what was taken out and was not empty anyway.
    public static func without(_ resource: Resource) -> (resource: Resource, taken: [String]) {
        var result = resource
        var taken: [String] = []
        switch (resource.gvk.group, resource.gvk.kind) {
        case ("rbac.authorization.k8s.io", "ClusterRole"):
            guard isAggregated(resource), let rules = resource.object["rules"] else { break }
            result.set(nil, at: "rules")
            if rules.array?.isEmpty == false { taken.append("rules") }
        case ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"),
            ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"):
            guard let webhooks = resource.object["webhooks"]?.array,
                webhooks.contains(where: { isBlank($0.at("clientConfig", "caBundle")) })
            else { break }
            let bare = webhooks.map { webhook in
                var webhook = webhook
                if isBlank(webhook.at("clientConfig", "caBundle")) {
                    webhook.set(nil, at: ["clientConfig", "caBundle"])
                }
                return webhook
            }
            result.set(.array(bare), at: "webhooks")
        case ("apiregistration.k8s.io", "APIService"):
            if isBlank(resource.object.at("spec", "caBundle")) { result.set(nil, at: "spec", "caBundle") }
        case ("apiextensions.k8s.io", "CustomResourceDefinition"):
            let path = ["spec", "conversion", "webhook", "clientConfig", "caBundle"]
            if isBlank(resource.object.at(path[...])) {
                result.set(nil, at: "spec", "conversion", "webhook", "clientConfig", "caBundle")
            }
        default: break
        }
        return (result, taken)
    }

    static func removed(desired: Resource, live: Resource) -> (desired: Resource, live: Resource) {
        var live = live
        if isAggregated(desired) { live.set(nil, at: "rules") }
        return (without(desired).resource, live)
    }

    /// A role as a server answers it, without what the control plane fills.
    static func withoutFilledRules(_ answer: Resource) -> Resource {
        guard isAggregated(answer) else { return answer }
        var answer = answer
        answer.set(nil, at: "rules")
        return answer
    }

    private static func isAggregated(_ resource: Resource) -> Bool {
        guard resource.gvk.kind == "ClusterRole", resource.gvk.group == "rbac.authorization.k8s.io" else {
            return false
        }
        return resource.object["aggregationRule"]?.object != nil
    }

    private static func isBlank(_ value: JSON?) -> Bool {
        guard let text = value?.string, text.utf8.count <= 64, let bytes = Base64.decode(text) else { return false }
        return bytes.allSatisfy { $0 == 0x20 || $0 == 0x09 || $0 == 0x0A || $0 == 0x0D }
    }
}
