import Shiplog

/// Deployments: one ReplicaSet a template, replaced step by step.
extension ClusterState {
    private static let revision = "deployment.kubernetes.io/revision"

    mutating func reconcileDeployment(_ key: ObjectKey, _ clock: ControllerClock) {
        guard let deployment = object(key), let spec = deployment["spec"] else { return }
        let selector = LabelSelector(spec["selector"])
        var sets = controlled(by: deployment, Self.replicaSets, selector, clock).filter { !$0.object.isBeingDeleted }
        guard !deployment.isBeingDeleted else {
            writeDeploymentStatus(key, sets, nil, clock)
            return
        }
        let template = spec["template"] ?? [:]
        let hash = Self.hash(of: template)
        var current = sets.first { $0.object.labels["pod-template-hash"]?.string == hash }?.key
        let isPaused = spec["paused"] == true
        if !isPaused {
            let isRecreate = spec.at("strategy", "type") == "Recreate"
            let old = sets.filter { $0.key != current }
            let oldPods = old.flatMap { dependents(of: $0.object.uid) }.filter { $0.resource == Self.pods }.count
            if isRecreate, oldPods > 0 || old.contains(where: { Self.replicas($0.object) > 0 }) {
                for (set, _) in old { scale(set, to: 0, clock) }
            } else if current == nil {
                current = makeReplicaSet(deployment, template, hash, sets, clock)
            }
            sets = controlled(by: deployment, Self.replicaSets, nil, clock).filter { !$0.object.isBeingDeleted }
            if let current {
                keepRevision(key, current, sets, clock)
                if isRecreate {
                    scale(current, to: Self.replicas(deployment), clock)
                } else {
                    roll(deployment, current, clock)
                }
            }
        } else if let only = current ?? sets.first?.key, sets.filter({ Self.replicas($0.object) > 0 }).count <= 1 {
            scale(only, to: Self.replicas(deployment), clock)
        }
        sets = controlled(by: deployment, Self.replicaSets, nil, clock).filter { !$0.object.isBeingDeleted }
        writeDeploymentStatus(key, sets, current, clock)
        trimHistory(key, sets, current, clock)
    }

    static func replicas(_ object: JSON) -> Int {
        Int(min(max(object.at("spec", "replicas")?.integer ?? 1, 0), 10_000))
    }

    private static func number(_ object: JSON, _ field: String) -> Int {
        Int(min(max(object.at("status", field)?.integer ?? 0, 0), 1_000_000))
    }

    private mutating func makeReplicaSet(
        _ deployment: JSON, _ template: JSON, _ hash: String, _ sets: [(key: ObjectKey, object: JSON)],
        _ clock: ControllerClock
    ) -> ObjectKey? {
        var template = template
        template.set(.string(hash), at: ["metadata", "labels", "pod-template-hash"])
        var selector = deployment.at("spec", "selector") ?? [:]
        selector.set(.string(hash), at: ["matchLabels", "pod-template-hash"])
        let isRecreate = deployment.at("spec", "strategy", "type") == "Recreate"
        let wanted = Self.replicas(deployment)
        let total = sets.reduce(0) { $0 + Self.replicas($1.object) }
        let surge = isRecreate ? 0 : Self.bounds(deployment).surge
        let first = isRecreate ? wanted : max(0, min(wanted, wanted + surge - total))
        var annotations = Self.inherited(deployment)
        annotations[Self.revision] = .string(String(Self.successor(Self.newestRevision(sets))))
        annotations["deployment.kubernetes.io/desired-replicas"] = .string(String(wanted))
        annotations["deployment.kubernetes.io/max-replicas"] = .string(String(wanted + surge))
        let object: JSON = [
            "apiVersion": "apps/v1", "kind": "ReplicaSet",
            "metadata": [
                "name": .string("\(deployment.name)-\(hash)"),
                "labels": template.at("metadata", "labels") ?? [:], "annotations": .object(annotations),
                "ownerReferences": [Self.controllerReference(to: deployment)]
            ],
            "spec": .members([
                "replicas": .integer(Int64(first)), "selector": selector, "template": template,
                "minReadySeconds": deployment.at("spec", "minReadySeconds")
            ])
        ]
        guard let made = make(object, Self.replicaSets, namespace: deployment.namespace, clock) else { return nil }
        report(
            deployment, "Normal", "ScalingReplicaSet", "Scaled up replica set \(made.name) to \(first)",
            from: "deployment-controller", clock)
        return ObjectKey(resource: Self.replicaSets, namespace: deployment.namespace, name: made.name)
    }

