import Shiplog
import Testing

/// Whatever a cluster or a repository holds, no decision traps. A trap here would end the server.
@Suite struct FuzzTests {
    @Test("random objects get through every decision", arguments: 0..<24) func trees(_ seed: Int) throws {
        var random = Random(seed: UInt64(seed))
        let uid = try ApplicationUID("shop").get("")
        var seen = 0
        for _ in 0..<120 {
            let desired = random.resource()
            var live = random.resource()
            if Bool.random(using: &random) { live = random.mutated(desired) }
            guard let first = try? Resource(desired), let second = try? Resource(live) else { continue }
            seen += 1
            _ = Health.assess(first)
            _ = SyncOrder(desired: [first, second], pruned: [second]).text
            _ = ApplyOrder.pruneOrders(of: [first, second]) { _ in nil }
            _ = ManagedFields.handover(of: second, from: ["a", "kubectl"], to: "shiplog")
            let difference = Difference.compare(desired: first, live: second)
            _ = difference.changes.map(\.line)
            _ = Difference.afterDryRun(predicted: first, live: second, desired: second).changes.map(\.line)
            _ = TextDiff.hunks(from: first.object.prettyString, to: second.object.prettyString)
            let marked = Ownership.mark(first, as: uid)
            var policy = PlanPolicy(owner: uid)
            policy.prune = Bool.random(using: &random)
            policy.replace = Bool.random(using: &random)
            policy.allowEmpty = Bool.random(using: &random)
            policy.leaveReplicasToAutoscaler = Bool.random(using: &random)
            let plan = Plan.make(
                desired: [marked],
                live: Dictionary(
                    [
                        (marked.key, .present(second)), (second.key, .present(Ownership.mark(second, as: uid)))
                    ], uniquingKeysWith: { $1 }), policy: policy)
            _ = plan.text(showsUnchanged: true, showsFields: true)
            _ = Health.aggregate(plan: plan)
        }
        #expect(seen > 50)
    }

    @Test("an object compared with itself never certainly differs", arguments: 0..<8) func itself(_ seed: Int) {
        var random = Random(seed: UInt64(1000 + seed))
        for _ in 0..<150 {
            guard var resource = try? Resource(random.resource()) else { continue }
            resource.set(nil, at: "metadata", "managedFields")
            resource.set(nil, at: "stringData")
            if case .differs(let changes) = Difference.compare(desired: resource, live: resource) {
                Issue.record("\(changes.map(\.line)) in \(resource.object.canonicalString)")
            }
            #expect(Difference.afterDryRun(predicted: resource, live: resource) == .same)
        }
    }

