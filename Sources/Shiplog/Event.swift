/// Any act worth auditing that is no revision: an attempt started, health reached, a token made, a request refused.
public struct Event: Sendable, Hashable {
    public var kind: Kind
    /// nil for what concerns no single application.
    public var application: ApplicationReference?
    public var actor: Actor
    /// The revision it speaks of.
    public var revision: SequenceNumber?
    public var outcome: String
    /// Small facts that stay for ever; no personal data, no secrets. At most a few KiB.
    public var facts: JSON
    /// What is long, or personal and may have to be erased one day; kept as a body.
    public var detail: JSON?

    public init(
        _ kind: Kind, application: ApplicationReference? = nil, actor: Actor, revision: SequenceNumber? = nil,
        outcome: String = "succeeded", facts: JSON = .object([:]), detail: JSON? = nil
    ) {
        self.kind = kind
        self.application = application
        self.actor = actor
        self.revision = revision
        self.outcome = outcome
        self.facts = facts
        self.detail = detail
    }

    public enum Kind: String, Sendable, Hashable, CaseIterable {
        case attemptStarted = "attempt.started"
        case healthReached = "health.reached"
        case applicationCreated = "application.created"
        case applicationChanged = "application.changed"
        case applicationDeleted = "application.deleted"
        case projectCreated = "project.created"
        case projectChanged = "project.changed"
        case projectDeleted = "project.deleted"
        /// Rules of a project or a sync window stood in the way of what the controller or a person was about to do.
        case policyRefused = "policy.refused"
        /// A person set a sync window aside for one operation.
        case policyOverridden = "policy.overridden"
        case clusterAccepted = "cluster.accepted"
        case pinned = "pin.set"
        case unpinned = "pin.released"
        case pinRejected = "pin.rejected"
        /// A new commit did not become Healthy, and the controller could not go back.
        case rollbackWithheld = "rollback.withheld"
        case webhookDelivered = "webhook.delivered"
        case requestRefused = "request.refused"
        /// A person ended a running sync or rollback.
        case operationTerminated = "operation.terminated"
        /// A person confirmed prunes that a running sync or rollback waited with.
        case operationConfirmed = "operation.confirmed"
        /// A rollback of several applications began: what was to be done with each.
        case fleetStarted = "fleet.started"
        /// It ended: what became of each.
        case fleetEnded = "fleet.ended"
        /// A refresh that was answered by the look another one had asked for.
        case operationJoined = "operation.joined"
        case tokenCreated = "token.created"
        case tokenRevoked = "token.revoked"
        case sessionOpened = "session.opened"
        case sessionClosed = "session.closed"
        case secretsErased = "secrets.erased"
        /// A part of a row that was long or personal.
        case bodyErased = "body.erased"
        /// Retention took unchanged reconciles.
        case folded = "ledger.folded"
        /// The log begins, or begins anew under another identity after an older copy was put in its place.
        case epochStarted = "epoch.started"
        /// A person took the restored state for good.
        case epochConfirmed = "epoch.confirmed"
        case keyRotated = "key.rotated"
        /// A witness signed a checkpoint, or it was put where others keep it.
        case checkpointCosigned = "checkpoint.cosigned"
        case checkpointAnchored = "checkpoint.anchored"
        /// A notification was given up: it stays in the log until somebody takes it up again.
        case notificationDead = "notification.dead"
        case notificationRetried = "notification.retried"
        /// A dead letter was delivered after all.
        case notificationDelivered = "notification.delivered"
        case serverStarted = "server.started"
        case serverStopped = "server.stopped"
        /// What the server was told at a start.
        case configurationLoaded = "configuration.loaded"
        case ledgerVerified = "ledger.verified"
        case exported = "ledger.exported"
    }
}
