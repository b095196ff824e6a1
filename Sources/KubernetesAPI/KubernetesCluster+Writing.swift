public import Shiplog

extension KubernetesCluster {
    public func apply(
        _ resource: Resource, as kind: ServedKind, _ options: WriteOptions
    ) async throws(Failure) -> Resource {
        var call = try write(.apply, kind, resource.namespace, resource.name, options)
        call.method = "PATCH"
        // JSON is YAML.
        call.contentType = "application/apply-patch+yaml"
        call.body = resource.object.canonicalBytes
        call.query.append(("force", options.force ? "true" : "false"))
        return try await written(call)
    }

    public func create(
        _ resource: Resource, as kind: ServedKind, _ options: WriteOptions
    ) async throws(Failure) -> Resource {
        var call = try write(.create, kind, resource.namespace, resource.name, options)
        call.path = try Self.path(kind, namespace: resource.namespace, name: nil)
        call.method = "POST"
        call.contentType = "application/json"
        call.body = resource.object.canonicalBytes
        // A second one would meet the first one's object and report AlreadyExists for what succeeded.
        call.mayBeRepeated = false
        return try await written(call)
    }

    public func replace(
        _ resource: Resource, as kind: ServedKind, _ options: WriteOptions
    ) async throws(Failure) -> Resource {
        var call = try write(.update, kind, resource.namespace, resource.name, options)
        call.method = "PUT"
        call.contentType = "application/json"
        call.body = resource.object.canonicalBytes
        // Guarded by its version, a second one would meet what the first one wrote.
        call.mayBeRepeated = resource.resourceVersion == nil
        return try await written(call)
    }

    public func patch(
        _ kind: ServedKind, namespace: String, name: String, _ patch: Patch, _ options: WriteOptions
    ) async throws(Failure) -> Resource {
        var call = try write(.patch, kind, namespace, name, options)
        call.method = "PATCH"
        switch patch {
        case .merge(let value):
            call.contentType = "application/merge-patch+json"
            call.body = value.canonicalBytes
            call.mayBeRepeated = value.at("metadata", "resourceVersion") == nil
        case .json(let operations):
            call.contentType = "application/json-patch+json"
            call.body = operations.canonicalBytes
            call.mayBeRepeated = false
        case .mergeStatus(let value):
            call.path += "/status"
            call.contentType = "application/merge-patch+json"
            call.body = value.canonicalBytes
            call.mayBeRepeated = value.at("metadata", "resourceVersion") == nil
        }
        return try await written(call)
    }

    public func delete(
        _ kind: ServedKind, namespace: String, name: String, _ options: DeleteOptions
    ) async throws(Failure) -> Deletion {
        let what = Self.describe(kind, namespace, name)
        var call = Call(.delete, "delete \(what)", path: try Self.path(kind, namespace: namespace, name: name))
        call.method = "DELETE"
        call.isSecret = kind.isSecret
        call.contentType = "application/json"
        var preconditions: [String: JSON] = [:]
        if let uid = options.uid { preconditions["uid"] = .string(uid) }
        if let version = options.resourceVersion { preconditions["resourceVersion"] = .string(version) }
        call.body =
            JSON.members([
                "apiVersion": "v1", "kind": "DeleteOptions",
                "propagationPolicy": .string(options.propagation.rawValue),
                "preconditions": preconditions.isEmpty ? nil : .object(preconditions),
                "dryRun": options.dryRun ? ["All"] : nil
            ]).canonicalBytes
        switch try await answer(call) {
        case .success(let response): return Self.deletion(try parse(response, call))
        case .refused(let status):
            if status.says(absent: name) { return .absent }
            throw missing(status, kind, call)
        }
    }

    /// A `Status` of success says that it is gone; an object is what was there, marked if something still holds it.
    private static func deletion(_ answer: JSON) -> Deletion {
        guard answer.at("metadata", "deletionTimestamp")?.string != nil else { return .done }
        let holders = answer.at("metadata", "finalizers")?.array ?? []
        let specHolders = answer["kind"]?.string == "Namespace" ? answer.at("spec", "finalizers")?.array ?? [] : []
        let grace = answer.at("metadata", "deletionGracePeriodSeconds")?.integer ?? 0
        return holders.isEmpty && specHolders.isEmpty && grace == 0 ? .done : .pending
    }

    private func write(
        _ verb: Call.Verb, _ kind: ServedKind, _ namespace: String, _ name: String, _ options: WriteOptions
    ) throws(Failure) -> Call {
        let word = verb == .update ? "replace" : verb.rawValue
        let what = Self.describe(kind, namespace, name)
        var call = Call(
            verb, "\(options.dryRun ? "try to \(word)" : word) \(what)",
            path: try Self.path(kind, namespace: namespace, name: name))
        call.isSecret = kind.isSecret
        call.query = [("fieldManager", options.fieldManager), ("fieldValidation", "Warn")]
        if options.dryRun { call.query.append(("dryRun", "All")) }
        return call
    }

    private func written(_ call: Call) async throws(Failure) -> Resource {
        try object(try await json(call), call)
    }
}
