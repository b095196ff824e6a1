import Foundation
import LedgerStore
import Manifests
import Reconciling
import Sandbox
import Shiplog

/// What `shiplog demo` lives through. Each step ends only when the cluster itself shows what the step promises.
struct DemoTour: Sendable {
    let running: Wiring.Running
    let repository: DemoRepository
    let dataDirectory: DataDirectory
    let examples: String

    static let name = "guestbook"
    private static let person = Actor(name: "demo", means: .local)
    private static let deadline = Duration.seconds(90)

    /// - Throws: `demo.step-failed` when a step's outcome or the cluster's state is not what it should be.
    func run() async throws(Failure) {
        try await version1()
        let good = try await version2()
        try await brokenVersion3()
        try await rollback(to: good)
        try await selfHeal()
        try await final(good)
        try await timeline()
        try await verify()
    }

    // MARK: - The steps

    private func version1() async throws(Failure) {
        let commit = try repository.commit("v1", message: "Open the guestbook")
        say("1", "commit \(commit.short) is applied for the first time")
        let file = examples + "/guestbook/application.yaml"
        guard var document = try YAML.read(try Places.read(file), file: file).first?.json else {
            throw Failure("demo.examples-missing", "\(file) holds no document")
        }
        document.set(.string("file://" + repository.path), at: ["spec", "source", "repoURL"])
        let (application, _) = try ApplicationReader.read(document)
        _ = try await running.controller.put(
            application, actor: Self.person, ifChangedBy: nil, expectAbsent: false)
        try await expect("v1 is Synced and Healthy") { await isRunning(image: ":v1", commit) }
        done("Synced and Healthy")
    }

    private func version2() async throws(Failure) -> CommitID {
        let commit = try repository.commit("v2", message: "Give everyone a line, and the page a dark theme")
        say("2", "commit \(commit.short) changes the configuration and scales to 3 replicas")
        try await refresh()
        try await expect("v2 is Synced and Healthy") { await isRunning(image: ":v2", commit) }
        done("Synced and Healthy")
        return commit
    }

    private func brokenVersion3() async throws(Failure) {
        let commit = try repository.commit("v3", message: "Move to the new image")
        say("3", "commit \(commit.short) names an image that cannot be pulled")
        try await refresh()
        try await expect("v3 is Synced and Degraded") {
            let status = await running.controller.status(of: Self.name)
            return status?.sync == .synced && status?.health == .degraded && status?.deployed?.commit == commit
        }
        let message = await running.controller.status(of: Self.name)?.healthMessage ?? ""
        done("Synced, but Degraded: \(message)")
    }

    private func rollback(to commit: CommitID) async throws(Failure) {
        let plan = try await running.controller.planRollback(Self.name, RollbackRequest(target: .lastGood))
        let target = plan.target.map { "#\($0.value)" } ?? "none"
        say("4", "rollback to the last good revision, \(target), commit \(plan.source?.commit.id.short ?? "?")")
        let operation = try await running.controller.rollback(
            Self.name, RollbackRequest(target: .lastGood, reason: "the new image cannot be pulled"),
            actor: Self.person)
        guard let ended = await running.controller.operation(operation.id, waitingMilliseconds: 60_000),
            case .finished(let sequence, "succeeded") = ended.state
        else { throw Self.failed("the rollback succeeds") }
        guard case .revision(let stored)? = try await running.ledger.record(at: sequence),
            stored.revision.rolledBackTo == plan.target, stored.revision.source?.commit.id == commit
        else { throw Self.failed("the rollback is a row that names its target, of v2's exact commit") }
        try await expect("v2 is back") { await isRunning(image: ":v2", commit) }
        // The broken commit is still HEAD, automated sync is on, and the pin keeps it out.
        try await refresh()
        guard await isRunning(image: ":v2", commit),
            await running.controller.status(of: Self.name)?.registered.pin != nil
        else { throw Self.failed("the pin keeps the broken commit out") }
        done("Healthy again on v2's exact manifests; pinned, so the broken commit stays out")
    }

