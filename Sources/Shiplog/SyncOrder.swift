/// The order in which a sync is carried out: what in which phase and wave, hooks and prunes included.
///
/// A pure value of manifests alone: no cluster is looked at. The loop sorts its plans by the same code.
public struct SyncOrder: Sendable, Hashable {
    public enum Action: String, Sendable, Hashable {
        case apply, hook, prune
    }

    /// One object at its place.
    public struct Step: Sendable, Hashable {
        public let action: Action
        public let resource: Resource
        public let order: ApplyOrder
        /// For a hook, when its object is deleted.
        public let deletePolicies: Set<Hook.DeletePolicy>
    }

    /// What no sync does anything about, and why.
    public struct Omission: Sendable, Hashable {
        public let key: ResourceKey
        public let why: String
    }

    /// First to last. What stands in `SyncFail` runs only when something before it has failed.
    public let steps: [Step]
    public let omitted: [Omission]
    /// Full sentences without full stops, for people.
    public let warnings: [String]

    /// - Parameters:
    ///   - desired: with their namespaces settled; of a key that stands twice the last one counts.
    ///   - pruned: what is in the cluster and no longer desired.
    ///   - hooks: whether hooks run; a rollback leaves them out.
    ///   - prunesLast: Argo CD's application-level sync option `PruneLast`.
    public init(desired: [Resource], pruned: [Resource] = [], hooks: Bool = true, prunesLast: Bool = false) {
        let parts = SyncParts(desired, runsHooks: hooks)
        var omitted = parts.omitted
        var prunes: [ResourceKey: Resource] = [:]
        for object in pruned {
            if let why = Self.keeping(object, from: parts) {
                omitted.append(Omission(key: object.key, why: why))
            } else {
                prunes[object.key] = object
            }
        }
        let sorting = SyncSorting(Array(parts.resources.values), hooks: parts.hooks)
        var steps: [Step] = []
        for (key, order) in sorting.applied {
            guard let resource = parts.resources[key] else { continue }
            steps.append(Step(action: .apply, resource: resource, order: order, deletePolicies: []))
        }
        steps += sorting.hooks.map {
            Step(action: .hook, resource: $0.resource, order: $0.order, deletePolicies: $0.hook.deletePolicies)
        }
        for (key, order) in sorting.prunes(Array(prunes.values), last: prunesLast) {
            guard let object = prunes[key] else { continue }
            steps.append(Step(action: .prune, resource: object, order: order, deletePolicies: []))
        }
        self.steps = steps.sorted { $0.order < $1.order }
        self.omitted = omitted.sorted { ($0.key, $0.why) < ($1.key, $1.why) }
        warnings = parts.warnings
    }

    private static func keeping(_ object: Resource, from parts: SyncParts) -> String? {
        if parts.mentions(object.key) { return "it is desired" }
        if Hook.isHook(object) { return "hooks are not pruned" }
        return object.hasOption("Prune=false", in: Planner.syncOptions) ? "its sync option Prune=false keeps it" : nil
    }
}

/// The desired manifests by what a sync makes of them.
struct SyncParts {
    private(set) var resources: [ResourceKey: Resource] = [:]
    private(set) var hooks: [(resource: Resource, hook: Hook)] = []
    private(set) var omitted: [SyncOrder.Omission] = []
    private(set) var warnings: [String] = []
    private var others: Set<ResourceKey> = []
    static let notRun = "hooks are not run"

    init(_ desired: [Resource], runsHooks: Bool) {
        var places: [ResourceKey: Int] = [:]
        for (index, resource) in desired.enumerated() {
            if places.updateValue(index, forKey: resource.key) != nil {
                warnings.append("\(resource.key) stands twice; the last one counts")
            }
        }
        for (index, resource) in desired.enumerated() where places[resource.key] == index {
            sort(resource, runsHooks: runsHooks)
        }
        warnings.sort()
    }

    /// Whether the manifests name it, be it as a hook or as one that is skipped.
    func mentions(_ key: ResourceKey) -> Bool { resources[key] != nil || others.contains(key) }

    private mutating func sort(_ resource: Resource, runsHooks: Bool) {
        let key = resource.key
        guard Hook.isHook(resource) else {
            resources[key] = resource
            return
        }
        others.insert(key)
        guard let hook = Hook(of: resource) else {
            omitted.append(SyncOrder.Omission(key: key, why: "\(Hook.annotation) is Skip"))
            return
        }
        if let why = hook.idleness {
            omitted.append(SyncOrder.Omission(key: key, why: why))
            warnings.append("\(key) is a hook that is left out: \(why)")
            return
        }
        for word in hook.unknownWords {
            warnings.append("\(key) is a hook of “\(word)” too, which is no phase and counts for nothing")
        }
        for word in hook.unknownPolicies {
            warnings.append("the hook delete policy “\(word)” of \(key) is none that is known and counts for nothing")
        }
        if runsHooks {
            hooks.append((resource, hook))
        } else {
            omitted.append(SyncOrder.Omission(key: key, why: Self.notRun))
        }
    }
}

extension SyncOrder {
    /// One line a step (phase, wave, action, kind, name), then what is left out and warnings.
    public var text: String {
        var lines = steps.map { step in
            "\(step.order.phase.word) \(step.order.wave) \(step.action.rawValue) \(step.resource.key)"
        }
        lines += omitted.map { "left out: \($0.key): \($0.why)" }
        lines += warnings.map { "warning: \($0)" }
        return lines.map { $0 + "\n" }.joined()
    }
}
