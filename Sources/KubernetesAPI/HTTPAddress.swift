import Shiplog

/// An absolute `http` or `https` URL, taken apart as far as a client needs it.
struct HTTPAddress: Sendable, Hashable {
    let isSecure: Bool
    /// An IPv6 address keeps its brackets.
    let host: String
    let port: Int
    /// As it stood, before the path: what a `Host` header says.
    let authority: String
    /// From the first slash on; may be empty.
    let path: String

    /// - Throws: `http.address-invalid`. The text is not repeated: it may hold a password.
    init(_ text: String) throws(Failure) {
        func invalid(_ why: String) -> Failure { Failure("http.address-invalid", "the address \(why)") }
        guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw invalid("holds a blank, a control character or a letter outside ASCII")
        }
        let rest: Substring
        if text.hasPrefix("https://") {
            isSecure = true
            rest = text.dropFirst(8)
        } else if text.hasPrefix("http://") {
            isSecure = false
            rest = text.dropFirst(7)
        } else {
            throw invalid("starts with neither http:// nor https://")
        }
        let end = rest.firstIndex { $0 == "/" || $0 == "?" || $0 == "#" } ?? rest.endIndex
        let authority = rest[..<end]
        guard !authority.contains("@") else { throw invalid("holds user information") }
        var host = authority
        var port = isSecure ? 443 : 80
        let afterBracket = authority.lastIndex(of: "]") ?? authority.startIndex
        if let colon = authority[afterBracket...].lastIndex(of: ":") {
            guard let number = Int(authority[authority.index(after: colon)...]), (1...65535).contains(number) else {
                throw invalid("has no valid port")
            }
            port = number
            host = authority[..<colon]
        }
        guard !host.isEmpty, host.contains(":") == host.hasPrefix("[") else { throw invalid("has no valid host") }
        self.host = String(host)
        self.port = port
        self.authority = String(authority)
        path = String(rest[end...])
    }

    /// Whether the host is this machine by name or by address.
    var isLoopback: Bool {
        guard host != "localhost", host != "[::1]" else { return true }
        let octets = host.split(separator: ".", omittingEmptySubsequences: false).map { UInt8($0) }
        return octets.count == 4 && !octets.contains(nil) && octets.first == .some(127)
    }
}

extension String {
    /// RFC 3986: everything but unreserved characters as `%XX`.
    var percentEncoded: String {
        var result = ""
        for byte in utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                result.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                result += "%" + [byte].hex.uppercased()
            }
        }
        return result
    }

    /// Without control characters and cut to so many characters: for text that a server wrote.
    func tamed(_ limit: Int = 500) -> String {
        var result = ""
        var count = 0
        for scalar in unicodeScalars {
            guard count < limit else { return result + "…" }
            let isControl =
                scalar.properties.generalCategory == .control || scalar.properties.generalCategory == .format
            result.unicodeScalars.append(isControl || scalar.value == 0x2028 || scalar.value == 0x2029 ? " " : scalar)
            count += 1
        }
        return result
    }
}
