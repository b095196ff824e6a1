/// Makes one plan.
struct Planner {
    static let syncOptions = "argocd.argoproj.io/sync-options"
    /// Options that an object may carry for Argo CD and that would change how it is applied there.
    static let withoutEffect = ["ServerSideApply=false"]
    static let compareOptions = "argocd.argoproj.io/compare-options"

    private let live: [ResourceKey: LiveState]
    private let comparisons: [ResourceKey: Difference]
    private let policy: PlanPolicy
    private let parts: SyncParts
    private var desired: [ResourceKey: Resource]
    private var adjusted: Set<ResourceKey> = []
    private var warnings: [String] = []
    private var foreign: [Plan.ForeignObject] = []

    init(
        desired: [Resource], live: [ResourceKey: LiveState], comparisons: [ResourceKey: Difference],
        policy: PlanPolicy
    ) {
        self.live = live
        self.comparisons = comparisons
        self.policy = policy
        parts = SyncParts(desired, runsHooks: policy.runsHooks)
        self.desired = parts.resources
        warnings = parts.warnings
        for omission in parts.omitted where omission.why == SyncParts.notRun {
            warnings.append("\(omission.key) is a hook and is left out: \(omission.why)")
        }
        for resource in parts.resources.values {
            for option in Self.withoutEffect where resource.hasOption(option, in: Self.syncOptions) {
                warnings.append("the sync option \(option) of \(resource.key) is kept without effect")
            }
        }
        if policy.leaveReplicasToAutoscaler { leaveReplicas() }
    }

    mutating func plan() -> Plan {
        let sorting = SyncSorting(Array(desired.values), hooks: parts.hooks)
        var changes: [PlannedChange] = []
        for (key, resource) in desired {
            guard let order = sorting.applied[key] else { continue }
            let state = live[key] ?? .unknown(Self.notLookedAt(key))
            let there: Resource? = if case .present(let object) = state { object } else { nil }
            changes.append(
                PlannedChange(
                    action(for: resource, state), key: key, gvk: resource.gvk, order: order, desired: resource,
                    live: there, replacesWhole: says("Replace", of: resource, otherwise: policy.objects.replace)))
        }
        changes += removals(sorting)
        changes.sort { $0.order < $1.order }
        changes = Self.withholdingPrunes(changes)
        return Plan(
            changes: changes, hooks: sorting.hooks, warnings: warnings.sorted(),
            foreign: foreign.sorted { $0.key < $1.key })
    }

    /// Unknown is not absent: while anything could not be looked at, nothing is pruned. Prunes come before what is
    /// applied in their wave, so they would be done by the time the sync stops at the unknown object.
    private static func withholdingPrunes(_ changes: [PlannedChange]) -> [PlannedChange] {
        let unknown = changes.first { if case .unknown = $0.action { true } else { false } }
        guard let unknown else { return changes }
        return changes.map { change in
            guard case .prune(let object) = change.action else { return change }
            return change.with(
                .leftover(object, why: "no longer desired; it stays because \(unknown.key) could not be looked at"))
        }
    }

    private static func notLookedAt(_ key: ResourceKey) -> Failure {
        Failure("plan.not-looked-at", "\(key) was not looked at", next: .retry(afterMilliseconds: nil))
    }

    // MARK: - Desired

    private mutating func action(for resource: Resource, _ state: LiveState) -> PlannedAction {
        switch state {
        case .unknown(let failure): return unreadable(resource, failure)
        case .absent: return creation(of: resource)
        case .present(let object): return change(of: resource, object)
        }
    }

    /// A kind that the server does not serve is no riddle: nothing of it can be there, and nothing can be applied.
    private func unreadable(_ resource: Resource, _ failure: Failure) -> PlannedAction {
        let isServed = failure.code != "cluster.kind-unknown" && failure.code != "cluster.version-not-served"
        if isServed || failure.isTransient { return .unknown(failure) }
        // Whatever serves the kind is brought by something else, or by an earlier wave.
        if failure.code == "cluster.kind-unknown",
            says(
                "SkipDryRunOnMissingResource", of: resource, otherwise: policy.objects.skipDryRunOnMissingResource)
        {
            return creation(of: resource)
        }
        if failure.code == "cluster.kind-unknown",
            desired.values.contains(where: { $0.definedKind == resource.gvk.groupKind })
        {
            return creation(of: resource)
        }
        return .cannot(failure)
    }

    private func creation(of resource: Resource) -> PlannedAction {
        let namespace = ResourceKey(group: "", kind: "Namespace", namespace: "", name: resource.namespace)
        if !resource.namespace.isEmpty, case .present(let object) = live[namespace], object.isBeingDeleted {
            return .cannot(
                Failure(
                    "plan.namespace-terminating",
                    "\(resource.key) cannot be created while its namespace is being deleted",
                    remedy: "wait until the namespace is gone, or look at its finalizers",
                    next: .retry(afterMilliseconds: nil)))
        }
        return .create(resource)
    }

