import Shiplog
import Testing

@Suite struct PlanTests {
    static let owner = ApplicationUID("shop")
    static let other = ApplicationUID("other")

    @Test("a plan says what is to be done, in its order", arguments: Case.all(in: "plan"))
    func plan(_ example: Case) throws {
        let json = try example.json()
        let plan = try Self.plan(json)
        let lines = plan.text(showsUnchanged: true).split(separator: "\n").map(String.init)
        #expect(lines == (try json.texts("plan")), "\(lines)")
        #expect(plan.syncStatus.rawValue == json["sync"]?.string)
        #expect(plan.isSynced == (plan.syncStatus == .synced))
        if let health = json["health"]?.string {
            #expect(Health.aggregate(plan: plan).status.rawValue == health)
        }
        #expect(plan.changes.map(\.order) == plan.changes.map(\.order).sorted())
        let counts = plan.counts
        #expect(plan.hasChanges == (counts.create + counts.update + counts.replace + counts.prune > 0))
        #expect(plan.blockers.count == counts.cannot)
    }

    @Test("the cases are there") func cases() {
        #expect(Case.all(in: "plan").count >= 50)
    }

    @Test("a plan does not depend on the order in which manifests come in", arguments: Case.all(in: "plan"))
    func order(_ example: Case) throws {
        let json = try example.json()
        let text = try Self.plan(json).text(showsUnchanged: true)
        let keys = try json.resources("desired").map(\.key)
        guard Set(keys).count == keys.count else { return }
        var turned = json
        turned["desired"] = .array((json["desired"]?.array ?? []).reversed())
        #expect(try Self.plan(turned).text(showsUnchanged: true) == text)
    }

    static func plan(_ json: JSON) throws -> Plan {
        let owner = try owner.get("owner")
        let other = try other.get("other")
        var policy = PlanPolicy(owner: owner)
        let words = json["policy"]?.object ?? [:]
        policy.prune = words["prune"] == true
        policy.allowEmpty = words["allowEmpty"] == true
        policy.confirmDestructive = words["confirmDestructive"] == true
        policy.replace = words["replace"] == true
        policy.isDeletion = words["isDeletion"] == true
        let options = json["policy"]?["objects"]?.array?.compactMap(\.string) ?? []
        policy.objects.prune = !options.contains("Prune=false")
        policy.objects.delete = !options.contains("Delete=false")
        policy.objects.replace = options.contains("Replace=true")
        policy.objects.force = options.contains("Force=true")
        policy.objects.pruneLast = options.contains("PruneLast=true")
        policy.objects.skipDryRunOnMissingResource = options.contains("SkipDryRunOnMissingResource=true")
        policy.leaveReplicasToAutoscaler = words["leaveReplicasToAutoscaler"] == true
        let desired = try json.resources("desired").map { Ownership.mark($0, as: owner) }
        var live: [ResourceKey: LiveState] = [:]
        for resource in desired { live[resource.key] = .absent }
        for resource in try json.resources("ours") {
            live[resource.key] = .present(Ownership.mark(resource, as: owner))
        }
        for resource in try json.resources("others") {
            live[resource.key] = .present(Ownership.mark(resource, as: other))
        }
        for resource in try json.resources("unmarked") { live[resource.key] = .present(resource) }
        for var resource in try json.resources("argo") {
            resource.set(
                .string("shop:" + resource.key.trackingForm), at: "metadata", "annotations", Ownership.argoAnnotation)
            live[resource.key] = .present(resource)
        }
        for var resource in try json.resources("copied") {
            resource.set(.string("shop:/ConfigMap:demo/a"), at: "metadata", "annotations", Ownership.annotation)
            live[resource.key] = .present(resource)
        }
        for (form, code) in json["unknown"]?.stringMap ?? [:] {
            let key = try ResourceKey(trackingForm: form).get("a key")
            live[key] = .unknown(Failure(.init(rawValue: code), "the list of \(key.kind)s failed"))
        }
        return Plan.make(desired: desired, live: live, policy: policy)
    }

    // MARK: - What no file can say

    private static func configMap(_ name: String, _ value: String = "1") throws -> Resource {
        Ownership.mark(
            try Resource([
                "apiVersion": "v1", "kind": "ConfigMap", "metadata": ["name": .string(name), "namespace": "demo"],
                "data": ["v": .string(value)]
            ]), as: try owner.get("owner"))
    }

    @Test("a desired object that nobody looked at is unknown, not absent") func notLookedAt() throws {
        let plan = Plan.make(
            desired: [try Self.configMap("a")], live: [:], policy: PlanPolicy(owner: try Self.owner.get("")))
        #expect(plan.syncStatus == .unknown)
        #expect(!plan.hasChanges)
    }

    @Test("a comparison that was made already is taken as it is") func comparison() throws {
        let (old, new) = (try Self.configMap("a", "1"), try Self.configMap("a", "2"))
        let plan = Plan.make(
            desired: [new], live: [new.key: .present(old)], comparisons: [new.key: .same],
            policy: PlanPolicy(owner: try Self.owner.get("")))
        #expect(plan.isSynced)
    }

    @Test("no policy prunes what could not be looked at, whatever else it allows") func unknownIsNotAbsent() throws {
        var policy = PlanPolicy(owner: try Self.owner.get(""))
        (policy.prune, policy.allowEmpty, policy.confirmDestructive, policy.replace) = (true, true, true, true)
        let key = try Self.configMap("a").key
        let plan = Plan.make(
            desired: [], live: [key: .unknown(Failure(.clusterUnreachable, "no answer"))], policy: policy)
        #expect(!plan.hasChanges)
        #expect(plan.syncStatus == .unknown)
    }

    @Test("a live object under another key than its own is never pruned") func mismatchedKey() throws {
        var policy = PlanPolicy(owner: try Self.owner.get(""))
        (policy.prune, policy.allowEmpty) = (true, true)
        let wrong = ResourceKey(group: "", kind: "ConfigMap", namespace: "demo", name: "b")
        let plan = Plan.make(desired: [], live: [wrong: .present(try Self.configMap("a"))], policy: policy)
        #expect(plan.changes.isEmpty)
        #expect(plan.foreign.map(\.key) == [wrong])
    }

    @Test("whoever owns the fields that an update takes back is named") func contestants() throws {
        var live = try Self.configMap("a", "2")
        live.set(
            [["manager": "operator", "operation": "Update", "fieldsV1": ["f:data": ["f:v": [:]]]]],
            at: "metadata", "managedFields")
        let desired = try Self.configMap("a", "1")
        let plan = Plan.make(
            desired: [desired], live: [live.key: .present(live)], policy: PlanPolicy(owner: try Self.owner.get("")))
        #expect(plan.contestants == ["operator"])
        #expect(
            plan.text(showsFields: true) == """
                ~ update ConfigMap demo/a: data.v differs
                    data.v: "2" -> "1" (operator)

                """)
    }
}
