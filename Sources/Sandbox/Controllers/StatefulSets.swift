import Shiplog

/// StatefulSets and DaemonSets.
extension ClusterState {
    private static let revisionLabel = "controller-revision-hash"

    mutating func reconcileStatefulSet(_ key: ObjectKey, _ clock: ControllerClock) {
        guard let set = object(key), let spec = set["spec"] else { return }
        let wanted = Self.replicas(set)
        let first = Int(min(max(spec.at("ordinals", "start")?.integer ?? 0, 0), 1_000_000))
        let update = set.name + "-" + Self.hash(of: spec["template"] ?? [:])
        let current = set.at("status", "currentRevision")?.string ?? update
        if !set.isBeingDeleted {
            keepControllerRevision(update, of: set, clock)
            let isParallel = spec["podManagementPolicy"] == "Parallel"
            var mayGoOn = true
            for ordinal in first..<(first + wanted) where mayGoOn {
                let name = "\(set.name)-\(ordinal)"
                let pod = ObjectKey(resource: Self.pods, namespace: key.namespace, name: name)
                if let existing = object(pod) {
                    if !isParallel, !Self.isReady(existing) { mayGoOn = false }
                } else {
                    makeStatefulPod(set, name, ordinal, update, clock)
                    if !isParallel { mayGoOn = false }
                }
            }
            let pods = statefulPods(set)
            let surplus = pods.filter { $0.ordinal < first || $0.ordinal >= first + wanted }
            for pod in isParallel ? surplus : Array(surplus.suffix(1)) { discard(pod.key, clock) }
            if mayGoOn, surplus.isEmpty, spec.at("updateStrategy", "type") != "OnDelete" {
                let partition = spec.at("updateStrategy", "rollingUpdate", "partition")?.integer ?? 0
                // From the highest ordinal down, one at a time.
                for pod in pods.reversed() where Int64(pod.ordinal - first) >= partition {
                    if pod.object.isBeingDeleted { break }
                    if pod.object.labels[Self.revisionLabel]?.string != update {
                        discard(pod.key, clock)
                        break
                    }
                    if !Self.isReady(pod.object) { break }
                }
            } else if !mayGoOn, spec.at("updateStrategy", "type") != "OnDelete" {
                // A pod that cannot become ready is replaced when the template has moved on.
                if let stuck = pods.last(where: {
                    !Self.isReady($0.object) && $0.object.labels[Self.revisionLabel]?.string != update
                }) {
                    discard(stuck.key, clock)
                }
            }
        }
        let pods = statefulPods(set)
        let ready = pods.filter { Self.isReady($0.object) }
        let updated = pods.filter { $0.object.labels[Self.revisionLabel]?.string == update }
        let isDone = updated.count == wanted && pods.count == wanted && ready.count == wanted
        var available = 0
        for pod in pods
        where isAvailable(pod.object, spec["minReadySeconds"]?.integer ?? 0, owner: set.uid, clock) { available += 1 }
        let generation = set.at("metadata", "generation")
        let same = pods.filter { $0.object.labels[Self.revisionLabel]?.string == current }.count
        write(key, by: Self.controllerManager, status: true, clock) { set in
            var status = set["status"] ?? [:]
            status["observedGeneration"] = generation
            status["replicas"] = .integer(Int64(pods.count))
            Self.count(&status, "readyReplicas", ready.count)
            status["availableReplicas"] = .integer(Int64(available))
            Self.count(&status, "updatedReplicas", updated.count)
            Self.count(&status, "currentReplicas", isDone ? wanted : same)
            status["currentRevision"] = .string(isDone ? update : current)
            status["updateRevision"] = .string(update)
            status["collisionCount"] = 0
            set["status"] = status
        }
    }

    private func statefulPods(_ set: JSON) -> [(key: ObjectKey, object: JSON, ordinal: Int)] {
        dependents(of: set.uid).compactMap { key in
            guard key.resource == Self.pods, let object = object(key), key.name.hasPrefix(set.name + "-"),
                let ordinal = Int(key.name.dropFirst(set.name.count + 1)), (0...10_000_000).contains(ordinal)
            else { return nil }
            return (key, object, ordinal)
        }.sorted { $0.ordinal < $1.ordinal }
    }

