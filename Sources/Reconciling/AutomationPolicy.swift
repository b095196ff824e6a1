import Shiplog

/// Whether the controller acts by itself on what a comparison found: a pure decision.
struct AutomationPolicy: Sendable {
    /// What has been tried for the application since its desired manifests last changed.
    struct Trials: Sendable, Hashable {
        /// The manifests the tries were for.
        var desired: Digest?
        /// Failed tries in a row.
        var failures = 0
        /// When the next try may be, in milliseconds of a monotonic clock.
        var notBefore: Int64 = 0
        /// A failure that another try cannot mend.
        var isFinal = false
        /// Self-heals in a row, each within the window of the one before.
        var heals = 0
        var lastHealAt: Int64?
    }

    enum Decision: Sendable, Hashable {
        /// Nothing to do, or not by itself.
        case leave
        case act(Cause, retry: Int)
        case wait(milliseconds: Int64)
        /// Tried as often as the policy allows.
        case exhausted
    }

    let automated: Application.Automated?
    let retry: Application.Retry
    let settings: ControllerSettings

    init(_ policy: Application.SyncPolicy, settings: ControllerSettings) {
        automated = policy.automated
        // Argo CD: automated sync without a retry strategy tries five times more.
        retry = policy.retry ?? Application.Retry(limit: 5)
        self.settings = settings
    }

    /// - Parameters:
    ///   - desired: the digest of the manifests that should be there.
    ///   - deployed: the digest that the last successful sync or rollback applied.
    ///   - now: milliseconds of a monotonic clock.
    func decide(
        desired: Digest, deployed: Digest?, hasChanges: Bool, isContested: Bool, trials: Trials, now: Int64
    ) -> Decision {
        guard let automated, hasChanges else { return .leave }
        let sameAsTried = trials.desired == desired
        if sameAsTried, trials.failures > 0 {
            if trials.isFinal { return .exhausted }
            if retry.limit >= 0, trials.failures > retry.limit { return .exhausted }
            if now < trials.notBefore { return .wait(milliseconds: trials.notBefore - now) }
            return .act(.retry, retry: trials.failures)
        }
        guard deployed == desired else { return .act(.automated, retry: 0) }
        // The same manifests were applied before: somebody has changed the cluster since.
        guard automated.selfHeal, !isContested else { return .leave }
        let wait = healDelay(after: trials.heals)
        if let last = trials.lastHealAt, now < last + wait { return .wait(milliseconds: last + wait - now) }
        return .act(.selfHeal, retry: 0)
    }

    /// 0, 2 s, 6 s, 18 s, … as Argo CD waits between self-heals that follow each other.
    func healDelay(after heals: Int) -> Int64 {
        guard heals > 0 else { return 0 }
        var delay = settings.selfHealInitial
        for _ in 1..<heals {
            delay = min(settings.selfHealMaximum, delay.multipliedReportingOverflow(by: 3).partialValue)
            if delay == settings.selfHealMaximum { break }
        }
        return min(delay, settings.selfHealMaximum)
    }

    /// What is remembered after an attempt for these manifests.
    func after(_ trials: Trials, desired: Digest, cause: Cause, failure: Failure?, now: Int64) -> Trials {
        var next = trials.desired == desired ? trials : Trials(desired: desired)
        next.desired = desired
        if let failure {
            next.failures += 1
            next.isFinal = !failure.isTransient && failure.code != .clusterConflict
            var delay = retry.delay(before: next.failures)
            if case .retry(let asked?) = failure.next { delay = max(delay, asked) }
            next.notBefore = now + delay
        } else {
            next.failures = 0
            next.isFinal = false
            next.notBefore = 0
        }
        if cause == .selfHeal {
            let recent = next.lastHealAt.map { now - $0 < settings.contestWindow } ?? false
            next.heals = recent ? next.heals + 1 : 1
            next.lastHealAt = now
        }
        return next
    }
}
