import Shiplog

/// The scheduler and the kubelet: pods get a node and an address and become ready after a while, unless their image
/// cannot be pulled.
extension ClusterState {
    private static let startDelay = 500.0
    private static let backOffDelay = 1000.0
    private static let jobDuration = 1000.0
    private static let endDelay = 200.0

    mutating func reconcilePod(_ key: ObjectKey, _ clock: ControllerClock) {
        guard let pod = object(key) else {
            podDue[key] = nil
            return
        }
        if pod.isBeingDeleted {
            endPod(key, pod, clock)
            return
        }
        if pod.at("spec", "schedulingGates")?.array?.isEmpty == false { return }
        if pod.at("spec", "nodeName") == nil {
            schedule(key, clock)
            return
        }
        let phase = pod.at("status", "phase")?.string
        guard phase != "Succeeded", phase != "Failed" else { return }
        let isStarted = phase == "Running" && Self.runningImages(pod) == Self.images(pod)
        let isJob = Self.comesToAnEnd(pod)
        if isStarted, !isJob { return }
        let isBad = Self.images(pod).contains { !ImageReference($0).canBePulled }
        let isBackingOff = Self.waitingReason(pod) == "ImagePullBackOff" && Self.runningImages(pod) == Self.images(pod)
        if isBad, isBackingOff { return }
        guard let due = podDue[key] else {
            let delay = isStarted ? Self.jobDuration : Self.startDelay
            arm(key, clock.after(delay))
            return
        }
        guard clock.now.milliseconds >= due else {
            work.add(.object(key), at: due)
            return
        }
        podDue[key] = nil
        if isStarted {
            finishPod(key, clock)
        } else if isBad {
            failPull(key, pod, clock)
        } else {
            startPod(key, clock)
            if isJob { arm(key, clock.after(Self.jobDuration)) }
        }
    }

    /// A job's pod, or one by itself that is not to be started again.
    private static func comesToAnEnd(_ pod: JSON) -> Bool {
        guard let controller = pod.controller else {
            return ["Never", "OnFailure"].contains(pod.at("spec", "restartPolicy")?.string)
        }
        return controller["kind"]?.string == "Job"
    }

    private mutating func arm(_ key: ObjectKey, _ due: Int64) {
        podDue[key] = due
        work.add(.object(key), at: due)
    }

    private static func containers(_ pod: JSON, _ list: String = "containers") -> [JSON] {
        pod.at("spec", list)?.array ?? []
    }

    private static func images(_ pod: JSON) -> [String] {
        (containers(pod) + containers(pod, "initContainers")).map { $0["image"]?.string ?? "" }
    }

    private static func runningImages(_ pod: JSON) -> [String] {
        ((pod.at("status", "containerStatuses")?.array ?? [])
            + (pod.at("status", "initContainerStatuses")?.array ?? [])).map { $0["image"]?.string ?? "" }
    }

    private static func waitingReason(_ pod: JSON) -> String? {
        ((pod.at("status", "containerStatuses")?.array ?? [])
            + (pod.at("status", "initContainerStatuses")?.array ?? []))
            .compactMap { $0.at("state", "waiting", "reason")?.string }.first {
                $0.hasPrefix("ImagePull") || $0.hasPrefix("Err")
            }
    }

    private mutating func schedule(_ key: ObjectKey, _ clock: ControllerClock) {
        write(key, by: "kube-scheduler", status: false, clock) {
            $0.set(.string(Self.nodeName), at: ["spec", "nodeName"])
        }
        write(key, by: Self.kubelet, status: true, clock) { pod in
            Self.setCondition(&pod, "PodScheduled", true, reason: "", message: "", clock)
            Self.setCondition(&pod, "Initialized", true, reason: "", message: "", clock)
            Self.setReady(&pod, false, clock)
            pod.set("127.0.0.1", at: ["status", "hostIP"])
            pod.set(.string(clock.seconds), at: ["status", "startTime"])
            let waiting: JSON = ["waiting": ["reason": "ContainerCreating"]]
            Self.setStatuses(&pod, state: { _ in waiting }, isReady: false)
        }
        arm(key, clock.after(Self.startDelay))
    }

    private static func setReady(_ pod: inout JSON, _ isReady: Bool, _ clock: ControllerClock) {
        let names = containers(pod).compactMap { $0["name"]?.string }.joined(separator: " ")
        for type in ["Ready", "ContainersReady"] {
            setCondition(
                &pod, type, isReady, reason: isReady ? "" : "ContainersNotReady",
                message: isReady ? "" : "containers with unready status: [\(names)]", clock)
        }
    }

    private static func setStatuses(_ pod: inout JSON, state: (JSON) -> JSON, isReady: Bool) {
        for (list, field) in [("containers", "containerStatuses"), ("initContainers", "initContainerStatuses")] {
            let all = containers(pod, list)
            guard !all.isEmpty else { continue }
            let statuses = all.map { container -> JSON in
                let isInit = list == "initContainers"
                let value = state(container)
                let started = value["running"] != nil
                let done: JSON = ["terminated": ["exitCode": 0, "reason": "Completed"]]
                return [
                    "name": container["name"] ?? "", "image": container["image"] ?? "",
                    "imageID": isReady ? .string("sandbox://" + (container["image"]?.string ?? "")) : "",
                    "ready": .bool(isReady), "restartCount": 0, "started": .bool(started && !isInit),
                    "state": isInit && isReady ? done : value
                ]
            }
            pod.set(.array(statuses), at: ["status", field])
        }
    }

