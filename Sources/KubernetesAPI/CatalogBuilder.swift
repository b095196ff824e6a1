import Shiplog

/// Makes a `KindCatalog` out of discovery's documents. Versions are added in the server's order of preference.
struct CatalogBuilder {
    var serverVersion = ""
    var unavailable: [String: Failure] = [:]
    private var kinds: [GroupVersionKind: ServedKind] = [:]
    private var preferred: [GroupKind: ServedKind] = [:]

    func build() -> KindCatalog {
        KindCatalog(kinds: kinds, preferred: preferred, unavailable: unavailable, serverVersion: serverVersion)
    }

    /// `apidiscovery.k8s.io/v2` or `v2beta1`: `APIGroupDiscoveryList`.
    /// - Throws: `cluster.answer-invalid`.
    mutating func add(aggregated document: JSON) throws(Failure) {
        for group in document["items"]?.array ?? [] {
            // The core group has no name.
            let name = group.at("metadata", "name")?.string ?? ""
            guard let versions = group["versions"]?.array else {
                throw Failure("cluster.answer-invalid", "discovery lists the group \(name.tamed(80)) without versions")
            }
            for version in versions {
                guard let versionName = version["version"]?.string else { continue }
                if version["freshness"]?.string == "Stale" {
                    unavailable[name] = Failure(
                        .clusterError,
                        "the API service behind \(name.tamed(80))/\(versionName.tamed(80)) does not answer",
                        remedy: "look at its APIService object", next: .retry(afterMilliseconds: nil))
                }
                for resource in version["resources"]?.array ?? [] {
                    guard let plural = resource["resource"]?.string,
                        let kind = resource.at("responseKind", "kind")?.string
                    else { continue }
                    add(
                        GroupVersionKind(group: name, version: versionName, kind: kind), plural,
                        isNamespaced: resource["scope"]?.string == "Namespaced", resource["verbs"])
                }
            }
        }
    }

    /// `v1/APIResourceList`.
    mutating func add(classic document: JSON, group: String, version: String) {
        guard let resources = document["resources"]?.array else {
            unavailable[group] = Failure(
                "cluster.answer-invalid", "the group \(group.tamed(80)) answers with no list of resources",
                next: .retry(afterMilliseconds: nil))
            return
        }
        for resource in resources {
            // A slash marks a subresource: pods/log.
            guard let plural = resource["name"]?.string, !plural.contains("/"), let kind = resource["kind"]?.string
            else { continue }
            add(
                GroupVersionKind(group: group, version: version, kind: kind), plural,
                isNamespaced: resource["namespaced"]?.bool ?? false, resource["verbs"])
        }
    }

    private mutating func add(_ gvk: GroupVersionKind, _ plural: String, isNamespaced: Bool, _ verbs: JSON?) {
        let verbs = Set((verbs?.array ?? []).compactMap(\.string))
        let served = ServedKind(gvk: gvk, plural: plural, isNamespaced: isNamespaced, verbs: verbs)
        // One kind under two names: the one that can do more.
        if let other = kinds[gvk], other.verbs.count >= verbs.count { return }
        kinds[gvk] = served
        let standing = preferred[gvk.groupKind]
        if standing == nil || standing?.gvk == gvk { preferred[gvk.groupKind] = served }
    }
}
