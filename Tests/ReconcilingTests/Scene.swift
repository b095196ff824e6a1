import Foundation
import KubernetesAPI
import LedgerStore
import Sandbox
import Shiplog
import Testing

@testable import Reconciling

/// A scenario on the embedded cluster: a whole Shiplog over HTTP, with controllers that complete what is applied.
struct Scene: Sendable {
    let world: World
    let sandbox: SandboxServer
    let cluster: KubernetesCluster

    /// - Parameter timeScale: what the controllers' waits are multiplied with.
    static func play(
        timeScale: Double = 0.1, settings change: (inout ControllerSettings) -> Void = { _ in },
        _ body: @escaping @Sendable (Scene) async throws -> Void
    ) async throws {
        var settings = ControllerSettings()
        settings.pollInterval = 0
        settings.watchSettle = 5
        settings.selfHealInitial = 20
        settings.workers = 2
        settings.waveDelay = 10
        change(&settings)
        let sandbox = try SandboxServer(options: SandboxOptions(timeScale: timeScale))
        let (ports, port) = AsyncStream.makeStream(of: Int.self, bufferingPolicy: .bufferingOldest(1))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await sandbox.run { port.yield($0) } }
            group.addTask { [settings] in
                let number = try #require(await ports.first { _ in true })
                let connection = try ClusterConnection(
                    server: "http://127.0.0.1:\(number)", credential: .token(SecretText(try #require(sandbox.token))))
                let cluster = KubernetesCluster(name: "sandbox", connection: connection)
                let world = try World(settings: settings, api: cluster)
                defer { world.remove() }
                let scene = Scene(world: world, sandbox: sandbox, cluster: cluster)
                try await scene.make("v1", "Namespace", "demo")
                try await body(scene)
                try await world.verify()
            }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    // MARK: - Given

    func make(_ apiVersion: String, _ kind: String, _ name: String, _ more: JSON = [:]) async throws {
        var object: JSON = [
            "apiVersion": .string(apiVersion), "kind": .string(kind), "metadata": ["name": .string(name)]
        ]
        for (member, value) in more.object ?? [:] { object[member] = value }
        let resource = try Resource(object)
        let kind = try await cluster.catalog(refresh: false).served(resource.gvk)
        let placed = kind.isNamespaced && resource.namespace.isEmpty ? resource.inNamespace("demo") : resource
        _ = try await cluster.create(placed, as: kind, WriteOptions(fieldManager: "test"))
    }

    /// A job as a hook.
    static func job(
        _ name: String, hook: String, policy: String? = nil, wave: Int? = nil, image: String = "busybox:1",
        deadline: Int? = nil, generated: Bool = false
    ) -> String {
        """
        apiVersion: batch/v1
        kind: Job
        metadata:
          \(generated ? "generateName" : "name"): \(name)
          annotations:
            argocd.argoproj.io/hook: \(hook)
            \(policy.map { "argocd.argoproj.io/hook-delete-policy: \($0)" } ?? "note: none")
            argocd.argoproj.io/sync-wave: "\(wave ?? 0)"
        spec:
          \(deadline.map { "activeDeadlineSeconds: \($0)" } ?? "backoffLimit: 0")
          template:
            spec: {restartPolicy: Never, containers: [{name: main, image: '\(image)'}]}

        """
    }

    /// A job that never ends well: its image cannot be pulled, and its time is short.
    static func failing(_ name: String, hook: String, policy: String? = nil, deadline: Int = 2) -> String {
        job(name, hook: hook, policy: policy, image: "example.com/a:does-not-exist", deadline: deadline)
    }

    static func configMap(_ name: String, _ value: String = "1", wave: Int) -> String {
        World.configMap(
            name, value, annotations: "\n  annotations: {argocd.argoproj.io/sync-wave: \"\(wave)\"}")
    }

    static func deployment(_ name: String, wave: Int = 0, image: String = "web:1") -> String {
        """
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: \(name), annotations: {argocd.argoproj.io/sync-wave: "\(wave)"}}
        spec:
          progressDeadlineSeconds: 5
          selector: {matchLabels: {app: \(name)}}
          template:
            metadata: {labels: {app: \(name)}}
            spec: {containers: [{name: web, image: '\(image)'}]}

        """
    }

    // MARK: - Then

    func object(_ kind: String, _ name: String, namespace: String = "demo") async -> JSON? {
        let group = ["Job": "batch", "Deployment": "apps", "Widget": "example.com"][kind] ?? ""
        return await sandbox.object(group: group, kind: kind, namespace: namespace, name: name)
    }

    func uid(_ kind: String, _ name: String) async -> String? {
        await object(kind, name)?.at("metadata", "uid")?.string
    }

    /// Smaller means written earlier.
    func version(_ kind: String, _ name: String) async throws -> Int64 {
        let text = await object(kind, name)?.at("metadata", "resourceVersion")?.string
        return try #require(text.flatMap { Int64($0) }, "\(kind) \(name) is not there")
    }
}

extension StoredRevision {
    /// `PreSync 0 ran batch/Job demo/migrate`, in the row's order.
    var steps: [String] {
        revision.resources.map { "\($0.phase.word) \($0.wave) \($0.action.rawValue) \($0.key)" }
    }
}

extension Running {
    /// The newest sync or rollback.
    func newest() async throws -> StoredRevision {
        try #require(try await revisions([.sync, .rollback]).first)
    }

    /// Registers an application that syncs only by hand, and syncs it.
    func deploy(automated: Application.Automated? = nil) async throws -> Operation {
        try await put(world.application(automated: automated))
        return try await sync()
    }
}
