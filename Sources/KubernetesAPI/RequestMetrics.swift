/// How many requests a cluster was sent and what came of them.
public struct RequestMetrics: Sendable, Hashable {
    public struct Key: Sendable, Hashable, Comparable {
        /// `get`, `list`, `watch`, `apply`, `create`, `update`, `patch`, `delete`, `discover`.
        public let verb: String
        /// The HTTP status; 0 when there was no answer.
        public let status: Int

        public static func < (left: Key, right: Key) -> Bool { (left.verb, left.status) < (right.verb, right.status) }
    }

    /// Tries, each one counted.
    public internal(set) var requests: [Key: Int] = [:]
    /// Of these, tries after a first one that failed.
    public internal(set) var retries = 0
    /// From sending to the end of the answer, in milliseconds, over all tries but watches.
    public internal(set) var milliseconds: Int64 = 0
}
