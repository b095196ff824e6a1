public import LedgerStore
public import Shiplog

/// Which applications a plan is about; every condition that is set must hold.
public struct FleetSelection: Sendable, Hashable {
    public var names: [String]
    public var projects: [String]
    public var selector: LabelSelector?

    public init(names: [String] = [], projects: [String] = [], selector: LabelSelector? = nil) {
        self.names = names
        self.projects = projects
        self.selector = selector
    }

    func takes(_ reference: ApplicationReference, _ labels: [String: String]) -> Bool {
        (names.isEmpty || names.contains(reference.name))
            && (projects.isEmpty || projects.contains(reference.project)) && (selector?.matches(labels) ?? true)
    }
}

/// How a rollback of several applications is carried out: as of one, and what is switched on besides.
public struct FleetOptions: Sendable, Hashable {
    public var prune: Bool?
    public var hold = Pin.Hold.untilNewCommit
    public var replace = false
    public var confirmDestructive = false
    public var keepSecrets = false
    /// Register applications again that were deleted since.
    public var recreate = false
    /// Delete applications, with what they deployed, that did not exist then.
    public var delete = false

    public init() {}
}

/// What an application's plan rests on: if any of it is another by then, the plan has been overtaken.
public struct FleetGuard: Sendable, Hashable {
    /// Its newest finished sync or rollback.
    public var applied: SequenceNumber?
    /// The event that last changed its declaration.
    public var changedBy: SequenceNumber?
    /// The manifests that are enforced now.
    public var desired: Digest?
    /// The revision it is pinned to.
    public var pinnedTo: SequenceNumber?

    public init(
        applied: SequenceNumber? = nil, changedBy: SequenceNumber? = nil, desired: Digest? = nil,
        pinnedTo: SequenceNumber? = nil
    ) {
        self.applied = applied
        self.changedBy = changedBy
        self.desired = desired
        self.pinnedTo = pinnedTo
    }
}

/// One application of a plan, as it is carried out.
public struct FleetOrder: Sendable, Hashable {
    public enum Action: String, Sendable, Hashable, CaseIterable {
        case rollback, recreate, delete
    }

    /// For `recreate`, the application that was.
    public let application: ApplicationReference
    public let action: Action
    /// The revision whose manifests come back; nil for `delete`.
    public let target: SequenceNumber?
    public let expects: FleetGuard

    public init(application: ApplicationReference, action: Action, target: SequenceNumber?, expects: FleetGuard) {
        self.application = application
        self.action = action
        self.target = target
        self.expects = expects
    }
}

/// A rollback of several applications, to be carried out.
public struct FleetRequest: Sendable, Hashable {
    /// The row whose state comes back.
    public var at: SequenceNumber
    public var orders: [FleetOrder]
    public var options: FleetOptions
    public var reason: String?
    public var ticket: String?
    /// Go on with the others when one fails.
    public var continueOnError: Bool

    public init(
        at: SequenceNumber, orders: [FleetOrder], options: FleetOptions, reason: String?, ticket: String?,
        continueOnError: Bool
    ) {
        self.at = at
        self.orders = orders
        self.options = options
        self.reason = reason
        self.ticket = ticket
        self.continueOnError = continueOnError
    }
}

/// What going back to a moment would do, application by application.
public struct FleetPlan: Sendable {
    public struct Item: Sendable {
        public enum Verdict: Sendable {
            /// It will be done.
            case planned(FleetOrder)
            /// It is done only when it is switched on.
            case offered(FleetOrder)
            /// The state is the one of then.
            case nothing(String)
            case cannot(Failure)
        }

        public let application: ApplicationReference
        public let verdict: Verdict
        public let changes: [Change]
        public let notes: [String]
    }

    /// One object, and what would become of it.
    public struct Change: Sendable, Hashable {
        public let key: ResourceKey
        /// As in an application's own plan: `create`, `update`, `replace`, `prune`, `leftover`, `keep`, `unchanged`.
        public let action: String
        public let message: String?
    }

    public let at: ResolvedInstant
    public let madeAt: Timestamp
    public let asOf: SequenceNumber?
    public let options: FleetOptions
    public let items: [Item]
}

/// How far a rollback of several applications is.
public struct Fleet: Sendable, Hashable {
    public enum Result: Sendable, Hashable {
        case waiting
        case running
        /// The revision that records it; nil for a deletion.
        case succeeded(SequenceNumber?)
        case failed(SequenceNumber?, Failure)
        /// Not begun: another had failed.
        case skipped
    }

    /// The `fleet.started` event: the group's id.
    public let group: SequenceNumber
    public let request: FleetRequest
    public let actor: Actor
    public let startedAt: Timestamp
    /// In the order of the request's orders.
    public var results: [Result]
    /// The `fleet.ended` event.
    public var endedBy: SequenceNumber?

    public var isOver: Bool { endedBy != nil }

    public func count(_ condition: (Result) -> Bool) -> Int { results.count(where: condition) }
}

extension Fleet.Result {
    public var word: String {
        switch self {
        case .waiting: "waiting"
        case .running: "running"
        case .succeeded: "succeeded"
        case .failed: "failed"
        case .skipped: "skipped"
        }
    }

    public var revision: SequenceNumber? {
        switch self {
        case .succeeded(let revision), .failed(let revision, _): revision
        case .waiting, .running, .skipped: nil
        }
    }

    public var isEnd: Bool { self != .waiting && self != .running }
}
