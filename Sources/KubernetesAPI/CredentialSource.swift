import Shiplog

/// Gives each request its credential and keeps it fresh.
actor CredentialSource {
    private let credential: Credential
    private var token: (text: SecretText, stamp: SmallFile.Stamp)?
    private var issued: ExecCredential?

    init(_ credential: Credential) { self.credential = credential }

    /// What a request carries.
    struct Identity: Sendable {
        var token: SecretText?
        var certificate: [UInt8]?
        var key: [UInt8]?
    }

    /// - Throws: `file.unreadable`, `cluster.credential-invalid`, `cluster.credential-plugin`.
    func identity() async throws(Failure) -> Identity {
        switch credential {
        case .none: return Identity()
        case .token(let token): return Identity(token: try Self.checked(token.revealed, "the kubeconfig's token"))
        case .tokenFile(let path): return Identity(token: try fromFile(path))
        case .exec(let plugin): return try await fromPlugin(plugin)
        }
    }

    /// Forgets what the server refused. Answers whether asking again may give something else.
    func refused() -> Bool {
        switch credential {
        case .none, .token: return false
        case .tokenFile:
            token = nil
            return true
        case .exec:
            issued = nil
            return true
        }
    }

    private func fromFile(_ path: String) throws(Failure) -> SecretText {
        let stamp = SmallFile.stamp(path)
        if let token, token.stamp == stamp { return token.text }
        let text = String(decoding: try SmallFile.read(path, limit: 1 << 20), as: UTF8.self)
        let token = try Self.checked(text, path)
        if let stamp { self.token = (token, stamp) }
        return token
    }

    private func fromPlugin(_ plugin: ExecPlugin) async throws(Failure) -> Identity {
        // 10 s early, so that it does not expire on the way.
        if let issued, issued.expires.map({ $0 > WallClock.now.advanced(byMilliseconds: 10_000) }) ?? true {
            return issued.identity
        }
        let fresh = try await ExecCredential.ask(plugin)
        issued = fresh
        return fresh.identity
    }

    /// A token is one word: a line end or a blank in the middle would end or split the header.
    static func checked(_ text: String, _ source: String) throws(Failure) -> SecretText {
        let words = text.split(whereSeparator: \.isWhitespace)
        guard words.count == 1, let word = words.first, word.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw Failure("cluster.credential-invalid", "\(source) does not hold one token of printable characters")
        }
        return SecretText(String(word))
    }
}
