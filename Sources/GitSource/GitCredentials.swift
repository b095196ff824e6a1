public import Shiplog

/// How Shiplog proves to a Git server who it is, and how it knows the server.
///
/// None of it is ever part of an address or of a command line; prints show no secret.
public struct GitCredentials: Sendable, Hashable {
    /// The login itself.
    public enum Login: Sendable, Hashable {
        /// None of ours. Over ssh, the keys of the account that runs Shiplog are tried.
        case none
        /// http(s): a user name with a password or token. GitHub and GitLab take any user name beside a token.
        case basic(username: String, password: SecretText)
        /// http(s): `Authorization: Bearer …`.
        case bearer(SecretText)
        /// ssh: a private key without a passphrase, and the known hosts; a server not among them is refused.
        case sshKey(path: String, knownHosts: String)
    }

    public var login: Login
    /// A PEM file of the authorities to trust instead of the system's, for https.
    public var certificateAuthorities: String?
    /// PEM files of a client certificate and its key, for https.
    public var clientCertificate: String?
    public var clientKey: String?

    public init(
        login: Login, certificateAuthorities: String? = nil, clientCertificate: String? = nil, clientKey: String? = nil
    ) {
        self.login = login
        self.certificateAuthorities = certificateAuthorities
        self.clientCertificate = clientCertificate
        self.clientKey = clientKey
    }

    public static let none = GitCredentials(login: .none)

    public static func basic(username: String, password: String) -> GitCredentials {
        GitCredentials(login: .basic(username: username, password: SecretText(password)))
    }

    public static func bearer(token: String) -> GitCredentials {
        GitCredentials(login: .bearer(SecretText(token)))
    }

    public static func sshKey(path: String, knownHosts: String) -> GitCredentials {
        GitCredentials(login: .sshKey(path: path, knownHosts: knownHosts))
    }

    /// The same, with the user name and password of the address used where nothing else is given.
    func orElse(_ url: RepositoryURL) -> GitCredentials {
        guard case .none = login, url.scheme == .http || url.scheme == .https,
            let user = url.user ?? url.password.map({ _ in "" })
        else { return self }
        var other = self
        other.login = .basic(username: user, password: url.password ?? SecretText(""))
        return other
    }
}
