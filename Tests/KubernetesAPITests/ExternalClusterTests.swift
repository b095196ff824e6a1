import KubernetesAPI
import Shiplog
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The file that `make conformance` names, if any.
private let externalKubeconfig = getenv("SHIPLOG_CONFORMANCE_KUBECONFIG").map { String(cString: $0) }

@Suite("Conformance: the cluster of SHIPLOG_CONFORMANCE_KUBECONFIG", .enabled(if: externalKubeconfig != nil))
struct ExternalClusterTests {
    @Test("an external cluster does what the loop needs", arguments: Conformance.allCases)
    func conforms(_ scenario: Conformance) async throws {
        let path = try #require(externalKubeconfig)
        var options = KubernetesCluster.Options()
        // So that a list of a few objects has pages too.
        options.pageSize = 7
        let cluster = KubernetesCluster(
            name: "external", connection: try Kubeconfig.load(path).connection(), options: options)
        try await scenario.run(on: cluster)
    }
}
