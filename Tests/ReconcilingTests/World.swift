import Foundation
import GitSource
import LedgerStore
import Logging
import Manifests
import Shiplog
import ShiplogTesting
import Testing

@testable import Reconciling

/// A whole Shiplog without its network: a real Git repository, a real ledger, a cluster that can be made to fail.
final class World: Sendable {
    let directory: String
    let cluster: FakeCluster
    /// Instead of the fake one, a real server's.
    let api: (any Cluster)?
    let repository: String
    let settings: ControllerSettings
    let clock = TestClock()

    init(settings: ControllerSettings? = nil, api: (any Cluster)? = nil) throws {
        self.api = api
        directory = NSTemporaryDirectory() + "shiplog-loop-" + UUID().uuidString
        repository = directory + "/repository"
        cluster = FakeCluster()
        var quick = ControllerSettings()
        quick.pollInterval = 0
        quick.watchSettle = 5
        quick.selfHealInitial = 20
        quick.waveDelay = 10
        quick.workers = 4
        self.settings = settings ?? quick
        try FileManager.default.createDirectory(atPath: repository, withIntermediateDirectories: true)
        try git("init", "-q", "-b", "main")
    }

    func remove() { try? FileManager.default.removeItem(atPath: directory) }

    // MARK: - Git

    @discardableResult
    func git(_ arguments: String...) throws -> String {
        try RunningProgram.output(
            ["git", "-C", repository] + arguments, environment: RunningProgram.gitEnvironment)
    }

    /// Writes files below `app/` (nil removes one), commits, and gives the commit.
    @discardableResult
    func commit(_ files: [String: String?], message: String = "change") throws -> CommitID {
        try FileManager.default.createDirectory(atPath: repository + "/app", withIntermediateDirectories: true)
        for (name, content) in files {
            let path = repository + "/" + (name.hasPrefix("/") ? String(name.dropFirst()) : "app/" + name)
            if let content {
                try content.write(toFile: path, atomically: true, encoding: .utf8)
            } else {
                try FileManager.default.removeItem(atPath: path)
            }
        }
        try git("add", "-A")
        try git("commit", "-q", "--allow-empty", "-m", message)
        return try #require(CommitID(git("rev-parse", "HEAD")))
    }

    static func configMap(_ name: String, _ value: String, annotations: String = "") -> String {
        """
        apiVersion: v1
        kind: ConfigMap
        metadata:
          name: \(name)\(annotations)
        data:
          value: "\(value)"

        """
    }

    // MARK: - Applications

    func application(
        _ name: String = "app", automated: Application.Automated? = .init(prune: true, selfHeal: true),
        retry: Application.Retry? = nil, path: String = "app"
    ) -> Application {
        Application(
            name: name, namespace: "argocd",
            source: .init(repository: repository, path: path, targetRevision: "HEAD"),
            destination: .init(cluster: .server("https://kubernetes.default.svc"), namespace: "demo"),
            syncPolicy: .init(automated: automated, retry: retry),
            document: ["kind": "Application", "metadata": ["name": .string(name)], "spec": ["path": .string(path)]])
    }

    static let person = Actor(name: "ada", means: .token, tokenID: "t1")

    // MARK: - Running

    /// Opens the ledger as it is on disk, runs the loop while `body` runs, and closes everything again.
    /// - Parameter options: how the ledger is opened, for faults at its commits.
    func run<Value>(
        options: Ledger.Options = Ledger.Options(), _ body: (Running) async throws -> Value
    ) async throws -> Value {
        let data = try DataDirectory(directory + "/data")
        let clock = clock
        let ledger = try await Ledger.open(data, mode: .sandbox, access: .serve, now: { clock.now }, options: options)
        let repositories = Repositories(directory: data.repositories)
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let controller = Controller(
            ledger: ledger, repositories: repositories, clusters: Clusters([], inCluster: api ?? cluster),
            settings: settings,
            now: { clock.now }, logger: logger)
        let loop = Task { try await controller.run() }
        let result: Result<Value, any Error>
        do {
            result = .success(try await body(Running(world: self, ledger: ledger, controller: controller)))
        } catch {
            result = .failure(error)
        }
        loop.cancel()
        await cluster.release()
        _ = await loop.result
        await ledger.close()
        return try result.get()
    }

