import GitSource
import LedgerStore
import Shiplog

/// Applications that stand among another one's manifests: what a parent's sync or rollback may do with them.
extension Controller {
    func openRegistry() {
        registry.open(
            ApplicationRegistry.Door(
                put: { [weak self] (application, before, parent) async throws(Failure) -> RegisteredApplication in
                    guard let self else { throw Self.gone }
                    return try await self.putChild(application, over: before, parent)
                },
                delete: { [weak self] (application, parent) async throws(Failure) in
                    guard let self else { throw Self.gone }
                    try await self.deleteChild(application, parent)
                }))
    }

    private static let gone = Failure("operation.server-stopping", "the server has stopped", next: .superseded)

    private func putChild(
        _ application: Application, over before: RegisteredApplication?, _ parent: ParentApplication
    ) async throws(Failure) -> RegisteredApplication {
        _ = try RepositoryURL(application.source.repository)
        if let before { try await keepPin(of: before, through: application, parent) }
        let (registered, changed) = try await ledger.putApplication(
            application, actor: parent.actor, expectAbsent: before == nil, parent: parent)
        await note(registered, changed: changed, movedFrom: before?.application.source.repository)
        return registered
    }

    /// A parent's sync is no new commit: the child stays where it was rolled back to, and the pin turns away from what
    /// the source it has now holds.
    private func keepPin(
        of before: RegisteredApplication, through application: Application, _ parent: ParentApplication
    ) async throws(Failure) {
        guard let pin = before.pin, pin.hold == .untilNewCommit,
            before.application.source != application.source
                || before.application.destination.namespace != application.destination.namespace
        else { return }
        var left = Pin.unseenInputs
        do throws(Failure) { left = try await reconciler.rendering.locate(application).inputs.fingerprint } catch {
            // Out of reach, or never fetched: the first look that finds it says what it is.
        }
        // Before the registration changes, so that no look in between takes the other source for a new commit.
        try await ledger.setPin(
            .set(pin.leaving(left)), of: before.uid,
            event: Event(
                .pinned, application: before.reference, actor: parent.actor, revision: pin.target,
                facts: [
                    "hold": .string(pin.hold.rawValue), "parent": parent.json,
                    "why": "the parent changed the source; the pin goes on holding"
                ]))
    }

    /// Unregisters a child; with its finalizer what it deployed is deleted first.
    private func deleteChild(
        _ application: RegisteredApplication, _ parent: ParentApplication
    ) async throws(Failure) {
        let reason = "no longer among the manifests of \(parent.reference.name)"
        let deadline = ContinuousClock.now + .seconds(30)
        while true {
            do throws(Failure) {
                _ = try await delete(
                    application.name, cascade: application.application.cascades, actor: parent.actor, reason: reason,
                    parent: parent)
                return
            } catch {
                // What was under way is being ended; its row comes first.
                guard error.code == .attemptOpen, ContinuousClock.now < deadline, !Task.isCancelled else {
                    if error.code == "application.not-found" { return }
                    throw error
                }
                try? await Task.sleep(for: .milliseconds(100))
            }
        }
    }

    /// Shows a registration that was made or changed, and has it looked at.
    func note(_ registered: RegisteredApplication, changed: Bool, movedFrom repository: String?) async {
        let status = await board.status(registered.uid) ?? ApplicationStatus(registered: registered)
        await board.set(status.of(registered))
        guard changed else { return }
        await registry.changed(registered)
        let uid = registered.uid
        if repository != registered.application.source.repository,
            let url = try? RepositoryURL(registered.application.source.repository)
        {
            await tasks.run { await self.fetch(url, for: [uid], WorkQueue.Reasons(causes: [.specChange])) }
        } else {
            await queue.put(uid, WorkQueue.Reasons(causes: [.specChange]))
        }
    }
}
