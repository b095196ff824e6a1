import Manifests
import Shiplog
import Testing

/// `Cases/syncorder`: YAML manifests in, one line a step out. Sections begin with `###`: what is pruned, options, the order.
@Suite("The order of a sync")
struct SyncOrderTests {
    @Test("phases, waves, kinds, hooks and prunes stand in Argo CD's order", arguments: Case.all(in: "syncorder"))
    func order(_ example: Case) throws {
        let parts = try Parts(example)
        let text = parts.order(parts.desired).text
        #expect(text == parts.expected, "\(text)")
    }

    @Test("the order does not depend on how manifests come in", arguments: Case.all(in: "syncorder"))
    func turned(_ example: Case) throws {
        let parts = try Parts(example)
        guard Set(parts.desired.map(\.key)).count == parts.desired.count else { return }
        #expect(parts.order(parts.desired.reversed()).text == parts.expected)
    }

    @Test("the cases are there") func cases() {
        #expect(Case.all(in: "syncorder").count >= 90)
    }

    @Test("every step of a case is one that a plan would take, at the same place", arguments: Case.all(in: "syncorder"))
    func plan(_ example: Case) throws {
        let parts = try Parts(example)
        let owner = try ApplicationUID("shop").get("an owner")
        var policy = PlanPolicy(owner: owner)
        (policy.prune, policy.allowEmpty, policy.confirmDestructive) = (true, true, true)
        policy.runsHooks = parts.runsHooks
        policy.objects.pruneLast = parts.prunesLast
        var live: [ResourceKey: LiveState] = [:]
        for resource in parts.desired { live[resource.key] = .absent }
        for object in parts.pruned where live[object.key] == nil {
            live[object.key] = .present(Ownership.mark(object, as: owner))
        }
        let plan = Plan.make(desired: parts.desired, live: live, policy: policy)
        // What its own option keeps is in a plan too, as kept; what stands in another's way is refused there.
        let planned: [(ApplyOrder, ResourceKey)] =
            plan.changes.filter { if case .keep = $0.action { false } else { true } }.map { ($0.order, $0.key) }
            + plan.hooks.map { ($0.order, $0.key) }
        let steps = parts.order(parts.desired).steps
        #expect(planned.sorted { $0.0 < $1.0 }.map(\.1) == steps.map(\.resource.key))
    }

    private struct Parts {
        var desired: [Resource]
        var pruned: [Resource] = []
        var expected = ""
        var runsHooks = true
        var prunesLast = false

        init(_ example: Case) throws {
            var sections: [String: String] = [:]
            var name = "desired"
            for line in example.text.split(separator: "\n", omittingEmptySubsequences: false) {
                if line.hasPrefix("### ") {
                    name = String(line.dropFirst(4))
                } else {
                    sections[name, default: ""] += line + "\n"
                }
            }
            desired = try Self.read(sections["desired"])
            pruned = try Self.read(sections["pruned"])
            expected = (sections["order"] ?? "").split(separator: "\n").map { $0 + "\n" }.joined()
            runsHooks = sections["options"]?.contains("hooks=false") != true
            prunesLast = sections["options"]?.contains("prunesLast=true") == true
        }

        func order(_ desired: [Resource]) -> SyncOrder {
            SyncOrder(desired: desired, pruned: pruned, hooks: runsHooks, prunesLast: prunesLast)
        }

        private static func read(_ text: String?) throws -> [Resource] {
            try YAML.read(Array((text ?? "").utf8), file: "case.yaml", limits: .default).map(\.json)
                .filter { !$0.isNull }.map { try Resource($0) }
        }
    }

    @Test("a hook's words are read once, and what they mean is plain") func hook() throws {
        func hook(_ annotations: JSON) throws -> Hook? {
            Hook(
                of: try Resource([
                    "apiVersion": "batch/v1", "kind": "Job", "metadata": ["name": "h", "annotations": annotations]
                ]))
        }
        #expect(try hook([:]) == nil)
        let plain = try hook(["argocd.argoproj.io/hook": "PostSync,PreSync"]).get("a hook")
        #expect(plain.phases == [.preSync, .postSync])
        #expect(plain.deletePolicies == [.beforeHookCreation])
        let chosen = try hook([
            "argocd.argoproj.io/hook": "Sync",
            "argocd.argoproj.io/hook-delete-policy": "HookSucceeded, HookFailed"
        ]).get("a hook")
        #expect(chosen.deletePolicies == [.succeeded, .failed])
        let helm = try hook([
            "helm.sh/hook": "pre-install", "helm.sh/hook-delete-policy": "hook-failed,hook-succeeded"
        ]).get("a hook")
        #expect(helm.phases == [.preSync])
        #expect(helm.deletePolicies == [.succeeded, .failed])
        #expect(try hook(["argocd.argoproj.io/hook": "Garbage"])?.idleness != nil)
    }

    @Test("only a hook may leave its name to be made") func generatedNames() throws {
        let metadata: JSON = ["generateName": "migrate-", "annotations": ["argocd.argoproj.io/hook": "PreSync"]]
        let hook = try Resource(["apiVersion": "batch/v1", "kind": "Job", "metadata": metadata])
        #expect(hook.hasGeneratedName)
        #expect(hook.name == "migrate-")
        #expect(throws: Failure.self) {
            try Resource(["apiVersion": "batch/v1", "kind": "Job", "metadata": ["generateName": "migrate-"]])
        }
    }
}
