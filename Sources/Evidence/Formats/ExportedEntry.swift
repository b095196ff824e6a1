import Foundation
import Shiplog
import TransparencyLog

/// One row on its way out, in every form that a format may want.
struct ExportedEntry {
    /// The ledger's uid.
    let ledger: String
    let sequence: Int64
    /// What was hashed.
    let bytes: [UInt8]
    let json: JSON
    let leaf: MerkleHash

    var kind: String { json["kind"]?.string ?? "" }
    /// Members with their default value are left out of an entry.
    var outcome: String { json["outcome"]?.string ?? "succeeded" }
    var actor: String { json.at("actor", "name")?.string ?? Actor.controller.name }
    var means: String { json.at("actor", "means")?.string ?? Actor.controller.means.rawValue }
    var application: String? { json.at("application", "name")?.string }
    var recordedAt: Timestamp { Timestamp(milliseconds: json["recordedAt"]?.integer ?? 0) }
    /// Revisions have a word, events two with a dot.
    var isRevision: Bool { !kind.contains(".") }
    var leafText: String { leaf.bytes.hex }

    /// What a sync or a rollback did to the service; nil for anything else, and for what did not succeed.
    var change: Change? {
        guard kind == "sync" || kind == "rollback", outcome == "succeeded", json.at("options", "dryRun") == nil else {
            return nil
        }
        if kind == "rollback" { return .rolledBack }
        // Deleting an application with its resources is a sync to nothing: it has no source.
        guard let source = json["source"] else { return .removed }
        return source["previousCommit"] == nil ? .deployed : .upgraded
    }

    enum Change: String {
        case deployed, upgraded, removed
        case rolledBack = "rolledback"
    }
}
