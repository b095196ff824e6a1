import Shiplog

/// ReplicaSets and ReplicationControllers: as many pods as are wanted.
extension ClusterState {
    mutating func reconcileReplicaSet(_ key: ObjectKey, _ clock: ControllerClock) {
        guard let set = object(key), let spec = set["spec"] else { return }
        let selector = LabelSelector(spec["selector"])
        let all = controlled(by: set, Self.pods, selector, clock)
        var active = all.filter { Self.isActive($0.object) }
        if !set.isBeingDeleted {
            let wanted = Int(min(max(spec["replicas"]?.integer ?? 1, 0), 10_000))
            if active.count < wanted {
                let pod = Self.pod(from: spec["template"] ?? [:], owner: set)
                for _ in active.count..<wanted {
                    guard let made = make(pod, Self.pods, namespace: key.namespace, clock) else { break }
                    report(
                        set, "Normal", "SuccessfulCreate", "Created pod: \(made.name)",
                        from: "replicaset-controller", clock)
                }
            } else if active.count > wanted {
                // Those that serve no one go first, then the youngest.
                let order = active.sorted { left, right in
                    let (first, second) = (Self.isReady(left.object), Self.isReady(right.object))
                    if first != second { return !first }
                    let ages = (Self.age(left.object), Self.age(right.object))
                    return ages.0 == ages.1 ? left.key > right.key : ages.0 > ages.1
                }
                for (pod, _) in order.prefix(active.count - wanted) { discard(pod, clock) }
            }
            active = controlled(by: set, Self.pods, nil, clock).filter { Self.isActive($0.object) }
        }
        let templateLabels = LabelSelector(spec.at("template", "metadata", "labels"))
        let minReady = spec["minReadySeconds"]?.integer ?? 0
        var available: Int64 = 0
        for (_, pod) in active where isAvailable(pod, minReady, owner: set.uid, clock) { available += 1 }
        let ready = active.filter { Self.isReady($0.object) }.count
        let labelled = active.filter { templateLabels?.matches($0.object) ?? true }.count
        write(key, by: Self.controllerManager, status: true, clock) { set in
            var status = set["status"] ?? [:]
            status["replicas"] = .integer(Int64(active.count))
            Self.count(&status, "fullyLabeledReplicas", labelled)
            Self.count(&status, "readyReplicas", ready)
            Self.count(&status, "availableReplicas", Int(available))
            status["observedGeneration"] = set.at("metadata", "generation")
            set["status"] = status
        }
    }

    /// A number that Go leaves out when it is zero.
    static func count(_ status: inout JSON, _ name: String, _ value: Int) {
        status[name] = value == 0 ? nil : .integer(Int64(value))
    }

    static func isActive(_ pod: JSON) -> Bool {
        let phase = pod.at("status", "phase")?.string
        return !pod.isBeingDeleted && phase != "Succeeded" && phase != "Failed"
    }

    static func age(_ object: JSON) -> String { object.at("metadata", "creationTimestamp")?.string ?? "" }

    /// A number or a percentage of a total.
    static func resolve(_ value: JSON?, of total: Int, roundsUp: Bool) -> Int {
        switch value {
        case .integer(let number): return Int(min(max(number, 0), 1_000_000))
        case .string(let text):
            guard text.hasSuffix("%"), let percent = Int(text.dropLast()), (0...1000).contains(percent) else {
                return 0
            }
            return roundsUp ? (total * percent + 99) / 100 : total * percent / 100
        default: return 0
        }
    }

    /// A short name for a pod template: the same template, the same name.
    static func hash(of template: JSON) -> String {
        var hash: UInt32 = 0x811C_9DC5
        for byte in template.canonicalBytes { hash = (hash ^ UInt32(byte)) &* 0x0100_0193 }
        let letters = Array("bcdfghjklmnpqrstvwxz2456789")
        var result = ""
        for _ in 0..<8 {
            result.append(letters[Int(hash % UInt32(letters.count))])
            hash = hash / UInt32(letters.count) ^ (hash &* 0x9E37_79B9)
        }
        return result
    }
}
