/// The value of a `Host` header, or the authority of a URL: a name or address, perhaps with a port.
struct Host: Sendable, Hashable {
    /// Lower-case, without port; an IPv6 address without its brackets.
    let name: String
    let port: Int?

    static let loopbackNames: Set<String> = ["localhost", "127.0.0.1", "::1"]

    /// nil for what is no authority.
    init?(_ text: some StringProtocol) {
        var rest = Substring(text.lowercased())
        guard !rest.isEmpty, rest.utf8.count <= 300,
            rest.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: "@") })
        else { return nil }
        var portText: Substring?
        if rest.first == "[" {
            guard let close = rest.firstIndex(of: "]") else { return nil }
            let after = rest[rest.index(after: close)...]
            guard after.isEmpty || after.first == ":" else { return nil }
            portText = after.isEmpty ? nil : after.dropFirst()
            rest = rest[..<close].dropFirst()
        } else if let colon = rest.firstIndex(of: ":") {
            portText = rest[rest.index(after: colon)...]
            rest = rest[..<colon]
            guard portText?.contains(":") != true else { return nil }
        }
        if let portText {
            guard let value = UInt16(portText) else { return nil }
            port = Int(value)
        } else {
            port = nil
        }
        if rest.hasSuffix(".") { rest = rest.dropLast() }
        guard !rest.isEmpty else { return nil }
        name = String(rest)
    }

    /// The host of an `http` or `https` URL, or of an `Origin`.
    init?(ofURL url: String) {
        guard let start = url.range(ofScheme: "https://") ?? url.range(ofScheme: "http://") else { return nil }
        self.init(url[start...].prefix { $0 != "/" && $0 != "?" && $0 != "#" })
    }

    /// Whether only this machine can reach what listens there.
    static func isLoopback(_ host: String) -> Bool {
        let lower = host.lowercased()
        if loopbackNames.contains(lower) || lower == "[::1]" { return true }
        let parts = lower.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts.first == "127" && parts.allSatisfy { UInt8($0) != nil }
    }
}

extension String {
    /// Where what follows a scheme begins; nil when the text has another.
    fileprivate func range(ofScheme scheme: String) -> String.Index? {
        lowercased().hasPrefix(scheme) ? index(startIndex, offsetBy: scheme.count, limitedBy: endIndex) : nil
    }
}
