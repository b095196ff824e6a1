public import Shiplog

extension KubernetesCluster {
    public func watch(
        _ kind: ServedKind, namespace: String, selector: String, after resourceVersion: String,
        deliver: @Sendable (WatchEvent) async -> Void
    ) async throws(Failure) {
        let place = namespace.isEmpty ? "" : " in \(namespace)"
        var call = Call(
            .watch, "watch \(kind.gvk.groupKind)\(place)", path: try Self.path(kind, namespace: namespace, name: nil))
        call.isSecret = kind.isSecret
        let seconds = Int.random(in: options.watchSeconds)
        call.query = [
            ("watch", "true"), ("allowWatchBookmarks", "true"), ("resourceVersion", resourceVersion),
            ("timeoutSeconds", String(seconds))
        ]
        if !selector.isEmpty { call.query.append(("labelSelector", selector)) }
        var ending: Failure?
        // The server ends the stream; the minute more is for one that does not.
        let answer = try await stream(call, timeoutMilliseconds: (seconds + 60) * 1000) { line in
            guard !line.isEmpty else { return true }
            switch event(line, kind, call) {
            case .success(let event):
                await deliver(event)
                return true
            case .failure(let failure):
                ending = failure
                return false
            }
        }
        if let ending { throw ending }
        if case .refused(let status) = answer { throw missing(status, kind, call) }
    }

    /// One line of a watch: `{"type": "ADDED", "object": {…}}`.
    private func event(_ line: [UInt8], _ kind: ServedKind, _ call: Call) -> Result<WatchEvent, Failure> {
        guard let document = try? JSON(parsing: line), let type = document["type"]?.string,
            var object = document["object"], object.object != nil
        else { return .failure(invalidAnswer(call, "a line of the stream is no event")) }
        if type == "ERROR" {
            return .failure(failure(APIStatus(object, code: nil, retryAfterSeconds: nil), call))
        }
        if type == "BOOKMARK" {
            guard let version = object.at("metadata", "resourceVersion")?.string, !version.isEmpty else {
                return .failure(invalidAnswer(call, "a bookmark has no resourceVersion"))
            }
            return .success(.bookmark(resourceVersion: version))
        }
        if object["apiVersion"] == nil { object["apiVersion"] = .string(kind.gvk.apiVersion) }
        if object["kind"] == nil { object["kind"] = .string(kind.gvk.kind) }
        do throws(Failure) {
            let resource = try self.object(object, call)
            switch type {
            case "ADDED": return .success(.added(resource))
            case "MODIFIED": return .success(.modified(resource))
            case "DELETED": return .success(.deleted(resource))
            default: return .failure(invalidAnswer(call, "the stream holds an event of an unknown type"))
            }
        } catch {
            return .failure(error)
        }
    }
}
