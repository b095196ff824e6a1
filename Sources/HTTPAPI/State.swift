import LedgerStore
import Shiplog

extension ApplicationState {
    /// - Parameter isWhole: with each resource of a mixture, for the answer that is about few applications.
    func projection(isWhole: Bool = false) -> JSON {
        var json = JSON.members([
            "application": application.projection, "presence": .string(presence.rawValue),
            "createdBy": createdBy.projection, "deletedBy": deletedBy?.projection,
            "sync": sync.map { .string($0.rawValue) }, "health": health.map { .string($0.rawValue) },
            "pin": pin?.projection
        ])
        guard presence == .existed else { return json }
        switch content {
        case .nothing: json["state"] = "nothing"
        case .whole(let deployment):
            json["state"] = "whole"
            json["deployed"] = deployment.projection
        case .mixed(let mixture):
            json["state"] = "mixed"
            json["base"] = mixture.base?.projection
            json["parts"] = .array(mixture.parts.map(\.projection))
            if isWhole { json["resources"] = .array(mixture.resources.map(\.projection)) }
        case .inProgress(let attempt, let before):
            json["state"] = "in-progress"
            json["attempt"] = attempt.projection
            json["base"] = before?.projection
        }
        return json
    }
}

extension ApplicationState.Deployment {
    var projection: JSON {
        .members([
            "sequence": sequence.projection, "deployedAt": recordedAt.projection, "kind": .string(kind.rawValue),
            "cause": .string(cause.rawValue), "actor": actor.projection, "rolledBackTo": rolledBackTo?.projection,
            "commit": commit.map { .string($0.hex) }, "subject": subject.map { .string($0) },
            "desired": desired.map { .string($0.description) }, "leftover": .integer(Int64(leftover))
        ])
    }
}

extension ApplicationState.OpenAttempt {
    var projection: JSON {
        .members([
            "sequence": sequence.projection, "kind": .string(kind.rawValue), "actor": actor.projection,
            "targetCommit": commit.map { .string($0.hex) }, "targetDesired": .string(desired.description)
        ])
    }
}

extension ApplicationState.Part {
    var projection: JSON {
        .members([
            "sequence": sequence.projection, "outcome": .string(outcome), "commit": commit.map { .string($0.hex) },
            "desired": desired.map { .string($0.description) }, "resources": .integer(Int64(resources)),
            "unknown": .bool(isUnknown), "partial": .bool(isPartial)
        ])
    }
}

extension ApplicationState.ResourceState {
    var projection: JSON {
        var json = key.projection
        json["sequence"] = sequence.projection
        json["manifest"] = manifest.map { .string($0.description) }
        return json
    }
}

extension ResolvedInstant {
    var projection: JSON {
        .members(["sequence": sequence?.projection, "recordedAt": recordedAt?.projection])
    }
}

extension StateComparison.Item {
    var projection: JSON {
        var json: JSON = ["application": application.projection]
        switch self {
        case .changed(let before, let after):
            json["change"] = "changed"
            json["before"] = before.projection()
            json["after"] = after.projection()
        case .appeared(let state):
            json["change"] = "appeared"
            json["after"] = state.projection()
        case .vanished(let state):
            json["change"] = "vanished"
            json["before"] = state.projection()
        }
        return json
    }
}

extension Blame {
    var projection: JSON {
        .members([
            "application": application.projection, "resource": key.projection,
            "field": field.map { .string($0.description) }, "change": .string(change.rawValue),
            "revision": revision.projection, "manifest": manifest.map { .string($0.description) },
            "value": value, "previousManifest": previousManifest.map { .string($0.description) },
            "previousValue": previousValue, "previous": previous?.projection
        ])
    }
}