    private func selfHeal() async throws(Failure) {
        say("5", "somebody edits the ConfigMap in the cluster by hand")
        guard let cluster = running.cluster else { throw Self.failed("there is a cluster") }
        let kind = try await cluster.catalog(refresh: false).served(
            GroupVersionKind(group: "", version: "v1", kind: "ConfigMap"))
        _ = try await cluster.patch(
            kind, namespace: Self.name, name: "guestbook-config", .merge(["data": ["THEME": "plaid"]]),
            WriteOptions(fieldManager: "kubectl-edit"))
        try await expect("the edit is healed") {
            let heals = try? await running.ledger.revisions(
                RevisionQuery(names: [Self.name], kinds: [.sync], causes: [.selfHeal], limit: 1))
            let live = try? await cluster.get(kind, namespace: Self.name, name: "guestbook-config")
            return heals?.items.first?.revision.outcome == .succeeded
                && live?.object.at("data", "THEME")?.string == "dark"
        }
        done("put back by self-heal")
    }

    /// What all of it has come to: v2 as it was, the hand edit gone, the pin in place.
    private func final(_ commit: CommitID) async throws(Failure) {
        try await expect("in the end v2 runs, Synced, Healthy and pinned") {
            let pin = await running.controller.status(of: Self.name)?.registered.pin
            return await isRunning(image: ":v2", commit) && pin?.commit == commit
        }
    }

    // MARK: - The account

    private func timeline() async throws(Failure) {
        print("\nThe timeline, from the ledger:\n")
        let page = try await running.ledger.revisions(
            RevisionQuery(names: [Self.name], kinds: [.sync, .rollback], order: .oldestFirst, limit: 100))
        for stored in page.items {
            let revision = stored.revision
            let commit = revision.source?.commit
            let words = [
                Self.pad("#\(stored.sequence.value)", 5), stored.recordedAt.description,
                Self.pad(revision.kind.rawValue, 9), Self.pad(revision.cause.rawValue, 10),
                Self.pad(revision.actor.name, 8), Self.pad(revision.outcome.word, 10),
                commit?.id.short ?? "", commit?.subject ?? "", revision.reason.map { "— " + $0 } ?? ""
            ]
            print("  " + Terminal.harmless(words.joined(separator: " ")))
        }
        let kinds = page.items.map { "\($0.revision.kind.rawValue) \($0.revision.cause.rawValue)" }
        let expected = ["sync automated", "sync automated", "sync automated", "rollback manual", "sync self-heal"]
        guard kinds == expected, page.items.allSatisfy({ $0.revision.outcome == .succeeded }) else {
            throw Self.failed(
                "the timeline is \(expected.joined(separator: ", ")), not \(kinds.joined(separator: ", "))")
        }
    }

    private func verify() async throws(Failure) {
        let report = try await Ledger.verify(dataDirectory)
        print("\n\(report)")
        guard report.isSound else { throw Self.failed("the ledger is sound") }
    }

    // MARK: -

    private func isRunning(image: String, _ commit: CommitID) async -> Bool {
        guard let status = await running.controller.status(of: Self.name), status.sync == .synced,
            status.health == .healthy, status.deployed?.commit == commit
        else { return false }
        // The cluster itself, not what the controller says of it.
        let live = await running.sandbox?.object(
            group: "apps", kind: "Deployment", namespace: Self.name, name: "guestbook-ui")
        let container = live?.at("spec", "template", "spec", "containers")?.array?.first
        return container?["image"]?.string?.hasSuffix(image) == true
            && live?.at("status", "readyReplicas") == live?.at("spec", "replicas")
    }

    private func refresh() async throws(Failure) {
        let operation = try await running.controller.refresh(Self.name, hard: false, actor: Self.person)
        _ = await running.controller.operation(operation.id, waitingMilliseconds: 30_000)
    }

    private func expect(_ what: String, _ condition: () async -> Bool) async throws(Failure) {
        let end = ContinuousClock.now + Self.deadline
        while !(await condition()) {
            guard ContinuousClock.now < end, !Task.isCancelled else { throw Self.failed(what) }
            try? await Task.sleep(for: .milliseconds(50))
        }
    }

    private static func failed(_ what: String) -> Failure {
        Failure("demo.step-failed", "the demo expected that \(what)", remedy: "look at the log and the timeline")
    }

    private func say(_ number: String, _ text: String) {
        print("\(number)  \(text)")
        flushOutput()
    }

    private func done(_ text: String) {
        print("   \(Terminal.harmless(text))")
        flushOutput()
    }

    private static func pad(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }
}
