public import Shiplog

/// How somebody outside stands to the log: a witness that signs it, or a place where its checkpoints are put.
public struct Attestation: Sendable, Hashable {
    public enum Kind: String, Sendable, Hashable {
        case witness, http, git
    }

    public let name: String
    public let kind: Kind
    /// The largest tree it has taken; nil before the first.
    public var size: Int64?
    /// When it took that.
    public var at: Timestamp?
    /// Why it did not take the newest.
    public var failure: Failure?

    public init(_ name: String, _ kind: Kind, size: Int64? = nil, at: Timestamp? = nil, failure: Failure? = nil) {
        self.name = name
        self.kind = kind
        self.size = size
        self.at = at
        self.failure = failure
    }
}