    private mutating func makeStatefulPod(
        _ set: JSON, _ name: String, _ ordinal: Int, _ revision: String, _ clock: ControllerClock
    ) {
        var pod = Self.pod(
            from: set.at("spec", "template") ?? [:], owner: set,
            labels: [
                "statefulset.kubernetes.io/pod-name": .string(name), Self.revisionLabel: .string(revision),
                "apps.kubernetes.io/pod-index": .string(String(ordinal))
            ])
        pod.set(nil, at: ["metadata", "generateName"])
        pod.set(.string(name), at: ["metadata", "name"])
        pod.set(.string(name), at: ["spec", "hostname"])
        if let service = set.at("spec", "serviceName")?.string, !service.isEmpty {
            pod.set(.string(service), at: ["spec", "subdomain"])
        }
        var volumes = pod.at("spec", "volumes")?.array ?? []
        for template in set.at("spec", "volumeClaimTemplates")?.array ?? [] {
            let claim = ObjectKey(
                resource: Self.claims, namespace: set.namespace, name: "\(template.name)-\(name)")
            if object(claim) == nil {
                var object = template
                object["apiVersion"] = nil
                object["kind"] = nil
                object["status"] = nil
                object.set(.string(claim.name), at: ["metadata", "name"])
                for (label, value) in set.at("spec", "selector", "matchLabels")?.object ?? [:] {
                    object.set(value, at: ["metadata", "labels", label])
                }
                make(object, Self.claims, namespace: set.namespace, clock)
            }
            volumes.removeAll { $0["name"]?.string == template.name }
            volumes.append([
                "name": .string(template.name), "persistentVolumeClaim": ["claimName": .string(claim.name)]
            ])
        }
        if !volumes.isEmpty { pod.set(.array(volumes), at: ["spec", "volumes"]) }
        make(pod, Self.pods, namespace: set.namespace, clock)
    }

    /// The record of a template that `kubectl rollout history` and `undo` read.
    private mutating func keepControllerRevision(_ name: String, of owner: JSON, _ clock: ControllerClock) {
        let resource = GroupResource(group: "apps", plural: "controllerrevisions")
        let key = ObjectKey(resource: resource, namespace: owner.namespace, name: name)
        let others = dependents(of: owner.uid).filter { $0.resource == resource }.compactMap { object($0) }
        let newest = others.map { $0["revision"]?.integer ?? 0 }.max() ?? 0
        if let existing = object(key) {
            guard existing["revision"]?.integer ?? 0 < newest else { return }
            write(key, by: Self.controllerManager, status: false, clock) {
                $0["revision"] = .integer(Self.successor(newest))
            }
            return
        }
        var template = owner.at("spec", "template") ?? [:]
        template["$patch"] = "replace"
        make(
            [
                "metadata": [
                    "name": .string(name), "labels": owner.at("spec", "template", "metadata", "labels") ?? [:],
                    "ownerReferences": [Self.controllerReference(to: owner)]
                ],
                "data": ["spec": ["template": template]], "revision": .integer(Self.successor(newest))
            ], resource, namespace: owner.namespace, clock)
        let limit = Int(min(max(owner.at("spec", "revisionHistoryLimit")?.integer ?? 10, 0), 10_000))
        let old = others.sorted { $0["revision"]?.integer ?? 0 < $1["revision"]?.integer ?? 0 }
        for revision in old.dropLast(limit) {
            discard(ObjectKey(resource: resource, namespace: owner.namespace, name: revision.name), clock)
        }
    }

    /// One pod: the sandbox has one node.
    mutating func reconcileDaemonSet(_ key: ObjectKey, _ clock: ControllerClock) {
        guard let set = object(key), let spec = set["spec"] else { return }
        let update = set.name + "-" + Self.hash(of: spec["template"] ?? [:])
        let hash = String(update.dropFirst(set.name.count + 1))
        // A node selector that the one node does not meet wants no pod.
        let node =
            object(
                ObjectKey(
                    resource: GroupResource(group: "", plural: "nodes"), namespace: "", name: Self.nodeName))?.labels
            ?? [:]
        let wants = LabelSelector(spec.at("template", "spec", "nodeSelector") ?? [:])?.matches(node) ?? true
        let wanted = wants ? 1 : 0
        let pods = controlled(by: set, Self.pods, LabelSelector(spec["selector"]), clock)
        if !set.isBeingDeleted {
            keepControllerRevision(update, of: set, clock)
            let active = pods.filter { !$0.object.isBeingDeleted }
            if active.isEmpty, wanted > 0, pods.isEmpty {
                let pod = Self.pod(
                    from: spec["template"] ?? [:], owner: set,
                    labels: [Self.revisionLabel: .string(hash), "pod-template-generation": "1"])
                make(pod, Self.pods, namespace: key.namespace, clock)
            } else if wanted == 0 || spec.at("updateStrategy", "type") != "OnDelete" {
                for (pod, object) in active
                where wanted == 0 || object.labels[Self.revisionLabel]?.string != hash { discard(pod, clock) }
            }
        }
        let now = controlled(by: set, Self.pods, nil, clock).filter { !$0.object.isBeingDeleted }
        let ready = now.filter { Self.isReady($0.object) }.count
        let updated = now.filter { $0.object.labels[Self.revisionLabel]?.string == hash }.count
        write(key, by: Self.controllerManager, status: true, clock) { set in
            var status = set["status"] ?? [:]
            status["observedGeneration"] = set.at("metadata", "generation")
            status["desiredNumberScheduled"] = .integer(Int64(wanted))
            status["currentNumberScheduled"] = .integer(Int64(min(now.count, wanted)))
            status["numberMisscheduled"] = 0
            status["numberReady"] = .integer(Int64(ready))
            Self.count(&status, "updatedNumberScheduled", updated)
            Self.count(&status, "numberAvailable", ready)
            Self.count(&status, "numberUnavailable", max(0, wanted - ready))
            set["status"] = status
        }
    }
}
