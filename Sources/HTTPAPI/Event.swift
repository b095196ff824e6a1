import LedgerStore
import Shiplog

extension StoredEvent {
    /// - Parameters:
    ///   - isAuditor: with the detail, which holds what is personal.
    ///   - isWhole: with what changed, field by field; a list leaves out what is large.
    func projection(isAuditor: Bool, isWhole: Bool = false, leaf: Digest? = nil) -> JSON {
        let event = value
        var facts = event.facts
        // The hash of a token serves nobody but the ledger's own check.
        if event.kind == .tokenCreated { facts["hash"] = nil }
        var json = JSON.members([
            "sequence": sequence.projection, "recordedAt": recordedAt.projection, "kind": .string(event.kind.rawValue),
            "application": event.application?.projection, "actor": event.actor.projection,
            "revision": event.revision?.projection, "outcome": .string(event.outcome), "facts": facts,
            "erased": .array(erased.map { .string($0) }), "digest": leaf.map { .string($0.bytes.hex) }
        ])
        if let reason = event.detail?["reason"]?.string { json["reason"] = .string(reason) }
        if isAuditor {
            var detail = event.detail ?? .object([:])
            if !isWhole, detail.object != nil {
                for large in ["before", "after", "settings"] { detail[large] = nil }
            }
            if detail.object != nil, let address = event.actor.address { detail["address"] = .string(address) }
            if detail.object?.isEmpty != true { json["detail"] = detail }
        }
        // Settings are the auditors'; a specification is seen by whoever sees the application it is, or was, of.
        if isWhole, isAuditor || (event.application != nil && !crossesProjects), let changes {
            json["changes"] = .array(changes.map(\.json))
        }
        if let request = event.actor.requestID { json["requestID"] = .string(request) }
        return json
    }
}
