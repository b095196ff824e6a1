import Shiplog
import Testing

extension Conformance {
    func applying(_ bench: Bench) async throws {
        let kind = try bench.configMaps
        let first = try await bench.cluster.apply(try bench.configMap("a", ["k": "1"]), as: kind, WriteOptions())
        #expect(first.object.at("data", "k") == "1")
        let managers = first.object.at("metadata", "managedFields")?.array ?? []
        #expect(managers.contains { $0["manager"] == "shiplog" && $0["operation"] == "Apply" })
        let second = try await bench.cluster.apply(try bench.configMap("a", ["k": "2"]), as: kind, WriteOptions())
        #expect(second.uid == first.uid)
        #expect(second.resourceVersion != first.resourceVersion)
        let third = try await bench.cluster.apply(try bench.configMap("a", ["k": "2"]), as: kind, WriteOptions())
        #expect(third.resourceVersion == second.resourceVersion)
        let got = try await bench.cluster.get(kind, namespace: bench.namespace, name: "a")
        #expect(got?.object.at("data", "k") == "2")
    }

    func removing(_ bench: Bench) async throws {
        let kind = try bench.configMaps
        _ = try await bench.cluster.apply(try bench.configMap("a", ["k": "1", "gone": "x"]), as: kind, WriteOptions())
        _ = try await bench.cluster.patch(
            kind, namespace: bench.namespace, name: "a", .merge(["data": ["foreign": "y"]]),
            WriteOptions(fieldManager: "other"))
        let after = try await bench.cluster.apply(try bench.configMap("a", ["k": "1"]), as: kind, WriteOptions())
        #expect(after.object["data"] == ["k": "1", "foreign": "y"])
    }

    func dryRun(_ bench: Bench) async throws {
        let kind = try bench.configMaps
        let tried = try await bench.cluster.apply(
            try bench.configMap("a", ["k": "1"]), as: kind, WriteOptions(dryRun: true))
        #expect(tried.object.at("data", "k") == "1")
        #expect(try await bench.cluster.get(kind, namespace: bench.namespace, name: "a") == nil)
        let real = try await bench.cluster.apply(try bench.configMap("a", ["k": "1"]), as: kind, WriteOptions())
        let changed = try await bench.cluster.apply(
            try bench.configMap("a", ["k": "2"]), as: kind, WriteOptions(dryRun: true))
        #expect(changed.object.at("data", "k") == "2")
        let deleted = try await bench.cluster.delete(
            kind, namespace: bench.namespace, name: "a", DeleteOptions(propagation: .background, dryRun: true))
        #expect(deleted != .absent)
        let got = try await bench.cluster.get(kind, namespace: bench.namespace, name: "a")
        #expect(got?.object["data"] == ["k": "1"])
        #expect(got?.resourceVersion == real.resourceVersion)
    }

    func conflicts(_ bench: Bench) async throws {
        let kind = try bench.configMaps
        _ = try await bench.cluster.apply(
            try bench.configMap("a", ["k": "theirs"]), as: kind, WriteOptions(fieldManager: "other"))
        let ours = try bench.configMap("a", ["k": "ours"])
        let refused = await failure { try await bench.cluster.apply(ours, as: kind, WriteOptions(force: false)) }
        #expect(refused?.code == .clusterConflict)
        #expect(refused?.next == .person)
        let forced = try await bench.cluster.apply(ours, as: kind, WriteOptions())
        #expect(forced.object.at("data", "k") == "ours")
    }

    func twice(_ bench: Bench) async throws {
        let kind = try bench.configMaps
        let map = try bench.configMap("a", ["k": "1"])
        let made = try await bench.cluster.create(map, as: kind, WriteOptions())
        #expect(made.uid != nil)
        let again = await failure { try await bench.cluster.create(map, as: kind, WriteOptions()) }
        #expect(again?.code == .clusterAlreadyExists)
    }

    func replacing(_ bench: Bench) async throws {
        let kind = try bench.configMaps
        let made = try await bench.cluster.create(try bench.configMap("a", ["k": "1"]), as: kind, WriteOptions())
        var changed = made
        changed.set(["k": "2"], at: "data")
        let replaced = try await bench.cluster.replace(changed, as: kind, WriteOptions())
        #expect(replaced.object["data"] == ["k": "2"])
        let stale = changed
        let refused = await failure { try await bench.cluster.replace(stale, as: kind, WriteOptions()) }
        #expect(refused?.code == .clusterConflict)
        #expect(refused?.isTransient == true)
        let unguarded = try await bench.cluster.replace(try bench.configMap("a", ["k": "3"]), as: kind, WriteOptions())
        #expect(unguarded.object["data"] == ["k": "3"])
    }

