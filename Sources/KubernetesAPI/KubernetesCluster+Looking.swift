public import Shiplog

extension KubernetesCluster {
    public func page(
        _ kind: ServedKind, namespace: String, fields: String, atMost: Int, metadataOnly: Bool
    ) async throws(Failure) -> ResourcePage {
        let place = namespace.isEmpty ? "" : " in \(namespace)"
        var call = Call(
            .list, "list \(kind.gvk.groupKind)\(place)", path: try Self.path(kind, namespace: namespace, name: nil))
        call.isSecret = kind.isSecret
        if metadataOnly {
            // A server that cannot would answer whole objects, and whole Secrets are not asked for by the way.
            call.accept =
                "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
                + (kind.isSecret ? "" : ",application/json")
        }
        call.query = [("limit", String(max(1, atMost)))]
        if !fields.isEmpty { call.query.append(("fieldSelector", fields)) }
        let response: HTTPResponse
        switch try await answer(call) {
        case .success(let success): response = success
        case .refused(let status): throw missing(status, kind, call)
        }
        let document = try parse(response, call)
        guard let elements = document["items"] else { throw invalidAnswer(call, "the answer is no list") }
        var items: [Resource] = []
        for var element in (elements.array ?? []).prefix(atMost) {
            // Metadata alone come under a kind of their own.
            element["apiVersion"] = .string(kind.gvk.apiVersion)
            element["kind"] = .string(kind.gvk.kind)
            items.append(try object(element, call))
        }
        let next = document.at("metadata", "continue")?.string ?? ""
        return ResourcePage(items: items, hasMore: !next.isEmpty || (elements.array?.count ?? 0) > atMost)
    }

    public func log(
        namespace: String, pod: String, _ question: LogQuestion, deliver: @Sendable ([UInt8]) async -> Bool
    ) async throws(Failure) {
        let kind = ServedKind(
            gvk: GroupVersionKind(group: "", version: "v1", kind: "Pod"), plural: "pods", isNamespaced: true, verbs: [])
        var call = Call(
            .get, "read the log of Pod \(namespace)/\(pod)",
            path: try Self.path(kind, namespace: namespace, name: pod) + "/log")
        call.accept = "*/*"
        call.mayBeRepeated = false
        if let container = question.container { call.query.append(("container", container)) }
        if let lines = question.tailLines { call.query.append(("tailLines", String(lines))) }
        if let seconds = question.sinceSeconds { call.query.append(("sinceSeconds", String(seconds))) }
        if question.previous { call.query.append(("previous", "true")) }
        if question.follow { call.query.append(("follow", "true")) }
        call.query.append(("limitBytes", String(question.limitBytes)))
        let start = ContinuousClock.now
        do throws(Failure) {
            let answer = try await pieces(
                call, timeoutMilliseconds: question.timeoutMilliseconds, deliver: { await deliver($0) })
            if case .refused(let status) = answer { throw failure(status, call) }
        } catch {
            // What is followed ends when its time is over, and that is no failure.
            let spent = (ContinuousClock.now - start) / .milliseconds(1)
            guard question.follow, Int(spent) >= question.timeoutMilliseconds else { throw error }
        }
    }
}
