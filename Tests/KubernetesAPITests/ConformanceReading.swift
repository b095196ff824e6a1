import Shiplog
import Testing

extension Conformance {
    func identity(_ bench: Bench) async throws {
        let first = try await bench.cluster.identity()
        #expect(first.utf8.count >= 8)
        #expect(try await bench.cluster.identity() == first)
    }

    func builtIns(_ bench: Bench) async throws {
        let catalog = bench.catalog
        #expect(catalog.serverVersion.hasPrefix("v1."))
        for (apiVersion, kind, plural, isNamespaced) in [
            ("v1", "Namespace", "namespaces", false), ("v1", "ConfigMap", "configmaps", true),
            ("v1", "Secret", "secrets", true), ("v1", "Service", "services", true), ("v1", "Pod", "pods", true),
            ("apps/v1", "Deployment", "deployments", true), ("apps/v1", "StatefulSet", "statefulsets", true),
            ("batch/v1", "Job", "jobs", true), ("rbac.authorization.k8s.io/v1", "ClusterRole", "clusterroles", false),
            ("apiextensions.k8s.io/v1", "CustomResourceDefinition", "customresourcedefinitions", false)
        ] {
            let served = try bench.kind(apiVersion, kind)
            #expect(served.plural == plural)
            #expect(served.isNamespaced == isNamespaced)
            #expect(served.verbs.isSuperset(of: ["get", "list", "watch", "create", "patch", "update", "delete"]))
            #expect(catalog.preferred[served.gvk.groupKind]?.plural == plural)
        }
        #expect(catalog.kinds.values.allSatisfy { !$0.plural.contains("/") })
        #expect(throws: Failure.self) { try bench.kind("nowhere.test/v1", "Nothing") }
    }

    func absent(_ bench: Bench) async throws {
        #expect(try await bench.cluster.get(bench.configMaps, namespace: bench.namespace, name: "nothing") == nil)
        let unserved = ServedKind(
            gvk: GroupVersionKind(group: "nowhere.test", version: "v1", kind: "Nothing"), plural: "nothings",
            isNamespaced: true, verbs: ["get", "list"])
        let got = await failure { try await bench.cluster.get(unserved, namespace: bench.namespace, name: "x") }
        #expect(got?.code == "cluster.kind-unknown")
        let listed = await failure { try await bench.cluster.list(unserved, namespace: "", selector: "") }
        #expect(listed?.code == "cluster.kind-unknown")
    }

    func listing(_ bench: Bench) async throws {
        let kind = try bench.configMaps
        try await withThrowingTaskGroup(of: Void.self) { group in
            for index in 0..<25 {
                let map = try bench.configMap(
                    "page-\(index)", ["n": String(index)], labels: ["parity": index.isMultiple(of: 2) ? "even" : "odd"])
                group.addTask { _ = try await bench.cluster.apply(map, as: kind, WriteOptions()) }
            }
            try await group.waitForAll()
        }
        let all = try await bench.cluster.list(kind, namespace: bench.namespace, selector: "")
        let ours = all.items.filter { $0.name.hasPrefix("page-") }
        #expect(Set(ours.map(\.name)) == Set((0..<25).map { "page-\($0)" }))
        #expect(ours.count == 25)
        #expect(ours.allSatisfy { $0.gvk == kind.gvk && $0.namespace == bench.namespace && $0.uid != nil })
        #expect(!all.resourceVersion.isEmpty)
        let odd = try await bench.cluster.list(kind, namespace: bench.namespace, selector: "parity=odd")
        #expect(odd.items.count == 12)
        let everywhere = try await bench.cluster.list(kind, namespace: "", selector: "parity in (odd,even)")
        #expect(everywhere.items.filter { $0.namespace == bench.namespace }.count == 25)
    }

    func watching(_ bench: Bench) async throws {
        let kind = try bench.configMaps
        let cluster = bench.cluster
        _ = try await cluster.apply(try bench.configMap("before", labels: ["w": "1"]), as: kind, WriteOptions())
        let start = try await cluster.list(kind, namespace: bench.namespace, selector: "w=1").resourceVersion
        let seen = Events()
        let first = Task {
            try await cluster.watch(kind, namespace: bench.namespace, selector: "w=1", after: start) {
                await seen.add($0)
            }
        }
        _ = try await cluster.apply(
            try bench.configMap("one", ["k": "1"], labels: ["w": "1"]), as: kind, WriteOptions())
        _ = try await cluster.apply(try bench.configMap("unseen"), as: kind, WriteOptions())
        _ = try await cluster.apply(
            try bench.configMap("one", ["k": "2"], labels: ["w": "1"]), as: kind, WriteOptions())
        try await bench.eventually("two events arrive") { await seen.changes.count >= 2 }
        first.cancel()
        let ending = await failure { try await first.value }
        #expect(ending?.code == "cluster.cancelled")
        #expect(await seen.changes == ["added one 1", "modified one 2"])

        // Nothing that happens between two watches is lost when the second goes on from the last version seen.
        let version = try #require(await seen.lastVersion)
        _ = try await cluster.delete(kind, namespace: bench.namespace, name: "one", DeleteOptions())
        let rest = Events()
        let second = Task {
            try await cluster.watch(kind, namespace: bench.namespace, selector: "w=1", after: version) {
                await rest.add($0)
            }
        }
        try await bench.eventually("the deletion arrives") {
            await rest.changes.contains { $0.hasPrefix("deleted one") }
        }
        second.cancel()
        _ = await failure { try await second.value }
        #expect(await rest.changes.allSatisfy { !$0.hasPrefix("added") })
    }

