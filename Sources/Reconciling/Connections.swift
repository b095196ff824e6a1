import Logging
import Shiplog

/// A destination that answers: its cluster, its copy in memory and what it serves.
struct Connection: Sendable {
    /// Writes to nothing until it is guarded by a gate.
    var mirror: GuardedMirror
    let catalog: KindCatalog
    let reference: ClusterReference
    var cluster: any Cluster { mirror.cluster }

    func guarded(by gate: WriteGate) -> Connection {
        var copy = self
        copy.mirror = mirror.guarded(by: gate)
        return copy
    }
}

/// One copy in memory a cluster, made when it is first needed.
actor Connections {
    private let clusters: Clusters
    private let registry: ApplicationRegistry
    private let logger: Logger
    private let changed: @Sendable (ApplicationUID) async -> Void
    private var mirrors: [String: ClusterMirror] = [:]
    private var identities: [String: (uid: String, asked: ContinuousClock.Instant)] = [:]

    init(
        _ clusters: Clusters, registry: ApplicationRegistry, logger: Logger,
        changed: @escaping @Sendable (ApplicationUID) async -> Void
    ) {
        self.clusters = clusters
        self.registry = registry
        self.logger = logger
        self.changed = changed
    }

    func cluster(for application: RegisteredApplication) throws(Failure) -> any Cluster {
        RoutedCluster(
            cluster: try clusters.cluster(for: application.application.destination), registry: registry)
    }

    /// Connects, and makes sure that it is the cluster the application belongs to.
    ///
    /// - Parameter anew: ask the cluster who it is even if it said so within the last minute: before every attempt.
    /// - Throws: `cluster.changed` when another cluster answers at the destination.
    func connect(_ application: RegisteredApplication, anew: Bool = false) async throws(Failure) -> Connection {
        let cluster = try cluster(for: application)
        let uid = try await identity(of: cluster, anew: anew)
        if let accepted = application.clusterUID, accepted != uid {
            throw Failure(
                .clusterChanged,
                "the destination \(cluster.server) answers as another cluster (kube-system \(uid)) than the one "
                    + "this application was deployed to (\(accepted)); nothing is applied or pruned",
                remedy: "if it was rebuilt or moved on purpose: shiplog app accept-cluster \(application.name)")
        }
        return Connection(
            mirror: GuardedMirror(base: mirror(of: cluster)), catalog: try await cluster.catalog(refresh: false),
            reference: ClusterReference(name: cluster.name, server: cluster.server, uid: uid))
    }

    /// What is known of the destination without asking it.
    func reference(for application: RegisteredApplication) -> ClusterReference? {
        guard let cluster = try? cluster(for: application) else { return nil }
        return ClusterReference(name: cluster.name, server: cluster.server, uid: identities[cluster.name]?.uid)
    }

    /// How far the first listing of the destination has come; nil when there is none.
    func progress(for application: RegisteredApplication) async -> String? {
        guard let cluster = try? cluster(for: application) else { return nil }
        return await mirrors[cluster.name]?.progress
    }

    func stop() async {
        for mirror in mirrors.values { await mirror.stop() }
        mirrors = [:]
    }

    private func mirror(of cluster: any Cluster) -> ClusterMirror {
        if let mirror = mirrors[cluster.name] { return mirror }
        let mirror = ClusterMirror(cluster, logger: logger, changed: changed)
        mirrors[cluster.name] = mirror
        return mirror
    }

    private func identity(of cluster: any Cluster, anew: Bool) async throws(Failure) -> String {
        if !anew, let known = identities[cluster.name], ContinuousClock.now - known.asked < .seconds(60) {
            return known.uid
        }
        let uid = try await cluster.identity()
        if let known = identities[cluster.name]?.uid, known != uid, let old = mirrors.removeValue(forKey: cluster.name)
        {
            // The copy is of another cluster: begin again.
            await old.stop()
        }
        identities[cluster.name] = (uid, ContinuousClock.now)
        return uid
    }
}
