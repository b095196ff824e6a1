import GitSource
public import LedgerStore
import Manifests
public import Shiplog

/// The doors: what the API and the command line may ask.
extension Controller {
    // MARK: - Reading

    public func statuses() async -> [ApplicationStatus] { await board.all }

    public func status(of name: String) async -> ApplicationStatus? { await board.status(named: name) }

    /// Names of applications whose status changed; a slow reader gets the newest 256 and misses the others.
    public func statusChanges() async -> AsyncStream<String> { await board.changes() }

    public func operation(_ id: String) async -> Operation? { await board.operation(id) }

    /// Waits until the operation has ended, at most so long.
    public func operation(_ id: String, waitingMilliseconds: Int64) async -> Operation? {
        await board.operation(id, waitingMilliseconds: waitingMilliseconds)
    }

    /// What should be in the cluster now, Secrets redacted.
    public func desired(of name: String) async throws(Failure) -> (resources: [Resource], source: RevisionSource?) {
        let application = try await registered(name)
        var memory = await state.memory(of: application.uid)
        let desired = try await reconciler.produce(for: application, memory: &memory)
        var redacted: [Resource] = []
        for resource in desired.resources { redacted.append(try ledger.redacted(resource)) }
        return (redacted, desired.source)
    }

    /// What is in the cluster of what should be, Secrets redacted, without what the server adds for itself.
    public func live(of name: String) async throws(Failure) -> [Resource] {
        let application = try await registered(name)
        var memory = await state.memory(of: application.uid)
        let desired = try await reconciler.produce(for: application, memory: &memory)
        let connection = try await connections.connect(application)
        let comparison = try await reconciler.compare(
            desired, application, connection, reconciler.policy(for: application, prune: false), memory: &memory)
        var redacted: [Resource] = []
        for (_, resource) in comparison.live.sorted(by: { $0.key < $1.key }) {
            redacted.append(try ledger.redacted(Comparer.comparable(resource)))
        }
        return redacted
    }

    /// What applying would change in the cluster, as far as it differs: objects as they are and as they would be, Secrets
    /// redacted. The server itself says what it would make of a manifest, so that what it fills in is no difference.
    ///
    /// - Parameter manifests: the stored manifests to compare with; nil for the desired ones of now.
    /// - Returns: besides, which fields of objects that are there differ, and who else owns them.
    public func drift(
        of name: String, to manifests: Digest? = nil
    ) async throws(Failure) -> (
        live: [Resource], desired: [Resource], source: RevisionSource?, fields: [ResourceKey: [FieldChange]]
    ) {
        let application = try await registered(name)
        var memory = await state.memory(of: application.uid)
        var desired = try await reconciler.produce(for: application, memory: &memory)
        if let manifests, manifests != desired.digest {
            guard let resources = try await ledger.manifestsForCluster(manifests) else {
                throw Failure(
                    "ledger.manifests-missing", "those manifests are not in the ledger",
                    remedy: "only what was applied is stored; look at a sync or a rollback")
            }
            desired = Desired(resources: resources, digest: manifests, source: nil, inputs: nil, warnings: [])
            memory.comparison = nil
        }
        let connection = try await connections.connect(application)
        let comparison = try await reconciler.compare(
            desired, application, connection, reconciler.policy(for: application, prune: true), memory: &memory)
        var live: [Resource] = []
        var wanted: [Resource] = []
        var fields: [ResourceKey: [FieldChange]] = [:]
        for change in comparison.plan.changes {
            switch change.action {
            case .unchanged, .keep: continue
            case .prune(let object), .leftover(let object, _): live.append(object)
            case .create(let resource): wanted.append(resource)
            case .replace(let resource, let object):
                live.append(object)
                wanted.append(resource)
            case .update(let resource, let object, let difference):
                live.append(object)
                fields[object.key] = difference.changes
                // What does not count is shown as it is.
                let next = await predicted(resource, connection)
                wanted.append(reconciler.settings.ignored(for: application).respected(desired: next, live: object))
            case .cannot, .unknown:
                if let object = change.live { live.append(object) }
                if let resource = change.desired { wanted.append(resource) }
            }
        }
        var (before, after): ([Resource], [Resource]) = ([], [])
        for resource in live { before.append(try ledger.redacted(Comparer.comparable(resource))) }
        for resource in wanted { after.append(try ledger.redacted(Comparer.comparable(resource))) }
        return (before, after, desired.source, fields)
    }

