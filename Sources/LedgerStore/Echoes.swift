public import Shiplog

/// A part of another row that repeats what a part of one row says.
public struct Echo: Sendable, Hashable {
    public let sequence: SequenceNumber
    public let part: String

    public init(_ sequence: SequenceNumber, _ part: String) {
        self.sequence = sequence
        self.part = part
    }
}

extension Ledger {
    /// A sync or rollback is written twice, when it begins and when it ends, and says some things both times; so does the
    /// rollback of several applications that it belongs to. Whoever erases one of them wants to know of the others.
    /// - Returns: what of them has not been erased itself.
    public func echoes(of part: String, of sequence: SequenceNumber) async throws(Failure) -> [Echo] {
        let known: SequenceNumber?
        switch try await record(at: sequence) {
        case .revision(let stored)?: known = stored.value.attempt
        case .event(let stored)?: known = stored.value.kind == .attemptStarted ? sequence : nil
        case nil: known = nil
        }
        guard let begun = known else { return [] }
        let group = try await attempt(begun)?.intent.group
        let ended = try await end(of: begun)
        let rows: [SequenceNumber?] = [group, begun, ended]
        var found: [Echo] = []
        for case let row? in rows where row != sequence {
            guard let other = try await record(at: row) else { continue }
            found += Self.parts(of: other, repeating: part).map { Echo(row, $0) }
        }
        return found
    }

    private static func parts(of record: LedgerRecord, repeating part: String) -> [String] {
        let erased: [String]
        var held: Set<String> = []
        switch record {
        case .revision(let stored):
            erased = stored.erased
            if stored.value.actor.address != nil { held.insert("address") }
            if stored.value.source != nil { held.insert("author") }
            if stored.value.reason != nil { held.insert("reason") }
            held = part == "detail" ? held.subtracting(["address"]) : held.intersection([part])
        case .event(let stored):
            erased = stored.erased
            let detail = stored.value.detail
            if part == "address", stored.value.actor.address != nil { held.insert("address") }
            let says = part == "detail" ? ["author", "reason"] : ["author", "reason"].filter { $0 == part }
            if says.contains(where: { detail?[$0] != nil }) { held.insert("detail") }
        }
        return held.subtracting(erased).sorted()
    }
}
