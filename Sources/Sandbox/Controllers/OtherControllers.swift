import Shiplog

/// Volumes, quotas, autoscalers, custom kinds and aggregated APIs.
extension ClusterState {
    private static let volumes = GroupResource(group: "", plural: "persistentvolumes")
    private static let storageClasses = GroupResource(group: "storage.k8s.io", plural: "storageclasses")

    mutating func reconcileClaim(_ key: ObjectKey, _ clock: ControllerClock) {
        guard let claim = object(key) else { return }
        if claim.isBeingDeleted {
            let inUse = objects(Self.pods, namespace: key.namespace).contains { _, pod in
                Self.isActive(pod)
                    && pod.at("spec", "volumes")?.array?.contains {
                        $0.at("persistentVolumeClaim", "claimName")?.string == key.name
                    } == true
            }
            if inUse {
                work.add(.object(key), at: clock.after(500))
            } else {
                dropFinalizer("kubernetes.io/pvc-protection", key)
            }
            return
        }
        guard claim.at("status", "phase") != "Bound" else { return }
        guard let name = volume(for: claim, clock) else { return }
        write(key, by: Self.controllerManager, status: false, clock) {
            $0.set(.string(name), at: ["spec", "volumeName"])
            $0.set("yes", at: ["metadata", "annotations", "pv.kubernetes.io/bind-completed"])
        }
        let capacity = object(ObjectKey(resource: Self.volumes, namespace: "", name: name))?.at("spec", "capacity")
        write(key, by: Self.controllerManager, status: true, clock) { claim in
            claim.set("Bound", at: ["status", "phase"])
            claim.set(claim.at("spec", "accessModes"), at: ["status", "accessModes"])
            claim.set(capacity ?? claim.at("spec", "resources", "requests"), at: ["status", "capacity"])
        }
    }

    /// The volume that a claim names, one that is free and fits, or a new one of the claim's class.
    private mutating func volume(for claim: JSON, _ clock: ControllerClock) -> String? {
        let wanted = claim.at("spec", "resources", "requests", "storage")?.string.flatMap(Quantity.milli) ?? 0
        let className = claim.at("spec", "storageClassName")?.string ?? ""
        let named = claim.at("spec", "volumeName")?.string
        let reference: JSON = [
            "kind": "PersistentVolumeClaim", "apiVersion": "v1", "namespace": .string(claim.namespace),
            "name": .string(claim.name), "uid": .string(claim.uid)
        ]
        let free = objects(Self.volumes, namespace: nil).first { key, volume in
            if let named { return key.name == named }
            return volume.at("spec", "claimRef") == nil && !volume.isBeingDeleted
                && volume.at("spec", "storageClassName")?.string ?? "" == className
                && volume.at("spec", "capacity", "storage")?.string.flatMap(Quantity.milli) ?? 0 >= wanted
        }
        if let (key, _) = free {
            write(key, by: Self.controllerManager, status: false, clock) { $0.set(reference, at: ["spec", "claimRef"]) }
            write(key, by: Self.controllerManager, status: true, clock) { $0.set("Bound", at: ["status", "phase"]) }
            return key.name
        }
        let storageClass = ObjectKey(resource: Self.storageClasses, namespace: "", name: className)
        guard named == nil, !className.isEmpty, let storageClass = object(storageClass) else { return nil }
        let made = make(
            [
                "metadata": ["name": .string("pvc-" + claim.uid)],
                "spec": .members([
                    "capacity": claim.at("spec", "resources", "requests"), "claimRef": reference,
                    "accessModes": claim.at("spec", "accessModes"), "storageClassName": .string(className),
                    "persistentVolumeReclaimPolicy": storageClass["reclaimPolicy"],
                    "volumeMode": claim.at("spec", "volumeMode"), "hostPath": ["path": "/sandbox/none"]
                ])
            ], Self.volumes, namespace: "", clock)
        guard let made else { return nil }
        let key = ObjectKey(resource: Self.volumes, namespace: "", name: made.name)
        write(key, by: Self.controllerManager, status: true, clock) { $0.set("Bound", at: ["status", "phase"]) }
        return made.name
    }

    mutating func reconcileVolume(_ key: ObjectKey, _ clock: ControllerClock) {
        guard let volume = object(key) else { return }
        let owner = volume.at("spec", "claimRef", "uid")?.string ?? ""
        let isBound = !owner.isEmpty && exists(uid: owner)
        if volume.isBeingDeleted {
            if !isBound { dropFinalizer("kubernetes.io/pv-protection", key) }
            return
        }
        if isBound { return }
        if !owner.isEmpty, volume.at("spec", "persistentVolumeReclaimPolicy") == "Delete" {
            discard(key, clock)
            return
        }
        write(key, by: Self.controllerManager, status: true, clock) {
            $0.set(owner.isEmpty ? "Available" : "Released", at: ["status", "phase"])
        }
    }