    private func predicted(_ resource: Resource, _ connection: Connection) async -> Resource {
        do throws(Failure) {
            return try await connection.cluster.apply(
                resource, as: try connection.catalog.served(resource.gvk), WriteOptions(dryRun: true))
        } catch {
            return resource
        }
    }

    public func rollbackCandidates(_ name: String, limit: Int) async throws(Failure) -> [StoredRevision] {
        try await RollbackTarget.candidates(try await registered(name).uid, in: ledger, limit: limit)
    }

    // MARK: - Plans

    /// What a sync would do; nothing is written.
    public func planSync(_ name: String, _ request: SyncRequest) async throws(Failure) -> OperationPlan {
        let application = try await registered(name)
        var memory = await state.memory(of: application.uid)
        var prepared = try await prepare(
            request, application, operation(.sync, application, .controller), memory: &memory)
        let (comparison, findings) = await rehearse(
            prepared.comparison, of: application, prepared.connection, replace: request.replace, memory)
        prepared.comparison = comparison
        prepared.notes += findings.notes
        return try await plan(prepared, application, memory)
    }

    /// What a rollback would do; nothing is written.
    public func planRollback(_ name: String, _ request: RollbackRequest) async throws(Failure) -> OperationPlan {
        let application = try await registered(name)
        var memory = await state.memory(of: application.uid)
        let prepared = try await prepare(
            request, application, operation(.rollback, application, .controller), memory: &memory)
        return try await plan(prepared, application, memory)
    }

    private func plan(
        _ prepared: Prepared, _ application: RegisteredApplication, _ memory: Memory
    ) async throws(Failure) -> OperationPlan {
        var current: [Resource] = []
        if let digest = application.pin?.desired ?? memory.deployed?.desired {
            current = try await ledger.manifests(digest) ?? []
        }
        var next: [Resource] = []
        for resource in prepared.goal.desired.resources { next.append(try ledger.redacted(resource)) }
        let before = Dictionary(
            current.filter(\.isSecret).map { ($0.key, $0.object["data"]) }, uniquingKeysWith: { $1 })
        let secrets = next.filter { $0.isSecret && before[$0.key] != .some($0.object["data"]) }.map(\.key)
        return OperationPlan(
            plan: prepared.comparison.plan, source: prepared.goal.desired.source, desired: prepared.goal.desired.digest,
            target: prepared.target, notes: prepared.notes + (await notes(prepared, application)), current: current,
            next: next, secrets: secrets)
    }

    // MARK: - Asking

    public func refresh(_ name: String, hard: Bool, actor: Actor) async throws(Failure) -> Operation {
        let application = try await registered(name)
        let operation = operation(.refresh, application, actor)
        var reasons = WorkQueue.Reasons(causes: [.manual])
        reasons.operations = [operation]
        reasons.hard = hard
        await board.set(operation)
        await board.setActivity(.queued, of: application.uid)
        // The answer does not wait for the fetch; the application is looked at when the fetch has ended either way.
        let url = try RepositoryURL(application.application.source.repository)
        let ready = reasons
        await tasks.run { await self.fetch(url, for: [application.uid], ready) }
        return operation
    }

    public func sync(_ name: String, _ request: SyncRequest, actor: Actor) async throws(Failure) -> Operation {
        let application = try await registered(name)
        guard !request.dryRun else {
            throw Failure("operation.dry-run", "a dry run is a plan, not an operation", remedy: "ask for the plan")
        }
        if request.overridesWindow { try Self.checkReason(request.reason) }
        return try await submit(.sync(request), .sync, application, actor)
    }

    /// Ends what runs for the application and starts at once.
    public func rollback(_ name: String, _ request: RollbackRequest, actor: Actor) async throws(Failure) -> Operation {
        let application = try await registered(name)
        try Self.checkReason(request.reason)
        // What will be refused must not end a sync that runs, nor wait behind it to be told so.
        if let failure = await refusal(of: request, application) {
            let operation = operation(.rollback, application, actor)
            await board.set(operation)
            await refuse(operation, failure, endsActivity: false)
            return await board.operation(operation.id) ?? operation
        }
        let operation = try await submit(.rollback(request), .rollback, application, actor)
        await state.supersede(application.uid, by: operation.id)
        return operation
    }

