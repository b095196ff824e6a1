import Shiplog

/// Jobs: pods until enough of them have succeeded. CronJobs are stored and never run.
extension ClusterState {
    mutating func reconcileJob(_ key: ObjectKey, _ clock: ControllerClock) {
        guard let job = object(key), let spec = job["spec"], !job.isBeingDeleted else { return }
        if job.condition("Complete")?["status"] == "True" || job.condition("Failed")?["status"] == "True" {
            expireJob(key, job, clock)
            return
        }
        let pods = controlled(by: job, Self.pods, nil, clock)
        let succeeded = pods.filter { $0.object.at("status", "phase") == "Succeeded" }.count
        let failed = pods.filter { $0.object.at("status", "phase") == "Failed" }.count
        var active = pods.filter { Self.isActive($0.object) }
        let parallelism = Int(min(max(spec["parallelism"]?.integer ?? 1, 0), 1000))
        let completions = spec["completions"]?.integer.map { Int(min(max($0, 0), 100_000)) }
        let isComplete = completions.map { succeeded >= $0 } ?? (succeeded > 0 && active.isEmpty)
        let isSuspended = spec["suspend"] == true
        let isLate = isOverdue(job, spec, clock)
        if isComplete || isSuspended || isLate {
            for (pod, _) in active { discard(pod, clock) }
            active = []
        } else {
            let remaining = completions.map { $0 - succeeded } ?? (succeeded > 0 ? 0 : parallelism)
            let wanted = max(0, min(parallelism, remaining))
            if active.count < wanted {
                let pod = Self.pod(from: spec["template"] ?? [:], owner: job)
                for _ in active.count..<wanted {
                    guard let made = make(pod, Self.pods, namespace: key.namespace, clock) else { break }
                    active.append((ObjectKey(resource: Self.pods, namespace: key.namespace, name: made.name), made))
                }
            }
        }
        let ready = active.filter { Self.isReady($0.object) }.count
        let running = active.count
        write(key, by: Self.controllerManager, status: true, clock) { job in
            var status = job["status"] ?? [:]
            if !isSuspended, status["startTime"] == nil { status["startTime"] = .string(clock.seconds) }
            Self.count(&status, "active", running)
            Self.count(&status, "succeeded", succeeded)
            Self.count(&status, "failed", failed)
            status["ready"] = .integer(Int64(ready))
            status["terminating"] = 0
            status["uncountedTerminatedPods"] = [:]
            if isComplete { status["completionTime"] = .string(clock.seconds) }
            job["status"] = status
            if isComplete {
                for type in ["SuccessCriteriaMet", "Complete"] {
                    Self.setJobCondition(
                        &job, type, reason: "CompletionsReached",
                        message: "Reached expected number of succeeded pods", clock)
                }
            } else if isLate {
                for type in ["FailureTarget", "Failed"] {
                    Self.setJobCondition(
                        &job, type, reason: "DeadlineExceeded",
                        message: "Job was active longer than specified deadline", clock)
                }
            } else if isSuspended {
                Self.setJobCondition(&job, "Suspended", reason: "JobSuspended", message: "Job suspended", clock)
            } else if job.condition("Suspended") != nil {
                Self.setCondition(
                    &job, "Suspended", false, reason: "JobResumed", message: "Job resumed", clock)
            }
        }
    }

    private static func setJobCondition(
        _ job: inout JSON, _ type: String, reason: String, message: String, _ clock: ControllerClock
    ) {
        setCondition(&job, type, true, reason: reason, message: message, clock)
        guard var conditions = job.at("status", "conditions")?.array else { return }
        for index in conditions.indices where conditions[index]["type"]?.string == type {
            Defaults.set(&conditions[index], "lastProbeTime", .string(clock.seconds))
        }
        job.set(.array(conditions), at: ["status", "conditions"])
    }

    private mutating func isOverdue(_ job: JSON, _ spec: JSON, _ clock: ControllerClock) -> Bool {
        guard let seconds = spec["activeDeadlineSeconds"]?.integer,
            let start = job.at("status", "startTime")?.string.flatMap({ Timestamp($0) })
        else { return false }
        let due = start.milliseconds + Int64(Double(min(max(seconds, 0), 1_000_000_000)) * 1000 * clock.scale)
        if clock.now.milliseconds >= due { return true }
        work.add(.owner(job.uid), at: due)
        return false
    }

    private mutating func expireJob(_ key: ObjectKey, _ job: JSON, _ clock: ControllerClock) {
        guard let seconds = job.at("spec", "ttlSecondsAfterFinished")?.integer,
            let end = (job.condition("Complete") ?? job.condition("Failed"))?["lastTransitionTime"]?.string
                .flatMap({ Timestamp($0) })
        else { return }
        let due = end.milliseconds + Int64(Double(min(max(seconds, 0), 1_000_000_000)) * 1000 * clock.scale)
        if clock.now.milliseconds >= due {
            discard(key, clock)
        } else {
            work.add(.object(key), at: due)
        }
    }
}
