import Foundation
import LedgerStore
import Shiplog
import TransparencyLog

extension TreeHead {
    var projection: JSON { ["size": .integer(size), "root": .string(rootText)] }
}

extension MerkleHash {
    var base64: String { Data(bytes).base64EncodedString() }
}

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

extension InclusionProof {
    /// - Parameter checkpoint: the newest one, which goes along when it is of the proof's tree.
    func projection(checkpoint: Checkpoint?) -> JSON {
        let signed = checkpoint.flatMap { $0.head == head ? $0 : nil }
        return .members([
            "sequence": sequence.projection, "index": .integer(sequence.value - 1), "leaf": .string(leaf.base64),
            "size": .integer(head.size), "root": .string(head.rootText),
            "proof": .array(path.map { .string($0.base64) }),
            "checkpoint": signed.map { .string($0.note.description) }
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
