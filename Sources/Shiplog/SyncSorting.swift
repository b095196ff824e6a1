/// Where the objects of one sync stand, hooks among them: what others need is brought before them.
///
/// A Namespace comes before the first object in it, a CustomResourceDefinition before the first object of its kind, in
/// that object's phase and wave, as Argo CD does it.
struct SyncSorting {
    /// What a sync applies and keeps.
    private(set) var applied: [ResourceKey: ApplyOrder] = [:]
    /// In the order in which they run.
    private(set) var hooks: [PlannedHook] = []
    private var firstIn: [String: ApplyOrder] = [:]
    private var firstOf: [GroupKind: ApplyOrder] = [:]

    /// - Parameter hooks: with those that never run; they stand nowhere.
    init(_ resources: [Resource], hooks: [(resource: Resource, hook: Hook)]) {
        for resource in resources { note(resource, ApplyOrder(of: resource)) }
        for (resource, hook) in hooks {
            for phase in hook.phases { note(resource, ApplyOrder(of: resource, in: phase)) }
        }
        for resource in resources { applied[resource.key] = moved(ApplyOrder(of: resource), of: resource) }
        for (resource, hook) in hooks {
            for phase in hook.phases {
                let order = moved(ApplyOrder(of: resource, in: phase), of: resource)
                self.hooks.append(PlannedHook(resource: resource, hook: hook, order: order))
            }
        }
        self.hooks.sort { $0.order < $1.order }
    }

    private mutating func note(_ resource: Resource, _ order: ApplyOrder) {
        if !resource.namespace.isEmpty { firstIn[resource.namespace] = Self.first(firstIn[resource.namespace], order) }
        firstOf[resource.gvk.groupKind] = Self.first(firstOf[resource.gvk.groupKind], order)
    }

    private static func first(_ left: ApplyOrder?, _ right: ApplyOrder) -> ApplyOrder {
        guard let left else { return right }
        return min(left, right)
    }

    private func moved(_ own: ApplyOrder, of resource: Resource) -> ApplyOrder {
        let dependent: ApplyOrder? =
            if resource.isNamespace { firstIn[resource.name] } else { resource.definedKind.flatMap { firstOf[$0] } }
        guard let dependent, dependent < own else { return own }
        var order = own
        order.phase = dependent.phase
        order.wave = dependent.wave
        if order.kindRank >= dependent.kindRank {
            order.kindRank = dependent.kindRank
            order.isNeeded = true
        }
        return order
    }

    /// The last wave of the sync itself.
    var lastWave: Int {
        let waves = applied.values.lazy.filter { $0.phase == .sync }.map(\.wave)
        return max(waves.max() ?? 0, hooks.lazy.filter { $0.phase == .sync }.map(\.order.wave).max() ?? 0)
    }

    /// The order of what is pruned; what asks to be last comes after every wave there is.
    func prunes(_ objects: [Resource], last: Bool) -> [ResourceKey: ApplyOrder] {
        let end = max(lastWave, objects.map(ApplyOrder.wave).max() ?? 0)
        return ApplyOrder.pruneOrders(of: objects) { object in
            last || object.hasOption("PruneLast=true", in: Planner.syncOptions) ? end + 1 : nil
        }
    }
}
