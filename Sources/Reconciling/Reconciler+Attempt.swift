import LedgerStore
import Logging
import Shiplog

/// Carrying a plan out: intent before action, and one row at the end.
extension Reconciler {
    /// - Parameter onAttempt: told as soon as the intent is durable.
    /// - Returns: the revision, the failure that ended it early if one did, and the outcome it records.
    /// - Throws: what kept it from beginning; then nothing was written, to the cluster or the ledger.
    func carryOut(
        _ goal: Goal, _ plan: Plan, _ application: RegisteredApplication, _ earlier: Connection, memory: inout Memory,
        onAttempt: @Sendable (SequenceNumber) async -> Void
    ) async throws(Failure) -> (SequenceNumber, Failure?, Revision.Outcome) {
        let connection = try await connections.connect(application, anew: true)
        let hold = try await leases.ensure(connection.cluster)
        if application.clusterUID == nil, let uid = connection.reference.uid {
            try await ledger.acceptCluster(uid, for: application.uid, actor: .controller)
        }
        if Task.isCancelled {
            throw Failure("operation.cancelled", "it was cancelled before it began", next: .superseded)
        }
        let attempt = try await ledger.begin(
            Intent(
                kind: goal.kind, application: application.reference, cluster: connection.reference, cause: goal.cause,
                actor: goal.actor, reason: goal.reason, ticket: goal.ticket, source: goal.desired.source,
                inputs: goal.desired.inputs?.fingerprint, resources: goal.desired.resources,
                prunes: plan.changes.filter(\.isPrune).map(\.key), options: goal.options,
                rolledBackTo: goal.rolledBackTo, retry: goal.retry, pin: goal.pin, group: goal.group,
                startedAt: goal.startedAt))
        logger.info(
            "attempt started",
            metadata: [
                "application": "\(application.name)", "kind": "\(goal.kind.rawValue)",
                "cause": "\(goal.cause.rawValue)",
                "sequence": "\(attempt.sequence.value)"
            ].merging(Self.request(of: goal.actor)) { $1 })
        await onAttempt(attempt.sequence)
        return try await finish(attempt, goal, plan, application, connection, hold, memory: &memory)
    }

    /// What was to be created and was not: nothing of it is Healthy.
    private static func missing(_ plan: Plan, without parts: [Health.Part]) -> [Health.Part] {
        let there = Set(parts.map(\.key))
        return plan.changes.compactMap { change in
            guard case .create = change.action, !there.contains(change.key) else { return nil }
            return Health.Part(key: change.key, state: .missing)
        }
    }

    /// Applies what an open attempt promised and closes it: the running loop and recovery both end here.
    func finish(
        _ attempt: Attempt, _ goal: Goal, _ plan: Plan, _ application: RegisteredApplication, _ connection: Connection,
        _ hold: LeaseHold, memory: inout Memory
    ) async throws(Failure) -> (SequenceNumber, Failure?, Revision.Outcome) {
        Interruption.current?.beginApplying()
        let connection = connection.guarded(by: gate(goal, application, connection))
        let applying = Applying(
            ledger: ledger, settings: settings, mirror: connection.mirror, catalog: connection.catalog, hold: hold,
            uid: application.uid, propagation: application.application.syncPolicy.options.prunePropagation,
            parallelWrites: settings.parallelWrites, attempt: attempt.sequence,
            commit: goal.desired.source?.commit.id, startedAt: attempt.intent.startedAt,
            waitsForHealth: goal.waitsForHealth,
            confirmations: Confirmations(ledger: ledger, state: state, uid: application.uid, attempt: attempt.sequence),
            tell: { [state] in await state.setWaiting($0, of: application.uid) })
        // What has ended is let go whatever the windows say by then.
        let objects = HookObjects(mirror: connection.mirror.outsideWindows, hold: hold, rules: settings.health)
        var result = Applying.Result()
        var warnings: [String] = []
        do throws(Failure) {
            try hold.check()
            if let namespace = try await createNamespace(for: application, goal, connection, hold) {
                result.outcomes.append(namespace)
                if namespace.action == .created { result.counts.created += 1 }
            }
            await tidyHooks(of: application, connection, objects, except: attempt.sequence)
            let rehearsal = try await rehearse(plan, goal, connection, attempt, memory.cache)
            warnings = rehearsal.notes
            let applied =
                rehearsal.refusals.isEmpty ? await applying.apply(plan) : applying.refused(plan, rehearsal.refusals)
            let (outcomes, counts) = (result.outcomes + applied.outcomes, applied.counts + result.counts)
            result = applied
            (result.outcomes, result.counts) = (outcomes, counts)
        } catch {
            result.failure = error
        }
        if result.isInterrupted {
            // A stop of the whole process leaves the attempt open: recovery finishes it. Being superseded closes it.
            guard Interruption.current?.isSuperseded == true else {
                throw Failure("operation.interrupted", "the server stopped before it ended", next: .superseded)
            }
        }
        let outcome = outcome(of: result)
        // As the writes' answers show it: controllers in the cluster have hardly begun. Reaching Healthy is an event.
        let health = Health.aggregate(
            result.parts + Self.missing(plan, without: result.parts), rules: settings.health
        ).status
        let revision = Revision(
            kind: goal.kind, application: application.reference, cluster: connection.reference, cause: goal.cause,
            actor: goal.actor, reason: goal.reason, ticket: goal.ticket, source: goal.desired.source,
            desired: attempt.desired, liveBefore: try ledger.digest(of: plan.liveResources.map(Comparer.comparable)),
            resources: result.outcomes, counts: result.counts, options: goal.options, outcome: outcome,
            syncStatus: outcome == .succeeded && result.counts.leftover == 0 && goal.restIsSynced
                ? .synced : .outOfSync, health: health,
            rolledBackTo: goal.rolledBackTo, attempt: attempt.sequence, retry: goal.retry, startedAt: goal.startedAt,
            finishedAt: now(), inputs: goal.desired.inputs?.fingerprint,
            warnings: goal.desired.warnings + plan.warnings + warnings
        )
        let sequence = try await ledger.finish(attempt, revision, pin: nil)
        if let failure = result.failure { await tell(failure, of: application, cause: goal.cause, revision: sequence) }
        // Not before: until the row is durable, a hook's object is what recovery knows it by.
        for failure in await objects.settle(result.hooks) { note(failure, application) }
        remember(revision, sequence, goal, result.failure, application, memory: &memory)
        return (sequence, result.failure, outcome)
    }

