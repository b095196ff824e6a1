public import Shiplog

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// A kubeconfig file: clusters, users and the contexts that join them.
///
/// What it cannot honour it refuses by name: basic authentication, `auth-provider`, impersonation.
public struct Kubeconfig: Sendable {
    /// The context used when none is asked for; empty for none.
    public let currentContext: String
    /// In the file's order.
    public let contextNames: [String]

    private let path: String
    private let contexts: [String: JSON]
    private let clusters: [String: JSON]
    private let users: [String: JSON]

    /// Reads a file of YAML or JSON.
    /// - Throws: `file.unreadable`, `kubeconfig.invalid`, and what the YAML reader finds.
    public static func load(_ path: String) throws(Failure) -> Kubeconfig {
        try Kubeconfig(try KubeconfigText.read(try SmallFile.read(path), file: path), path: path)
    }

    /// - Parameter path: of the file it came from; relative paths in it count from there.
    init(_ document: JSON, path: String) throws(Failure) {
        guard document.object != nil else { throw Self.invalid(path, "it is no map") }
        if let kind = document["kind"]?.string, kind != "Config" { throw Self.invalid(path, "its kind is not Config") }
        self.path = path
        currentContext = document["current-context"]?.string ?? ""
        (contextNames, contexts) = try Self.named(document["contexts"], "context", path)
        clusters = try Self.named(document["clusters"], "cluster", path).1
        users = try Self.named(document["users"], "user", path).1
    }

    /// A list of `{name: …, <member>: {…}}`. The first of a name wins, as in kubectl.
    private static func named(
        _ list: JSON?, _ member: String, _ path: String
    ) throws(Failure) -> ([String], [String: JSON]) {
        guard let list, !list.isNull else { return ([], [:]) }
        guard let elements = list.array else { throw invalid(path, "\(member)s is no list") }
        var names: [String] = []
        var result: [String: JSON] = [:]
        for element in elements {
            guard let name = element["name"]?.string else { throw invalid(path, "an entry of \(member)s has no name") }
            guard result[name] == nil else { continue }
            names.append(name)
            result[name] = element[member] ?? .object([:])
        }
        return (names, result)
    }

    /// What a context says about its cluster and user, with the files it names read.
    /// - Parameter context: nil for the current one.
    /// - Throws: `kubeconfig.context-unknown`, `kubeconfig.invalid`, `kubeconfig.unsupported`, `file.unreadable`, and
    ///   what `ClusterConnection` refuses.
    public func connection(context: String? = nil) throws(Failure) -> ClusterConnection {
        let name = context ?? currentContext
        guard let selected = contexts[name] else {
            let known = contextNames.isEmpty ? "it has none" : "it has " + contextNames.joined(separator: ", ")
            throw Failure(
                "kubeconfig.context-unknown",
                name.isEmpty ? "\(path) names no current context" : "\(path) has no context \(name)",
                remedy: "name a context of the file; " + known)
        }
        guard let clusterName = selected["cluster"]?.string, let cluster = clusters[clusterName] else {
            throw Self.invalid(path, "context \(name) names no cluster of the file")
        }
        var user = JSON.object([:])
        if let userName = selected["user"]?.string, !userName.isEmpty {
            guard let found = users[userName] else {
                throw Self.invalid(path, "context \(name) names no user of the file")
            }
            user = found
        }
        guard let server = cluster["server"]?.string, !server.isEmpty else {
            throw Self.invalid(path, "cluster \(clusterName) has no server")
        }
        let tls = try tls(cluster, user)
        let namespace = selected["namespace"]?.string ?? ""
        do throws(Failure) {
            return try ClusterConnection(
                server: server, tls: tls, credential: try credential(user, hasCertificate: tls.certificate != nil),
                proxy: try proxy(cluster), namespace: namespace.isEmpty ? "default" : namespace)
        } catch {
            throw error.during("\(path), context \(name)")
        }
    }

    private func tls(_ cluster: JSON, _ user: JSON) throws(Failure) -> TLSSettings {
        let skips = cluster["insecure-skip-tls-verify"]?.bool ?? false
        let authorities = try bytes(cluster, "certificate-authority")
        guard !(skips && authorities != nil) else {
            throw Self.invalid(path, "insecure-skip-tls-verify and certificate-authority exclude each other")
        }
        let settings = TLSSettings(
            authorities: authorities, certificate: try bytes(user, "client-certificate"),
            key: try bytes(user, "client-key"),
            serverName: cluster["tls-server-name"]?.string.flatMap { $0.isEmpty ? nil : $0 },
            skipsVerification: skips)
        guard (settings.certificate == nil) == (settings.key == nil) else {
            throw Self.invalid(path, "client-certificate and client-key go together, and one is missing")
        }
        return settings
    }

    private func credential(_ user: JSON, hasCertificate: Bool) throws(Failure) -> Credential {
        for (member, name) in [
            ("username", "basic authentication"), ("password", "basic authentication"),
            ("auth-provider", "auth-provider"), ("as", "impersonation"), ("as-groups", "impersonation"),
            ("as-uid", "impersonation"), ("as-user-extra", "impersonation")
        ] where !(user[member]?.isNull ?? true) && user[member]?.string != "" {
            throw Failure(
                "kubeconfig.unsupported", "\(path) uses \(name) (\(member)), which is not supported",
                remedy: "use a token, a client certificate or an exec plugin")
        }
        // The file wins over the token beside it, as in client-go: the token is its content at the time of writing.
        if let file = user["tokenFile"]?.string, !file.isEmpty { return .tokenFile(absolute(file)) }
        if let token = user["token"]?.string, !token.isEmpty { return .token(SecretText(token)) }
        guard let exec = user["exec"], !exec.isNull else { return .none }
        return .exec(try plugin(exec))
    }

