/// What an apply of the desired object would change in the live one.
public enum Difference: Sendable, Hashable {
    /// Certainly nothing: every desired field is as it is, and Shiplog owns none that is no longer desired.
    case same
    /// Certainly something.
    case differs([FieldChange])
    /// Only the server can tell: a dry run, then `afterDryRun`. The changes are what a reader may expect at most.
    case undecided([FieldChange])

    public var changes: [FieldChange] {
        switch self {
        case .same: []
        case .differs(let changes), .undecided(let changes): changes
        }
    }
}

/// One field that differs.
public struct FieldChange: Sendable, Hashable {
    public enum Kind: String, Sendable, Hashable, CaseIterable {
        /// Both have it, with different values.
        case changed
        /// The live object lacks it.
        case added
        /// The live object has it, and it is no longer desired.
        case removed
    }

    public let field: FieldPath
    public let kind: Kind
    /// nil when it is removed. A Secret's value is masked.
    public let desired: JSON?
    /// nil when it is added. A Secret's value is masked.
    public let live: JSON?
    /// Who else owns the live field, from `managedFields`: whoever keeps changing it is among them.
    public let owners: [String]

    public init(field: FieldPath, kind: Kind, desired: JSON?, live: JSON?, owners: [String] = []) {
        self.field = field
        self.kind = kind
        self.desired = desired
        self.live = live
        self.owners = owners
    }

    /// `spec.template.spec.containers[name=web].image`
    public var path: String { field.description }

    /// What stands for a value of a Secret.
    public static let mask: JSON = "••••"
}

extension Difference {
    /// Compares without asking anybody.
    ///
    /// Fields that only others own and nobody desires are foreign, and no difference. Status, and what a server counts
    /// and stamps (`resourceVersion`, `uid`, …), do not count. Values compare by what they mean to Kubernetes: `1000m` is
    /// `1`, `stringData` is `data`, elements of list maps are found by their keys.
    ///
    /// A desired object that was applied and still differs was changed on its way in (an admission webhook): whoever
    /// applies sees that from a second comparison and can ask for a dry run then.
    ///
    /// - Parameters:
    ///   - manager: the field manager that Shiplog applies as.
    ///   - schema: how lists and maps merge.
    ///   - ignored: what does not count.
    public static func compare(
        desired: Resource, live: Resource, manager: String = "shiplog", schema: ListKeys = .builtIn,
        ignoring ignored: IgnoredDifferences = .none
    ) -> Difference {
        var (desired, live) = ignored.removed(desired: desired, live: live)
        (desired, live) = LeftToCluster.removed(desired: desired, live: live)
        var walk = DifferenceWalk(desired: desired, live: live, manager: manager, schema: schema)
        return walk.run()
    }

    /// What the server's own prediction changes: both sides come from one server, so that every difference is one.
    ///
    /// Where only fields differ that are neither desired nor Shiplog's (an admission webhook that stamps each request),
    /// the two are the same: applying would never end that.
    ///
    /// - Parameters:
    ///   - predicted: the answer to a server-side apply with `dryRun`.
    ///   - desired: what was applied; nil takes every difference for one.
    public static func afterDryRun(
        predicted: Resource, live: Resource, desired: Resource? = nil, manager: String = "shiplog",
        schema: ListKeys = .builtIn, ignoring ignored: IgnoredDifferences = .none
    ) -> Difference {
        let desired = desired.map { ignored.removed(from: $0, live: live) }
        var (predicted, live) = ignored.removed(desired: predicted, live: live)
        (predicted, live) = (LeftToCluster.withoutFilledRules(predicted), LeftToCluster.withoutFilledRules(live))
        var walk = PredictionWalk(predicted: predicted, live: live, manager: manager, schema: schema)
        let changes = walk.run()
        let asked = desired.map { desired in
            let ours = ManagedFields(of: live).applied(by: manager)?.fields
            let wanted = SecretData.folded(desired).object
            return changes.contains { wanted.holds($0.field) || ours?.contains($0.field) == true }
        }
        return changes.isEmpty || asked == false ? .same : .differs(changes)
    }
}
