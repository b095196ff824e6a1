import Shiplog
import Testing

@Suite struct HealthTests {
    @Test("each kind's health is what Argo CD says", arguments: Case.all(in: "health"))
    func assessment(_ example: Case) throws {
        let json = try example.json()
        let rules = HealthRules(try (json["rules"]?.array ?? []).map { try HealthRule($0) })
        let (health, basis) = Health.judge(try Resource(try json.part("object")), rules: rules)
        #expect(health?.status.rawValue == json["health"]?.string)
        if let by = json["by"]?.string { #expect(basis.rawValue == by) }
        if let message = json["message"]?.string { #expect(health?.message == message) }
    }

    @Test("the cases are there") func cases() {
        #expect(Case.all(in: "health").count >= 150)
    }

    @Test("nothing expected and nothing there is Healthy") func empty() {
        #expect(Health.aggregate([]).status == .healthy)
    }

    private static func part(_ kind: String, _ status: JSON, annotations: [String: String] = [:]) throws -> Health.Part
    {
        let resource = try Resource([
            "apiVersion": "v1", "kind": .string(kind), "status": status,
            "metadata": ["name": "a", "annotations": JSON(annotations)]
        ])
        return Health.Part(key: resource.key, state: .present(resource))
    }

    private static let key = ResourceKey(group: "", kind: "Pod", namespace: "", name: "m")

    @Test("all parts missing makes the application Missing, one part there does not") func missing() throws {
        let missing = Health.Part(key: Self.key, state: .missing)
        #expect(Health.aggregate([missing]).status == .missing)
        let bound = try Self.part("PersistentVolumeClaim", ["phase": "Bound"])
        #expect(Health.aggregate([missing, bound]).status == .healthy)
    }

    @Test("the worst part counts, and is named") func worst() throws {
        let parts = [
            try Self.part("PersistentVolumeClaim", ["phase": "Pending"]),
            try Self.part("PersistentVolumeClaim", ["phase": "Lost"]),
            try Self.part("PersistentVolumeClaim", ["phase": "Bound"])
        ]
        let (status, message) = Health.aggregate(parts)
        #expect(status == .degraded)
        #expect(message == "PersistentVolumeClaim a: its volume is lost")
    }

    @Test("a part that could not be looked at makes the whole Unknown") func unknown() throws {
        let failure = Failure(.clusterForbidden, "forbidden")
        let parts = [
            Health.Part(key: Self.key, state: .unknown(failure)),
            try Self.part("PersistentVolumeClaim", ["phase": "Lost"])
        ]
        #expect(Health.aggregate(parts).status == .unknown)
        #expect(Health.aggregate(parts).message == "Pod m: forbidden")
    }

    @Test("hooks do not count") func hooks() throws {
        let hook = try Self.part(
            "PersistentVolumeClaim", ["phase": "Lost"], annotations: ["argocd.argoproj.io/hook": "PreSync"])
        #expect(Health.aggregate([hook]).status == .healthy)
    }
}

@Suite("Health rules of the configuration")
struct HealthRuleTests {
    @Test("a rule that cannot be read says where it is wrong") func problems() throws {
        for (rule, path) in [
            (["rules": [["status": "Healthy"]]], ["kind"]),
            (["kind": "a"], ["rules"]),
            (["kind": "a", "rules": []], ["rules"]),
            (["kind": "a", "rules": [["status": "Fine"]]], ["rules", "0", "status"]),
            (["kind": "a", "rules": [["status": "Missing"]]], ["rules", "0", "status"]),
            (["kind": "a", "rules": [["message": "x"]]], ["rules", "0", "status"]),
            (["kind": "a", "rules": [["status": "Healthy"], ["status": "Degraded"]]], ["rules", "1"]),
            (["kind": "a", "rules": [["status": "Healthy", "when": ".a ="]]], ["rules", "0", "when"]),
            (["kind": "a", "rules": [["status": "Healthy", "messageFrom": ".a == 1"]]], ["rules", "0", "messageFrom"]),
            (["kind": "a{", "rules": [["status": "Healthy"]]], ["kind"])
        ] as [(JSON, [String])] {
            do {
                _ = try HealthRule(rule)
                Issue.record("\(rule.canonicalString) was read")
            } catch {
                #expect(error.path == path)
            }
        }
    }

    @Test("the application is judged by the rules as well") func aggregate() throws {
        let thing = try Resource([
            "apiVersion": "example.org/v1", "kind": "Thing", "metadata": ["name": "t"], "status": ["phase": "Broken"]
        ])
        let rule = try HealthRule([
            "group": "example.org", "kind": "Thing",
            "rules": [["when": ".status.phase == \"Broken\"", "status": "Degraded", "message": "it is broken"]]
        ])
        let parts = [Health.Part(key: thing.key, state: .present(thing))]
        #expect(Health.aggregate(parts).status == .healthy)
        let (status, message) = Health.aggregate(parts, rules: HealthRules([rule]))
        #expect(status == .degraded)
        #expect(message == "example.org/Thing t: it is broken")
    }
}
