/// One request over HTTP, with the limits under which it runs. It never goes through a proxy of the environment, never
/// follows a redirect and never sends anything but what it says.
public struct HTTPRequest: Sendable {
    /// An upper-case method, such as `GET`.
    public var method: String
    /// An absolute `http` or `https` URL without user information.
    public var url: String
    /// Sent as they are; a value must hold no control character.
    public var headers: [(name: String, value: String)]
    public var body: [UInt8]?
    public var tls: TLSSettings
    /// `http://`, `https://` or `socks5://`; nil goes straight to the server, whatever the environment says.
    public var proxy: String?

    /// From the call to the last byte, the wait for a free place included.
    public var timeoutMilliseconds: Int = 30_000
    public var connectTimeoutMilliseconds: Int = 10_000
    /// Gives up when fewer than 100 bytes a second arrive for so long; nil for never.
    public var silenceMilliseconds: Int?
    /// Of the decoded body; a longer one is an error and is not kept.
    public var maximumBodyBytes: Int = 64 << 20
    /// Of one line of a streamed body.
    public var maximumLineBytes: Int = 32 << 20
    /// Whether the server may see it twice without harm. If not, it goes out on a connection of its own: libcurl repeats
    /// by itself whatever was lost on a reused connection, POST included.
    public var mayBeRepeated: Bool = true

    public init(
        _ method: String, _ url: String, headers: [(name: String, value: String)] = [], body: [UInt8]? = nil,
        tls: TLSSettings = TLSSettings()
    ) {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
        self.tls = tls
    }
}

extension HTTPRequest: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// Method and URL only: headers carry tokens.
    public var description: String { "\(method) \(url)" }
    public var debugDescription: String { description }
    public var customMirror: Mirror { Mirror(self, children: ["method": method, "url": url]) }
}

/// How a server proves who it is, and how the client does. Certificates and keys are PEM.
public struct TLSSettings: Sendable, Hashable {
    /// The only authorities trusted; nil for the system's.
    public var authorities: [UInt8]?
    public var certificate: [UInt8]?
    public var key: [UInt8]?
    /// The name the certificate must hold, when it is not the URL's host.
    public var serverName: String?
    /// Trusts anyone. Nothing sets it but an explicit `insecure-skip-tls-verify: true` of a kubeconfig.
    public var skipsVerification: Bool

    public init(
        authorities: [UInt8]? = nil, certificate: [UInt8]? = nil, key: [UInt8]? = nil, serverName: String? = nil,
        skipsVerification: Bool = false
    ) {
        self.authorities = authorities
        self.certificate = certificate
        self.key = key
        self.serverName = serverName
        self.skipsVerification = skipsVerification
    }
}

extension TLSSettings: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// No bytes: the key is a secret.
    public var description: String { skipsVerification ? "TLS without verification" : "TLS" }
    public var debugDescription: String { description }
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// What a server answered.
public struct HTTPResponse: Sendable {
    public let status: Int
    /// Names in lower case, in the order received.
    public let headers: [(name: String, value: String)]
    public let body: [UInt8]
    /// `1.1` or `2`.
    public let version: String

    /// The first header of that name, given in lower case.
    public func header(_ name: String) -> String? { headers.first { $0.name == name }?.value }
    public var isSuccess: Bool { (200...299).contains(status) }
}
