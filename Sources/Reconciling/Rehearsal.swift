import Shiplog

/// A dry run of everything an operation is about to write: what the server would refuse is known before the first write.
struct Rehearsal: Sendable {
    let cluster: any Cluster
    let catalog: KindCatalog
    let parallel: Int

    struct Findings: Sendable {
        /// What the server says to an object, by its key.
        var refusals: [ResourceKey: Failure] = [:]
        /// Full sentences without full stops, for people.
        var notes: [String] = []
    }

    private struct Trial: Sendable {
        enum Way: Sendable { case apply, create, replace(version: String?) }
        let resource: Resource
        let kind: ServedKind
        let way: Way
    }

    /// - Parameters:
    ///   - hooks: the objects of the hooks that will run.
    ///   - known: answers to dry runs of the comparison that the plan was made of.
    ///   - namespace: what `CreateNamespace=true` makes before the plan is carried out.
    func run(
        _ plan: Plan, hooks: [Resource], known: Comparer.Cache, bringing namespace: String? = nil
    ) async -> Findings {
        let bringing = Bringing(plan, hooks: hooks, namespace: namespace)
        var trials: [Trial] = []
        for change in plan.changes {
            guard let trial = trial(of: change, bringing), !known.isRehearsed(change) else { continue }
            trials.append(trial)
        }
        for hook in hooks {
            guard !hook.isLeftUnvalidated, !bringing.defines(hook), let kind = catalog.kinds[hook.gvk] else { continue }
            trials.append(Trial(resource: hook, kind: kind, way: .create))
        }
        let answers = await trials.concurrentMap(atOnce: parallel) { trial in await attempt(trial) }
        var findings = Findings()
        for (trial, answer) in zip(trials, answers) {
            guard let failure = answer else { continue }
            let key = trial.resource.key
            if failure.code == .clusterDryRunUnsupported {
                findings.notes.append("\(key) is applied without a dry run before: \(failure.message)")
            } else if !bringing.settles(failure, of: trial.resource) {
                findings.refusals[key] = failure
            }
        }
        findings.notes.sort()
        return findings
    }

    private func trial(of change: PlannedChange, _ bringing: Bringing) -> Trial? {
        guard let resource = change.written, !resource.isLeftUnvalidated, !bringing.defines(resource),
            let kind = catalog.kinds[resource.gvk]
        else { return nil }
        switch change.action {
        // Where the old object stands, the server says nothing about the new one but that it is another.
        case .replace: return nil
        case _ where change.replacesWhole:
            guard let live = change.live else { return Trial(resource: resource, kind: kind, way: .create) }
            return Trial(resource: resource, kind: kind, way: .replace(version: live.resourceVersion))
        default: return Trial(resource: resource, kind: kind, way: .apply)
        }
    }

    private func attempt(_ trial: Trial) async -> Failure? {
        let options = WriteOptions(dryRun: true)
        do throws(Failure) {
            switch trial.way {
            case .apply: _ = try await cluster.apply(trial.resource, as: trial.kind, options)
            case .create: _ = try await cluster.create(trial.resource, as: trial.kind, options)
            case .replace(let version):
                var guarded = trial.resource
                guarded.set(version.map { .string($0) }, at: "metadata", "resourceVersion")
                _ = try await cluster.replace(guarded, as: trial.kind, options)
            }
            return nil
        } catch {
            // What stands in a hook's place makes way before the hook is made.
            return error.code == .clusterAlreadyExists ? nil : error
        }
    }
}

/// What a plan brings into a cluster: an object that misses one of these is no refusal yet.
private struct Bringing {
    private let keys: Set<ResourceKey>
    private let definitions: Set<GroupKind>
    private let limited: Set<String>