    func expired(_ bench: Bench) async throws {
        // Version 1 is before anything that is still kept; a server that keeps everything since has events to tell.
        let kind = try bench.kind("v1", "Namespace")
        let cluster = bench.cluster
        let seen = Events()
        let watch = Task {
            try await cluster.watch(kind, namespace: "", selector: "", after: "1") { await seen.add($0) }
        }
        try await bench.eventually("it ends or tells of this scenario's namespace") {
            if await seen.changes.contains(where: { $0.contains(bench.namespace) }) {
                watch.cancel()
                return true
            }
            return await seen.isMarkedOver(by: watch)
        }
        let ending = await failure { try await watch.value }
        #expect(ending?.code == .clusterWatchExpired || ending?.code == "cluster.cancelled")
    }

    func custom(_ bench: Bench) async throws {
        let suffix = bench.namespace.split(separator: "-").last.map(String.init) ?? "x"
        let group = "check\(suffix).shiplog.test"
        let definitions = try bench.kind("apiextensions.k8s.io/v1", "CustomResourceDefinition")
        let definition = try Resource([
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": ["name": .string("gadgets.\(group)")],
            "spec": [
                "group": .string(group), "scope": "Namespaced",
                "names": ["kind": "Gadget", "listKind": "GadgetList", "plural": "gadgets", "singular": "gadget"],
                "versions": [
                    [
                        "name": "v1", "served": true, "storage": true,
                        "schema": [
                            "openAPIV3Schema": [
                                "type": "object",
                                "properties": [
                                    "spec": [
                                        "type": "object",
                                        "properties": [
                                            "size": ["type": "integer"],
                                            "parts": [
                                                "type": "array", "x-kubernetes-list-type": "map",
                                                "x-kubernetes-list-map-keys": ["id"],
                                                "items": [
                                                    "type": "object", "required": ["id"],
                                                    "properties": ["id": ["type": "string"]]
                                                ]
                                            ]
                                        ]
                                    ]
                                ]
                            ]
                        ]
                    ]
                ]
            ]
        ])
        let cluster = bench.cluster
        _ = try await cluster.apply(definition, as: definitions, WriteOptions())
        let gvk = GroupVersionKind(group: group, version: "v1", kind: "Gadget")
        var served: ServedKind?
        try await bench.eventually("the kind is discovered") {
            served = try await cluster.catalog(refresh: true).kinds[gvk]
            return served != nil
        }
        if let kind = served {
            let gadget = try Resource([
                "apiVersion": .string(gvk.apiVersion), "kind": "Gadget",
                "metadata": ["name": "g", "namespace": .string(bench.namespace)], "spec": ["size": 3]
            ])
            // A real server may discover a kind a moment before it serves it.
            try await bench.eventually("the kind is served") {
                (try? await cluster.apply(gadget, as: kind, WriteOptions())) != nil
            }
            let got = try await cluster.get(kind, namespace: bench.namespace, name: "g")
            #expect(got?.object.at("spec", "size") == 3)
            try await bench.eventually("its schema says how its lists merge") {
                let keys = ListKeys.builtIn.adding([gvk: await cluster.schema(of: kind) ?? .unknown])
                return keys.list(gvk, ["spec", "parts"]) == .map(keys: ["id"], defaults: [:])
            }
        }
        _ = try await cluster.delete(
            definitions, namespace: "", name: "gadgets.\(group)", DeleteOptions(propagation: .background))
    }
}

/// What a watch delivered.
actor Events {
    private(set) var changes: [String] = []
    private(set) var lastVersion: String?
    private var isOver: Bool?

    func add(_ event: WatchEvent) {
        switch event {
        case .added(let object): note("added", object)
        case .modified(let object): note("modified", object)
        case .deleted(let object): note("deleted", object)
        case .bookmark(let version): lastVersion = version
        }
    }

    private func note(_ word: String, _ object: Resource) {
        changes.append("\(word) \(object.name) \(object.object.at("data", "k")?.string ?? "-")")
        lastVersion = object.resourceVersion
    }

    /// Whether the watch has ended by itself.
    func isMarkedOver(by watch: Task<Void, any Error>) -> Bool {
        if isOver == nil {
            isOver = false
            Task {
                _ = await watch.result
                self.isOver = true
            }
        }
        return isOver == true
    }
}
