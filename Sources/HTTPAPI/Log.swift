import LedgerStore
import Shiplog
import TransparencyLog

extension Epoch {
    var projection: JSON {
        .members([
            "number": .integer(number), "origin": .string(origin), "startedBy": startedBy.projection,
            "keys": .array(keys.map { .string($0.description) }),
            "rotatedBy": .array(rotations.map(\.projection)),
            "shared": number > 1 ? shared.map { .integer($0) } : nil,
            "lost": lost.map { ["first": .integer($0.lowerBound), "last": .integer($0.upperBound)] },
            "lastCheckpoint": lastCheckpoint.map { .string($0) }, "confirmedBy": confirmedBy?.projection
        ])
    }
}

extension Attestation {
    var projection: JSON {
        .members([
            "name": .string(name), "kind": .string(kind.rawValue), "size": size.map { .integer($0) },
            "at": at?.projection,
            "error": failure.map { ["code": .string($0.code.rawValue), "message": .string($0.message)] }
        ])
    }
}
