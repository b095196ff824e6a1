/// How well an object is, and why.
public struct HealthAssessment: Sendable, Hashable {
    public let status: HealthStatus
    /// For people; from the object's own status where it says something.
    public let message: String?

    public init(_ status: HealthStatus, _ message: String? = nil) {
        self.status = status
        self.message = message.flatMap { $0.isEmpty ? nil : $0 }
    }
}

/// Health as Argo CD assesses it, so that the same cluster has the same colours in both.
///
/// Semantics: `pkg/health` of argoproj/gitops-engine, and `resource_customizations` of argoproj/argo-cd for CronJob,
/// CustomResourceDefinition and PodDisruptionBudget. An object whose fields have impossible types is Unknown, with the field named.
public enum Health {
    /// What an assessment rests on.
    public enum Basis: String, Sendable, Hashable, CaseIterable {
        /// It is being deleted.
        case deletion
        /// A rule of the server's configuration.
        case configured
        /// A check of a kind that is known here.
        case builtIn = "built-in"
        /// The conditions that Kubernetes asks of every kind.
        case conditions
        /// Nothing says anything: the object is there.
        case presence
    }

    /// nil for kinds without a check: they count as healthy once they are there.
    public static func assess(_ live: Resource, rules: HealthRules = .none) -> HealthAssessment? {
        judge(live, rules: rules).health
    }

    /// The assessment and what it rests on.
    public static func judge(
        _ live: Resource, rules: HealthRules = .none
    ) -> (health: HealthAssessment?, basis: Basis) {
        if live.isBeingDeleted, !isFinishingHook(live) {
            return (HealthAssessment(.progressing, "Pending deletion"), .deletion)
        }
        if let rule = rules.rule(for: live.gvk) { return (rule.assess(live), .configured) }
        guard let check = check(of: live.gvk) else {
            // Kubernetes' own kinds use conditions of these names for other things.
            if ListKeys.builtIn.knows(live.gvk.groupKind) { return (nil, .presence) }
            let health = StandardStatus.assess(live)
            return (health, health == nil ? .presence : .conditions)
        }
        do throws(StatusReader.Misfit) {
            return (try check(StatusReader(live.object), live), .builtIn)
        } catch {
            return (HealthAssessment(.unknown, error.message), .builtIn)
        }
    }

    private typealias Check = (StatusReader, Resource) throws(StatusReader.Misfit) -> HealthAssessment

    private static func check(of gvk: GroupVersionKind) -> Check? {
        switch (gvk.group, gvk.kind) {
        case ("apps", "Deployment"): return supported(gvk, ["v1"], deployment)
        case ("apps", "StatefulSet"): return supported(gvk, ["v1"], statefulSet)
        case ("apps", "ReplicaSet"): return supported(gvk, ["v1"], replicaSet)
        case ("apps", "DaemonSet"): return supported(gvk, ["v1"], daemonSet)
        case ("", "Pod"): return supported(gvk, ["v1"], pod)
        case ("", "Service"): return supported(gvk, ["v1"], service)
        case ("", "PersistentVolumeClaim"): return supported(gvk, ["v1"], volumeClaim)
        case ("networking.k8s.io", "Ingress"), ("extensions", "Ingress"): return ingress
        case ("batch", "Job"): return supported(gvk, ["v1"], job)
        case ("batch", "CronJob"): return cronJob
        case ("autoscaling", "HorizontalPodAutoscaler"):
            return supported(gvk, ["v1", "v2", "v2beta1", "v2beta2"], autoscaler)
        case ("apiregistration.k8s.io", "APIService"): return supported(gvk, ["v1", "v1beta1"], apiService)
        case ("apiextensions.k8s.io", "CustomResourceDefinition"): return definition
        case ("policy", "PodDisruptionBudget"): return disruptionBudget
        case ("argoproj.io", "Workflow"): return workflow
        default: return nil
        }
    }

    /// The check for the versions whose fields it knows; in any other version the object is Unknown, not healthy.
    private static func supported(_ gvk: GroupVersionKind, _ versions: Set<String>, _ check: @escaping Check) -> Check {
        if versions.contains(gvk.version) { return check }
        return { _, _ in HealthAssessment(.unknown, "the health of \(gvk) is not known in this version") }
    }

