import ArgumentParser
import Logging
import Manifests
import Shiplog

/// `shiplog serve`.
struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Run the controller, the API and the page.",
        discussion: """
            Examples:
              shiplog serve --sandbox                          try it with the embedded cluster
              shiplog serve --kubeconfig ~/.kube/config        a cluster from a kubeconfig
              shiplog serve --config /etc/shiplog/config.yaml  everything from a file

            The first start writes an administrator's token to DATA/tokens/admin, a file that only you can read.
            SIGTERM lets what is in flight end, for up to 20 seconds; the next start finishes the rest.
            """)

    @Option(help: ArgumentHelp("A YAML file; unknown keys are errors. Options here win over it.", valueName: "file"))
    var config: String?

    @Option(help: ArgumentHelp("The data directory. (default: ~/.local/share/shiplog/data)", valueName: "dir"))
    var data: String?

    @Option(
        help: ArgumentHelp("Host and port; port 0 takes a free one. (default: 127.0.0.1:8080)", valueName: "address"))
    var listen: String?

    @Flag(help: "Run the embedded cluster: it runs no containers, and is what https://kubernetes.default.svc means.")
    var sandbox = false

    @Option(help: ArgumentHelp("What https://kubernetes.default.svc means.", valueName: "file"))
    var kubeconfig: String?

    @Option(help: ArgumentHelp("The kubeconfig's context. (default: its current one)", valueName: "name"))
    var context: String?

    @Flag(help: "A proxy in front ends TLS, and only it can reach this port.")
    var behindProxy = false

    @Flag(help: "Litestream or another replicator copies the ledger, and checkpoints it: docs/replication.md.")
    var replicated = false

    @Option(help: ArgumentHelp("The directory of the page's files.", valueName: "dir"))
    var web: String?

    @Option(
        help: ArgumentHelp(
            "Take an older copy of the ledger for good: begins a new epoch, and changes nothing before it is confirmed.",
            valueName: "reason"))
    var acceptFork: String?

    @Option(help: ArgumentHelp("trace, debug, info, warning or error.", valueName: "level"))
    var logLevel: String?

    @Option(help: ArgumentHelp("auto, text or json.", valueName: "format"))
    var logFormat: String?

    func validate() throws {
        if sandbox, kubeconfig != nil {
            throw ValidationError("--sandbox and --kubeconfig both say what https://kubernetes.default.svc means")
        }
        if let acceptFork, acceptFork.allSatisfy(\.isWhitespace) {
            throw ValidationError("--accept-fork wants the reason in words: the log keeps it")
        }
        if context != nil, kubeconfig == nil { throw ValidationError("--context wants --kubeconfig") }
    }

    func run() async throws {
        let (settings, file) = try settings()
        LineLog.bootstrap(settings.logging)
        let wiring = Wiring(
            configuration: settings, configurationFile: file, usesSandbox: sandbox,
            kubeconfig: kubeconfig.map { ($0, context) }, acceptFork: acceptFork, logger: Logger(label: "shiplog"))
        try await wiring.run { running in
            print("listening on \(running.url)")
            print("administrator's token: \(running.adminToken)")
            flushOutput()
            // Until the server is stopped.
            try? await Task.sleep(for: .seconds(Int64.max / 4))
        }
    }

    private func settings() throws(Failure) -> (ServerConfiguration, LoadedFile?) {
        var settings = ServerConfiguration()
        var file: LoadedFile?
        if let config {
            let bytes = try Places.read(config)
            settings = try ConfigurationReader.read(bytes, file: config)
            file = LoadedFile(path: config, digest: ServerConfiguration.digest(of: bytes))
        }
        settings.data = data ?? settings.data
        settings.listen = listen ?? settings.listen
        settings.web = web ?? settings.web
        settings.behindProxy = behindProxy || settings.behindProxy
        settings.ledger.replicated = replicated || settings.ledger.replicated
        if let logLevel {
            guard let level = ServerConfiguration.Logging.Level(rawValue: logLevel) else {
                throw Failure("configuration.invalid", "\(logLevel) is no log level", remedy: "use info or debug")
            }
            settings.logging.level = level
        }
        if let logFormat {
            guard let format = ServerConfiguration.Logging.Format(rawValue: logFormat) else {
                throw Failure("configuration.invalid", "\(logFormat) is no log format", remedy: "use text or json")
            }
            settings.logging.format = format
        }
        return (settings, file)
    }
}