    private mutating func change(of resource: Resource, _ object: Resource) -> PlannedAction {
        let key = resource.key
        switch Ownership.of(object, for: policy.owner) {
        case .otherApplication(let uid):
            return .cannot(
                Failure(
                    "plan.owned-by-another", "\(key) belongs to another application, \(uid)",
                    remedy: "take it out of one of the two sources"))
        case .argoCD(let id): warnings.append("\(key) is taken over from Argo CD (\(id))")
        case .ours, .copied, .unmarked: break
        }
        if object.isBeingDeleted {
            warnings.append("\(key) is being deleted and will be created again once it is gone")
        }
        let known = adjusted.contains(key) ? nil : comparisons[key]
        let difference = known ?? Difference.compare(desired: resource, live: object, ignoring: policy.ignored)
        if difference == .same { return .unchanged(resource, live: object) }
        // What holds data or other objects goes by a person's word alone, never by an option in a file.
        let isForced = says("Force", of: resource, otherwise: policy.objects.force) && !Self.isDestructive(key)
        if isForced, says("Replace", of: resource, otherwise: policy.objects.replace) {
            return .replace(resource, live: object)
        }
        guard let field = Immutable.firstChange(in: difference.changes, of: resource, live: object) else {
            return .update(resource, live: object, difference)
        }
        if policy.replace || isForced { return replacement(of: resource, object, field) }
        return .cannot(
            Failure(
                .clusterImmutable, "\(field.path) of \(key) cannot be changed once it is set",
                remedy: "--replace deletes the object and creates it again"))
    }

    /// Deleting takes dependents and data with it: for what holds either, that wants a word of its own.
    private func replacement(of resource: Resource, _ object: Resource, _ field: FieldChange) -> PlannedAction {
        guard Self.isDestructive(resource.key), !policy.confirmDestructive else {
            return .replace(resource, live: object)
        }
        return .cannot(
            Failure(
                "plan.destructive-replace",
                "replacing \(resource.key) for \(field.path) deletes what it holds",
                remedy: "--confirm-destructive together with --replace"))
    }

    // MARK: - No longer desired

    private mutating func removals(_ sorting: SyncSorting) -> [PlannedChange] {
        var ours: [Resource] = []
        var changes: [PlannedChange] = []
        // What the manifests name as a hook, or say to skip, is nobody's leftover.
        for (key, state) in live where !parts.mentions(key) {
            switch state {
            case .absent: continue
            case .unknown(let failure):
                changes.append(
                    PlannedChange(
                        .unknown(failure), key: key,
                        gvk: GroupVersionKind(group: key.group, version: "", kind: key.kind),
                        order: ApplyOrder(of: key, direction: .prune), desired: nil, live: nil))
            case .present(let object):
                let ownership = Ownership.of(object, for: policy.owner)
                if ownership == .ours, object.key == key {
                    // What a hook left behind goes by its delete policy, or with everything else.
                    if policy.isDeletion || !Hook.isHook(object) { ours.append(object) }
                } else if ownership != .unmarked {
                    foreign.append(Plan.ForeignObject(key: key, ownership: ownership))
                }
            }
        }
        let orders = sorting.prunes(ours, last: policy.objects.pruneLast)
        let wipesAll = desired.isEmpty && !ours.isEmpty
        for object in ours {
            guard let order = orders[object.key] else { continue }
            changes.append(
                PlannedChange(
                    removal(of: object, wipesAll: wipesAll), key: object.key, gvk: object.gvk, order: order,
                    desired: nil, live: object,
                    wantsConfirmation: !policy.isDeletion
                        && confirms("Prune", object, policy.objects.pruneConfirm)))
        }
        return changes
    }

    private func removal(of object: Resource, wipesAll: Bool) -> PlannedAction {
        if let option = keeping(object) {
            return .keep(object, why: "no longer desired; \(option) keeps it")
        }
        if object.isBeingDeleted { return .keep(object, why: "no longer desired; it is being deleted already") }
        if policy.isDeletion, !policy.deletionIsConfirmed, confirms("Delete", object, policy.objects.deleteConfirm) {
            return .cannot(
                Failure(
                    "plan.delete-unconfirmed",
                    "\(object.key) wants a confirmation before it is deleted: Delete=confirm",
                    remedy: "delete the application with --confirm, or put Delete=false on the object to keep it"))
        }
        guard policy.prune else { return .leftover(object, why: "no longer desired; it stays because pruning is off") }
        if wipesAll, !policy.allowEmpty {
            return .cannot(
                Failure(
                    "plan.would-remove-everything",
                    "nothing is desired any more: pruning would remove everything the application has",
                    remedy: "check the source's path; set syncPolicy.automated.allowEmpty if it is meant"))
        }
        if let tenant = tenant(of: object) {
            return .cannot(
                Failure(
                    "plan.prune-takes-desired", "pruning \(object.key) would take \(tenant) with it, which is desired",
                    remedy: "keep it in the source, or move what needs it first"))
        }
        if Self.isDestructive(object.key), !policy.confirmDestructive {
            return .cannot(
                Failure(
                    "plan.destructive-prune", "pruning \(object.key) deletes what it holds",
                    remedy: "--confirm-destructive"))
        }
        return .prune(object)
    }