    /// A hook that only waits for Argo CD to take its finalizer off is judged by its status.
    private static func isFinishingHook(_ live: Resource) -> Bool {
        let finalizers = live.object.at("metadata", "finalizers")?.array ?? []
        return finalizers.contains("argocd.argoproj.io/hook-finalizer")
    }
}

// MARK: - The application

extension Health {
    /// One object of an application, as its health counts.
    public struct Part: Sendable, Hashable {
        public enum State: Sendable, Hashable {
            case present(Resource)
            case missing
            /// It could not be looked at.
            case unknown(Failure)
        }
        public let key: ResourceKey
        public let state: State

        public init(key: ResourceKey, state: State) {
            self.key = key
            self.state = state
        }
    }

    /// The worst of the parts, by Argo CD's rules: hooks and what carries `argocd.argoproj.io/ignore-healthcheck: "true"`
    /// do not count; a missing object shows in the sync status and does not worsen health, unless nothing is there at
    /// all. What could not be looked at makes the whole Unknown: it may be anything.
    public static func aggregate(
        _ parts: some Sequence<Part>, rules: HealthRules = .none
    ) -> (status: HealthStatus, message: String?) {
        var worst = HealthStatus.healthy
        var message: String?
        var expectsSomething = false
        var hasSomething = false
        for part in parts {
            switch part.state {
            case .missing: expectsSomething = true
            case .unknown(let failure):
                expectsSomething = true
                hasSomething = true
                if worst != .unknown { (worst, message) = (.unknown, "\(part.key): \(failure.message)") }
            case .present(let live):
                if Hook.isHook(live) { continue }
                expectsSomething = true
                hasSomething = true
                if live.annotations["argocd.argoproj.io/ignore-healthcheck"] == "true" { continue }
                guard let health = assess(live, rules: rules), worst < health.status else { continue }
                // A child application that is not known yet says nothing about its parent.
                if live.gvk.group == "argoproj.io", live.gvk.kind == "Application", health.status == .unknown {
                    continue
                }
                worst = health.status
                message = "\(part.key): " + (health.message ?? health.status.rawValue)
            }
        }
        if expectsSomething, !hasSomething, worst < .missing { return (.missing, nil) }
        return (worst, message)
    }
}

/// Reads the fields of an object as Kubernetes' typed decoder would: absent and null are the zero value, anything of
/// another type is a misfit.
struct StatusReader {
    struct Misfit: Error {
        let message: String
    }

    let value: JSON
    private let path: String

    init(_ value: JSON, path: String = "") {
        self.value = value
        self.path = path
    }

    private func misfit(_ name: String, _ wanted: String) -> Misfit {
        Misfit(message: "\(path + name) is no \(wanted)")
    }

    private func member(_ name: String) -> JSON? {
        guard let member = value[name], !member.isNull else { return nil }
        return member
    }

    /// A nested object; an empty one when there is none.
    func object(_ name: String) throws(Misfit) -> StatusReader {
        guard let member = member(name) else { return StatusReader(.object([:]), path: path + name + ".") }
        guard member.object != nil else { throw misfit(name, "map") }
        return StatusReader(member, path: path + name + ".")
    }

    func has(_ name: String) -> Bool { member(name) != nil }

    func optionalInteger(_ name: String) throws(Misfit) -> Int64? {
        guard let member = member(name) else { return nil }
        guard let number = member.integer else { throw misfit(name, "integer") }
        return number
    }

    func integer(_ name: String) throws(Misfit) -> Int64 { try optionalInteger(name) ?? 0 }

    func string(_ name: String) throws(Misfit) -> String {
        guard let member = member(name) else { return "" }
        guard let text = member.string else { throw misfit(name, "string") }
        return text
    }

    func bool(_ name: String) throws(Misfit) -> Bool {
        guard let member = member(name) else { return false }
        guard let flag = member.bool else { throw misfit(name, "Boolean") }
        return flag
    }

    /// A list of objects; empty when there is none.
    func objects(_ name: String) throws(Misfit) -> [StatusReader] {
        guard let member = member(name) else { return [] }
        guard let elements = member.array else { throw misfit(name, "list") }
        var readers: [StatusReader] = []
        for (index, element) in elements.enumerated() {
            guard element.object != nil else { throw misfit("\(name)[\(index)]", "map") }
            readers.append(StatusReader(element, path: "\(path)\(name)[\(index)]."))
        }
        return readers
    }
}
