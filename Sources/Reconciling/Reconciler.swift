import GitSource
import LedgerStore
import Logging
import Manifests
import Shiplog

/// The story of one look at one application: produce what should be, plan, and either record what was found or carry
/// the plan out, intent first. Steps return or throw; what came of it is recorded in one place.
struct Reconciler: Sendable {
    let ledger: Ledger
    let rendering: Rendering
    let connections: Connections
    let leases: Leases
    let registry: ApplicationRegistry
    let state: LoopState
    let projects: ProjectBook
    let settings: ControllerSettings
    let now: @Sendable () -> Timestamp
    let logger: Logger

    /// What the loop does after a look.
    struct Outcome: Sendable {
        var status: ApplicationStatus
        /// The row that was written, if one was.
        var recorded: SequenceNumber?
        /// Whether that row names whoever asked for the look; one of an automated sync names the controller.
        var namesActor = false
        /// Look again after so many milliseconds, and why.
        var again: (milliseconds: Int64, cause: Cause)?
        /// What was synced is to be taken back.
        var takingBack: TakingBack?
    }

    /// What a sync or a rollback is about to bring about.
    struct Goal: Sendable {
        var kind: Revision.Kind
        var cause: Cause
        var actor: Actor
        var reason: String?
        var ticket: String?
        var desired: Desired
        var options = OperationOptions()
        var rolledBackTo: SequenceNumber?
        var pin: PinChange?
        var retry = 0
        /// The rollback of several applications that this is a part of.
        var group: SequenceNumber?
        /// Whether a wave waits until the one before is healthy.
        var waitsForHealth = true
        /// Windows are not asked: an application goes, or a person has set them aside with a reason.
        var isOutsideWindows = false
        /// The server was asked about every object a moment ago.
        var isRehearsed = false
        /// Of a sync of selected resources: whether all the others are as they should be.
        var restIsSynced = true
        var startedAt: Timestamp
    }

    // MARK: - The look that nobody asked for

