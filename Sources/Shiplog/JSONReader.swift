/// Why bytes were refused as JSON. The bytes themselves are never repeated: they may hold a secret.
public struct JSONError: Error, Sendable, Hashable, CustomStringConvertible {
    public let message: String
    /// Bytes from the start.
    public let offset: Int

    public var description: String { "\(message) at byte \(offset)" }
}

extension JSON {
    /// Reads one JSON text (RFC 8259), strictly: UTF-8, no member twice, nothing after it.
    ///
    /// - Parameter depth: how deeply arrays and objects may nest.
    public init(parsing bytes: some Collection<UInt8>, depth: Int = 128) throws(JSONError) {
        let parsed: Result<JSON, JSONError>? = bytes.withContiguousStorageIfAvailable { buffer in
            JSON.parse(buffer, depth: depth)
        }
        switch parsed ?? Array(bytes).withUnsafeBufferPointer({ JSON.parse($0, depth: depth) }) {
        case .success(let value): self = value
        case .failure(let error): throw error
        }
    }

    /// Reads one JSON text.
    public init(parsing text: String, depth: Int = 128) throws(JSONError) {
        try self.init(parsing: Array(text.utf8), depth: depth)
    }

    private static func parse(_ buffer: UnsafeBufferPointer<UInt8>, depth: Int) -> Result<JSON, JSONError> {
        var reader = JSONReader(buffer, depth: depth)
        do throws(JSONError) {
            return .success(try reader.document())
        } catch {
            return .failure(error)
        }
    }
}

private struct JSONReader {
    private let bytes: UnsafeBufferPointer<UInt8>
    private var position = 0
    private var remainingDepth: Int

    init(_ bytes: UnsafeBufferPointer<UInt8>, depth: Int) {
        self.bytes = bytes
        remainingDepth = depth
    }

    mutating func document() throws(JSONError) -> JSON {
        skipSpace()
        let result = try value()
        skipSpace()
        guard position == bytes.count else { throw fail("unexpected text after the value") }
        return result
    }

    private func fail(_ message: String) -> JSONError { JSONError(message: message, offset: position) }

    private var current: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func skipSpace() {
        while position < bytes.count {
            switch bytes[position] {
            case 0x20, 0x09, 0x0A, 0x0D: position += 1
            default: return
            }
        }
    }

    private mutating func value() throws(JSONError) -> JSON {
        guard let byte = current else { throw fail("unexpected end") }
        switch byte {
        case UInt8(ascii: "{"): return try object()
        case UInt8(ascii: "["): return try array()
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"):
            try literal("true")
            return .bool(true)
        case UInt8(ascii: "f"):
            try literal("false")
            return .bool(false)
        case UInt8(ascii: "n"):
            try literal("null")
            return .null
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
        default: throw fail("unexpected character")
        }
    }

    private mutating func literal(_ word: StaticString) throws(JSONError) {
        let length = word.utf8CodeUnitCount
        guard position + length <= bytes.count else { throw fail("unexpected end") }
        for index in 0..<length where bytes[position + index] != word.utf8Start[index] { throw fail("unknown word") }
        position += length
    }

    private mutating func descend() throws(JSONError) {
        guard remainingDepth > 0 else { throw fail("nested too deeply") }
        remainingDepth -= 1
        position += 1
        skipSpace()
    }

    private mutating func object() throws(JSONError) -> JSON {
        try descend()
        defer { remainingDepth += 1 }
        var members: [String: JSON] = [:]
        if current == UInt8(ascii: "}") {
            position += 1
            return .object(members)
        }
        while true {
            guard current == UInt8(ascii: "\"") else { throw fail("expected a member's name") }
            let start = position
            let name = try string()
            skipSpace()
            guard current == UInt8(ascii: ":") else { throw fail("expected ':'") }
            position += 1
            skipSpace()
            let member = try value()
            guard members.updateValue(member, forKey: name) == nil else {
                position = start
                throw fail("a member stands twice")
            }
            skipSpace()
            guard try more(until: UInt8(ascii: "}")) else { return .object(members) }
        }
    }

    private mutating func array() throws(JSONError) -> JSON {
        try descend()
        defer { remainingDepth += 1 }
        var elements: [JSON] = []
        if current == UInt8(ascii: "]") {
            position += 1
            return .array(elements)
        }
        while true {
            elements.append(try value())
            skipSpace()
            guard try more(until: UInt8(ascii: "]")) else { return .array(elements) }
        }
    }

