/// A Git commit, as far as a revision quotes it.
public struct Commit: Sendable, Hashable {
    public let id: CommitID
    /// The tree of the whole commit, 40 hexadecimal digits.
    public let tree: String
    /// `Ada Lovelace <ada@example.org>`; not proven by anything unless signed.
    public let author: String
    public let authoredAt: Timestamp
    public let committedAt: Timestamp
    /// The first line of the message, at most 200 characters.
    public let subject: String
    /// Whether the commit carries a signature; checking it comes with a later issue.
    public let isSigned: Bool

    public init(
        id: CommitID, tree: String, author: String, authoredAt: Timestamp, committedAt: Timestamp, subject: String,
        isSigned: Bool
    ) {
        self.id = id
        self.tree = tree
        self.author = author
        self.authoredAt = authoredAt
        self.committedAt = committedAt
        self.subject = subject
        self.isSigned = isSigned
    }
}

/// One file read from a commit: bytes that nothing has judged yet.
public struct SourceFile: Sendable, Hashable {
    /// From the root of the repository, without a leading slash.
    public let path: String
    public let bytes: [UInt8]

    public init(path: String, bytes: [UInt8]) {
        self.path = path
        self.bytes = bytes
    }
}
