import Foundation
import LedgerStore
import Shiplog
import ShiplogTesting
import Testing

@testable import Reconciling

/// What a person may ask of a rollback besides its target.
@Suite("Rollback's options")
struct RollbackOptionTests {
    private static func secret(_ value: String) -> String {
        "apiVersion: v1\nkind: Secret\nmetadata: {name: password}\nstringData: {value: \(value)}\n"
    }

    private static func deployment(replicas: Int?, _ selector: String = "web", image: String) -> String {
        """
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: web}
        spec:
          \(replicas.map { "replicas: \($0)" } ?? "paused: false")
          selector: {matchLabels: {app: \(selector)}}
          template:
            metadata: {labels: {app: \(selector)}}
            spec: {containers: [{name: web, image: '\(image)'}]}

        """
    }

    /// Deploys each set of files in turn, and gives the rows.
    private func deploy(_ versions: [[String: String?]], _ running: Running, selfHeal: Bool = true) async throws
        -> [StoredRevision]
    {
        for (index, files) in versions.enumerated() {
            try running.world.commit(files, message: "version \(index + 1)")
            if index == 0 {
                try await running.put(running.world.application(automated: .init(prune: true, selfHeal: selfHeal)))
            } else {
                try await running.refresh()
            }
            try await running.wait("version \(index + 1)") {
                let row = try await running.revisions([.sync]).first { $0.revision.outcome == .succeeded }
                return row?.revision.source?.commit.subject == "version \(index + 1)"
            }
        }
        return try await running.revisions([.sync]).filter { $0.revision.outcome == .succeeded }.reversed()
    }

    private func object(_ running: Running, _ kind: String, _ name: String) async -> JSON? {
        let group = kind == "Deployment" ? "apps" : ""
        return await running.world.cluster.object(
            ResourceKey(group: group, kind: kind, namespace: "demo", name: name))?.object
    }