    func look(
        at application: RegisteredApplication, cause: Cause, actor: Actor, status: ApplicationStatus,
        memory: inout Memory
    ) async -> Outcome {
        let startedAt = now()
        var outcome = Outcome(status: status)
        do throws(Failure) {
            try await load(application, into: &memory)
            try await checkSource(of: application)
            let desired = try await produce(for: application, memory: &memory)
            // Letting a pin go changes the application: go on with what the ledger says now.
            let application = try await ledger.application(uid: application.uid) ?? application
            // Whoever changed the application, a sync option say, means it to be tried anew.
            let changedBy = await latestChange(of: application)
            if memory.trialsUnder != changedBy {
                memory.trials = AutomationPolicy.Trials()
                memory.trialsUnder = changedBy
            }
            let connection = try await connections.connect(application)
            let asked = try await rollbackOptions(of: application)
            let policy = policy(
                for: application, prune: asked?.prune ?? application.application.syncPolicy.automated?.prune ?? false,
                options: asked)
            let comparison = try await compare(desired, application, connection, policy, memory: &memory)
            update(&outcome.status, with: comparison, desired: desired, application, memory: memory)
            try await tellHealth(comparison, application, memory: &memory)
            let trial = try await judgeTrial(application, desired, comparison, in: &outcome)
            guard outcome.takingBack == nil else { return outcome }
            let decision = decide(application, desired, comparison, memory)
            switch decision {
            case .act(let why, let retry):
                let standsInTheWay = await policyRefusal(
                    cause: why, comparison.plan, desired, application, connection)
                if let failure = standsInTheWay {
                    // A project or a window: waited for, and said. No attempt begins that could only fail.
                    outcome.status.conditions.append(
                        status.conditions.first { $0.code == failure.code && $0.message == failure.message }
                            ?? ApplicationStatus.Condition(failure, since: now()))
                    if case .retry(let after?) = failure.next {
                        // The clock may be set, and the window changed: look at least once an hour.
                        outcome.again = (min(after + 1000, 3_600_000), .retry)
                    }
                    break
                }
                if let failure = await refusal(of: connection) {
                    // What is there is looked at and recorded all the same.
                    outcome.status.conditions.append(ApplicationStatus.Condition(failure, since: now()))
                    if case .retry(let after) = failure.next { outcome.again = (after ?? 30_000, .retry) }
                    break
                }
                // What heals, or holds an application where a person put it, runs no hooks.
                let plan = why == .selfHeal ? comparison.plan.withoutHooks : comparison.plan
                var options = asked ?? OperationOptions(prune: policy.prune)
                options.hooks = !plan.hooks.isEmpty
                let goal = Goal(
                    kind: .sync, cause: why, actor: .controller, desired: desired, options: options, retry: retry,
                    startedAt: startedAt)
                let (sequence, failure, _) = try await carryOut(
                    goal, plan, application, connection, memory: &memory, onAttempt: { _ in })
                outcome.recorded = sequence
                outcome.again = failure == nil ? (0, .watch) : (retryDelay(memory), .retry)
                return outcome
            case .wait(let milliseconds): outcome.again = (milliseconds, .retry)
            case .exhausted, .leave: break
            }
            if let trial, trial < outcome.again?.milliseconds ?? .max { outcome.again = (trial, .retry) }
            note(decision, comparison, memory, in: &outcome.status)
            if let hold = try? await leases.ensure(connection.cluster) {
                await tidyHooks(
                    of: application, connection,
                    HookObjects(mirror: tidying(application, connection), hold: hold, rules: settings.health))
            }
            await noteUnseen(application, in: &outcome.status)
            await noteWaiver(connection, in: &outcome.status)
            outcome.recorded = try await record(
                comparison, desired, application, connection, cause: cause, actor: actor, startedAt: startedAt,
                memory: &memory)
            outcome.namesActor = outcome.recorded != nil
        } catch {
            if Task.isCancelled { return outcome }
            outcome.recorded = await record(
                error, application, cause: cause, actor: actor, startedAt: startedAt, status: &outcome.status,
                memory: &memory)
            outcome.namesActor = outcome.recorded != nil
            if error.isTransient { outcome.again = (30_000, .retry) }
        }
        outcome.status.lastRevision = memory.lastRow?.sequence ?? outcome.status.lastRevision
        return outcome
    }

    // MARK: - Steps

    /// What the ledger knows from before this process began.
    func load(_ application: RegisteredApplication, into memory: inout Memory) async throws(Failure) {
        guard !memory.isLoaded else { return }
        var query = RevisionQuery(
            applications: [application.uid], kinds: [.sync, .rollback], outcomes: ["succeeded"], limit: 1)
        query.wholeOnly = true
        let newest = try await ledger.revisions(query)
        if let stored = newest.items.first { memory.deployed = Self.deployed(stored.revision, stored.sequence) }
        memory.awaiting = try await awaiting(of: application.uid)
        memory.isLoaded = true
    }

    /// How the rollback that pins an application was asked for: what its person chose to keep, or did not confirm, is not
    /// pruned by the next look either, and a retry may replace what the rollback might. nil when no rollback pins it.
    func rollbackOptions(of application: RegisteredApplication) async throws(Failure) -> OperationOptions? {
        guard let pin = application.pin else { return nil }
        let newest = try await ledger.revisions(
            RevisionQuery(applications: [application.uid], kinds: [.rollback], limit: 1))
        guard let rollback = newest.items.first?.revision, rollback.rolledBackTo == pin.target,
            rollback.desired == pin.desired
        else { return nil }
        var options = OperationOptions(
            prune: rollback.options.prune, replace: rollback.options.replace,
            confirmDestructive: rollback.options.confirmDestructive)
        options.keepSecrets = rollback.options.keepSecrets
        return options
    }

    /// The manifests that should be there: the pinned ones, or those of the target revision.
    func produce(
        for application: RegisteredApplication, revision: String? = nil, memory: inout Memory
    ) async throws(Failure) -> Desired {
        guard let pin = application.pin, revision == nil else {
            if let url = try? RepositoryURL(application.application.source.repository),
                let failure = await state.fetchFailure(of: url.normalized)
            {
                throw failure
            }
            let located = try await rendering.locate(application.application, revision: revision)
            return try await desired(located, application, revision: revision, memory: &memory)
        }
        if let released = try await release(pin, application, memory: &memory) { return released }
        return try await pinned(pin, application, memory: &memory)
    }