    private static func inherited(_ deployment: JSON) -> [String: JSON] {
        (deployment.at("metadata", "annotations")?.object ?? [:]).filter {
            $0.key != "kubectl.kubernetes.io/last-applied-configuration"
                && !$0.key.hasPrefix("deployment.kubernetes.io/")
        }
    }

    private static func revision(of object: JSON) -> Int64 {
        object.at("metadata", "annotations", revision)?.string.flatMap { Int64($0) } ?? 0
    }

    private static func newestRevision(_ sets: [(key: ObjectKey, object: JSON)]) -> Int64 {
        sets.map { revision(of: $0.object) }.max() ?? 0
    }

    /// The current ReplicaSet has the highest revision, and the Deployment names it.
    private mutating func keepRevision(
        _ key: ObjectKey, _ current: ObjectKey, _ sets: [(key: ObjectKey, object: JSON)], _ clock: ControllerClock
    ) {
        let newest = Self.newestRevision(sets.filter { $0.key != current })
        if let set = object(current), Self.revision(of: set) <= newest, newest < .max {
            write(current, by: Self.controllerManager, status: false, clock) {
                $0.set(.string(String(Self.successor(newest))), at: ["metadata", "annotations", Self.revision])
            }
        }
        guard let set = object(current) else { return }
        let value = JSON.string(String(Self.revision(of: set)))
        write(key, by: Self.controllerManager, status: false, clock) {
            $0.set(value, at: ["metadata", "annotations", Self.revision])
        }
    }

    private static func bounds(_ deployment: JSON) -> (surge: Int, unavailable: Int) {
        let rolling = deployment.at("spec", "strategy", "rollingUpdate")
        let wanted = replicas(deployment)
        let surge = resolve(rolling?["maxSurge"], of: wanted, roundsUp: true)
        let unavailable = resolve(rolling?["maxUnavailable"], of: wanted, roundsUp: false)
        return surge == 0 && unavailable == 0 ? (0, 1) : (surge, min(unavailable, wanted))
    }

    private mutating func scale(_ key: ObjectKey, to count: Int, _ clock: ControllerClock) {
        guard let set = object(key) else { return }
        let before = Self.replicas(set)
        guard before != count else { return }
        write(key, by: Self.controllerManager, status: false, clock) {
            $0.set(.integer(Int64(count)), at: ["spec", "replicas"])
        }
        if let uid = set.controller?["uid"]?.string, let (_, owner) = object(uid: uid) {
            report(
                owner, "Normal", "ScalingReplicaSet",
                "Scaled \(count > before ? "up" : "down") replica set \(key.name) from \(before) to \(count)",
                from: "deployment-controller", clock)
        }
    }

    /// One step of a rolling update: up within the surge, down within what may be unavailable.
    private mutating func roll(_ deployment: JSON, _ current: ObjectKey, _ clock: ControllerClock) {
        let wanted = Self.replicas(deployment)
        let (surge, unavailable) = Self.bounds(deployment)
        let all = controlled(by: deployment, Self.replicaSets, nil, clock).filter { !$0.object.isBeingDeleted }
        guard let newSet = object(current) else { return }
        let old = all.filter { $0.key != current }.sorted { Self.age($0.object) < Self.age($1.object) }
        let total = all.reduce(0) { $0 + Self.replicas($1.object) }
        let mine = Self.replicas(newSet)
        if mine > wanted {
            scale(current, to: wanted, clock)
            return
        }
        if mine < wanted {
            let room = max(0, wanted + surge - total)
            if room > 0 {
                scale(current, to: min(wanted, mine + room), clock)
                return
            }
        }
        guard old.contains(where: { Self.replicas($0.object) > 0 }) else { return }
        let needed = wanted - unavailable
        let newUnavailable = max(0, mine - Self.number(newSet, "availableReplicas"))
        var removable = max(0, total - needed - newUnavailable)
        guard removable > 0 else { return }
        // Old pods that serve no one can go first: they cost no availability.
        for (key, set) in old where removable > 0 {
            let broken = max(0, Self.replicas(set) - Self.number(set, "availableReplicas"))
            let step = min(broken, removable)
            guard step > 0 else { continue }
            scale(key, to: Self.replicas(set) - step, clock)
            removable -= step
        }
        let available = all.reduce(0) { $0 + Self.number($1.object, "availableReplicas") }
        var spare = min(removable, max(0, available - needed))
        for (key, _) in old where spare > 0 {
            guard let set = object(key) else { continue }
            let step = min(Self.replicas(set), spare)
            guard step > 0 else { continue }
            scale(key, to: Self.replicas(set) - step, clock)
            spare -= step
        }
    }

