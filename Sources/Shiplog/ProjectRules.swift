/// Patterns of projects and windows: gobwas globs as Argo CD matches them.
enum ProjectGlob {
    /// - Parameter separator: what `*` and `?` do not match; `**` does.
    static func matches(_ pattern: String, _ text: String, separator: Unicode.Scalar? = nil) -> Bool {
        if pattern == "*" { return true }
        if pattern == text { return true }
        return Glob(pattern, separator: separator)?.matches(text) ?? false
    }

    static func isDenial(_ pattern: String) -> Bool { pattern.hasPrefix("!") }
}

/// Where an application's objects go, by every name that is known of it.
public struct ProjectDestination: Sendable, Hashable {
    public var servers: Set<String>
    public var names: Set<String>
    public var namespace: String

    public init(servers: Set<String> = [], names: Set<String> = [], namespace: String) {
        self.servers = servers
        self.names = names
        self.namespace = namespace
    }

    public init(_ destination: Application.Destination, cluster: ClusterReference? = nil) {
        self.init(namespace: destination.namespace)
        switch destination.cluster {
        case .server(let server): servers.insert(server)
        case .name(let name): names.insert(name)
        }
        if let cluster {
            servers.insert(cluster.server)
            names.insert(cluster.name)
        }
    }

    public func inNamespace(_ namespace: String) -> ProjectDestination {
        var copy = self
        copy.namespace = namespace
        return copy
    }
}

extension AppProject {
    /// Whether manifests may come from the repository: a rule without `!` permits it and none with `!` matches it.
    ///
    /// Argo CD's code lets a lone `!x` permit everything but x; its documents ask for a rule that permits, and so does this.
    public func permitsSource(_ repository: String) -> Bool {
        let address = Self.comparable(repository)
        var isPermitted = false
        for rule in sourceRepositories {
            if ProjectGlob.isDenial(rule) {
                let denied = Self.comparable(String(rule.dropFirst()))
                if ProjectGlob.matches(denied, address, separator: "/") { return false }
            } else if ProjectGlob.matches(Self.comparable(rule), address, separator: "/") {
                isPermitted = true
            }
        }
        return isPermitted
    }

    /// Whether objects may go there: a rule without `!` permits the place and no `!` in any rule matches it.
    public func permits(_ destination: ProjectDestination) -> Bool {
        var isPermitted = false
        for rule in destinations {
            var denies = false
            func read(_ pattern: String, _ texts: Set<String>) -> Bool {
                guard ProjectGlob.isDenial(pattern) else {
                    return texts.contains { ProjectGlob.matches(pattern, $0) }
                }
                denies = true
                return texts.contains { ProjectGlob.matches(String(pattern.dropFirst()), $0) }
            }
            let (server, name) = (read(rule.server, destination.servers), read(rule.name, destination.names))
            let namespace = read(rule.namespace, [destination.namespace])
            if denies {
                let hits = [(rule.server, server), (rule.name, name), (rule.namespace, namespace)]
                if hits.contains(where: { ProjectGlob.isDenial($0.0) && $0.1 }) { return false }
            } else if (server || name) && namespace {
                isPermitted = true
            }
        }
        return isPermitted
    }

    /// Whether an object of the kind may be made, changed or deleted. Of the cluster's own kinds only those that are
    /// listed; of those in namespaces all, unless there is a list.
    public func permits(_ kind: GroupKind, name: String, isNamespaced: Bool) -> Bool {
        let list = isNamespaced ? namespacedKinds : clusterKinds
        func matches(_ rule: KindRule) -> Bool {
            ProjectGlob.matches(rule.group, kind.group) && ProjectGlob.matches(rule.kind, kind.kind)
                && (rule.name.map { ProjectGlob.matches($0, name) } ?? true)
        }
        let isListed = list.allowed?.contains(where: matches) ?? isNamespaced
        return isListed && !list.refused.contains(where: matches)
    }

    // MARK: What is said

    /// - Throws: `project.source-not-permitted`.
    public func checkSource(_ repository: String) throws(Failure) {
        guard !permitsSource(repository) else { return }
        throw Failure(
            .projectSourceRefused, "the project \(name) does not permit the repository \(repository)",
            remedy: "add it to sourceRepos of the project, or move the application to another project")
    }

    /// - Throws: `project.destination-not-permitted`.
    public func checkDestination(_ destination: ProjectDestination) throws(Failure) {
        guard !permits(destination) else { return }
        let cluster = (destination.names.sorted() + destination.servers.sorted()).joined(separator: ", ")
        throw Failure(
            .projectDestinationRefused,
            "the project \(name) does not permit the namespace \"\(destination.namespace)\" of \(cluster)",
            remedy: "add it to destinations of the project, or deploy elsewhere")
    }

    /// One object, in the last moment before it is written.
    /// - Throws: `project.kind-not-permitted`, `project.destination-not-permitted`.
    public func check(
        _ kind: GroupKind, name object: String, namespace: String, isNamespaced: Bool,
        to destination: ProjectDestination
    ) throws(Failure) {
        guard permits(kind, name: object, isNamespaced: isNamespaced) else {
            let list = isNamespaced ? "namespaceResourceWhitelist or -Blacklist" : "clusterResourceWhitelist"
            throw Failure(
                .projectKindRefused, "the project \(name) does not permit \(kind) \(object)",
                remedy: "change \(list) of the project, or leave the object out")
        }
        if isNamespaced { try checkDestination(destination.inNamespace(namespace)) }
    }

    /// As Git hosts spell one repository in several ways: letters, `.git` and `user@host:path` tell nothing apart.
    static func comparable(_ address: String) -> String {
        var text = address.lowercased()
        while text.first?.isWhitespace == true { text.removeFirst() }
        while text.last?.isWhitespace == true { text.removeLast() }
        while text.hasSuffix("/") { text.removeLast() }
        if text.hasSuffix(".git") { text.removeLast(4) }
        if let scheme = text.firstRange(of: "://") {
            guard text[..<scheme.lowerBound] == "ssh" else { return text }
            let rest = text[scheme.upperBound...]
            guard let at = rest.firstIndex(of: "@"), !rest[..<at].contains("/") else { return text }
            return String(rest[rest.index(after: at)...])
        }
        guard let at = text.firstIndex(of: "@"), !text[..<at].contains("/"), let colon = text[at...].firstIndex(of: ":")
        else { return text }
        return String(text[text.index(after: at)..<colon]) + "/" + String(text[text.index(after: colon)...])
    }
}