    /// The object's own option that keeps it.
    private func keeping(_ object: Resource) -> String? {
        let word = policy.isDeletion ? "Delete" : "Prune"
        if object.hasOption("\(word)=false", in: Self.syncOptions) { return "its sync option \(word)=false" }
        let goes = policy.isDeletion ? policy.objects.delete : policy.objects.prune
        let own = ["\(word)=true", "\(word)=confirm"]
        if goes || own.contains(where: { object.hasOption($0, in: Self.syncOptions) }) { return nil }
        return "the application's sync option \(word)=false"
    }

    /// Whether the object, or else the application, wants a person's word before it goes.
    private func confirms(_ word: String, _ object: Resource, _ application: Bool) -> Bool {
        if object.hasOption("\(word)=confirm", in: Self.syncOptions) { return true }
        return application && !object.hasOption("\(word)=true", in: Self.syncOptions)
    }

    /// What an object says for itself counts, else what the application says for all.
    private func says(_ option: String, of resource: Resource, otherwise: Bool) -> Bool {
        if resource.hasOption("\(option)=true", in: Self.syncOptions) { return true }
        return otherwise && !resource.hasOption("\(option)=false", in: Self.syncOptions)
    }

    /// Something desired that would go together with the object.
    private func tenant(of object: Resource) -> ResourceKey? {
        if object.isNamespace { return desired.keys.filter { $0.namespace == object.name }.min() }
        guard let kind = object.definedKind else { return nil }
        return desired.keys.filter { $0.groupKind == kind }.min()
    }

    static func isDestructive(_ key: ResourceKey) -> Bool {
        switch (key.group, key.kind) {
        case ("", "Namespace"), ("", "PersistentVolumeClaim"), ("", "PersistentVolume"),
            ("apiextensions.k8s.io", "CustomResourceDefinition"):
            true
        default: false
        }
    }

    // MARK: - Autoscalers

    private mutating func leaveReplicas() {
        var scalers = desired.values.filter { $0.gvk.kind == "HorizontalPodAutoscaler" }
        for case .present(let object) in live.values where object.gvk.kind == "HorizontalPodAutoscaler" {
            scalers.append(object)
        }
        for (key, resource) in desired {
            let there: Resource? = if case .present(let object) = live[key] { object } else { nil }
            let left = Autoscaling.leavingReplicas(resource, live: there, to: scalers)
            guard left != resource else { continue }
            desired[key] = left
            adjusted.insert(key)
            warnings.append("spec.replicas of \(key) is left to its HorizontalPodAutoscaler")
        }
    }
}

/// Workloads whose number of replicas is a HorizontalPodAutoscaler's business.
public enum Autoscaling {
    /// The object without a number of replicas of its own, when one of the autoscalers targets it.
    ///
    /// Where Shiplog itself owns the live number it is kept and not left out: an apply without it would hand the field
    /// back to the server's default, one replica.
    public static func leavingReplicas(_ resource: Resource, live: Resource?, to autoscalers: [Resource]) -> Resource {
        guard resource.object.at("spec", "replicas") != nil,
            autoscalers.contains(where: { targets($0, resource) })
        else { return resource }
        let field = FieldPath([.field("spec"), .field("replicas")])
        var result = resource
        let isOurs = live.flatMap { ManagedFields(of: $0).applied(by: "shiplog") }?.fields.contains(field) ?? false
        result.set(isOurs ? live?.object.at("spec", "replicas") : nil, at: "spec", "replicas")
        return result
    }

    private static func targets(_ autoscaler: Resource, _ resource: Resource) -> Bool {
        guard autoscaler.gvk.group == "autoscaling", autoscaler.namespace == resource.namespace,
            let target = autoscaler.object.at("spec", "scaleTargetRef"), target["name"]?.string == resource.name,
            target["kind"]?.string == resource.gvk.kind
        else { return false }
        let group = GroupVersionKind(apiVersion: target["apiVersion"]?.string ?? "", kind: resource.gvk.kind).group
        return target["apiVersion"] == nil || group == resource.gvk.group
    }
}
