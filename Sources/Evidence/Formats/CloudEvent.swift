public import LedgerStore
public import Shiplog

/// One row of the log as a CloudEvent, the same as an export has.
public struct CloudEvent: Sendable {
    /// The row's leaf hash: the same however often it is told.
    public let id: String
    /// The row itself.
    public let entry: JSON
    public let json: JSON

    /// - Returns: nil for what retention let go.
    public static func read(_ sequence: SequenceNumber, of ledger: Ledger) async throws(Failure) -> CloudEvent? {
        let range = sequence.value...sequence.value
        guard let bytes = try await ledger.entries(range).first ?? nil,
            let leaf = try await ledger.leaves(range).first
        else { return nil }
        let json = try Selection.parse(bytes, sequence.value)
        let entry = ExportedEntry(
            ledger: ledger.uid, sequence: sequence.value, bytes: bytes, json: json, leaf: leaf)
        return CloudEvent(id: entry.leafText, entry: json, json: CloudEventFormat.event(entry))
    }
}
