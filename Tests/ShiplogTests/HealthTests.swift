import Shiplog
import Testing

@Suite struct HealthTests {
    @Test("each kind's health is what Argo CD says", arguments: Case.all(in: "health"))
    func assessment(_ example: Case) throws {
        let json = try example.json()
        let health = Health.assess(try Resource(try json.part("object")))
        #expect(health?.status.rawValue == json["health"]?.string)
        if let message = json["message"]?.string { #expect(health?.message == message) }
    }

    @Test("the cases are there") func cases() {
        #expect(Case.all(in: "health").count >= 100)
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
