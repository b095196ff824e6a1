/// What is in the cluster in an object's place.
public enum LiveState: Sendable, Hashable {
    /// The server was asked and there is none.
    case absent
    case present(Resource)
    /// It could not be looked at: never the same as absent.
    case unknown(Failure)
}

/// What a plan may do.
public struct PlanPolicy: Sendable, Hashable {
    /// The application whose plan it is.
    public var owner: ApplicationUID
    /// Remove what the application owns and no longer desires.
    public var prune = false
    /// Even when nothing at all is desired.
    public var allowEmpty = false
    /// Namespaces, CustomResourceDefinitions, PersistentVolumes and -Claims too.
    public var confirmDestructive = false
    /// Delete and create again where a field cannot be changed.
    public var replace = false
    /// Keep the number of replicas of a workload that a HorizontalPodAutoscaler scales.
    public var leaveReplicasToAutoscaler = false
    /// The application's sync options for its objects, which may say otherwise themselves.
    public var objects = Application.ObjectOptions()
    /// Run hooks; where they do not run they are left out, and that is said.
    public var runsHooks = false
    /// Everything goes because the application is deleted with its resources: Argo CD's `Delete` options count then, its
    /// `Prune` options do not.
    public var isDeletion = false
    /// The deletion of what says `Delete=confirm` was confirmed with the request.
    public var deletionIsConfirmed = false
    /// Differences that do not count.
    public var ignored = IgnoredDifferences.none

    public init(owner: ApplicationUID) { self.owner = owner }
}

/// What is to be done about one object.
public enum PlannedAction: Sendable, Hashable {
    case create(Resource)
    case update(Resource, live: Resource, Difference)
    /// Delete and create again.
    case replace(Resource, live: Resource)
    case unchanged(Resource, live: Resource)
    case prune(Resource)
    /// Ours and no longer desired, and left alone for that reason.
    case leftover(Resource, why: String)
    /// Ours and no longer desired, and the object itself asks to be kept.
    case keep(Resource, why: String)
    case cannot(Failure)
    /// What is there could not be looked at, so nothing is done.
    case unknown(Failure)
}

/// One object's place in a plan.
public struct PlannedChange: Sendable, Hashable {
    public let key: ResourceKey
    public let gvk: GroupVersionKind
    public let order: ApplyOrder
    public let action: PlannedAction
    /// The object in the cluster; nil when there is none, or none is known.
    public let live: Resource?
    /// The desired object; nil for one that is no longer desired.
    public let desired: Resource?
    /// Whether its sync option `Replace=true` wants it replaced as a whole instead of applied.
    public let replacesWhole: Bool
    /// Whether a person has to confirm it while it runs: a prune of what says `Prune=confirm`.
    public let wantsConfirmation: Bool

    init(
        _ action: PlannedAction, key: ResourceKey, gvk: GroupVersionKind, order: ApplyOrder, desired: Resource?,
        live: Resource?, replacesWhole: Bool = false, wantsConfirmation: Bool = false
    ) {
        self.action = action
        self.key = key
        self.gvk = gvk
        self.order = order
        self.desired = desired
        self.live = live
        self.replacesWhole = replacesWhole
        self.wantsConfirmation = wantsConfirmation
    }
}

/// What has to be done so that a cluster is as desired: a pure value, in the order in which it is carried out.
public struct Plan: Sendable, Hashable {
    public let changes: [PlannedChange]
    /// What runs at a moment of its own, in the order in which it does; those of `SyncFail` only after a failure.
    public let hooks: [PlannedHook]
    /// Full sentences without full stops, for people.
    public let warnings: [String]
    /// Objects that came up and are somebody else's; nothing is done about them.
    public let foreign: [ForeignObject]

    public struct ForeignObject: Sendable, Hashable {
        public let key: ResourceKey
        public let ownership: Ownership
    }

    init(changes: [PlannedChange], hooks: [PlannedHook], warnings: [String], foreign: [ForeignObject]) {
        self.changes = changes
        self.hooks = hooks
        self.warnings = warnings
        self.foreign = foreign
    }

    /// - Parameters:
    ///   - desired: with namespaces settled and Shiplog's marks. Of a key that stands twice the last one counts.
    ///   - live: a state for each desired key, and for each other object that may be the application's. A desired key
    ///     without a state is unknown.
    ///   - comparisons: by key; what is missing is compared here.
    public static func make(
        desired: [Resource], live: [ResourceKey: LiveState], comparisons: [ResourceKey: Difference] = [:],
        policy: PlanPolicy
    ) -> Plan {
        var planner = Planner(desired: desired, live: live, comparisons: comparisons, policy: policy)
        return planner.plan()
    }
}

extension PlannedChange {
    public var isPrune: Bool { if case .prune = action { true } else { false } }

    /// Ours, in the cluster, and no longer desired.
    public var requiresPruning: Bool {
        switch action {
        case .prune, .leftover, .keep: true
        case .cannot: desired == nil
        default: false
        }
    }

    /// Whether carrying it out would write.
    public var isWrite: Bool {
        switch action {
        case .create, .update, .replace, .prune: true
        case .unchanged, .leftover, .keep, .cannot, .unknown: false
        }
    }

