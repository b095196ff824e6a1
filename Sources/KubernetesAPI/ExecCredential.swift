import Shiplog

/// What a credential plugin prints (client.authentication.k8s.io `ExecCredential`).
struct ExecCredential: Sendable {
    static let apiVersions = ["client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"]

    let identity: CredentialSource.Identity
    /// nil: for as long as the process lives, or until the server refuses it.
    let expires: Timestamp?

    /// Runs the plugin.
    /// - Throws: `cluster.credential-plugin`; never with what the plugin printed, which may be the credential.
    static func ask(_ plugin: ExecPlugin) async throws(Failure) -> ExecCredential {
        let info: JSON = [
            "apiVersion": .string(plugin.apiVersion), "kind": "ExecCredential", "spec": ["interactive": false]
        ]
        var environment = plugin.environment
        environment["KUBERNETES_EXEC_INFO"] = info.canonicalString
        let output = try await PluginProcess.run(plugin, environment: environment)
        return try ExecCredential(parsing: output, plugin)
    }

    init(parsing output: [UInt8], _ plugin: ExecPlugin) throws(Failure) {
        guard let document = try? JSON(parsing: output), document["kind"]?.string == "ExecCredential" else {
            throw Self.failure(plugin, "printed no ExecCredential")
        }
        guard document["apiVersion"]?.string == plugin.apiVersion else {
            throw Self.failure(plugin, "answered with another apiVersion than \(plugin.apiVersion)")
        }
        guard let status = document["status"], status.object != nil else {
            throw Self.failure(plugin, "printed an ExecCredential without a status")
        }
        var identity = CredentialSource.Identity()
        if let token = status["token"]?.string, !token.isEmpty {
            identity.token = try CredentialSource.checked(token, "the answer of \(plugin.command)")
        }
        if let certificate = status["clientCertificateData"]?.string, let key = status["clientKeyData"]?.string {
            identity.certificate = Array(certificate.utf8)
            identity.key = Array(key.utf8)
        }
        guard identity.token != nil || identity.certificate != nil else {
            throw Self.failure(plugin, "printed neither a token nor a client certificate with its key")
        }
        var expires: Timestamp?
        if let text = status["expirationTimestamp"]?.string {
            guard let time = Timestamp(text) else { throw Self.failure(plugin, "printed an expiry that is no time") }
            expires = time
        }
        self.identity = identity
        self.expires = expires
    }

    static func failure(_ plugin: ExecPlugin, _ what: String) -> Failure {
        Failure(
            "cluster.credential-plugin", "the credential plugin \(plugin.command) \(what)",
            remedy: plugin.installHint ?? "run it by hand to see what it prints", next: .retry(afterMilliseconds: nil))
    }
}
