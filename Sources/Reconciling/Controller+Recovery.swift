import LedgerStore
import Logging
import Shiplog

/// Attempts that were open when the process began end here, through the same code as any other.
extension Controller {
    /// Finishes an attempt from the manifests stored with it, never from today's HEAD.
    ///
    /// - Returns: false when it has to be tried again later: the cluster cannot be reached, and the attempt stays open.
    func recover(
        _ attempt: Attempt, _ application: RegisteredApplication, memory: inout Memory
    ) async throws(Failure) -> Bool {
        let uid = application.uid
        try await reconciler.load(application, into: &memory)
        if let why = Self.superseded(attempt, by: application) {
            try await close(attempt, as: .superseded(why))
            await state.closed(uid)
            return true
        }
        guard let resources = try await ledger.manifestsForCluster(attempt.desired) else {
            let failure = Failure(
                "ledger.manifests-missing", "the manifests of attempt \(attempt.sequence) are not in the ledger",
                remedy: "run `shiplog ledger verify`")
            try await close(attempt, as: .failed(failure))
            await state.closed(uid)
            return true
        }
        let intent = attempt.intent
        let desired = Desired(
            resources: resources, digest: attempt.desired, source: intent.source, inputs: nil, warnings: [])
        let goal = Reconciler.Goal(
            kind: intent.kind, cause: intent.cause, actor: intent.actor, reason: intent.reason, ticket: intent.ticket,
            desired: desired, options: intent.options, rolledBackTo: intent.rolledBackTo, retry: intent.retry,
            waitsForHealth: intent.options.deletion == nil,
            isOutsideWindows: try await wasOverridden(attempt) || intent.options.deletion != nil,
            startedAt: intent.startedAt)
        do throws(Failure) {
            let connection = try await connections.connect(application, anew: true)
            let hold = try await leases.ensure(connection.cluster)
            var policy = reconciler.policy(for: application, prune: intent.options.prune, options: intent.options)
            policy.runsHooks = intent.options.hooks
            policy = Self.resumed(policy, by: intent)
            memory.comparison = nil
            let comparison = try await reconciler.compare(desired, application, connection, policy, memory: &memory)
            if comparison.plan.syncStatus == .unknown, !intent.options.isPartial,
                let failure = comparison.plan.firstUnknown
            {
                throw failure
            }
            var plan = Self.promised(comparison.plan, by: intent)
            var goal = goal
            if intent.options.isPartial {
                goal.restIsSynced = plan.isSynced(without: intent.options.resources)
                plan = plan.selecting(intent.options.resources)
            }
            try await reconciler.checkRules(plan, intent.source, application, connection)
            let (sequence, _, _) = try await reconciler.finish(
                attempt, goal, plan, application, connection, hold, memory: &memory)
            logger.notice(
                "attempt recovered", metadata: ["attempt": "\(attempt.sequence.value)", "sequence": "\(sequence.value)"]
            )
        } catch {
            // A lease of a writer that is gone runs out; until then everything else waits behind this attempt.
            let patience = error.code == "cluster.leased" ? 30 : 3
            if error.isTransient, !Task.isCancelled, await tries(of: uid) < patience {
                logger.warning(
                    "recovery waits", metadata: ["attempt": "\(attempt.sequence.value)", "code": "\(error.code)"])
                await say(error, of: uid)
                return false
            }
            if Task.isCancelled, Interruption.current?.isSuperseded != true { return false }
            let outcome: Revision.Outcome =
                Task.isCancelled ? .superseded("something newer was asked for before it was recovered") : .failed(error)
            try await close(attempt, as: outcome)
        }
        await state.closed(uid)
        if intent.options.deletion != nil { try await finishDeletion(of: application) }
        return true
    }

    /// What recovery waits for is said where people look: nothing else is done with the application before. The next look
    /// makes its conditions anew.
    private func say(_ failure: Failure, of uid: ApplicationUID) async {
        guard var status = await board.status(uid), !status.conditions.contains(where: { $0.code == failure.code })
        else { return }
        status.conditions.append(ApplicationStatus.Condition(failure, since: now()))
        await board.set(status)
    }

    /// What nobody had promised to delete before the crash is not deleted after it.
    private static func promised(_ plan: Plan, by intent: Intent) -> Plan {
        let prunes = Set(intent.prunes)
        return plan.with(
            changes: plan.changes.map { change in
                guard case .prune(let object) = change.action, !prunes.contains(change.key) else { return change }
                let why = "no longer desired; the attempt had not promised to prune it"
                return change.with(.leftover(object, why: why))
            })
    }

    /// An attempt of an application that was deleted meanwhile.
    func closeOrphan(_ attempt: Attempt) async {
        do throws(Failure) {
            try await close(attempt, as: .superseded("the application was deleted"))
        } catch {
            logger.error("an attempt could not be closed", metadata: ["code": "\(error.code)"])
        }
        await state.closed(attempt.intent.application.uid)
    }

    /// Why the intent no longer holds, if it does not.
    static func superseded(_ attempt: Attempt, by application: RegisteredApplication) -> String? {
        if application.changedBy > attempt.sequence {
            return "the application was changed by \(application.changedBy) after it began"
        }
        if attempt.intent.kind == .sync, let pin = application.pin, pin.desired != attempt.desired {
            return "the application was pinned to \(pin.target) after it began"
        }
        return nil
    }

    private func tries(of uid: ApplicationUID) async -> Int { await state.countRecovery(of: uid) }

    private func close(_ attempt: Attempt, as outcome: Revision.Outcome) async throws(Failure) {
        let intent = attempt.intent
        let revision = Revision(
            kind: intent.kind, application: intent.application, cluster: intent.cluster, cause: intent.cause,
            actor: intent.actor, reason: intent.reason, ticket: intent.ticket, source: intent.source,
            desired: attempt.desired, options: intent.options, outcome: outcome, syncStatus: .unknown, health: .unknown,
            rolledBackTo: intent.rolledBackTo, attempt: attempt.sequence, retry: intent.retry,
            startedAt: intent.startedAt, finishedAt: now(), inputs: intent.inputs)
        try await ledger.finish(attempt, revision, pin: nil)
    }
}
