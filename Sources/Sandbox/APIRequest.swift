import Shiplog

/// A request, taken apart, without anything of the web server.
struct APIRequest: Sendable {
    var method: String
    /// The path's parts, decoded.
    var path: [String]
    var query: [String: String]
    var accept: String
    /// Without parameters, lower case.
    var contentType: String
    var userAgent: String
    /// nil when there is none.
    var body: JSON?

    init(
        method: String, target: String, accept: String = "", contentType: String = "", userAgent: String = "",
        body: JSON? = nil
    ) {
        self.method = method
        let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        path = (parts.first ?? "").split(separator: "/").map { Self.decoded($0, plus: false) }
        query = [:]
        if parts.count == 2 {
            for pair in parts[1].split(separator: "&").prefix(100) {
                let sides = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                query[Self.decoded(sides[0], plus: true)] = sides.count == 2 ? Self.decoded(sides[1], plus: true) : ""
            }
        }
        self.accept = accept
        self.contentType = (contentType.split(separator: ";").first ?? "").trimmed.lowercased()
        self.userAgent = userAgent
        self.body = body
    }

    private static func decoded(_ text: Substring, plus: Bool) -> String {
        guard text.contains("%") || (plus && text.contains("+")) else { return String(text) }
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.first {
            rest = rest.dropFirst()
            if byte == UInt8(ascii: "%"), rest.count >= 2,
                let value = [UInt8](hex: String(decoding: rest.prefix(2), as: UTF8.self))
            {
                bytes += value
                rest = rest.dropFirst(2)
            } else {
                bytes.append(plus && byte == UInt8(ascii: "+") ? UInt8(ascii: " ") : byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    func isTrue(_ name: String) -> Bool { query[name] == "true" || query[name] == "1" }

    /// What the path names below a group and version.
    struct Target: Sendable {
        var kind: Kind
        /// nil for all namespaces, empty for cluster-scoped kinds.
        var namespace: String?
        var name: String?
        var subresource: String?
    }

    /// nil when the path leads to no kind that is served.
    func target(_ registry: KindRegistry) -> Target? {
        var rest = path[...]
        let group: String
        switch rest.popFirst() {
        case "api": group = ""
        case "apis":
            guard let name = rest.popFirst() else { return nil }
            group = name
        default: return nil
        }
        guard let version = rest.popFirst(), let first = rest.popFirst() else { return nil }
        if first == "namespaces", rest.count >= 2 {
            let namespace = rest.removeFirst()
            let plural = rest.removeFirst()
            // `namespaces/x/status` is a subresource of the namespace itself.
            if let kind = registry.kind(group: group, version: version, plural: plural), kind.isNamespaced {
                return Target(
                    kind: kind, namespace: namespace, name: rest.popFirst(), subresource: rest.popFirst())
            }
            guard group.isEmpty, rest.isEmpty, ["status", "finalize"].contains(plural),
                let kind = registry.kind(group: "", version: version, plural: "namespaces")
            else { return nil }
            return Target(kind: kind, namespace: "", name: namespace, subresource: plural)
        }
        guard let kind = registry.kind(group: group, version: version, plural: first) else { return nil }
        let name = rest.popFirst()
        guard !(kind.isNamespaced && name != nil) else { return nil }
        return Target(
            kind: kind, namespace: kind.isNamespaced ? nil : "", name: name, subresource: rest.popFirst())
    }
}

/// What an answer is made of.
struct APIResponse: Sendable {
    var status = 200
    var body: JSON
    var contentType = "application/json"
    /// For `Warning` headers.
    var warnings: [String] = []
    var retryAfterSeconds: Int?
    /// Text instead of the JSON body.
    var text: String?

    init(_ body: JSON, status: Int = 200) {
        self.body = body
        self.status = status
    }

    init(text: String, status: Int = 200) {
        body = .null
        self.text = text
        self.status = status
        contentType = "text/plain"
    }

    init(_ error: StatusError) {
        body = error.json
        status = error.code
        retryAfterSeconds = error.retryAfterSeconds
    }
}