    /// Quotas are shown, not enforced.
    mutating func reconcileQuota(_ key: ObjectKey, _ clock: ControllerClock) {
        write(key, by: Self.controllerManager, status: true, clock) { quota in
            let hard = quota.at("spec", "hard")
            quota.set(hard, at: ["status", "hard"])
            quota.set(.object((hard?.object ?? [:]).mapValues { _ in "0" }), at: ["status", "used"])
        }
    }

    /// An autoscaler reports; it never scales, because nothing is measured.
    mutating func reconcileAutoscaler(_ key: ObjectKey, _ clock: ControllerClock) {
        guard let scaler = object(key), let target = scaler.at("spec", "scaleTargetRef") else { return }
        let group = GroupVersionKind(apiVersion: target["apiVersion"]?.string ?? "", kind: "").group
        let kind = registry.kind(group: group, kind: target["kind"]?.string ?? "")
        let found = kind.flatMap {
            object(ObjectKey(resource: $0.resource, namespace: key.namespace, name: target["name"]?.string ?? ""))
        }
        let replicas = found.map(Self.replicas)
        write(key, by: Self.controllerManager, status: true, clock) { scaler in
            if let replicas {
                scaler.set(.integer(Int64(replicas)), at: ["status", "currentReplicas"])
                scaler.set(.integer(Int64(replicas)), at: ["status", "desiredReplicas"])
                Self.setCondition(
                    &scaler, "AbleToScale", true, reason: "ReadyForNewScale",
                    message: "recommended size matches current size", clock)
                Self.setCondition(
                    &scaler, "ScalingActive", true, reason: "ValidMetricFound",
                    message: "the sandbox measures nothing and scales nothing", clock)
                Self.setCondition(
                    &scaler, "ScalingLimited", false, reason: "DesiredWithinRange",
                    message: "the desired count is within the acceptable range", clock)
            } else {
                scaler.set(0, at: ["status", "desiredReplicas"])
                Self.setCondition(
                    &scaler, "AbleToScale", false, reason: "FailedGetScale",
                    message: "the target was not found", clock)
            }
        }
        if replicas == nil { work.add(.object(key), at: clock.after(5000)) }
    }

    mutating func reconcileDefinition(_ key: ObjectKey, _ clock: ControllerClock) {
        guard let definition = object(key), !definition.isBeingDeleted else { return }
        let versions = definition.at("spec", "versions")?.array ?? []
        let storage = versions.first { $0["storage"] == true }?["name"]
        let group = definition.at("spec", "group")?.string ?? ""
        let plural = definition.at("spec", "names", "plural")?.string ?? ""
        let isTaken = BuiltIn.kinds.contains { $0.group == group && $0.plural == plural }
        write(key, by: "kube-apiserver", status: true, clock) { definition in
            definition.set(definition.at("spec", "names"), at: ["status", "acceptedNames"])
            var stored = definition.at("status", "storedVersions")?.array ?? []
            if let storage, !stored.contains(storage) { stored.append(storage) }
            definition.set(.array(stored), at: ["status", "storedVersions"])
            Self.setCondition(
                &definition, "NamesAccepted", !isTaken, reason: isTaken ? "PluralConflict" : "NoConflicts",
                message: isTaken ? "\"\(plural)\" is already in use" : "no conflicts found", clock)
            Self.setCondition(
                &definition, "Established", !isTaken, reason: isTaken ? "NotAccepted" : "InitialNamesAccepted",
                message: isTaken ? "not all names are accepted" : "the initial names have been accepted", clock)
        }
    }

    mutating func reconcileService(api key: ObjectKey, _ clock: ControllerClock) {
        guard let service = object(key) else { return }
        let reference = service.at("spec", "service")
        let target = reference.map {
            ObjectKey(
                resource: Self.services, namespace: $0["namespace"]?.string ?? "", name: $0["name"]?.string ?? "")
        }
        let isThere = target.map { object($0) != nil } ?? true
        write(key, by: "kube-apiserver", status: true, clock) {
            Self.setCondition(
                &$0, "Available", isThere, reason: target == nil ? "Local" : isThere ? "Passed" : "ServiceNotFound",
                message: isThere ? "" : "the service is not present", clock)
        }
        if !isThere { work.add(.object(key), at: clock.after(10_000)) }
    }
}
