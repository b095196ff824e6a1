import LedgerStore
import Shiplog
import ShiplogTesting
import Testing

extension TestLedger {
    /// A sync that applies all of it; its revision.
    @discardableResult
    func apply(
        _ application: RegisteredApplication, _ data: [String: String], commit: Character = "a",
        kind: Revision.Kind = .sync, backTo: SequenceNumber? = nil, pin: PinChange? = nil, dryRun: Bool = false,
        _ edit: (inout Revision) -> Void = { _ in }
    ) async throws -> SequenceNumber {
        let attempt = try await open(
            application, data, commit: commit, kind: kind, backTo: backTo, pin: pin, dryRun: dryRun)
        return try await close(attempt, edit)
    }

    /// Begins an attempt that applies a ConfigMap for each name.
    func open(
        _ application: RegisteredApplication, _ data: [String: String], commit: Character = "a",
        kind: Revision.Kind = .sync, backTo: SequenceNumber? = nil, pin: PinChange? = nil, dryRun: Bool = false
    ) async throws -> Attempt {
        let resources = try data.sorted { $0.key < $1.key }.map { try Samples.configMap($0.key, ["text": $0.value]) }
        var intent = try Samples.intent(
            application.reference, resources, at: clock.now, kind: kind, commit: commit)
        intent.rolledBackTo = backTo
        intent.pin = pin
        intent.options.dryRun = dryRun
        return try await ledger.begin(intent)
    }

    @discardableResult
    func close(_ attempt: Attempt, _ edit: (inout Revision) -> Void = { _ in }) async throws -> SequenceNumber {
        var revision = Samples.success(of: attempt, at: clock.now)
        edit(&revision)
        return try await ledger.finish(attempt, revision)
    }

    func state(
        _ name: String = "guestbook", at instant: Instant = .head
    ) async throws -> ApplicationState? {
        let found = try await ledger.states(at: instant, names: [name]).items
        #expect(found.count <= 1, "\(name) is there \(found.count) times")
        return found.first
    }
}

extension Revision {
    /// As a sync that did some of its resources and then failed.
    mutating func fail(after done: [String: ResourceOutcome.Action]) {
        outcome = .failed(Failure("cluster.invalid", "the server refuses the object"))
        syncStatus = .outOfSync
        var counts = Counts()
        resources = resources.map { outcome in
            let action = done[outcome.key.name] ?? .skipped
            return ResourceOutcome(key: outcome.key, apiVersion: outcome.apiVersion, action: action)
        }
        for (name, action) in done where action == .pruned || action == .leftover {
            resources.append(
                ResourceOutcome(
                    key: ResourceKey(group: "", kind: "ConfigMap", namespace: "demo", name: name), apiVersion: "v1",
                    action: action))
        }
        for outcome in resources {
            switch outcome.action {
            case .created: counts.created += 1
            case .updated: counts.updated += 1
            case .unchanged: counts.unchanged += 1
            case .pruned: counts.pruned += 1
            case .failed: counts.failed += 1
            case .leftover: counts.leftover += 1
            case .ran, .skipped, .outOfSync, .unknown: break
            }
        }
        self.counts = counts
    }

    /// A success that pruned, or left over, what is named beside.
    mutating func note(_ others: [String: ResourceOutcome.Action]) {
        for (name, action) in others.sorted(by: { $0.key < $1.key }) {
            resources.append(
                ResourceOutcome(
                    key: ResourceKey(group: "", kind: "ConfigMap", namespace: "demo", name: name), apiVersion: "v1",
                    action: action))
            if action == .pruned { counts.pruned += 1 } else { counts.leftover += 1 }
        }
    }
}

extension ApplicationState {
    var whole: Deployment? { if case .whole(let deployment) = content { deployment } else { nil } }
    var mixture: Mixture? { if case .mixed(let mixture) = content { mixture } else { nil } }
    var open: OpenAttempt? { if case .inProgress(let attempt, _) = content { attempt } else { nil } }
}
