public import Shiplog

/// Which rows of the log a target is told of: a pure decision, by an entry's own bytes. An empty list asks nothing.
public struct NotificationRule: Sendable, Hashable {
    /// Of revisions (`sync`) and events (`health.reached`).
    public var kinds: Set<String>
    public var outcomes: Set<String>
    public var applications: [Glob]
    public var projects: [Glob]

    public init(
        kinds: Set<String> = [], outcomes: Set<String> = [], applications: [Glob] = [], projects: [Glob] = []
    ) {
        self.kinds = kinds
        self.outcomes = outcomes
        self.applications = applications
        self.projects = projects
    }

    /// What is told when nothing is said: what became of syncs and rollbacks.
    public static let outcomeKinds: Set<String> = ["sync", "rollback", "health.reached", "rollback.withheld"]

    public func takes(_ entry: JSON) -> Bool {
        // A notification about notifications would make the next.
        guard entry["sameAs"] == nil, let kind = entry["kind"]?.string, !kind.hasPrefix("notification.") else {
            return false
        }
        guard (kinds.isEmpty ? Self.outcomeKinds : kinds).contains(kind) else { return false }
        // Members with their default value are left out of an entry.
        if !outcomes.isEmpty, !outcomes.contains(entry["outcome"]?.string ?? "succeeded") { return false }
        return Self.fits(applications, entry.at("application", "name")?.string)
            && Self.fits(projects, entry.at("application", "project")?.string)
    }

    private static func fits(_ globs: [Glob], _ text: String?) -> Bool {
        guard !globs.isEmpty else { return true }
        guard let text else { return false }
        return globs.contains { $0.matches(text) }
    }
}
