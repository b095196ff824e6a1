import GitSource
import LedgerStore
import Logging
import Shiplog

/// What a person asked for, carried out by a worker.
extension Controller {
    func carryOut(_ operation: Operation, memory: inout Memory) async {
        guard operation.kind != .refresh else { return }
        do throws(Failure) {
            guard let uid = await board.status(named: operation.application)?.registered.uid,
                let application = try await ledger.application(uid: uid)
            else { throw Self.notFound(operation.application) }
            guard let request = await state.takeRequest(for: operation.id) else {
                throw Failure("operation.lost", "what was asked for is no longer known", remedy: "ask again")
            }
            await board.setActivity(.applying, of: uid)
            let prepared: Prepared
            switch request {
            case .sync(let request): prepared = try await prepare(request, application, operation, memory: &memory)
            case .rollback(let request): prepared = try await prepare(request, application, operation, memory: &memory)
            }
            // Planned in full before the first write: what cannot be done, and what cannot be known.
            let plan = prepared.comparison.plan
            if let failure = plan.blockers.first ?? plan.firstUnknown { throw failure }
            let goal = try await permitted(prepared, application, request)
            let (sequence, _, outcome) = try await reconciler.carryOut(
                goal, prepared.comparison.plan, application, prepared.connection, memory: &memory,
                onAttempt: { [board] attempt in
                    var running = operation
                    running.state = .running(attempt: attempt)
                    await board.set(running)
                })
            var done = operation
            done.state = .finished(revision: sequence, outcome: outcome.word)
            // Whoever is told that it ended may ask at once what is deployed now.
            await state.setMemory(memory, of: uid)
            await board.set(done)
        } catch {
            if Task.isCancelled, Interruption.current?.isSuperseded == true {
                await supersede(operation)
            } else {
                await refuse(operation, error)
            }
        }
    }

    static let moved = Failure(
        "rollback.moved", "something else has been deployed since the plan was shown", remedy: "look at the plan again")

    /// A goal, and the comparison its plan comes from.
    struct Prepared: Sendable {
        let goal: Reconciler.Goal
        var comparison: Comparison
        let connection: Connection
        var notes: [String] = []
        var target: SequenceNumber?
    }

    func prepare(
        _ request: SyncRequest, _ application: RegisteredApplication, _ operation: Operation, memory: inout Memory
    ) async throws(Failure) -> Prepared {
        if request.revision != nil, application.application.syncPolicy.automated != nil {
            throw Failure(
                "sync.revision-while-automated",
                "\(application.name) syncs by itself: another revision would be replaced at once",
                remedy: "turn automated sync off first, or roll back with `shiplog app rollback`, which pins")
        }
        // What holds a pinned application in its place is a pin for the selected resources too: it stays.
        let isPartial = !request.resources.isEmpty
        if isPartial, request.revision != nil, let pin = application.pin {
            throw Failure(
                "sync.partial-while-pinned",
                "\(application.name) is pinned to \(pin.target): parts of another revision would be taken back at once",
                remedy: "leave the revision out, or unpin the application first")
        }
        try await reconciler.load(application, into: &memory)
        try await reconciler.checkSource(of: application.withoutPin)
        try await fetchFirst(application)
        let unpinned = isPartial ? application : application.withoutPin
        let desired = try await reconciler.produce(for: unpinned, revision: request.revision, memory: &memory)
        var options = OperationOptions(
            prune: request.prune ?? application.application.syncPolicy.automated?.prune ?? false,
            dryRun: request.dryRun, replace: request.replace, confirmDestructive: request.confirmDestructive)
        let connection = try await connections.connect(application)
        var policy = reconciler.policy(for: application, prune: options.prune, options: options)
        // A sync prunes what Git no longer has, as Argo CD does; only a rollback wants the word of confirmation.
        policy.confirmDestructive = true
        policy.runsHooks = !isPartial
        var comparison = try await reconciler.compare(desired, unpinned, connection, policy, memory: &memory)
        var restIsSynced = true
        if isPartial {
            options.resources = try comparison.plan.keys(of: request.resources)
            restIsSynced = comparison.plan.isSynced(without: options.resources)
            comparison = comparison.with(comparison.plan.selecting(options.resources))
        }
        options.hooks = !comparison.plan.hooks.isEmpty
        let goal = Reconciler.Goal(
            kind: .sync, cause: .manual, actor: operation.actor, reason: request.reason, ticket: request.ticket,
            desired: desired, options: options, pin: application.pin == nil || isPartial ? nil : .release,
            restIsSynced: restIsSynced, startedAt: now())
        return Prepared(goal: goal, comparison: comparison, connection: connection)
    }

