import Foundation
import GitSource
import LedgerStore
import Logging
import Reconciling
import Shiplog
import ShiplogTesting

/// A poll that finds nothing new: a thousand applications that read one repository, each with its row.
enum PollBenchmark {
    static let count = 1000

    static func run() async throws {
        try await withDirectory { path in
            let repository = path + "/repository"
            try FileManager.default.createDirectory(atPath: repository, withIntermediateDirectories: true)
            try git(repository, "init", "-q", "-b", "main")
            for index in 0..<count {
                let folder = repository + "/app-\(index)"
                try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
                try """
                apiVersion: v1
                kind: ConfigMap
                metadata: {name: app-\(index)}
                data: {value: "1"}

                """.write(toFile: folder + "/map.yaml", atomically: true, encoding: .utf8)
            }
            try git(repository, "add", "-A")
            try git(repository, "commit", "-q", "-m", "A thousand applications")
            let directory = try DataDirectory(path + "/data")
            let ledger = try await Ledger.open(directory, mode: .sandbox, access: .serve, now: LedgerBenchmark.now)
            var settings = ControllerSettings()
            settings.pollInterval = 0
            var logger = Logger(label: "bench")
            logger.logLevel = .critical
            let cluster = FakeCluster()
            let controller = Controller(
                ledger: ledger, repositories: Repositories(directory: directory.repositories),
                clusters: Clusters([], inCluster: cluster), settings: settings, now: LedgerBenchmark.now, logger: logger
            )
            let loop = Task { try await controller.run() }
            for index in 0..<count {
                let name = "app-\(index)"
                _ = try await controller.put(
                    Application(
                        name: name, namespace: "argocd",
                        source: .init(repository: repository, path: name, targetRevision: "HEAD"),
                        destination: .init(cluster: .server("https://kubernetes.default.svc"), namespace: "demo"),
                        syncPolicy: .init(automated: .init(prune: true, selfHeal: true)),
                        document: ["kind": "Application", "metadata": ["name": .string(name)]]),
                    actor: .controller, ifChangedBy: nil, expectAbsent: false)
            }
            try await settle(controller, ledger)
            // The first poll after a change still compares; the ones after it find everything as it was.
            try await poll(controller, ledger)
            var best = Double.infinity
            for _ in 0..<5 {
                let start = processorTime()
                try await poll(controller, ledger)
                best = min(best, (processorTime() - start) / Double(count) * 1000)
            }
            report(
                "poll: CPU of an application that is unchanged, row included", format(best, 3) + " ms", goal: "<= 1 ms",
                met: best <= 1)
            loop.cancel()
            _ = await loop.result
            await ledger.close()
        }
    }

    private static func poll(_ controller: Controller, _ ledger: Ledger) async throws {
        let before = try await ledger.head()?.value ?? 0
        await controller.pollNow()
        let deadline = ContinuousClock.now + .seconds(120)
        while try await ledger.head().map(\.value) ?? 0 < before + Int64(count) {
            guard ContinuousClock.now < deadline else { throw Failure("bench.poll", "the poll did not end") }
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    private static func settle(_ controller: Controller, _ ledger: Ledger) async throws {
        let deadline = ContinuousClock.now + .seconds(240)
        while ContinuousClock.now < deadline {
            let statuses = await controller.statuses()
            if statuses.count == count, statuses.allSatisfy({ $0.sync == .synced && $0.activity == .idle }) {
                // Until nobody writes any more.
                let head = try await ledger.head()
                try await Task.sleep(for: .seconds(2))
                if try await ledger.head() == head { return }
            }
            try await Task.sleep(for: .milliseconds(200))
        }
        throw Failure("bench.settle", "the applications did not become Synced")
    }

    private static func git(_ path: String, _ arguments: String...) throws {
        try RunningProgram.output(["git", "-C", path] + arguments, environment: RunningProgram.gitEnvironment)
    }
}
