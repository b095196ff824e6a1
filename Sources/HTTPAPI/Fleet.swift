import Reconciling
import Shiplog

extension FleetPlan {
    var projection: JSON {
        [
            "kind": "rollback", "at": at.projection, "madeAt": madeAt.projection,
            "asOf": .integer(asOf?.value ?? 0), "options": options.projection,
            "items": .array(items.map(\.projection))
        ]
    }
}

extension FleetPlan.Item {
    var projection: JSON {
        var json: JSON = [
            "application": application.projection, "changes": .array(changes.map(\.projection)),
            "notes": .array(notes.map { .string($0) })
        ]
        switch verdict {
        case .planned(let order): json.set(order, isOffer: false)
        case .offered(let order): json.set(order, isOffer: true)
        case .nothing(let why):
            json["action"] = "none"
            json["why"] = .string(why)
        case .cannot(let failure):
            json["action"] = "cannot"
            json["error"] = failure.projection
        }
        return json
    }
}

extension JSON {
    fileprivate mutating func set(_ order: FleetOrder, isOffer: Bool) {
        self["action"] = .string(order.action.rawValue)
        self["offered"] = .bool(isOffer)
        self["target"] = order.target?.projection
        self["expects"] = order.expects.projection
    }
}

extension FleetPlan.Change {
    var projection: JSON {
        var json = key.projection
        json["action"] = .string(action)
        json["message"] = message.map { .string($0) }
        return json
    }
}

extension FleetGuard {
    var projection: JSON {
        .members([
            "applied": applied?.projection, "changedBy": changedBy?.projection,
            "desired": desired.map { .string($0.description) }, "pinnedTo": pinnedTo?.projection
        ])
    }
}

extension FleetOptions {
    var projection: JSON {
        .members([
            "prune": prune.map { .bool($0) }, "hold": .string(hold.rawValue), "replace": .bool(replace),
            "confirmDestructive": .bool(confirmDestructive), "keepSecrets": .bool(keepSecrets),
            "recreate": .bool(recreate), "delete": .bool(delete)
        ])
    }
}

extension Fleet {
    /// - Parameter takes: the applications that whoever asks may see.
    func projection(_ takes: (ApplicationReference) -> Bool) -> JSON {
        let visible = zip(request.orders, results).filter { takes($0.0.application) }
        return .members([
            "group": group.projection, "at": request.at.projection, "actor": actor.projection,
            "startedAt": startedAt.projection, "reason": request.reason.map { .string($0) },
            "ticket": request.ticket.map { .string($0) }, "continueOnError": .bool(request.continueOnError),
            "state": isOver ? "finished" : "running", "endedBy": endedBy?.projection,
            "outcome": isOver ? .string(outcome) : nil,
            "items": .array(
                visible.map { order, result in
                    var json: JSON = .members([
                        "application": order.application.projection, "action": .string(order.action.rawValue),
                        "target": order.target?.projection, "result": .string(result.word),
                        "revision": result.revision?.projection
                    ])
                    if case .failed(_, let failure) = result { json["error"] = failure.projection }
                    return json
                })
        ])
    }

    private var outcome: String {
        results.allSatisfy { if case .succeeded = $0 { true } else { false } } ? "succeeded" : "failed"
    }
}