    func prepare(
        _ request: RollbackRequest, _ application: RegisteredApplication, _ operation: Operation, memory: inout Memory
    ) async throws(Failure) -> Prepared {
        try await reconciler.load(application, into: &memory)
        let current = application.pin?.desired ?? memory.deployed?.desired
        if let expected = request.ifDesired, expected != current {
            throw Self.moved
        }
        let target = try await RollbackTarget.choose(request.target, for: application, current: current, in: ledger)
        let stored =
            request.keepSecrets
            ? try await ledger.manifestsBesideErased(target.desired)
            : try await ledger.manifestsForCluster(target.desired).map { ($0, []) }
        guard var resources = stored?.resources else {
            throw Failure(
                "ledger.manifests-missing", "the manifests of \(target.stored.sequence) are not in the ledger",
                remedy: "run `shiplog ledger verify`")
        }
        // What another application had applied carries that one's marks.
        if case .former = request.target { resources = resources.map { Ownership.mark($0, as: application.uid) } }
        let connection = try await connections.connect(application)
        var notes = target.notes
        if target.desired == current { notes.append("these are the manifests that are enforced now") }
        if request.keepSecrets {
            let kept = resources.filter(\.isSecret).map(\.key)
            if !kept.isEmpty {
                notes.append("Secrets stay as they are: " + kept.map(\.description).joined(separator: ", "))
            }
            resources = try await keepSecrets(resources, stored?.erased ?? [], connection)
        }
        let digest = try ledger.digest(of: resources)
        let desired = Desired(
            resources: resources, digest: digest, source: target.stored.revision.source, inputs: nil, warnings: [])
        let runsHooks = request.hooks || application.application.rollsBackWithHooks
        var options = OperationOptions(
            prune: request.prune ?? application.application.syncPolicy.automated?.prune ?? false,
            dryRun: request.dryRun, replace: request.replace, confirmDestructive: request.confirmDestructive,
            keepSecrets: request.keepSecrets, hooks: runsHooks && request.reactsTo == nil, hold: request.hold)
        options.reactsTo = request.reactsTo
        var policy = reconciler.policy(for: application, prune: options.prune, options: options)
        policy.leaveReplicasToAutoscaler = true
        policy.runsHooks = options.hooks
        memory.comparison = nil
        var comparison = try await reconciler.compare(desired, application, connection, policy, memory: &memory)
        let findings: Rehearsal.Findings
        (comparison, findings) = await rehearse(
            comparison, of: application, connection, replace: request.replace, memory)
        notes += findings.notes
        let pin = Pin(
            hold: request.hold, target: target.stored.sequence, desired: digest,
            commit: target.stored.revision.source?.commit.id,
            // What was judged, and not what has come since.
            leftInputs: request.reactsTo == nil ? await leftInputs(application) : memory.judgedInputs,
            rejected: rejected(application, memory, target: digest))
        let goal = Reconciler.Goal(
            kind: .rollback, cause: request.reactsTo == nil ? .manual : .unhealthy, actor: operation.actor,
            reason: request.reason, ticket: request.ticket,
            desired: desired, options: options, rolledBackTo: target.stored.sequence, pin: .set(pin),
            group: request.group, isRehearsed: true, startedAt: now())
        return Prepared(
            goal: goal, comparison: comparison, connection: connection, notes: notes, target: target.stored.sequence)
    }

    /// A sync takes what the repository has now. With the repository out of reach it takes what was fetched before, if
    /// that has the revision; whoever asks for the revision is told then.
    private func fetchFirst(_ application: RegisteredApplication) async throws(Failure) {
        let url = try RepositoryURL(application.application.source.repository)
        do throws(Failure) {
            _ = try await repositories.fetch(url)
            await state.setFetchFailure(nil, of: url.normalized)
        } catch {
            if Task.isCancelled { throw error }
            await state.setFetchFailure(error, of: url.normalized)
            logger.warning("fetch failed", metadata: ["repository": "\(url.display)", "code": "\(error.code)"])
        }
    }

    /// What the rollback turns away from: everything that must not come back by itself.
    private func rejected(_ application: RegisteredApplication, _ memory: Memory, target: Digest) -> [Digest] {
        var rejected = application.pin?.rejected ?? []
        for digest in [
            application.pin?.desired, memory.deployed?.desired, memory.trials.desired, memory.desired?.value.digest
        ] {
            if let digest, digest != target, !rejected.contains(digest) { rejected.append(digest) }
        }
        return Array(rejected.filter { $0 != target }.suffix(20))
    }

    private func leftInputs(_ application: RegisteredApplication) async -> String? {
        do throws(Failure) {
            return try await reconciler.rendering.locate(application.application).inputs.fingerprint
        } catch {
            return application.pin?.leftInputs
        }
    }

