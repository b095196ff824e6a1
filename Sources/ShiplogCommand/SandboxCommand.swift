import ArgumentParser
import Foundation
import Logging
import Manifests
import Sandbox
import ServiceLifecycle
import Shiplog
import UnixSignals

/// `shiplog sandbox`.
struct SandboxCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sandbox",
        abstract: "Run the embedded cluster alone. It is an API server that runs no containers.",
        discussion: """
            Examples:
              shiplog sandbox --kubeconfig sandbox.kubeconfig
              kubectl --kubeconfig sandbox.kubeconfig get namespaces

            Deployments, ReplicaSets, StatefulSets, DaemonSets, Jobs and Pods reach a status as if they ran; an image
            whose name cannot be pulled never becomes ready. There is no admission, no RBAC and no protobuf.
            """)

    @Option(help: ArgumentHelp("A loopback address and port; port 0 takes a free one.", valueName: "address"))
    var listen = "127.0.0.1:0"

    @Option(help: ArgumentHelp("Write a kubeconfig here.", valueName: "file"))
    var kubeconfig = "sandbox.kubeconfig"

    @Option(help: ArgumentHelp("Keep the cluster in this file over restarts. (default: in memory)", valueName: "file"))
    var file: String?

    @Option(help: ArgumentHelp("Multiply the waits of the stand-in controllers, 0 to 1000.", valueName: "factor"))
    var timeScale = 1.0

    func run() async throws {
        LineLog.bootstrap(ServerConfiguration().logging)
        let address = try ListenAddress(listen)
        let sandbox = try SandboxServer(options: SandboxOptions(file: file, timeScale: timeScale))
        let path = kubeconfig
        let service = StoryService {
            try await sandbox.run(host: address.host, port: address.port) { port in
                let host = address.host.contains(":") ? "[\(address.host)]" : address.host
                let url = "http://\(host):\(port)"
                do throws(Failure) {
                    try Places.writePrivate(sandbox.kubeconfig(server: url), to: path)
                    print("listening on \(url)")
                    print("kubeconfig: \(path)")
                    print("It runs no containers: Pods only get a status.")
                } catch {
                    print("listening on \(url); no kubeconfig was written: \(error.message)")
                }
                flushOutput()
            }
        }
        var quiet = Logger(label: "shiplog")
        quiet.logLevel = .critical
        try await ServiceGroup(
            services: [service], gracefulShutdownSignals: [.sigterm, .sigint], logger: quiet
        ).run()
    }
}

/// What was printed must be seen now, also by whoever reads a pipe.
func flushOutput() { _ = fflush(nil) }
