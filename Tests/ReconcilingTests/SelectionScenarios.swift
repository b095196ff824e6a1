import KubernetesAPI
import LedgerStore
import Shiplog
import Testing

@testable import Reconciling

/// Given, when, then: syncs of selected resources.
@Suite("Selected resources", .serialized)
struct SelectionScenarios {
    private static func only(_ texts: String..., revision: String? = nil, prune: Bool? = nil) throws -> SyncRequest {
        SyncRequest(
            revision: revision, prune: prune,
            resources: try texts.map { try #require(ResourceSelector($0), "\($0) is no selector") })
    }

    @Test("given two changes, when one is selected, then the other stays, no hook runs and the row names the one")
    func one() async throws {
        try await Scene.play { (scene) async throws -> Void in
            try scene.world.commit([
                "a.yaml": World.configMap("a", "1"), "b.yaml": World.configMap("b", "1"),
                "pre.yaml": Scene.job("pre", hook: "PreSync")
            ])
            try await scene.world.run { (running) async throws -> Void in
                #expect(try await running.deploy().outcome == "succeeded")
                let whole = try await running.newest()
                let job = await scene.uid("Job", "pre")
                let second = try scene.world.commit([
                    "a.yaml": World.configMap("a", "2"), "b.yaml": World.configMap("b", "2")
                ])
                #expect(try await running.sync("app", try Self.only("ConfigMap:a")).outcome == "succeeded")
                let row = try await running.newest()
                #expect(row.steps == ["Sync 0 updated ConfigMap demo/a"])
                #expect(row.revision.options.resources == [running.key("a")] && row.revision.options.isPartial)
                #expect(!row.revision.options.hooks && row.revision.source?.commit.id == second)
                #expect(row.revision.syncStatus == .outOfSync, "the other one is not as it should be")
                #expect(await scene.object("ConfigMap", "a")?["data"] == ["value": "2"])
                #expect(await scene.object("ConfigMap", "b")?["data"] == ["value": "1"])
                #expect(await scene.uid("Job", "pre") == job, "no hook ran")
                // What is deployed is still what was deployed whole.
                #expect(await running.controller.status(of: "app")?.deployed?.sequence == whole.sequence)
                let state = try #require(try await running.ledger.states(at: .head, names: ["app"]).items.first)
                guard case .mixed(let mixture) = state.content else { return #expect(Bool(false), "\(state.content)") }
                #expect(mixture.base?.sequence == whole.sequence)
                #expect(mixture.parts.map(\.sequence) == [row.sequence] && mixture.parts.first?.isPartial == true)
                #expect(
                    mixture.resources.filter { $0.sequence == row.sequence }.map(\.key) == [running.key("a")])
            }
        }
    }

    @Test("given a sync of selected resources, when one asks for what to go back to, then it is not among it")
    func noTarget() async throws {
        try await Scene.play { (scene) async throws -> Void in
            try scene.world.commit(["a.yaml": World.configMap("a", "1"), "b.yaml": World.configMap("b", "1")])
            try await scene.world.run { (running) async throws -> Void in
                #expect(try await running.deploy().outcome == "succeeded")
                let whole = try await running.newest()
                try scene.world.commit(["a.yaml": World.configMap("a", "2"), "b.yaml": World.configMap("b", "2")])
                #expect(try await running.sync("app", try Self.only("ConfigMap:a")).outcome == "succeeded")
                let part = try await running.newest()
                #expect(
                    try await running.controller.rollbackCandidates("app", limit: 10).map(\.sequence) == [
                        whole.sequence
                    ])
                let refused = try await running.rollback(
                    "app", RollbackRequest(target: .sequence(part.sequence), reason: "test"))
                #expect(refused.failure?.code == "rollback.not-eligible", "\(refused)")
                let back = try await running.rollback(
                    "app", RollbackRequest(target: .sequence(whole.sequence), reason: "test"))
                #expect(back.outcome == "succeeded")
                #expect(await scene.object("ConfigMap", "a")?["data"] == ["value": "1"])
            }
        }
    }

    @Test("given automated sync, when a part of a commit was synced by hand, then the whole follows by itself")
    func automated() async throws {
        try await Scene.play { (scene) async throws -> Void in
            try scene.world.commit(["a.yaml": World.configMap("a", "1"), "b.yaml": World.configMap("b", "1")])
            try await scene.world.run { (running) async throws -> Void in
                try await running.put(scene.world.application(automated: .init(prune: true)))
                try await running.wait("the first sync") {
                    await running.controller.status(of: "app")?.sync == .synced
                }
                try scene.world.commit(["a.yaml": World.configMap("a", "2"), "b.yaml": World.configMap("b", "2")])
                _ = try await running.sync("app", try Self.only("ConfigMap:a"))
                try await running.wait("the rest") { try await running.revisions([.sync]).count == 3 }
                #expect(await scene.object("ConfigMap", "b")?["data"] == ["value": "2"])
                let rows = try await running.revisions([.sync])
                #expect(rows.count == 3, "\(rows.map(\.steps))")
                #expect(rows.first?.revision.options.isPartial == false)
                #expect(rows.dropFirst().first?.revision.options.isPartial == true)
            }
        }
    }

    @Test("given an object that is no longer desired, when it alone is selected, then it alone is pruned")
    func pruned() async throws {
        try await Scene.play { (scene) async throws -> Void in
            try scene.world.commit([
                "a.yaml": World.configMap("a", "1"), "b.yaml": World.configMap("b", "1"),
                "c.yaml": World.configMap("c", "1")
            ])
            try await scene.world.run { (running) async throws -> Void in
                #expect(try await running.deploy().outcome == "succeeded")
                try scene.world.commit(["b.yaml": nil, "c.yaml": nil])
                let done = try await running.sync("app", try Self.only(":ConfigMap:demo/b", prune: true))
                #expect(done.outcome == "succeeded")
                #expect(try await running.newest().steps == ["Sync 0 pruned ConfigMap demo/b"])
                #expect(await scene.object("ConfigMap", "b") == nil)
                #expect(await scene.object("ConfigMap", "c") != nil)
            }
        }
    }

    @Test("given a selector that names nothing, or a hook, when it is synced, then that is said and nothing is done")
    func unknown() async throws {
        try await Scene.play { (scene) async throws -> Void in
            try scene.world.commit([
                "a.yaml": World.configMap("a", "1"), "pre.yaml": Scene.job("pre", hook: "PreSync")
            ])
            try await scene.world.run { (running) async throws -> Void in
                try await running.put(scene.world.application(automated: nil))
                for text in ["ConfigMap:b", "apps:ConfigMap:a", "ConfigMap:other/a", "batch:Job:pre"] {
                    let refused = try await running.sync("app", try Self.only("ConfigMap:a", text))
                    #expect(refused.failure?.code == "sync.resource-unknown", "\(text): \(refused)")
                }
                #expect(await scene.object("ConfigMap", "a") == nil)
                #expect(try await running.revisions([.sync]).isEmpty)
            }
        }
    }

    @Test("given a pinned application, when a part is synced, then it goes to what the pin holds, and the pin stays")
    func pinned() async throws {
        try await Scene.play { (scene) async throws -> Void in
            try scene.world.commit(["a.yaml": World.configMap("a", "1"), "b.yaml": World.configMap("b", "1")])
            try await scene.world.run { (running) async throws -> Void in
                #expect(try await running.deploy().outcome == "succeeded")
                _ = try await running.controller.pin("app", hold: .untilUnpinned, actor: World.person, reason: nil)
                try scene.world.commit(["a.yaml": World.configMap("a", "2")])
                let kind = try await scene.cluster.catalog(refresh: false).served(
                    GroupVersionKind(group: "", version: "v1", kind: "ConfigMap"))
                for name in ["a", "b"] {
                    _ = try await scene.cluster.patch(
                        kind, namespace: "demo", name: name, .merge(["data": ["value": "x"]]),
                        WriteOptions(fieldManager: "kubectl-edit"))
                }
                try await running.wait("the change to be seen") {
                    await running.controller.status(of: "app")?.sync == .outOfSync
                }
                #expect(try await running.sync("app", try Self.only("ConfigMap:a")).outcome == "succeeded")
                #expect(await scene.object("ConfigMap", "a")?["data"] == ["value": "1"])
                #expect(await scene.object("ConfigMap", "b")?["data"] == ["value": "x"])
                #expect(await running.controller.status(of: "app")?.registered.pin != nil)
                let other = try await running.sync("app", try Self.only("ConfigMap:a", revision: "main"))
                #expect(other.failure?.code == "sync.partial-while-pinned")
            }
        }
    }
}
