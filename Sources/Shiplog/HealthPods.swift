/// Pods, and what runs them to an end.
extension Health {
    static func pod(_ object: StatusReader, _ live: Resource) throws(StatusReader.Misfit) -> HealthAssessment {
        let status = try object.object("status")
        let restarts = try object.object("spec").string("restartPolicy")
        let containers = try status.objects("containerStatuses")
        // A pod with an end of its own may still get its image: only one that always runs is given up while it waits.
        if restarts == "Always" {
            var reasons: [String] = []
            for container in containers {
                let waiting = try container.object("state").object("waiting")
                let reason = try waiting.string("reason")
                guard reason.hasPrefix("Err") || reason.hasSuffix("Error") || reason.hasSuffix("BackOff") else {
                    continue
                }
                let message = try waiting.string("message")
                reasons.append(message.isEmpty ? reason : message)
            }
            if !reasons.isEmpty { return HealthAssessment(.degraded, reasons.joined(separator: ", ")) }
        }
        let message = try status.string("message")
        switch try status.string("phase") {
        case "Pending": return HealthAssessment(.progressing, message)
        case "Succeeded": return HealthAssessment(.healthy, message)
        case "Failed":
            if !message.isEmpty { return HealthAssessment(.degraded, message) }
            for container in try status.objects("initContainerStatuses") + containers {
                if let reason = try failure(of: container) { return HealthAssessment(.degraded, reason) }
            }
            return HealthAssessment(.degraded)
        case "Running":
            guard restarts == "Always" else {
                return HealthAssessment(
                    restarts == "OnFailure" || restarts == "Never" ? .progressing : .unknown, message)
            }
            for condition in try status.objects("conditions") where try condition.string("type") == "Ready" {
                guard try condition.string("status") == "True" else { break }
                return HealthAssessment(.healthy, message)
            }
            for container in containers where try container.object("lastState").has("terminated") {
                return HealthAssessment(.degraded, message)
            }
            return HealthAssessment(.progressing, message)
        default: return HealthAssessment(.unknown, message)
        }
    }

    private static func failure(of container: StatusReader) throws(StatusReader.Misfit) -> String? {
        let end = try container.object("state").object("terminated")
        let message = try end.string("message")
        if !message.isEmpty { return message }
        let reason = try end.string("reason")
        if reason == "OOMKilled" { return reason }
        let code = try end.integer("exitCode")
        return code == 0 ? nil : "container \(try container.string("name")) failed with exit code \(code)"
    }

    static func job(_ object: StatusReader, _ live: Resource) throws(StatusReader.Misfit) -> HealthAssessment {
        var failure: String?
        var isSuspended = false
        var end: String?
        for condition in try object.object("status").objects("conditions") {
            let message = try condition.string("message")
            // As Argo CD has it, the condition's status counts for a suspension only.
            switch try condition.string("type") {
            case "Failed": failure = message
            case "Complete": end = message
            case "Suspended":
                end = message
                if try condition.string("status") == "True" { isSuspended = true }
            default: continue
            }
        }
        if let failure { return HealthAssessment(.degraded, failure) }
        if isSuspended { return HealthAssessment(.suspended, end) }
        if let end { return HealthAssessment(.healthy, end) }
        return HealthAssessment(.progressing)
    }

    static func cronJob(_ object: StatusReader, _ live: Resource) throws(StatusReader.Misfit) -> HealthAssessment {
        if try object.object("spec").bool("suspend") { return HealthAssessment(.suspended, "CronJob is suspended") }
        guard object.has("status") else { return HealthAssessment(.progressing, "waiting for the CronJob's status") }
        let status = try object.object("status")
        let (scheduled, succeeded) = (try status.string("lastScheduleTime"), try status.string("lastSuccessfulTime"))
        if scheduled.isEmpty { return HealthAssessment(.healthy, "it has not been scheduled yet") }
        if succeeded.isEmpty { return HealthAssessment(.healthy, "it has never completed successfully so far") }
        if !(try status.objects("active").isEmpty) { return HealthAssessment(.healthy, "a job is running") }
        guard let last = Timestamp(scheduled), let good = Timestamp(succeeded) else {
            throw StatusReader.Misfit(message: "status.lastScheduleTime or status.lastSuccessfulTime is no time")
        }
        return good < last
            ? HealthAssessment(.degraded, "its last execution did not complete successfully")
            : HealthAssessment(.healthy, "its last execution completed successfully")
    }
}
