import LedgerStore
import Shiplog

extension StoredRevision {
    /// - Parameters:
    ///   - isWhole: with what happened to each resource, for the answer that is about this one alone.
    ///   - leaf: the hash of the entry in the log's tree, when it is at hand.
    func projection(isWhole: Bool = false, leaf: Digest? = nil) -> JSON {
        let revision = value
        var json = JSON.members([
            "sequence": sequence.projection, "recordedAt": recordedAt.projection,
            "kind": .string(revision.kind.rawValue), "application": revision.application.projection,
            "cluster": revision.cluster?.projection, "cause": .string(revision.cause.rawValue),
            "actor": revision.actor.projection, "reason": revision.reason.map { .string($0) },
            "ticket": revision.ticket.map { .string($0) }, "source": revision.source?.projection,
            "desired": revision.desired.map { .string($0.description) },
            "liveBefore": revision.liveBefore.map { .string($0.description) }, "counts": revision.counts.projection,
            "options": revision.options.projection, "outcome": .string(revision.outcome.word),
            "error": revision.outcome.projection, "sync": .string(revision.syncStatus.rawValue),
            "health": .string(revision.health.rawValue), "rolledBackTo": revision.rolledBackTo?.projection,
            "reactsTo": revision.options.reactsTo?.projection, "attempt": revision.attempt?.projection,
            "retry": .integer(Int64(revision.retry)),
            "startedAt": revision.startedAt.projection, "finishedAt": revision.finishedAt.projection
        ])
        let (duration, overflow) = revision.finishedAt.milliseconds.subtractingReportingOverflow(
            revision.startedAt.milliseconds)
        json["durationMs"] = .integer(overflow ? 0 : max(0, duration))
        json["sameAs"] = revision.sameAs?.projection
        json["warnings"] = .array(revision.warnings.map { .string($0) })
        json["erased"] = .array(erased.map { .string($0) })
        json["digest"] = leaf.map { .string($0.bytes.hex) }
        if isWhole { json["resources"] = .array(revision.resources.map(\.projection)) }
        return json
    }
}

extension Revision.Outcome {
    /// Why it did not succeed; nil when it did.
    var projection: JSON? {
        switch self {
        case .succeeded: nil
        case .failed(let failure): failure.projection
        case .superseded(let why): ["code": "operation.superseded", "message": .string(why)]
        }
    }
}

extension Failure {
    var projection: JSON {
        .members([
            "code": .string(code.rawValue), "message": .string(message), "hint": remedy.map { .string($0) }
        ])
    }
}

extension ApplicationReference {
    var projection: JSON { ["uid": .string(uid.value), "name": .string(name), "project": .string(project)] }
}

extension ClusterReference {
    var projection: JSON {
        .members(["name": .string(name), "server": .string(server), "uid": uid.map { .string($0) }])
    }
}

extension Actor {
    /// Without address: that is a person's, and an auditor reads it from the event's detail.
    var projection: JSON {
        .members([
            "name": .string(name), "means": .string(means.rawValue), "tokenID": tokenID.map { .string($0) }
        ])
    }
}

extension RevisionSource {
    var projection: JSON {
        .members([
            "repository": .string(repository), "path": .string(path), "targetRevision": .string(targetRevision),
            "commit": commit.projection, "previousCommit": previousCommit.map { .string($0.hex) }
        ])
    }
}

extension Revision.Counts {
    var projection: JSON {
        [
            "created": .integer(Int64(created)), "updated": .integer(Int64(updated)),
            "unchanged": .integer(Int64(unchanged)), "pruned": .integer(Int64(pruned)),
            "failed": .integer(Int64(failed)), "leftover": .integer(Int64(leftover))
        ]
    }
}

extension OperationOptions {
    var projection: JSON {
        .members([
            "prune": .bool(prune), "dryRun": .bool(dryRun), "replace": .bool(replace),
            "confirmDestructive": .bool(confirmDestructive), "keepSecrets": .bool(keepSecrets),
            "hooks": .bool(hooks), "hold": hold.map { .string($0.rawValue) },
            "resources": isPartial ? .array(resources.map(\.projection)) : nil,
            "deletion": deletion.map { .string($0.rawValue) }
        ])
    }
}

extension ResourceOutcome {
    var projection: JSON {
        .members([
            "group": .string(key.group), "kind": .string(key.kind), "namespace": .string(key.namespace),
            "name": .string(key.name), "apiVersion": .string(apiVersion), "action": .string(action.rawValue),
            "phase": .string(phase.word), "wave": .integer(Int64(wave)), "message": message.map { .string($0) },
            "code": code.map { .string($0.rawValue) }, "before": before.map { .string($0.description) },
            "after": after.map { .string($0.description) },
            "startedAfterMs": timing.map { .integer($0.startedAfter) }, "durationMs": timing.map { .integer($0.took) }
        ])
    }
}
