import LedgerStore
import Shiplog

/// Carries a plan into a cluster, phase by phase and wave by wave, and says what became of each object.
///
/// Nothing here knows whether the plan is a sync or a rollback. A step that fails ends the steps after it, as later waves
/// may rely on it; what was not reached is told as skipped, and the hooks of `SyncFail` run.
struct Applying: Sendable {
    let ledger: Ledger
    let settings: ControllerSettings
    /// Its cluster asks the project and the windows before each write.
    let mirror: GuardedMirror
    let catalog: KindCatalog
    /// Each write goes through it.
    let hold: LeaseHold
    let uid: ApplicationUID
    let propagation: Propagation
    let parallelWrites: Int
    /// Which attempt hooks belong to, and what their generated names are made of.
    let attempt: SequenceNumber
    let commit: CommitID?
    let startedAt: Timestamp
    /// Whether a wave waits until the one before is healthy.
    var waitsForHealth = true
    /// What the times of objects count from.
    let begun = ContinuousClock.now
    /// What people have confirmed of the attempt; without it no prune that wants a word is carried out.
    var confirmations: Confirmations?
    /// Told what is waited for; nil when nothing is.
    var tell: @Sendable (String?) async -> Void = { _ in }

    struct Result: Sendable {
        var outcomes: [ResourceOutcome] = []
        var counts = Revision.Counts()
        /// The first failure that ended it.
        var failure: Failure?
        /// It was cancelled before its end.
        var isInterrupted = false
        /// The objects as the server answered them, for the health at the end.
        var parts: [Health.Part] = []
        /// Hooks that were begun, to be let go once the row that tells of them is written.
        var hooks: [EndedHook] = []
    }

    /// What became of one object.
    struct Step: Sendable {
        /// nil for a hook that runs: its end is its outcome.
        var outcome: ResourceOutcome?
        var failure: Failure?
        var live: Resource?
        var pending: Pending?
    }

    func apply(_ plan: Plan) async -> Result {
        var result = Result()
        await run(plan.stages, in: &result)
        if result.failure != nil, !result.isInterrupted {
            var rest = Result()
            await run(plan.failureStages, in: &rest)
            // What failed first is why the whole failed.
            result.outcomes += rest.outcomes
            result.counts = result.counts + rest.counts
            result.hooks += rest.hooks
            result.isInterrupted = rest.isInterrupted
        }
        if Task.isCancelled { result.isInterrupted = true }
        await tell(nil)
        return result
    }

    private func run(_ stages: [SyncStage], in result: inout Result) async {
        for (index, stage) in stages.enumerated() {
            if Task.isCancelled { result.isInterrupted = true }
            if result.failure != nil || result.isInterrupted {
                for item in stages[index...].flatMap({ $0.batches.joined() }) { skip(item, in: &result) }
                return
            }
            let begun = await carryOut(stage, in: &result)
            let goesOn = result.failure == nil && stages[(index + 1)...].contains(where: \.isWrite)
            let isGate = goesOn && waitsForHealth
            if isGate, stage.isWrite {
                // Controllers need a moment to see what was written; until then an object's health is that of before.
                try? await Task.sleep(for: .milliseconds(settings.waveDelay))
            }
            await wait(
                for: begun.filter { $0.isHook || isGate }, of: stage, anew: isGate && stage.isWrite, in: &result)
        }
    }

    /// - Returns: what the next stage has to wait for.
    private func carryOut(_ stage: SyncStage, in result: inout Result) async -> [Pending] {
        var pending: [Pending] = []
        for (index, batch) in stage.batches.enumerated() {
            if Task.isCancelled { result.isInterrupted = true }
            if result.failure == nil, !result.isInterrupted { await waitForConfirmation(of: batch, stage, in: &result) }
            if result.failure != nil || result.isInterrupted {
                for item in stage.batches[index...].joined() { skip(item, in: &result) }
                break
            }
            let steps = await batch.concurrentMap(atOnce: parallelWrites) { await carryOut($0) }
            for step in steps {
                if let outcome = step.outcome { add(outcome, to: &result) }
                if let live = step.live { result.parts.append(Health.Part(key: live.key, state: .present(live))) }
                if let begun = step.pending { pending.append(begun) }
                if result.failure == nil { result.failure = step.failure }
            }
            if result.failure == nil { await establish(batch, steps) }
        }
        return pending
    }

    private func carryOut(_ item: SyncStage.Item) async -> Step {
        let start = ContinuousClock.now
        var step =
            switch item {
            case .change(let change): await carryOut(change)
            case .hook(let hook): await begin(hook)
            }
        step.outcome?.timing = timing(since: start)
        step.pending?.begun = start
        return step
    }