    /// The desired manifests of a located commit, from memory when nothing they depend on has changed.
    private func desired(
        _ located: Rendering.Located, _ application: RegisteredApplication, revision: String?, memory: inout Memory
    ) async throws(Failure) -> Desired {
        let key = Memory.DesiredKey(
            inputs: located.inputs.fingerprint, commit: located.commit.id, changedBy: application.changedBy, pinned: nil
        )
        if let known = memory.desired, known.key == key { return known.value }
        let rendered: Rendered
        if let known = memory.rendered, known.inputs == located.inputs {
            rendered = known.result
        } else {
            rendered = try await rendering.render(located, application.application)
            memory.rendered = (located.inputs, rendered)
        }
        if let deployed = memory.deployed?.commit {
            try await rendering.refuseLost(rendered.ignored, since: deployed, located, application.application)
        }
        let catalog = try await connections.cluster(for: application).catalog(refresh: false)
        let (resources, warnings) = try Rendering.settle(
            rendered.resources, in: application.application, uid: application.uid, catalog: catalog)
        let notes = try await registry.admit(resources, of: application)
        let source = application.application.source
        let desired = Desired(
            resources: resources, digest: try ledger.digest(of: resources),
            source: RevisionSource(
                repository: located.url.display, path: source.path, targetRevision: revision ?? source.targetRevision,
                commit: located.commit,
                previousCommit: memory.deployed?.commit == located.commit.id ? nil : memory.deployed?.commit),
            inputs: located.inputs, warnings: rendered.warnings + warnings + notes)
        if revision == nil { memory.desired = (key, desired) }
        return desired
    }

    /// The manifests a pin enforces, as they were stored; Git may be gone.
    private func pinned(
        _ pin: Pin, _ application: RegisteredApplication, memory: inout Memory
    ) async throws(Failure) -> Desired {
        let key = Memory.DesiredKey(
            inputs: pin.leftInputs ?? "", commit: pin.commit, changedBy: application.changedBy, pinned: pin.desired)
        if let known = memory.desired, known.key == key { return known.value }
        guard let resources = try await ledger.manifestsForCluster(pin.desired) else {
            throw Failure(
                "ledger.manifests-missing", "the manifests of \(pin.target) are not in the ledger",
                remedy: "run `shiplog ledger verify`")
        }
        var source: RevisionSource?
        if case .revision(let stored)? = try await ledger.record(at: pin.target) { source = stored.revision.source }
        let desired = Desired(resources: resources, digest: pin.desired, source: source, inputs: nil, warnings: [])
        memory.desired = (key, desired)
        return desired
    }

    /// Lets a pin go when the source has brought something that was not rejected; nil while the pin holds.
    private func release(
        _ pin: Pin, _ application: RegisteredApplication, memory: inout Memory
    ) async throws(Failure) -> Desired? {
        let located: Rendering.Located
        let candidate: Desired
        do throws(Failure) {
            // With Git out of reach, a commit that cannot be rendered, or a source that is no longer permitted, the pinned
            // state goes on being enforced.
            try await checkSource(of: application.withoutPin)
            located = try await rendering.locate(application.application)
            memory.unseen = located.commit
            let fingerprint = located.inputs.fingerprint
            if pin.leftInputs == Pin.unseenInputs {
                try await ledger.setPin(
                    .set(pin.leaving(fingerprint)), of: application.uid,
                    event: Event(
                        .pinned, application: application.reference, actor: .controller, revision: pin.target,
                        facts: [
                            "hold": .string(pin.hold.rawValue), "why": "the source that a parent gave it was reached"
                        ]))
                return nil
            }
            guard PinPolicy.look(at: fingerprint, pin: pin, knownRejected: memory.rejectedInputs) == .render else {
                return nil
            }
            var scratch = memory
            candidate = try await desired(located, application, revision: nil, memory: &scratch)
            guard PinPolicy.judge(candidate.digest, pin: pin) == .release else {
                if memory.rejectedInputs.count >= 100 { memory.rejectedInputs = [] }
                memory.rejectedInputs.insert(fingerprint)
                return nil
            }
        } catch {
            return nil
        }
        try await ledger.setPin(
            .release, of: application.uid,
            event: Event(
                .unpinned, application: application.reference, actor: .controller, revision: pin.target,
                facts: [
                    "commit": .string(located.commit.id.hex), "desired": .string(candidate.digest.description),
                    "why": "a new commit renders to something that was not rolled back from"
                ]))
        logger.info(
            "pin released", metadata: ["application": "\(application.name)", "commit": "\(located.commit.id.short)"])
        return candidate
    }

