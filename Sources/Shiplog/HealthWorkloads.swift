/// Workloads that keep pods running. The rules are those of `kubectl rollout status`, as Argo CD applies them.
extension Health {
    static func deployment(
        _ object: StatusReader, _ live: Resource
    ) throws(StatusReader.Misfit) -> HealthAssessment {
        let (spec, status) = (try object.object("spec"), try object.object("status"))
        if try spec.bool("paused") { return HealthAssessment(.suspended, "Deployment is paused") }
        let generation = try object.object("metadata").integer("generation")
        guard generation <= (try status.integer("observedGeneration")) else {
            return HealthAssessment(.progressing, "the newest specification has not been observed yet")
        }
        for condition in try status.objects("conditions") where try condition.string("type") == "Progressing" {
            guard try condition.string("reason") == "ProgressDeadlineExceeded" else { break }
            return HealthAssessment(.degraded, "Deployment \(live.name) exceeded its progress deadline")
        }
        let updated = try status.integer("updatedReplicas")
        if let wanted = try spec.optionalInteger("replicas"), updated < wanted {
            return HealthAssessment(.progressing, "\(updated) of \(wanted) new replicas have been updated")
        }
        let replicas = try status.integer("replicas")
        if replicas > updated {
            return HealthAssessment(.progressing, "\(difference(replicas, updated)) old replicas are to be terminated")
        }
        let available = try status.integer("availableReplicas")
        if available < updated {
            return HealthAssessment(.progressing, "\(available) of \(updated) updated replicas are available")
        }
        return HealthAssessment(.healthy)
    }

    static func replicaSet(
        _ object: StatusReader, _ live: Resource
    ) throws(StatusReader.Misfit) -> HealthAssessment {
        let (spec, status) = (try object.object("spec"), try object.object("status"))
        let generation = try object.object("metadata").integer("generation")
        guard generation <= (try status.integer("observedGeneration")) else {
            return HealthAssessment(.progressing, "the newest specification has not been observed yet")
        }
        for condition in try status.objects("conditions") where try condition.string("type") == "ReplicaFailure" {
            guard try condition.string("status") == "True" else { break }
            return HealthAssessment(.degraded, try condition.string("message"))
        }
        let available = try status.integer("availableReplicas")
        if let wanted = try spec.optionalInteger("replicas"), available < wanted {
            return HealthAssessment(.progressing, "\(available) of \(wanted) new replicas are available")
        }
        return HealthAssessment(.healthy)
    }

    static func daemonSet(
        _ object: StatusReader, _ live: Resource
    ) throws(StatusReader.Misfit) -> HealthAssessment {
        let (spec, status) = (try object.object("spec"), try object.object("status"))
        let generation = try object.object("metadata").integer("generation")
        guard generation <= (try status.integer("observedGeneration")) else {
            return HealthAssessment(.progressing, "the newest specification has not been observed yet")
        }
        let updated = try status.integer("updatedNumberScheduled")
        let wanted = try status.integer("desiredNumberScheduled")
        if try spec.object("updateStrategy").string("type") == "OnDelete" {
            return HealthAssessment(.healthy, "\(updated) of \(wanted) new pods have been updated")
        }
        if updated < wanted {
            return HealthAssessment(.progressing, "\(updated) of \(wanted) new pods have been updated")
        }
        let available = try status.integer("numberAvailable")
        if available < wanted {
            return HealthAssessment(.progressing, "\(available) of \(wanted) updated pods are available")
        }
        return HealthAssessment(.healthy)
    }

    static func statefulSet(
        _ object: StatusReader, _ live: Resource
    ) throws(StatusReader.Misfit) -> HealthAssessment {
        let (spec, status) = (try object.object("spec"), try object.object("status"))
        let generation = try object.object("metadata").integer("generation")
        let observed = try status.integer("observedGeneration")
        guard observed != 0, generation <= observed else {
            return HealthAssessment(.progressing, "the newest specification has not been observed yet")
        }
        let ready = try status.integer("readyReplicas")
        let wanted = try spec.optionalInteger("replicas")
        if let wanted, ready < wanted {
            return HealthAssessment(.progressing, "waiting for \(difference(wanted, ready)) pods to be ready")
        }
        let strategy = try spec.object("updateStrategy")
        let kind = try strategy.string("type")
        let updated = try status.integer("updatedReplicas")
        if kind == "RollingUpdate", strategy.has("rollingUpdate") {
            // A partition keeps old pods on purpose: the roll out ends at it.
            let partition = try strategy.object("rollingUpdate").optionalInteger("partition")
            if let wanted, let partition, updated < difference(wanted, partition) {
                return HealthAssessment(
                    .progressing, "\(updated) of \(difference(wanted, partition)) pods above the partition are updated")
            }
            return HealthAssessment(.healthy, "\(updated) new pods have been updated")
        }
        if kind == "OnDelete" { return HealthAssessment(.healthy, "\(ready) pods are ready") }
        let (next, current) = (try status.string("updateRevision"), try status.string("currentRevision"))
        if next != current {
            return HealthAssessment(.progressing, "\(updated) pods are at revision \(next)")
        }
        return HealthAssessment(.healthy, "\(try status.integer("currentReplicas")) pods are at revision \(current)")
    }

    /// Numbers come from a cluster: a difference that does not fit stays at the end of the range.
    private static func difference(_ left: Int64, _ right: Int64) -> Int64 {
        let (result, overflow) = left.subtractingReportingOverflow(right)
        return overflow ? (right > 0 ? .min : .max) : result
    }
}