    /// What every test ends with: the ledger on disk proves sound.
    func verify() async throws {
        let report = try await Ledger.verify(DataDirectory(directory + "/data"), progress: { _ in })
        #expect(report.isSound, "\(report)")
    }
}

/// A clock that a test can move, and that otherwise goes on.
final class TestClock: Sendable {
    private let offset = OffsetBox()
    var now: Timestamp {
        Timestamp(milliseconds: Int64(Date().timeIntervalSince1970 * 1000) + offset.value)
    }
    func jump(milliseconds: Int64) { offset.add(milliseconds) }
}

private final class OffsetBox: @unchecked Sendable {
    // Guarded by the lock; Foundation's NSLock is all a test needs.
    private let lock = NSLock()
    private var stored: Int64 = 0
    var value: Int64 { lock.withLock { stored } }
    func add(_ delta: Int64) { lock.withLock { stored += delta } }
}

/// A running loop, and what tests ask of it.
struct Running {
    let world: World
    let ledger: Ledger
    let controller: Controller

    func key(_ name: String, kind: String = "ConfigMap") -> ResourceKey {
        ResourceKey(group: "", kind: kind, namespace: "demo", name: name)
    }

    @discardableResult
    func put(_ application: Application) async throws -> RegisteredApplication {
        try await controller.put(application, actor: World.person, ifChangedBy: nil, expectAbsent: false).0
    }

    /// Waits until the condition holds; a test that waits longer than a minute has failed.
    func wait(
        _ what: String, sourceLocation: SourceLocation = #_sourceLocation, until condition: () async throws -> Bool
    ) async throws {
        let deadline = ContinuousClock.now + .seconds(60)
        while ContinuousClock.now < deadline {
            if try await condition() { return }
            try await Task.sleep(for: .milliseconds(5))
        }
        var log = "waited for \(what) in vain; the log says:\n"
        for stored in try await revisions() {
            log += "  \(stored.sequence) \(stored.revision.kind) \(stored.revision.cause) \(stored.revision.outcome)\n"
        }
        if let status = await controller.status(of: "app") {
            log += "status: \(status.sync) \(status.health) \(status.activity) \(status.conditions)"
        }
        Issue.record("\(log)", sourceLocation: sourceLocation)
        throw CancellationError()
    }

    func value(of name: String) async -> String? {
        await world.cluster.object(key(name))?.object.at("data", "value")?.string
    }

    /// Newest first, unchanged reconciles included.
    func revisions(_ kinds: [Revision.Kind] = []) async throws -> [StoredRevision] {
        var query = RevisionQuery(limit: 200)
        query.kinds = kinds
        query.includeUnchanged = true
        return try await ledger.revisions(query).items
    }

    /// Fetches and looks, and waits for the row.
    @discardableResult
    func refresh(_ name: String = "app", hard: Bool = false) async throws -> Operation {
        try await finish(try await controller.refresh(name, hard: hard, actor: World.person))
    }

    @discardableResult
    func sync(_ name: String = "app", _ request: SyncRequest = SyncRequest()) async throws -> Operation {
        try await finish(try await controller.sync(name, request, actor: World.person))
    }

    @discardableResult
    func rollback(_ name: String = "app", _ request: RollbackRequest) async throws -> Operation {
        try await finish(try await controller.rollback(name, request, actor: World.person))
    }

    func finish(_ operation: Reconciling.Operation) async throws -> Reconciling.Operation {
        let ended = await controller.operation(operation.id, waitingMilliseconds: 60_000)
        return try #require(ended)
    }
}

typealias Operation = Reconciling.Operation

extension Operation {
    var revision: SequenceNumber? { if case .finished(let sequence, _) = state { sequence } else { nil } }
    var outcome: String? { if case .finished(_, let outcome) = state { outcome } else { nil } }
    var failure: Failure? { if case .refused(let failure) = state { failure } else { nil } }
}
