import GitSource
import LedgerStore
import Logging
import Shiplog

/// The one place that writes what a look found.
extension Reconciler {
    /// - Returns: the row, or nil when a change in the cluster made no difference worth one.
    func record(
        _ comparison: Comparison, _ desired: Desired, _ application: RegisteredApplication, _ connection: Connection,
        cause: Cause, actor: Actor, startedAt: Timestamp, memory: inout Memory
    ) async throws(Failure) -> SequenceNumber? {
        let facts = Memory.Facts(
            commit: desired.source?.commit.id, desired: desired.digest, liveBefore: comparison.liveDigest,
            cluster: connection.reference.uid, sync: comparison.plan.syncStatus, health: comparison.health,
            failure: nil, pinned: application.pin?.target, changedBy: application.changedBy)
        if cause == .watch || cause == .retry, let last = memory.lastRow?.facts, last.sync == facts.sync,
            last.health == facts.health
        {
            return nil
        }
        var revision = Revision(
            kind: .reconcile, application: application.reference, cause: cause, actor: actor, outcome: .succeeded,
            syncStatus: facts.sync, health: facts.health, startedAt: startedAt, finishedAt: now())
        if let last = memory.lastRow, last.facts == facts {
            revision.sameAs = last.sequence
            return try await ledger.record(revision)
        }
        revision.cluster = connection.reference
        revision.source = desired.source
        revision.desired = desired.digest
        revision.liveBefore = comparison.liveDigest
        revision.inputs = desired.inputs?.fingerprint
        revision.warnings = desired.warnings + comparison.plan.warnings
        (revision.resources, revision.counts) = Self.findings(comparison.plan)
        let sequence = try await ledger.record(revision)
        memory.lastRow = Memory.LastRow(sequence: sequence, facts: facts)
        return sequence
    }

    /// A look that failed is a row too; one that fails the same way again is a small one.
    func record(
        _ failure: Failure, _ application: RegisteredApplication, cause: Cause, actor: Actor, startedAt: Timestamp,
        status: inout ApplicationStatus, memory: inout Memory
    ) async -> SequenceNumber? {
        status.sync = .unknown
        status.conditions = [
            status.conditions.first { $0.code == failure.code && $0.message == failure.message }
                ?? ApplicationStatus.Condition(failure, since: now())
        ]
        memory.comparison = nil
        let facts = Memory.Facts(
            commit: nil, desired: nil, liveBefore: nil, cluster: nil, sync: .unknown, health: status.health,
            failure: failure.code, pinned: application.pin?.target, changedBy: application.changedBy)
        if cause == .watch || cause == .retry, memory.lastRow?.facts == facts { return nil }
        var revision = Revision(
            kind: .reconcile, application: application.reference, cause: cause, actor: actor,
            outcome: .failed(failure), syncStatus: .unknown, health: status.health, startedAt: startedAt,
            finishedAt: now())
        if let last = memory.lastRow, last.facts == facts { revision.sameAs = last.sequence }
        revision.cluster = await connections.reference(for: application)
        do throws(Failure) {
            let sequence = try await ledger.record(revision)
            if revision.sameAs == nil { memory.lastRow = Memory.LastRow(sequence: sequence, facts: facts) }
            logger.warning(
                "reconcile failed",
                metadata: [
                    "application": "\(application.name)", "code": "\(failure.code)", "sequence": "\(sequence.value)"
                ])
            return sequence
        } catch {
            // The ledger itself refuses: nothing may be applied, and the condition says so.
            if !status.conditions.contains(where: { $0.code == error.code }) {
                status.conditions.append(ApplicationStatus.Condition(error, since: now()))
            }
            logger.error(
                "the ledger refuses", metadata: ["application": "\(application.name)", "code": "\(error.code)"])
            return nil
        }
    }

    /// What is not as it should be, for the row.
    static func findings(_ plan: Plan) -> ([ResourceOutcome], Revision.Counts) {
        var counts = Revision.Counts()
        var outcomes: [ResourceOutcome] = []
        for change in plan.changes {
            let action: ResourceOutcome.Action
            var code: Failure.Code?
            switch change.action {
            case .unchanged:
                counts.unchanged += 1
                continue
            case .create, .update, .replace: action = .outOfSync
            case .prune, .leftover, .keep:
                counts.leftover += 1
                action = .leftover
            case .cannot(let failure):
                code = failure.code
                action = .outOfSync
            case .unknown(let failure):
                code = failure.code
                action = .unknown
            }
            outcomes.append(
                ResourceOutcome(
                    key: change.key, apiVersion: change.gvk.apiVersion, action: action, wave: change.order.wave,
                    message: change.message, code: code))
        }
        return (outcomes, counts)
    }