    func policy(for application: RegisteredApplication, prune: Bool, options: OperationOptions? = nil) -> PlanPolicy {
        var policy = PlanPolicy(owner: application.uid)
        policy.prune = prune
        policy.allowEmpty = application.application.syncPolicy.automated?.allowEmpty ?? false
        policy.replace = options?.replace ?? false
        policy.confirmDestructive = options?.confirmDestructive ?? true
        policy.runsHooks = application.pin == nil
        policy.objects = application.application.syncPolicy.options.objects
        // Going back must not scale a workload to the number of then, neither at once nor while the pin is enforced.
        policy.leaveReplicasToAutoscaler = application.pin != nil
        return policy
    }

    func compare(
        _ desired: Desired, _ application: RegisteredApplication, _ connection: Connection, _ policy: PlanPolicy,
        memory: inout Memory
    ) async throws(Failure) -> Comparison {
        let version = await connection.mirror.version(of: application.uid)
        if let key = memory.desired?.key, memory.desired?.value.digest == desired.digest,
            let known = memory.comparison,
            known.key == Memory.ComparisonKey(desired: key, mirrorVersion: version, policy: policy)
        {
            return known.value
        }
        let comparison = try await Comparer(ledger: ledger, settings: settings).compare(
            desired.resources, of: application, catalog: connection.catalog, mirror: connection.mirror.base,
            policy: policy, cache: &memory.cache)
        memory.comparison = nil
        if let key = memory.desired?.key, memory.desired?.value.digest == desired.digest,
            comparison.plan.syncStatus != .unknown
        {
            memory.comparison = (
                Memory.ComparisonKey(desired: key, mirrorVersion: comparison.mirrorVersion, policy: policy),
                comparison
            )
        }
        return comparison
    }

    private func decide(
        _ application: RegisteredApplication, _ desired: Desired, _ comparison: Comparison, _ memory: Memory
    ) -> AutomationPolicy.Decision {
        guard comparison.plan.syncStatus != .unknown, comparison.plan.blockers.isEmpty else { return .leave }
        return automation(application).decide(
            desired: desired.digest, deployed: memory.deployed?.desired, hasChanges: comparison.plan.hasChanges,
            isContested: isContested(memory), trials: memory.trials, now: Monotonic.milliseconds)
    }

    func automation(_ application: RegisteredApplication) -> AutomationPolicy {
        AutomationPolicy(application.application.syncPolicy, settings: settings)
    }

    func isContested(_ memory: Memory) -> Bool {
        guard memory.trials.heals >= settings.contestLimit, let last = memory.trials.lastHealAt else { return false }
        return Monotonic.milliseconds - last < settings.contestWindow
    }

    private func retryDelay(_ memory: Memory) -> Int64 {
        max(0, memory.trials.notBefore - Monotonic.milliseconds)
    }

    static func deployed(_ revision: Revision, _ sequence: SequenceNumber) -> ApplicationStatus.Deployed {
        ApplicationStatus.Deployed(
            sequence: sequence, kind: revision.kind, commit: revision.source?.commit.id,
            subject: revision.source?.commit.subject, desired: revision.desired, actor: revision.actor.name,
            cause: revision.cause, finishedAt: revision.finishedAt)
    }
}
