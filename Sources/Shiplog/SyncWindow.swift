/// A stretch of time in which syncs are allowed, or denied, to some applications of a project.
public struct SyncWindow: Sendable, Hashable {
    public enum Kind: String, Sendable, Hashable, CaseIterable { case allow, deny }

    public var kind: Kind
    public var schedule: CronSchedule
    /// In seconds, more than none.
    public var duration: Int64
    /// As it was written.
    public var durationText: String
    public var zone: ZoneRules
    /// Globs: applications by name, clusters by name or address, namespaces of destinations.
    public var applications: [String]
    public var namespaces: [String]
    public var clusters: [String]
    /// Every selector that is given must match, instead of any.
    public var andOperator: Bool
    /// A person may sync while this window stands in the way.
    public var manualSync: Bool
    /// What runs already may go on when this window begins to stand in the way.
    public var syncOverrun: Bool
    public var about: String

    public init(
        kind: Kind, schedule: CronSchedule, duration: Int64, durationText: String, zone: ZoneRules = .utc,
        applications: [String] = [], namespaces: [String] = [], clusters: [String] = [], andOperator: Bool = false,
        manualSync: Bool = false, syncOverrun: Bool = false, about: String = ""
    ) {
        self.kind = kind
        self.schedule = schedule
        self.duration = duration
        self.durationText = durationText
        self.zone = zone
        self.applications = applications
        self.namespaces = namespaces
        self.clusters = clusters
        self.andOperator = andOperator
        self.manualSync = manualSync
        self.syncOverrun = syncOverrun
        self.about = about
    }

    /// `deny "0 22 * * *" 1h Europe/Amsterdam`, as people quote it.
    public var words: String {
        "\(kind.rawValue) \"\(schedule.text)\" \(durationText)" + (zone.name == "UTC" ? "" : " \(zone.name)")
    }

    /// Whether the window speaks of the application at all.
    public func matches(_ subject: Subject) -> Bool {
        let selectors: [([String], [String])] = [
            (applications, [subject.application]), (clusters, subject.clusters), (namespaces, [subject.namespace])
        ]
        let answers = selectors.filter { !$0.0.isEmpty }.map { globs, texts in
            globs.contains { glob in texts.contains { ProjectGlob.matches(glob, $0) } }
        }
        guard !answers.isEmpty else { return false }
        return andOperator ? answers.allSatisfy(\.self) : answers.contains(true)
    }

    /// Whether it is open, from its start on and up to its end, which is no part of it.
    public func isActive(at moment: Timestamp) -> Bool {
        let second = moment.milliseconds.floorDivided(by: 1000)
        guard let start = schedule.next(after: second - duration, in: zone) else { return false }
        return start <= second
    }

    /// When `isActive` becomes something else; nil when that is not in sight: never, or so often open that it stays open.
    public func changes(after moment: Timestamp) -> Timestamp? {
        let second = moment.milliseconds.floorDivided(by: 1000)
        guard isActive(at: moment) else {
            return schedule.next(after: second, in: zone).map { Timestamp(milliseconds: $0 * 1000) }
        }
        // Starts that follow before the end carry it on.
        var start = schedule.next(after: second - duration, in: zone) ?? second
        for _ in 0..<Self.chain {
            guard let next = schedule.next(after: start, in: zone), next <= start + duration else {
                return Timestamp(milliseconds: (start + duration) * 1000)
            }
            start = next
        }
        return nil
    }

    /// Overlapping starts that are followed at most.
    private static let chain = 1500

    /// What a window is asked about.
    public struct Subject: Sendable, Hashable {
        public var application: String
        public var namespace: String
        /// The destination's name and its address, as far as known.
        public var clusters: [String]

        public init(application: String, namespace: String, clusters: [String]) {
            self.application = application
            self.namespace = namespace
            self.clusters = clusters.filter { !$0.isEmpty }
        }
    }
}