    func update(
        _ status: inout ApplicationStatus, with comparison: Comparison, desired: Desired,
        _ application: RegisteredApplication, memory: Memory
    ) {
        status = status.of(application)
        status.sync = comparison.plan.syncStatus
        status.health = comparison.health
        status.healthMessage = comparison.healthMessage
        // Under a pin the target revision may stand elsewhere than at what is enforced; with Git gone, where it stood.
        status.targetCommit = application.pin == nil ? desired.source?.commit : memory.unseen ?? status.targetCommit
        status.deployed = memory.deployed
        status.resources = comparison.resources
        status.comparedAt = now()
        var failures = comparison.plan.blockers
        if let unknown = comparison.plan.firstUnknown { failures.append(unknown) }
        failures += (desired.warnings + comparison.plan.warnings).prefix(10).map { Failure("manifest.warning", $0) }
        // One that goes on keeps its time: a status that stays the same is news to nobody.
        let before = status.conditions
        status.conditions = failures.map { failure in
            before.first { $0.code == failure.code && $0.message == failure.message }
                ?? ApplicationStatus.Condition(failure, since: now())
        }
    }

    /// A pin is enforced with Git gone, but the commit it waits for is never seen then: that must be told.
    func noteUnseen(_ application: RegisteredApplication, in status: inout ApplicationStatus) async {
        guard application.pin != nil, let url = try? RepositoryURL(application.application.source.repository),
            let failure = await state.fetchFailure(of: url.normalized)
        else { return }
        status.conditions.append(ApplicationStatus.Condition(failure, since: now()))
    }

    /// Why nothing may be written to the cluster, if it is so.
    func refusal(of connection: Connection) async -> Failure? {
        do throws(Failure) {
            _ = try await leases.ensure(connection.cluster)
            return nil
        } catch {
            return error
        }
    }

    /// A cluster without leases is written to, and every application in it says what that means.
    func noteWaiver(_ connection: Connection, in status: inout ApplicationStatus) async {
        guard let waiver = await leases.waiver(of: connection.cluster) else { return }
        status.conditions.append(ApplicationStatus.Condition(waiver.failure, since: waiver.since))
    }

    /// What a person should see of a decision not to act.
    func note(
        _ decision: AutomationPolicy.Decision, _ comparison: Comparison, _ memory: Memory,
        in status: inout ApplicationStatus
    ) {
        if decision == .exhausted {
            status.conditions.append(
                ApplicationStatus.Condition(
                    Failure(
                        "sync.exhausted", "automated sync of these manifests failed and is not tried again",
                        remedy: "look at the last revision; push a new commit, or sync by hand"), since: now()))
        }
        if isContested(memory), comparison.plan.hasChanges {
            let owners = comparison.plan.contestants.sorted().joined(separator: ", ")
            status.conditions.append(
                ApplicationStatus.Condition(
                    Failure(
                        "sync.contested",
                        "self-heal has stopped: \(owners.isEmpty ? "another manager" : owners) rewrites the same fields "
                            + "again and again",
                        remedy: "take the fields out of Git, or stop the other manager; then sync by hand"),
                    since: now()))
        }
    }

    /// The revision whose health was still awaited when an earlier process ended.
    func awaiting(
        of uid: ApplicationUID
    ) async throws(Failure) -> (revision: SequenceNumber, since: ContinuousClock.Instant, told: HealthStatus?)? {
        guard let applied = try await ledger.lastRevision(of: uid, where: .applied),
            applied.revision.outcome == .succeeded
        else { return nil }
        let reached = try await ledger.events(
            EventQuery(kinds: [.healthReached], revision: applied.sequence, limit: 10))
        let told = Set(reached.items.compactMap { HealthStatus(rawValue: $0.event.outcome) })
        // A row that says Healthy without an event comes from a version that lost track of it: nobody knows since when.
        guard !told.contains(.healthy), let seen = try await ledger.lastRevision(of: uid),
            seen.sequence == applied.sequence || seen.revision.health != .healthy
        else { return nil }
        let gone = max(0, now().milliseconds - applied.revision.finishedAt.milliseconds)
        return (applied.sequence, ContinuousClock.now - .milliseconds(gone), told.contains(.degraded) ? .degraded : nil)
    }

    /// Health reached after a sync or rollback is an event that names it: once Healthy, and once for a Degraded before.
    func tellHealth(
        _ comparison: Comparison, _ application: RegisteredApplication, memory: inout Memory
    ) async throws(Failure) {
        guard let awaiting = memory.awaiting, comparison.health == .healthy || comparison.health == .degraded,
            awaiting.told != comparison.health, comparison.plan.syncStatus == .synced || comparison.health == .degraded
        else { return }
        try await ledger.record(
            Event(
                .healthReached, application: application.reference, actor: .controller, revision: awaiting.revision,
                outcome: comparison.health.rawValue,
                facts: [
                    "health": .string(comparison.health.rawValue),
                    "afterMilliseconds": .integer((ContinuousClock.now - awaiting.since).milliseconds)
                ], detail: comparison.healthMessage.map { ["message": .string($0)] }))
        if comparison.health == .healthy {
            memory.awaiting = nil
        } else {
            memory.awaiting = (awaiting.revision, awaiting.since, comparison.health)
        }
    }
}

extension ApplicationStatus {
    /// The same status for a newer registration of the same application.
    func of(_ registered: RegisteredApplication) -> ApplicationStatus {
        var status = ApplicationStatus(registered: registered)
        status.sync = sync
        status.health = health
        status.healthMessage = healthMessage
        status.targetCommit = targetCommit
        status.deployed = deployed
        status.lastRevision = lastRevision
        status.lastOutcome = lastOutcome
        status.activity = activity
        status.conditions = conditions
        status.resources = resources
        status.comparedAt = comparedAt
        return status
    }
}
