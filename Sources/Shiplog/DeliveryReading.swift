/// From one application's rows to its deployments.
public struct DeliveryReading: Sendable {
    /// Degraded so long after a deployment's end is its fault; later, something else's.
    public static let blame: Int64 = 86_400_000

    public private(set) var deployments: [Deployment] = []
    public private(set) var exclusions = DeliveryExclusions()

    /// Attempts in a row that applied the same manifests.
    private struct Run {
        var attempts: [(row: DeliveryRow, attempt: DeliveryRow.Attempt)]
        /// Everything from its first attempt to the next run's.
        var rows: [DeliveryRow]

        var succeeded: (row: DeliveryRow, attempt: DeliveryRow.Attempt)? {
            attempts.first { $0.attempt.outcome == "succeeded" }
        }
    }

    /// - Parameters:
    ///   - rows: of one application, in order; they may go on after the window, for what became of its deployments.
    ///   - from: deployments whose first attempt was recorded then or later are told.
    ///   - to: and before then.
    ///   - desired: the digest that was applied last before the rows begin.
    ///   - known: commits that were applied before the rows begin.
    public init(
        _ rows: [DeliveryRow], from: Timestamp, to: Timestamp, after desired: String? = nil, known: Set<String> = []
    ) {
        var known = known
        let runs = runs(rows, from: from, to: to, after: desired)
        for (index, run) in runs.enumerated() {
            guard let first = run.attempts.first else { continue }
            let isNew = first.attempt.commit.map { !known.contains($0) } ?? false
            let deployment = Self.deployment(run, followed: runs[(index + 1)...], isNew: isNew)
            if deployment.healthy != nil, let commit = first.attempt.commit { known.insert(commit) }
            if first.row.recordedAt >= from, first.row.recordedAt < to { deployments.append(deployment) }
        }
    }

    private mutating func runs(
        _ rows: [DeliveryRow], from: Timestamp, to: Timestamp, after desired: String?
    ) -> [Run] {
        var runs: [Run] = []
        var last = desired
        for row in rows {
            let isCounted = row.recordedAt >= from && row.recordedAt < to
            if let attempt = row.attempt, let kept = Self.judge(attempt) {
                if isCounted { exclusions[keyPath: kept] += 1 }
                continue
            }
            if let attempt = row.attempt {
                if attempt.desired == last {
                    if isCounted { exclusions.repeated += 1 }
                    // One that began before the rows do is another window's.
                    guard !runs.isEmpty else { continue }
                    runs[runs.count - 1].attempts.append((row, attempt))
                    runs[runs.count - 1].rows.append(row)
                } else {
                    runs.append(Run(attempts: [(row, attempt)], rows: [row]))
                    last = attempt.desired
                }
            } else if !runs.isEmpty {
                runs[runs.count - 1].rows.append(row)
            }
        }
        return runs
    }

    /// Why an attempt is no deployment; nil when it is one.
    private static func judge(_ attempt: DeliveryRow.Attempt) -> WritableKeyPath<DeliveryExclusions, Int>? {
        if attempt.isDryRun { return \.dryRuns }
        if attempt.cause == .selfHeal { return \.selfHeals }
        if attempt.outcome == "superseded" { return \.superseded }
        return attempt.commit == nil ? \.withoutCommit : nil
    }

    private static func deployment(_ run: Run, followed next: ArraySlice<Run>, isNew: Bool) -> Deployment {
        let first = run.attempts.first
        let succeeded = run.succeeded.map { Deployment.Moment(sequence: $0.row.sequence, at: $0.attempt.finishedAt) }
        let healthy = healthy(run)
        let degraded = degraded(run, healthy: healthy)
        var trouble: [Deployment.Trouble] = []
        var starts: [Deployment.Moment] = []
        if succeeded == nil, let first {
            trouble.append(.failed)
            starts.append(Deployment.Moment(sequence: first.row.sequence, at: first.attempt.finishedAt))
        }
        if let degraded {
            trouble.append(.degraded)
            starts.append(degraded)
        }
        let isRolledBack = next.first?.attempts.first?.attempt.kind == .rollback
        if isRolledBack {
            trouble.append(.rolledBack)
            // Nobody wrote down when it was noticed: it counts from the deployment's own end.
            if let succeeded, degraded == nil { starts.append(succeeded) }
        }
        if first?.attempt.kind == .rollback { trouble = [] }
        let broken = trouble.isEmpty ? nil : starts.min { $0.at < $1.at }
        var restored: Deployment.Moment?
        if let broken {
            // What was rolled back was not restored by itself.
            let own = isRolledBack || succeeded == nil ? nil : Self.healthy(run, after: broken.sequence)
            restored = own ?? next.lazy.compactMap { Self.healthy($0) }.first
        }
        var leadTime: Int64?
        if isNew, let healthy, let committed = first?.attempt.committedAt, healthy.at >= committed {
            leadTime = healthy.at.milliseconds - committed.milliseconds
        }
        return Deployment(
            project: first?.attempt.project ?? "", kind: first?.attempt.kind ?? .sync, commit: first?.attempt.commit,
            attempts: run.attempts.map(\.row.sequence), succeeded: succeeded, healthy: healthy, trouble: trouble,
            broken: broken, restored: restored, leadTime: leadTime)
    }

    /// The first row after the success, itself included, that says Healthy.
    private static func healthy(_ run: Run, after sequence: SequenceNumber? = nil) -> Deployment.Moment? {
        guard let succeeded = run.succeeded else { return nil }
        let start = sequence.map { $0.value + 1 } ?? succeeded.row.sequence.value
        return run.rows.first { $0.sequence.value >= start && $0.health == .healthy }.map { row in
            // An attempt's row says when it ended, the others when they saw it.
            Deployment.Moment(sequence: row.sequence, at: row.attempt?.finishedAt ?? row.recordedAt)
        }
    }

    private static func degraded(_ run: Run, healthy: Deployment.Moment?) -> Deployment.Moment? {
        guard let succeeded = run.succeeded else { return nil }
        let blamed = succeeded.attempt.finishedAt.advanced(byMilliseconds: blame)
        return run.rows.first { row in
            row.sequence >= succeeded.row.sequence && row.health == .degraded
                && (row.recordedAt <= blamed || healthy.map { row.sequence < $0.sequence } ?? true)
        }.map { row in
            Deployment.Moment(sequence: row.sequence, at: row.attempt?.finishedAt ?? row.recordedAt)
        }
    }
}
