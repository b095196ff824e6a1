/// Where a value is in a JSON document: RFC 6901, as `ignoreDifferences[].jsonPointers` writes it.
public struct JSONPointer: Sendable, Hashable, CustomStringConvertible {
    /// Unescaped.
    public let tokens: [String]

    /// - Throws: what is wrong with it. The pointer to the whole document is none that anybody can mean here.
    public init(_ text: String) throws(QueryError) {
        guard text.hasPrefix("/") else { throw QueryError("a JSON pointer begins with a slash") }
        guard text.utf8.count <= PathQuery.maximumLength else { throw QueryError("it is too long") }
        var tokens: [String] = []
        for part in text.dropFirst().split(separator: "/", omittingEmptySubsequences: false) {
            tokens.append(try Self.unescaped(part))
        }
        self.tokens = tokens
    }

    private static func unescaped(_ part: Substring) throws(QueryError) -> String {
        var token = ""
        var isEscaped = false
        for scalar in part.unicodeScalars {
            switch (isEscaped, scalar) {
            case (true, "0"): token.unicodeScalars.append("~")
            case (true, "1"): token.unicodeScalars.append("/")
            case (true, _): throw QueryError("a ~ in a JSON pointer is written ~0, a slash in a name ~1")
            case (false, "~"):
                isEscaped = true
                continue
            case (false, _): token.unicodeScalars.append(scalar)
            }
            isEscaped = false
        }
        if isEscaped { throw QueryError("a ~ in a JSON pointer is written ~0, a slash in a name ~1") }
        return token
    }

    public var description: String {
        tokens.map { token in
            "/"
                + token.unicodeScalars.reduce(into: "") { text, scalar in
                    text += scalar == "~" ? "~0" : scalar == "/" ? "~1" : String(scalar)
                }
        }.joined()
    }

    /// The place of the value in that document; nil when there is none. A token is an index where the document has a list.
    public func path(in json: JSON) -> FieldPath? {
        var current = json
        var path = FieldPath()
        for token in tokens {
            let step: FieldPath.Step
            if current.array != nil {
                // RFC 6901: no sign, no zeros before the number.
                guard token.utf8.allSatisfy({ UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }), let index = Int(token),
                    token == String(index)
                else { return nil }
                step = .index(index)
            } else {
                step = .field(token)
            }
            guard let next = current.child(step) else { return nil }
            path.steps.append(step)
            current = next
        }
        return path
    }

    /// The value in that document; nil when there is none.
    public func value(in json: JSON) -> JSON? { path(in: json).flatMap { json.value(at: $0) } }
}

/// Why a pointer or a path expression is none that is understood: a sentence without its subject.
public struct QueryError: Error, Sendable, Hashable, CustomStringConvertible {
    public let message: String
    /// What it says is jq's, and outside of what is understood here.
    public let isOutside: Bool

    init(_ message: String, isOutside: Bool = false) {
        self.message = message
        self.isOutside = isOutside
    }

    public var description: String { message }
}
