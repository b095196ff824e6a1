/// Whether the controller takes a new commit back that does not become Healthy: a pure decision.
///
/// docs/sync.md, "Automatic rollback", says for people what stands here.
public struct AutomaticRollback: Sendable, Hashable {
    /// How long after its sync has ended a new commit may take, in milliseconds.
    public var patience: Int64
    /// Whether Degraded within that time is enough.
    public var onDegraded: Bool

    public init(patience: Int64, onDegraded: Bool = false) {
        self.patience = patience
        self.onDegraded = onDegraded
    }

    /// What is asked of an application, and nothing else, in its annotations: its document stays Argo CD's.
    public static let annotation = "shiplog.dev/rollback-unless-healthy"
    public static let degradedAnnotation = "shiplog.dev/rollback-when-degraded"
    /// One second to a week.
    public static let range: ClosedRange<Int64> = 1000...604_800_000

    /// nil when nothing is asked, or nothing that can be meant: the reader of Applications refuses that.
    public init?(annotations: [String: String]) {
        guard let text = annotations[Self.annotation], let patience = GoDuration.milliseconds(text),
            Self.range.contains(patience)
        else { return nil }
        self.init(patience: patience, onDegraded: annotations[Self.degradedAnnotation] == "true")
    }

    /// Syncs in a row, up to the newest attempt, of the same manifests: what is on trial.
    public struct Trial: Sendable, Hashable {
        /// The first of them: what a rollback reacts to.
        public var sequence: SequenceNumber
        /// When that one had ended.
        public var finishedAt: Timestamp
        /// When the newest had.
        public var lastFinishedAt: Timestamp
        public var desired: Digest
        public var commit: CommitID?
        /// A person had a hand in it, by a sync or a rollback.
        public var isByPerson: Bool
        /// The newest of them failed.
        public var hasFailed: Bool
        /// Healthy was recorded since.
        public var becameHealthy: Bool
        /// It was told already that there is no way back.
        public var isWithheld: Bool

        public init(
            sequence: SequenceNumber, finishedAt: Timestamp, lastFinishedAt: Timestamp? = nil, desired: Digest,
            commit: CommitID? = nil, isByPerson: Bool = false, hasFailed: Bool = false, becameHealthy: Bool = false,
            isWithheld: Bool = false
        ) {
            self.sequence = sequence
            self.finishedAt = finishedAt
            self.lastFinishedAt = lastFinishedAt ?? finishedAt
            self.desired = desired
            self.commit = commit
            self.isByPerson = isByPerson
            self.hasFailed = hasFailed
            self.becameHealthy = becameHealthy
            self.isWithheld = isWithheld
        }
    }

    /// What is seen of the application now.
    public struct Sight: Sendable, Hashable {
        public var sync: SyncStatus
        public var health: HealthStatus
        /// The manifests that should be there.
        public var desired: Digest
        public var isPinned: Bool
        /// When the application itself was last changed: what was synced before that is not on trial.
        public var changedBy: SequenceNumber
        public var at: Timestamp

        public init(
            sync: SyncStatus, health: HealthStatus, desired: Digest, isPinned: Bool, changedBy: SequenceNumber,
            at: Timestamp
        ) {
            self.sync = sync
            self.health = health
            self.desired = desired
            self.isPinned = isPinned
            self.changedBy = changedBy
            self.at = at
        }
    }

    public enum Decision: Sendable, Hashable {
        /// Nothing is on trial, or nobody can tell how it stands.
        case leave
        /// Look again then.
        case wait(milliseconds: Int64)
        /// Why, in words that go into the row.
        case goBack(String)
    }

    /// - Parameter settling: milliseconds until controllers in the cluster have seen what was written; before, an object's
    ///   health is that of what it was.
    public func decide(_ trial: Trial?, _ sight: Sight, settling: Int64) -> Decision {
        guard let trial, !trial.isByPerson, !trial.isWithheld, !sight.isPinned, sight.desired == trial.desired,
            trial.sequence > sight.changedBy
        else { return .leave }
        // Unknown is not unhealthy, and what is suspended waits for somebody. What failed half-way may leave everything
        // that is there Healthy, and is not what was to be.
        let isWell = sight.health == .healthy && !(trial.hasFailed && sight.sync == .outOfSync)
        guard sight.sync != .unknown, sight.health != .unknown, sight.health != .suspended, !isWell else {
            return .leave
        }
        let left = patience - (sight.at.milliseconds - trial.finishedAt.milliseconds)
        let isOver = left <= 0
        if trial.becameHealthy, isOver || !onDegraded { return .leave }
        if onDegraded, sight.health == .degraded, !isOver {
            let settled = settling - (sight.at.milliseconds - trial.lastFinishedAt.milliseconds)
            guard settled <= 0 else { return .wait(milliseconds: min(settled, left)) }
            return .goBack("\(name(trial)) is Degraded")
        }
        guard !trial.becameHealthy else { return .leave }
        guard isOver else { return .wait(milliseconds: left) }
        let state = sight.health == .healthy ? "its sync failed" : "it is \(sight.health.rawValue)"
        return .goBack("\(name(trial)) did not become Healthy within \(Self.words(patience)): \(state)")
    }

    private func name(_ trial: Trial) -> String {
        "\(trial.sequence)" + (trial.commit.map { ", commit \($0.short)," } ?? "")
    }

    /// `90s`, `10m`, `1h30m`.
    static func words(_ milliseconds: Int64) -> String {
        let (hours, minutes) = (milliseconds / 3_600_000, milliseconds / 60_000 % 60)
        let seconds = milliseconds / 1000 % 60
        var text = ""
        if hours > 0 { text += "\(hours)h" }
        if minutes > 0 { text += "\(minutes)m" }
        if seconds > 0 || text.isEmpty { text += "\(seconds)s" }
        return text
    }
}

extension Application {
    /// nil unless the application asks for it.
    public var automaticRollback: AutomaticRollback? { AutomaticRollback(annotations: annotations) }
}
