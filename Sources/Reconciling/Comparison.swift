import LedgerStore
import Shiplog

/// Desired against live, for one application at one moment.
struct Comparison: Sendable {
    let plan: Plan
    /// Live objects by key: what is desired and there, and what is ours and no longer desired.
    let live: [ResourceKey: Resource]
    let liveDigest: Digest
    let health: HealthStatus
    let healthMessage: String?
    let resources: [ResourceStatus]
    /// The version of the cluster's copy this was made of: the same version gives the same comparison.
    let mirrorVersion: Int
}

/// Makes comparisons; asks the server only where the copy in memory cannot tell.
struct Comparer: Sendable {
    let ledger: Ledger
    let settings: ControllerSettings

    /// What is remembered between two comparisons of an application.
    struct Cache: Sendable {
        struct Entry: Sendable {
            let desired: Resource
            let resourceVersion: String?
            let uid: String?
            let difference: Difference
            /// The server has answered a dry run of applying it, and did not refuse.
            var isRehearsed = false
        }
        var entries: [ResourceKey: Entry] = [:]
        /// The rules that the entries were worked out under.
        var ignored = IgnoredDifferences.none

        /// Whether the server was asked already what it would make of this very change.
        func isRehearsed(_ change: PlannedChange) -> Bool {
            guard let entry = entries[change.key], entry.isRehearsed, let live = change.live else { return false }
            return entry.desired == change.written && entry.uid == live.uid
                && entry.resourceVersion == live.resourceVersion
        }
    }

    func compare(
        _ desired: [Resource], of application: RegisteredApplication, catalog: KindCatalog, mirror: ClusterMirror,
        policy: PlanPolicy, cache: inout Cache
    ) async throws(Failure) -> Comparison {
        var kinds: [ResourceKey: ServedKind] = [:]
        var live: [ResourceKey: LiveState] = [:]
        // Hooks are not compared; their kinds are watched, for what they leave behind is ours.
        let manifests = desired
        let desired = manifests.filter { !$0.isHook }
        for resource in desired {
            do throws(Failure) {
                kinds[resource.key] = try catalog.served(resource.gvk)
            } catch {
                live[resource.key] = Self.isDefined(resource.gvk, by: desired) ? .absent : .unknown(error)
            }
        }
        let desiredKinds = Set(desired.map(\.gvk.groupKind))
        var watched = Set(kinds.values)
        watched.formUnion(manifests.lazy.filter(\.isHook).compactMap { catalog.kinds[$0.gvk] })
        let inventory = try await ledger.inventory(of: application.uid)
        for item in inventory where !desiredKinds.contains(item.key.groupKind) {
            if let kind = catalog.preferred[item.key.groupKind] {
                watched.insert(kind)
            } else if let failure = catalog.unavailable[item.key.group], live[item.key] == nil {
                live[item.key] = .unknown(failure)
            }
        }
        let namespaces = Set(desired.map(\.namespace) + inventory.map(\.key.namespace)).filter { !$0.isEmpty }
        await mirror.watch(watched, in: namespaces)
        let unknown = await mirror.unknown(among: watched, in: namespaces)
        let version = await mirror.version(of: application.uid)
        let owned = await mirror.objects(of: application.uid)
        for resource in desired where live[resource.key] == nil {
            guard let kind = kinds[resource.key] else { continue }
            live[resource.key] = await state(of: resource, kind: kind, owned: owned, unknown: unknown, mirror: mirror)
        }
        for (key, resource) in owned where live[key] == nil && (policy.isDeletion || !resource.isHook) {
            live[key] = .present(resource)
        }
        if policy.leaveReplicasToAutoscaler {
            for scaler in try await autoscalers(for: desired, catalog: catalog, mirror: mirror)
            where live[scaler.key] == nil {
                live[scaler.key] = .present(scaler)
            }
        }
        for item in inventory where live[item.key] == nil {
            // Applied once, not desired now, and of a kind that cannot be listed: nobody may call it gone.
            if let failure = unknown.first(where: { $0.key.gvk.groupKind == item.key.groupKind })?.value {
                live[item.key] = .unknown(failure)
            }
        }
        var policy = policy
        policy.ignored = settings.ignored(for: application)
        if cache.ignored != policy.ignored { cache = Cache(ignored: policy.ignored) }
        let schema = await schemas(of: desired, kinds: kinds, mirror: mirror)
        // What does not count is applied as it is: planned so, the record and the recovery need not know.
        let applied =
            application.application.respectsIgnoredDifferences
            ? policy.ignored.respected(desired: manifests, live: live, schema: schema) : manifests
        let differences = try await differences(
            applied.filter { !$0.isHook }, live: live, kinds: kinds, schema: schema, mirror: mirror, cache: &cache)
        let plan = Plan.make(desired: applied, live: live, comparisons: differences, policy: policy)
        return try summarize(plan, desired: desired, live: live, version: version)
    }

    /// Autoscalers beside the workloads that say a number of replicas, whoever they belong to.
    private func autoscalers(
        for desired: [Resource], catalog: KindCatalog, mirror: ClusterMirror
    ) async throws(Failure) -> [Resource] {
        let group = GroupKind(group: "autoscaling", kind: "HorizontalPodAutoscaler")
        guard let kind = catalog.preferred[group] else { return [] }
        var found: [Resource] = []
        for namespace in Set(desired.lazy.filter { $0.object.at("spec", "replicas") != nil }.map(\.namespace)) {
            found += try await mirror.cluster.list(kind, namespace: namespace, selector: "").items
        }
        return found
    }

