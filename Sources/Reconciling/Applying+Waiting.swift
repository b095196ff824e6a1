import LedgerStore
import Shiplog

extension Applying {
    /// Something that a stage has begun and whose end the next one waits for.
    struct Pending: Sendable {
        enum What: Sendable {
            /// An object that is to be healthy.
            case health
            /// One that is to be gone.
            case absence
            case hook(PlannedHook, note: String?)
        }

        let what: What
        let key: ResourceKey
        let kind: ServedKind
        /// As it was last seen.
        var live: Resource
        var begun = ContinuousClock.now

        init(_ what: What, _ key: ResourceKey, kind: ServedKind, live: Resource) {
            self.what = what
            self.key = key
            self.kind = kind
            self.live = live
        }

        var isHook: Bool { if case .hook = what { true } else { false } }
    }

    private enum Sight: Sendable {
        case there(Resource)
        case gone
        case unknown(Failure)
    }

    private enum Verdict {
        case done
        case waits(String?)
        case failed(Failure)
    }

    /// Waits until everything has come to its end, something has failed, or the time is over.
    ///
    /// Hooks are waited for after a failure too, as one that goes on while the next attempt begins would meet it.
    /// - Parameter anew: ask the server at once, and do not judge by what it answered to the write.
    func wait(for pending: [Pending], of stage: SyncStage, anew: Bool, in result: inout Result) async {
        var open = pending
        var asks = anew
        var pause: Int64 = 100
        let deadline = ContinuousClock.now + .milliseconds(settings.gateTimeout)
        while !open.isEmpty {
            if Task.isCancelled { result.isInterrupted = true }
            if result.isInterrupted { break }
            var rest: [(Pending, String?)] = []
            for (item, sight) in await look(at: open, asking: asks) {
                var item = item
                if case .there(let live) = sight { item.live = live }
                switch judge(item, sight) {
                case .done: end(item, nil, in: &result)
                case .waits(let why): rest.append((item, why))
                case .failed(let failure):
                    end(item, failure, in: &result)
                    if result.failure == nil { result.failure = failure }
                }
            }
            asks = true
            if result.failure != nil { rest.removeAll { !$0.0.isHook } }
            open = rest.map(\.0)
            guard let (first, why) = rest.first else { break }
            if ContinuousClock.now >= deadline {
                let failure = Failure(
                    "sync.wait-over",
                    "\(first.key) did not come to its end in time\(why.map { ": " + $0 } ?? "")",
                    remedy: "see why with kubectl describe, or raise controller.syncTimeout",
                    next: .retry(afterMilliseconds: nil))
                if result.failure == nil { result.failure = failure }
                break
            }
            await tell("\(stage.title): waiting for \(first.key)\(why.map { ": " + $0 } ?? "")")
            await Interruption.current?.lendPlace()
            try? await Task.sleep(for: .milliseconds(pause))
            pause = min(pause * 2, 2000)
        }
        for item in open where item.isHook { abandon(item, in: &result) }
    }

    private func look(at items: [Pending], asking: Bool) async -> [(Pending, Sight)] {
        guard asking else { return items.map { ($0, .there($0.live)) } }
        let sights = await items.concurrentMap(atOnce: parallelWrites) { await look(at: $0) }
        return Array(zip(items, sights))
    }

    private func look(at item: Pending) async -> Sight {
        do throws(Failure) {
            let live = try await mirror.cluster.get(
                item.kind, namespace: item.live.namespace, name: item.live.name)
            guard let live else { return .gone }
            if case .absence = item.what, live.uid != item.live.uid { return .gone }
            return .there(live)
        } catch {
            return .unknown(error)
        }
    }

    private func judge(_ item: Pending, _ sight: Sight) -> Verdict {
        switch (item.what, sight) {
        case (_, .unknown(let failure)):
            // Not to be seen for a moment is not failed; what nobody may look at will not be seen later either.
            return failure.isTransient || Task.isCancelled ? .waits(failure.message) : .failed(failure)
        case (.absence, .gone): return .done
        case (.absence, .there): return .waits("its finalizers hold it")
        case (.health, .gone), (.hook, .gone):
            return .failed(
                Failure(
                    "sync.object-missing", "\(item.key) is missing: it may have been deleted",
                    next: .retry(afterMilliseconds: nil)))
        case (.health, .there(let live)):
            guard let health = Health.assess(live, rules: settings.health) else { return .done }
            switch health.status {
            case .healthy: return .done
            case .degraded:
                return .failed(
                    Failure(
                        "sync.degraded",
                        "\(item.key) is Degraded\(health.message.map { ": " + $0 } ?? ""), so later waves were not begun",
                        remedy: "see why with kubectl describe", next: .retry(afterMilliseconds: nil)))
            case .progressing, .suspended, .missing, .unknown:
                return .waits(health.message ?? health.status.rawValue)
            }
        case (.hook(let hook, _), .there(let live)):
            switch HookState(of: live, rules: settings.health) {
            case .succeeded: return .done
            case .running(let why): return .waits(why)
            case .failed(let why):
                return .failed(
                    Failure(
                        "sync.hook-failed",
                        "the \(hook.phase.word) hook \(item.key) has failed\(why.map { ": " + $0 } ?? "")",
                        remedy: "see its pods' logs", next: .retry(afterMilliseconds: nil)))
            }
        }
    }

    /// What came to its end; only of a hook is that an outcome of its own.
    private func end(_ item: Pending, _ failure: Failure?, in result: inout Result) {
        guard case .hook(let hook, let note) = item.what else {
            // What is known of its health by now is better than what its write answered.
            let place = result.parts.firstIndex { $0.key == item.key }
            if case .health = item.what, let place {
                result.parts[place] = Health.Part(key: item.key, state: .present(item.live))
            }
            return
        }
        let message = failure?.message ?? note ?? HookState(of: item.live, rules: settings.health).message
        let after = try? ledger.digest(of: Comparer.comparable(item.live))
        var ended = outcome(
            hook, failure == nil ? .ran : .failed, key: item.key, message: message, code: failure?.code, after: after)
        ended.timing = timing(since: item.begun)
        add(ended, to: &result)
        result.hooks.append(
            EndedHook(
                policies: hook.hook.deletePolicies, live: item.live, kind: item.kind,
                end: failure == nil ? .succeeded : .failed))
    }

    /// A hook that is not waited for any more.
    private func abandon(_ item: Pending, in result: inout Result) {
        guard case .hook(let hook, _) = item.what else { return }
        var ended = outcome(
            hook, .failed, key: item.key, message: "ended before it had come to its end", code: "sync.hook-ended")
        ended.timing = timing(since: item.begun)
        add(ended, to: &result)
        result.hooks.append(
            EndedHook(policies: hook.hook.deletePolicies, live: item.live, kind: item.kind, end: .unfinished))
    }

    /// A definition has to be established before the first object of its kind comes; a server that takes longer than ten
    /// seconds will refuse that object, which says more than a wait.
    func establish(_ batch: [SyncStage.Item], _ steps: [Step]) async {
        for step in steps {
            guard let pending = step.pending, pending.live.isDefinition,
                step.outcome?.action != .unchanged
            else { continue }
            let deadline = ContinuousClock.now + .seconds(10)
            while ContinuousClock.now < deadline, !Task.isCancelled {
                if case .there(let live) = await look(at: pending),
                    Health.assess(live, rules: settings.health)?.status == .healthy
                {
                    break
                }
                try? await Task.sleep(for: .milliseconds(100))
            }
        }
    }
}

extension HookState {
    var message: String? {
        switch self {
        case .running(let message), .succeeded(let message), .failed(let message): message
        }
    }
}
