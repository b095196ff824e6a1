import LedgerStore
import Shiplog

/// Carries a plan into a cluster, in the plan's order, and says what became of each object.
///
/// Nothing here knows whether the plan is a sync or a rollback. A step that fails ends the steps after it, as later waves
/// may rely on it; what was not reached is told as skipped.
struct Applying: Sendable {
    let ledger: Ledger
    let settings: ControllerSettings
    let mirror: ClusterMirror
    let catalog: KindCatalog
    /// Each write goes through it.
    let hold: LeaseHold
    let uid: ApplicationUID
    let propagation: Propagation
    let parallelWrites: Int

    struct Result: Sendable {
        var outcomes: [ResourceOutcome] = []
        var counts = Revision.Counts()
        /// The first failure that ended it.
        var failure: Failure?
        /// It was cancelled before its end.
        var isInterrupted = false
        /// The objects as the server answered them, for the health at the end.
        var parts: [Health.Part] = []
    }

    /// What became of one object.
    private struct Step: Sendable {
        let outcome: ResourceOutcome
        var failure: Failure?
        var live: Resource?
    }

    func apply(_ plan: Plan) async -> Result {
        var result = Result()
        let groups = Self.groups(of: plan.changes)
        for (index, group) in groups.enumerated() {
            if Task.isCancelled { result.isInterrupted = true }
            if result.failure != nil || result.isInterrupted {
                for change in groups[index...].joined() { skip(change, in: &result) }
                break
            }
            for step in await carryOut(group) {
                add(step.outcome, to: &result)
                if let live = step.live { result.parts.append(Health.Part(key: live.key, state: .present(live))) }
                if result.failure == nil { result.failure = step.failure }
            }
        }
        if Task.isCancelled { result.isInterrupted = true }
        return result
    }

    /// Neighbours of the same phase, wave, kind and direction do not depend on each other.
    static func groups(of changes: [PlannedChange]) -> [[PlannedChange]] {
        var groups: [[PlannedChange]] = []
        for change in changes {
            if let last = groups.last?.last, last.order.isSameStep(as: change.order), last.isPrune == change.isPrune {
                groups[groups.count - 1].append(change)
            } else {
                groups.append([change])
            }
        }
        return groups
    }

    private func carryOut(_ group: [PlannedChange]) async -> [Step] {
        guard group.count > 1 else {
            var results: [Step] = []
            for change in group { results.append(await carryOut(change)) }
            return results
        }
        var results = [Step?](repeating: nil, count: group.count)
        await withTaskGroup(of: (Int, Step).self) { tasks in
            var next = 0
            func start() {
                guard next < group.count else { return }
                let index = next
                next += 1
                tasks.addTask { (index, await carryOut(group[index])) }
            }
            for _ in 0..<max(1, parallelWrites) { start() }
            while let (index, step) = await tasks.next() {
                results[index] = step
                start()
            }
        }
        return results.compactMap(\.self)
    }

    private func carryOut(_ change: PlannedChange) async -> Step {
        do throws(Failure) {
            switch change.action {
            case .create(let resource): return try await write(resource, over: nil, change)
            case .update(let resource, let live, _): return try await write(resource, over: live, change)
            case .replace(let resource, let live):
                try await remove(live, change)
                return try await write(resource, over: nil, change, was: live)
            case .unchanged(_, let live):
                let digest = try ledger.digest(of: Comparer.comparable(live))
                return Step(outcome: outcome(change, .unchanged, before: digest, after: digest), live: live)
            case .prune(let live):
                let before = try ledger.digest(of: Comparer.comparable(live))
                let gone = try await remove(live, change)
                return Step(
                    outcome: outcome(
                        change, .pruned, message: gone ? nil : "marked for deletion; finalizers hold it", before: before
                    ))
            case .leftover(_, let why), .keep(_, let why):
                return Step(outcome: outcome(change, .leftover, message: why))
            case .cannot(let failure), .unknown(let failure): throw failure
            }
        } catch {
            return Step(outcome: outcome(change, .failed, message: error.message, code: error.code), failure: error)
        }
    }

