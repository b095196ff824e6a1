import ArgumentParser
import Foundation
import LedgerStore
import Shiplog
import TransparencyLog

/// Hashes and keys between documents and values.
enum LogText {
    static func hash(_ json: JSON?) -> MerkleHash? {
        json?.string.flatMap { MerkleHash(base64: $0) }
    }

    /// nil unless all of them are hashes; a proof has 64 at most.
    static func hashes(_ json: JSON?) -> [MerkleHash]? {
        guard let items = json?.array, items.count <= 64 else { return nil }
        let hashes = items.compactMap { hash($0) }
        return hashes.count == items.count ? hashes : nil
    }

    static func head(_ json: JSON) -> TreeHead? {
        guard let size = json["size"]?.integer, size >= 0, let root = hash(json["root"]) else { return nil }
        return TreeHead(size: size, root: root)
    }

    static func reason(_ text: String?) -> JSON { .members(["reason": text.map { .string($0) }]) }

    /// Every key of every epoch, the signing one last.
    static func keys(_ log: LogOptions) async throws -> [JSON] {
        if let epochs = try await log.offline({ try await $0.epochs() }) {
            return epochs.flatMap { epoch in
                epoch.keys.enumerated().map { index, key in
                    row(
                        key.description, epoch: epoch.number,
                        since: index == 0 ? epoch.startedBy.value : epoch.rotations[index - 1].value,
                        isSigning: index == epoch.keys.count - 1 && epoch == epochs.last)
                }
            }
        }
        let epochs = try await log.server.client().get("/log")["epochs"]?.array ?? []
        return epochs.enumerated().flatMap { place, epoch in
            let keys = (epoch["keys"]?.array ?? []).compactMap(\.string)
            let rotations = (epoch["rotatedBy"]?.array ?? []).compactMap(\.integer)
            return keys.enumerated().map { index, key in
                row(
                    key, epoch: epoch["number"]?.integer ?? 0,
                    since: index == 0
                        ? epoch["startedBy"]?.integer ?? 0 : rotations.dropFirst(index - 1).first ?? 0,
                    isSigning: index == keys.count - 1 && place == epochs.count - 1)
            }
        }
    }

    private static func row(_ key: String, epoch: Int64, since: Int64, isSigning: Bool) -> JSON {
        [
            "epoch": .integer(epoch), "key": .string(key), "since": .integer(since),
            "state": .string(isSigning ? "signs" : "retired")
        ]
    }
}

/// An entry's number, with its epoch or without: `41`, `#41`, `2/41`.
struct EntryArgument: ExpressibleByArgument, Sendable, Equatable {
    let epoch: Int64?
    let value: Int64

    init?(argument: String) {
        let parts = argument.split(separator: "/", omittingEmptySubsequences: false)
        guard let last = parts.last, parts.count <= 2, let number = SequenceArgument(argument: String(last)) else {
            return nil
        }
        if parts.count == 2 {
            guard let epoch = Int64(parts[0]), epoch > 0, parts[0].first != "+" else { return nil }
            self.epoch = epoch
        } else {
            epoch = nil
        }
        value = number.value
    }

    /// As a segment of a path.
    var segment: String { epoch.map { "\($0)%2F\(value)" } ?? "\(value)" }

    /// - Throws: `log.entry-lost`, `entry.not-found`.
    func place(in ledger: Ledger) async throws -> SequenceNumber {
        guard let sequence = SequenceNumber(value) else { throw Self.unknown(self) }
        guard let epoch else { return sequence }
        switch Epoch.place(of: value, inEpoch: epoch, try await ledger.epochs()) {
        case .here: return sequence
        case .lost:
            throw CommandError(
                .notFound, "log.entry-lost", "the entry \(epoch)/\(value) was lost with the copy it stood in")
        case .unknown: throw Self.unknown(self)
        }
    }

    private static func unknown(_ entry: EntryArgument) -> CommandError {
        CommandError(
            .notFound, "entry.not-found", "there is no entry \(entry.epoch.map { "\($0)/" } ?? "")\(entry.value)")
    }
}
