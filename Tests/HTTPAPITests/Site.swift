import Foundation
import GitSource
import HTTPAPI
import LedgerStore
import Logging
import Manifests
import Reconciling
import Shiplog
import ShiplogTesting
import Testing

/// A whole Shiplog behind a real port: a Git repository, a ledger, the loop, a cluster in memory.
struct Site: Sendable {
    let client: Client
    let ledger: Ledger
    let controller: Controller
    let cluster: FakeCluster
    let clock: TestClock
    /// The repository's path: what Applications name.
    let repository: String
    /// An administrator's token.
    let admin: String

    /// Serves while `body` runs; then everything ends, and the ledger must prove sound.
    static func run(
        clock: TestClock = TestClock(), signs: Bool = false,
        settings configure: (inout ServerSettings) -> Void = { _ in },
        tls: (@Sendable (Client) throws -> Client)? = nil,
        _ body: @Sendable (Site) async throws -> Void
    ) async throws {
        let temporary = try TemporaryDirectory("http")
        let repository = temporary.path + "/guestbook"
        try FileManager.default.createDirectory(atPath: repository, withIntermediateDirectories: true)
        try git(repository, "init", "-q", "-b", "main")
        let data = try DataDirectory(temporary.path + "/data")
        let ledger = try await Ledger.open(data, mode: .sandbox, access: .serve, now: { clock.now })
        let cluster = FakeCluster()
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        var pace = ControllerSettings()
        pace.pollInterval = 0
        pace.watchSettle = 5
        pace.workers = 2
        let controller = Controller(
            ledger: ledger, repositories: Repositories(directory: data.repositories),
            clusters: Clusters([], inCluster: cluster), settings: pace, now: { clock.now }, logger: logger)
        var settings = ServerSettings()
        settings.port = 0
        settings.version = "1.2.3"
        configure(&settings)
        let (_, secret) = try await ledger.createToken(Token.Draft(name: "admin", role: .admin), actor: .controller)
        let (ports, listening) = AsyncStream.makeStream(of: Int.self, bufferingPolicy: .bufferingNewest(1))
        // It begins the log with an event of its own, which would move every number that the cases quote.
        let log =
            signs ? try await LogKeeper.start(ledger, folder: data.checkpoints, origin: "shiplog.test") : nil
        let server = try Server(
            ledger: ledger, log: log, controller: controller, formats: formats, settings: settings,
            notifications: notifications(ledger), now: { clock.now },
            logger: logger, onListening: { listening.yield($0) })
        let result: Result<Void, any Error>
        do {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await server.run() }
                group.addTask { try await controller.run { try await log?.waitUntilConfirmed() } }
                if let log { group.addTask { await log.run() } }
                defer { group.cancelAll() }
                let port = try #require(await ports.first { _ in true })
                try await until("the loop runs") { controller.isReady }
                let plain = Client(port: port)
                try await body(
                    Site(
                        client: try tls?(plain) ?? plain, ledger: ledger, controller: controller, cluster: cluster,
                        clock: clock, repository: repository, admin: secret.revealed))
            }
            result = .success(())
        } catch {
            result = .failure(error)
        }
        await cluster.release()
        await ledger.close()
        try result.get()
        let report = try await Ledger.verify(data, progress: { _ in })
        #expect(report.isSound, "\(report)")
    }

    static let formats = Formats(
        readApplication: { body throws(Failure) in
            let bytes: [UInt8]
            switch body {
            case .json(let json): return try ApplicationReader.read(json)
            case .yaml(let text): bytes = text
            }
            let found = try ApplicationReader.read(bytes, file: "application.yaml")
            guard let first = found.first, found.count == 1 else {
                throw Failure(.applicationInvalid, "the request holds \(found.count) Applications")
            }
            return (first.application, first.warnings)
        },
        readProject: { body throws(Failure) in
            let bytes: [UInt8]
            switch body {
            case .json(let json): return try ProjectReader.read(json)
            case .yaml(let text): bytes = text
            }
            let found = try ProjectReader.read(bytes, file: "project.yaml")
            guard let first = found.first, found.count == 1 else {
                throw Failure(
                    .projectInvalid, "the request holds \(found.count) AppProjects",
                    remedy: "send exactly one at a time")
            }
            return (first.project, first.warnings)
        },
        manifestText: { YAML.write($0) })

    static let api = "/api/shiplog/v1"

    /// A project that permits everything but what is added to its spec.
    static func project(_ name: String, _ more: JSON = [:]) -> JSON {
        var spec: JSON = [
            "sourceRepos": ["*"], "destinations": [["server": "*", "namespace": "*"]],
            "clusterResourceWhitelist": [["group": "*", "kind": "*"]]
        ]
        for (member, value) in more.object ?? [:] { spec[member] = value }
        return [
            "apiVersion": "argoproj.io/v1alpha1", "kind": "AppProject", "metadata": ["name": .string(name)],
            "spec": spec
        ]
    }

    /// With the administrator's token.
    var boss: Client { client.signed(admin) }

    func token(
        _ role: Token.Role, projects: [String] = ["*"], applications: [String] = ["*"], expiresAt: Timestamp? = nil
    ) async throws -> String {
        let draft = Token.Draft(
            name: role.rawValue + "-ann", role: role, projects: projects, applications: applications,
            expiresAt: expiresAt)
        return try await ledger.createToken(draft, actor: .controller).secret.revealed
    }

    // MARK: - Git

    /// Writes a ConfigMap into `app/`, and commits.
    @discardableResult
    func commit(_ value: String) throws -> String {
        let directory = repository + "/app"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        let text = """
            apiVersion: v1
            kind: ConfigMap
            metadata:
              name: greeting
            data:
              text: "\(value)"

            """
        try text.write(toFile: directory + "/greeting.yaml", atomically: true, encoding: .utf8)
        try Self.git(repository, "add", "-A")
        try Self.git(repository, "commit", "-q", "-m", "Say \(value)")
        return try Self.git(repository, "rev-parse", "HEAD")
    }

    @discardableResult
    static func git(_ directory: String, _ arguments: String...) throws -> String {
        try RunningProgram.output(
            ["git", "-C", directory] + arguments, environment: RunningProgram.gitEnvironment)
    }

    // MARK: - Applications

    func document(
        _ name: String, project: String = "default", namespace: String = "demo", secret: String? = nil,
        automated: Bool = false
    ) -> JSON {
        var spec: JSON = [
            "project": .string(project),
            "source": ["repoURL": .string(repository), "path": "app", "targetRevision": "main"],
            "destination": ["server": "https://kubernetes.default.svc", "namespace": .string(namespace)]
        ]
        if automated { spec["syncPolicy"] = ["automated": ["prune": true, "selfHeal": true]] }
        if let secret {
            spec["webhook"] = ["gitlab": [["url": "https://cd.example.org/api/webhook", "secret": .string(secret)]]]
        }
        return [
            "apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
            "metadata": ["name": .string(name), "namespace": "argocd"], "spec": spec
        ]
    }

    @discardableResult
    func put(
        _ name: String, project: String = "default", secret: String? = nil, automated: Bool = false
    ) async throws -> Answer {
        let document = document(name, project: project, namespace: name, secret: secret, automated: automated)
        let answer = try await boss.send(
            "PUT", Self.api + "/applications/" + name, ["Content-Type": "application/json"],
            body: document.canonicalBytes)
        try #require(answer.status == 201 || answer.status == 200, "\(answer.text)")
        return answer
    }

    /// Fetches, compares, and waits until that is done.
    func look(_ name: String) async throws {
        try await finish(try await boss.post(Self.api + "/applications/\(name)/refresh", [:]))
    }

    /// Follows the operation of an answer to its end.
    @discardableResult
    func finish(_ answer: Answer) async throws -> JSON {
        let id = try #require(answer.json.at("operation", "id")?.string, "\(answer.text)")
        for _ in 0..<3 {
            let state = try await boss.get(Self.api + "/operations/\(id)?wait=10").json
            if state["state"] == "finished" || state["state"] == "refused" { return state }
        }
        Issue.record("operation \(id) did not end")
        return .null
    }
}

/// Polls for a condition; a test that waits twenty seconds has failed.
func until(
    _ what: String, sourceLocation: SourceLocation = #_sourceLocation, _ condition: () async throws -> Bool
) async throws {
    let deadline = ContinuousClock.now + .seconds(20)
    while ContinuousClock.now < deadline {
        if try await condition() { return }
        try await Task.sleep(for: .milliseconds(5))
    }
    Issue.record("waited in vain until \(what)", sourceLocation: sourceLocation)
    throw CancellationError()
}
