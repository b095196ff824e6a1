public import Shiplog

/// How the server listens, what it lets in and how much of it.
public struct ServerSettings: Sendable {
    /// A name or address; anything but loopback wants `tls` or `behindProxy`.
    public var host = "127.0.0.1"
    /// 0 takes a free one.
    public var port = 8080
    public var tls: TLSFiles?
    /// A proxy in front ends TLS, says who calls (`X-Forwarded-For`) and is the only one that can reach this port.
    public var behindProxy = false
    /// Values of `Host` that are answered besides loopback's, without a port.
    public var allowedHosts: [String] = []
    /// Where people find this server, without a slash at its end; its host counts among `allowedHosts`.
    public var baseURL: String?
    /// The directory of the page; nil runs the API alone.
    public var webDirectory: String?
    /// Whether `/metrics` answers.
    public var metrics = true
    public var webhooks = WebhookSettings()
    public var limits = Limits()
    /// What `/api/shiplog/v1/system` says of the program.
    public var version = "0"
    /// How long a session lasts at most, in milliseconds.
    public var sessionLength: Int64 = 12 * 3_600_000

    public init() {}

    /// PEM files, read again when they change.
    public struct TLSFiles: Sendable, Hashable {
        public var certificate: String
        public var key: String

        public init(certificate: String, key: String) {
            self.certificate = certificate
            self.key = key
        }
    }

    public struct WebhookSettings: Sendable {
        /// Compared with `X-Gitlab-Token`.
        public var gitlabSecret: SecretText?
        /// The key of `X-Hub-Signature-256`.
        public var githubSecret: SecretText?
        /// Larger bodies are refused while they stream in.
        public var maximumBody = 1 << 20
        /// Verified deliveries that wait to be acted on; more are answered 503.
        public var queueLimit = 64

        public init() {}
    }

    public struct Limits: Sendable {
        /// Bytes of a request's body.
        public var body = 1 << 20
        /// Open connections; further ones wait in the kernel's queue.
        public var connections = 1024
        /// Streams of one address and of all.
        public var streamsPerAddress = 16
        public var streams = 256
        /// Long polls of all addresses.
        public var longPolls = 256
        /// Wrong tokens of one address a minute.
        public var authenticationFailures = 20
        /// Milliseconds for a request's head, and for its whole body.
        public var headTime: Int64 = 15_000
        public var bodyTime: Int64 = 30_000
        /// Milliseconds after which a connection without a request is closed.
        public var idleTime: Int64 = 75_000
        /// Bytes of a request's head.
        public var head = 32 << 10
        /// Sessions that are remembered; a further one ends the oldest.
        public var sessions = 4096
        /// Milliseconds between two looks at the certificate's files.
        public var certificateInterval: Int64 = 10_000
        /// Milliseconds between two signs of life on a stream; access is checked again at each.
        public var heartbeat: Int64 = 15_000

        public init() {}
    }
}

extension ServerSettings {
    /// Whether only this machine reaches the server: then reading needs no token.
    public var isLocal: Bool { Host.isLoopback(host) && !behindProxy }

    /// - Throws: `server.tls-required`, `server.listen-invalid`.
    func check() throws(Failure) {
        guard (0...65535).contains(port), !host.isEmpty else {
            throw Failure("server.listen-invalid", "\(host):\(port) is no address to listen on")
        }
        guard Host.isLoopback(host) || tls != nil || behindProxy else {
            throw Failure(
                "server.tls-required",
                "\(host) is reachable from other machines, and tokens would cross the net in clear",
                remedy: "set tls.certificate and tls.key, start with --behind-proxy, or listen on 127.0.0.1")
        }
    }

    /// The values of `Host` that are answered; nil for any: beyond loopback it is the token that lets in, and probes and
    /// load balancers ask by address.
    var acceptedHosts: Set<String>? {
        guard isLocal else { return nil }
        var hosts = Set(allowedHosts.map { $0.lowercased() })
        if let baseURL, let own = Host(ofURL: baseURL) { hosts.insert(own.name) }
        return hosts.union(Host.loopbackNames)
    }
}
