import GitSource
import LedgerStore
import Logging
public import Shiplog

/// A rollback of several applications: recorded, carried out a few at a time, and gone on with after a restart.
extension Controller {
    /// Applications rolled back at the same time.
    static let fleetAtOnce = 4
    /// Such rollbacks at the same time: each takes a place among the loop's own tasks, which fetch as well.
    static let fleetsAllowed = 4

    /// Begins what a plan says, unless anything of it has moved since.
    ///
    /// - Throws: `plan.moved` with what has, `plan.invalid`, `plan.nothing-to-do`, `rollback.reason-missing`, `fleet.busy`.
    public func applyFleet(_ request: FleetRequest, actor: Actor) async throws(Failure) -> Fleet {
        try Self.checkReason(request.reason)
        guard !request.orders.isEmpty else {
            throw Failure(
                "plan.nothing-to-do", "the plan has nothing to do",
                remedy: "what it offers is switched on with --recreate and --delete when it is made")
        }
        try await fleets.claim(request.orders, allowed: Self.fleetsAllowed)
        let fleet: Fleet
        do throws(Failure) {
            fleet = try await begin(request, actor)
        } catch {
            await fleets.release(request.orders)
            throw error
        }
        // Among those that run before the claim goes: there is no moment at which another could begin.
        await fleets.set(fleet)
        await fleets.release(request.orders)
        await tasks.run { await self.run(fleet) }
        return fleet
    }

    private func begin(_ request: FleetRequest, _ actor: Actor) async throws(Failure) -> Fleet {
        for order in request.orders {
            if let why = try await moved(order) {
                throw Failure(
                    "plan.moved", "\(order.application.name): \(why) since the plan was made",
                    remedy: "make the plan again and look at it")
            }
        }
        try await checkPlan(request)
        let group = try await ledger.record(FleetRecord.started(request, actor: actor))
        return Fleet(
            group: group, request: request, actor: actor, startedAt: now(),
            results: request.orders.map { _ in .waiting })
    }

    /// One that runs, or that has ended.
    public func fleet(_ group: SequenceNumber) async throws(Failure) -> Fleet? {
        if let fleet = await fleets.fleet(group) { return fleet }
        guard case .event(let started)? = try await ledger.record(at: group), started.value.kind == .fleetStarted else {
            return nil
        }
        return FleetRecord.fleet(started, try await ledger.fleetEnd(group))
    }

    /// The same, once something has changed of it or so long has passed.
    public func fleet(_ group: SequenceNumber, waitingMilliseconds limit: Int64) async throws(Failure) -> Fleet? {
        await fleets.change(of: group, waitingMilliseconds: limit)
        return try await fleet(group)
    }

    /// At start-up: what had begun and not ended goes on where it was.
    func resumeFleets() async throws(Failure) {
        for started in try await ledger.unfinishedFleets() {
            guard let fleet = FleetRecord.fleet(started, nil) else {
                logger.error(
                    "a rollback of several applications cannot go on: its plan was erased",
                    metadata: ["group": "\(started.sequence.value)"])
                continue
            }
            logger.notice(
                "a rollback of several applications goes on",
                metadata: [
                    "group": "\(fleet.group.value)",
                    "applications": "\(fleet.request.orders.map(\.application.name).joined(separator: " "))"
                ])
            await fleets.set(fleet)
            await tasks.run { await self.run(fleet) }
        }
    }

    // MARK: - Running

    private func run(_ fleet: Fleet) async {
        let orders = fleet.request.orders
        await withTaskGroup(of: Bool.self) { group in
            var waiting = orders.enumerated().makeIterator()
            var isStopped = false
            func start() {
                guard !isStopped, !Task.isCancelled, !stopping.isSet, let (index, order) = waiting.next() else {
                    return
                }
                group.addTask { await self.carryOut(order, index, fleet) }
            }
            for _ in 0..<Self.fleetAtOnce { start() }
            while let went = await group.next() {
                if !went, !fleet.request.continueOnError { isStopped = true }
                start()
            }
        }
        // A stop of the process is no end: the next start goes on.
        guard !Task.isCancelled, !stopping.isSet, var ended = await fleets.fleet(fleet.group) else { return }
        ended.results = ended.results.map { $0.isEnd ? $0 : .skipped }
        do throws(Failure) {
            ended.endedBy = try await ledger.record(FleetRecord.ended(ended))
            await fleets.set(ended)
        } catch {
            logger.error(
                "the end of a rollback of several applications could not be recorded",
                metadata: ["group": "\(fleet.group.value)", "code": "\(error.code)"])
        }
    }

