/// Kinds that run no pods themselves.
extension Health {
    static func service(_ object: StatusReader, _ live: Resource) throws(StatusReader.Misfit) -> HealthAssessment {
        guard try object.object("spec").string("type") == "LoadBalancer" else { return HealthAssessment(.healthy) }
        return try ingress(object, live)
    }

    /// Healthy once a load balancer has given it an address: Argo CD's documents ask for a host name or an IP.
    static func ingress(_ object: StatusReader, _ live: Resource) throws(StatusReader.Misfit) -> HealthAssessment {
        let addresses = (object.value.at("status", "loadBalancer", "ingress")?.array ?? []).filter { address in
            ["hostname", "ip"].contains { address[$0]?.string?.isEmpty == false }
        }
        return addresses.isEmpty
            ? HealthAssessment(.progressing, "no load balancer has given it an address yet")
            : HealthAssessment(.healthy)
    }

    static func volumeClaim(_ object: StatusReader, _ live: Resource) throws(StatusReader.Misfit) -> HealthAssessment {
        switch try object.object("status").string("phase") {
        case "Bound": return HealthAssessment(.healthy)
        case "Pending": return HealthAssessment(.progressing, "it is not bound yet")
        case "Lost": return HealthAssessment(.degraded, "its volume is lost")
        default: return HealthAssessment(.unknown)
        }
    }

    static func apiService(_ object: StatusReader, _ live: Resource) throws(StatusReader.Misfit) -> HealthAssessment {
        for condition in try object.object("status").objects("conditions")
        where try condition.string("type") == "Available" {
            let message = "\(try condition.string("reason")): \(try condition.string("message"))"
            return HealthAssessment(try condition.string("status") == "True" ? .healthy : .progressing, message)
        }
        return HealthAssessment(.progressing, "waiting to be processed")
    }

    static func definition(_ object: StatusReader, _ live: Resource) throws(StatusReader.Misfit) -> HealthAssessment {
        let conditions = try object.object("status").objects("conditions")
        if conditions.isEmpty { return HealthAssessment(.progressing, "it has no conditions yet") }
        var found: [String: String] = [:]
        for condition in conditions {
            found[try condition.string("type") + "=" + condition.string("status")] = try condition.string("message")
        }
        if let message = found["Terminating=True"] { return HealthAssessment(.progressing, "terminating: " + message) }
        if let message = found["NamesAccepted=False"] {
            return HealthAssessment(.degraded, "its names have not been accepted: " + message)
        }
        if found["Established=True"] == nil { return HealthAssessment(.degraded, "it is not established") }
        if let message = found["NonStructuralSchema=True"] {
            return HealthAssessment(.degraded, "its schema has violations: " + message)
        }
        return HealthAssessment(.healthy)
    }

    /// Too few pods is what a budget is for; any other condition that is False means that it cannot be kept.
    static func disruptionBudget(
        _ object: StatusReader, _ live: Resource
    ) throws(StatusReader.Misfit) -> HealthAssessment {
        var result = HealthAssessment(.progressing, "waiting for its status")
        for condition in try object.object("status").objects("conditions") {
            let reason = try condition.string("reason")
            if try condition.string("status") == "False", reason != "InsufficientPods" {
                return HealthAssessment(.degraded, reason)
            }
            result = HealthAssessment(.healthy, reason)
        }
        return result
    }

    static func workflow(_ object: StatusReader, _ live: Resource) throws(StatusReader.Misfit) -> HealthAssessment {
        let status = try object.object("status")
        let message = try status.string("message")
        switch try status.string("phase") {
        case "", "Pending", "Running": return HealthAssessment(.progressing, message)
        case "Succeeded": return HealthAssessment(.healthy, message)
        case "Failed", "Error": return HealthAssessment(.degraded, message)
        default: return HealthAssessment(.unknown, message)
        }
    }

    static func autoscaler(_ object: StatusReader, _ live: Resource) throws(StatusReader.Misfit) -> HealthAssessment {
        let waiting = HealthAssessment(.progressing, "waiting to autoscale")
        guard live.gvk.version == "v1" else {
            return try verdict(try object.object("status").objects("conditions")) ?? waiting
        }
        // autoscaling/v1 has no conditions of its own: the server keeps them in an annotation, as JSON.
        guard let text = live.annotations["autoscaling.alpha.kubernetes.io/conditions"] else { return waiting }
        guard let conditions = try? JSON(parsing: text) else {
            throw StatusReader.Misfit(message: "the annotation autoscaling.alpha.kubernetes.io/conditions is no JSON")
        }
        return try verdict(StatusReader(["conditions": conditions]).objects("conditions")) ?? waiting
    }

    /// The first condition that says anything, in the server's order.
    private static func verdict(_ conditions: [StatusReader]) throws(StatusReader.Misfit) -> HealthAssessment? {
        for condition in conditions {
            let (type, reason) = (try condition.string("type"), try condition.string("reason"))
            let message = try condition.string("message")
            switch (type, reason) {
            case ("AbleToScale", "FailedGetScale"), ("AbleToScale", "FailedUpdateScale"),
                ("ScalingActive", "FailedGetResourceMetric"), ("ScalingActive", "InvalidSelector"):
                return HealthAssessment(.degraded, message)
            case ("AbleToScale", _), ("ScalingLimited", _):
                if try condition.string("status") == "True" { return HealthAssessment(.healthy, message) }
            default: continue
            }
        }
        return nil
    }
}