    private mutating func startPod(_ key: ObjectKey, _ clock: ControllerClock) {
        lastPodAddress = (lastPodAddress + 1) % 65_000
        let number = lastPodAddress + 4
        let address = "10.244.\(number / 256).\(number % 256)"
        let running: JSON = ["running": ["startedAt": .string(clock.seconds)]]
        write(key, by: Self.kubelet, status: true, clock) { pod in
            pod.set("Running", at: ["status", "phase"])
            if pod.at("status", "podIP") == nil {
                pod.set(.string(address), at: ["status", "podIP"])
                pod.set([["ip": .string(address)]], at: ["status", "podIPs"])
            }
            Self.setStatuses(&pod, state: { _ in running }, isReady: true)
            Self.setReady(&pod, true, clock)
        }
        if let pod = object(key) {
            report(pod, "Normal", "Started", "Started container (the sandbox runs none)", from: Self.kubelet, clock)
        }
    }

    /// First ErrImagePull, then ImagePullBackOff; it stays there.
    private mutating func failPull(_ key: ObjectKey, _ pod: JSON, _ clock: ControllerClock) {
        let isFirst = Self.waitingReason(pod) == nil || Self.runningImages(pod) != Self.images(pod)
        let reason = isFirst ? "ErrImagePull" : "ImagePullBackOff"
        write(key, by: Self.kubelet, status: true, clock) { pod in
            pod.set("Pending", at: ["status", "phase"])
            Self.setStatuses(
                &pod,
                state: { container in
                    let image = container["image"]?.string ?? ""
                    guard !ImageReference(image).canBePulled else {
                        return ["waiting": ["reason": "ContainerCreating"]]
                    }
                    let message =
                        isFirst
                        ? "failed to pull image \"\(image)\": not found"
                        : "Back-off pulling image \"\(image)\""
                    return ["waiting": ["reason": .string(reason), "message": .string(message)]]
                }, isReady: false)
            Self.setReady(&pod, false, clock)
        }
        if let pod = object(key) {
            let image = Self.images(pod).first { !ImageReference($0).canBePulled } ?? ""
            report(
                pod, "Warning", isFirst ? "Failed" : "BackOff",
                isFirst ? "Failed to pull image \"\(image)\": not found" : "Back-off pulling image \"\(image)\"",
                from: Self.kubelet, clock)
        }
        if isFirst { arm(key, clock.after(Self.backOffDelay)) }
    }

    private mutating func finishPod(_ key: ObjectKey, _ clock: ControllerClock) {
        let done: JSON = [
            "terminated": ["exitCode": 0, "reason": "Completed", "finishedAt": .string(clock.seconds)]
        ]
        write(key, by: Self.kubelet, status: true, clock) { pod in
            pod.set("Succeeded", at: ["status", "phase"])
            Self.setStatuses(&pod, state: { _ in done }, isReady: false)
            for type in ["Ready", "ContainersReady"] {
                Self.setCondition(&pod, type, false, reason: "PodCompleted", message: "", clock)
            }
        }
    }

    /// A pod that was told to end does so soon, whatever its grace period; finalizers hold it.
    private mutating func endPod(_ key: ObjectKey, _ pod: JSON, _ clock: ControllerClock) {
        guard let due = podEnd[key] else {
            let due = clock.after(Self.endDelay)
            podEnd[key] = due
            work.add(.object(key), at: due)
            return
        }
        guard clock.now.milliseconds >= due else {
            work.add(.object(key), at: due)
            return
        }
        podEnd[key] = nil
        podDue[key] = nil
        if pod.finalizers.isEmpty {
            remove(key)
        } else if pod.at("metadata", "deletionGracePeriodSeconds") != 0 {
            var ended = pod
            ended.set(0, at: ["metadata", "deletionGracePeriodSeconds"])
            store(ended, at: key)
        }
    }

    static func isReady(_ pod: JSON) -> Bool {
        !pod.isBeingDeleted && pod.condition("Ready")?["status"] == "True"
    }

    /// Ready for `minReadySeconds`; asks to be called again when that is still to come.
    mutating func isAvailable(_ pod: JSON, _ minReadySeconds: Int64, owner: String, _ clock: ControllerClock) -> Bool {
        guard Self.isReady(pod) else { return false }
        guard minReadySeconds > 0, let since = pod.condition("Ready")?["lastTransitionTime"]?.string,
            let time = Timestamp(since)
        else { return true }
        let due = time.milliseconds + Int64(Double(min(minReadySeconds, 1_000_000)) * 1000 * clock.scale)
        if clock.now.milliseconds >= due { return true }
        work.add(.owner(owner), at: due)
        return false
    }

    /// A pod for a workload: the template with an owner.
    static func pod(from template: JSON, owner: JSON, labels: [String: JSON] = [:]) -> JSON {
        var metadata: [String: JSON] = [:]
        for field in ["labels", "annotations", "finalizers"] { metadata[field] = template.at("metadata", field) }
        var all = metadata["labels"]?.object ?? [:]
        for (name, value) in labels { all[name] = value }
        metadata["labels"] = .object(all)
        metadata["generateName"] = .string(owner.name + "-")
        metadata["ownerReferences"] = [controllerReference(to: owner)]
        return ["apiVersion": "v1", "kind": "Pod", "metadata": .object(metadata), "spec": template["spec"] ?? [:]]
    }
}
