import KubernetesAPI
import LedgerStore
import Manifests
import Shiplog
import Testing

@testable import Reconciling

/// Given, when, then: what a project permits, asked on the embedded cluster before each write.
@Suite("Projects", .serialized)
struct ProjectScenarios {
    static let open = """
        sourceRepos: ['*']
        destinations: [{server: '*', namespace: '*'}]
        clusterResourceWhitelist: [{group: '*', kind: '*'}]
        """

    @Test("given a project without a kind, when it is synced, then nothing at all is written")
    func kind() async throws {
        try await Scene.play { (scene) async throws -> Void in
            try scene.world.commit(["a.yaml": World.configMap("a", "1"), "w.yaml": Scene.deployment("web")])
            try await scene.world.run { (running) async throws -> Void in
                try await running.project(Self.open + "\nnamespaceResourceBlacklist: [{group: apps, kind: Deployment}]")
                let operation = try await running.deploy()
                #expect(operation.failure?.code == .projectKindRefused, "\(operation)")
                #expect(await scene.object("ConfigMap", "a") == nil)
                #expect(try await running.revisions([.sync]).isEmpty)
            }
        }
    }

    @Test("given a project without the namespace, when it is synced, then it is refused with what to do")
    func destination() async throws {
        try await Scene.play { (scene) async throws -> Void in
            try scene.world.commit(["a.yaml": World.configMap("a", "1")])
            try await scene.world.run { (running) async throws -> Void in
                try await running.project("sourceRepos: ['*']\ndestinations: [{server: '*', namespace: 'shop-*'}]")
                let operation = try await running.deploy()
                #expect(operation.failure?.code == .projectDestinationRefused)
                #expect(operation.failure?.remedy != nil)
                #expect(await scene.object("ConfigMap", "a") == nil)
            }
        }
    }