    @Test("a Secret's values are in no line of a difference or plan", arguments: 0..<8) func secrets(_ seed: Int) throws
    {
        var random = Random(seed: UInt64(2000 + seed))
        let uid = try ApplicationUID("shop").get("")
        for _ in 0..<100 {
            let (old, new) = (try random.secret("b2xkLXZhbHVl"), try random.secret("bmV3LXZhbHVl"))
            let plan = Plan.make(
                desired: [Ownership.mark(new, as: uid)], live: [new.key: .present(old)], policy: PlanPolicy(owner: uid))
            let text = plan.text(showsFields: true) + plan.warnings.joined()
            for word in ["b2xkLXZhbHVl", "bmV3LXZhbHVl", "old-value", "new-value"] { #expect(!text.contains(word)) }
        }
    }

    @Test("random texts are no reason to trap") func texts() {
        var random = Random(seed: 3)
        for _ in 0..<4000 {
            let text = random.text()
            _ = Quantity(text)
            _ = Timestamp(text)
            _ = ResourceKey(trackingForm: text)
            _ = ApplicationUID(text)
            _ = Digest(text)
            _ = SequenceNumber(text)
            if let json = try? JSON(parsing: text) { #expect((try? JSON(parsing: json.canonicalString)) == json) }
        }
    }
}

extension Random {
    private static let names = [
        "apiVersion", "kind", "metadata", "spec", "status", "name", "namespace", "labels", "annotations", "template",
        "containers", "initContainers", "env", "ports", "protocol", "containerPort", "port", "value", "image",
        "replicas",
        "selector", "matchLabels", "finalizers", "managedFields", "manager", "operation", "fieldsV1", "f:spec",
        "f:data",
        "k:{\"name\":\"a\"}", "v:1", "i:0", ".", "data", "stringData", "conditions", "type", "reason", "message",
        "phase",
        "resources", "requests", "cpu", "volumeClaimTemplates", "updateStrategy", "rollingUpdate", "partition",
        "clusterIP",
        "containerStatuses", "state", "waiting", "terminated", "exitCode", "generation", "observedGeneration",
        "readyReplicas",
        "scaleTargetRef", "immutable", "group", "names", "argocd.argoproj.io/sync-wave", "shiplog.dev/tracking-id", ""
    ]
    private static let kinds: [(String, String)] = [
        ("apps/v1", "Deployment"), ("apps/v1", "StatefulSet"), ("apps/v1", "DaemonSet"), ("apps/v1", "ReplicaSet"),
        ("v1", "Pod"), ("v1", "Service"), ("v1", "Secret"), ("v1", "ConfigMap"), ("v1", "PersistentVolumeClaim"),
        ("v1", "PersistentVolume"), ("v1", "Namespace"), ("batch/v1", "Job"), ("batch/v1", "CronJob"),
        ("autoscaling/v2", "HorizontalPodAutoscaler"), ("autoscaling/v1", "HorizontalPodAutoscaler"),
        ("networking.k8s.io/v1", "Ingress"), ("apiregistration.k8s.io/v1", "APIService"),
        ("apiextensions.k8s.io/v1", "CustomResourceDefinition"), ("example.org/v1", "Shop"), ("a/b/c", "X")
    ]

    mutating func text() -> String {
        let words = [
            "1", "100m", "1Gi", "9223372036854775807", "-9223372036854775808", "1e99", "Always", "True", "é",
            "e\u{301}", "",
            "{", "\"", "[1", "2026-11-23T10:00:00Z", "9999-12-31", "0000-00-00", "a/b:c/d", "#1", "sha256:00", "\u{0}",
            "🚢"
        ]
        return (0..<Int.random(in: 0...3, using: &self)).map { _ in words.randomElement(using: &self) ?? "" }.joined()
    }

    mutating func json(depth: Int) -> JSON {
        switch Int.random(in: depth > 0 ? 0...9 : 0...5, using: &self) {
        case 0: return .null
        case 1: return .bool(Bool.random(using: &self))
        case 2: return .integer([0, 1, -1, 80, .max, .min].randomElement(using: &self) ?? 0)
        case 3: return .number([0, 0.5, 1, 1e300, -1e300, .infinity].randomElement(using: &self) ?? 0)
        case 4, 5: return .string(text())
        case 6, 7: return .array((0..<Int.random(in: 0...4, using: &self)).map { _ in json(depth: depth - 1) })
        default: return object(depth: depth)
        }
    }

    private mutating func object(depth: Int) -> JSON {
        var members: [String: JSON] = [:]
        for _ in 0..<Int.random(in: 0...6, using: &self) {
            members[Self.names.randomElement(using: &self) ?? ""] = json(depth: depth - 1)
        }
        return .object(members)
    }

    /// Most are objects that could be; the parts that decisions read are random.
    mutating func resource() -> JSON {
        var object = object(depth: 3)
        let (version, kind) = Self.kinds.randomElement(using: &self) ?? ("v1", "Pod")
        object["apiVersion"] = .string(version)
        object["kind"] = .string(kind)
        for part in ["metadata", "spec", "status"]
        where object[part]?.object == nil && Int.random(in: 0...9, using: &self) > 0 {
            object[part] = self.object(depth: 5)
        }
        object.set(.string(["a", "b"].randomElement(using: &self) ?? "a"), at: ["metadata", "name"])
        object.set(Bool.random(using: &self) ? "demo" : nil, at: ["metadata", "namespace"])
        return object
    }

    mutating func mutated(_ value: JSON) -> JSON {
        if Int.random(in: 0...20, using: &self) == 0 { return json(depth: 2) }
        switch value {
        case .object(let members):
            return .object(
                Dictionary(
                    uniqueKeysWithValues: members.map { name, member in
                        (name, name == "name" || name == "kind" || name == "apiVersion" ? member : mutated(member))
                    }))
        case .array(let elements): return .array(elements.map { mutated($0) }.shuffled(using: &self))
        default: return value
        }
    }

    /// A Secret that keeps the value in one of the places in which Secrets keep values.
    mutating func secret(_ value: String) throws -> Resource {
        var object: JSON = ["apiVersion": "v1", "kind": "Secret", "metadata": ["name": "s", "namespace": "demo"]]
        switch Int.random(in: 0...3, using: &self) {
        case 0: object["data"] = ["a": .string(value), "b": .string(value)]
        case 1: object["stringData"] = ["a": .string(value == "bmV3LXZhbHVl" ? "new-value" : "old-value")]
        case 2: object["data"] = .string(value)
        default:
            object.set(
                .string("{\"data\":{\"a\":\"\(value)\"}}"),
                at: ["metadata", "annotations", "kubectl.kubernetes.io/last-applied-configuration"])
        }
        return try Resource(object)
    }
}
