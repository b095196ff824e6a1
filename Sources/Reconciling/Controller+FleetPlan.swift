public import LedgerStore
public import Shiplog

/// What going back to a moment would do, for many applications.
extension Controller {
    /// Plans at the same time against clusters.
    static let plansAtOnce = 8

    /// Plans each application by itself, as its own rollback would be planned. Nothing is written.
    ///
    /// - Parameter takes: which of them whoever asks may see.
    /// - Throws: `state.sequence-unknown`, `plan.before-the-log`.
    public func planFleet(
        at instant: Instant, _ selection: FleetSelection, _ options: FleetOptions,
        where takes: @escaping @Sendable (ApplicationReference) -> Bool = { _ in true }
    ) async throws(Failure) -> FleetPlan {
        let page = try await ledger.states(at: instant, where: takes)
        guard let at = page.at.sequence else {
            throw Failure(
                "plan.before-the-log", "nothing had been recorded by then", remedy: "name a later moment")
        }
        let then = Dictionary(page.items.map { ($0.application.uid, $0) }, uniquingKeysWith: { $1 })
        let now = Dictionary(
            try await ledger.applications().map { ($0.uid, $0) }, uniquingKeysWith: { $1 })
        var subjects: [FleetSubject] = []
        for (uid, state) in then {
            let labels: [String: String]
            if let registered = now[uid] {
                labels = registered.application.labels
            } else {
                labels = try await ledger.declaration(of: uid, at: at)?.labels ?? [:]
            }
            let present = now[uid]?.reference ?? state.application
            // Who might see it then may not see it now, and a plan tells of now.
            guard takes(present), selection.takes(present, labels) else { continue }
            subjects.append(FleetSubject(reference: state.application, then: state, now: now[uid]))
        }
        for (uid, registered) in now where then[uid] == nil && takes(registered.reference) {
            guard selection.takes(registered.reference, registered.application.labels) else { continue }
            subjects.append(FleetSubject(reference: registered.reference, then: nil, now: registered))
        }
        subjects.sort { ($0.reference.name, $0.reference.uid) < ($1.reference.name, $1.reference.uid) }
        let names = Set(now.values.map(\.name))
        let items = await subjects.concurrentMap(atOnce: Self.plansAtOnce) {
            await self.plan($0, at, options, taken: names)
        }
        return FleetPlan(at: page.at, madeAt: self.now(), asOf: page.asOf, options: options, items: items)
    }

    private struct FleetSubject: Sendable {
        let reference: ApplicationReference
        let then: ApplicationState?
        let now: RegisteredApplication?
    }

    private func plan(
        _ subject: FleetSubject, _ at: SequenceNumber, _ options: FleetOptions, taken: Set<String>
    ) async -> FleetPlan.Item {
        do throws(Failure) {
            guard let state = subject.then else { return try await deletion(subject, options) }
            let target = try Self.target(state)
            guard let registered = subject.now else {
                return try await recreation(subject, target, at, options, taken: taken)
            }
            return try await rollback(registered, target, options)
        } catch {
            return FleetPlan.Item(application: subject.reference, verdict: .cannot(error), changes: [], notes: [])
        }
    }

    /// The one revision whose whole set was there.
    private static func target(_ state: ApplicationState) throws(Failure) -> ApplicationState.Deployment {
        let name = state.application.name
        switch state.content {
        case .whole(let deployment): return deployment
        case .nothing:
            throw Failure(
                "plan.nothing-deployed", "nothing had been deployed of \(name) by then",
                remedy: "leave it as it is, or choose a later moment")
        case .mixed(let mixture):
            let base = mixture.base.map { "; \($0.sequence) was the last whole one before it" } ?? ""
            throw Failure(
                "plan.state-mixed", "what was deployed of \(name) then was no one revision's\(base)",
                remedy: "roll it back by itself to a revision of `shiplog app history \(name)`")
        case .inProgress(let attempt, let before):
            let base = before.map { "; \($0.sequence) was the last whole one before it" } ?? ""
            throw Failure(
                "plan.state-in-progress",
                "the \(attempt.kind.rawValue) \(attempt.sequence) of \(name) was under way\(base)",
                remedy: "choose a moment before or after it")
        }
    }

    private func rollback(
        _ registered: RegisteredApplication, _ target: ApplicationState.Deployment, _ options: FleetOptions
    ) async throws(Failure) -> FleetPlan.Item {
        let expects = try await fleetGuard(of: registered)
        // A newer attempt that got half way has left something else, whatever was deployed whole before it.
        let newest = try await ledger.lastRevision(of: registered.uid, where: .applied)
        guard target.desired != expects.desired || newest?.revision.outcome != .succeeded else {
            return FleetPlan.Item(
                application: registered.reference, verdict: .nothing("the same manifests are deployed now"),
                changes: [], notes: [])
        }
        let planned = try await planRollback(registered.name, Self.request(target.sequence, options))
        let changes = planned.plan.changes.map(\.told)
        let verdict: FleetPlan.Item.Verdict
        if let failure = planned.plan.blockers.first ?? planned.plan.firstUnknown {
            verdict = .cannot(failure)
        } else {
            verdict = .planned(
                FleetOrder(
                    application: registered.reference, action: .rollback, target: target.sequence, expects: expects))
        }
        return FleetPlan.Item(
            application: registered.reference, verdict: verdict, changes: changes,
            notes: planned.notes + planned.plan.warnings)
    }

