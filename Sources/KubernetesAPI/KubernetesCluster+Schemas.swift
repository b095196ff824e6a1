public import Shiplog
import Synchronization

/// What is remembered of a server's OpenAPI v3 documents: only how lists and maps merge, never a document.
struct SchemaMemory: Sendable {
    /// Paths of the documents by group and version, such as `apis/example.org/v1`, and when they were asked for.
    var index: (paths: [String: String], at: ContinuousClock.Instant)?
    /// By the document's path, which changes with its content.
    var documents: [String: [GroupVersionKind: MergeSchema]] = [:]

    /// Between two questions for the index. A changed definition is noticed after so long.
    static let age = Duration.seconds(60)
    /// The same for a group and version that it does not have: servers publish a new definition's schema a moment later.
    static let ageOfMissing = Duration.seconds(5)
    /// More documents are forgotten and asked for again.
    static let maximumDocuments = 64
}

extension KubernetesCluster {
    /// From the server's OpenAPI v3, one document a group and version, asked for again when its hash changes. A server that
    /// has none, or does not answer, is asked again a while
    /// later.
    public func schema(of kind: ServedKind) async -> MergeSchema? {
        let gvk = kind.gvk
        let group = gvk.group.isEmpty ? "api/\(gvk.version)" : "apis/\(gvk.group)/\(gvk.version)"
        guard let path = await schemaPaths(naming: group)[group] else { return nil }
        if let known = schemas.withLock({ $0.documents[path] }) { return known[gvk] }
        let read: [GroupVersionKind: MergeSchema]
        do throws(Failure) {
            read = MergeSchema.all(inDocument: try await json(schemaCall(path)))
        } catch {
            // Cancelling is no answer; anything else is taken for "it says nothing" until the index is asked for again.
            if error.code == "cluster.cancelled" { return nil }
            read = [:]
            schemas.withLock { $0.index?.paths[group] = nil }
        }
        guard !read.isEmpty else { return nil }
        schemas.withLock { memory in
            if memory.documents.count >= SchemaMemory.maximumDocuments { memory.documents = [:] }
            memory.documents[path] = read
        }
        return read[gvk]
    }

    private func schemaPaths(naming group: String) async -> [String: String] {
        if let known = schemas.withLock({ $0.index }) {
            let age = known.paths[group] == nil ? SchemaMemory.ageOfMissing : SchemaMemory.age
            if ContinuousClock.now - known.at < age { return known.paths }
        }
        let asked = ContinuousClock.now
        var paths: [String: String] = [:]
        do throws(Failure) {
            let index = try await json(schemaCall("/openapi/v3"))
            for (name, entry) in index["paths"]?.object ?? [:] {
                // The address is the server's own; only a document of its OpenAPI is asked for.
                guard let path = entry["serverRelativeURL"]?.string, path.hasPrefix("/openapi/v3/"),
                    path.utf8.count <= 1024, !path.contains("..")
                else { continue }
                paths[name] = path
            }
        } catch {
            if error.code == "cluster.cancelled" { return [:] }
        }
        schemas.withLock { memory in
            memory.index = (paths, asked)
            let current = Set(paths.values)
            memory.documents = memory.documents.filter { current.contains($0.key) }
        }
        return paths
    }

    /// The path as the index gives it, its query with it.
    private func schemaCall(_ address: String) -> Call {
        let parts = address.split(separator: "?", maxSplits: 1)
        var call = Call(.discover, "read the server's schemas", path: parts.first.map(String.init) ?? address)
        for pair in parts.dropFirst().first?.split(separator: "&") ?? [] {
            let sides = pair.split(separator: "=", maxSplits: 1).map(String.init)
            call.query.append((sides.first ?? "", sides.dropFirst().first ?? ""))
        }
        return call
    }
}
