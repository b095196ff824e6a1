import Shiplog

/// Folds what an application's attempts did, newest first, into what stood in the cluster after them.
///
/// The last successful action on a resource decides; an attempt that failed or was ended leaves the rest as it found it.
/// Pure: the rows and the sets they name are given in.
struct StateFold {
    /// One finished attempt, without its bodies.
    struct Row: Sendable {
        let deployment: ApplicationState.Deployment
        let outcome: String
        let sync: SyncStatus
        let counts: Revision.Counts
        let isDryRun: Bool
        /// It was about selected resources only.
        let isPartial: Bool
        let hasOutcomes: Bool

        /// A success applies the whole desired set, unless only some resources were selected.
        var isWhole: Bool { outcome == "succeeded" && counts.failed == 0 && !isDryRun && !isPartial }

        /// Closed by recovery without a look: what was written before the process died is on no record.
        var isUnknown: Bool { outcome != "succeeded" && !hasOutcomes && sync == .unknown }

        /// Nothing that it tried came about.
        var isWithoutEffect: Bool {
            isDryRun || (!isUnknown && counts.created + counts.updated + counts.unchanged + counts.pruned == 0)
        }
    }

    private var decided: [ResourceKey: ApplicationState.ResourceState] = [:]
    private var parts: [(row: Row, isUnknown: Bool)] = []
    private var sets: [SequenceNumber: [ResourceKey: Digest]] = [:]

    var isEmpty: Bool { parts.isEmpty }

    /// - Parameters:
    ///   - outcomes: nil when their record was erased.
    ///   - set: the manifests the attempt was to apply; nil when they are not stored.
    mutating func add(_ row: Row, outcomes: [ResourceOutcome]?, set: [ResourceKey: Digest]?) {
        let isUnknown = row.isUnknown || outcomes == nil || set == nil
        parts.append((row, isUnknown))
        sets[row.deployment.sequence] = set
        for outcome in outcomes ?? [] where decided[outcome.key] == nil {
            switch outcome.action {
            case .created, .updated, .unchanged:
                // What is not in the set is not the application's own, such as the namespace made for it.
                guard let manifest = set?[outcome.key] else { continue }
                decide(outcome.key, manifest, row)
            case .pruned: decide(outcome.key, nil, row)
            case .ran, .leftover, .failed, .skipped, .outOfSync, .unknown: continue
            }
        }
    }

    private mutating func decide(_ key: ResourceKey, _ manifest: Digest?, _ row: Row) {
        decided[key] = ApplicationState.ResourceState(
            key: key, manifest: manifest, sequence: row.deployment.sequence)
    }

    /// - Parameter base: the newest whole revision before them all, with its set.
    func content(over base: (row: Row, set: [ResourceKey: Digest])?) -> ApplicationState.Content {
        var states = decided
        for (key, manifest) in base?.set ?? [:] where states[key] == nil {
            guard let sequence = base?.row.deployment.sequence else { continue }
            states[key] = ApplicationState.ResourceState(key: key, manifest: manifest, sequence: sequence)
        }
        let standing = states.compactMapValues(\.manifest)
        if !parts.contains(where: \.isUnknown) {
            if let base, standing == base.set { return .whole(base.row.deployment) }
            // An attempt may have been ended after its last write.
            if let last = parts.first, !last.row.isPartial, !standing.isEmpty,
                standing == sets[last.row.deployment.sequence],
                states.values.allSatisfy({ $0.manifest == nil || $0.sequence == last.row.deployment.sequence })
            {
                return .whole(last.row.deployment)
            }
            if base == nil, states.isEmpty { return .nothing }
        }
        var shares: [SequenceNumber: Int] = [:]
        for state in states.values { shares[state.sequence, default: 0] += 1 }
        let contributing = parts.filter { $0.isUnknown || shares[$0.row.deployment.sequence] != nil }
        return .mixed(
            ApplicationState.Mixture(
                base: base?.row.deployment,
                parts: contributing.map { part in
                    let deployment = part.row.deployment
                    return ApplicationState.Part(
                        sequence: deployment.sequence, outcome: part.row.outcome, commit: deployment.commit,
                        desired: deployment.desired, resources: shares[deployment.sequence] ?? 0,
                        isUnknown: part.isUnknown, isPartial: part.row.isPartial)
                }, resources: states.values.sorted { $0.key < $1.key }))
    }
}
