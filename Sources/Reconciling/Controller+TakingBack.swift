import LedgerStore
import Logging
import Shiplog

extension Reconciler {
    /// A sync that is to be taken back, and why.
    struct TakingBack: Sendable {
        let trial: AutomaticRollback.Trial
        let reason: String
        let health: HealthStatus
    }

    /// Asks whether what was synced last is to be taken back. Everything it goes by stands in the ledger: a restart neither
    /// forgets a deadline nor starts it anew.
    /// - Returns: after how many milliseconds to ask again, if so.
    func judgeTrial(
        _ application: RegisteredApplication, _ desired: Desired, _ comparison: Comparison, in outcome: inout Outcome
    ) async throws(Failure) -> Int64? {
        guard let policy = application.application.automaticRollback, application.pin == nil,
            let trial = try await ledger.trial(of: application.uid)
        else { return nil }
        if trial.isWithheld, comparison.health != .healthy {
            outcome.status.conditions.append(
                ApplicationStatus.Condition(
                    Failure(
                        "rollback.impossible", "\(trial.sequence) did not become Healthy and could not be taken back",
                        remedy:
                            "see why in `shiplog events --kind rollback.withheld`, then push a fix or roll back by hand"
                    ), since: now()))
        }
        let sight = AutomaticRollback.Sight(
            sync: comparison.plan.syncStatus, health: comparison.health, desired: desired.digest,
            isPinned: application.pin != nil, changedBy: application.changedBy, at: now())
        switch policy.decide(trial, sight, settling: settings.waveDelay) {
        case .leave: return nil
        case .wait(let milliseconds): return milliseconds
        case .goBack(let why):
            let message = comparison.health == .healthy ? nil : comparison.healthMessage
            outcome.takingBack = TakingBack(
                trial: trial, reason: why + (message.map { ": " + $0.prefix(500) } ?? ""), health: comparison.health)
            return nil
        }
    }
}

extension Controller {
    /// How long to wait when the way back is barred for a moment.
    private static let patience: Int64 = 30_000

    /// Goes back to the last good revision, on the road of any rollback, and pins until a new commit.
    func takeBack(_ order: Reconciler.TakingBack, _ uid: ApplicationUID, memory: inout Memory) async {
        await board.setActivity(.applying, of: uid)
        do throws(Failure) {
            guard let application = try await ledger.application(uid: uid), application.pin == nil else { return }
            guard let good = try await ledger.lastGood(of: uid, differingFrom: order.trial.desired) else {
                throw Failure(
                    "rollback.no-target",
                    "\(application.name) has no earlier revision that was successful, became Healthy and differs",
                    remedy: "push a commit that mends it")
            }
            var request = RollbackRequest(target: .sequence(good.sequence), reason: order.reason)
            request.reactsTo = order.trial.sequence
            memory.judgedInputs = memory.desired?.key.inputs
            let operation = Operation(
                id: Self.newID(), kind: .rollback, application: application.name, actor: .controller, requestedAt: now()
            )
            let prepared = try await prepare(request, application, operation, memory: &memory)
            if let failure = prepared.comparison.plan.blockers.first ?? prepared.comparison.plan.firstUnknown {
                throw failure
            }
            logger.notice(
                "taking a commit back",
                metadata: [
                    "application": "\(application.name)", "sequence": "\(order.trial.sequence.value)",
                    "target": "\(good.sequence.value)"
                ])
            _ = try await reconciler.carryOut(
                prepared.goal, prepared.comparison.plan, application, prepared.connection, memory: &memory,
                onAttempt: { _ in })
            await queue.put(uid, WorkQueue.Reasons(causes: [.watch]), afterMilliseconds: 50)
        } catch {
            await notTakenBack(order, uid, error)
        }
        await board.setActivity(.idle, of: uid)
    }

    /// What passes is tried again; anything else is told once and left to people.
    private func notTakenBack(_ order: Reconciler.TakingBack, _ uid: ApplicationUID, _ failure: Failure) async {
        if Task.isCancelled { return }
        if failure.isTransient {
            logger.warning("a commit cannot be taken back yet", metadata: ["code": "\(failure.code)"])
            await queue.put(uid, WorkQueue.Reasons(causes: [.retry]), afterMilliseconds: Self.patience)
            return
        }
        do throws(Failure) {
            guard let application = try await ledger.application(uid: uid) else { return }
            try await ledger.record(
                Event(
                    .rollbackWithheld, application: application.reference, actor: .controller,
                    revision: order.trial.sequence, outcome: "refused",
                    facts: .members([
                        "code": .string(failure.code.rawValue), "health": .string(order.health.rawValue),
                        "commit": order.trial.commit.map { .string($0.hex) }
                    ]), detail: ["message": .string(failure.message), "reason": .string(order.reason)]))
            logger.warning(
                "a commit was not taken back",
                metadata: ["application": "\(application.name)", "code": "\(failure.code)"])
            await queue.put(uid, WorkQueue.Reasons(causes: [.watch]), afterMilliseconds: 50)
        } catch {
            logger.error("the ledger refuses", metadata: ["code": "\(error.code)"])
        }
    }
}