    /// `--keep-secrets`: Secrets that are there keep their values; those that are gone come back.
    /// - Throws: `ledger.value-erased` for one that is gone and whose values were erased.
    private func keepSecrets(
        _ resources: [Resource], _ erased: Set<ResourceKey>, _ connection: Connection
    ) async throws(Failure) -> [Resource] {
        var kept: [Resource] = []
        for resource in resources {
            guard resource.isSecret,
                let live = try await connection.cluster.get(
                    try connection.catalog.served(resource.gvk), namespace: resource.namespace, name: resource.name)
            else {
                guard !erased.contains(resource.key) else {
                    throw Failure(
                        .ledgerValueErased,
                        "values of \(resource.key) were erased, and it is not in the cluster either",
                        remedy: "make it in the cluster first, or roll back to a revision after the erasure")
                }
                kept.append(resource)
                continue
            }
            var copy = resource
            copy.set(live.object["data"], at: "data")
            kept.append(copy)
        }
        return kept
    }

    /// Before the first write of a rollback, and for a plan, the server is asked about each: what it would refuse becomes
    /// `cannot`.
    func rehearse(
        _ comparison: Comparison, of application: RegisteredApplication, _ connection: Connection, replace: Bool,
        _ memory: Memory
    ) async -> (Comparison, Rehearsal.Findings) {
        let findings = await Rehearsal(
            cluster: connection.cluster, catalog: connection.catalog, parallel: settings.parallelWrites
        ).run(
            comparison.plan, hooks: [], known: memory.cache,
            bringing: application.application.syncPolicy.options.createNamespace
                ? application.application.destination.namespace : nil)
        let changes = comparison.plan.changes.map { change in
            findings.refusals[change.key].map { judge(change, $0, replace: replace) } ?? change
        }
        return (comparison.with(comparison.plan.with(changes: changes)), findings)
    }

    private func judge(_ change: PlannedChange, _ failure: Failure, replace: Bool) -> PlannedChange {
        guard failure.code == .clusterImmutable else { return change.with(.cannot(failure)) }
        if replace, let live = change.live, let resource = change.written {
            return change.with(.replace(resource, live: live))
        }
        return change.with(
            .cannot(Failure(failure.code, failure.message, remedy: "add --replace to delete and create it again")))
    }

    // MARK: - How operations end without a revision

    /// - Parameter endsActivity: false when something else goes on for the application.
    func refuse(_ operation: Operation, _ failure: Failure, endsActivity: Bool = true) async {
        _ = await state.takeRequest(for: operation.id)
        var refused = operation
        refused.state = .refused(failure)
        await board.set(refused)
        let status = await board.status(named: operation.application)
        let event = Event(
            .requestRefused, application: status?.registered.reference, actor: operation.actor, outcome: "refused",
            facts: [
                "operation": .string(operation.kind.rawValue), "code": .string(failure.code.rawValue),
                "application": .string(operation.application)
            ], detail: ["message": .string(failure.message)])
        do throws(Failure) { try await ledger.record(event) } catch {
            logger.error("a refusal could not be recorded", metadata: ["code": "\(error.code)"])
        }
        if endsActivity, let uid = status?.registered.uid { await board.setActivity(.idle, of: uid) }
    }

    func join(
        _ refresh: Operation, _ application: ApplicationReference, answeredBy revision: SequenceNumber
    ) async {
        let event = Event(
            .operationJoined, application: application, actor: refresh.actor, revision: revision,
            facts: ["operation": .string(refresh.kind.rawValue)])
        do throws(Failure) { try await ledger.record(event) } catch {
            logger.error("a refresh could not be recorded", metadata: ["code": "\(error.code)"])
        }
    }

    func supersede(_ operation: Operation) async {
        await refuse(
            operation, Failure("operation.superseded", "something newer was asked for", next: .superseded))
    }

    func requeue(_ operation: Operation, _ uid: ApplicationUID) async {
        var reasons = WorkQueue.Reasons()
        reasons.operations = [operation]
        await queue.put(uid, reasons, afterMilliseconds: 5000)
    }
}

extension RegisteredApplication {
    var withoutPin: RegisteredApplication {
        RegisteredApplication(
            uid: uid, application: application, createdAt: createdAt, changedBy: changedBy, pin: nil,
            clusterUID: clusterUID)
    }
}

extension Comparison {
    func with(_ plan: Plan) -> Comparison {
        Comparison(
            plan: plan, live: live, liveDigest: liveDigest, health: health, healthMessage: healthMessage,
            resources: resources, mirrorVersion: mirrorVersion)
    }
}
