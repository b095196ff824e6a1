import LedgerStore
public import Shiplog

/// Projects, as the API and the command line ask for them; and what they say to a person's operation.
extension Controller {
    /// Those that are registered, and `default` in any case, by name.
    public func allProjects() async throws(Failure) -> [ProjectState] {
        var states: [ProjectState] = []
        let registered = try await ledger.projects()
        for project in registered { states.append(try await state(of: project.name, registered: project)) }
        if !registered.contains(where: { $0.name == AppProject.defaultName }) {
            states.append(try await state(of: AppProject.defaultName, registered: nil))
        }
        return states.sorted { $0.name < $1.name }
    }

    /// - Throws: `project.not-found`.
    public func project(_ name: String) async throws(Failure) -> ProjectState {
        let registered = try await ledger.project(named: name)
        guard registered != nil || name == AppProject.defaultName else {
            throw Failure(.projectNotFound, "there is no project \(name)", remedy: "see `shiplog project list`")
        }
        return try await state(of: name, registered: registered)
    }

    private func state(of name: String, registered: RegisteredProject?) async throws(Failure) -> ProjectState {
        // One that cannot be read any more is shown all the same: it has to be mended.
        let rules = try? await projects.project(named: name)
        let users = await board.all.filter { $0.registered.application.project == name }.map(\.registered.reference)
        return ProjectState(
            name: name, registered: registered, project: rules,
            document: registered?.document ?? AppProject.permissive(name).document, applications: users)
    }

    /// What windows say of each application of a project.
    /// - Throws: `project.not-found`, and what keeps the project from being read.
    public func windows(
        of name: String, at moment: Timestamp?
    ) async throws(Failure) -> (project: AppProject, at: Timestamp, decisions: [(ApplicationReference, WindowDecision)])
    {
        _ = try await project(name)
        let rules = try await projects.project(named: name)
        let at = moment ?? now()
        var decisions: [(ApplicationReference, WindowDecision)] = []
        for status in await board.all where status.registered.application.project == name {
            let subject = status.registered.windowSubject(await connections.reference(for: status.registered))
            decisions.append(
                (status.registered.reference, WindowDecision.make(rules.windows, for: subject, at: at)))
        }
        return (rules, at, decisions)
    }

    /// Registers or changes a project; its applications are looked at anew.
    public func putProject(
        _ project: AppProject, actor: Actor, ifChangedBy: SequenceNumber?, expectAbsent: Bool
    ) async throws(Failure) -> (RegisteredProject, changed: Bool) {
        let isFirst = try await !ledger.hasHadProjects()
        let (registered, changed) = try await ledger.putProject(
            project, actor: actor, ifChangedBy: ifChangedBy, expectAbsent: expectAbsent)
        if changed { await wake(isFirst ? nil : project.name) }
        return (registered, changed)
    }

    /// - Throws: `project.in-use`, `project.not-found`; `project.default-stays`.
    public func deleteProject(_ name: String, actor: Actor, reason: String?) async throws(Failure) -> SequenceNumber {
        // Without it every application that names no project would be permitted everything at once.
        guard name != AppProject.defaultName else {
            throw Failure(
                "project.default-stays", "the project default cannot be deleted",
                remedy: "register another in its place with `shiplog project apply -f`")
        }
        return try await ledger.deleteProject(name, actor: actor, reason: reason)
    }

    /// - Parameter project: nil for every application: from the first project on, names that nobody has registered count.
    private func wake(_ project: String?) async {
        for status in await board.all where project == nil || status.registered.application.project == project {
            await queue.put(status.registered.uid, WorkQueue.Reasons(causes: [.specChange]))
        }
    }

    // MARK: - Operations

    /// What a person asked for, judged in full before it begins.
    /// - Throws: `project.…`, `window.closed`.
    func permitted(
        _ prepared: Prepared, _ application: RegisteredApplication, _ request: LoopState.Request
    ) async throws(Failure) -> Reconciler.Goal {
        var goal = prepared.goal
        try await reconciler.checkRules(
            prepared.comparison.plan, goal.desired.source, application, prepared.connection)
        let (overrides, act) =
            switch request {
            case .sync(let sync): (sync.overridesWindow, "sync of")
            case .rollback(let rollback): (rollback.overridesWindow, "rollback of")
            }
        do throws(Failure) {
            try await reconciler.checkWindows(.manual, act, application)
        } catch {
            guard overrides, error.code == .windowClosed else { throw error }
            let decision = try await reconciler.windows(of: application)
            try await ledger.record(
                Event(
                    .policyOverridden, application: application.reference, actor: goal.actor,
                    facts: .members([
                        "code": .string(error.code.rawValue), "operation": .string(goal.kind.rawValue),
                        "project": .string(application.application.project),
                        "until": decision.changesAt.map { .string($0.description) },
                        "windows": .array(
                            decision.deciding.prefix(10).map { .string(String($0.window.words.prefix(200))) })
                    ]),
                    detail: .members([
                        "message": .string(error.message), "reason": goal.reason.map { .string($0) },
                        "ticket": goal.ticket.map { .string($0) }
                    ])))
            goal.isOutsideWindows = true
        }
        return goal
    }

    /// Whether the attempt's windows had been set aside: the event stands between its beginning and its promise.
    func wasOverridden(_ attempt: Attempt) async throws(Failure) -> Bool {
        let newest = try await ledger.events(
            EventQuery(applications: [attempt.intent.application.uid], kinds: [.policyOverridden], limit: 1))
        guard let event = newest.items.first else { return false }
        return event.sequence < attempt.sequence && event.recordedAt >= attempt.intent.startedAt
    }

    /// What a plan tells before it is carried out: what would refuse it.
    func notes(_ prepared: Prepared, _ application: RegisteredApplication) async -> [String] {
        var notes: [String] = []
        do throws(Failure) {
            try await reconciler.checkRules(
                prepared.comparison.plan, prepared.goal.desired.source, application, prepared.connection)
        } catch { notes.append("this would be refused: \(error.message) [\(error.code)]") }
        do throws(Failure) {
            let act = prepared.goal.kind == .rollback ? "rollback of" : "sync of"
            try await reconciler.checkWindows(.manual, act, application)
        } catch { notes.append("this would be refused: \(error.message) [\(error.code)]") }
        return notes
    }
}

/// A project, and who belongs to it.
public struct ProjectState: Sendable {
    public let name: String
    /// nil for a `default` that nobody has registered.
    public let registered: RegisteredProject?
    /// nil when the document cannot be read any more.
    public let project: AppProject?
    public let document: JSON
    public let applications: [ApplicationReference]
}
