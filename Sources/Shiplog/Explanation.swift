/// What comparing the objects of two sets says about each of them: the loop's own decision, for a reader without a server.
public struct DifferenceExplanation: Sendable, Hashable {
    public enum Verdict: Sendable, Hashable {
        /// Desired, and not there.
        case missing
        /// There, and not desired.
        case extra
        case compared(Difference)
    }

    public let key: ResourceKey
    public let verdict: Verdict
    /// What differs and does not count.
    public let ignored: [FieldChange]

    public init(key: ResourceKey, verdict: Verdict, ignored: [FieldChange] = []) {
        self.key = key
        self.verdict = verdict
        self.ignored = ignored
    }

    /// `same`, `differs`, `undecided`, `missing` or `extra`.
    public var word: String {
        switch verdict {
        case .missing: "missing"
        case .extra: "extra"
        case .compared(.same): "same"
        case .compared(.differs): "differs"
        case .compared(.undecided): "undecided"
        }
    }

    public var changes: [FieldChange] {
        if case .compared(let difference) = verdict { difference.changes } else { [] }
    }
}

extension DifferenceExplanation {
    /// Compares objects of the same key, sorted by it.
    ///
    /// A desired object that names no namespace is compared with the live one of its kind and name where there is one
    /// alone: files that people write leave it out, files that a server wrote never do. A live object with Shiplog's marks
    /// is compared with the desired one as the loop would mark it.
    public static func between(
        desired: [Resource], live: [Resource], schema: ListKeys = .builtIn, ignoring ignored: IgnoredDifferences = .none
    ) -> [DifferenceExplanation] {
        var there: [ResourceKey: Resource] = [:]
        for object in live { there[object.key] = object }
        var result: [DifferenceExplanation] = []
        var found = Set<ResourceKey>()
        for resource in desired {
            guard let object = there[resource.key] ?? onlyOne(like: resource, among: there.values) else {
                result.append(DifferenceExplanation(key: resource.key, verdict: .missing))
                continue
            }
            found.insert(object.key)
            let placed = marked(resource.inNamespace(object.namespace), like: object)
            let difference = Difference.compare(desired: placed, live: object, schema: schema, ignoring: ignored)
            let without = Difference.compare(desired: placed, live: object, schema: schema).changes
            let counted = Set(difference.changes.map(\.field))
            result.append(
                DifferenceExplanation(
                    key: object.key, verdict: .compared(difference),
                    ignored: without.filter { !counted.contains($0.field) }))
        }
        for key in there.keys where !found.contains(key) {
            result.append(DifferenceExplanation(key: key, verdict: .extra))
        }
        return result.sorted { $0.key < $1.key }
    }

    private static func onlyOne(like desired: Resource, among live: some Collection<Resource>) -> Resource? {
        guard desired.namespace.isEmpty else { return nil }
        let alike = live.filter { $0.gvk.groupKind == desired.gvk.groupKind && $0.name == desired.name }
        return alike.count == 1 ? alike.first : nil
    }

    private static func marked(_ desired: Resource, like live: Resource) -> Resource {
        guard let id = live.annotations[Ownership.annotation], let colon = id.firstIndex(of: ":"),
            let owner = ApplicationUID(String(id[..<colon])), Ownership.of(live, for: owner) == .ours
        else { return desired }
        return Ownership.mark(desired, as: owner)
    }
}

/// How an object is, and which rule says so.
public struct HealthExplanation: Sendable, Hashable {
    public let key: ResourceKey
    /// nil for kinds without a check: they count as healthy once they are there.
    public let health: HealthAssessment?
    public let basis: Health.Basis

    public init(of live: Resource, rules: HealthRules = .none) {
        key = live.key
        (health, basis) = Health.judge(live, rules: rules)
    }
}