    private func write(
        _ resource: Resource, over live: Resource?, _ change: PlannedChange, was: Resource? = nil
    ) async throws(Failure) -> Step {
        let kind = try await served(resource.gvk)
        if let live { try await handOver(live, kind: kind) }
        let cluster = mirror.cluster
        let answer = try await hold.during { () async throws(Failure) in
            try await cluster.apply(resource, as: kind, WriteOptions())
        }
        await mirror.observe(answer)
        let before = live ?? was
        return Step(
            outcome: outcome(
                change, before == nil ? .created : .updated,
                before: try before.map { (live) throws(Failure) in try ledger.digest(of: Comparer.comparable(live)) },
                after: try ledger.digest(of: Comparer.comparable(answer))), live: answer)
    }

    /// A definition applied a moment ago may not be served yet: ask again for up to ten seconds.
    private func served(_ gvk: GroupVersionKind) async throws(Failure) -> ServedKind {
        if let kind = catalog.kinds[gvk] { return kind }
        let deadline = ContinuousClock.now + .seconds(10)
        while true {
            do throws(Failure) {
                return try await mirror.cluster.catalog(refresh: true).served(gvk)
            } catch {
                guard ContinuousClock.now < deadline, !Task.isCancelled else { throw error }
                try? await Task.sleep(for: .milliseconds(250))
            }
        }
    }

    /// Before Shiplog's first apply to an object, fields of the tools it takes over from become Shiplog's own: a forced
    /// apply alone would leave what the manifests no longer name behind, owned by a manager that never comes back.
    private func handOver(_ live: Resource, kind: ServedKind) async throws(Failure) {
        guard let fields = ManagedFields.handover(of: live, from: settings.handoverManagers, to: "shiplog"),
            let version = live.resourceVersion
        else { return }
        let patch: JSON = [
            ["op": "replace", "path": "/metadata/managedFields", "value": fields],
            ["op": "replace", "path": "/metadata/resourceVersion", "value": .string(version)]
        ]
        let cluster = mirror.cluster
        _ = try await hold.during { () async throws(Failure) in
            try await cluster.patch(kind, namespace: live.namespace, name: live.name, .json(patch), WriteOptions())
        }
    }

    /// - Returns: whether it is gone, and not just marked.
    @discardableResult
    private func remove(_ live: Resource, _ change: PlannedChange) async throws(Failure) -> Bool {
        let kind = if let known = catalog.preferred[live.gvk.groupKind] { known } else { try catalog.served(live.gvk) }
        let isReplacement = if case .replace = change.action { true } else { false }
        let options = DeleteOptions(propagation: isReplacement ? .background : propagation, uid: live.uid)
        let cluster = mirror.cluster
        let deletion = try await hold.during { () async throws(Failure) in
            try await cluster.delete(kind, namespace: live.namespace, name: live.name, options)
        }
        guard deletion == .pending, isReplacement else {
            if deletion != .pending { await mirror.observeGone(change.key, of: uid) }
            return deletion != .pending
        }
        // Only a deletion that has ended makes room for the object that takes its place.
        let deadline = ContinuousClock.now + .seconds(60)
        while ContinuousClock.now < deadline, !Task.isCancelled {
            let rest = try await mirror.cluster.get(kind, namespace: live.namespace, name: live.name)
            if rest == nil || rest?.uid != live.uid {
                await mirror.observeGone(change.key, of: uid)
                return true
            }
            try? await Task.sleep(for: .milliseconds(200))
        }
        throw Failure(
            "cluster.deletion-stuck", "\(change.key) was marked for deletion and is still there",
            remedy: "look at its metadata.finalizers", next: .retry(afterMilliseconds: nil))
    }

    private func skip(_ change: PlannedChange, in result: inout Result) {
        switch change.action {
        case .unchanged, .leftover, .keep: return
        default: add(outcome(change, .skipped, message: "not reached"), to: &result)
        }
    }

    private func outcome(
        _ change: PlannedChange, _ action: ResourceOutcome.Action, message: String? = nil, code: Failure.Code? = nil,
        before: Digest? = nil, after: Digest? = nil
    ) -> ResourceOutcome {
        ResourceOutcome(
            key: change.key, apiVersion: change.gvk.apiVersion, action: action, wave: change.order.wave,
            message: message, code: code, before: before, after: after)
    }

    private func add(_ outcome: ResourceOutcome, to result: inout Result) {
        result.outcomes.append(outcome)
        switch outcome.action {
        case .created: result.counts.created += 1
        case .updated: result.counts.updated += 1
        case .unchanged: result.counts.unchanged += 1
        case .pruned: result.counts.pruned += 1
        case .leftover: result.counts.leftover += 1
        case .failed: result.counts.failed += 1
        case .skipped, .outOfSync, .unknown: break
        }
    }
}
