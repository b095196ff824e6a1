import ArgumentParser
import Foundation
import LedgerStore
import Logging
import Manifests
import Shiplog

/// `shiplog demo`.
struct DemoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo",
        abstract: "Live through two good versions, a broken one, a rollback and a hand edit, on a cluster of its own.",
        discussion: """
            Makes a real Git repository, starts the server with the embedded cluster, and shows each step as it is
            recorded. It keeps serving afterwards, so that you can look around; --once exits instead, with 0 only if
            every step ended as it should.
            """)

    @Flag(help: "Exit after the last step.")
    var once = false

    @Option(help: ArgumentHelp("Host and port; the next free port is taken when it is taken.", valueName: "address"))
    var listen = "127.0.0.1:8080"

    @Option(help: ArgumentHelp("Keep the data here. (default: a temporary directory)", valueName: "dir"))
    var data: String?

    @Flag(help: "Show the server's log.")
    var verbose = false

    func run() async throws {
        guard let examples = Places.shared("examples") else {
            throw Failure(
                "demo.examples-missing", "the examples are not beside the program",
                remedy: "run the demo from a checkout, or install examples/ into ../share/shiplog")
        }
        var settings = ServerConfiguration()
        settings.logging.level = verbose ? .info : .error
        LineLog.bootstrap(settings.logging)
        let path = data ?? NSTemporaryDirectory() + "shiplog-demo-\(UUID().uuidString)"
        settings.data = path
        settings.listen = listen
        // The steps ask for what they need; the timeline shows nothing else.
        settings.controller.interval = .zero
        defer { if data == nil { try? FileManager.default.removeItem(atPath: path) } }
        let directory = try DataDirectory(path)
        let isKept = FileManager.default.fileExists(atPath: directory.ledger)
        if once, isKept {
            throw CommandError(
                .refused, "demo.data-not-empty", "\(path) holds an earlier demo, and its steps are not repeated",
                remedy: "name an empty directory with --data, or leave it out")
        }
        let wiring = Wiring(
            configuration: settings, usesSandbox: true, takesNextPort: true, logger: Logger(label: "shiplog"))
        let once = once
        try await wiring.run(endsWithStory: once) { running in
            if isKept {
                print("the data of an earlier demo is in \(path): its history is served, the steps are not repeated\n")
            } else {
                print("Shiplog \(Version.current): the embedded cluster runs no containers, everything else is real\n")
                let repository = try DemoRepository(at: path + "/demo", examples: examples)
                try await DemoTour(
                    running: running, repository: repository, dataDirectory: directory, examples: examples
                ).run()
            }
            print("\nlistening on \(running.url)")
            if once { return }
            print("administrator's token: \(running.adminToken)")
            print("Open the address in a browser. Ctrl-C ends the demo.")
            flushOutput()
            try? await Task.sleep(for: .seconds(Int64.max / 4))
        }
    }
}