    @Test("a Secret's value goes back, is named before, and stays with keepSecrets", arguments: [false, true])
    func keepSecrets(keeps: Bool) async throws {
        let world = try World()
        defer { world.remove() }
        try await world.run { running in
            let rows = try await deploy(
                [
                    ["a.yaml": World.configMap("a", "1"), "s.yaml": Self.secret("old")],
                    ["a.yaml": World.configMap("a", "2"), "s.yaml": Self.secret("new")]
                ], running)
            let first = try #require(rows.first)
            let request = RollbackRequest(target: .sequence(first.sequence), keepSecrets: keeps, reason: "back")
            let plan = try await running.controller.planRollback("app", request)
            #expect(plan.secrets.map(\.name) == (keeps ? [] : ["password"]))
            let operation = try await running.rollback("app", request)
            #expect(operation.outcome == "succeeded", "\(operation)")
            #expect(await running.value(of: "a") == "1")
            // "old" and "new" in base64.
            #expect(
                await object(running, "Secret", "password")?.at("data", "value")?.string == (keeps ? "bmV3" : "b2xk"))
            // The loop goes on enforcing exactly that.
            try await running.refresh()
            #expect(
                await object(running, "Secret", "password")?.at("data", "value")?.string == (keeps ? "bmV3" : "b2xk"))
            #expect(await running.controller.status(of: "app")?.sync == .synced)
        }
        try await world.verify()
    }

    @Test("a field that cannot be changed is refused before the first write, and replaced when asked")
    func replace() async throws {
        let world = try World()
        defer { world.remove() }
        try await world.run { running in
            let rows = try await deploy(
                [
                    ["a.yaml": World.configMap("a", "1"), "d.yaml": Self.deployment(replicas: 1, "web", image: "x:1")],
                    ["a.yaml": World.configMap("a", "2"), "d.yaml": nil],
                    ["a.yaml": World.configMap("a", "3"), "d.yaml": Self.deployment(replicas: 1, "other", image: "x:3")]
                ], running)
            let first = try #require(rows.first)
            let plain = RollbackRequest(target: .sequence(first.sequence), reason: "back")
            let refused = try await running.rollback("app", plain)
            #expect(refused.failure?.code == .clusterImmutable)
            #expect(refused.failure?.remedy?.contains("--replace") == true)
            #expect(await running.value(of: "a") == "3", "nothing was written before the refusal")
            var replacing = plain
            replacing.replace = true
            let done = try await running.rollback("app", replacing)
            #expect(done.outcome == "succeeded", "\(done)")
            let live = await object(running, "Deployment", "web")
            #expect(live?.at("spec", "selector", "matchLabels", "app") == "web")
            #expect(await running.value(of: "a") == "1")
            let writes = await world.cluster.writes
            #expect(writes.contains { $0.hasPrefix("delete") && $0.contains("web") }, "\(writes.suffix(6))")
        }
        try await world.verify()
    }

    @Test("the number of replicas is left to an autoscaler that targets the workload")
    func autoscaled() async throws {
        let world = try World()
        defer { world.remove() }
        try await world.run { running in
            let rows = try await deploy(
                [
                    ["d.yaml": Self.deployment(replicas: 2, image: "x:1")],
                    ["d.yaml": Self.deployment(replicas: 2, image: "x:2")]
                ], running, selfHeal: false)
            let scaler = try Resource([
                "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
                "metadata": ["name": "web", "namespace": "demo"],
                "spec": [
                    "minReplicas": 1, "maxReplicas": 9,
                    "scaleTargetRef": ["apiVersion": "apps/v1", "kind": "Deployment", "name": "web"]
                ]
            ])
            await world.cluster.put(scaler)
            await world.cluster.edit(
                ResourceKey(group: "apps", kind: "Deployment", namespace: "demo", name: "web")
            ) { $0.set(7, at: "spec", "replicas") }
            let first = try #require(rows.first)
            let request = RollbackRequest(target: .sequence(first.sequence), reason: "back")
            let plan = try await running.controller.planRollback("app", request)
            let warnings = plan.plan.warnings
            #expect(warnings.contains { $0.contains("HorizontalPodAutoscaler") }, "\(warnings)")
            let operation = try await running.rollback("app", request)
            #expect(operation.outcome == "succeeded", "\(operation)")
            let live = await object(running, "Deployment", "web")
            let container = live?.at("spec", "template", "spec", "containers")?.array?.first
            #expect(container?["image"] == "x:1")
            #expect(live?.at("spec", "replicas") == 7)
            // Nor while the pin is enforced, however often the autoscaler changes its mind.
            let key = ResourceKey(group: "apps", kind: "Deployment", namespace: "demo", name: "web")
            await world.cluster.edit(key) { $0.set(9, at: "spec", "replicas") }
            for _ in 0..<2 { try await running.refresh() }
            #expect(await object(running, "Deployment", "web")?.at("spec", "replicas") == 9)
            #expect(await running.controller.status(of: "app")?.sync == .synced)
        }
        try await world.verify()
    }

    @Test("a commit means its newest revision, and it is said when the commit was deployed in more than one form")
    func commitWithTwoForms() async throws {
        let world = try World()
        defer { world.remove() }
        try await world.run { running in
            let both: [String: String?] = [
                "a.yaml": World.configMap("a", "1"), "/more/b.yaml": World.configMap("b", "1")
            ]
            try FileManager.default.createDirectory(
                atPath: world.repository + "/more", withIntermediateDirectories: true)
            let rows = try await deploy([both], running)
            let commit = try #require(rows.first?.revision.source?.commit.id)
            // The same commit, read from another path: other manifests.
            try await running.put(world.application(path: "more"))
            try await running.wait("the other path") { await running.value(of: "b") == "1" }
            try await running.wait("its row") { try await running.revisions([.sync]).count == 2 }
            let newest = try #require(try await running.revisions([.sync]).first)
            try world.commit(["/more/b.yaml": World.configMap("b", "2")])
            try await running.refresh()
            try await running.wait("version 2") { await running.value(of: "b") == "2" }
            let request = RollbackRequest(target: .commit(commit.hex), reason: "back")
            let plan = try await running.controller.planRollback("app", request)
            #expect(plan.target == newest.sequence)
            #expect(plan.notes.contains { $0.contains("differ") }, "\(plan.notes)")
        }
        try await world.verify()
    }
}
