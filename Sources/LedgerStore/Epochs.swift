import Foundation
import GRDB
public import Shiplog
public import TransparencyLog

/// One life of the log under one identity. A ledger has one epoch for as long as it is never put back to an older copy.
public struct Epoch: Sendable, Hashable {
    /// 1, 2, 3, …
    public let number: Int64
    /// What its checkpoints name, and its keys.
    public let origin: String
    /// The event that began it.
    public let startedBy: SequenceNumber
    /// Keys in the order they came; the last one signs.
    public private(set) var keys: [NoteVerifier]
    /// For every key but the first, the event that brought it.
    public private(set) var rotations: [SequenceNumber]
    /// The first entries that this epoch has in common with the one before it; nil when nobody knows.
    public let shared: Int64?
    /// The last checkpoint of the epoch before it, as it was signed.
    public let lastCheckpoint: String?
    /// Entries that were published in the epoch before it and are not here.
    public let lost: ClosedRange<Int64>?
    /// The event by which a person took the restored state for good; nil while it may only be read.
    public private(set) var confirmedBy: SequenceNumber?

    /// Whether a person still has to look at what was restored.
    public var isUnconfirmed: Bool { number > 1 && confirmedBy == nil }

    init(_ stored: StoredEvent) throws(Failure) {
        let facts = stored.value.facts
        guard stored.value.kind == .epochStarted, let number = facts["epoch"]?.integer,
            let origin = facts["origin"]?.string, let key = facts["key"]?.string
        else { throw .corrupt("\(stored.sequence) does not begin an epoch") }
        self.number = number
        self.origin = origin
        startedBy = stored.sequence
        keys = [try NoteVerifier(key)]
        rotations = []
        shared = number == 1 ? 0 : facts["restoredSize"]?.integer
        lastCheckpoint = facts["lastCheckpoint"]?.string
        if let first = facts["lostFirst"]?.integer, let last = facts["lostLast"]?.integer, first <= last {
            lost = first...last
        } else {
            lost = nil
        }
    }

    mutating func add(_ stored: StoredEvent) throws(Failure) {
        guard stored.value.facts["epoch"]?.integer == number else { return }
        switch stored.value.kind {
        case .keyRotated:
            guard let key = stored.value.facts["new"]?.string else { return }
            keys.append(try NoteVerifier(key))
            rotations.append(stored.sequence)
        case .epochConfirmed: confirmedBy = stored.sequence
        default: break
        }
    }
}

extension Epoch {
    /// Which entry `epoch/sequence` names.
    public enum Place: Sendable, Hashable {
        /// The one of that number in the ledger as it is.
        case here
        /// It stood in a copy that was lost.
        case lost
        /// There is no such epoch, or nobody knows what it held.
        case unknown
    }

    /// - Parameter epochs: all of the ledger, in order.
    public static func place(of sequence: Int64, inEpoch number: Int64, _ epochs: [Epoch]) -> Place {
        guard let index = epochs.firstIndex(where: { $0.number == number }) else { return .unknown }
        for later in epochs[(index + 1)...] {
            guard let shared = later.shared else { return .unknown }
            if sequence > shared { return later.lost?.contains(sequence) == true ? .lost : .unknown }
        }
        return .here
    }
}

extension Ledger {
    /// Every epoch, in order; empty for a log that was never signed.
    public func epochs() async throws(Failure) -> [Epoch] {
        try await read("reading the log's epochs") { db in try Reading.epochs(db) }
    }

    /// Begins an epoch. What a fork restored and lost is in its facts; why is in its detail.
    @discardableResult
    func startEpoch(
        _ number: Int64, origin: String, key: NoteVerifier, fork: LogFork?, actor: Actor, reason: String?
    ) async throws(Failure) -> SequenceNumber {
        try await writer.write { transaction in
            let restored = transaction.end.sequence
            let facts = JSON.members([
                "epoch": .integer(number), "key": .string(key.description),
                "lastCheckpoint": fork?.checkpoint.map { .string($0.note.description) },
                "lostFirst": fork?.lost(restored).map { .integer($0.lowerBound) },
                "lostLast": fork?.lost(restored).map { .integer($0.upperBound) }, "origin": .string(origin),
                // Only a shorter log is known to be a beginning of the one that was lost.
                "restoredSize": fork.map { .integer($0.isShorter ? restored : 0) }
            ])
            let event = Event(
                .epochStarted, actor: actor, facts: facts, detail: reason.map { ["reason": .string($0)] })
            return try transaction.append(try EntryFormat1.draft(event), to: .event)
        }
    }

    @discardableResult
    func recordRotation(
        _ epoch: Int64, from old: NoteVerifier, to new: NoteVerifier, actor: Actor, reason: String?
    ) async throws(Failure) -> SequenceNumber {
        try await writer.write { transaction in
            let event = Event(
                .keyRotated, actor: actor,
                facts: [
                    "epoch": .integer(epoch), "new": .string(new.description), "old": .string(old.description)
                ], detail: reason.map { ["reason": .string($0)] })
            return try transaction.append(try EntryFormat1.draft(event), to: .event)
        }
    }

    @discardableResult
    func recordConfirmation(_ epoch: Int64, actor: Actor, reason: String?) async throws(Failure) -> SequenceNumber {
        try await writer.write { transaction in
            let event = Event(
                .epochConfirmed, actor: actor, facts: ["epoch": .integer(epoch)],
                detail: reason.map { ["reason": .string($0)] })
            return try transaction.append(try EntryFormat1.draft(event), to: .event)
        }
    }
}

extension Reading {
    static func epochs(_ db: Database) throws -> [Epoch] {
        var epochs: [Epoch] = []
        let cursor = try Int64.fetchCursor(db.cachedStatement(sql: LedgerSQL.epochEvents))
        while let sequence = try cursor.next() {
            guard let stored = try event(db, at: sequence) else { continue }
            if stored.value.kind == .epochStarted {
                epochs.append(try Epoch(stored))
            } else if !epochs.isEmpty {
                try epochs[epochs.count - 1].add(stored)
            }
        }
        return epochs
    }
}
