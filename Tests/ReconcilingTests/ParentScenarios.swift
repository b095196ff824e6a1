import Foundation
import LedgerStore
import Sandbox
import Shiplog
import Testing

@testable import Reconciling

/// Given, when, then: applications among an application's manifests.
@Suite("Parents", .serialized)
struct ParentScenarios {
    @Test("given a child among the manifests, when the parent is synced, then it is registered, not applied")
    func registers() async throws {
        try await Scene.play { (scene) async throws -> Void in
            try scene.family(["one": scene.child("one")])
            try await scene.world.run { (running) async throws -> Void in
                #expect(try await running.deploy().outcome == "succeeded")
                let row = try await running.parentRow()
                #expect(row.steps == ["Sync 0 created argoproj.io/Application argocd/one"])
                try await running.wait("the child's sync") { await scene.value(of: "one") == "1" }
                let event = try await running.event(.applicationCreated, of: "one")
                #expect(event.actor.name == "application/app")
                #expect(event.facts.at("parent", "name") == "app")
                #expect(event.facts.at("parent", "attempt")?.integer == row.revision.attempt?.value)
                #expect(await scene.registrationInCluster("one") == nil)
                try await running.wait("the parent's status") {
                    await running.controller.status(of: "app")?.sync == .synced
                }
                let child = await running.controller.status(of: "app")?.resources.first
                #expect(child?.key.kind == "Application")
                #expect(child?.health == nil, "no health of children by default, as in Argo CD since 1.8")
            }
        }
    }

