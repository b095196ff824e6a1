public import Shiplog

/// Where a repository is: a path, or a `file`, `http`, `https`, `ssh` or `git` address, or ssh's short `git@host:path`.
///
/// Everything else Git would take is refused, because some of it runs programs: `ext::…`, a text that starts with a
/// hyphen, a host that starts with one.
public struct RepositoryURL: Hashable, Sendable {
    /// How the bytes come over.
    public enum Scheme: String, Hashable, Sendable, CaseIterable {
        case file, http, https, ssh, git

        var defaultPort: Int? {
            switch self {
            case .file: nil
            case .http: 80
            case .https: 443
            case .ssh: 22
            case .git: 9418
            }
        }
    }

    public let scheme: Scheme
    /// Lower case; empty for a file.
    let host: String
    /// nil when it is the scheme's own.
    let port: Int?
    /// As written, after the host, with its leading slash when it had one; for a file the plain path.
    let path: String
    /// `git` of `git@host`. For http it belongs to the password.
    let user: String?
    /// Of `https://user:password@host/`; never shown, never on a command line.
    let password: SecretText?
    /// Written as `host:path`, where a path without a slash starts at the user's home.
    let isScpLike: Bool

    /// Reads an address; surrounding blanks are not part of it.
    ///
    /// - Throws: `git.url-invalid`, which never quotes the text: it may hold a password.
    public init(_ text: String) throws(Failure) {
        var text = text[...]
        while let first = text.first, first == " " { text.removeFirst() }
        while let last = text.last, last == " " { text.removeLast() }
        guard !text.isEmpty else { throw Self.invalid("is empty") }
        guard text.utf8.count <= 2048 else { throw Self.invalid("is longer than 2048 bytes") }
        guard text.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F && $0 != UInt8(ascii: "\\") }) else {
            throw Self.invalid("contains a blank, a backslash or a control character")
        }
        guard text.first != "-" else { throw Self.invalid("starts with a hyphen") }
        if text.first == "/" {
            self.init(file: String(text))
        } else if let separator = Self.range(of: "://", in: text) {
            guard let scheme = Scheme(rawValue: text[..<separator.lowerBound].lowercased()) else {
                throw Self.invalid("has a scheme that is not one of file, http, https, ssh and git")
            }
            try self.init(scheme: scheme, rest: text[separator.upperBound...])
        } else {
            try self.init(scpLike: text)
        }
    }

    private init(
        _ scheme: Scheme, host: String, port: Int?, path: String, user: String?, password: SecretText?, isScpLike: Bool
    ) {
        self.scheme = scheme
        self.host = host
        self.port = port == scheme.defaultPort ? nil : port
        self.path = path
        self.user = user
        self.password = password
        self.isScpLike = isScpLike
    }

    private init(file path: String) {
        self.init(.file, host: "", port: nil, path: path, user: nil, password: nil, isScpLike: false)
    }

    private init(scheme: Scheme, rest: Substring) throws(Failure) {
        let slash = rest.firstIndex(of: "/") ?? rest.endIndex
        let (authority, path) = (rest[..<slash], rest[slash...])
        if scheme == .file {
            guard authority.isEmpty || authority.lowercased() == "localhost" else {
                throw Self.invalid("is a file address with a host; write file:///path")
            }
            guard path.utf8.count > 1, let plain = Self.decodePercent(path) else {
                throw Self.invalid("is a file address without a readable path")
            }
            self.init(file: plain)
            return
        }
        guard path.utf8.count > 1 else { throw Self.invalid("has no path after the host") }
        guard !path.contains("?"), !path.contains("#") else { throw Self.invalid("has a query or a fragment") }
        guard Self.decodePercent(path) != nil else { throw Self.invalid("has a path with a broken escape") }
        var hostAndPort = authority
        var user: String?
        var password: SecretText?
        if let at = authority.lastIndex(of: "@") {
            hostAndPort = authority[authority.index(after: at)...]
            let parts = authority[..<at].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = parts.first.flatMap({ Self.decodePercent($0) }) else {
                throw Self.invalid("has a user name that cannot be read")
            }
            user = name.isEmpty ? nil : name
            if parts.count == 2 {
                guard let secret = Self.decodePercent(parts[1]) else {
                    throw Self.invalid("has a password that cannot be read")
                }
                password = SecretText(secret)
            }
        }
        switch scheme {
        case .git where user != nil || password != nil:
            throw Self.invalid("has a user name, which the git protocol does not know")
        case .ssh where password != nil:
            throw Self.invalid("has a password; ssh logs in with a key")
        default: break
        }
        let (host, port) = try Self.split(hostAndPort)
        try Self.check(user: user, for: scheme)
        self.init(scheme, host: host, port: port, path: String(path), user: user, password: password, isScpLike: false)
    }

    private init(scpLike text: Substring) throws(Failure) {
        guard let colon = text.firstIndex(of: ":"), Self.range(of: "::", in: text) == nil,
            !text[..<colon].contains("/")
        else {
            throw Self.invalid("is neither an absolute path, nor scheme://host/path, nor user@host:path")
        }
        let path = text[text.index(after: colon)...]
        guard !path.isEmpty, path.first != "-" else { throw Self.invalid("has no path after the colon") }
        var host = text[..<colon]
        var user: String?
        if let at = host.lastIndex(of: "@") {
            user = String(host[..<at])
            host = host[host.index(after: at)...]
        }
        try Self.check(user: user, for: .ssh)
        guard Self.isHostName(host) else { throw Self.invalid("has a host that is no host name") }
        self.init(
            .ssh, host: host.lowercased(), port: nil, path: String(path), user: user, password: nil, isScpLike: true)
    }

    private static func split(_ text: Substring) throws(Failure) -> (String, Int?) {
        var host = text
        var port: Int?
        if text.first == "[" {
            guard let end = text.firstIndex(of: "]") else { throw invalid("has a host that is no host name") }
            let address = text[text.index(after: text.startIndex)..<end]
            guard !address.isEmpty,
                address.utf8.allSatisfy({ isHexDigit($0) || $0 == UInt8(ascii: ":") || $0 == UInt8(ascii: ".") })
            else { throw invalid("has a host that is no host name") }
            host = text[...end]
            let rest = text[text.index(after: end)...]
            guard rest.isEmpty || rest.first == ":" else { throw invalid("has a host that is no host name") }
            if rest.utf8.count > 1 { port = try number(rest.dropFirst()) }
        } else {
            if let colon = text.lastIndex(of: ":") {
                host = text[..<colon]
                let digits = text[text.index(after: colon)...]
                if !digits.isEmpty { port = try number(digits) }
            }
            guard isHostName(host) else { throw invalid("has a host that is no host name") }
        }
        return (host.lowercased(), port)
    }

    private static func number(_ text: Substring) throws(Failure) -> Int {
        guard text.utf8.allSatisfy({ (48...57).contains($0) }), let port = Int(text), (1...65_535).contains(port) else {
            throw invalid("has a port that is not between 1 and 65535")
        }
        return port
    }

    /// A user name goes into ssh's argument, where a leading hyphen would be an option.
    private static func check(user: String?, for scheme: Scheme) throws(Failure) {
        guard scheme == .ssh, let user else { return }
        let allowed = user.utf8.allSatisfy { isNameByte($0) || $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: "$") }
        guard allowed, !user.isEmpty, user.first != "-" else { throw invalid("has a user name that ssh would misread") }
    }

    private static func isHostName(_ text: Substring) -> Bool {
        !text.isEmpty && text.first != "-" && text.utf8.count <= 253
            && text.utf8.allSatisfy { isNameByte($0) || $0 == UInt8(ascii: "_") }
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte) || byte == UInt8(ascii: "-")
            || byte == UInt8(ascii: ".")
    }

    private static func isHexDigit(_ byte: UInt8) -> Bool {
        (48...57).contains(byte) || (65...70).contains(byte) || (97...102).contains(byte)
    }

    private static func invalid(_ what: String) -> Failure {
        Failure(
            "git.url-invalid", "The repository's address " + what,
            remedy: "write https://host/path, ssh://git@host/path, git@host:path, git://host/path or an absolute path")
    }

    private static func range(of needle: String, in text: Substring) -> Range<Substring.Index>? {
        var start = text.startIndex
        while start < text.endIndex {
            if text[start...].hasPrefix(needle) {
                return start..<text.index(start, offsetBy: needle.count)
            }
            start = text.index(after: start)
        }
        return nil
    }

    /// nil for a broken escape, for bytes that are not UTF-8 and for a control character behind an escape.
    static func decodePercent(_ text: Substring) -> String? {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let pair = [UInt8](hex: String(decoding: rest.prefix(2), as: UTF8.self)), let value = pair.first,
                value >= 0x20, value != 0x7F
            else { return nil }
            bytes.append(value)
            rest = rest.dropFirst(2)
        }
        return String(validating: bytes, as: UTF8.self)
    }
}

