import LedgerStore
import Shiplog

/// Of each field that differs: since which revision its desired value stands, and who else owns the live one.
struct FieldOrigins: Sendable {
    let ledger: Ledger
    let application: ApplicationReference

    /// Each is a walk through the application's attempts: what differs in more is looked at for the first ones only.
    private static let most = 50

    func add(_ fields: [ResourceKey: [FieldChange]], to items: inout [JSON]) async throws(Failure) {
        var left = Self.most
        for index in items.indices {
            guard let key = Self.key(of: items[index]), let changes = fields[key], !changes.isEmpty else { continue }
            var list: [JSON] = []
            for change in changes {
                var json: [String: JSON] = [
                    "path": .string(change.path), "kind": .string(change.kind.rawValue),
                    "owners": .array(change.owners.map { .string($0) })
                ]
                json["desired"] = change.desired
                json["live"] = change.live
                if left > 0 {
                    left -= 1
                    json["since"] = try await since(change, of: key)?.projection
                }
                list.append(.object(json))
            }
            items[index]["fields"] = .array(list)
        }
    }

    /// nil for a value that no revision has applied yet, and for one that nobody may see.
    private func since(_ change: FieldChange, of key: ResourceKey) async throws(Failure) -> ApplicationState.Deployment?
    {
        guard let field = ManifestPath(change.path), change.desired != FieldChange.mask else { return nil }
        let question = ResourceQuestion(kind: key.kind, name: key.name, group: key.group, namespace: key.namespace)
        do throws(Failure) {
            let blame = try await ledger.blame(question, of: application, field: field)
            return blame.value == change.desired ? blame.revision : nil
        } catch {
            // What was never deployed is blamed on nobody.
            guard error.code.rawValue.hasPrefix("blame.") else { throw error }
            return nil
        }
    }

    private static func key(of item: JSON) -> ResourceKey? {
        guard let group = item["group"]?.string, let kind = item["kind"]?.string,
            let namespace = item["namespace"]?.string, let name = item["name"]?.string
        else { return nil }
        return ResourceKey(group: group, kind: kind, namespace: namespace, name: name)
    }
}
