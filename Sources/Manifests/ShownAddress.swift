import Shiplog

/// Addresses that are kept and shown as they stand, and so may hold nothing that lets somebody in.
enum ShownAddress {
    /// For one that says where a webhook posts.
    /// - Returns: what of it may let somebody in, for a message that does not quote it; nil when nothing does.
    static func secretPart(ofWebhook url: String) -> String? {
        // Whatever is written here is never called: what cannot be told apart from a user name is refused as one.
        if url.unicodeScalars.contains("@") { return "a user name or a password" }
        return url.unicodeScalars.contains(where: { $0 == "?" || $0 == "#" }) ? "a query or a fragment" : nil
    }

    /// Whether a text has an address in it with a user name or a password. ssh's user name alone is no secret.
    static func holdsLogin(_ text: String) -> Bool {
        var scheme = ""
        var slashes = 0
        var isAfterColon = false
        var isInAuthority = false
        var hasColon = false
        for scalar in text.unicodeScalars {
            if isInAuthority {
                switch scalar {
                case "@":
                    if scheme != "ssh" || hasColon { return true }
                case ":": hasColon = true
                case "/", "?", "#", " ", "\t", "\n", "\r", "\"", "<", ">":
                    (scheme, slashes, isAfterColon, isInAuthority, hasColon) = ("", 0, false, false, false)
                default: break
                }
            } else if scalar == "/" {
                slashes += 1
                isInAuthority = slashes == 2
            } else if scalar == ":" {
                (slashes, isAfterColon) = (0, true)
            } else {
                if isAfterColon || slashes > 0 { (scheme, slashes, isAfterColon) = ("", 0, false) }
                if isPartOfScheme(scalar) { scheme += scalar.properties.lowercaseMapping } else { scheme = "" }
            }
        }
        return false
    }

    /// Where a value of any form has such a text, as the path of names that leads there.
    static func login(in json: JSON, _ path: [String]) -> [String]? {
        switch json {
        case .string(let text): return holdsLogin(text) ? path : nil
        case .array(let elements):
            for (index, element) in elements.enumerated() {
                if let found = login(in: element, path + [String(index)]) { return found }
            }
            return nil
        case .object(let members):
            for (name, member) in members.sorted(by: { $0.key < $1.key }) {
                if holdsLogin(name) { return path }
                // A name of another form could be anything, and is not quoted.
                let isPlain = name.utf8.count <= 40 && name.unicodeScalars.allSatisfy(isPartOfScheme)
                if let found = login(in: member, isPlain ? path + [name] : path) { return found }
            }
            return nil
        case .null, .bool, .integer, .number: return nil
        }
    }

    private static func isPartOfScheme(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar {
        case "a"..."z", "A"..."Z", "0"..."9", "+", "-", ".": true
        default: false
        }
    }
}
