public import Shiplog
public import TransparencyLog

/// How the ledger differs from what it has already signed: it is an older copy, or another history.
public struct LogFork: Sendable, Hashable {
    public enum Kind: Sendable, Hashable {
        /// The log has fewer entries than the checkpoint.
        case older(size: Int64)
        /// The checkpoint is of an epoch that this copy does not know.
        case beforeEpoch(Int64)
        /// As many entries, and others.
        case other
        /// The checkpoint is gone, so that nobody knows.
        case unknown
    }

    public let kind: Kind
    /// The last one that was signed; nil when it is gone.
    public let checkpoint: Checkpoint?

    /// Whether the ledger can be taken for a beginning of what was signed.
    var isShorter: Bool {
        switch kind {
        case .older, .beforeEpoch: true
        case .other, .unknown: false
        }
    }

    /// What was signed and is not here any more.
    func lost(_ size: Int64) -> ClosedRange<Int64>? {
        guard isShorter, let checkpoint, checkpoint.head.size > size else { return nil }
        return size + 1...checkpoint.head.size
    }

    /// Why the server does not start, and what it takes.
    public var failure: Failure {
        let remedy =
            "restore the newest copy of the ledger; only when there is none, start once with --accept-fork REASON"
        switch kind {
        case .older(let size):
            let last = checkpoint?.head.size ?? size
            return Failure(
                "ledger.rolled-back",
                "the ledger was put back to an older copy: it has \(size) entries, and a checkpoint was signed over "
                    + "\(last); #\(size + 1) to #\(last) are lost", remedy: remedy)
        case .beforeEpoch(let number):
            return Failure(
                "ledger.rolled-back",
                "the ledger was put back to a copy from before its epoch \(number), of which a checkpoint over "
                    + "\(checkpoint?.head.size ?? 0) entries was signed", remedy: remedy)
        case .other:
            return Failure(
                "ledger.forked",
                "the ledger is not the one that was signed: its first \(checkpoint?.head.size ?? 0) entries have "
                    + "another tree than the last checkpoint",
                remedy: "keep a copy of it, run `shiplog ledger verify`, and " + remedy)
        case .unknown:
            return Failure(
                "log.checkpoint-missing",
                "the last checkpoint is gone from its folder, so that nobody can tell whether the ledger is the newest",
                remedy: "bring the file back or name its folder (log.checkpoints); only when it is lost for good, "
                    + "start once with --accept-fork REASON")
        }
    }
}