    @Test("given an object that names another namespace, when that is not permitted, then nothing is written")
    func otherNamespace() async throws {
        try await Scene.play { (scene) async throws -> Void in
            let elsewhere = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b, namespace: default}\ndata: {a: '1'}\n"
            try scene.world.commit(["a.yaml": World.configMap("a", "1"), "b.yaml": elsewhere])
            try await scene.world.run { (running) async throws -> Void in
                try await running.project("sourceRepos: ['*']\ndestinations: [{server: '*', namespace: demo}]")
                #expect(try await running.deploy().failure?.code == .projectDestinationRefused)
                #expect(await scene.object("ConfigMap", "a") == nil)
            }
        }
    }

    @Test("given a source that is not permitted, when it is looked at, then nothing is rendered, and that is told")
    func source() async throws {
        try await Scene.play { (scene) async throws -> Void in
            try scene.world.commit(["a.yaml": World.configMap("a", "1")])
            try await scene.world.run { (running) async throws -> Void in
                try await running.project("sourceRepos: ['https://git.example.com/**']\n" + Self.anywhere)
                try await running.put(scene.world.application())
                try await running.refresh()
                let status = await running.controller.status(of: "app")
                #expect(status?.conditions.first?.code == .projectSourceRefused)
                #expect(status?.sync == .unknown)
                #expect(await scene.object("ConfigMap", "a") == nil)
                #expect(try await running.sync().failure?.code == .projectSourceRefused)
                // Permitted, it is synced without anybody asking.
                try await running.project(Self.open)
                try await running.wait("the sync") { await scene.object("ConfigMap", "a") != nil }
            }
        }
    }

    @Test("given a sync of what is not permitted, when it is looked at again and again, then one event tells it")
    func aggregated() async throws {
        try await Scene.play { (scene) async throws -> Void in
            try scene.world.commit(["w.yaml": Scene.deployment("web")])
            try await scene.world.run { (running) async throws -> Void in
                try await running.project(Self.open + "\nnamespaceResourceWhitelist: [{group: '', kind: ConfigMap}]")
                try await running.put(scene.world.application())
                for _ in 0..<4 { try await running.refresh() }
                let events = try await running.ledger.events(EventQuery(kinds: [.policyRefused])).items
                #expect(events.count == 1)
                #expect(events.first?.value.facts["code"] == "project.kind-not-permitted")
                #expect(events.first?.value.facts["project"] == "default")
                #expect(try await running.revisions([.sync]).isEmpty)
                #expect(
                    await running.controller.status(of: "app")?.conditions.map(\.code) == [.projectKindRefused])
            }
        }
    }

    @Test("given a prune of a kind that is not permitted any more, when it is synced, then the object stays")
    func prune() async throws {
        try await Scene.play { (scene) async throws -> Void in
            try scene.world.commit(["a.yaml": World.configMap("a", "1"), "w.yaml": Scene.deployment("web")])
            try await scene.world.run { (running) async throws -> Void in
                #expect(try await running.deploy().outcome == "succeeded")
                try await running.project(Self.open + "\nnamespaceResourceBlacklist: [{group: apps, kind: Deployment}]")
                try scene.world.commit(["w.yaml": nil])
                let operation = try await running.sync("app", SyncRequest(prune: true))
                #expect(operation.failure?.code == .projectKindRefused)
                #expect(await scene.object("Deployment", "web") != nil)
            }
        }
    }

    @Test("given CreateNamespace, when the project lists no Namespace, then it is not made, and the row says why")
    func namespace() async throws {
        try await Scene.play { (scene) async throws -> Void in
            try scene.world.commit(["a.yaml": World.configMap("a", "1")])
            try await scene.world.run { (running) async throws -> Void in
                try await running.project("sourceRepos: ['*']\n" + Self.anywhere)
                var application = scene.world.application(automated: nil)
                application.destination.namespace = "fresh"
                application.syncPolicy.options.createNamespace = true
                try await running.put(application)
                #expect(try await running.sync().outcome == "failed")
                let row = try await running.newest()
                #expect(row.failure?.code == .projectKindRefused)
                #expect(await scene.object("Namespace", "fresh", namespace: "") == nil)
                try await running.project(
                    "sourceRepos: ['*']\n" + Self.anywhere
                        + "\nclusterResourceWhitelist: [{group: '', kind: Namespace, name: fresh}]")
                #expect(try await running.sync().outcome == "succeeded")
            }
        }
    }

    @Test("given a project that is tightened while a hook runs, when the rest comes, then it is not written")
    func tightened() async throws {
        try await Scene.play { (scene) async throws -> Void in
            try scene.world.commit([
                "a.yaml": World.configMap("a", "1"), "h.yaml": Scene.job("migrate", hook: "PreSync")
            ])
            try await scene.world.run { (running) async throws -> Void in
                try await running.put(scene.world.application(automated: nil))
                let operation = try await running.controller.sync("app", SyncRequest(), actor: World.person)
                try await running.wait("the hook") { await scene.object("Job", "migrate") != nil }
                try await running.project(Self.open + "\nnamespaceResourceBlacklist: [{group: '', kind: ConfigMap}]")
                #expect(try await running.finish(operation).outcome == "failed")
                let row = try await running.newest()
                #expect(row.failure?.code == .projectKindRefused)
                #expect(await scene.object("ConfigMap", "a") == nil)
                let event = try await running.ledger.events(EventQuery(kinds: [.policyRefused])).items.first
                #expect(event?.value.revision == row.sequence)
            }
        }
    }

    @Test("given a name nobody has registered, when the first project is registered, then the name is refused")
    func unregistered() async throws {
        try await Scene.play { (scene) async throws -> Void in
            try scene.world.commit(["a.yaml": World.configMap("a", "1")])
            try await scene.world.run { (running) async throws -> Void in
                var application = scene.world.application(automated: nil)
                application.project = "shop"
                try await running.put(application)
                #expect(try await running.sync().outcome == "succeeded")
                try await running.project(Self.open, name: "web")
                #expect(try await running.sync().failure?.code == .projectNotRegistered)
                try await running.project(Self.open, name: "shop")
                #expect(try await running.sync().outcome == "succeeded")
                // What applications name cannot go.
                await #expect(throws: Failure.self) {
                    _ = try await running.controller.deleteProject("shop", actor: World.person, reason: nil)
                }
                _ = try await running.controller.deleteProject("web", actor: World.person, reason: "no longer used")
                // Projects are in use from the first on, whatever became of it.
                application.project = "web"
                try await running.put(application)
                #expect(try await running.sync().failure?.code == .projectNotRegistered)
            }
        }
    }

    @Test(
        "given a rollback to what came from elsewhere, when that source is not permitted any more, then it is refused")
    func rollback() async throws {
        try await Scene.play { (scene) async throws -> Void in
            try scene.world.commit(["a.yaml": World.configMap("a", "1")])
            try await scene.world.run { (running) async throws -> Void in
                let first = try #require(try await running.deploy().revision)
                try scene.world.commit(["a.yaml": World.configMap("a", "2")])
                #expect(try await running.sync().outcome == "succeeded")
                try await running.project("sourceRepos: ['https://git.example.com/**']\n" + Self.anywhere)
                let request = RollbackRequest(target: .sequence(first), reason: "test")
                #expect(try await running.rollback("app", request).failure?.code == .projectSourceRefused)
                #expect(await scene.object("ConfigMap", "a")?.at("data", "value") == "2")
            }
        }
    }

    static let anywhere = "destinations: [{server: '*', namespace: '*'}]"
}

extension StoredRevision {
    /// Why it failed.
    var failure: Failure? { if case .failed(let failure) = revision.outcome { failure } else { nil } }
}

extension Running {
    /// Registers a project with this spec.
    @discardableResult
    func project(_ spec: String, name: String = "default") async throws -> RegisteredProject {
        let text =
            "apiVersion: argoproj.io/v1alpha1\nkind: AppProject\nmetadata: {name: \(name)}\nspec:\n"
            + spec.split(separator: "\n").map { "  " + $0 }.joined(separator: "\n")
        let read = try #require(try ProjectReader.read(Array(text.utf8), file: "project.yaml").first)
        return try await controller.putProject(
            read.project, actor: World.person, ifChangedBy: nil, expectAbsent: false
        ).0
    }
}
