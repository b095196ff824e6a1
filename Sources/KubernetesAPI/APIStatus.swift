import Shiplog

/// An answer that is no success: Kubernetes' `Status` object, or whatever else stood there.
struct APIStatus: Sendable, Hashable {
    struct Cause: Sendable, Hashable {
        let reason: String
        let field: String
        let message: String
    }

    /// The HTTP status.
    let code: Int
    /// `NotFound`, `Conflict`, `Invalid`, …; empty when the answer was no `Status`.
    let reason: String
    let message: String
    let causes: [Cause]
    /// The object the server means.
    let name: String
    /// Its plural, such as `namespaces`.
    let kind: String
    /// Milliseconds that the server asked to wait.
    let retryAfter: Int64?

    init(_ response: HTTPResponse) {
        let seconds = response.header("retry-after").flatMap { Int64($0) }
        let document = response.body.count <= 1 << 20 ? try? JSON(parsing: response.body) : nil
        self.init(document ?? .null, code: response.status, retryAfterSeconds: seconds)
    }

    /// - Parameter code: nil takes the one in the document, as in a watch's ERROR event.
    init(_ document: JSON, code: Int?, retryAfterSeconds: Int64?) {
        let isStatus = document["kind"]?.string == "Status"
        let details = document["details"]
        self.code = code ?? Int(clamping: document["code"]?.integer ?? 0)
        reason = isStatus ? (document["reason"]?.string ?? "").tamed(80) : ""
        message = isStatus ? (document["message"]?.string ?? "").tamed() : ""
        causes = (details?["causes"]?.array ?? []).prefix(32).map {
            Cause(
                reason: ($0["reason"]?.string ?? "").tamed(80), field: ($0["field"]?.string ?? "").tamed(200),
                message: ($0["message"]?.string ?? "").tamed())
        }
        name = details?["name"]?.string ?? ""
        kind = (details?["kind"]?.string ?? "").tamed(80)
        let seconds = retryAfterSeconds ?? details?["retryAfterSeconds"]?.integer
        retryAfter = seconds.flatMap { (0...86_400).contains($0) ? $0 * 1000 : nil }
    }

    /// Whether the server says that this very object is not there. A 404 for a path it does not serve, or of something
    /// between us and the server, says nothing about the object.
    func says(absent name: String) -> Bool {
        code == 404 && reason == "NotFound"
            && (self.name == name || (self.name.isEmpty && message.contains("\"\(name)\"")))
    }

    var isImmutable: Bool {
        guard code == 422 else { return false }
        return ([message] + causes.map(\.message)).contains { text in
            let text = text.lowercased()
            return text.contains("immutable") || text.contains("may not be changed") || text.contains("may not change")
                || (text.contains("forbidden") && text.contains("updates to"))
        }
    }

    /// Whether the conflict is about who owns a field, which trying again does not settle.
    var isFieldConflict: Bool { causes.contains { $0.reason == "FieldManagerConflict" } }

    /// The failure for it.
    ///
    /// What a server writes may repeat values of the object it is about. Of a Secret only the reason and the names of
    /// the fields are kept.
    func failure(_ act: String, isSecret: Bool) -> Failure {
        var text = act + ": "
        let fields = Set(causes.map(\.field).filter { !$0.isEmpty }).sorted().joined(separator: ", ")
        if isSecret {
            text += reason.isEmpty ? "the server answered \(code)" : "\(reason) (\(code))"
            if !fields.isEmpty { text += " in \(fields)" }
        } else if !message.isEmpty {
            text += message
        } else {
            text += reason.isEmpty ? "the server answered \(code)" : "\(reason) (\(code))"
        }
        let (failureCode, remedy, next) = classification
        return Failure(failureCode, text, remedy: remedy, next: next)
    }

    private var classification: (Failure.Code, String?, Failure.Next) {
        switch code {
        case 401: (.clusterUnauthorized, "check the token or client certificate given for this cluster", .person)
        case 403: (.clusterForbidden, "grant the verb on this kind to Shiplog's user: see docs/clusters.md", .person)
        case 404:
            reason == "NotFound" && kind == "namespaces"
                ? (.clusterNotFound, "create the namespace \(name.tamed(80)), or set CreateNamespace=true", .person)
                : (.clusterNotFound, nil, .person)
        case 409 where reason == "AlreadyExists": (.clusterAlreadyExists, nil, .person)
        case 409:
            isFieldConflict
                ? (.clusterConflict, "another manager owns these fields: force the apply, or leave them out", .person)
                : (.clusterConflict, nil, .retry(afterMilliseconds: retryAfter))
        case 410: (.clusterWatchExpired, nil, .retry(afterMilliseconds: nil))
        case 422 where isImmutable:
            (.clusterImmutable, "replace the object (delete and create it), or put the field back", .person)
        case 429: (.clusterBusy, nil, .retry(afterMilliseconds: retryAfter))
        case 400 where message.contains("does not support dry run"):
            (.clusterDryRunUnsupported, "give the webhook sideEffects: None or NoneOnDryRun", .person)
        case 400, 405, 406, 413, 415, 422: (.clusterInvalid, "correct the manifest", .person)
        case 500...599: (.clusterError, nil, .retry(afterMilliseconds: retryAfter))
        default: (.clusterError, "check that the address is a Kubernetes API server", .person)
        }
    }
}