    /// - Returns: whether it went as it should.
    private func carryOut(_ order: FleetOrder, _ index: Int, _ fleet: Fleet) async -> Bool {
        await fleets.set(.running, at: index, of: fleet.group)
        var result: Fleet.Result?
        do throws(Failure) {
            switch order.action {
            case .rollback:
                result = try await rollBack(order.application, RollbackRequest.Target.sequence, order, fleet)
            case .recreate: result = try await recreate(order, fleet)
            case .delete: result = try await remove(order, fleet)
            }
        } catch {
            // What a stopping server refuses is done after its next start.
            result = Task.isCancelled || stopping.isSet ? nil : .failed(nil, error)
        }
        // Nothing is known of one that the end of the process has interrupted.
        guard let result else { return false }
        await fleets.set(result, at: index, of: fleet.group)
        if case .failed(_, let failure) = result {
            logger.warning(
                "a part of a rollback of several applications failed",
                metadata: [
                    "group": "\(fleet.group.value)", "application": "\(order.application.name)",
                    "code": "\(failure.code)"
                ])
            return false
        }
        return true
    }

    /// - Returns: nil when the process is ending.
    private func rollBack(
        _ reference: ApplicationReference, _ target: @Sendable (SequenceNumber) -> RollbackRequest.Target,
        _ order: FleetOrder,
        _ fleet: Fleet
    ) async throws(Failure) -> Fleet.Result? {
        // After a restart: what had begun by then is recovery's to end.
        if let known = try await ledger.attempt(of: reference.uid, in: fleet.group) {
            return try await end(of: known.attempt)
        }
        if order.action == .rollback, let why = try await moved(order) {
            throw Failure(
                "plan.moved", "\(reference.name): \(why) since the plan was made",
                remedy: "make another plan for what is left")
        }
        guard let sequence = order.target else {
            throw Failure("plan.invalid", "the plan names no revision for \(reference.name)")
        }
        let options = fleet.request.options
        var request = Self.request(sequence, options)
        request.target = target(sequence)
        request.reason = fleet.request.reason
        request.ticket = fleet.request.ticket
        request.group = fleet.group
        if order.action == .rollback { request.ifDesired = order.expects.desired }
        if order.action == .recreate, let pin = try await ledger.application(uid: reference.uid)?.pin {
            request.hold = pin.hold
        }
        var operation: Operation? = try await rollback(reference.name, request, actor: fleet.actor)
        while let current = operation, !Task.isCancelled {
            switch current.state {
            case .queued, .running:
                operation = await self.operation(current.id, waitingMilliseconds: 1000)
            case .refused(let failure): throw failure
            case .finished(let revision, _): return try await Self.result(of: revision, in: ledger)
            }
        }
        if Task.isCancelled { return nil }
        throw Failure("operation.lost", "what became of it is no longer known", remedy: "see its history")
    }

    private func end(of attempt: SequenceNumber) async throws(Failure) -> Fleet.Result? {
        while !Task.isCancelled {
            if let revision = try await ledger.end(of: attempt) {
                return try await Self.result(of: revision, in: ledger)
            }
            try? await Task.sleep(for: .milliseconds(200))
        }
        return nil
    }

    private static func result(
        of sequence: SequenceNumber, in ledger: Ledger
    ) async throws(Failure) -> Fleet.Result {
        guard case .revision(let stored)? = try await ledger.record(at: sequence) else {
            throw Failure("operation.lost", "there is no revision \(sequence)")
        }
        switch stored.revision.outcome {
        case .succeeded: return .succeeded(sequence)
        case .failed(let failure): return .failed(sequence, failure)
        case .superseded(let why): return .failed(sequence, Failure("operation.superseded", why, next: .superseded))
        }
    }

