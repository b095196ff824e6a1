public import Shiplog

/// The clusters that the configuration names: an application's destination becomes one of them, or a failure.
public struct Clusters: Sendable {
    private let byName: [String: any Cluster]
    private let byServer: [String: any Cluster]

    /// - Parameters:
    ///   - inCluster: what `https://kubernetes.default.svc` means; nil when Shiplog runs outside a cluster and without
    ///     the sandbox.
    ///   - addresses: further spellings of servers that destinations use.
    public init(
        _ clusters: [any Cluster], inCluster: (any Cluster)?, addresses: [String: any Cluster] = [:]
    ) {
        var names: [String: any Cluster] = [:]
        var servers: [String: any Cluster] = [:]
        for cluster in clusters {
            names[cluster.name] = cluster
            servers[Self.comparable(cluster.server)] = cluster
        }
        if let inCluster {
            names["in-cluster"] = inCluster
            servers["https://kubernetes.default.svc"] = inCluster
        }
        for (address, cluster) in addresses { servers[Self.comparable(address)] = cluster }
        byName = names
        byServer = servers
    }

    /// - Throws: `cluster.not-configured`.
    public func cluster(for destination: Application.Destination) throws(Failure) -> any Cluster {
        switch destination.cluster {
        case .name(let name):
            if let cluster = byName[name] { return cluster }
            throw Self.unknown("named \(name)", known: byName.keys.sorted())
        case .server(let server):
            if let cluster = byServer[Self.comparable(server)] { return cluster }
            throw Self.unknown("at \(server)", known: byServer.keys.sorted())
        }
    }

    /// Every cluster once, sorted by name.
    public var all: [any Cluster] {
        var seen: Set<String> = []
        return byName.values.sorted { $0.name < $1.name }.filter { seen.insert($0.name).inserted }
    }

    private static func unknown(_ what: String, known: [String]) -> Failure {
        Failure(
            "cluster.not-configured", "no cluster \(what) is configured",
            remedy: known.isEmpty
                ? "add it under `clusters` in the configuration, or start with --sandbox"
                : "use one of \(known.joined(separator: ", ")), or add it under `clusters` in the configuration")
    }

    private static func comparable(_ server: String) -> String {
        var text = server.lowercased()
        while text.hasSuffix("/") { text.removeLast() }
        return text.hasSuffix(":443") ? String(text.dropLast(4)) : text
    }
}
