import GRDB
public import Shiplog

/// A resource that an application applied once and that is not confirmed gone.
public struct InventoryItem: Sendable, Hashable {
    public let key: ResourceKey
    /// As last applied.
    public let apiVersion: String
    /// The attempt or revision that first put it in, since it was last gone.
    public let first: SequenceNumber
    /// The attempt or revision that last named it as applied.
    public let last: SequenceNumber

    public init(key: ResourceKey, apiVersion: String, first: SequenceNumber, last: SequenceNumber) {
        self.key = key
        self.apiVersion = apiVersion
        self.first = first
        self.last = last
    }
}

extension Ledger {
    /// What an application ever applied and is not confirmed gone: what must be watched, and may be pruned. By key.
    public func inventory(of uid: ApplicationUID) async throws(Failure) -> [InventoryItem] {
        try await read("reading an inventory") { db in
            let statement = try db.cachedStatement(
                sql: """
                    SELECT api_group, kind, namespace, name, api_version, first, last FROM inventory
                    WHERE application = ? ORDER BY api_group, kind, namespace, name
                    """)
            return try Row.fetchAll(statement, arguments: [uid.value]).map { row in
                guard let first = SequenceNumber(try row.held("first") as Int64),
                    let last = SequenceNumber(try row.held("last") as Int64)
                else { throw Failure.corrupt("an inventory names no sequence") }
                return InventoryItem(
                    key: ResourceKey(
                        group: try row.held("api_group"), kind: try row.held("kind"),
                        namespace: try row.held("namespace"), name: try row.held("name")),
                    apiVersion: try row.held("api_version"), first: first, last: last)
            }
        }
    }

    /// Records that resources were seen to be gone from the cluster, and takes them out of the inventory.
    /// - Parameter event: what is recorded; the application and the keys are added to it.
    @discardableResult
    public func setInventoryGone(
        _ keys: [ResourceKey], of uid: ApplicationUID, event: Event
    ) async throws(Failure) -> SequenceNumber {
        try Self.check(event, besides: [])
        return try await writer.write { transaction in
            var event = event
            event.application = try transaction.application(uid)
            let sequence = try transaction.append(try EntryFormat1.draft(event, gone: keys), to: .event)
            for key in keys { try transaction.takeFromInventory(key, of: uid.value) }
            return sequence
        }
    }
}
