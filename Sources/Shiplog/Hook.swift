/// Argo CD's hook: an object that a sync runs at a moment of its own, instead of keeping it in the cluster.
///
/// Semantics: https://argo-cd.readthedocs.io/en/stable/user-guide/resource_hooks/ and `docs/sync.md`.
public struct Hook: Sendable, Hashable {
    /// When a hook's object is deleted.
    public enum DeletePolicy: String, Sendable, Hashable, CaseIterable {
        /// What an earlier sync left goes before the hook is made anew: the default.
        case beforeHookCreation = "BeforeHookCreation"
        /// At the end of a sync that succeeded.
        case succeeded = "HookSucceeded"
        /// At the end of a sync that failed.
        case failed = "HookFailed"
    }

    /// When it runs in a sync, first to last; empty for one that a sync never runs.
    public let phases: [ApplyOrder.Phase]
    /// `PreDelete` and `PostDelete`: it runs when the application is deleted.
    public let deletions: [String]
    /// Words of the annotation that say nothing; the hook never runs for them.
    public let unknownWords: [String]
    public let deletePolicies: Set<DeletePolicy>
    /// Words of the policy's annotation that say nothing.
    public let unknownPolicies: [String]

    static let annotation = "argocd.argoproj.io/hook"
    static let policyAnnotation = "argocd.argoproj.io/hook-delete-policy"
    static let helmAnnotation = "helm.sh/hook"
    static let helmPolicyAnnotation = "helm.sh/hook-delete-policy"
    /// Keeps a hook that has ended until its end is recorded; Argo CD's own name, which others know what to make of.
    public static let finalizer = "argocd.argoproj.io/hook-finalizer"

    /// nil for what is no hook, and for what only says `Skip`.
    public init?(of resource: Resource) {
        guard Self.isHook(resource), !Self.isSkipped(resource) else { return nil }
        var phases: Set<ApplyOrder.Phase> = []
        var deletions: [String] = []
        var unknown: [String] = []
        for word in Self.words(of: resource) {
            if let phase = ApplyOrder.Phase(word: word) {
                phases.insert(phase)
            } else if word == "PreDelete" || word == "PostDelete" {
                if !deletions.contains(word) { deletions.append(word) }
            } else if word != "Skip" {
                unknown.append(word)
            }
        }
        // As with Argo CD, Helm's words count only where Argo CD's say nothing.
        if phases.isEmpty, deletions.isEmpty {
            for word in Self.list(resource.annotations[Self.helmAnnotation]) {
                switch word {
                case "pre-install", "pre-upgrade": phases.insert(.preSync)
                case "post-install", "post-upgrade": phases.insert(.postSync)
                case "pre-delete": deletions.append("PreDelete")
                case "post-delete": deletions.append("PostDelete")
                default: unknown.append(word)
                }
            }
        }
        self.phases = phases.sorted()
        self.deletions = deletions
        unknownWords = unknown
        (deletePolicies, unknownPolicies) = Self.policies(of: resource)
    }

    private static func policies(of resource: Resource) -> (Set<DeletePolicy>, unknown: [String]) {
        var policies: Set<DeletePolicy> = []
        var unknown: [String] = []
        for word in list(resource.annotations[policyAnnotation]) {
            if let policy = DeletePolicy(rawValue: word) { policies.insert(policy) } else { unknown.append(word) }
        }
        for word in list(resource.annotations[helmPolicyAnnotation]) {
            switch word {
            case "before-hook-creation": policies.insert(.beforeHookCreation)
            case "hook-succeeded": policies.insert(.succeeded)
            case "hook-failed": policies.insert(.failed)
            default: unknown.append(word)
            }
        }
        return (policies.isEmpty ? [.beforeHookCreation] : policies, unknown)
    }

    static func words(of resource: Resource) -> [String] { list(resource.annotations[annotation]) }

    /// The words of an annotation between commas, without the blanks around them and without empty ones.
    private static func list(_ text: String?) -> [String] {
        (text ?? "").split(separator: ",").map { word in
            String(word.drop(while: { $0 == " " }).reversed().drop(while: { $0 == " " }).reversed())
        }.filter { !$0.isEmpty }
    }

    /// Any value makes it a hook, a misspelt one too: applying it with the rest would be the worse mistake. Helm's hooks are
    /// hooks in plain manifests as well, as with Argo CD; `crd-install` is how old charts say a definition.
    static func isHook(_ resource: Resource) -> Bool {
        if !words(of: resource).isEmpty { return true }
        let helm = list(resource.annotations[helmAnnotation])
        return helm.contains { !$0.hasSuffix("crd-install") }
    }

    /// `Skip` and nothing else that means something: the object is left out of every sync.
    static func isSkipped(_ resource: Resource) -> Bool {
        let words = words(of: resource)
        return words.contains("Skip")
            && !words.contains { ApplyOrder.Phase(word: $0) != nil || $0 == "PreDelete" || $0 == "PostDelete" }
    }

    /// Why a sync never runs it; nil for one that it runs.
    public var idleness: String? {
        guard phases.isEmpty else { return nil }
        if !deletions.isEmpty { return "\(deletions.joined(separator: ",")) hooks are no part of a sync" }
        return "no sync runs a hook of \(unknownWords.map { "“\($0)”" }.joined(separator: ", "))"
    }
}

/// A hook at its place in a sync; one with several phases stands at several.
public struct PlannedHook: Sendable, Hashable {
    /// With its namespace settled and Shiplog's marks.
    public let resource: Resource
    public let hook: Hook
    public let order: ApplyOrder

    public var key: ResourceKey { resource.key }
    public var phase: ApplyOrder.Phase { order.phase }
}
