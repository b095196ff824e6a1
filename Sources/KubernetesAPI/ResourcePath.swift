import Shiplog

extension KubernetesCluster {
    /// `/api/v1/namespaces/default/configmaps/settings`.
    /// - Throws: `cluster.name-invalid` for a segment that a server would read as something else.
    static func path(_ kind: ServedKind, namespace: String, name: String?) throws(Failure) -> String {
        var path = kind.gvk.group.isEmpty ? "/api/" : "/apis/" + (try segment(kind.gvk.group, "group")) + "/"
        path += try segment(kind.gvk.version, "version")
        if kind.isNamespaced, !namespace.isEmpty {
            path += "/namespaces/" + (try segment(namespace, "namespace"))
        }
        path += "/" + (try segment(kind.plural, "kind"))
        if let name {
            guard !kind.isNamespaced || !namespace.isEmpty else {
                throw Failure(
                    "cluster.name-invalid", "\(kind.gvk.kind) \(name.tamed(80)) is namespaced and has no namespace")
            }
            path += "/" + (try segment(name, "name"))
        }
        return path
    }

    /// Kubernetes' own rule for path segments: not empty, `.` or `..`, no `/` and no `%`.
    private static func segment(_ text: String, _ what: String) throws(Failure) -> String {
        guard !text.isEmpty, text != ".", text != "..", !text.utf8.contains(where: { $0 == 0x2F || $0 == 0x25 }) else {
            throw Failure("cluster.name-invalid", "a \(what) cannot be \"\(text.tamed(80))\"")
        }
        return text.percentEncoded
    }

    /// `apps/Deployment default/web`, for messages.
    static func describe(_ kind: ServedKind, _ namespace: String, _ name: String) -> String {
        ResourceKey(
            group: kind.gvk.group, kind: kind.gvk.kind, namespace: kind.isNamespaced ? namespace : "", name: name
        ).description
    }
}

extension ServedKind {
    var isSecret: Bool { gvk.group.isEmpty && gvk.kind == "Secret" }
}