    /// Passes a comma (true) or the closing bracket (false).
    private mutating func more(until close: UInt8) throws(JSONError) -> Bool {
        switch current {
        case UInt8(ascii: ","):
            position += 1
            skipSpace()
            return true
        case close:
            position += 1
            return false
        default: throw fail("expected ',' or a closing bracket")
        }
    }

    private mutating func number() throws(JSONError) -> JSON {
        let start = position
        var integral = true
        if current == UInt8(ascii: "-") { position += 1 }
        let first = position
        let wholeDigits = digits()
        guard wholeDigits > 0, wholeDigits == 1 || bytes[first] != UInt8(ascii: "0") else {
            throw fail("not a number")
        }
        if current == UInt8(ascii: ".") {
            integral = false
            position += 1
            guard digits() > 0 else { throw fail("not a number") }
        }
        if current == UInt8(ascii: "e") || current == UInt8(ascii: "E") {
            integral = false
            position += 1
            if current == UInt8(ascii: "+") || current == UInt8(ascii: "-") { position += 1 }
            guard digits() > 0 else { throw fail("not a number") }
        }
        let text = String(decoding: bytes[start..<position], as: UTF8.self)
        if integral, let exact = Int64(text) { return .integer(exact) }
        guard let value = Double(text), value.isFinite else { throw fail("a number out of range") }
        return .number(value)
    }

    private mutating func digits() -> Int {
        let start = position
        while let byte = current, byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") { position += 1 }
        return position - start
    }

    private mutating func string() throws(JSONError) -> String {
        position += 1
        let start = position
        while position < bytes.count {
            switch bytes[position] {
            case UInt8(ascii: "\""):
                let text = try utf8(bytes[start..<position])
                position += 1
                return text
            case UInt8(ascii: "\\"): return try escapedString(from: start)
            case 0..<0x20: throw fail("a control character in a string")
            default: position += 1
            }
        }
        throw fail("a string without end")
    }

    private func utf8(_ slice: Slice<UnsafeBufferPointer<UInt8>>) throws(JSONError) -> String {
        guard let text = String(validating: slice, as: UTF8.self) else { throw fail("not UTF-8") }
        return text
    }

    private mutating func escapedString(from start: Int) throws(JSONError) -> String {
        var collected = Array(bytes[start..<position])
        while let byte = current {
            switch byte {
            case UInt8(ascii: "\""):
                guard let text = String(validating: collected, as: UTF8.self) else { throw fail("not UTF-8") }
                position += 1
                return text
            case UInt8(ascii: "\\"):
                position += 1
                try escape(into: &collected)
            case 0..<0x20: throw fail("a control character in a string")
            default:
                collected.append(byte)
                position += 1
            }
        }
        throw fail("a string without end")
    }

    private mutating func escape(into collected: inout [UInt8]) throws(JSONError) {
        guard let byte = current else { throw fail("a string without end") }
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): collected.append(byte)
        case UInt8(ascii: "b"): collected.append(0x08)
        case UInt8(ascii: "f"): collected.append(0x0C)
        case UInt8(ascii: "n"): collected.append(0x0A)
        case UInt8(ascii: "r"): collected.append(0x0D)
        case UInt8(ascii: "t"): collected.append(0x09)
        case UInt8(ascii: "u"):
            var code = try hex4()
            if 0xD800..<0xDC00 ~= code {
                guard position + 1 < bytes.count, bytes[position] == UInt8(ascii: "\\"),
                    bytes[position + 1] == UInt8(ascii: "u")
                else { throw fail("half a surrogate pair") }
                position += 2
                let low = try hex4()
                guard 0xDC00..<0xE000 ~= low else { throw fail("half a surrogate pair") }
                code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
            }
            guard let scalar = Unicode.Scalar(code) else { throw fail("half a surrogate pair") }
            collected.append(contentsOf: String(Character(scalar)).utf8)
        default: throw fail("an unknown escape")
        }
    }

    private mutating func hex4() throws(JSONError) -> UInt32 {
        guard position + 4 <= bytes.count else { throw fail("a string without end") }
        var code: UInt32 = 0
        for _ in 0..<4 {
            guard let digit = Character(Unicode.Scalar(bytes[position])).hexDigitValue else {
                throw fail("an unknown escape")
            }
            code = code << 4 | UInt32(digit)
            position += 1
        }
        return code
    }
}
