import Shiplog
import Testing

@Suite struct ApplyOrderTests {
    @Test("objects come and go in Argo CD's order", arguments: Case.all(in: "order"))
    func order(_ example: Case) throws {
        let json = try example.json()
        let isPrune = json["prune"] != nil
        let resources = try json.resources(isPrune ? "prune" : "apply")
        for list in [resources, resources.reversed()] {
            let order = isPrune ? SyncOrder(desired: [], pruned: list) : SyncOrder(desired: list)
            let sorted = order.steps.map { step in
                step.resource.key.description + (step.order.phase == .sync ? "" : " \(step.order.phase)")
                    + (step.order.wave == 0 ? "" : " @\(step.order.wave)")
            }
            #expect(sorted == (try json.texts("order")))
        }
    }

    @Test("the cases are there") func cases() {
        #expect(Case.all(in: "order").count >= 19)
    }

    @Test("equal kinds of one wave are one step, a needed Namespace is its own") func steps() throws {
        func resource(_ kind: String, _ name: String, wave: String? = nil) throws -> Resource {
            try Resource([
                "apiVersion": "v1", "kind": .string(kind),
                "metadata": [
                    "name": .string(name),
                    "annotations": wave.map { ["argocd.argoproj.io/sync-wave": .string($0)] } ?? .null
                ]
            ])
        }
        let (first, second) = (
            ApplyOrder(of: try resource("ConfigMap", "a")), ApplyOrder(of: try resource("ConfigMap", "b"))
        )
        #expect(first.isSameStep(as: second))
        #expect(!first.isSameStep(as: ApplyOrder(of: try resource("Secret", "a"))))
        #expect(!first.isSameStep(as: ApplyOrder(of: try resource("ConfigMap", "a", wave: "1"))))
        #expect(!first.isSameStep(as: ApplyOrder(of: try resource("ConfigMap", "a"), direction: .prune)))
    }
}