    /// Hooks that a process which died left held: the row about them is written, or they are nobody's.
    func tidyHooks(
        of application: RegisteredApplication, _ connection: Connection, _ objects: HookObjects,
        except attempt: SequenceNumber? = nil
    ) async {
        let held = await connection.mirror.objects(of: application.uid).values.filter {
            $0.isHeldHook && $0.hookAttempt != attempt && Ownership.of($0, for: application.uid) == .ours
        }
        guard !held.isEmpty else { return }
        for failure in await objects.settle(leftovers: held, catalog: connection.catalog) { note(failure, application) }
    }

    private func note(_ failure: Failure, _ application: RegisteredApplication) {
        logger.warning(
            "a hook could not be let go",
            metadata: ["application": "\(application.name)", "code": "\(failure.code)"])
    }

    private func outcome(of result: Applying.Result) -> Revision.Outcome {
        if result.isInterrupted { return .superseded("something newer was asked for while it ran") }
        guard let failure = result.failure else { return .succeeded }
        return .failed(failure)
    }

    private func remember(
        _ revision: Revision, _ sequence: SequenceNumber, _ goal: Goal, _ failure: Failure?,
        _ application: RegisteredApplication, memory: inout Memory
    ) {
        memory.comparison = nil
        memory.lastRow = nil
        if revision.options.isPartial {
            // No word on the whole: neither on what is deployed nor on what was tried. Health reached after it is not the
            // earlier revision's merit, unless only that one's own manifests were applied again.
            if revision.desired != memory.deployed?.desired { memory.awaiting = nil }
        } else if revision.outcome == .succeeded {
            memory.deployed = Self.deployed(revision, sequence)
            memory.awaiting = (sequence, ContinuousClock.now, nil)
        } else {
            // What is Healthy from here on is no longer the doing of an earlier one.
            memory.awaiting = nil
        }
        if !revision.options.isPartial, let digest = revision.desired {
            // A window that closed says nothing about the manifests: no try is used up.
            memory.trials = automation(application).after(
                memory.trials, desired: digest, cause: goal.cause,
                failure: failure?.code == .windowClosed ? nil : failure, now: Monotonic.milliseconds)
        }
        let metadata: Logger.Metadata = [
            "application": "\(application.name)", "sequence": "\(sequence.value)",
            "outcome": "\(revision.outcome.word)", "kind": "\(revision.kind.rawValue)"
        ].merging(Self.request(of: goal.actor)) { $1 }
        if let failure {
            logger.warning("revision recorded", metadata: metadata.merging(["code": "\(failure.code)"]) { $1 })
        } else {
            logger.info("revision recorded", metadata: metadata)
        }
    }

    /// What joins a line of the loop with the line of the request that set it off.
    private static func request(of actor: Actor) -> Logger.Metadata {
        actor.requestID.map { ["request": "\($0)"] } ?? [:]
    }

