import Reconciling
import Shiplog

// Projections: what the API says of the core's values. Each lists its members one by one, so that a field added to a
// value is shown only once somebody has decided that it may be.

extension ApplicationStatus {
    /// - Parameter isWhole: with the document and the resources, for the answer that is about this one alone.
    func projection(isWhole: Bool = false) -> JSON {
        let application = registered.application
        var json = JSON.members([
            "name": .string(application.name), "namespace": .string(application.namespace),
            "uid": .string(registered.uid.value), "project": .string(application.project),
            "labels": JSON(application.labels), "createdAt": registered.createdAt.projection,
            "source": [
                "repository": .string(application.source.repository), "path": .string(application.source.path),
                "targetRevision": .string(application.source.targetRevision)
            ],
            "destination": application.destination.projection,
            "automated": application.syncPolicy.automated.map {
                ["prune": .bool($0.prune), "selfHeal": .bool($0.selfHeal), "allowEmpty": .bool($0.allowEmpty)]
            },
            "sync": .string(sync.rawValue),
            "health": .members([
                "status": .string(health.rawValue), "message": healthMessage.map { .string($0) }
            ]),
            "targetCommit": targetCommit?.projection, "deployed": deployed?.projection,
            "lastRevision": lastRevision?.projection, "lastOutcome": lastOutcome.map { .string($0) },
            "activity": .string(activity.rawValue), "progress": progress.map { .string($0) },
            "conditions": .array(conditions.map(\.projection)),
            "pin": registered.pin?.projection, "comparedAt": comparedAt?.projection,
            "changedBy": registered.changedBy.projection, "etag": .string(entityTag)
        ])
        if isWhole {
            json["document"] = application.document
            json["resources"] = .array(resources.map(\.projection))
        }
        return json
    }

    var entityTag: String { registered.entityTag }
}

extension RegisteredApplication {
    /// Changes with the specification and with nothing else.
    var entityTag: String { "\"\(changedBy.value)\"" }
}

extension Application.Destination {
    var projection: JSON {
        var json: JSON = ["namespace": .string(namespace)]
        switch cluster {
        case .server(let server): json["server"] = .string(server)
        case .name(let name): json["name"] = .string(name)
        }
        return json
    }
}

extension ApplicationStatus.Deployed {
    var projection: JSON {
        .members([
            "sequence": sequence.projection, "kind": .string(kind.rawValue), "commit": commit.map { .string($0.hex) },
            "subject": subject.map { .string($0) }, "desired": desired.map { .string($0.description) },
            "actor": .string(actor), "cause": .string(cause.rawValue), "finishedAt": finishedAt.projection
        ])
    }
}

extension ApplicationStatus.Condition {
    var projection: JSON {
        .members([
            "code": .string(code.rawValue), "message": .string(message), "hint": remedy.map { .string($0) },
            "since": since.projection
        ])
    }
}

extension ResourceStatus {
    var projection: JSON {
        .members([
            "group": .string(key.group), "kind": .string(key.kind), "namespace": .string(key.namespace),
            "name": .string(key.name), "apiVersion": .string(apiVersion), "sync": .string(sync.rawValue),
            "health": health.map { .string($0.rawValue) }, "message": message.map { .string($0) },
            "requiresPruning": .bool(requiresPruning)
        ])
    }
}

extension Pin {
    var projection: JSON {
        .members([
            "hold": .string(hold.rawValue), "target": target.projection, "commit": commit.map { .string($0.hex) },
            "desired": .string(desired.description), "rejected": .array(rejected.map { .string($0.description) })
        ])
    }
}

extension Commit {
    var projection: JSON {
        [
            "id": .string(id.hex), "author": .string(author), "authoredAt": authoredAt.projection,
            "committedAt": committedAt.projection, "subject": .string(subject), "signed": .bool(isSigned)
        ]
    }
}

extension Timestamp {
    var projection: JSON { .string(description) }
}

extension SequenceNumber {
    var projection: JSON { .integer(value) }
}
