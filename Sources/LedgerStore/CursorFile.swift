public import Shiplog

/// How far somebody has read the log: a small file of its own, replaced whole and durable each time. It is no part of the
/// ledger, in which nothing changes: it says nothing of what happened.
public struct CursorFile: Sendable, Hashable {
    public struct Content: Sendable, Hashable {
        /// The ledger's uid.
        public var ledger: String
        /// Everything up to here is done with; 0 for nothing.
        public var cursor: Int64
        /// What is to be done again all the same.
        public var again: [SequenceNumber]

        public init(ledger: String, cursor: Int64, again: [SequenceNumber] = []) {
            self.ledger = ledger
            self.cursor = cursor
            self.again = again
        }
    }

    let path: String

    public init(_ path: String) { self.path = path }

    /// - Returns: nil when there is none, or one of another ledger.
    /// - Throws: `notification.cursor-invalid` for one that cannot be read: guessing would lose news or tell old ones.
    public func read(ledger: String) throws(Failure) -> Content? {
        guard let bytes = try FileSystem.read(path) else { return nil }
        guard let json = try? JSON(parsing: bytes), json["format"]?.integer == 1, let uid = json["ledger"]?.string,
            let cursor = json["cursor"]?.integer, cursor >= 0
        else {
            throw Failure(
                "notification.cursor-invalid", "the file \(path) does not say how far the log was read",
                remedy: "delete it, and the notifications go on from the end of the log")
        }
        guard uid == ledger else { return nil }
        let again = (json["again"]?.array ?? []).compactMap { $0.integer.flatMap { SequenceNumber($0) } }
        return Content(ledger: uid, cursor: cursor, again: again)
    }

    /// Whole and durable, with its name, when this returns.
    /// - Throws: `notification.cursor-unwritable`.
    public func write(_ content: Content) throws(Failure) {
        let json: JSON = [
            "format": 1, "ledger": .string(content.ledger), "cursor": .integer(content.cursor),
            "again": .array(content.again.map { .integer($0.value) })
        ]
        if let why = FileSystem.replace(path, with: json.canonicalBytes + [0x0A], mode: 0o600) {
            throw Failure(
                "notification.cursor-unwritable", "the file \(path) cannot be written: \(why)",
                remedy: "make room or give this user the right to write there; it is tried again",
                next: .retry(afterMilliseconds: nil))
        }
        try FileSystem.syncDirectory(of: path)
    }
}