    @Test("given a child, when its manifest changes, then the event says what was before and after and who did it")
    func changes() async throws {
        try await Scene.play { (scene) async throws -> Void in
            try scene.family(["one": scene.child("one")])
            try await scene.world.run { (running) async throws -> Void in
                #expect(try await running.deploy().outcome == "succeeded")
                try scene.family(["one": scene.child("one", path: "children/two"), "two": nil])
                #expect(try await running.sync().outcome == "succeeded")
                #expect(
                    try await running.parentRow().steps == ["Sync 0 updated argoproj.io/Application argocd/one"])
                let event = try await running.event(.applicationChanged, of: "one")
                #expect(event.actor.name == "application/app")
                #expect(event.facts["changed"]?.array?.isEmpty == false)
                #expect(event.detail?.at("before", "source", "path") == "children/one")
                #expect(event.detail?.at("after", "source", "path") == "children/two")
                try await running.wait("the other path") { await scene.value(of: "two") == "1" }
            }
        }
    }

    @Test("given children with and without the finalizer, when they are pruned, then only the one's objects go")
    func prunes() async throws {
        try await Scene.play { (scene) async throws -> Void in
            try scene.family(["one": scene.child("one", cascades: true), "two": scene.child("two")])
            try await scene.world.run { (running) async throws -> Void in
                #expect(try await running.deploy().outcome == "succeeded")
                try await running.wait("both") {
                    let (one, two) = (await scene.value(of: "one"), await scene.value(of: "two"))
                    return one == "1" && two == "1"
                }
                try scene.remove("one", "two")
                try scene.world.commit(["other.yaml": World.configMap("other", "1")])
                #expect(try await running.sync("app", SyncRequest(prune: true)).outcome == "succeeded")
                let (one, two) = (await scene.value(of: "one"), await scene.value(of: "two"))
                #expect(one == nil)
                #expect(two == "1")
                #expect(try await running.ledger.application(named: "one") == nil)
                #expect(try await running.ledger.application(named: "two") == nil)
                let event = try await running.event(.applicationDeleted, of: "two")
                #expect(event.actor.name == "application/app")
                #expect(event.facts.at("parent", "name") == "app")
            }
        }
    }

    @Test("given a child that is dropped, when the sync does not prune, then it stays registered")
    func keepsWithoutPrune() async throws {
        try await Scene.play { (scene) async throws -> Void in
            try scene.family(["one": scene.child("one")])
            try await scene.world.run { (running) async throws -> Void in
                #expect(try await running.deploy().outcome == "succeeded")
                try scene.remove("one")
                try scene.world.commit(["other.yaml": World.configMap("other", "1")])
                #expect(try await running.sync().outcome == "succeeded")
                #expect(try await running.ledger.application(named: "one") != nil)
                try await running.wait("what is left over") {
                    await running.controller.status(of: "app")?.sync == .outOfSync
                }
            }
        }
    }

    @Test("given an application among its own manifests, or below its child, when it is looked at, then it is refused")
    func loops() async throws {
        try await Scene.play { (scene) async throws -> Void in
            try scene.family(["app": scene.child("app", path: "app")])
            try await scene.world.run { (running) async throws -> Void in
                #expect(try await running.deploy().failure?.code == "registry.loop")
                try scene.remove("app")
                try scene.family(["one": scene.child("one")])
                #expect(try await running.sync().outcome == "succeeded")
                try scene.write("children/one/up.yaml", scene.child("app", path: "app"))
                try scene.world.commit([:])
                #expect(try await running.sync("one").failure?.code == "registry.loop")
                #expect(try await running.ledger.application(named: "app")?.application.parent == nil)
            }
        }
    }

    @Test("given a pinned child, when its parent changes the source, then the pin holds until a commit after that")
    func pins() async throws {
        try await Scene.play { (scene) async throws -> Void in
            try scene.family(["one": scene.child("one"), "two": nil])
            try await scene.world.run { (running) async throws -> Void in
                #expect(try await running.deploy().outcome == "succeeded")
                try await running.wait("the child") { await scene.value(of: "one") == "1" }
                try await running.wait("the child's row") { try await running.ledger.openAttempts().isEmpty }
                _ = try await running.controller.pin(
                    "one", hold: .untilNewCommit, actor: World.person, reason: nil)
                try scene.family(["one": scene.child("one", path: "children/two")])
                #expect(try await running.sync().outcome == "succeeded")
                _ = try await running.refresh("one")
                let child = try #require(try await running.ledger.application(named: "one"))
                #expect(child.application.source.path == "children/two")
                #expect(child.pin != nil)
                #expect(await scene.value(of: "two") == nil)
                try scene.write("children/two/c.yaml", World.configMap("two", "2"))
                try scene.world.commit([:])
                _ = try await running.refresh("one")
                try await running.wait("the commit after it") { await scene.value(of: "two") == "2" }
                #expect(try await running.ledger.application(named: "one")?.pin == nil)
            }
        }
    }

    @Test("given a child that a person changed, when its parent is looked at, then it has drifted")
    func drifts() async throws {
        try await Scene.play { (scene) async throws -> Void in
            try scene.family(["one": scene.child("one")])
            try await scene.world.run { (running) async throws -> Void in
                #expect(try await running.deploy().outcome == "succeeded")
                try await running.wait("synced") { await running.controller.status(of: "app")?.sync == .synced }
                var other = scene.world.application("one", automated: nil, path: "children/one")
                other.document = [
                    "apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
                    "metadata": ["name": "one", "namespace": "argocd", "labels": ["by": "hand"]],
                    "spec": ["project": "default"]
                ]
                try await running.put(other)
                try await running.wait("drift") { await running.controller.status(of: "app")?.sync == .outOfSync }
                #expect(try await running.ledger.application(named: "one")?.application.parent != nil)
                #expect(try await running.sync().outcome == "succeeded")
                let child = try await running.ledger.application(named: "one")?.application
                #expect(child?.syncPolicy.automated != nil)
                #expect(child?.labels["by"] == nil)
                try await running.wait("synced again") {
                    await running.controller.status(of: "app")?.sync == .synced
                }
            }
        }
    }

    @Test("given children that changed or are gone, when the parent is rolled back, then they are as they were")
    func rollsBack() async throws {
        try await Scene.play { (scene) async throws -> Void in
            try scene.family(["one": scene.child("one"), "two": scene.child("two")])
            try await scene.world.run { (running) async throws -> Void in
                let first = try #require(try await running.deploy().revision)
                try scene.remove("two")
                try scene.family(["one": scene.child("one", path: "children/three"), "three": nil])
                #expect(try await running.sync("app", SyncRequest(prune: true)).outcome == "succeeded")
                #expect(try await running.ledger.application(named: "two") == nil)
                let back = RollbackRequest(target: .sequence(first), reason: "back")
                #expect(try await running.rollback("app", back).outcome == "succeeded")
                #expect(
                    try await running.ledger.application(named: "one")?.application.source.path == "children/one")
                #expect(try await running.ledger.application(named: "two") != nil)
                let event = try await running.event(.applicationChanged, of: "one")
                #expect(event.facts.at("parent", "name") == "app")
            }
        }
    }

    @Test(
        "given what cannot be registered among the manifests, when it is looked at, then it is refused by a code",
        arguments: ["project", "hook", "secret", "twice"])
    func refuses(_ what: String) async throws {
        try await Scene.play { (scene) async throws -> Void in
            switch what {
            case "project":
                try scene.write(
                    "app/p.yaml", "apiVersion: argoproj.io/v1alpha1\nkind: AppProject\nmetadata: {name: p}\nspec: {}\n")
            case "hook":
                try scene.write("app/a.yaml", scene.child("one", annotations: "{argocd.argoproj.io/hook: PreSync}"))
            case "secret":
                try scene.write(
                    "app/a.yaml",
                    scene.child("one") + "  webhook: {gitlab: [{url: 'https://g.example.com', secret: hush-hush}]}\n")
            default:
                try scene.write("app/a.yaml", scene.child("one"))
                try scene.write("app/b.yaml", scene.child("one", namespace: "elsewhere"))
            }
            try scene.world.commit([:])
            try await scene.world.run { (running) async throws -> Void in
                let codes: [String: Failure.Code] = [
                    "project": "registry.project-unsupported", "hook": "registry.hook",
                    "secret": "registry.secret-in-manifest", "twice": "registry.name-twice"
                ]
                #expect(try await running.deploy().failure?.code == codes[what])
                #expect(try await running.ledger.applications().map(\.name) == ["app"])
            }
        }
    }

    @Test("given a health rule for applications, when a child is Degraded, then its parent is")
    func health() async throws {
        let rule = try HealthRule([
            "group": "argoproj.io", "kind": "Application",
            "rules": [
                ["when": ".status.health.status == \"Degraded\"", "status": "Degraded"],
                ["when": ".status.health.status == \"Healthy\"", "status": "Healthy"],
                ["status": "Progressing"]
            ]
        ])
        try await Scene.play(settings: { $0.health = HealthRules([rule]) }) { (scene) async throws -> Void in
            try scene.family(["one": scene.child("one")])
            try scene.write(
                "children/one/d.yaml", Scene.deployment("web", image: "example.com/web:does-not-exist"))
            try scene.world.commit([:])
            try await scene.world.run { (running) async throws -> Void in
                #expect(try await running.deploy().outcome == "succeeded")
                try await running.wait("the parent's health") {
                    await running.controller.status(of: "app")?.health == .degraded
                }
            }
        }
    }

    @Test("given a parent that is deleted without its resources, when another declares its child, then that one has it")
    func adopts() async throws {
        try await Scene.play { (scene) async throws -> Void in
            try scene.family(["one": scene.child("one")])
            try await scene.world.run { (running) async throws -> Void in
                #expect(try await running.deploy().outcome == "succeeded")
                let before = try #require(try await running.ledger.application(named: "one"))
                _ = try await running.controller.delete("app", cascade: false, actor: World.person, reason: nil)
                #expect(try await running.ledger.application(named: "one") != nil)
                let other = try await running.put(scene.world.application("other", automated: nil))
                #expect(try await running.sync("other").outcome == "succeeded")
                let after = try #require(try await running.ledger.application(named: "one"))
                #expect(after.uid == before.uid)
                #expect(after.application.parent == other.uid)
                #expect(try await running.sync("other").outcome == "succeeded")
            }
        }
    }

    @Test("given a parent with children, when it is deleted with its resources, then they are unregistered too")
    func cascades() async throws {
        try await Scene.play { (scene) async throws -> Void in
            try scene.family(["one": scene.child("one", cascades: true)])
            try await scene.world.run { (running) async throws -> Void in
                #expect(try await running.deploy().outcome == "succeeded")
                try await running.wait("the child") { await scene.value(of: "one") == "1" }
                _ = try await running.controller.delete("app", cascade: true, actor: World.person, reason: nil)
                #expect(try await running.ledger.applications().isEmpty)
                #expect(await scene.value(of: "one") == nil)
            }
        }
    }
}