    /// Whether it stands in the way of carrying the plan out.
    public var isBlocked: Bool {
        switch action {
        case .cannot, .unknown: true
        default: false
        }
    }

    /// The desired object when carrying it out would write one.
    public var written: Resource? {
        switch action {
        case .create(let resource), .update(let resource, _, _), .replace(let resource, _): resource
        case .unchanged, .prune, .leftover, .keep, .cannot, .unknown: nil
        }
    }

    /// The same object in the same place with another action: what a rehearsal against the server found out.
    public func with(_ action: PlannedAction) -> PlannedChange {
        PlannedChange(
            action, key: key, gvk: gvk, order: order, desired: desired, live: live, replacesWhole: replacesWhole,
            wantsConfirmation: wantsConfirmation)
    }

    /// By Argo CD's rules: modified, missing and surplus objects are out of sync, unless a surplus one carries the
    /// compare option `IgnoreExtraneous`.
    public var syncStatus: SyncStatus {
        switch action {
        case .unchanged: return .synced
        case .unknown: return .unknown
        case .create, .update, .replace: return .outOfSync
        case .prune, .leftover, .keep, .cannot:
            let isIgnored = desired == nil && live?.hasOption("IgnoreExtraneous", in: Planner.compareOptions) == true
            return isIgnored ? .synced : .outOfSync
        }
    }

    /// Why, for people; nil when the action says it all.
    public var message: String? {
        switch action {
        case .prune where wantsConfirmation: "it is not pruned before somebody confirms it"
        case .create, .unchanged, .prune: nil
        case .update(_, _, let difference): Self.summary(of: difference.changes)
        case .replace:
            replacesWhole
                ? "it is deleted and created again"
                : "a field that cannot be changed differs: it is deleted and created again"
        case .leftover(_, let why), .keep(_, let why): why
        case .cannot(let failure), .unknown(let failure): failure.message
        }
    }

    /// The changed fields by name, the first three of them.
    private static func summary(of changes: [FieldChange]) -> String? {
        guard !changes.isEmpty else { return nil }
        let named = changes.prefix(3).map(\.path).joined(separator: ", ")
        return changes.count > 3
            ? named + " and \(changes.count - 3) more differ" : named + " differ" + (changes.count == 1 ? "s" : "")
    }
}

extension Plan {
    /// Whether carrying it out would write anything.
    public var hasChanges: Bool { changes.contains(where: \.isWrite) }

    /// Unknown as soon as anything needed is: what could not be looked at may be anything.
    public var syncStatus: SyncStatus {
        var status = SyncStatus.synced
        for change in changes {
            switch change.syncStatus {
            case .unknown: return .unknown
            case .outOfSync: status = .outOfSync
            case .synced: continue
            }
        }
        return status
    }

    public var isSynced: Bool { syncStatus == .synced }

    /// Why it cannot be carried out as a whole.
    public var blockers: [Failure] {
        changes.compactMap { if case .cannot(let failure) = $0.action { failure } else { nil } }
    }

    /// Why the first of the objects that could not be looked at could not.
    public var firstUnknown: Failure? {
        changes.lazy.compactMap { if case .unknown(let failure) = $0.action { failure } else { nil } }.first
    }

    /// The same plan with other changes, in their order.
    public func with(changes: [PlannedChange]) -> Plan {
        Plan(changes: changes.sorted { $0.order < $1.order }, hooks: hooks, warnings: warnings, foreign: foreign)
    }

    /// Other managers that own fields which an update would take back.
    public var contestants: Set<String> {
        var names: Set<String> = []
        for change in changes {
            guard case .update(_, _, let difference) = change.action else { continue }
            for field in difference.changes { names.formUnion(field.owners) }
        }
        return names
    }

    /// The live objects that the plan looked at, in its order.
    public var liveResources: [Resource] { changes.compactMap(\.live) }

    /// The desired objects, in the plan's order.
    public var desiredResources: [Resource] { changes.compactMap(\.desired) }

    public struct Counts: Sendable, Hashable {
        public var create = 0
        public var update = 0
        public var replace = 0
        public var unchanged = 0
        public var prune = 0
        public var leftover = 0
        public var cannot = 0
        public var unknown = 0
    }

    public var counts: Counts {
        var counts = Counts()
        for change in changes {
            switch change.action {
            case .create: counts.create += 1
            case .update: counts.update += 1
            case .replace: counts.replace += 1
            case .unchanged: counts.unchanged += 1
            case .prune: counts.prune += 1
            case .leftover, .keep: counts.leftover += 1
            case .cannot: counts.cannot += 1
            case .unknown: counts.unknown += 1
            }
        }
        return counts
    }
}

extension Health {
    /// The health of the plan's application as it is now, before anything is done: what is desired, and what is ours
    /// and still there.
    public static func aggregate(
        plan: Plan, rules: HealthRules = .none
    ) -> (status: HealthStatus, message: String?) {
        aggregate(
            plan.changes.map { change in
                if case .unknown(let failure) = change.action { return Part(key: change.key, state: .unknown(failure)) }
                return Part(key: change.key, state: change.live.map { .present($0) } ?? .missing)
            }, rules: rules)
    }
}