extension RepositoryURL: CustomStringConvertible {
    /// The address without the user name and password of http: what logs, the ledger and errors show.
    public var display: String {
        switch scheme {
        case .file: path
        case .ssh where isScpLike: (user.map { $0 + "@" } ?? "") + host + ":" + path
        case .ssh: "ssh://" + (user.map { $0 + "@" } ?? "") + hostAndPort + path
        case .http, .https, .git: scheme.rawValue + "://" + hostAndPort + path
        }
    }

    public var description: String { display }

    /// For matching a webhook's addresses: `host/group/name`, host in lower case, without scheme, user, the scheme's own
    /// port, `.git` and slashes at the end. GitHub's and GitLab's addresses of one repository give the same text over
    /// https and ssh.
    public var normalized: String {
        var trimmed = (Self.decodePercent(path[...]) ?? path)[...]
        while trimmed.last == "/" { trimmed.removeLast() }
        if trimmed.hasSuffix(".git") { trimmed.removeLast(4) }
        while trimmed.last == "/" { trimmed.removeLast() }
        if scheme != .file { while trimmed.first == "/" { trimmed.removeFirst() } }
        return scheme == .file ? String(trimmed) : hostAndPort + "/" + trimmed
    }

    /// What the child `git` is given: an address without http's user name and password.
    var argument: String { display }

    /// Where credentials for this address may go: scheme, host and port, as Git's `http.<url>.*` settings match them.
    var origin: String { scheme.rawValue + "://" + hostAndPort + "/" }

    /// What a mirror belongs to. The scheme and the login are part of it, so that nobody reads, through an address
    /// without credentials, what was fetched with somebody's credentials.
    var identity: String {
        var path = path[...]
        while path.utf8.count > 1, path.last == "/" { path.removeLast() }
        return [scheme.rawValue, user ?? "", password?.revealed ?? "", hostAndPort, isScpLike ? ":" : "", String(path)]
            .joined(separator: "\n")
    }

    private var hostAndPort: String { host + (port.map { ":\($0)" } ?? "") }
}
