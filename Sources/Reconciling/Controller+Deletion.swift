import LedgerStore
import Logging
public import Shiplog

/// The end of an application, with what it owns or without.
extension Controller {
    /// Forgets an application; its history stays. With `cascade`, what it owns is deleted from the cluster first.
    public func delete(
        _ name: String, cascade: Bool, actor: Actor, reason: String?, isConfirmed: Bool = false
    ) async throws(Failure) -> SequenceNumber {
        try await delete(
            name, cascade: cascade, actor: actor, reason: reason, isConfirmed: isConfirmed, parent: nil)
    }

    /// - Parameter parent: among whose manifests it stood, when that is why it goes.
    func delete(
        _ name: String, cascade: Bool, actor: Actor, reason: String?, isConfirmed: Bool = false,
        parent: ParentApplication?
    ) async throws(Failure) -> SequenceNumber {
        let application = try await registered(name)
        await state.supersede(application.uid)
        if cascade { try await removeObjects(of: application, actor: actor, reason: reason, isConfirmed: isConfirmed) }
        return try await unregister(application, actor: actor, reason: reason, parent: parent)
    }

    private func unregister(
        _ application: RegisteredApplication, actor: Actor, reason: String?, parent: ParentApplication? = nil
    ) async throws(Failure) -> SequenceNumber {
        let sequence = try await ledger.deleteApplication(
            application.uid, actor: actor, reason: reason, parent: parent)
        await registry.removed(application)
        await queue.forget(application.uid)
        await board.remove(application.uid)
        await state.forget(application.uid)
        return sequence
    }

    /// What recovery has to know of a deletion that a crash interrupted: it is none of a sync to nothing, which no
    /// automated one may be, and neither windows nor another word of confirmation keep it from its end.
    static func resumed(_ policy: PlanPolicy, by intent: Intent) -> PlanPolicy {
        guard intent.options.deletion != nil else { return policy }
        var policy = policy
        policy.allowEmpty = true
        policy.isDeletion = true
        policy.deletionIsConfirmed = true
        return policy
    }

    /// Forgets applications whose objects are all gone: their deletion's row is written, and the process ended before the
    /// application's. A sync would bring everything back. One that was changed since is somebody's again.
    func finishDeletions() async throws(Failure) {
        for application in try await ledger.applications() { try await finishDeletion(of: application) }
    }

    func finishDeletion(of application: RegisteredApplication) async throws(Failure) {
        let newest = try await ledger.revisions(
            RevisionQuery(applications: [application.uid], kinds: [.sync, .rollback], limit: 1))
        guard let row = newest.items.first, row.revision.options.deletion != nil, row.revision.outcome == .succeeded,
            application.changedBy < row.sequence
        else { return }
        logger.notice("a deletion is brought to its end", metadata: ["application": "\(application.name)"])
        _ = try await unregister(application, actor: row.revision.actor, reason: row.revision.reason)
    }

    /// The deletion is a sync to nothing: planned, promised, carried out and recorded like any other.
    func removeObjects(
        of application: RegisteredApplication, actor: Actor, reason: String?, isConfirmed: Bool
    ) async throws(Failure) {
        var memory = Memory()
        let connection = try await connections.connect(application, anew: true)
        let nothing = Desired(
            resources: [], digest: try ledger.digest(of: [Resource]()), source: nil, inputs: nil, warnings: [])
        var policy = reconciler.policy(for: application, prune: true)
        policy.allowEmpty = true
        policy.isDeletion = true
        policy.deletionIsConfirmed = isConfirmed
        let comparison = try await reconciler.compare(nothing, application, connection, policy, memory: &memory)
        if let failure = comparison.plan.firstUnknown {
            throw failure.during("not everything of \(application.name) can be seen, so nothing was deleted")
        }
        // All or nothing: what cannot go is known before anything has gone.
        if let failure = comparison.plan.blockers.first {
            throw failure.during("nothing of \(application.name) was deleted")
        }
        // Nothing to delete is no attempt, and no row that a restart would have to finish.
        guard comparison.plan.hasChanges else { return }
        let goal = Reconciler.Goal(
            kind: .sync, cause: .manual, actor: actor, reason: reason ?? "application deleted with its resources",
            desired: nothing,
            options: OperationOptions(
                prune: true, deletion: application.application.syncPolicy.options.prunePropagation),
            waitsForHealth: false, isOutsideWindows: true, startedAt: now())
        let (_, failure, _) = try await reconciler.carryOut(
            goal, comparison.plan, application, connection, memory: &memory, onAttempt: { _ in })
        if let failure { throw failure.during("deleting what \(application.name) owns") }
    }
}