    func patching(_ bench: Bench) async throws {
        let cluster = bench.cluster
        let kind = try bench.configMaps
        let namespace = bench.namespace
        _ = try await cluster.apply(try bench.configMap("a", ["k": "1", "x": "1"]), as: kind, WriteOptions())
        let merged = try await cluster.patch(
            kind, namespace: namespace, name: "a", .merge(["data": ["k": "2", "x": .null]]), WriteOptions())
        #expect(merged.object["data"] == ["k": "2"])
        let patched = try await cluster.patch(
            kind, namespace: namespace, name: "a",
            .json([
                ["op": "test", "path": "/data/k", "value": "2"], ["op": "add", "path": "/data/y", "value": "z"]
            ]), WriteOptions())
        #expect(patched.object["data"] == ["k": "2", "y": "z"])
        let absent = await failure {
            try await cluster.patch(kind, namespace: namespace, name: "nothing", .merge(["data": [:]]), WriteOptions())
        }
        #expect(absent?.code == .clusterNotFound)

        let deployments = try bench.kind("apps/v1", "Deployment")
        _ = try await cluster.apply(try bench.deployment("d", app: "d"), as: deployments, WriteOptions())
        let condition: JSON = ["type": "shiplog.test/Checked", "status": "True"]
        let status = try await cluster.patch(
            deployments, namespace: namespace, name: "d", .mergeStatus(["status": ["conditions": [condition]]]),
            WriteOptions())
        #expect(
            (status.object.at("status", "conditions")?.array ?? []).contains { $0["type"] == "shiplog.test/Checked" })
    }

    func immutable(_ bench: Bench) async throws {
        let kind = try bench.kind("apps/v1", "Deployment")
        _ = try await bench.cluster.apply(try bench.deployment("d", app: "one"), as: kind, WriteOptions())
        let moved = await failure {
            try await bench.cluster.apply(try bench.deployment("d", app: "two"), as: kind, WriteOptions())
        }
        #expect(moved?.code == .clusterImmutable)
        var wrong = try bench.deployment("e", app: "e")
        wrong.set(-1, at: "spec", "replicas")
        let negative = wrong
        let invalid = await failure { try await bench.cluster.apply(negative, as: kind, WriteOptions()) }
        #expect(invalid?.code == .clusterInvalid)
        #expect(invalid?.next == .person)
    }

    func secrets(_ bench: Bench) async throws {
        let kind = try bench.secrets
        // "c3BpbGxlZA==" is "spilled"; the first is no base64, the second meets an immutable Secret.
        let broken = await failure {
            try await bench.cluster.apply(try bench.secret("s", ["k": "spilled-value!"]), as: kind, WriteOptions())
        }
        #expect(broken?.code == .clusterInvalid || broken?.code == .clusterError)
        #expect(broken?.description.contains("spilled") == false)
        var fixed = try bench.secret("s", ["k": "c3BpbGxlZA=="])
        fixed.set(true, at: "immutable")
        let applied = try await bench.cluster.apply(fixed, as: kind, WriteOptions())
        #expect(applied.object.at("data", "k") == "c3BpbGxlZA==")
        fixed.set(["k": "b3RoZXI="], at: "data")
        let changed = fixed
        let refused = await failure { try await bench.cluster.apply(changed, as: kind, WriteOptions()) }
        #expect(refused?.code == .clusterImmutable)
        #expect(refused?.message.contains("data") == true)
        #expect(refused?.description.contains("b3RoZXI") == false)
    }

    func deleting(_ bench: Bench) async throws {
        let kind = try bench.configMaps
        let cluster = bench.cluster
        let background = DeleteOptions(propagation: .background)
        _ = try await cluster.apply(try bench.configMap("plain"), as: kind, WriteOptions())
        #expect(try await cluster.delete(kind, namespace: bench.namespace, name: "plain", background) == .done)
        #expect(try await cluster.delete(kind, namespace: bench.namespace, name: "plain", background) == .absent)

        var held = try bench.configMap("held")
        held.set(["shiplog.test/hold"], at: "metadata", "finalizers")
        _ = try await cluster.apply(held, as: kind, WriteOptions())
        #expect(try await cluster.delete(kind, namespace: bench.namespace, name: "held", background) == .pending)
        let waiting = try await cluster.get(kind, namespace: bench.namespace, name: "held")
        #expect(waiting?.isBeingDeleted == true)
        _ = try await cluster.patch(
            kind, namespace: bench.namespace, name: "held", .merge(["metadata": ["finalizers": []]]), WriteOptions())
        try await bench.eventually("it goes once nothing holds it") {
            try await cluster.get(kind, namespace: bench.namespace, name: "held") == nil
        }

        // Foreground deletion holds an object until its dependents are gone; a collector has to run for that.
        _ = try await cluster.apply(try bench.configMap("front"), as: kind, WriteOptions())
        let front = try await cluster.delete(kind, namespace: bench.namespace, name: "front", DeleteOptions())
        #expect(front != .absent)
        try await bench.eventually("foreground deletion ends") {
            try await cluster.get(kind, namespace: bench.namespace, name: "front") == nil
        }
    }

    func preconditions(_ bench: Bench) async throws {
        let kind = try bench.configMaps
        let cluster = bench.cluster
        let made = try await cluster.apply(try bench.configMap("a"), as: kind, WriteOptions())
        var options = DeleteOptions(propagation: .background)
        options.uid = "00000000-0000-0000-0000-000000000000"
        let wrong = options
        let refused = await failure { try await cluster.delete(kind, namespace: bench.namespace, name: "a", wrong) }
        #expect(refused?.code == .clusterConflict)
        options.uid = made.uid
        options.resourceVersion = made.resourceVersion
        #expect(try await cluster.delete(kind, namespace: bench.namespace, name: "a", options) == .done)
    }

    func nowhere(_ bench: Bench) async throws {
        let map = try bench.configMap("a").inNamespace(bench.namespace + "-missing")
        let refused = await failure { try await bench.cluster.apply(map, as: bench.configMaps, WriteOptions()) }
        #expect(refused?.code == .clusterNotFound)
        #expect(refused?.message.contains(bench.namespace + "-missing") == true)
    }
}
