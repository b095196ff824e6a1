import FoundationEssentials
import Hummingbird
import Logging
public import Shiplog

/// A small Kubernetes API server in this process, for demonstrations and tests. It runs no containers.
///
/// It speaks plain HTTP on a loopback address.
public final class SandboxServer: Sendable {
    private let machine: Machine
    private let options: SandboxOptions
    /// The bearer token, nil when none is needed.
    public let token: String?
    /// The UID of the `kube-system` namespace; the same after a restart with the same file.
    public let clusterUID: String

    /// Reads the file, if there is one.
    ///
    /// - Throws: `sandbox.storage` when it cannot be read or is damaged.
    public init(options: SandboxOptions = SandboxOptions()) throws(Failure) {
        self.options = options
        token = options.requiresToken ? options.token ?? Kubeconfig.makeToken() : nil
        machine = try Machine(options: options)
        clusterUID = machine.clusterUID
    }

    /// Serves until the task is cancelled.
    ///
    /// - Parameters:
    ///   - host: `127.0.0.1`, `::1` or `localhost`: the sandbox listens nowhere else.
    ///   - port: 0 takes a free one.
    ///   - onListening: is told the port once connections are accepted.
    /// - Throws: `sandbox.address` for another host; the system's error when the port is taken.
    public func run(
        host: String = "127.0.0.1", port: Int = 0, onListening: @escaping @Sendable (Int) async -> Void = { _ in }
    ) async throws {
        guard ["127.0.0.1", "::1", "localhost"].contains(host) else {
            throw Failure(
                "sandbox.address", "the sandbox listens on loopback addresses only, not on \(host)",
                remedy: "use 127.0.0.1")
        }
        let machine = machine
        // The web server reports each connection that ends with it as an error.
        var logger = options.logger
        logger.logLevel = .critical
        let application = Application(
            responder: HTTPFront(machine: machine, token: token),
            configuration: ApplicationConfiguration(
                address: .hostname(host == "localhost" ? "127.0.0.1" : host, port: port), serverName: nil),
            onServerRunning: { channel in await onListening(channel.localAddress?.port ?? port) },
            logger: logger)
        try await withTaskCancellationHandler {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { await machine.runControllers() }
                group.addTask { try await application.run() }
                // The controllers end only with the server.
                defer { group.cancelAll() }
                while try await group.next() != nil {}
            }
        } onCancel: {
            Task { await machine.stop() }
        }
    }

    /// A kubeconfig for `kubectl`, to be written to a file that only its owner can read.
    ///
    /// - Parameter url: the server's address, such as `http://127.0.0.1:8001`.
    public func kubeconfig(server url: String) -> String { Kubeconfig.text(server: url, token: token) }

    // MARK: for tests

    /// The next requests that match meet this fault.
    public func setFault(_ fault: SandboxFault) async { await machine.setFault(fault) }
    public func clearFaults() async { await machine.clearFaults() }

    /// The object as it is stored.
    public func object(
        group: String = "", kind: String, namespace: String = "", name: String
    ) async -> JSON? {
        await machine.object(group: group, kind: kind, namespace: namespace, name: name)
    }

    /// How many objects there are.
    public var objectCount: Int { get async { await machine.objectCount } }
    /// The last write's version.
    public var resourceVersion: Int64 { get async { await machine.resourceVersion } }
    /// How many watches are open.
    public var watchCount: Int { get async { await machine.watchCount } }
    /// How many requests were answered, watches included.
    public var requestCount: Int { get async { await machine.handled } }
    /// Makes every watch that resumes from an older version meet 410.
    public func forgetHistory() async { await machine.forgetHistory() }
}
