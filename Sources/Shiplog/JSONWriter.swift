/// Writes JSON: canonical bytes (RFC 8785) for what is stored, hashed and served, and an indented form for people.
extension JSON {
    /// The canonical form of RFC 8785: no white space, members sorted by UTF-16 code units, ECMAScript numbers.
    ///
    /// Integers are written as they are; whoever writes an entry keeps them within ±2^53 (larger ones as strings).
    public var canonicalBytes: [UInt8] {
        var writer = JSONWriter(indent: nil)
        writer.write(self)
        return writer.bytes
    }

    /// The canonical form as text.
    public var canonicalString: String { String(decoding: canonicalBytes, as: UTF8.self) }

    /// Indented by two spaces, members sorted: for people and for diffs.
    public var prettyString: String {
        var writer = JSONWriter(indent: 2)
        writer.write(self)
        return String(decoding: writer.bytes, as: UTF8.self)
    }
}

struct JSONWriter {
    var bytes: [UInt8] = []
    private let indent: Int?
    private var depth = 0

    init(indent: Int?) { self.indent = indent }

    mutating func write(_ value: JSON) {
        switch value {
        case .null: bytes.append(contentsOf: "null".utf8)
        case .bool(let flag): bytes.append(contentsOf: (flag ? "true" : "false").utf8)
        case .integer(let number): bytes.append(contentsOf: String(number).utf8)
        case .number(let number): bytes.append(contentsOf: Self.ecmaScript(number).utf8)
        case .string(let text): write(string: text)
        case .array(let elements):
            write(open: "[", close: "]", isEmpty: elements.isEmpty) { writer in
                for (index, element) in elements.enumerated() {
                    writer.separate(index)
                    writer.write(element)
                }
            }
        case .object(let members):
            write(open: "{", close: "}", isEmpty: members.isEmpty) { writer in
                for (index, key) in members.keys.sorted(by: JSON.precedes).enumerated() {
                    writer.separate(index)
                    writer.write(string: key)
                    writer.bytes.append(UInt8(ascii: ":"))
                    if writer.indent != nil { writer.bytes.append(UInt8(ascii: " ")) }
                    writer.write(members[key] ?? .null)
                }
            }
        }
    }

    private mutating func write(
        open: Unicode.Scalar, close: Unicode.Scalar, isEmpty: Bool, _ body: (inout JSONWriter) -> Void
    ) {
        bytes.append(UInt8(ascii: open))
        if !isEmpty {
            depth += 1
            body(&self)
            depth -= 1
            newline()
        }
        bytes.append(UInt8(ascii: close))
    }

    private mutating func separate(_ index: Int) {
        if index > 0 { bytes.append(UInt8(ascii: ",")) }
        newline()
    }

    private mutating func newline() {
        guard let indent else { return }
        bytes.append(UInt8(ascii: "\n"))
        bytes.append(contentsOf: repeatElement(UInt8(ascii: " "), count: indent * depth))
    }

    private mutating func write(string text: String) {
        bytes.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""): bytes.append(contentsOf: "\\\"".utf8)
            case UInt8(ascii: "\\"): bytes.append(contentsOf: "\\\\".utf8)
            case 0x08: bytes.append(contentsOf: "\\b".utf8)
            case 0x09: bytes.append(contentsOf: "\\t".utf8)
            case 0x0A: bytes.append(contentsOf: "\\n".utf8)
            case 0x0C: bytes.append(contentsOf: "\\f".utf8)
            case 0x0D: bytes.append(contentsOf: "\\r".utf8)
            case 0..<0x20:
                bytes.append(contentsOf: "\\u00".utf8)
                bytes.append(contentsOf: [hexDigit(byte >> 4), hexDigit(byte & 15)])
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }

    /// ECMA-262 Number::toString, as RFC 8785 §3.2.2.3 asks. JSON has no infinities and no NaN: they become null.
    static func ecmaScript(_ value: Double) -> String {
        guard value.isFinite else { return "null" }
        if value == 0 { return "0" }
        // Swift prints the shortest digits that read back the same; only their layout differs from ECMAScript's.
        var digits: [UInt8] = []
        var exponent = 0
        var seenPoint = false
        var afterPoint = 0
        let text = Array(value.magnitude.description.utf8)
        var index = 0
        while index < text.count {
            let byte = text[index]
            if byte == UInt8(ascii: ".") {
                seenPoint = true
            } else if byte == UInt8(ascii: "e") {
                exponent = Int(String(decoding: text[(index + 1)...], as: UTF8.self)) ?? 0
                break
            } else {
                digits.append(byte)
                if seenPoint { afterPoint += 1 }
            }
            index += 1
        }
        // value = 0.d1d2d3… × 10^point
        var point = digits.count - afterPoint + exponent
        while digits.count > 1, digits.first == UInt8(ascii: "0") {
            digits.removeFirst()
            point -= 1
        }
        while digits.count > 1, digits.last == UInt8(ascii: "0") { digits.removeLast() }
        let plain = String(decoding: digits, as: UTF8.self)
        let count = digits.count
        let sign = value < 0 ? "-" : ""
        if count <= point, point <= 21 { return sign + plain + String(repeating: "0", count: point - count) }
        if 0 < point, point <= 21 { return sign + plain.prefix(point) + "." + plain.dropFirst(point) }
        if -6 < point, point <= 0 { return sign + "0." + String(repeating: "0", count: -point) + plain }
        let power = point - 1
        let mantissa = count == 1 ? plain : plain.prefix(1) + "." + plain.dropFirst(1)
        return sign + mantissa + "e" + (power < 0 ? "-" : "+") + String(power.magnitude)
    }
}

extension JSON {
    /// RFC 8785 §3.2.3: names compare by UTF-16 code units. Bytes give the same order unless a surrogate is involved.
    static func precedes(_ left: String, _ right: String) -> Bool {
        var left = left
        var right = right
        return left.withUTF8 { leftBytes in
            right.withUTF8 { rightBytes in
                let common = min(leftBytes.count, rightBytes.count)
                for index in 0..<common where leftBytes[index] != rightBytes[index] {
                    let (first, second) = (leftBytes[index], rightBytes[index])
                    // 0xEE and 0xEF start U+E000…U+FFFF, 0xF0… start what UTF-16 writes with surrogates (D800…).
                    if first >= 0xEE, second >= 0xEE {
                        if first >= 0xF0, second < 0xF0 { return true }
                        if second >= 0xF0, first < 0xF0 { return false }
                    }
                    return first < second
                }
                return leftBytes.count < rightBytes.count
            }
        }
    }
}

/// The lower-case hexadecimal digit of 0…15.
func hexDigit(_ nibble: UInt8) -> UInt8 { nibble < 10 ? 48 + nibble : 87 + nibble }
