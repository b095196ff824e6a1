public import Shiplog

/// Reads the configuration file of `shiplog serve`, strictly: what is not known is an error that names the line.
public enum ConfigurationReader {
    /// - Throws: `configuration.unknown-key`, `configuration.secret-literal`, `configuration.invalid`, and what
    ///   `YAML.read` throws.
    public static func read(_ bytes: [UInt8], file: String = "configuration") throws(Failure) -> ServerConfiguration {
        let documents = try YAML.read(bytes, file: file)
        guard documents.count <= 1 else {
            throw Failure(.configurationInvalid, "\(file):\(documents[1].line): a second document, where one is read")
        }
        guard let document = documents.first else { return ServerConfiguration() }
        var check = FieldCheck(
            codes: .init(
                invalid: .configurationInvalid, unknown: "configuration.unknown-key",
                unsupported: "configuration.secret-literal")
        ) { path in
            "\(file):\(YAML.nearestLine(to: path, inDocument: document.index, of: bytes) ?? document.line): "
        }
        try check.check(document.json, ConfigurationFields.document)
        return try Reading(json: document.json, check: check).configuration()
    }
}

extension Failure.Code {
    /// A value of the configuration that cannot be meant.
    public static let configurationInvalid: Self = "configuration.invalid"
}

private struct Reading {
    let json: JSON
    let check: FieldCheck

    func configuration() throws(Failure) -> ServerConfiguration {
        var result = ServerConfiguration()
        if let listen = text("listen") {
            guard Self.isAddress(listen) else {
                throw check.invalid(["listen"], "must be a host and a port, such as 127.0.0.1:8080 or [::1]:8080")
            }
            result.listen = listen
        }
        result.behindProxy = json["behindProxy"]?.bool ?? false
        if let tls = json["tls"], tls.object != nil {
            guard let certificate = text("tls", "certificate"), let key = text("tls", "key") else {
                throw check.invalid(["tls"], "needs both certificate and key")
            }
            result.tls = .init(certificate: certificate, key: key)
        }
        result.data = text("data")
        result.web = text("web")
        result.baseURL = try baseURL()
        result.allowedHosts = (json["allowedHosts"]?.array ?? []).compactMap(\.string)
        result.controller = try controller()
        result.git = try git()
        result.clusters = try clusters()
        result.webhooks.gitlab = try secret(["webhooks", "gitlab"], "secret")
        result.webhooks.github = try secret(["webhooks", "github"], "secret")
        result.webhooks.maxBodyBytes = try integer(["webhooks", "maxBodyBytes"], 1024...(64 << 20), 1 << 20)
        result.logging.level = try choice(["logging", "level"], .info)
        result.logging.format = try choice(["logging", "format"], .auto)
        result.metrics.enabled = json.at("metrics", "enabled")?.bool ?? true
        result.log = try log()
        if let retention = json["retention"], retention.object?.isEmpty == false {
            // No default: nobody should lose rows by a word too few.
            guard value(["retention", "foldAfter"]) != nil else {
                throw check.invalid(["retention", "foldAfter"], "is missing")
            }
            let age = try duration(["retention", "foldAfter"], .zero, zero: false)
            guard age >= .seconds(3600) else {
                throw check.invalid(["retention", "foldAfter"], "must be an hour or more")
            }
            result.retention = .init(foldAfter: age, entries: try choice(["retention", "entries"], .keep))
        }
        result.ledger.replicated = json.at("ledger", "replicated")?.bool ?? false
        result.notifications = try NotificationReader.read(json["notifications"], ["notifications"], check)
        result.ignoreDifferences = try IgnoreRuleReader.read(
            json["ignoreDifferences"], ["ignoreDifferences"], check, unsupported: check.codes.invalid
        ).rules
        result.health = try HealthRuleReader.read(json["health"], ["health"], check)
        return result
    }

    // MARK: Values

    private func text(_ path: String...) -> String? { text(path) }

    private func text(_ path: [String]) -> String? {
        guard let text = value(path)?.string, !text.isEmpty else { return nil }
        return text
    }

    /// Through lists too, unlike `JSON.at`.
    private func value(_ path: [String]) -> JSON? {
        var current = json
        for step in path {
            if let elements = current.array, let index = Int(step), elements.indices.contains(index) {
                current = elements[index]
            } else if let member = current[step] {
                current = member
            } else {
                return nil
            }
        }
        return current
    }

