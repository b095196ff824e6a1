public import Shiplog

extension YAML {
    /// Writes a value in block style for people, members sorted as `kubectl -o yaml` has them; ends with a line break.
    ///
    /// A string is quoted whenever it could be read as something else, also by readers of YAML 1.1 that know more
    /// kinds of scalars than Kubernetes (dates, `12:30:45`). `YAML.read` gives the same value back.
    public static func write(_ json: JSON) -> String {
        var writer = YAMLWriter()
        writer.write(json, indent: 0, after: .lineStart)
        return writer.text
    }

    /// Writes several documents, each after a `---` line but the first.
    public static func write(_ documents: [JSON]) -> String {
        documents.map { write($0) }.joined(separator: "---\n")
    }
}

private struct YAMLWriter {
    /// What stands before the value in its line.
    enum Place {
        case lineStart
        /// `name:`
        case name
        /// `-` and a blank: a map or list goes on in the same line.
        case dash
    }

    var text = ""

    mutating func write(_ value: JSON, indent: Int, after place: Place) {
        switch value {
        case .object(let members) where !members.isEmpty:
            if place == .name { text += "\n" }
            var first = place == .dash
            for name in members.keys.sorted(by: { $0.utf8.lexicographicallyPrecedes($1.utf8) }) {
                if !first { blanks(indent) }
                first = false
                text += Self.key(name, indent: indent) + ":"
                write(members[name] ?? .null, indent: indent + 2, after: .name)
            }
        case .array(let elements) where !elements.isEmpty:
            if place == .name { text += "\n" }
            // Under a name, dashes stand at the name's own column, as kubectl writes them.
            let column = place == .name ? max(0, indent - 2) : indent
            var first = place == .dash
            for element in elements {
                if !first { blanks(column) }
                first = false
                text += "- "
                write(element, indent: column + 2, after: .dash)
            }
        case .string(let string) where Self.isBlock(string): block(string, indent: indent, after: place)
        default: text += (place == .name ? " " : "") + Self.scalar(value) + "\n"
        }
    }

    private mutating func blanks(_ count: Int) { text += String(repeating: " ", count: count) }

    private mutating func block(_ string: String, indent: Int, after place: Place) {
        let lines = string.split(separator: "\n", omittingEmptySubsequences: false)
        let trailing = lines.reversed().prefix { $0.isEmpty }.count
        text += (place == .name ? " |" : "|") + (trailing == 0 ? "-" : trailing == 1 ? "" : "+") + "\n"
        // A block scalar at the top must still be indented.
        let column = max(indent, 2)
        for line in trailing > 0 ? lines.dropLast() : lines[...] {
            if !line.isEmpty { blanks(column) }
            text += line + "\n"
        }
    }

    /// Literal blocks only where nothing in them needs an escape or an indentation indicator.
    private static func isBlock(_ string: String) -> Bool {
        guard string.utf8.contains(UInt8(ascii: "\n")), let first = string.utf8.first(where: { $0 != 0x0A }),
            first != UInt8(ascii: " "), first != UInt8(ascii: "\t")
        else { return false }
        return string.utf8.first != 0x0A
            && string.unicodeScalars.allSatisfy { $0 == "\n" || $0 == "\t" || isPrintable($0) }
    }

    private static func scalar(_ value: JSON) -> String {
        switch value {
        case .string(let string): flow(string)
        case .object: "{}"
        case .array: "[]"
        case .number: number(value.canonicalString)
        case .null, .bool, .integer: value.canonicalString
        }
    }

    /// `1e+21` is a float to YAML 1.1 only with a point.
    private static func number(_ text: String) -> String {
        guard let exponent = text.firstIndex(of: "e"), !text.contains(".") else { return text }
        return text[..<exponent] + ".0" + text[exponent...]
    }

    /// A name may have 1,024 characters before its colon must be found; longer ones need the explicit form.
    private static func key(_ name: String, indent: Int) -> String {
        let text = flow(name)
        guard text.utf8.count > 1000 else { return text }
        return "? " + text + "\n" + String(repeating: " ", count: indent)
    }

    private static func flow(_ string: String) -> String { isPlain(string) ? string : quoted(string) }

    private static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x20...0x7E, 0xA0...0x2027, 0x202A...0xD7FF, 0xE000...0xFEFE, 0xFF00...0xFFFD, 0x1_0000...0x10_FFFF: true
        default: false
        }
    }

    private static func isPlain(_ string: String) -> Bool {
        guard let first = string.utf8.first, let last = string.utf8.last, string.utf8.count <= 512 else { return false }
        guard last != UInt8(ascii: " "), last != UInt8(ascii: ":") else { return false }
        switch first {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "/"), UInt8(ascii: "_"), UInt8(ascii: "."),
            UInt8(ascii: "+"), UInt8(ascii: "("), UInt8(ascii: "$"), UInt8(ascii: "^"), 0xC2...0xF4:
            break
        default: return false
        }
        guard !string.hasPrefix("..."), string.unicodeScalars.allSatisfy(isPrintable) else { return false }
        var before: UInt8 = 0
        for byte in string.utf8 {
            if byte == UInt8(ascii: " "), before == UInt8(ascii: ":") { return false }
            if byte == UInt8(ascii: "#"), before == UInt8(ascii: " ") { return false }
            before = byte
        }
        return YAMLScalar.resolve(string) == .string && !looksLikeTimeElsewhere(string)
    }

    /// Dates and base-60 numbers: strings to Kubernetes, something else to other readers of YAML 1.1.
    private static func looksLikeTimeElsewhere(_ string: String) -> Bool {
        guard let first = string.utf8.first,
            UInt8(ascii: "0")...UInt8(ascii: "9") ~= first || first == UInt8(ascii: "+")
        else { return false }
        return string.utf8.allSatisfy {
            UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 || ":-+._ TZtz".utf8.contains($0)
        } && (string.utf8.contains(UInt8(ascii: ":")) || string.utf8.contains(UInt8(ascii: "-")))
    }

    private static func quoted(_ string: String) -> String {
        var result = "\""
        for scalar in string.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\t": result += "\\t"
            case "\r": result += "\\r"
            case _ where isPrintable(scalar): result.unicodeScalars.append(scalar)
            default:
                let digits = String(scalar.value, radix: 16, uppercase: true)
                let (letter, width) = scalar.value <= 0xFF ? ("x", 2) : scalar.value <= 0xFFFF ? ("u", 4) : ("U", 8)
                result += "\\" + letter + String(repeating: "0", count: max(0, width - digits.count)) + digits
            }
        }
        return result + "\""
    }
}
