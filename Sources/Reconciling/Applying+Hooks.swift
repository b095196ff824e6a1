import LedgerStore
import Shiplog

/// A hook that was begun, and how it ended.
struct EndedHook: Sendable {
    enum End: Sendable { case succeeded, failed, unfinished }
    let policies: Set<Hook.DeletePolicy>
    let live: Resource
    let kind: ServedKind
    let end: End
}

extension Applying {
    /// Creates a hook's object, or finds the one that this attempt has created before.
    ///
    /// An object that carries the attempt's number was made by it: whoever recovers the attempt waits for that one and
    /// makes no other, and neither does a create whose answer was lost.
    func begin(_ hook: PlannedHook) async -> Step {
        let object = hook.object(attempt: attempt, commit: commit, startedAt: startedAt, owner: uid)
        do throws(Failure) {
            let kind = try await served(object.gvk)
            var note: String?
            if let there = try await mirror.cluster.get(kind, namespace: object.namespace, name: object.name) {
                switch try place(of: hook, there) {
                case .isRunning: return pending(hook, there, kind, note: "found where an earlier start had begun it")
                case .hasRun:
                    return Step(outcome: outcome(hook, .ran, message: "it had run before the attempt was recovered"))
                case .makeWay:
                    try await HookObjects(mirror: mirror, hold: hold, rules: settings.health).remove(there, kind)
                case .applyOver: note = "there before; kept by its delete policy and applied over"
                }
            }
            let cluster = mirror.cluster
            let made =
                if note == nil { try await create(object, kind) } else {
                    try await hold.during { () async throws(Failure) in
                        try await cluster.apply(object, as: kind, WriteOptions())
                    }
                }
            return pending(hook, made, kind, note: note)
        } catch {
            let failure = error.during("the \(hook.phase.word) hook \(object.key) could not be begun")
            return Step(
                outcome: outcome(hook, .failed, key: object.key, message: failure.message, code: failure.code),
                failure: failure)
        }
    }

    private enum Place { case isRunning, hasRun, makeWay, applyOver }

    /// What an object that stands where the hook is to be made means.
    private func place(of hook: PlannedHook, _ there: Resource) throws(Failure) -> Place {
        let ownership = Ownership.of(there, for: uid)
        if case .otherApplication(let other) = ownership {
            throw Failure(
                "plan.owned-by-another", "\(there.key) belongs to another application, \(other)",
                remedy: "take it out of one of the two sources")
        }
        guard ownership == .ours || there.isHook else {
            throw Failure(
                "hook.name-taken", "\(there.key) is there, and is neither a hook nor the application's",
                remedy: "give the hook another name, or delete what has it")
        }
        if ownership == .ours, there.hookAttempt == attempt, let phase = there.hookPhase {
            if phase == hook.phase { return .isRunning }
            // Its object made way for that of a later phase.
            return phase > hook.phase ? .hasRun : .makeWay
        }
        return hook.hook.deletePolicies.contains(.beforeHookCreation) || !there.isHook ? .makeWay : .applyOver
    }

    /// A create that failed may have been carried out all the same.
    private func create(_ object: Resource, _ kind: ServedKind) async throws(Failure) -> Resource {
        let cluster = mirror.cluster
        do throws(Failure) {
            return try await hold.during { () async throws(Failure) in
                try await cluster.create(object, as: kind, WriteOptions())
            }
        } catch {
            guard error.isTransient || error.code == .clusterAlreadyExists else { throw error }
            let there = try? await mirror.cluster.get(kind, namespace: object.namespace, name: object.name)
            guard let there, there.hookAttempt == attempt, there.hookPhase == object.hookPhase else { throw error }
            return there
        }
    }

    private func pending(_ hook: PlannedHook, _ live: Resource, _ kind: ServedKind, note: String?) -> Step {
        Step(pending: Pending(.hook(hook, note: note), live.key, kind: kind, live: live))
    }

    func outcome(
        _ hook: PlannedHook, _ action: ResourceOutcome.Action, key: ResourceKey? = nil, message: String? = nil,
        code: Failure.Code? = nil, after: Digest? = nil
    ) -> ResourceOutcome {
        ResourceOutcome(
            key: key ?? hook.key, apiVersion: hook.resource.gvk.apiVersion, action: action, phase: hook.phase,
            wave: hook.order.wave, message: message, code: code, after: after)
    }
}

