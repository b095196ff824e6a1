import KubernetesAPI
import Sandbox
import Shiplog
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The API servers that the client is tried against.
enum Peer: Sendable, Hashable, CustomTestStringConvertible {
    case sandbox
    /// The file that `make conformance KUBECONFIG=…` names.
    case external(kubeconfig: String)

    static let all: [Peer] =
        [.sandbox]
        + (getenv("SHIPLOG_CONFORMANCE_KUBECONFIG").map { [.external(kubeconfig: String(cString: $0))] } ?? [])

    var testDescription: String {
        switch self {
        case .sandbox: "the embedded cluster"
        case .external: "an external cluster"
        }
    }

    func run(_ body: @escaping @Sendable (KubernetesCluster) async throws -> Void) async throws {
        var options = KubernetesCluster.Options()
        // So that a list of a few objects has pages too.
        options.pageSize = 7
        switch self {
        case .external(let path):
            try await body(
                KubernetesCluster(
                    name: "external", connection: try Kubeconfig.load(path).connection(), options: options))
        case .sandbox:
            let sandbox = try SandboxServer(options: SandboxOptions(timeScale: 0.1))
            let (ports, port) = AsyncStream.makeStream(of: Int.self)
            let options = options
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await sandbox.run { port.yield($0) } }
                group.addTask {
                    let number = try #require(await ports.first { _ in true })
                    let connection = try ClusterConnection(
                        server: "http://127.0.0.1:\(number)",
                        credential: .token(SecretText(try #require(sandbox.token))))
                    try await body(KubernetesCluster(name: "sandbox", connection: connection, options: options))
                }
                defer { group.cancelAll() }
                try await group.next()
            }
        }
    }
}

@Suite("Conformance")
struct ConformanceTests {
    @Test("a cluster does what the loop needs", arguments: Peer.all, Conformance.allCases)
    func conforms(_ peer: Peer, _ scenario: Conformance) async throws {
        try await peer.run { cluster in try await scenario.run(on: cluster) }
    }
}