    init(_ plan: Plan, hooks: [Resource], namespace: String?) {
        let written = plan.changes.compactMap(\.written)
        let made = namespace.map { ResourceKey(group: "", kind: "Namespace", namespace: "", name: $0) }
        keys = Set((written + hooks).map(\.key) + [made].compactMap(\.self))
        definitions = Set((written + hooks).compactMap(\.definedKind))
        limited = Set(
            written.lazy.filter { ["LimitRange", "ResourceQuota"].contains($0.gvk.kind) }.map(\.namespace))
    }

    /// Whether its kind, or that kind's schema, comes with the same plan.
    func defines(_ resource: Resource) -> Bool { definitions.contains(resource.gvk.groupKind) }

    /// Whether what the server misses will be there by the time the object is written.
    func settles(_ failure: Failure, of resource: Resource) -> Bool {
        guard failure.code == .clusterNotFound || failure.code == .clusterForbidden else { return false }
        let namespace = ResourceKey(group: "", kind: "Namespace", namespace: "", name: resource.namespace)
        // Of a Secret the server's own words are not kept.
        if failure.code == .clusterNotFound, keys.contains(namespace) { return true }
        if failure.code == .clusterForbidden, limited.contains(resource.namespace), failure.message.contains("quota") {
            return true
        }
        guard failure.message.contains("not found") || failure.message.contains("was found") else { return false }
        return keys.contains { key in
            key != resource.key
                && (failure.message.contains("\"\(key.name)\"") || failure.message.contains("name \(key.name) was"))
        }
    }
}

extension Resource {
    /// Argo CD's `Validate=false`: it is sent without a look before.
    fileprivate var isLeftUnvalidated: Bool {
        (annotations["argocd.argoproj.io/sync-options"] ?? "").split(separator: ",").contains {
            $0.filter { $0 != " " } == "Validate=false"
        }
    }
}

extension Reconciler {
    /// The dry run before the first write of an attempt.
    func rehearse(
        _ plan: Plan, _ goal: Goal, _ connection: Connection, _ attempt: Attempt, _ known: Comparer.Cache
    ) async throws(Failure) -> Rehearsal.Findings {
        if goal.isRehearsed { return Rehearsal.Findings() }
        let hooks = plan.hooks.map { hook in
            hook.object(
                attempt: attempt.sequence, commit: goal.desired.source?.commit.id,
                startedAt: attempt.intent.startedAt, owner: attempt.intent.application.uid)
        }
        return await Rehearsal(
            cluster: connection.cluster, catalog: connection.catalog, parallel: settings.parallelWrites
        ).run(plan, hooks: hooks, known: known)
    }
}

extension Applying {
    /// What becomes of a plan of which the server would refuse something: nothing is written and no hook runs.
    func refused(_ plan: Plan, _ refusals: [ResourceKey: Failure]) -> Result {
        var result = Result()
        for item in plan.stages.flatMap({ $0.batches.joined() }) {
            switch item {
            case .change(let change):
                guard let failure = refusals[change.key] else { break }
                add(outcome(change, .failed, message: failure.message, code: failure.code), to: &result)
                continue
            case .hook(let hook):
                let key = hook.object(attempt: attempt, commit: commit, startedAt: startedAt, owner: uid).key
                guard let failure = refusals[key] else { break }
                add(outcome(hook, .failed, key: key, message: failure.message, code: failure.code), to: &result)
                continue
            }
            skip(item, "nothing was written, as the server refuses another object", in: &result)
        }
        result.failure = Self.refusal(refusals)
        return result
    }

    /// One for all: what a person has to mend goes before what may pass by itself.
    private static func refusal(_ refusals: [ResourceKey: Failure]) -> Failure? {
        let sorted = refusals.sorted { $0.key < $1.key }
        guard let (key, failure) = sorted.first(where: { !$0.value.isTransient }) ?? sorted.first else { return nil }
        let others = sorted.count > 1 ? " (and \(sorted.count - 1) more)" : ""
        return Failure(
            failure.code, "nothing was written, as a dry run of \(key) failed: \(failure.message)\(others)",
            remedy: failure.remedy, next: failure.next)
    }
}