    /// `CreateNamespace=true`: makes the destination's namespace when it is missing. It is not the application's own,
    /// so it is never pruned.
    private func createNamespace(
        for application: RegisteredApplication, _ goal: Goal, _ connection: Connection, _ hold: LeaseHold
    ) async throws(Failure) -> ResourceOutcome? {
        let name = application.application.destination.namespace
        guard application.application.syncPolicy.options.createNamespace, !name.isEmpty,
            !goal.desired.resources.contains(where: { $0.gvk.kind == "Namespace" && $0.name == name })
        else { return nil }
        let kind = try connection.catalog.served(GroupVersionKind(group: "", version: "v1", kind: "Namespace"))
        let metadata = application.application.namespaceMetadata
        if let existing = try await connection.cluster.get(kind, namespace: "", name: name) {
            guard existing.isBeingDeleted else {
                return try await manageNamespace(existing, metadata, as: kind, connection, hold)
            }
            throw Failure(
                "cluster.namespace-terminating", "the namespace \(name) is being deleted",
                remedy: "wait until it is gone, or clear what its finalizers wait for",
                next: .retry(afterMilliseconds: nil))
        }
        let namespace = try Self.namespace(name, metadata)
        do throws(Failure) {
            let cluster = connection.cluster
            _ = try await hold.during { () async throws(Failure) in
                metadata == Application.NamespaceMetadata()
                    ? try await cluster.create(namespace, as: kind, WriteOptions())
                    : try await cluster.apply(namespace, as: kind, WriteOptions())
            }
        } catch {
            guard error.code == .clusterAlreadyExists else { throw error }
            return nil
        }
        return ResourceOutcome(
            key: namespace.key, apiVersion: "v1", action: .created, phase: .preSync,
            message: "CreateNamespace=true; never pruned")
    }

    private static func namespace(
        _ name: String, _ metadata: Application.NamespaceMetadata
    ) throws(Failure) -> Resource {
        var namespace = try Resource(["apiVersion": "v1", "kind": "Namespace", "metadata": ["name": .string(name)]])
        for (key, value) in metadata.labels { namespace.set(.string(value), at: "metadata", "labels", key) }
        for (key, value) in metadata.annotations { namespace.set(.string(value), at: "metadata", "annotations", key) }
        return namespace
    }

    /// `managedNamespaceMetadata` of a namespace that is there. Labels and annotations of others stay; what was managed
    /// and is not any more goes, as the apply leaves it out.
    private func manageNamespace(
        _ existing: Resource, _ metadata: Application.NamespaceMetadata, as kind: ServedKind, _ connection: Connection,
        _ hold: LeaseHold
    ) async throws(Failure) -> ResourceOutcome? {
        guard metadata != Application.NamespaceMetadata() else { return nil }
        let namespace = try Self.namespace(existing.name, metadata)
        guard Difference.compare(desired: namespace, live: existing) != .same else { return nil }
        let cluster = connection.cluster
        _ = try await hold.during { () async throws(Failure) in
            try await cluster.apply(namespace, as: kind, WriteOptions())
        }
        return ResourceOutcome(
            key: namespace.key, apiVersion: "v1", action: .updated, phase: .preSync, message: "managedNamespaceMetadata"
        )
    }
}

/// Why a worker's task was cancelled: something newer, or the end of the process.
final class Interruption: Sendable {
    @TaskLocal static var current: Interruption?
    /// What the worker was given to carry out.
    let operations: Set<String>
    private let state = Flag()
    private let applying = Flag()
    private let lent = Flag()
    private let lend: @Sendable () async -> Void

    /// - Parameter lend: lets another worker begin while this one waits.
    init(operations: Set<String> = [], lend: @escaping @Sendable () async -> Void = {}) {
        self.operations = operations
        self.lend = lend
    }

    /// Waiting for the cluster takes no worker's place from other applications. Once is enough: the place is not taken back.
    func lendPlace() async {
        guard !lent.isSet else { return }
        lent.set()
        await lend()
    }

    var hasLentPlace: Bool { lent.isSet }

    var isSuperseded: Bool { state.isSet }
    func supersede() { state.set() }

    /// Whether there is a sync or rollback to end: a mere look is none.
    var isApplying: Bool { applying.isSet }
    func beginApplying() { applying.set() }
}

extension Revision.Counts {
    static func + (left: Revision.Counts, right: Revision.Counts) -> Revision.Counts {
        var sum = left
        sum.created += right.created
        sum.updated += right.updated
        sum.unchanged += right.unchanged
        sum.pruned += right.pruned
        sum.failed += right.failed
        sum.leftover += right.leftover
        return sum
    }
}
