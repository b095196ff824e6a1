import Foundation
import Shiplog

/// `host:port`, `[::1]:port`, `:port` (loopback) or `port`.
struct ListenAddress: Sendable, Equatable {
    let host: String
    let port: Int

    /// - Throws: `server.listen-invalid`.
    init(_ text: String) throws(Failure) {
        let invalid = Failure(
            "server.listen-invalid", "\(text) is no address to listen on",
            remedy: "write it as 127.0.0.1:8080 or [::1]:8080")
        var host = "127.0.0.1"
        var digits = text[...]
        if let colon = text.lastIndex(of: ":") {
            digits = text[text.index(after: colon)...]
            let name = text[..<colon]
            if name.hasPrefix("["), name.hasSuffix("]"), name.count > 2 {
                host = String(name.dropFirst().dropLast())
            } else if name.contains(":") {
                throw invalid
            } else if !name.isEmpty {
                host = String(name)
            }
        }
        guard !digits.isEmpty, digits.allSatisfy({ $0.isASCII && $0.isNumber }), let port = Int(digits),
            (0...65535).contains(port)
        else { throw invalid }
        self.host = host
        self.port = port
    }

    /// The port, or the first of the next fifty that nobody listens on; the port itself when all are taken.
    func nextFreePort() -> Int {
        guard port != 0 else { return 0 }
        for candidate in port..<min(port + 50, 65536) where isFree(candidate) { return candidate }
        return port
    }

    private func isFree(_ port: Int) -> Bool {
        var hints = addrinfo()
        hints.ai_flags = AI_NUMERICSERV | AI_PASSIVE
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var found: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, String(port), &hints, &found) == 0, let address = found else { return true }
        defer { freeaddrinfo(found) }
        let socket = socket(address.pointee.ai_family, Int32(SOCK_STREAM.rawValue), 0)
        guard socket >= 0 else { return true }
        defer { _ = close(socket) }
        var reuse: Int32 = 1
        _ = setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &reuse, socklen_t(MemoryLayout<Int32>.size))
        return bind(socket, address.pointee.ai_addr, address.pointee.ai_addrlen) == 0 && listen(socket, 1) == 0
    }
}
