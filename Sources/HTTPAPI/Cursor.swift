import Crypto
import Shiplog

/// Where a list goes on. Opaque to whoever asks, and good only with the same filters.
enum Cursor {
    /// - Parameter query: whose filters it belongs to.
    static func text(name: String, for query: Query) -> String { seal(name, query) }

    static func text(sequence: SequenceNumber, for query: Query) -> String { seal(String(sequence.value), query) }

    static func name(in query: Query) throws(Problem) -> String? { try open(query) }

    static func sequence(in query: Query) throws(Problem) -> SequenceNumber? {
        guard let text = try open(query) else { return nil }
        guard let sequence = SequenceNumber(text) else { throw invalid }
        return sequence
    }

    private static func seal(_ key: String, _ query: Query) -> String { (filters(query) + Array(key.utf8)).hex }

    private static func open(_ query: Query) throws(Problem) -> String? {
        guard let text = try query.one("cursor") else { return nil }
        let mark = filters(query)
        guard text.utf8.count <= 1024, let bytes = [UInt8](hex: text), bytes.starts(with: mark),
            let key = String(validating: bytes.dropFirst(mark.count), as: UTF8.self)
        else { throw invalid }
        return key
    }

    private static var invalid: Problem {
        .invalid("cursor", "must be the nextCursor of a page with the same filters")
    }

    private static func filters(_ query: Query) -> [UInt8] {
        let pairs = query.pairs.filter { $0.name != "cursor" && $0.name != "limit" }
        let canonical = JSON.array(pairs.map { [.string($0.name), .string($0.value)] }).canonicalBytes
        return Array(SHA256.hash(data: canonical).prefix(4))
    }
}
