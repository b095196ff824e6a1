import Foundation
import GitSource
import Manifests
import Shiplog

extension SecretReference {
    /// Reads the secret now.
    /// - Throws: `file.unreadable`; `configuration.secret-missing` when the variable is not set or the secret is empty.
    func resolve() throws(Failure) -> SecretText {
        let text: String
        switch self {
        case .plain(let value): text = value
        case .environment(let name):
            guard let value = ProcessInfo.processInfo.environment[name] else {
                throw Failure(
                    "configuration.secret-missing", "the environment variable \(name) is not set",
                    remedy: "set it, or take it out of the configuration")
            }
            text = value
        case .file(let path):
            var bytes = try Places.read(path)
            while bytes.last == 10 || bytes.last == 13 { bytes.removeLast() }
            text = String(decoding: bytes, as: UTF8.self)
        }
        guard !text.isEmpty else {
            throw Failure(
                "configuration.secret-missing", "a secret that the configuration points at is empty",
                remedy: "fill it, or take it out of the configuration")
        }
        return SecretText(text)
    }
}

/// Which credentials belong to which repository: the longest matching beginning of its address wins.
struct CredentialTable: Sendable {
    private let entries: [(prefix: String, credential: ServerConfiguration.Credential)]
    private let knownHosts: String

    /// - Throws: what keeps one of the secrets from being read at start; later changes of files are picked up.
    init(_ git: ServerConfiguration.Git) throws(Failure) {
        var entries: [(prefix: String, credential: ServerConfiguration.Credential)] = []
        for credential in git.credentials {
            _ = try Self.resolve(credential.kind, knownHosts: git.knownHosts ?? "")
            entries.append((credential.url, credential))
        }
        self.entries = entries.sorted { $0.prefix.utf8.count > $1.prefix.utf8.count }
        knownHosts = git.knownHosts ?? (ProcessInfo.processInfo.environment["HOME"] ?? "") + "/.ssh/known_hosts"
    }

    func credentials(for url: RepositoryURL) -> GitCredentials {
        let address = url.display
        guard let found = entries.first(where: { Self.isWithin(address, $0.prefix) }),
            let login = try? Self.resolve(found.credential.kind, knownHosts: knownHosts)
        else { return .none }
        return GitCredentials(login: login)
    }

    /// `https://host/group` covers `https://host/group/repository`, and not `https://host/groupies`.
    static func isWithin(_ address: String, _ prefix: String) -> Bool {
        guard address.hasPrefix(prefix) else { return false }
        return prefix.hasSuffix("/") || address.utf8.count == prefix.utf8.count
            || address.dropFirst(prefix.count).first == "/" || address.dropFirst(prefix.count) == ".git"
    }

    private static func resolve(
        _ kind: ServerConfiguration.Credential.Kind, knownHosts: String
    ) throws(Failure) -> GitCredentials.Login {
        switch kind {
        case .password(let username, let password):
            .basic(username: try username.resolve().revealed, password: try password.resolve())
        // A token is taken with any user name by GitHub, GitLab and Gitea; a Bearer header is not.
        case .token(let token): .basic(username: "oauth2", password: try token.resolve())
        case .sshKey(let file): .sshKey(path: file, knownHosts: knownHosts)
        }
    }
}