    /// What already tells that a rollback cannot be done; the worker that carries it out looks again.
    private func refusal(of request: RollbackRequest, _ application: RegisteredApplication) async -> Failure? {
        let deployed = await board.status(application.uid)?.deployed?.desired
        let current = application.pin?.desired ?? deployed
        if let expected = request.ifDesired, let current, expected != current { return Self.moved }
        do throws(Failure) {
            _ = try await RollbackTarget.choose(request.target, for: application, current: current, in: ledger)
            if !request.overridesWindow { try await reconciler.checkWindows(.manual, "rollback of", application) }
            return nil
        } catch {
            return error
        }
    }

    private func submit(
        _ request: LoopState.Request, _ kind: Operation.Kind, _ application: RegisteredApplication, _ actor: Actor
    ) async throws(Failure) -> Operation {
        let operation = operation(kind, application, actor)
        await state.setRequest(request, for: operation.id)
        await board.set(operation)
        var reasons = WorkQueue.Reasons(causes: [.manual])
        reasons.operations = [operation]
        guard await queue.put(application.uid, reasons) else {
            let busy = Failure(
                "operation.too-many", "too many operations wait for \(application.name)",
                remedy: "wait until some have ended", next: .retry(afterMilliseconds: 5000))
            // Whoever asked hears it at once, and the door they came through records it.
            _ = await state.takeRequest(for: operation.id)
            var refused = operation
            refused.state = .refused(busy)
            await board.set(refused)
            throw busy
        }
        await board.setActivity(.queued, of: application.uid)
        return operation
    }

    /// Ends a running sync or rollback; what was applied stays.
    public func terminate(_ name: String, actor: Actor) async throws(Failure) {
        let application = try await registered(name)
        guard await state.terminate(application.uid) else {
            throw Failure("operation.none", "nothing is running for \(name)")
        }
        try await ledger.record(
            Event(.operationTerminated, application: application.reference, actor: actor))
    }

    // MARK: - Changing applications

    public func put(
        _ application: Application, actor: Actor, ifChangedBy: SequenceNumber?, expectAbsent: Bool
    ) async throws(Failure) -> (RegisteredApplication, changed: Bool) {
        _ = try RepositoryURL(application.source.repository)
        let before = try await ledger.application(named: application.name)
        let application = before.map { application.keepingParent(of: $0.application) } ?? application
        var (registered, changed) = try await ledger.putApplication(
            application, actor: actor, ifChangedBy: ifChangedBy, expectAbsent: expectAbsent)
        if let before, changed, let pin = before.pin, before.application.source != application.source {
            try await ledger.setPin(
                .release, of: registered.uid,
                event: Event(
                    .unpinned, application: registered.reference, actor: actor, revision: pin.target,
                    facts: ["why": "the application's source was changed"]))
            registered = try await ledger.application(uid: registered.uid) ?? registered
        }
        await note(registered, changed: changed, movedFrom: before?.application.source.repository)
        return (registered, changed)
    }

    /// Pins an application at what is deployed now.
    public func pin(
        _ name: String, hold: Pin.Hold, actor: Actor, reason: String?
    ) async throws(Failure) -> SequenceNumber {
        let application = try await registered(name)
        guard let deployed = try await RollbackTarget.candidates(application.uid, in: ledger, limit: 1).first,
            let desired = deployed.revision.desired
        else {
            throw Failure(
                "rollback.no-target", "nothing was deployed of \(name), so there is nothing to pin it to",
                remedy: "sync it first")
        }
        let pin = Pin(
            hold: hold, target: deployed.sequence, desired: desired, commit: deployed.revision.source?.commit.id,
            leftInputs: deployed.revision.inputs, rejected: [])
        let sequence = try await ledger.setPin(
            .set(pin), of: application.uid,
            event: Event(
                .pinned, application: application.reference, actor: actor, revision: deployed.sequence,
                facts: ["hold": .string(hold.rawValue)], detail: reason.map { ["reason": .string($0)] }))
        await queue.put(application.uid, WorkQueue.Reasons(causes: [.specChange]))
        return sequence
    }