/// Hooks' objects at their end: held until the row that tells of them is durable, then kept or deleted.
struct HookObjects: Sendable {
    let mirror: GuardedMirror
    let hold: LeaseHold
    let rules: HealthRules

    /// Lets ended hooks go by their delete policies; one that was ended early is deleted.
    /// - Returns: why those that could not be let go could not; the next look tries again.
    func settle(_ hooks: [EndedHook]) async -> [Failure] {
        // Being superseded has cancelled this task, and what runs in the cluster must not go on for that.
        let work = Task { () -> [Failure] in
            var failures: [Failure] = []
            for ended in hooks {
                do throws(Failure) {
                    if isDeleted(ended) {
                        try await delete(ended.live, ended.kind)
                    } else {
                        try await release(ended.live, ended.kind)
                    }
                } catch {
                    failures.append(error)
                }
            }
            return failures
        }
        return await work.value
    }

    private func isDeleted(_ ended: EndedHook) -> Bool {
        switch ended.end {
        case .succeeded: ended.policies.contains(.succeeded)
        case .failed: ended.policies.contains(.failed)
        case .unfinished: true
        }
    }

    /// What a process that died left held, by its object alone.
    func settle(leftovers: [Resource], catalog: KindCatalog) async -> [Failure] {
        await settle(
            leftovers.compactMap { live in
                guard let hook = Hook(of: live), let kind = catalog.kinds[live.gvk] else { return nil }
                let end: EndedHook.End =
                    switch HookState(of: live, rules: rules) {
                    case .running: .unfinished
                    case .succeeded: .succeeded
                    case .failed: .failed
                    }
                return EndedHook(policies: hook.deletePolicies, live: live, kind: kind, end: end)
            })
    }

    /// Takes the finalizer off; everybody else's stay.
    func release(_ live: Resource, _ kind: ServedKind) async throws(Failure) {
        var live = live
        let cluster = mirror.cluster
        for round in 0..<5 {
            let finalizers = live.object.at("metadata", "finalizers")?.array ?? []
            guard finalizers.contains(.string(Hook.finalizer)) else { return }
            let patch: JSON = [
                "metadata": .members([
                    "finalizers": .array(finalizers.filter { $0 != .string(Hook.finalizer) }),
                    "resourceVersion": live.resourceVersion.map { .string($0) }
                ])
            ]
            do throws(Failure) {
                let (namespace, name) = (live.namespace, live.name)
                let answer = try await hold.during { () async throws(Failure) in
                    try await cluster.patch(kind, namespace: namespace, name: name, .merge(patch), WriteOptions())
                }
                if !answer.isBeingDeleted { await mirror.observe(answer) }
                return
            } catch {
                if error.code == .clusterNotFound { return }
                guard error.code == .clusterConflict, round < 4 else { throw error }
                let there = try await mirror.cluster.get(kind, namespace: live.namespace, name: live.name)
                guard let there, there.uid == live.uid else { return }
                live = there
            }
        }
    }

    private func delete(_ live: Resource, _ kind: ServedKind) async throws(Failure) {
        try await release(live, kind)
        do throws(Failure) {
            _ = try await deleted(live, kind, .background)
        } catch {
            // Another has its name by now.
            guard error.code == .clusterConflict else { throw error }
        }
    }

    private func deleted(
        _ live: Resource, _ kind: ServedKind, _ propagation: Propagation
    ) async throws(Failure) -> Deletion {
        let cluster = mirror.cluster
        return try await hold.during { () async throws(Failure) in
            try await cluster.delete(
                kind, namespace: live.namespace, name: live.name, DeleteOptions(propagation: propagation, uid: live.uid)
            )
        }
    }

    /// Deletes an object and waits until its name is free.
    func remove(_ live: Resource, _ kind: ServedKind) async throws(Failure) {
        try await release(live, kind)
        let deletion = try await deleted(live, kind, .foreground)
        guard deletion == .pending else { return }
        try await mirror.cluster.waitForRemoval(of: live, as: kind)
    }
}
