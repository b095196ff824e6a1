import Shiplog

/// What the server serves, in the classic and in the aggregated form.
enum Discovery {
    static func version() -> JSON {
        [
            "major": .string(ServerVersion.major), "minor": .string(ServerVersion.minor),
            "gitVersion": .string(ServerVersion.git), "gitCommit": "", "gitTreeState": "clean",
            "buildDate": "1970-01-01T00:00:00Z", "goVersion": "none", "compiler": "swift", "platform": "linux/amd64"
        ]
    }

    static func coreVersions() -> JSON {
        ["kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []]
    }

    static func groups(_ registry: KindRegistry) -> JSON {
        [
            "kind": "APIGroupList", "apiVersion": "v1",
            "groups": .array(registry.groups.filter { !$0.isEmpty }.map { group($0, registry, isListed: true) })
        ]
    }

    static func group(_ name: String, _ registry: KindRegistry, isListed: Bool = false) -> JSON {
        let versions = registry.versions(of: name).map { version -> JSON in
            ["groupVersion": .string(name + "/" + version), "version": .string(version)]
        }
        return .members([
            "kind": isListed ? nil : "APIGroup", "apiVersion": isListed ? nil : "v1", "name": .string(name),
            "versions": .array(versions), "preferredVersion": versions.first ?? [:]
        ])
    }

    /// nil when nothing of that group and version is served.
    static func resources(group: String, version: String, _ registry: KindRegistry) -> JSON? {
        let kinds = registry.kinds(group: group, version: version)
        guard !kinds.isEmpty else { return nil }
        var resources: [JSON] = []
        for kind in kinds {
            resources.append(
                .members([
                    "name": .string(kind.plural), "singularName": .string(kind.singular),
                    "namespaced": .bool(kind.isNamespaced), "kind": .string(kind.kind),
                    "verbs": .array(Kind.verbs.map { .string($0) }),
                    "shortNames": kind.shortNames.isEmpty ? nil : .array(kind.shortNames.map { .string($0) }),
                    "categories": kind.categories.isEmpty ? nil : .array(kind.categories.map { .string($0) })
                ]))
            for sub in subresources(kind) {
                resources.append(
                    .members([
                        "name": .string(kind.plural + "/" + sub.name), "singularName": "",
                        "namespaced": .bool(kind.isNamespaced), "kind": .string(sub.kind),
                        "group": sub.group.map { .string($0) }, "version": sub.version.map { .string($0) },
                        "verbs": .array(sub.verbs.map { .string($0) })
                    ]))
            }
        }
        return [
            "kind": "APIResourceList", "apiVersion": "v1",
            "groupVersion": .string(group.isEmpty ? version : group + "/" + version), "resources": .array(resources)
        ]
    }

    private struct Subresource {
        var name: String
        var kind: String
        var group: String?
        var version: String?
        var verbs = ["get", "patch", "update"]
    }

    private static func subresources(_ kind: Kind) -> [Subresource] {
        var result: [Subresource] = []
        if kind.hasStatus { result.append(Subresource(name: "status", kind: kind.kind)) }
        if kind.scale != nil {
            result.append(Subresource(name: "scale", kind: "Scale", group: "autoscaling", version: "v1"))
        }
        if kind.kind == "Pod", kind.group.isEmpty {
            result.append(
                Subresource(name: "eviction", kind: "Eviction", group: "policy", version: "v1", verbs: ["create"]))
            result.append(Subresource(name: "log", kind: "Pod", verbs: ["get"]))
        }
        return result
    }

    /// `APIGroupDiscoveryList`, for `/api` (the core group) or `/apis` (the others).
    static func aggregated(isCore: Bool, version: String, _ registry: KindRegistry) -> JSON {
        let groups = isCore ? [""] : registry.groups.filter { !$0.isEmpty }
        let items = groups.map { group -> JSON in
            let versions = registry.versions(of: group).map { version -> JSON in
                [
                    "version": .string(version), "freshness": "Current",
                    "resources": .array(registry.kinds(group: group, version: version).map(aggregated))
                ]
            }
            return [
                "metadata": .members(["name": group.isEmpty ? nil : .string(group), "creationTimestamp": .null]),
                "versions": .array(versions)
            ]
        }
        return [
            "kind": "APIGroupDiscoveryList", "apiVersion": .string("apidiscovery.k8s.io/" + version), "metadata": [:],
            "items": .array(items)
        ]
    }

    private static func aggregated(_ kind: Kind) -> JSON {
        func name(_ group: String, _ version: String, _ kind: String) -> JSON {
            ["group": .string(group), "version": .string(version), "kind": .string(kind)]
        }
        let subs = subresources(kind).map { sub -> JSON in
            [
                "subresource": .string(sub.name),
                "responseKind": name(sub.group ?? kind.group, sub.version ?? kind.version, sub.kind),
                "verbs": .array(sub.verbs.map { .string($0) })
            ]
        }
        return .members([
            "resource": .string(kind.plural), "responseKind": name(kind.group, kind.version, kind.kind),
            "scope": kind.isNamespaced ? "Namespaced" : "Cluster", "singularResource": .string(kind.singular),
            "verbs": .array(Kind.verbs.map { .string($0) }),
            "shortNames": kind.shortNames.isEmpty ? nil : .array(kind.shortNames.map { .string($0) }),
            "categories": kind.categories.isEmpty ? nil : .array(kind.categories.map { .string($0) }),
            "subresources": subs.isEmpty ? nil : .array(subs)
        ])
    }
}
