import Reconciling
import Shiplog

extension Operation {
    var projection: JSON {
        var json: JSON = [
            "id": .string(id), "kind": .string(kind.rawValue), "application": .string(application),
            "actor": actor.projection, "requestedAt": requestedAt.projection
        ]
        switch state {
        case .queued: json["state"] = "queued"
        case .running(let attempt):
            json["state"] = "running"
            json["attempt"] = attempt?.projection
        case .finished(let revision, let outcome):
            json["state"] = "finished"
            json["revision"] = revision.projection
            json["outcome"] = .string(outcome)
        case .refused(let failure):
            json["state"] = "refused"
            json["error"] = Problem(failure).document(instance: nil)
        }
        return json
    }

    var hasEnded: Bool {
        switch state {
        case .finished, .refused: true
        case .queued, .running: false
        }
    }
}

extension OperationPlan {
    func projection(_ formats: Formats) -> JSON {
        .members([
            "desired": .string(desired.description), "target": target?.projection, "source": source?.projection,
            "notes": .array(notes.map { .string($0) }), "changes": .array(plan.changes.map(\.projection)),
            "hooks": .array(plan.hooks.map(\.projection)),
            "warnings": .array(plan.warnings.map { .string($0) }), "secrets": .array(secrets.map(\.projection)),
            "diff": .array(ManifestDiff.projection(from: current, to: next, formats))
        ])
    }
}

extension ResourceKey {
    var projection: JSON {
        [
            "group": .string(group), "kind": .string(kind), "namespace": .string(namespace), "name": .string(name)
        ]
    }
}

extension PlannedHook {
    var projection: JSON {
        var json = key.projection
        json["apiVersion"] = .string(resource.gvk.apiVersion)
        json["phase"] = .string(phase.word)
        json["wave"] = .integer(Int64(order.wave))
        json["deletePolicies"] = .array(hook.deletePolicies.map(\.rawValue).sorted().map { .string($0) })
        return json
    }
}

extension PlannedChange {
    var projection: JSON {
        var json = key.projection
        json["apiVersion"] = .string(gvk.apiVersion)
        json["action"] = .string(word)
        json["phase"] = .string(order.phase.word)
        json["wave"] = .integer(Int64(order.wave))
        json["message"] = message.map { .string($0) }
        switch action {
        case .cannot(let failure), .unknown(let failure):
            json["code"] = .string(failure.code.rawValue)
            json["hint"] = failure.remedy.map { .string($0) }
        default: break
        }
        return json
    }

    private var word: String {
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
    }
}
