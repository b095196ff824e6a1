import Foundation
public import Shiplog

/// A signed tree head: which log, how many entries, and the root over them (<https://c2sp.org/tlog-checkpoint>).
public struct Checkpoint: Sendable, Hashable {
    /// The log's identity: one for each epoch of a ledger.
    public let origin: String
    public let head: TreeHead
    public var note: SignedNote

    /// - Throws: `log.note-invalid` for an origin that no log may have, `log.signing-failed`.
    public init(origin: String, _ head: TreeHead, signers: [NoteSigner]) throws(Failure) {
        // A note without a signature is none, and would never be read again.
        guard !signers.isEmpty else { throw Failure("log.signing-failed", "there is no key to sign a checkpoint with") }
        self.origin = origin
        self.head = head
        note = try SignedNote(signing: Self.text(origin, head), signers)
    }

    /// Reads one; what it says is not checked yet.
    /// - Throws: `log.note-invalid`, `log.checkpoint-invalid`.
    public init(parsing bytes: some Collection<UInt8>) throws(Failure) {
        note = try SignedNote(parsing: bytes)
        let lines = note.text.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
        guard lines.count >= 3, lines.allSatisfy({ !$0.isEmpty }),
            let head = try? TreeHead(lines[1] + ":" + lines[2]), head.size <= Self.largestSize
        else {
            throw Failure(
                "log.checkpoint-invalid", "a checkpoint has an origin, a size and a root, a line each",
                remedy: "give the file as it was served at /log/checkpoint")
        }
        origin = String(lines[0])
        self.head = head
    }

    /// Entries: more than any log will have, and little enough to reckon with.
    public static let largestSize: Int64 = 1 << 48

    static func text(_ origin: String, _ head: TreeHead) -> String {
        "\(origin)\n\(head.size)\n\(head.rootText)\n"
    }
}
