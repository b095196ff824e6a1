import FoundationEssentials

/// The file that tells `kubectl` where the sandbox is.
enum Kubeconfig {
    /// The token stands in the server's address as well as in the user: kubectl leaves a user's token out over plain
    /// HTTP, but sends an address's credentials.
    static func text(server: String, token: String?) -> String {
        var address = server
        while address.hasSuffix("/") { address.removeLast() }
        if let token, address.hasPrefix("http://") {
            address = "http://shiplog:\(token)@" + address.dropFirst("http://".count)
        }
        return """
            apiVersion: v1
            kind: Config
            clusters:
            - name: sandbox
              cluster:
                server: "\(address)"
            users:
            - name: sandbox
              user: \(token.map { "{token: \"\($0)\"}" } ?? "{}")
            contexts:
            - name: sandbox
              context: {cluster: sandbox, user: sandbox, namespace: default}
            current-context: sandbox

            """
    }

    /// 256 bits, in hexadecimal.
    static func makeToken() -> String {
        var generator = SystemRandomNumberGenerator()
        var text = ""
        for _ in 0..<4 {
            let part = String(generator.next() as UInt64, radix: 16)
            text += String(repeating: "0", count: 16 - part.count) + part
        }
        return text
    }

    static func decodeBasic(_ text: String) -> String? {
        Data(base64Encoded: text).flatMap { String(data: $0, encoding: .utf8) }
    }
}