    public func unpin(_ name: String, actor: Actor, reason: String?) async throws(Failure) -> SequenceNumber {
        let application = try await registered(name)
        guard let pin = application.pin else {
            throw Failure(
                "pin.none", "\(name) is not pinned",
                remedy: "nothing holds it: the next new commit is synced as its policy says")
        }
        // What was fetched last may be what the rollback turned away from, and the repair pushed since. The pin holds until
        // that is known, so that no look in between follows the old commit; a silent server keeps nobody pinned.
        let (isFetched, isLate) = (Flag(), Flag())
        let reasons = WorkQueue.Reasons(causes: [.specChange])
        if let url = try? RepositoryURL(application.application.source.repository) {
            await tasks.run {
                await self.fetch(url, for: [], reasons)
                isFetched.set()
                if isLate.isSet { await self.queue.put(application.uid, reasons) }
            }
            let deadline = ContinuousClock.now + .seconds(10)
            while !isFetched.isSet, ContinuousClock.now < deadline, !Task.isCancelled {
                try? await Task.sleep(for: .milliseconds(20))
            }
            if !isFetched.isSet { isLate.set() }
        }
        let sequence = try await ledger.setPin(
            .release, of: application.uid,
            event: Event(
                .unpinned, application: application.reference, actor: actor, revision: pin.target,
                facts: ["why": "asked for"], detail: reason.map { ["reason": .string($0)] }))
        await queue.put(application.uid, reasons)
        return sequence
    }

    /// Takes the cluster that answers at the destination now for the application's own.
    public func acceptCluster(_ name: String, actor: Actor) async throws(Failure) -> SequenceNumber {
        let application = try await registered(name)
        let cluster = try await connections.cluster(for: application)
        let uid = try await cluster.identity()
        let sequence = try await ledger.acceptCluster(uid, for: application.uid, actor: actor)
        await queue.put(application.uid, WorkQueue.Reasons(causes: [.specChange], hard: true))
        return sequence
    }

    /// A webhook's hint: fetch these repositories if applications read them, and look at those.
    ///
    /// - Parameters:
    ///   - repositoryURLs: every spelling the payload gives; compared without scheme, userinfo, port and `.git`.
    ///   - branch: nil for any; `isDefault` tells whether `HEAD` means it.
    /// - Returns: the names of the applications that were woken.
    public func wake(
        repositoryURLs: [String], branch: String?, isDefault: Bool, actor: Actor
    ) async -> [String] {
        let wanted = Set(repositoryURLs.compactMap { try? RepositoryURL($0).normalized })
        var readers: [RepositoryURL: [ApplicationStatus]] = [:]
        for status in await board.all {
            let source = status.registered.application.source
            guard let url = try? RepositoryURL(source.repository), wanted.contains(url.normalized),
                Self.concerns(source.targetRevision, branch: branch, isDefault: isDefault)
            else { continue }
            readers[url, default: []].append(status)
        }
        for (url, statuses) in readers {
            var reasons = WorkQueue.Reasons(causes: [.webhook])
            reasons.hintedBy = actor
            let uids = statuses.map(\.registered.uid)
            let ready = reasons
            await tasks.run { await self.fetch(url, for: uids, ready) }
        }
        return readers.values.joined().map(\.registered.name).sorted()
    }

    static func concerns(_ targetRevision: String, branch: String?, isDefault: Bool) -> Bool {
        guard let branch else { return true }
        var target = targetRevision
        for prefix in ["refs/heads/", "refs/tags/"] where target.hasPrefix(prefix) {
            target = String(target.dropFirst(prefix.count))
        }
        if target.isEmpty || target == "HEAD" { return isDefault }
        return target == branch
    }

    // MARK: -

    func registered(_ name: String) async throws(Failure) -> RegisteredApplication {
        guard let application = try await ledger.application(named: name) else { throw Self.notFound(name) }
        return application
    }

    private func operation(_ kind: Operation.Kind, _ application: RegisteredApplication, _ actor: Actor) -> Operation {
        Operation(
            id: Self.newID(), kind: kind, application: application.name, actor: actor, requestedAt: now())
    }

    /// 128 random bits as hexadecimal digits.
    static func newID() -> String {
        var generator = SystemRandomNumberGenerator()
        return (0..<16).map { _ in UInt8.random(in: .min ... .max, using: &generator) }.hex
    }
}
