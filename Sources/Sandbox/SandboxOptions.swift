public import Logging

/// How a sandbox runs.
public struct SandboxOptions: Sendable {
    /// The file that keeps the cluster over restarts; nil keeps it in memory. Made with mode 0600: it holds Secrets.
    public var file: String?
    /// Every request but the health checks needs the token.
    public var requiresToken = true
    /// The bearer token; nil makes one.
    public var token: String?
    /// What the stand-in controllers' waits are multiplied with, 0…1000: 1 is about as fast as a small cluster, 0.1
    /// ten times faster.
    public var timeScale = 1.0
    /// What names and UIDs are drawn from; nil takes the system's randomness. A test that sets it can repeat itself.
    public var seed: UInt64?
    public var logger: Logger

    public init(
        file: String? = nil, requiresToken: Bool = true, token: String? = nil, timeScale: Double = 1,
        seed: UInt64? = nil, logger: Logger? = nil
    ) {
        self.file = file
        self.requiresToken = requiresToken
        self.token = token
        self.timeScale = timeScale.isFinite ? min(max(timeScale, 0), 1000) : 1
        self.seed = seed
        var quiet = Logger(label: "shiplog.sandbox")
        quiet.logLevel = .error
        self.logger = logger ?? quiet
    }
}

/// A fault that the sandbox plays, for tests of clients.
public struct SandboxFault: Sendable {
    /// What happens instead of, or after, the answer.
    public enum Action: Sendable {
        /// Answer with a `Status` of that HTTP code; `retryAfter` in seconds.
        case status(Int, reason: String, retryAfter: Int?)
        /// Close the connection without an answer.
        case drop
        /// Never answer; ends when the client gives up.
        case hang
    }

    public var action: Action
    /// The request is carried out first: failed for the client, but persisted.
    public var persists: Bool
    /// How many requests it still applies to.
    public var count: Int
    /// The requests it applies to, by method and path (with its query).
    public var matches: @Sendable (_ method: String, _ path: String) -> Bool

    public init(
        _ action: Action, persists: Bool = false, count: Int = 1,
        matching matches: @escaping @Sendable (_ method: String, _ path: String) -> Bool = { _, _ in true }
    ) {
        self.action = action
        self.persists = persists
        self.count = count
        self.matches = matches
    }
}
