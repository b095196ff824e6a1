import Attesting
import Foundation
import GitSource
import HTTPAPI
import KubernetesAPI
import LedgerStore
import Logging
import Manifests
import Reconciling
import Sandbox
import ServiceLifecycle
import Shiplog
import UnixSignals

/// What one server is made of, put together in one place for `serve` and for `demo`.
struct Wiring: Sendable {
    var configuration: ServerConfiguration
    /// Where the configuration came from, if from a file.
    var configurationFile: LoadedFile?
    /// `https://kubernetes.default.svc` is the embedded cluster.
    var usesSandbox = false
    /// `https://kubernetes.default.svc` is this cluster.
    var kubeconfig: (file: String, context: String?)?
    /// Why a person takes an older copy of the ledger for good: begins a new epoch.
    var acceptFork: String?
    /// Take the next free port when the wanted one is taken.
    var takesNextPort = false
    var logger: Logger

    /// A server that takes connections.
    struct Running: Sendable {
        let ledger: Ledger
        let controller: Controller
        /// Where the page and the API are.
        let url: String
        /// The embedded cluster, if there is one.
        let sandbox: SandboxServer?
        /// A client of whatever `https://kubernetes.default.svc` is.
        let cluster: (any Cluster)?
        /// The file with the first administrator's token, or a word on what to do without it.
        let adminToken: String
    }

    /// Serves until a signal or cancellation ends it.
    /// - Parameters:
    ///   - endsWithStory: stop when `story` has ended.
    ///   - story: runs beside the server once it takes connections.
    func run(
        endsWithStory: Bool = false, story: @escaping @Sendable (Running) async throws -> Void
    ) async throws {
        let directory = try DataDirectory(Places.dataToServe(configuration.data))
        let end = Promise<Failure>()
        // First of all, for its lock is the one that stands for the whole directory.
        let ledger = try await Ledger.open(
            directory, mode: usesSandbox ? .sandbox : .clusters, access: .serve, now: { Self.now() },
            options: ledgerOptions(directory, end))
        do {
            if usesSandbox {
                try await serveWithSandbox(directory, ledger, end, endsWithStory, story)
            } else {
                try await serve(directory, ledger, end, sandbox: nil, inCluster: nil, endsWithStory, story)
            }
        } catch {
            await ledger.close()
            throw error
        }
        await ledger.close()
    }

    private func serveWithSandbox(
        _ directory: DataDirectory, _ ledger: Ledger, _ end: Promise<Failure>, _ endsWithStory: Bool,
        _ story: @escaping @Sendable (Running) async throws -> Void
    ) async throws {
        let sandbox = try SandboxServer(
            options: SandboxOptions(file: directory.sandbox + "/cluster.json", logger: logger))
        let address = Promise<Int>()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await sandbox.run { port in await address.keep(port) }
            }
            group.addTask {
                let url = "http://127.0.0.1:\(try await address.kept)"
                try Places.writePrivate(sandbox.kubeconfig(server: url), to: directory.sandbox + "/kubeconfig")
                let connection = try ClusterConnection(
                    server: url, credential: sandbox.token.map { .token(SecretText($0)) } ?? .none)
                let cluster = KubernetesCluster(name: "sandbox", connection: connection)
                try await serve(directory, ledger, end, sandbox: sandbox, inCluster: cluster, endsWithStory, story)
            }
            // Whichever ends first ends the other: the embedded cluster never ends by itself.
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    private func serve(
        _ directory: DataDirectory, _ ledger: Ledger, _ end: Promise<Failure>, sandbox: SandboxServer?,
        inCluster: (any Cluster)?,
        _ endsWithStory: Bool, _ story: @escaping @Sendable (Running) async throws -> Void
    ) async throws {
        // Before anything is appended: a copy that is not the ledger must stay as it was found.
        let log = try await LogKeeper.start(
            ledger, folder: configuration.log.checkpoints ?? directory.checkpoints, origin: configuration.log.origin,
            acceptance: acceptFork.map { .init(actor: Self.operator, reason: $0) })
        if log.isUnconfirmed {
            logger.warning("nothing is synced before somebody has looked at what was restored: shiplog ledger confirm")
        }
        let adminToken = try await Self.administrator(directory, ledger)
        let record = ServerRecord(ledger: ledger, mode: usesSandbox ? "sandbox" : "clusters")
        try await record.started()
        do {
            try await record.loaded(configuration, overrides: overrides, file: configurationFile)
            let isOver = Happening()
            try await serve(
                directory, ledger, log, end, sandbox: sandbox, inCluster: inCluster, adminToken: adminToken,
                endsWithStory
            ) { running in
                try await story(running)
                isOver.happens()
            }
            try await record.stopped(endsWithStory && isOver.hasHappened ? .finished : .signal)
        } catch {
            // What ends the server is what is thrown, whether or not it could be recorded.
            try? await record.stopped(.failed(error))
            _ = try? await log.publish()
            throw error
        }
        // The last rows are signed too.
        try await log.publish()
    }

