import LedgerStore
public import Shiplog

/// What people have confirmed of one attempt. Each confirmation is an event that names the attempt, so that a restart
/// knows it too.
struct Confirmations: Sendable {
    let ledger: Ledger
    let state: LoopState
    let uid: ApplicationUID
    let attempt: SequenceNumber

    /// Of the keys, those that nobody has confirmed; all of them when the ledger cannot be read.
    func missing(of keys: Set<ResourceKey>) async -> Set<ResourceKey> {
        do throws(Failure) {
            let page = try await ledger.events(
                EventQuery(applications: [uid], kinds: [.operationConfirmed], limit: 200))
            return page.items.reduce(into: keys) { rest, stored in
                guard stored.value.facts["attempt"]?.integer == attempt.value else { return }
                rest.subtract(Self.keys(in: stored.value.detail))
            }
        } catch {
            return keys
        }
    }

    static func detail(_ keys: Set<ResourceKey>, _ reason: String?) -> JSON {
        .members([
            "resources": .array(
                keys.sorted().map { [.string($0.group), .string($0.kind), .string($0.namespace), .string($0.name)] }),
            "reason": reason.map { .string($0) }
        ])
    }

    private static func keys(in detail: JSON?) -> [ResourceKey] {
        (detail?["resources"]?.array ?? []).compactMap { element in
            let parts = (element.array ?? []).compactMap(\.string)
            guard parts.count == 4 else { return nil }
            return ResourceKey(group: parts[0], kind: parts[1], namespace: parts[2], name: parts[3])
        }
    }
}

extension Applying {
    /// Waits until somebody has confirmed every prune of the batch that wants it, without an end of its own.
    func waitForConfirmation(of batch: [SyncStage.Item], _ stage: SyncStage, in result: inout Result) async {
        let wanted = Set(
            batch.compactMap { item -> ResourceKey? in
                guard case .change(let change) = item, change.isPrune, change.wantsConfirmation else { return nil }
                return change.key
            })
        guard !wanted.isEmpty, let confirmations else { return }
        let missing = await confirmations.missing(of: wanted)
        await confirmations.state.setUnconfirmed(
            LoopState.Unconfirmed(attempt: attempt, keys: missing), of: confirmations.uid)
        while let waiting = await confirmations.state.unconfirmed(confirmations.uid), waiting.attempt == attempt,
            let first = waiting.keys.min()
        {
            if Task.isCancelled {
                result.isInterrupted = true
                break
            }
            let others = waiting.keys.count > 1 ? " and \(waiting.keys.count - 1) more" : ""
            await tell("\(stage.title): waits for a confirmation before it prunes \(first)\(others)")
            await Interruption.current?.lendPlace()
            try? await Task.sleep(for: .milliseconds(100))
        }
        await confirmations.state.setUnconfirmed(nil, of: confirmations.uid)
        await tell(nil)
    }
}

extension Controller {
    /// Confirms prunes that a running sync or rollback waits with.
    /// - Parameter resources: only these of them; empty for all.
    /// - Returns: the event that says so: it is durable before anything is pruned.
    /// - Throws: `operation.nothing-to-confirm`.
    public func confirm(
        _ name: String, resources: [ResourceSelector], actor: Actor, reason: String?
    ) async throws(Failure) -> SequenceNumber {
        let application = try await registered(name)
        let waiting = await state.unconfirmed(application.uid)
        guard let waiting, !waiting.keys.isEmpty else { throw Self.nothingToConfirm("nothing of \(name)") }
        var keys = waiting.keys
        if !resources.isEmpty {
            keys = []
            for selector in resources {
                let found = waiting.keys.filter(selector.matches)
                guard !found.isEmpty else { throw Self.nothingToConfirm("no \(selector) of \(name)") }
                keys.formUnion(found)
            }
        }
        let sequence = try await ledger.record(
            Event(
                .operationConfirmed, application: application.reference, actor: actor,
                facts: ["attempt": .integer(waiting.attempt.value), "count": .integer(Int64(keys.count))],
                detail: Confirmations.detail(keys, reason)))
        await state.confirm(keys, of: application.uid, attempt: waiting.attempt)
        return sequence
    }

    private static func nothingToConfirm(_ what: String) -> Failure {
        Failure(
            "operation.nothing-to-confirm", "\(what) waits for a confirmation",
            remedy: "see what it waits for with `app get`")
    }
}
