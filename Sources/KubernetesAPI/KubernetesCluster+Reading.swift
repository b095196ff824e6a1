public import Shiplog

extension KubernetesCluster {
    public func get(_ kind: ServedKind, namespace: String, name: String) async throws(Failure) -> Resource? {
        let what = Self.describe(kind, namespace, name)
        var call = Call(.get, "get \(what)", path: try Self.path(kind, namespace: namespace, name: name))
        call.isSecret = kind.isSecret
        switch try await answer(call) {
        case .success(let response): return try object(try parse(response, call), call)
        case .refused(let status):
            if status.says(absent: name) { return nil }
            throw missing(status, kind, call)
        }
    }

    public func list(_ kind: ServedKind, namespace: String, selector: String) async throws(Failure) -> ResourceList {
        let place = namespace.isEmpty ? "" : " in \(namespace)"
        var call = Call(
            .list, "list \(kind.gvk.groupKind)\(place)", path: try Self.path(kind, namespace: namespace, name: nil))
        call.isSecret = kind.isSecret
        var items: [Resource] = []
        var version: String?
        var bytes = 0
        var next = ""
        var hasRestarted = false
        while true {
            call.query = [("limit", String(max(1, options.pageSize)))]
            if !selector.isEmpty { call.query.append(("labelSelector", selector)) }
            if !next.isEmpty { call.query.append(("continue", next)) }
            let response: HTTPResponse
            switch try await answer(call) {
            case .success(let success): response = success
            case .refused(let status):
                guard status.code == 410, !next.isEmpty, !hasRestarted else { throw missing(status, kind, call) }
                // The server compacted the version away while we read: once more from the start.
                hasRestarted = true
                (items, version, bytes, next) = ([], nil, 0, "")
                continue
            }
            bytes += response.body.count
            guard bytes <= options.maximumListBytes else {
                throw Failure(
                    "cluster.answer-too-large",
                    "\(call.act) on cluster \(name): more than \(options.maximumListBytes) bytes")
            }
            let document = try parse(response, call)
            try append(document, kind, call, to: &items)
            // The first page's: what changed while later ones were read comes again in the watch, and does no harm.
            version = version ?? document.at("metadata", "resourceVersion")?.string
            let token = document.at("metadata", "continue")?.string ?? ""
            if token.isEmpty { return ResourceList(items: items, resourceVersion: version ?? "") }
            guard token != next else {
                throw invalidAnswer(call, "the server gives the same page again and again")
            }
            next = token
        }
    }

    private func append(
        _ document: JSON, _ kind: ServedKind, _ call: Call, to items: inout [Resource]
    ) throws(Failure) {
        guard document.object != nil, let list = document["kind"]?.string, list.hasSuffix("List") else {
            throw invalidAnswer(call, "the answer is no list")
        }
        // Go writes an empty list as null.
        guard let elements = document["items"], !elements.isNull else { return }
        guard let elements = elements.array else { throw invalidAnswer(call, "the items are no list") }
        items.reserveCapacity(items.count + elements.count)
        for var element in elements {
            // The server leaves out of each item what the list says once.
            if element["apiVersion"] == nil { element["apiVersion"] = .string(kind.gvk.apiVersion) }
            if element["kind"] == nil { element["kind"] = .string(kind.gvk.kind) }
            items.append(try object(element, call))
        }
    }

    /// A 404 that is not about an object means that the path is not served.
    func missing(_ status: APIStatus, _ kind: ServedKind, _ call: Call) -> Failure {
        guard status.code == 404, status.name.isEmpty else { return failure(status, call) }
        return Failure(
            "cluster.kind-unknown", "\(call.act): cluster \(name) does not serve \(kind.gvk)",
            remedy: "check whether its CustomResourceDefinition or API service has been removed",
            next: .retry(afterMilliseconds: nil))
    }
}
