public import Shiplog
import Synchronization

extension KubernetesCluster {
    public func catalog(refresh: Bool) async throws(Failure) -> KindCatalog {
        if !refresh, let known = discovered.withLock({ $0 }),
            ContinuousClock.now - known.at < .milliseconds(options.catalogAgeMilliseconds)
        {
            return known.catalog
        }
        // When it was asked, not when it was answered: what changed meanwhile counts as unknown.
        let asked = ContinuousClock.now
        let catalog = try await discover()
        discovered.withLock { $0 = (catalog, asked) }
        return catalog
    }

    private func discover() async throws(Failure) -> KindCatalog {
        var catalog = CatalogBuilder()
        let version = Call(.discover, "ask for the server's version", path: "/version")
        switch try await answer(version) {
        case .success(let response):
            catalog.serverVersion = (try parse(response, version)["gitVersion"]?.string ?? "").tamed(80)
        case .refused(let status):
            // Someone may be forbidden to see the version and yet allowed everything that matters.
            guard status.code == 403 || status.code == 404 else { throw failure(status, version) }
        }
        try await discover("/api", into: &catalog)
        try await discover("/apis", into: &catalog)
        return catalog.build()
    }

    /// Aggregated discovery, one request for all groups (Kubernetes 1.26 and later), else the classic lists.
    private func discover(_ root: String, into catalog: inout CatalogBuilder) async throws(Failure) {
        var call = Call(.discover, "discover \(root)", path: root)
        call.accept =
            ["v2", "v2beta1"].map { "application/json;g=apidiscovery.k8s.io;v=\($0);as=APIGroupDiscoveryList" }
            .joined(separator: ",") + ",application/json"
        let document = try await json(call)
        switch document["kind"]?.string {
        case "APIGroupDiscoveryList": try catalog.add(aggregated: document)
        case "APIVersions":
            let versions = (document["versions"]?.array ?? []).compactMap(\.string)
            try await discover(versions.map { ("", $0, "/api/" + $0) }, into: &catalog)
        case "APIGroupList":
            var wanted: [(String, String, String)] = []
            for group in document["groups"]?.array ?? [] {
                guard let name = group["name"]?.string else { continue }
                let versions = (group["versions"]?.array ?? []).compactMap { $0["version"]?.string }
                // The preferred version first: the order is what `preferred` is made of.
                let preferred = group.at("preferredVersion", "version")?.string
                for version in versions.filter({ $0 == preferred }) + versions.filter({ $0 != preferred }) {
                    wanted.append((name, version, "/apis/\(name.percentEncoded)/\(version.percentEncoded)"))
                }
            }
            try await discover(wanted, into: &catalog)
        default: throw invalidAnswer(call, "\(root) is no list of API groups")
        }
    }

    private func discover(
        _ wanted: [(group: String, version: String, path: String)], into catalog: inout CatalogBuilder
    ) async throws(Failure) {
        var answers = [Result<JSON, Failure>?](repeating: nil, count: wanted.count)
        await withTaskGroup(of: (Int, Result<JSON, Failure>).self) { group in
            // Eight at a time: some servers have a hundred group versions.
            for (index, (name, version, path)) in wanted.enumerated() {
                if index >= 8, let (done, answer) = await group.next() { answers[done] = answer }
                group.addTask {
                    let call = Call(.discover, "discover \(name.isEmpty ? version : name + "/" + version)", path: path)
                    do throws(Failure) {
                        return (index, .success(try await self.json(call)))
                    } catch {
                        return (index, .failure(error))
                    }
                }
            }
            for await (done, answer) in group { answers[done] = answer }
        }
        for (index, answer) in answers.enumerated() {
            let (group, version, _) = wanted[index]
            switch answer {
            case .success(let document): catalog.add(classic: document, group: group, version: version)
            case .failure(let failure):
                // The core group is the server itself: without it nothing can be said.
                if group.isEmpty { throw failure }
                catalog.unavailable[group] = failure
            case nil: break
            }
        }
        if Task.isCancelled { throw failure(.cancelled, Call(.discover, "discover", path: "")) }
    }
}