    /// A custom kind whose definition comes with the same manifests is absent, not unknown.
    static func isDefined(_ gvk: GroupVersionKind, by resources: [Resource]) -> Bool {
        resources.contains { $0.definedKind == gvk.groupKind }
    }

    private func state(
        of resource: Resource, kind: ServedKind, owned: [ResourceKey: Resource], unknown: [ServedKind: Failure],
        mirror: ClusterMirror
    ) async -> LiveState {
        if let failure = unknown[kind] { return .unknown(failure) }
        if let object = owned[resource.key] { return .present(object) }
        // Not ours so far: somebody else's, or nobody's. Only the server can tell.
        do throws(Failure) {
            guard
                let object = try await mirror.cluster.get(kind, namespace: resource.namespace, name: resource.name)
            else { return .absent }
            return .present(object)
        } catch {
            return .unknown(error)
        }
    }

    private func differences(
        _ desired: [Resource], live: [ResourceKey: LiveState], kinds: [ResourceKey: ServedKind], schema: ListKeys,
        mirror: ClusterMirror, cache: inout Cache
    ) async throws(Failure) -> [ResourceKey: Difference] {
        var result: [ResourceKey: Difference] = [:]
        var fresh: [ResourceKey: Cache.Entry] = [:]
        for resource in desired {
            let key = resource.key
            guard case .present(let object) = live[key] else { continue }
            if let known = cache.entries[key], known.resourceVersion != nil,
                known.resourceVersion == object.resourceVersion, known.uid == object.uid, known.desired == resource
            {
                result[key] = known.difference
                fresh[key] = known
                continue
            }
            var difference = Difference.compare(
                desired: resource, live: object, schema: schema, ignoring: cache.ignored)
            var isRehearsed = false
            if case .undecided = difference, let kind = kinds[key] {
                (difference, isRehearsed) = await predicted(
                    resource, live: object, kind: kind, mirror: mirror, schema: schema, ignored: cache.ignored,
                    otherwise: difference)
            }
            result[key] = difference
            fresh[key] = Cache.Entry(
                desired: resource, resourceVersion: object.resourceVersion, uid: object.uid, difference: difference,
                isRehearsed: isRehearsed)
        }
        cache.entries = fresh
        return result
    }

    /// How the lists of the desired custom kinds merge: a kind that its server says nothing of is compared with care.
    private func schemas(
        of desired: [Resource], kinds: [ResourceKey: ServedKind], mirror: ClusterMirror
    ) async -> ListKeys {
        var found: [GroupVersionKind: MergeSchema] = [:]
        for kind in Set(desired.compactMap { kinds[$0.key] }) where !ListKeys.builtIn.knows(kind.gvk.groupKind) {
            found[kind.gvk] = await mirror.cluster.schema(of: kind)
        }
        return ListKeys.builtIn.adding(found)
    }

    /// Lets the server work out what an apply would change. A dry run that is refused leaves the difference standing:
    /// the apply itself will then say why.
    private func predicted(
        _ resource: Resource, live: Resource, kind: ServedKind, mirror: ClusterMirror, schema: ListKeys,
        ignored: IgnoredDifferences, otherwise: Difference
    ) async -> (Difference, isRehearsed: Bool) {
        do throws(Failure) {
            let answer = try await mirror.cluster.apply(resource, as: kind, WriteOptions(dryRun: true))
            let difference = Difference.afterDryRun(
                predicted: answer, live: live, desired: resource, schema: schema, ignoring: ignored)
            return (difference, true)
        } catch {
            return (otherwise, false)
        }
    }

    private func summarize(
        _ plan: Plan, desired: [Resource], live: [ResourceKey: LiveState], version: Int
    ) throws(Failure) -> Comparison {
        var present: [ResourceKey: Resource] = [:]
        for (key, state) in live { if case .present(let resource) = state { present[key] = resource } }
        let (health, message) = Health.aggregate(plan: plan, rules: settings.health)
        return Comparison(
            plan: plan, live: present, liveDigest: try ledger.digest(of: present.values.map(Self.comparable)),
            health: health, healthMessage: message,
            resources: plan.changes.compactMap { Self.status($0, settings.health) }, mirrorVersion: version)
    }

    /// A live object without what changes by itself: what "before" and "after" digests are taken of.
    static func comparable(_ live: Resource) -> Resource {
        var copy = live
        copy.set(nil, at: "status")
        for field in ["managedFields", "resourceVersion", "generation", "creationTimestamp", "uid"] {
            copy.set(nil, at: "metadata", field)
        }
        return copy
    }

    private static func status(_ change: PlannedChange, _ rules: HealthRules) -> ResourceStatus? {
        let live = change.live
        let health = live.flatMap { Health.assess($0, rules: rules) }
        // What could not be looked at is not missing.
        let isUnknown = if case .unknown = change.action { true } else { false }
        return ResourceStatus(
            key: change.key, apiVersion: change.gvk.apiVersion, sync: change.syncStatus,
            health: isUnknown ? .unknown : live == nil ? .missing : health?.status,
            message: change.message ?? health?.message,
            requiresPruning: change.requiresPruning)
    }
}