    /// Registers the application as it was declared then, held at what it had deployed before the loop may look at it.
    private func recreate(_ order: FleetOrder, _ fleet: Fleet) async throws(Failure) -> Fleet.Result? {
        let name = order.application.name
        guard let sequence = order.target, case .revision(let target)? = try await ledger.record(at: sequence),
            target.revision.application.uid == order.application.uid, let desired = target.revision.desired
        else { throw Failure("plan.invalid", "the plan names no revision of \(name)") }
        var known = try await ledger.application(named: name)
        if let registered = known {
            // Registered by this very fleet before a restart.
            guard registered.pin?.target == sequence, registered.changedBy > fleet.group else {
                throw Failure(
                    "plan.moved", "\(name) was registered again since the plan was made",
                    remedy: "make another plan for what is left")
            }
        } else {
            guard let declared = try await ledger.declaration(of: order.application.uid, at: fleet.request.at),
                let manifests = try await ledger.manifestsForCluster(desired)
            else {
                throw Failure("plan.declaration-erased", "how \(name) was declared then is on no record any more")
            }
            let uid = try ApplicationBeginning.newUID()
            // What the pin turns away from is what Git has now.
            if let url = try? RepositoryURL(declared.source.repository) {
                await fetch(url, for: [], WorkQueue.Reasons(causes: [.manual]))
            }
            let left = try? await reconciler.rendering.locate(declared).inputs.fingerprint
            let marked = try await ledger.store(manifests: manifests.map { Ownership.mark($0, as: uid) })
            let pin = Pin(
                hold: Self.hold(fleet, left), target: sequence, desired: marked,
                commit: target.revision.source?.commit.id, leftInputs: left, rejected: [])
            let event = Event(
                .pinned, actor: fleet.actor, revision: sequence, facts: ["group": .integer(fleet.group.value)])
            known = try await ledger.putApplication(
                declared, actor: fleet.actor, expectAbsent: true,
                beginning: ApplicationBeginning(uid: uid, pin: pin, event: event)
            ).0
        }
        guard let registered = known else { throw Self.notFound(name) }
        if await board.status(registered.uid) == nil {
            await board.set(ApplicationStatus(registered: registered))
            await registry.changed(registered)
        }
        return try await rollBack(registered.reference, RollbackRequest.Target.former, order, fleet)
    }

    /// Without knowing what Git has, nobody could tell a new commit from the one that was turned away from.
    private static func hold(_ fleet: Fleet, _ left: String?) -> Pin.Hold {
        left == nil ? .untilUnpinned : fleet.request.options.hold
    }

    private func remove(_ order: FleetOrder, _ fleet: Fleet) async throws(Failure) -> Fleet.Result? {
        guard try await ledger.application(named: order.application.name)?.uid == order.application.uid else {
            // Deleted before a restart.
            return .succeeded(nil)
        }
        if try await ledger.attempt(of: order.application.uid, in: fleet.group) == nil,
            let why = try await moved(order)
        {
            throw Failure(
                "plan.moved", "\(order.application.name): \(why) since the plan was made",
                remedy: "make another plan for what is left")
        }
        _ = try await delete(
            order.application.name, cascade: true, actor: fleet.actor, reason: fleet.request.reason)
        return .succeeded(nil)
    }

    // MARK: - What has moved

    /// What is another than the plan says; nil when nothing is.
    private func moved(_ order: FleetOrder) async throws(Failure) -> String? {
        let registered = try await ledger.application(named: order.application.name)
        if order.action == .recreate { return registered == nil ? nil : "it was registered again" }
        guard let registered, registered.uid == order.application.uid else { return "it was deleted" }
        let present = try await fleetGuard(of: registered)
        let expected = order.expects
        if present.changedBy != expected.changedBy { return "its declaration was changed" }
        if present.pinnedTo != expected.pinnedTo { return "its pin was changed" }
        if present.applied != expected.applied || present.desired != expected.desired {
            return "something else was deployed"
        }
        return try await ledger.openAttempt(of: registered.uid) == nil ? nil : "a sync or rollback has begun"
    }

    static func checkReason(_ reason: String?) throws(Failure) {
        guard let reason,
            reason.unicodeScalars.contains(where: { !$0.properties.isWhitespace && $0.value >= 0x20 })
        else {
            throw Failure(
                "rollback.reason-missing", "a rollback wants a reason: the ledger keeps it for whoever asks later",
                remedy: "add --reason TEXT")
        }
    }
}