    private func recreation(
        _ subject: FleetSubject, _ target: ApplicationState.Deployment, _ at: SequenceNumber, _ options: FleetOptions,
        taken: Set<String>
    ) async throws(Failure) -> FleetPlan.Item {
        let name = subject.reference.name
        guard !taken.contains(name) else {
            throw Failure(
                "plan.name-taken", "\(name) was deleted since, and another application has its name now",
                remedy: "that one is planned by itself")
        }
        guard try await ledger.declaration(of: subject.reference.uid, at: at) != nil else {
            throw Failure(
                "plan.declaration-erased", "how \(name) was declared then is on no record any more",
                remedy: "register it again with `shiplog app apply`")
        }
        guard let desired = target.desired, let manifests = try await ledger.contents(of: desired) else {
            throw Failure(
                "ledger.manifests-missing", "the manifests of \(target.sequence) are not in the ledger",
                remedy: "run `shiplog ledger verify`")
        }
        let order = FleetOrder(
            application: subject.reference, action: .recreate, target: target.sequence, expects: FleetGuard())
        return FleetPlan.Item(
            application: subject.reference, verdict: options.recreate ? .planned(order) : .offered(order),
            changes: manifests.map { FleetPlan.Change(key: $0.key, action: "create", message: nil) },
            notes: ["it was deleted since; it is compared with the cluster when it is registered again"])
    }

    private func deletion(_ subject: FleetSubject, _ options: FleetOptions) async throws(Failure) -> FleetPlan.Item {
        guard let registered = subject.now else { throw Self.notFound(subject.reference.name) }
        let order = FleetOrder(
            application: registered.reference, action: .delete, target: nil,
            expects: try await fleetGuard(of: registered))
        let inventory = try await ledger.inventory(of: registered.uid)
        return FleetPlan.Item(
            application: registered.reference, verdict: options.delete ? .planned(order) : .offered(order),
            changes: inventory.map { FleetPlan.Change(key: $0.key, action: "prune", message: nil) },
            notes: ["it did not exist then"])
    }

    /// Holds a plan against the log. It comes from outside, and what it says stands signed in the log once it has begun:
    /// each target must be what planning for that row finds.
    /// - Throws: `plan.invalid`.
    func checkPlan(_ request: FleetRequest) async throws(Failure) {
        let at = request.at
        guard let head = try await ledger.head(), at <= head else {
            throw Self.invalidPlan("the log has no \(at) yet")
        }
        let uids = Set(request.orders.map(\.application.uid))
        let page = try await ledger.states(at: .sequence(at), where: { uids.contains($0.uid) })
        let then = Dictionary(page.items.map { ($0.application.uid, $0) }, uniquingKeysWith: { $1 })
        for order in request.orders {
            let name = order.application.name
            let state = then[order.application.uid]
            switch order.action {
            case .rollback, .recreate:
                guard let state, let target = try? Self.target(state), target.sequence == order.target else {
                    let told = order.target.map(\.description) ?? "nothing"
                    throw Self.invalidPlan("\(told) is not what was deployed of \(name) at \(at)")
                }
            case .delete:
                guard state == nil else {
                    throw Self.invalidPlan("\(name) existed at \(at): going back there does not delete it")
                }
            }
        }
    }

    private static func invalidPlan(_ why: String) -> Failure {
        Failure("plan.invalid", why, remedy: "make the plan again, and give it back as it was answered")
    }

    static func request(_ target: SequenceNumber, _ options: FleetOptions) -> RollbackRequest {
        RollbackRequest(
            target: .sequence(target), prune: options.prune, hold: options.hold, replace: options.replace,
            confirmDestructive: options.confirmDestructive, keepSecrets: options.keepSecrets)
    }

    /// What a plan for the application rests on.
    func fleetGuard(of registered: RegisteredApplication) async throws(Failure) -> FleetGuard {
        let applied = try await ledger.lastRevision(of: registered.uid, where: .applied)
        let deployed = try await RollbackTarget.candidates(registered.uid, in: ledger, limit: 1).first
        return FleetGuard(
            applied: applied?.sequence, changedBy: registered.changedBy,
            desired: registered.pin?.desired ?? deployed?.revision.desired, pinnedTo: registered.pin?.target)
    }
}

extension PlannedChange {
    fileprivate var told: FleetPlan.Change {
        let word: String =
            switch action {
            case .create: "create"
            case .update: "update"
            case .replace: "replace"
            case .unchanged: "unchanged"
            case .prune: "prune"
            case .leftover: "leftover"
            case .keep: "keep"
            case .cannot: "cannot"
            case .unknown: "unknown"
            }
        return FleetPlan.Change(key: key, action: word, message: message)
    }
}