extension Scene {
    /// An Application's manifest.
    func child(
        _ name: String, path: String? = nil, cascades: Bool = false, annotations: String = "{}",
        namespace: String = "argocd"
    ) -> String {
        """
        apiVersion: argoproj.io/v1alpha1
        kind: Application
        metadata:
          name: \(name)
          namespace: \(namespace)
          annotations: \(annotations)
          finalizers: [\(cascades ? "resources-finalizer.argocd.argoproj.io" : "")]
        spec:
          project: default
          source: {repoURL: "\(world.repository)", path: \(path ?? "children/" + name)}
          destination: {server: "https://kubernetes.default.svc", namespace: demo}
          syncPolicy: {automated: {prune: true, selfHeal: true}}

        """
    }

    func write(_ path: String, _ text: String) throws {
        let file = URL(filePath: world.repository + "/" + path)
        try FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try text.write(to: file, atomically: true, encoding: .utf8)
    }

    func remove(_ names: String...) throws {
        for name in names {
            try FileManager.default.removeItem(atPath: world.repository + "/app/\(name).yaml")
        }
    }

    /// Commits children's manifests and what each of them deploys: a ConfigMap of its name. nil only deploys.
    func family(_ children: [String: String?]) throws {
        for (name, manifest) in children {
            if let manifest { try write("app/\(name).yaml", manifest) }
            guard name != "app" else { continue }
            try write("children/\(name)/c.yaml", World.configMap(name, "1"))
        }
        try world.commit([:])
    }

    func value(of name: String) async -> String? {
        await object("ConfigMap", name)?.at("data", "value")?.string
    }

    func registrationInCluster(_ name: String) async -> JSON? {
        await sandbox.object(group: "argoproj.io", kind: "Application", namespace: "argocd", name: name)
    }
}

extension Running {
    /// The newest sync or rollback of the parent.
    func parentRow() async throws -> StoredRevision {
        try #require(try await revisions([.sync, .rollback]).first { $0.revision.application.name == "app" })
    }

    /// The newest event of the kind about an application.
    func event(_ kind: Event.Kind, of name: String) async throws -> Event {
        let log = try await ledger.log(after: nil, limit: 500)
        let events = log.compactMap { record -> Event? in
            guard case .event(let stored) = record, stored.event.kind == kind,
                stored.event.application?.name == name
            else { return nil }
            return stored.event
        }
        return try #require(events.last)
    }
}
