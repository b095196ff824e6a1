import HTTPTypes
import Shiplog

/// The query of a request's target (`application/x-www-form-urlencoded`), decoded and bounded.
struct Query: Sendable, Hashable {
    static let maximumParameters = 100

    private(set) var pairs: [(name: String, value: String)] = []

    /// - Parameter text: what stands after the `?`.
    /// - Throws: `request.query-invalid`.
    init(_ text: some StringProtocol) throws(Problem) {
        for part in text.utf8.split(separator: UInt8(ascii: "&"), maxSplits: Self.maximumParameters) {
            guard pairs.count < Self.maximumParameters else {
                throw Self.invalid("the query has more than \(Self.maximumParameters) parameters")
            }
            let halves = part.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = halves.first.flatMap({ Self.decode($0, plusIsBlank: true) }),
                let value = halves.count == 2 ? Self.decode(halves[1], plusIsBlank: true) : ""
            else { throw Self.invalid("the query is not percent-encoded UTF-8") }
            pairs.append((name, value))
        }
    }

    private static func invalid(_ message: String) -> Problem {
        Problem(.badRequest, "request.query-invalid", message)
    }

    static func == (left: Query, right: Query) -> Bool {
        left.pairs.elementsEqual(right.pairs, by: { $0 == $1 })
    }

    func hash(into hasher: inout Hasher) {
        for (name, value) in pairs {
            hasher.combine(name)
            hasher.combine(value)
        }
    }

    /// Decodes `%XX`; nil when it is no UTF-8, holds half an escape or a control character.
    static func decode(_ text: some Sequence<UInt8>, plusIsBlank: Bool) -> String? {
        var bytes: [UInt8] = []
        var iterator = text.makeIterator()
        while let byte = iterator.next() {
            switch byte {
            case UInt8(ascii: "%"):
                guard let high = iterator.next().flatMap(hexValue), let low = iterator.next().flatMap(hexValue) else {
                    return nil
                }
                bytes.append(high << 4 | low)
            case UInt8(ascii: "+") where plusIsBlank: bytes.append(UInt8(ascii: " "))
            default: bytes.append(byte)
            }
        }
        guard !bytes.contains(where: { $0 < 0x20 || $0 == 0x7F }) else { return nil }
        return String(validating: bytes, as: UTF8.self)
    }

    private static func hexValue(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}

extension Query {
    /// Refuses what nobody reads: a misspelt filter would silently show more than was asked for.
    func allow(_ names: Set<String>) throws(Problem) {
        for (name, _) in pairs where !names.contains(name) {
            throw Problem.invalid(
                name.prefix(80).description,
                names.isEmpty
                    ? "this address takes no parameters"
                    : "there is no such parameter; there are \(names.sorted().joined(separator: ", "))")
        }
    }

    /// Every value of a repeated parameter; empty values count as not given.
    func all(_ name: String) -> [String] { pairs.filter { $0.name == name && !$0.value.isEmpty }.map(\.value) }

    /// The value of a parameter that may stand once.
    func one(_ name: String) throws(Problem) -> String? {
        let values = all(name)
        guard values.count <= 1 else { throw .invalid(name, "stands more than once") }
        return values.first
    }

    func flag(_ name: String) throws(Problem) -> Bool {
        switch try one(name) {
        case nil, "false": false
        case "true": true
        default: throw .invalid(name, "must be true or false")
        }
    }

    func number(_ name: String, in range: ClosedRange<Int64>, default standard: Int64) throws(Problem) -> Int64 {
        guard let text = try one(name) else { return standard }
        guard let value = Int64(text), range.contains(value) else {
            throw .invalid(name, "must be a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return value
    }

    /// How many items a page has: 1…500, 50 unless asked for.
    func limit() throws(Problem) -> Int { Int(try number("limit", in: 1...500, default: 50)) }

    func time(_ name: String) throws(Problem) -> Timestamp? {
        guard let text = try one(name) else { return nil }
        guard let time = Timestamp(text) else {
            throw .invalid(name, "must be a time as RFC 3339 writes it, such as 2026-11-20T13:00:00Z")
        }
        return time
    }

    /// The words of a closed set, as `kind=sync&kind=rollback`.
    func words<Word: RawRepresentable & CaseIterable>(
        _ name: String, _: Word.Type = Word.self
    ) throws(Problem) -> [Word] where Word.RawValue == String {
        var result: [Word] = []
        for text in all(name) {
            guard let word = Word(rawValue: text) else {
                throw .invalid(
                    name, "must be one of \(Word.allCases.map(\.rawValue).joined(separator: ", "))")
            }
            result.append(word)
        }
        return result
    }

    func word(_ name: String, of words: [String]) throws(Problem) -> String? {
        guard let text = try one(name) else { return nil }
        guard words.contains(text) else { throw .invalid(name, "must be one of \(words.joined(separator: ", "))") }
        return text
    }
}
