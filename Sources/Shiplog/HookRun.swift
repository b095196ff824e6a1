/// How a hook's object names the attempt that it runs in, and how its end is told from its state.
extension PlannedHook {
    /// The `attempt.started` event of the attempt that runs it: after a crash it is found by this and not run again.
    public static let attemptLabel = "shiplog.dev/attempt"
    /// The phase it runs in, in Argo CD's words.
    public static let phaseLabel = "shiplog.dev/hook-phase"

    /// The object to create: marked with attempt and phase, held by the finalizer, and with a name.
    ///
    /// - Parameters:
    ///   - commit: the first seven digits stand in a generated name.
    ///   - startedAt: of the attempt; the same attempt makes the same name however often it is recovered.
    public func object(
        attempt: SequenceNumber, commit: CommitID?, startedAt: Timestamp, owner: ApplicationUID
    ) -> Resource {
        var object = resource
        if object.hasGeneratedName {
            let tail =
                (commit.map { $0.short + "-" } ?? "") + phase.word.lowercased() + "-\(startedAt.milliseconds / 1000)"
            // Names of most kinds are labels too, of 63 characters at most.
            let name = String(object.name.prefix(max(1, 63 - tail.count))) + tail
            object = Ownership.mark(object.named(name), as: owner)
        }
        object.set(.string(String(attempt.value)), at: "metadata", "labels", Self.attemptLabel)
        object.set(.string(phase.word), at: "metadata", "labels", Self.phaseLabel)
        let finalizers = object.object.at("metadata", "finalizers")?.array ?? []
        if !finalizers.contains(.string(Hook.finalizer)) {
            object.set(.array(finalizers + [.string(Hook.finalizer)]), at: "metadata", "finalizers")
        }
        return object
    }
}

/// How far a hook has come.
public enum HookState: Sendable, Hashable {
    case running(String?)
    case succeeded(String?)
    case failed(String?)

    /// A Job by its completion, a Pod by its phase, anything else by its health; a kind without health has done what it
    /// is for once it is there. As in Argo CD, Degraded and Unknown are failures, Progressing and Suspended go on.
    public init(of live: Resource, rules: HealthRules = .none) {
        let isGoing = live.isBeingDeleted
        // Held by the finalizer it is judged by its own state, as if nobody had deleted it.
        guard let health = Health.assess(live.withoutDeletion, rules: rules) else {
            self = .succeeded(nil)
            return
        }
        switch health.status {
        case .healthy: self = .succeeded(health.message)
        case .degraded, .unknown, .missing: self = .failed(health.message ?? health.status.rawValue)
        case .progressing, .suspended:
            self =
                isGoing ? .failed("it was deleted before its end") : .running(health.message ?? health.status.rawValue)
        }
    }
}

extension Resource {
    public var isHook: Bool { Hook.isHook(self) }

    /// Whether it is a hook's object that an attempt still holds.
    public var isHeldHook: Bool {
        isHook && object.at("metadata", "finalizers")?.array?.contains(.string(Hook.finalizer)) == true
    }

    /// The attempt that a hook's object was made for.
    public var hookAttempt: SequenceNumber? {
        labels[PlannedHook.attemptLabel].flatMap { Int64($0) }.flatMap { SequenceNumber($0) }
    }

    /// The phase that a hook's object was made for.
    public var hookPhase: ApplyOrder.Phase? { labels[PlannedHook.phaseLabel].flatMap { ApplyOrder.Phase(word: $0) } }

    fileprivate var withoutDeletion: Resource {
        guard isBeingDeleted else { return self }
        var copy = self
        copy.set(nil, at: "metadata", "deletionTimestamp")
        return copy
    }
}
