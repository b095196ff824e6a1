/// Kinds that nobody here knows, by what Kubernetes asks of every kind: `status.observedGeneration` and the conditions
/// `Reconciling`, `Stalled` and `Ready`.
///
/// Semantics: kstatus (https://pkg.go.dev/sigs.k8s.io/cli-utils/pkg/kstatus), and for a condition's own generation
/// Kubernetes' API conventions. What is not of the shape they give it says nothing.
enum StandardStatus {
    /// nil when the object says nothing of the kind.
    static func assess(_ live: Resource) -> HealthAssessment? {
        guard let status = live.object["status"], status.object != nil else { return nil }
        let generation = live.object.at("metadata", "generation")?.integer
        let observed = status["observedGeneration"]?.integer
        if let generation, let observed, observed != generation {
            return HealthAssessment(
                .progressing, "generation \(generation) has not been observed yet: the newest observed is \(observed)")
        }
        let conditions = (status["conditions"]?.array ?? []).filter { $0["type"]?.string != nil }
        func condition(_ type: String) -> JSON? { conditions.first { $0["type"]?.string == type } }
        if let found = condition("Stalled"), found["status"] == "True" {
            return HealthAssessment(.degraded, message(found))
        }
        if let found = condition("Reconciling"), found["status"] == "True" {
            return HealthAssessment(.progressing, message(found))
        }
        if let ready = condition("Ready"), let word = ready["status"]?.string {
            if let generation, let seen = ready["observedGeneration"]?.integer, seen < generation {
                return HealthAssessment(.progressing, "its condition Ready is of generation \(seen), not \(generation)")
            }
            switch word {
            case "True": return HealthAssessment(.healthy, message(ready))
            case "False", "Unknown": return HealthAssessment(.progressing, message(ready))
            default: return nil
            }
        }
        return observed != nil && generation != nil ? HealthAssessment(.healthy) : nil
    }

    private static func message(_ condition: JSON) -> String? {
        let (reason, message) = (condition["reason"]?.string ?? "", condition["message"]?.string ?? "")
        return message.isEmpty ? reason : message
    }
}
