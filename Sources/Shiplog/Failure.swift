/// What went wrong, in the one form that crosses the seams between targets.
///
/// Whoever makes one has already taken out what came from a secret: a failure is logged, stored and answered as it is.
public struct Failure: Error, Sendable, Hashable {
    /// A stable name for programs, such as `git.unreachable`. Each is documented in `docs/errors.md`.
    public struct Code: RawRepresentable, Sendable, Hashable, ExpressibleByStringLiteral, CustomStringConvertible {
        public let rawValue: String
        public init(rawValue: String) { self.rawValue = rawValue }
        public init(stringLiteral value: String) { rawValue = value }
        public var description: String { rawValue }
    }

    /// What the loop does next: failures are classed by that and by nothing else.
    public enum Next: Sendable, Hashable {
        /// Try again, at the earliest after so many milliseconds when the other side said so.
        case retry(afterMilliseconds: Int64?)
        /// Nothing changes until a person changes something.
        case person
        /// Something newer has taken its place.
        case superseded
    }

    public let code: Code
    /// A full sentence without its full stop.
    public let message: String
    /// What the reader can do about it.
    public let remedy: String?
    public let next: Next

    public init(_ code: Code, _ message: String, remedy: String? = nil, next: Next = .person) {
        self.code = code
        self.message = message
        self.remedy = remedy
        self.next = next
    }

    /// The same failure with what was being done put before it.
    public func during(_ act: String) -> Failure {
        Failure(code, act + ": " + message, remedy: remedy, next: next)
    }

    /// Whether trying the same again may help.
    public var isTransient: Bool {
        if case .retry = next { true } else { false }
    }
}

extension Failure: CustomStringConvertible {
    public var description: String {
        "\(message) [\(code)]" + (remedy.map { "; " + $0 } ?? "")
    }
}