    /// What the command line says besides the configuration.
    private var overrides: JSON {
        .members([
            "kubeconfig": kubeconfig.map {
                .members(["file": .string($0.file), "context": $0.context.map { .string($0) }])
            },
            "sandbox": .bool(usesSandbox)
        ])
    }

    private func serve(
        _ directory: DataDirectory, _ ledger: Ledger, _ log: LogKeeper, _ end: Promise<Failure>,
        sandbox: SandboxServer?, inCluster: (any Cluster)?, adminToken: String, _ endsWithStory: Bool,
        _ story: @escaping @Sendable (Running) async throws -> Void
    ) async throws {
        let credentials = try CredentialTable(configuration.git)
        var limits = GitLimits.default
        limits.silence = configuration.git.timeout
        let repositories = Repositories(
            directory: directory.repositories, limits: limits, credentials: { credentials.credentials(for: $0) })
        let (clusters, local) = try clusters(inCluster: inCluster)
        var controllerSettings = controllerSettings
        controllerSettings.epoch = log.epoch?.number ?? 1
        let controller = Controller(
            ledger: ledger, repositories: repositories, clusters: clusters, settings: controllerSettings,
            now: { Self.now() }, logger: logger)
        let attester = try Attester(
            log: log, parties: try parties(repositories), interval: configuration.log.interval.wholeMilliseconds,
            now: { Self.now() }, logger: logger)
        let notifier = try await notifier(ledger, folder: directory.notifications)
        let settings = try serverSettings()
        let listening = Promise<Int>()
        let server = try Server(
            ledger: ledger, log: log, controller: controller, formats: Self.formats, settings: settings,
            notifications: Self.desk(notifier), now: { Self.now() }, logger: logger,
            onListening: { port in await listening.keep(port) })
        let tale = StoryService {
            let port = try await listening.kept
            let scheme = settings.tls == nil ? "http" : "https"
            let host = settings.host.contains(":") ? "[\(settings.host)]" : settings.host
            try await story(
                Running(
                    ledger: ledger, controller: controller, url: "\(scheme)://\(host):\(port)", sandbox: sandbox,
                    cluster: local, adminToken: adminToken))
        }
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: [
                    .init(service: ControllerService(controller: controller, log: log)),
                    .init(service: LogService(log: log, logger: logger)),
                    .init(service: AttestingService(attester: attester)),
                    .init(service: NotifyingService(notifier: notifier, log: log)),
                    .init(
                        service: StoryService { [retention = configuration.retention, logger] in
                            // Being stopped is no failure: one would cancel the others in the middle of their own end.
                            do {
                                // What was just restored is not thinned out before somebody has looked at it.
                                try await log.waitUntilConfirmed()
                                try await Housekeeping(ledger: ledger, retention: retention, logger: logger).run()
                            } catch is CancellationError {}
                        }),
                    .init(service: ServerService(server: server)),
                    .init(
                        service: LedgerEndService(end: end), successTerminationBehavior: .ignore,
                        failureTerminationBehavior: .gracefullyShutdownGroup),
                    .init(
                        service: tale, successTerminationBehavior: endsWithStory ? .gracefullyShutdownGroup : .ignore,
                        failureTerminationBehavior: .gracefullyShutdownGroup)
                ], gracefulShutdownSignals: [.sigterm, .sigint], logger: quietLogger))
        try await group.run()
    }

    private func ledgerOptions(_ directory: DataDirectory, _ end: Promise<Failure>) -> Ledger.Options {
        Ledger.Options(
            checkpointPages: configuration.ledger.replicated ? nil : Ledger.Options().checkpointPages,
            heldTo: acceptFork == nil ? configuration.log.checkpoints ?? directory.checkpoints : nil,
            onFatal: { [logger] failure in
                logger.critical("\(failure.message)", metadata: ["code": "\(failure.code)"])
                Task { await end.keep(failure) }
            })
    }

    /// The service group's own account of starting and stopping is for whoever debugs it.
    private var quietLogger: Logger {
        var quiet = logger
        if quiet.logLevel > .debug { quiet.logLevel = .critical }
        return quiet
    }

    /// Who runs the command on this machine.
    static var `operator`: Actor { Actor(name: NSUserName(), means: .local) }

    static func now() -> Timestamp { Timestamp(milliseconds: Int64(Date().timeIntervalSince1970 * 1000)) }

    static let formats = Formats(
        readApplication: { body throws(Failure) in
            switch body {
            case .json(let json): try ApplicationReader.read(json)
            case .yaml(let text):
                try only(
                    try ApplicationReader.read(text, file: "application.yaml"), .applicationInvalid, "Applications")
            }
        },
        readProject: { body throws(Failure) in
            switch body {
            case .json(let json): try ProjectReader.read(json)
            case .yaml(let text):
                try only(try ProjectReader.read(text, file: "project.yaml"), .projectInvalid, "AppProjects")
            }
        },
        manifestText: { YAML.write($0) })

    private static func only<Value>(
        _ found: [Value], _ code: Failure.Code, _ kind: String
    ) throws(Failure) -> Value {
        guard let first = found.first, found.count == 1 else {
            throw Failure(code, "the request holds \(found.count) \(kind)", remedy: "send exactly one at a time")
        }
        return first
    }

    /// At the first start an administrator's token is made into a file that only the owner can read.
    /// - Returns: the file's path. Without the file, whether somebody took it away or a crash came in front of it, what to
    ///   do: it is not made again by itself, for whoever deleted it did so on purpose.
    private static func administrator(_ directory: DataDirectory, _ ledger: Ledger) async throws(Failure) -> String {
        let path = directory.tokens + "/admin"
        guard try await ledger.tokens().isEmpty else {
            if FileManager.default.fileExists(atPath: path) { return path }
            return "its file is gone; stop the server and run: shiplog token create --name admin --role admin --data "
                + directory.path
        }
        let (_, secret) = try await ledger.createToken(
            Token.Draft(name: "admin", role: .admin), actor: .controller)
        try Places.writePrivate(secret.revealed + "\n", to: path)
        return path
    }

    // MARK: - From the configuration

    private func clusters(inCluster: (any Cluster)?) throws(Failure) -> (Clusters, local: (any Cluster)?) {
        var local = inCluster
        if let kubeconfig {
            let connection = try Kubeconfig.load(kubeconfig.file).connection(context: kubeconfig.context)
            warn(connection.warnings, about: "in-cluster")
            local = KubernetesCluster(name: "in-cluster", connection: connection)
        }
        var named: [any Cluster] = []
        var addresses: [String: any Cluster] = [:]
        for cluster in configuration.clusters {
            let connection =
                switch cluster.access {
                case .inCluster: try Kubeconfig.inCluster()
                case .kubeconfig(let file, let context): try Kubeconfig.load(file).connection(context: context)
                }
            warn(connection.warnings, about: cluster.name)
            let made = KubernetesCluster(name: cluster.name, connection: connection)
            named.append(made)
            if cluster.access == .inCluster, local == nil { local = made }
            if let server = cluster.server { addresses[server] = made }
        }
        if local == nil, ProcessInfo.processInfo.environment["KUBERNETES_SERVICE_HOST"] != nil {
            local = KubernetesCluster(name: "in-cluster", connection: try Kubeconfig.inCluster())
        }
        return (Clusters(named, inCluster: local, addresses: addresses), local)
    }

    private func warn(_ warnings: [String], about cluster: String) {
        for warning in warnings { logger.warning("\(warning)", metadata: ["cluster": "\(cluster)"]) }
    }

    private var controllerSettings: ControllerSettings {
        var settings = ControllerSettings()
        let controller = configuration.controller
        settings.pollInterval = controller.interval.wholeMilliseconds
        settings.pollJitter = controller.jitter.wholeMilliseconds
        settings.workers = controller.workers
        settings.parallelWrites = controller.appParallelism
        settings.leaseNamespace = controller.leaseNamespace
        settings.ignored = IgnoredDifferences(configuration.ignoreDifferences)
        settings.health = HealthRules(configuration.health)
        settings.selfHealInitial = controller.selfHealBackoff.initial.wholeMilliseconds
        settings.waveDelay = controller.waveDelay.wholeMilliseconds
        settings.gateTimeout = controller.syncTimeout.wholeMilliseconds
        settings.selfHealMaximum = controller.selfHealBackoff.maximum.wholeMilliseconds
        return settings
    }

    private func serverSettings() throws(Failure) -> ServerSettings {
        var settings = ServerSettings()
        let address = try ListenAddress(configuration.listen)
        settings.host = address.host
        settings.port = takesNextPort ? address.nextFreePort() : address.port
        settings.tls = configuration.tls.map { .init(certificate: $0.certificate, key: $0.key) }
        settings.behindProxy = configuration.behindProxy
        settings.allowedHosts = configuration.allowedHosts
        settings.baseURL = configuration.baseURL
        settings.webDirectory = configuration.web ?? Places.shared("web")
        settings.metrics = configuration.metrics.enabled
        settings.webhooks.gitlabSecret = try configuration.webhooks.gitlab?.resolve()
        settings.webhooks.githubSecret = try configuration.webhooks.github?.resolve()
        settings.webhooks.maximumBody = configuration.webhooks.maxBodyBytes
        settings.version = Version.current
        return settings
    }
}

extension Duration {
    /// Rounded down; what does not fit becomes the largest number there is.
    var wholeMilliseconds: Int64 {
        let (seconds, attoseconds) = components
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1000)
        return overflow ? .max : product + attoseconds / 1_000_000_000_000_000
    }
}