    private func integer(_ path: [String], _ range: ClosedRange<Int64>, _ standard: Int) throws(Failure) -> Int {
        guard let value = value(path), !value.isNull else { return standard }
        guard let number = value.integer, range.contains(number) else {
            throw check.invalid(path, "must be from \(range.lowerBound) to \(range.upperBound)")
        }
        return Int(number)
    }

    private func duration(_ path: [String], _ standard: Duration, zero: Bool = true) throws(Failure) -> Duration {
        guard let value = value(path), let text = value.string ?? value.integer.map({ String($0) }),
            let milliseconds = GoDuration.milliseconds(text)
        else { return standard }
        guard zero || milliseconds > 0 else { throw check.invalid(path, "must be more than zero") }
        return .milliseconds(milliseconds)
    }

    private func choice<Value: RawRepresentable & CaseIterable>(
        _ path: [String], _ standard: Value
    ) throws(Failure) -> Value where Value.RawValue == String {
        guard let text = text(path) else { return standard }
        guard let value = Value(rawValue: text) else {
            let known = Value.allCases.map(\.rawValue).joined(separator: ", ")
            throw check.invalid(path, "must be one of \(known)")
        }
        return value
    }

    /// `host:port`; an IPv6 address in brackets.
    private static func isAddress(_ text: String) -> Bool {
        guard let colon = text.lastIndex(of: ":"), UInt16(text[text.index(after: colon)...]) != nil else {
            return false
        }
        let host = text[..<colon]
        return !host.isEmpty && (!host.contains(":") || (host.hasPrefix("[") && host.hasSuffix("]")))
    }

    private func baseURL() throws(Failure) -> String? {
        guard var url = text("baseURL") else { return nil }
        guard url.hasPrefix("http://") || url.hasPrefix("https://"), !url.contains("@"), !url.contains("?") else {
            throw check.invalid(["baseURL"], "must be an http or https address without user and query")
        }
        while url.hasSuffix("/") { url.removeLast() }
        return url
    }

    // MARK: Parts

    private func controller() throws(Failure) -> ServerConfiguration.Controller {
        var result = ServerConfiguration.Controller()
        result.interval = try duration(["controller", "interval"], result.interval)
        result.jitter = try duration(["controller", "jitter"], result.jitter)
        result.workers = try integer(["controller", "workers"], 1...256, result.workers)
        result.appParallelism = try integer(["controller", "appParallelism"], 1...64, result.appParallelism)
        if let namespace = text("controller", "leaseNamespace") {
            let isLabel = namespace.utf8.allSatisfy { byte in
                (0x61...0x7A).contains(byte) || (0x30...0x39).contains(byte) || byte == UInt8(ascii: "-")
            }
            guard isLabel, 1...63 ~= namespace.utf8.count, !namespace.hasPrefix("-"), !namespace.hasSuffix("-") else {
                throw check.invalid(["controller", "leaseNamespace"], "must be the name of a namespace")
            }
            result.leaseNamespace = namespace
        }
        result.waveDelay = try duration(["controller", "waveDelay"], result.waveDelay)
        result.syncTimeout = try duration(["controller", "syncTimeout"], result.syncTimeout)
        let backoff = ["controller", "selfHealBackoff"]
        result.selfHealBackoff.initial = try duration(backoff + ["initial"], result.selfHealBackoff.initial)
        result.selfHealBackoff.factor = try integer(backoff + ["factor"], 1...100, result.selfHealBackoff.factor)
        result.selfHealBackoff.maximum = try duration(backoff + ["maximum"], result.selfHealBackoff.maximum)
        return result
    }