    private mutating func trimHistory(
        _ key: ObjectKey, _ sets: [(key: ObjectKey, object: JSON)], _ current: ObjectKey?, _ clock: ControllerClock
    ) {
        guard let deployment = object(key), let limit = deployment.at("spec", "revisionHistoryLimit")?.integer else {
            return
        }
        let old = sets.filter {
            $0.key != current && Self.replicas($0.object) == 0 && Self.number($0.object, "replicas") == 0
        }.sorted { Self.revision(of: $0.object) < Self.revision(of: $1.object) }
        for (set, _) in old.dropLast(Int(min(max(limit, 0), 10_000))) { discard(set, clock) }
    }

    private mutating func writeDeploymentStatus(
        _ key: ObjectKey, _ sets: [(key: ObjectKey, object: JSON)], _ current: ObjectKey?, _ clock: ControllerClock
    ) {
        guard let deployment = object(key) else { return }
        let wanted = Self.replicas(deployment)
        func total(_ field: String) -> Int { sets.reduce(0) { $0 + Self.number($1.object, field) } }
        let newSet = current.flatMap { object($0) }
        let updated = newSet.map { Self.number($0, "replicas") } ?? 0
        let all = total("replicas")
        let available = total("availableReplicas")
        let unavailable = max(0, wanted - available, sets.reduce(0) { $0 + Self.replicas($1.object) } - available)
        let minimum =
            wanted - (deployment.at("spec", "strategy", "type") == "Recreate" ? 0 : Self.bounds(deployment).unavailable)
        let isComplete = newSet != nil && updated == wanted && all == wanted && available == wanted
        let progress = "\(wanted)/\(updated)/\(all)/\(available)/\(current?.name ?? "")"
        let deadline = deployment.at("spec", "progressDeadlineSeconds")?.integer ?? 600
        if rollouts[key]?.progress != progress
            || rollouts[key]?.generation != deployment.at("metadata", "generation")?.integer
        {
            rollouts[key] = RolloutProgress(
                progress: progress, generation: deployment.at("metadata", "generation")?.integer,
                deadline: clock.after(Double(min(deadline, 1_000_000_000)) * 1000))
        }
        let due = rollouts[key]?.deadline ?? 0
        let wasExpired =
            deployment.condition("Progressing")?["reason"] == "ProgressDeadlineExceeded"
            && deployment.at("status", "observedGeneration") == deployment.at("metadata", "generation")
        let isExpired = !isComplete && (wasExpired || clock.now.milliseconds >= due)
        if isComplete || isExpired { work.cancel(.object(key)) } else { work.add(.object(key), at: due) }
        let isPaused = deployment.at("spec", "paused") == true
        let setName = current?.name ?? deployment.name
        write(key, by: Self.controllerManager, status: true, clock) { deployment in
            var status = deployment["status"] ?? [:]
            status["observedGeneration"] = deployment.at("metadata", "generation")
            Self.count(&status, "replicas", all)
            Self.count(&status, "updatedReplicas", updated)
            Self.count(&status, "readyReplicas", total("readyReplicas"))
            Self.count(&status, "availableReplicas", available)
            Self.count(&status, "unavailableReplicas", unavailable)
            deployment["status"] = status
            let isAvailable = available >= minimum
            Self.setCondition(
                &deployment, "Available", isAvailable,
                reason: isAvailable ? "MinimumReplicasAvailable" : "MinimumReplicasUnavailable",
                message: isAvailable
                    ? "Deployment has minimum availability." : "Deployment does not have minimum availability.",
                clock, updates: true)
            if isComplete {
                Self.setCondition(
                    &deployment, "Progressing", true, reason: "NewReplicaSetAvailable",
                    message: "ReplicaSet \"\(setName)\" has successfully progressed.", clock, updates: true)
            } else if isExpired {
                Self.setCondition(
                    &deployment, "Progressing", false, reason: "ProgressDeadlineExceeded",
                    message: "ReplicaSet \"\(setName)\" has timed out progressing.", clock, updates: true)
            } else if isPaused {
                Self.setCondition(
                    &deployment, "Progressing", true, reason: "DeploymentPaused", message: "Deployment is paused",
                    clock, updates: true)
            } else {
                Self.setCondition(
                    &deployment, "Progressing", true,
                    reason: updated == 0 ? "NewReplicaSetCreated" : "ReplicaSetUpdated",
                    message: updated == 0
                        ? "Created new replica set \"\(setName)\"" : "ReplicaSet \"\(setName)\" is progressing.",
                    clock, updates: true)
            }
        }
    }
}

/// How far a rollout had come when it last moved, and when it counts as failed.
struct RolloutProgress: Sendable, Hashable {
    var progress: String
    var generation: Int64?
    /// Milliseconds since 1970.
    var deadline: Int64
}
