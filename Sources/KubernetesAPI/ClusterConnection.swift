public import Shiplog

/// Where an API server is, how it is trusted and as whom it is spoken to.
public struct ClusterConnection: Sendable {
    /// The address without a trailing slash; it may have a path.
    public let server: String
    public let tls: TLSSettings
    public let credential: Credential
    /// The only proxy ever used.
    public let proxy: String?
    /// The namespace that the context or the service account names; `default` otherwise.
    public let namespace: String
    /// What an operator should know, such as verification that is switched off.
    public let warnings: [String]

    /// - Throws: `kubeconfig.server-invalid`; `kubeconfig.plain-http` when a credential would leave this machine
    ///   unencrypted.
    public init(
        server: String, tls: TLSSettings = TLSSettings(), credential: Credential = .none, proxy: String? = nil,
        namespace: String = "default", warnings: [String] = []
    ) throws(Failure) {
        let address: HTTPAddress
        do throws(Failure) {
            address = try HTTPAddress(server)
        } catch {
            throw Failure("kubeconfig.server-invalid", "the cluster's server cannot be used: \(error.message)")
        }
        guard !address.path.contains("?"), !address.path.contains("#") else {
            throw Failure("kubeconfig.server-invalid", "the cluster's server has a query or a fragment")
        }
        if !address.isSecure, !address.isLoopback, credential.isSecret {
            throw Failure(
                "kubeconfig.plain-http", "a credential for \(address.authority) would travel unencrypted",
                remedy: "use an https address")
        }
        var warnings = warnings
        if tls.skipsVerification {
            warnings.append(
                "\(address.authority) is not verified (insecure-skip-tls-verify): whoever answers there is believed")
        }
        var server = server
        while server.hasSuffix("/") { server.removeLast() }
        self.server = server
        self.tls = tls
        self.credential = credential
        self.proxy = proxy
        self.namespace = namespace
        self.warnings = warnings
    }
}

/// As whom requests are made. Client certificates are part of `TLSSettings`.
public enum Credential: Sendable {
    case none
    case token(SecretText)
    /// Read again when the file changes, as rotated service account tokens do.
    case tokenFile(String)
    case exec(ExecPlugin)

    var isSecret: Bool {
        if case .none = self { false } else { true }
    }
}

/// A credential plugin (client-go's `exec`): a program that prints an `ExecCredential`.
public struct ExecPlugin: Sendable, Hashable {
    /// Looked up in `PATH` unless it has a slash; a relative one counts from the kubeconfig's folder.
    public var command: String
    public var arguments: [String]
    /// Added to the process's own environment.
    public var environment: [String: String]
    /// `client.authentication.k8s.io/v1` or `…/v1beta1`.
    public var apiVersion: String
    /// For how long it may run.
    public var timeoutMilliseconds: Int
    public var installHint: String?

    public init(
        command: String, arguments: [String] = [], environment: [String: String] = [:],
        apiVersion: String = "client.authentication.k8s.io/v1", timeoutMilliseconds: Int = 30_000,
        installHint: String? = nil
    ) {
        self.command = command
        self.arguments = arguments
        self.environment = environment
        self.apiVersion = apiVersion
        self.timeoutMilliseconds = timeoutMilliseconds
        self.installHint = installHint
    }
}