    private func log() throws(Failure) -> ServerConfiguration.Log {
        var result = ServerConfiguration.Log()
        result.checkpoints = text("log", "checkpoints")
        result.interval = try duration(["log", "interval"], result.interval, zero: false)
        if let origin = text("log", "origin") {
            // A line of its own in each checkpoint, and a part of each key's name.
            guard origin.utf8.count <= 150,
                origin.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "+") }),
                !origin.hasSuffix("/"), !origin.contains("://")
            else {
                throw check.invalid(["log", "origin"], "must be a host and path, such as ledger.example.com/prod")
            }
            result.origin = origin
        }
        for index in 0..<(json.at("log", "witnesses")?.array ?? []).count {
            let path = ["log", "witnesses", String(index)]
            guard let key = text(path + ["key"]) else { throw check.invalid(path + ["key"], "is missing") }
            result.witnesses.append(.init(url: try address(path + ["url"]), key: key))
        }
        for index in 0..<(json.at("log", "anchors")?.array ?? []).count {
            let path = ["log", "anchors", String(index)]
            guard let name = text(path + ["name"]) else { throw check.invalid(path + ["name"], "is missing") }
            guard !result.anchors.contains(where: { $0.name == name }) else {
                throw check.invalid(path + ["name"], "is the name of another anchor too")
            }
            let kind: ServerConfiguration.Anchor.Kind
            switch (value(path + ["url"]) != nil, text(path + ["repository"])) {
            case (true, nil):
                kind = .http(url: try address(path + ["url"]), token: try secret(path, "token"))
            case (false, let repository?):
                kind = .git(
                    url: repository, branch: text(path + ["branch"]) ?? "main",
                    path: text(path + ["path"]) ?? "checkpoints")
            default: throw check.invalid(path, "needs either url or repository")
            }
            result.anchors.append(.init(name: name, kind: kind))
        }
        return result
    }

    /// An http or https address without user, query and a slash at its end.
    private func address(_ path: [String]) throws(Failure) -> String {
        guard var url = text(path), url.hasPrefix("http://") || url.hasPrefix("https://"), !url.contains("@"),
            !url.contains("?"), !url.contains("#")
        else { throw check.invalid(path, "must be an http or https address without user and query") }
        while url.hasSuffix("/") { url.removeLast() }
        return url
    }

    private func git() throws(Failure) -> ServerConfiguration.Git {
        var result = ServerConfiguration.Git()
        result.timeout = try duration(["git", "timeout"], result.timeout, zero: false)
        result.knownHosts = text("git", "knownHosts")
        for index in 0..<(json.at("git", "credentials")?.array ?? []).count {
            result.credentials.append(try credential(["git", "credentials", String(index)]))
        }
        return result
    }

    private func credential(_ path: [String]) throws(Failure) -> ServerConfiguration.Credential {
        guard let url = text(path + ["url"]) else { throw check.invalid(path + ["url"], "is missing") }
        let scheme = url.split(separator: "/", omittingEmptySubsequences: false).first ?? ""
        if scheme.hasPrefix("http"), url.contains("@") {
            throw check.invalid(path + ["url"], "holds a user name or a password")
        }
        var username = try secret(path, "username")
        if let plain = text(path + ["username"]) {
            guard username == nil else { throw check.invalid(path, "has more than one user name") }
            username = .plain(plain)
        }
        let password = try secret(path, "password")
        let token = try secret(path, "token")
        let key = text(path + ["sshKeyFile"])
        switch (username, password, token, key) {
        case (let username?, let password?, nil, nil):
            return .init(url: url, kind: .password(username: username, password: password))
        case (nil, nil, let token?, nil): return .init(url: url, kind: .token(token))
        case (nil, nil, nil, let key?): return .init(url: url, kind: .sshKey(file: key))
        default:
            throw check.invalid(
                path, "needs either a user name and a password, or a token, or a private key",
                remedy: "use username and passwordFile, tokenFile, or sshKeyFile")
        }
    }

    private func secret(_ path: [String], _ name: String) throws(Failure) -> SecretReference? {
        switch (text(path + [name + "File"]), text(path + [name + "Env"])) {
        case (let file?, nil): return .file(file)
        case (nil, let variable?): return .environment(variable)
        case (nil, nil): return nil
        case (_?, _?): throw check.invalid(path, "has both \(name)File and \(name)Env")
        }
    }

    private func clusters() throws(Failure) -> [ServerConfiguration.Cluster] {
        var result: [ServerConfiguration.Cluster] = []
        for index in 0..<(json["clusters"]?.array ?? []).count {
            let path = ["clusters", String(index)]
            guard let name = text(path + ["name"]) else { throw check.invalid(path + ["name"], "is missing") }
            guard !result.contains(where: { $0.name == name }) else {
                throw check.invalid(path + ["name"], "is the name of another cluster too")
            }
            let access: ServerConfiguration.Cluster.Access
            switch (text(path + ["kubeconfig"]), value(path + ["inCluster"])?.bool ?? false) {
            case (let file?, false): access = .kubeconfig(file: file, context: text(path + ["context"]))
            case (nil, true): access = .inCluster
            default: throw check.invalid(path, "needs either kubeconfig or inCluster: true")
            }
            let server = text(path + ["server"])
            if let server, result.contains(where: { $0.server == server }) {
                throw check.invalid(path + ["server"], "is the server of another cluster too")
            }
            result.append(.init(name: name, server: server, access: access))
        }
        return result
    }
}
