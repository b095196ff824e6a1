import LedgerStore
import Shiplog
import TransparencyLog

/// What shows that a checkpoint was taken, beside what every receipt says.
struct Receipt: Sendable {
    var facts: [String: JSON] = [:]
    /// What may have to be erased one day.
    var detail: JSON?
    /// A witness's own.
    var signature: SignedNote.Signature?
    var at: Timestamp?
}

extension Party {
    /// The event that keeps a receipt. A witness's holds its signature: with size, root and origin that is all one needs to
    /// check it.
    func event(_ receipt: Receipt, for checkpoint: Checkpoint) -> Event {
        var facts = receipt.facts
        facts["size"] = .integer(checkpoint.head.size)
        facts["root"] = .string(checkpoint.head.rootText)
        switch self {
        case .witness(let witness):
            facts["witness"] = .string(name)
            facts["keyId"] = .string(witness.key.id.hex)
            facts["signature"] = receipt.signature.map { .string($0.description) }
            facts["signedAt"] = receipt.at.map { .string($0.description) }
            return Event(.checkpointCosigned, actor: .controller, facts: .object(facts), detail: receipt.detail)
        case .http, .git:
            facts["anchor"] = .string(name)
            facts["kind"] = .string(kind.rawValue)
            return Event(.checkpointAnchored, actor: .controller, facts: .object(facts), detail: receipt.detail)
        }
    }

    /// How it stands by what the log keeps: the newest receipt of this epoch. A witness's signature is checked again.
    func attestation(from stored: StoredEvent, _ epoch: Epoch) -> Attestation? {
        let facts = stored.value.facts
        guard stored.sequence > epoch.startedBy, let size = facts["size"]?.integer else { return nil }
        switch self {
        case .witness(let witness):
            guard facts["witness"]?.string == name, facts["keyId"]?.string == witness.key.id.hex,
                let root = facts["root"]?.string, let line = facts["signature"]?.string,
                let note = try? SignedNote(parsing: "\(epoch.origin)\n\(size)\n\(root)\n\n\(line)\n".utf8),
                let signature = try? note.verify([witness.key]).first?.signature
            else { return nil }
            return Attestation(name, kind, size: size, at: signature.cosignedAt)
        case .http, .git:
            guard facts["anchor"]?.string == name, facts["kind"]?.string == kind.rawValue else { return nil }
            return Attestation(name, kind, size: size, at: stored.recordedAt)
        }
    }
}
