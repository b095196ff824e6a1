import LedgerStore
import Logging
import Shiplog

/// What a project and its windows say before anything begins. `WriteGate` asks the same again before each write.
extension Reconciler {
    /// A pinned application is held at what the ledger has; its source is asked about when it is to be read again.
    /// - Throws: `project.source-not-permitted`, `project.not-registered`.
    func checkSource(of application: RegisteredApplication) async throws(Failure) {
        guard application.pin == nil else { return }
        let project = try await projects.project(named: application.application.project)
        try project.checkSource(application.application.source.repository)
    }

    /// The newest event that changed the application or what holds for it.
    func latestChange(of application: RegisteredApplication) async -> SequenceNumber {
        max(application.changedBy, await projects.changedBy(application.application.project) ?? application.changedBy)
    }

    /// All that a plan would write, before the first write: what is not permitted fails the whole.
    /// - Throws: `project.…`.
    func checkRules(
        _ plan: Plan, _ source: RevisionSource?, _ application: RegisteredApplication, _ connection: Connection
    ) async throws(Failure) {
        let project = try await projects.project(named: application.application.project)
        if let source { try project.checkSource(source.repository) }
        let place = ProjectDestination(application.application.destination, cluster: connection.reference)
        try project.checkDestination(place)
        for key in plan.changes.filter(\.isWrite).map(\.key) + plan.hooks.map(\.key) {
            let isNamespaced = connection.catalog.preferred[key.groupKind]?.isNamespaced ?? !key.namespace.isEmpty
            try project.check(
                key.groupKind, name: key.name, namespace: key.namespace, isNamespaced: isNamespaced, to: place)
        }
    }

    /// What windows say now.
    func windows(of application: RegisteredApplication) async throws(Failure) -> WindowDecision {
        let project = try await projects.project(named: application.application.project)
        let cluster = await connections.reference(for: application)
        return WindowDecision.make(project.windows, for: application.windowSubject(cluster), at: now())
    }

    /// - Parameter act: such as `sync of`.
    /// - Throws: `window.closed`.
    func checkWindows(_ cause: Cause, _ act: String, _ application: RegisteredApplication) async throws(Failure) {
        let decision = try await windows(of: application)
        let isManual = cause == .manual
        guard !decision.allows(manual: isManual) else { return }
        throw decision.refusal(of: "\(act) \(application.name)", manual: isManual)
    }

    /// Why the controller does not do by itself what it would do; told as an event, a few times at most.
    func policyRefusal(
        cause: Cause, _ plan: Plan, _ desired: Desired, _ application: RegisteredApplication, _ connection: Connection
    ) async -> Failure? {
        do throws(Failure) {
            try await checkRules(plan, desired.source, application, connection)
            try await checkWindows(cause, cause == .selfHeal ? "self-heal of" : "automated sync of", application)
            return nil
        } catch {
            await tell(error, of: application, cause: cause, revision: nil)
            return error
        }
    }

    func gate(_ goal: Goal, _ application: RegisteredApplication, _ connection: Connection) -> WriteGate {
        WriteGate(
            application: application, cluster: connection.reference, projects: projects, startedAt: goal.startedAt,
            isManual: goal.cause == .manual, isOutsideWindows: goal.isOutsideWindows, now: now)
    }

    /// For letting go of hooks that nobody holds any more.
    func tidying(_ application: RegisteredApplication, _ connection: Connection) -> GuardedMirror {
        connection.mirror.guarded(
            by: WriteGate(
                application: application, cluster: connection.reference, projects: projects, startedAt: now(),
                isManual: false, isOutsideWindows: true, now: now))
    }

    /// Records that policy stood in the way, once for each reason and day: a loop that asks every few seconds must not
    /// fill a store that never forgets.
    func tell(
        _ failure: Failure, of application: RegisteredApplication, cause: Cause, revision: SequenceNumber?
    ) async {
        guard failure.isPolicy else { return }
        let signature = "\(failure.code) \(failure.message)"
        guard let count = await state.count(signature, of: application.uid, at: Monotonic.milliseconds) else { return }
        let event = Event(
            .policyRefused, application: application.reference, actor: .controller, revision: revision,
            outcome: "refused",
            facts: [
                "cause": .string(cause.rawValue), "code": .string(failure.code.rawValue),
                "count": .integer(Int64(count)), "project": .string(application.application.project)
            ], detail: ["message": .string(failure.message)])
        do throws(Failure) { try await ledger.record(event) } catch {
            logger.error("a refusal could not be recorded", metadata: ["code": "\(error.code)"])
        }
    }
}

/// How often policy refused one application something, and what was recorded of it.
struct PolicyRefusals: Sendable {
    private var signature: String?
    private var recordedAt: Int64 = 0
    private var count = 0

    /// The same again is recorded after a day, something else after a minute.
    static let repeats: Int64 = 86_400_000
    static let changes: Int64 = 60_000

    /// - Parameter now: monotonic milliseconds.
    /// - Returns: how many there were since the last record, this one included, when another is due.
    mutating func count(_ new: String, at now: Int64) -> Int? {
        count += 1
        if signature != nil {
            let rest = signature == new ? Self.repeats : Self.changes
            guard now - recordedAt >= rest else { return nil }
        }
        signature = new
        recordedAt = now
        defer { count = 0 }
        return count
    }
}

extension Failure {
    /// Whether a project or a window is why.
    var isPolicy: Bool {
        code == .windowClosed || code.rawValue.hasPrefix("project.")
    }
}