    private func plugin(_ exec: JSON) throws(Failure) -> ExecPlugin {
        guard let command = exec["command"]?.string, !command.isEmpty else {
            throw Self.invalid(path, "exec has no command")
        }
        let apiVersion = exec["apiVersion"]?.string ?? ""
        guard ExecCredential.apiVersions.contains(apiVersion) else {
            throw Failure(
                "kubeconfig.unsupported",
                "\(path): the exec plugin's apiVersion \(apiVersion.tamed(80)) is not supported",
                remedy: "use " + ExecCredential.apiVersions.joined(separator: " or "))
        }
        guard exec["interactiveMode"]?.string != "Always" else {
            throw Failure(
                "kubeconfig.unsupported", "\(path): the exec plugin wants a terminal (interactiveMode: Always)",
                remedy: "use a plugin that works without a person")
        }
        guard !(exec["provideClusterInfo"]?.bool ?? false) else {
            throw Failure(
                "kubeconfig.unsupported", "\(path): provideClusterInfo of the exec plugin is not supported",
                remedy: "set it to false")
        }
        var environment: [String: String] = [:]
        for entry in exec["env"]?.array ?? [] {
            guard let name = entry["name"]?.string, let value = entry["value"]?.string else {
                throw Self.invalid(path, "an entry of the exec plugin's env has no name or no value")
            }
            environment[name] = value
        }
        return ExecPlugin(
            command: command.contains("/") ? absolute(command) : command,
            arguments: (exec["args"]?.array ?? []).compactMap(\.string), environment: environment,
            apiVersion: apiVersion, installHint: exec["installHint"]?.string?.tamed(300))
    }

    private func proxy(_ cluster: JSON) throws(Failure) -> String? {
        guard let proxy = cluster["proxy-url"]?.string, !proxy.isEmpty else { return nil }
        guard ["http://", "https://", "socks5://"].contains(where: { proxy.hasPrefix($0) }) else {
            throw Self.invalid(path, "proxy-url starts with none of http://, https:// and socks5://")
        }
        return proxy
    }

    /// `<member>-data` in base64, else the file `<member>` names.
    private func bytes(_ map: JSON, _ member: String) throws(Failure) -> [UInt8]? {
        if let data = map[member + "-data"]?.string, !data.isEmpty {
            guard let bytes = Base64.decode(data), !bytes.isEmpty else {
                throw Self.invalid(path, "\(member)-data is not base64")
            }
            return bytes
        }
        guard let file = map[member]?.string, !file.isEmpty else { return nil }
        return try SmallFile.read(absolute(file))
    }

    private func absolute(_ file: String) -> String {
        if file.hasPrefix("/") { return file }
        guard let slash = path.lastIndex(of: "/") else { return file }
        return path[...slash] + file
    }

    private static func invalid(_ path: String, _ why: String) -> Failure {
        Failure("kubeconfig.invalid", "\(path) is no usable kubeconfig: \(why)")
    }
}

extension Kubeconfig {
    /// The service account of the pod this process runs in.
    /// - Parameters:
    ///   - directory: where the kubelet mounts `token`, `ca.crt` and `namespace`.
    ///   - environment: with `KUBERNETES_SERVICE_HOST` and `KUBERNETES_SERVICE_PORT`; nil for the process's own.
    /// - Throws: `kubeconfig.not-in-cluster`, `file.unreadable`.
    public static func inCluster(
        directory: String = "/var/run/secrets/kubernetes.io/serviceaccount", environment: [String: String]? = nil
    ) throws(Failure) -> ClusterConnection {
        func variable(_ name: String) -> String? {
            if let environment { return environment[name] }
            return getenv(name).map { String(cString: $0) }
        }
        guard let host = variable("KUBERNETES_SERVICE_HOST"), !host.isEmpty,
            let port = variable("KUBERNETES_SERVICE_PORT"), !port.isEmpty
        else {
            throw Failure(
                "kubeconfig.not-in-cluster", "this process does not run in a pod with a service account",
                remedy: "name a kubeconfig, or start the sandbox")
        }
        let tokenFile = directory + "/token"
        // Looked at now, so that a pod without a mounted token fails at start and not at the first request.
        _ = try SmallFile.read(tokenFile)
        let authorities = try SmallFile.read(directory + "/ca.crt")
        var namespace = "default"
        if let bytes = try? SmallFile.read(directory + "/namespace") {
            let text = String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isWhitespace).first
            if let text { namespace = String(text) }
        }
        let bracketed = host.contains(":") && !host.hasPrefix("[") ? "[\(host)]" : host
        return try ClusterConnection(
            server: "https://\(bracketed):\(port)", tls: TLSSettings(authorities: authorities),
            credential: .tokenFile(tokenFile), namespace: namespace)
    }
}