    func timing(since start: ContinuousClock.Instant) -> ResourceOutcome.Timing {
        ResourceOutcome.Timing(
            startedAfter: (start - begun).milliseconds, took: (ContinuousClock.now - start).milliseconds)
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
                return Step(
                    outcome: outcome(change, .unchanged, before: digest, after: digest), live: live,
                    pending: catalog.kinds[live.gvk].map { Pending(.health, change.key, kind: $0, live: live) })
            case .prune(let live):
                let before = try ledger.digest(of: Comparer.comparable(live))
                let (kind, gone) = try await remove(live, change)
                return Step(
                    outcome: outcome(
                        change, .pruned, message: gone ? nil : "marked for deletion; finalizers hold it", before: before
                    ), pending: gone ? nil : Pending(.absence, change.key, kind: kind, live: live))
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
        if let live, !change.replacesWhole { try await handOver(live, kind: kind) }
        let answer = try await written(resource, over: live, as: kind, whole: change.replacesWhole)
        await mirror.observe(answer)
        let before = live ?? was
        return Step(
            outcome: outcome(
                change, before == nil ? .created : .updated,
                before: try before.map { (live) throws(Failure) in try ledger.digest(of: Comparer.comparable(live)) },
                after: try ledger.digest(of: Comparer.comparable(answer))), live: answer,
            pending: Pending(.health, change.key, kind: kind, live: answer))
    }

    /// `Replace=true`: the whole object as the manifest has it, fields of others included; guarded by the version that was
    /// compared. Nothing else writes by anything but server-side apply.
    private func written(
        _ resource: Resource, over live: Resource?, as kind: ServedKind, whole: Bool
    ) async throws(Failure) -> Resource {
        let cluster = mirror.cluster
        return try await hold.during { () async throws(Failure) in
            guard whole else { return try await cluster.apply(resource, as: kind, WriteOptions()) }
            guard let live else { return try await cluster.create(resource, as: kind, WriteOptions()) }
            var guarded = resource
            guarded.set(live.resourceVersion.map { .string($0) }, at: "metadata", "resourceVersion")
            return try await cluster.replace(guarded, as: kind, WriteOptions())
        }
    }

    /// A definition applied a moment ago may not be served yet: ask again for up to ten seconds.
    func served(_ gvk: GroupVersionKind) async throws(Failure) -> ServedKind {
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

    /// - Returns: its kind, and whether it is gone, and not just marked.
    @discardableResult
    private func remove(_ live: Resource, _ change: PlannedChange) async throws(Failure) -> (ServedKind, isGone: Bool) {
        let kind = if let known = catalog.preferred[live.gvk.groupKind] { known } else { try catalog.served(live.gvk) }
        let isReplacement = if case .replace = change.action { true } else { false }
        let options = DeleteOptions(propagation: isReplacement ? .background : propagation, uid: live.uid)
        let cluster = mirror.cluster
        let deletion = try await hold.during { () async throws(Failure) in
            try await cluster.delete(kind, namespace: live.namespace, name: live.name, options)
        }
        guard deletion == .pending, isReplacement else {
            if deletion != .pending { await mirror.observeGone(change.key, of: uid) }
            return (kind, deletion != .pending)
        }
        // Only a deletion that has ended makes room for the object that takes its place.
        try await cluster.waitForRemoval(of: live, as: kind)
        await mirror.observeGone(change.key, of: uid)
        return (kind, true)
    }

    func skip(_ item: SyncStage.Item, _ why: String = "not reached", in result: inout Result) {
        switch item {
        case .hook(let hook): add(outcome(hook, .skipped, message: why), to: &result)
        case .change(let change):
            guard change.isWrite || change.isBlocked else { return }
            add(outcome(change, .skipped, message: why), to: &result)
        }
    }

    func outcome(
        _ change: PlannedChange, _ action: ResourceOutcome.Action, message: String? = nil, code: Failure.Code? = nil,
        before: Digest? = nil, after: Digest? = nil
    ) -> ResourceOutcome {
        ResourceOutcome(
            key: change.key, apiVersion: change.gvk.apiVersion, action: action, phase: change.order.phase,
            wave: change.order.wave,
            message: message, code: code, before: before, after: after)
    }

    func add(_ outcome: ResourceOutcome, to result: inout Result) {
        result.outcomes.append(outcome)
        switch outcome.action {
        case .created: result.counts.created += 1
        case .updated: result.counts.updated += 1
        case .unchanged: result.counts.unchanged += 1
        case .pruned: result.counts.pruned += 1
        case .leftover: result.counts.leftover += 1
        case .failed: result.counts.failed += 1
        case .ran, .skipped, .outOfSync, .unknown: break
        }
    }
}
