import Shiplog

/// Who sends a delivery, and how it proves that.
enum WebhookProvider: String, Sendable, Hashable {
    case gitlab, github
}

/// What a delivery says that is worth a look. A hint and nothing more: it makes Shiplog fetch repositories it has been
/// configured with, and is believed in nothing else.
struct WebhookHint: Sendable, Hashable {
    /// Every spelling of the repository's address that the payload gives.
    var repositories: [String]
    /// nil for any: a tag may be what a version constraint was waiting for.
    var branch: String?
    /// Whether `HEAD` means that branch.
    var isDefault: Bool
}

enum WebhookReading: Sendable, Hashable {
    case hint(WebhookHint)
    /// Nothing to do, and why: a ping, an event of another kind.
    case ignored(String)
}

/// Reads payloads. Every member may be missing or of another type: what is not understood is no hint.
enum WebhookPayload {
    static let repositoriesKept = 8
    static let addressLength = 2048

    /// - Parameter event: the value of `X-Gitlab-Event`.
    static func gitlab(event: String, _ payload: JSON) -> WebhookReading {
        let project = payload["project"]
        let defaultBranch = project?["default_branch"]?.string
        switch event.lowercased() {
        case "push hook", "tag push hook", "system hook":
            guard let ref = payload["ref"]?.string else { return .ignored("it names no ref") }
            return hint(
                ref: ref, defaultBranch: defaultBranch,
                addresses([project, payload["repository"]], ["git_http_url", "git_ssh_url", "http_url", "web_url"]))
        case "merge request hook":
            guard payload.at("object_attributes", "action")?.string == "merge" else {
                return .ignored("a merge request that was not merged")
            }
            guard let branch = payload.at("object_attributes", "target_branch")?.string else {
                return .ignored("it names no target branch")
            }
            return hint(
                ref: "refs/heads/" + branch, defaultBranch: defaultBranch,
                addresses(
                    [payload.at("object_attributes", "target"), project],
                    ["git_http_url", "git_ssh_url", "http_url", "web_url"]))
        default: return .ignored("events of this kind change nothing")
        }
    }

    /// - Parameter event: the value of `X-GitHub-Event`.
    static func github(event: String, _ payload: JSON) -> WebhookReading {
        switch event.lowercased() {
        case "ping": return .ignored("a ping")
        case "push":
            guard let ref = payload["ref"]?.string else { return .ignored("it names no ref") }
            let repository = payload["repository"]
            return hint(
                ref: ref,
                defaultBranch: repository?["default_branch"]?.string ?? repository?["master_branch"]?.string,
                addresses([repository], ["clone_url", "ssh_url", "html_url", "git_url"]))
        default: return .ignored("events of this kind change nothing")
        }
    }

    private static func hint(ref: String, defaultBranch: String?, _ addresses: [String]) -> WebhookReading {
        guard !addresses.isEmpty else { return .ignored("it names no repository") }
        guard ref.utf8.count <= 1024 else { return .ignored("its ref is too long") }
        let heads = "refs/heads/"
        guard ref.hasPrefix(heads) else {
            return .hint(WebhookHint(repositories: addresses, branch: nil, isDefault: true))
        }
        let branch = String(ref.dropFirst(heads.count))
        // A payload that does not say which branch is the default one may speak of it.
        return .hint(
            WebhookHint(
                repositories: addresses, branch: branch, isDefault: defaultBranch.map { $0 == branch } ?? true))
    }

    private static func addresses(_ places: [JSON?], _ names: [String]) -> [String] {
        var found: [String] = []
        for place in places {
            for name in names {
                guard let text = place?[name]?.string, !text.isEmpty, text.utf8.count <= addressLength,
                    !found.contains(text), found.count < repositoriesKept
                else { continue }
                found.append(text)
            }
        }
        return found
    }
}

/// An address of a repository without what differs between its spellings: scheme, user, port, `.git`.
enum RepositoryAddress {
    static func comparable(_ address: String) -> String {
        var rest = Substring(address.lowercased())
        if let scheme = rest.firstRange(of: "://") {
            rest = rest[scheme.upperBound...]
        } else if let colon = rest.firstIndex(of: ":"), !rest[..<colon].contains("/") {
            // scp's form, git@host:path
            rest = Substring(rest[..<colon] + "/" + rest[rest.index(after: colon)...])
        }
        let slash = rest.firstIndex(of: "/") ?? rest.endIndex
        var host = rest[..<slash]
        if let at = host.lastIndex(of: "@") { host = host[host.index(after: at)...] }
        if let colon = host.lastIndex(of: ":"), !host.hasSuffix("]") { host = host[..<colon] }
        var path = rest[slash...].drop { $0 == "/" }
        while path.hasSuffix("/") { path = path.dropLast() }
        if path.hasSuffix(".git") { path = path.dropLast(4) }
        return host + "/" + path
    }
}
