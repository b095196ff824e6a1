/// What is read of a cluster for people only: nothing of it decides what is applied or pruned.
public struct ResourcePage: Sendable {
    public let items: [Resource]
    /// There was more than was asked for.
    public let hasMore: Bool

    public init(items: [Resource], hasMore: Bool) {
        self.items = items
        self.hasMore = hasMore
    }
}

/// Which part of a pod's log is wanted.
public struct LogQuestion: Sendable, Hashable {
    /// nil for the only container, or the one the server takes.
    public var container: String?
    public var tailLines: Int?
    public var sinceSeconds: Int?
    /// Of the container that ran before.
    public var previous: Bool
    /// Go on with what is written from now on.
    public var follow: Bool
    /// At most so many bytes.
    public var limitBytes: Int
    /// Ends a stream that is followed.
    public var timeoutMilliseconds: Int

    public init(
        container: String? = nil, tailLines: Int? = nil, sinceSeconds: Int? = nil, previous: Bool = false,
        follow: Bool = false, limitBytes: Int = 8 << 20, timeoutMilliseconds: Int = 30_000
    ) {
        self.container = container
        self.tailLines = tailLines
        self.sinceSeconds = sinceSeconds
        self.previous = previous
        self.follow = follow
        self.limitBytes = limitBytes
        self.timeoutMilliseconds = timeoutMilliseconds
    }
}

extension Cluster {
    public func page(
        _ kind: ServedKind, namespace: String, fields: String, atMost: Int, metadataOnly: Bool
    ) async throws(Failure) -> ResourcePage {
        let list = try await list(kind, namespace: namespace, selector: "")
        let wanted = fields.split(separator: "=", maxSplits: 1).map(String.init)
        let path = wanted.first?.split(separator: ".").map(String.init) ?? []
        let found = list.items.filter { wanted.count < 2 || $0.object.at(path[...])?.string == wanted[1] }
        return ResourcePage(items: Array(found.prefix(atMost)), hasMore: found.count > atMost)
    }

    public func log(
        namespace: String, pod: String, _ question: LogQuestion, deliver: @Sendable ([UInt8]) async -> Bool
    ) async throws(Failure) {
        throw Failure("cluster.no-logs", "the cluster \(name) keeps no logs")
    }
}
