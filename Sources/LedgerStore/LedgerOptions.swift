public import Shiplog

extension Ledger {
    /// What a data directory is for: what ran against the embedded server must never be applied to a real cluster.
    public enum Mode: String, Sendable, Hashable, CaseIterable {
        case sandbox, clusters
    }

    public enum Access: Sendable, Hashable {
        /// The one process that writes.
        case serve
        /// Beside a running server: takes no lock, writes nothing.
        case read
    }

    public struct Options: Sendable {
        /// How many appends may be under way at once; further callers wait before they have built anything.
        public var queueLimit: Int
        /// How many appends one transaction takes at most.
        public var groupLimit: Int
        /// Pages of WAL after which the writer's connection writes them back; nil when a replicator (Litestream) does.
        public var checkpointPages: Int?
        /// Bytes the file may grow to; nil for as many as the disk has.
        public var maximumBytes: Int64?
        /// Bytes of disk held back to close open attempts with.
        public var reserveBytes: Int64
        /// Connections that read.
        public var readers: Int
        /// The folder of checkpoints that a file of an older schema is held to before it is brought up to date; nil leaves
        /// that to whoever signs the log, for one whose fork is being accepted.
        public var heldTo: String?
        /// Called once when a write failed so that the file cannot be trusted any more: the process should end.
        public var onFatal: (@Sendable (Failure) -> Void)?
        /// For tests of crashes: called around each commit; throwing is taken for a failure of the disk at that point.
        public var atCommit: (@Sendable (CommitPoint) throws(Failure) -> Void)?

        public init(
            queueLimit: Int = 1024, groupLimit: Int = 256, checkpointPages: Int? = 2000, maximumBytes: Int64? = nil,
            reserveBytes: Int64 = 4 << 20, readers: Int = 4, heldTo: String? = nil,
            onFatal: (@Sendable (Failure) -> Void)? = nil,
            atCommit: (@Sendable (CommitPoint) throws(Failure) -> Void)? = nil
        ) {
            self.queueLimit = max(1, queueLimit)
            self.groupLimit = max(1, groupLimit)
            self.checkpointPages = checkpointPages
            self.maximumBytes = maximumBytes
            self.reserveBytes = max(0, reserveBytes)
            self.readers = max(1, readers)
            self.heldTo = heldTo
            self.onFatal = onFatal
            self.atCommit = atCommit
        }
    }

    /// The two sides of the moment at which a group of appends becomes durable.
    public enum CommitPoint: Sendable, Hashable {
        /// A failure here leaves nothing behind.
        case before
        /// A failure here comes too late: the rows are there, and nobody was told.
        case after
    }
}
