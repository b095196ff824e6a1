/// What a scalar means once its tag and style are known.
enum YAMLScalar: Equatable {
    case null
    case bool(Bool)
    case integer(Int64)
    /// Finite, and not an integer that fits `integer`.
    case number(Double)
    /// `.inf`, `.nan`: JSON has no such numbers.
    case notJSON
    case string
}

/// The resolution of plain scalars, as go-yaml v2 has it (`resolve.go`) after the turn through JSON that
/// sigs.k8s.io/yaml takes: a float with an integral value is an integer then, a timestamp a string.
extension YAMLScalar {
    /// What the first byte of a plain scalar says; most scalars of a manifest are strings by that alone.
    private static let hints: [UInt8] = {
        var table = [UInt8](repeating: 0, count: 256)
        for byte in "0123456789+-".utf8 { table[Int(byte)] = 1 }
        table[Int(UInt8(ascii: "."))] = 2
        for byte in "yYnNtTfFoO~".utf8 { table[Int(byte)] = 3 }
        return table
    }()

    static func resolve(_ text: UnsafeBufferPointer<UInt8>) -> YAMLScalar {
        guard let first = text.first else { return .null }
        switch hints[Int(first)] {
        case 0: return .string
        case 1: return number(text)
        case 2: return dotted(text)
        default: return text.count > 5 ? .string : word(text)
        }
    }

    static func resolve(_ text: String) -> YAMLScalar {
        var text = text
        return text.withUTF8 { resolve($0) }
    }

    /// `text` has one to five bytes. Compared as one number: most names of members (`name`, `type`) come here too.
    private static func word(_ text: UnsafeBufferPointer<UInt8>) -> YAMLScalar {
        var packed: UInt64 = 0
        for byte in text { packed = packed << 8 | UInt64(byte) }
        switch packed {
        case 0x7E, 0x6E75_6C6C, 0x4E75_6C6C, 0x4E55_4C4C: return .null  // ~ null Null NULL
        case 0x79, 0x59, 0x79_6573, 0x59_6573, 0x59_4553: return .bool(true)  // y Y yes Yes YES
        case 0x7472_7565, 0x5472_7565, 0x5452_5545: return .bool(true)  // true True TRUE
        case 0x6F6E, 0x4F6E, 0x4F4E: return .bool(true)  // on On ON
        case 0x6E, 0x4E, 0x6E6F, 0x4E6F, 0x4E4F: return .bool(false)  // n N no No NO
        case 0x66_616C_7365, 0x46_616C_7365, 0x46_414C_5345: return .bool(false)  // false False FALSE
        case 0x6F_6666, 0x4F_6666, 0x4F_4646: return .bool(false)  // off Off OFF
        default: return .string
        }
    }

    private static func dotted(_ text: UnsafeBufferPointer<UInt8>) -> YAMLScalar {
        switch text.count == 4 ? String(decoding: text, as: UTF8.self) : "" {
        case ".nan", ".NaN", ".NAN", ".inf", ".Inf", ".INF": .notJSON
        default: float(text)
        }
    }

    private static func number(_ text: UnsafeBufferPointer<UInt8>) -> YAMLScalar {
        if text.contains(UInt8(ascii: "_")) {
            let plain = text.filter { $0 != UInt8(ascii: "_") }
            return plain.withUnsafeBufferPointer { $0.isEmpty ? .string : withoutUnderscores($0) }
        }
        return withoutUnderscores(text)
    }

    private static func withoutUnderscores(_ text: UnsafeBufferPointer<UInt8>) -> YAMLScalar {
        if let integer = integer(text) { return integer }
        if text.count == 5, text[1] == UInt8(ascii: ".") {
            switch String(decoding: text.dropFirst(), as: UTF8.self) {
            case ".inf", ".Inf", ".INF": return .notJSON
            default: break
            }
        }
        return float(text)
    }

    /// Go's `ParseInt` and `ParseUint` with base 0, underscores gone.
    private static func integer(_ text: UnsafeBufferPointer<UInt8>) -> YAMLScalar? {
        var index = 0
        let isNegative = text[0] == UInt8(ascii: "-")
        let isSigned = isNegative || text[0] == UInt8(ascii: "+")
        if isSigned { index = 1 }
        guard index < text.count else { return nil }
        var base: UInt64 = 10
        if text[index] == UInt8(ascii: "0"), index + 1 < text.count {
            switch text[index + 1] | 0x20 {
            case UInt8(ascii: "x"): (base, index) = (16, index + 2)
            case UInt8(ascii: "o"): (base, index) = (8, index + 2)
            case UInt8(ascii: "b"): (base, index) = (2, index + 2)
            default: (base, index) = (8, index + 1)
            }
        }
        guard index < text.count else { return nil }
        var value: UInt64 = 0
        while index < text.count {
            let byte = text[index]
            let digit: UInt8
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = byte - UInt8(ascii: "a") + 10
            case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = byte - UInt8(ascii: "A") + 10
            default: return nil
            }
            guard UInt64(digit) < base else { return nil }
            let (product, overflow) = value.multipliedReportingOverflow(by: base)
            let (sum, carry) = product.addingReportingOverflow(UInt64(digit))
            guard !overflow, !carry else { return nil }
            value = sum
            index += 1
        }
        if isNegative {
            guard value <= UInt64(Int64.max) + 1 else { return nil }
            return .integer(value == UInt64(Int64.max) + 1 ? .min : -Int64(value))
        }
        if let exact = Int64(exactly: value) { return .integer(exact) }
        return isSigned ? nil : .number(Double(value))
    }

    /// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`, or a string.
    private static func float(_ text: UnsafeBufferPointer<UInt8>) -> YAMLScalar {
        var index = 0
        func digits() -> Int {
            let start = index
            while index < text.count, UInt8(ascii: "0")...UInt8(ascii: "9") ~= text[index] { index += 1 }
            return index - start
        }
        func pass(_ bytes: UInt8...) -> Bool {
            guard index < text.count, bytes.contains(text[index]) else { return false }
            index += 1
            return true
        }
        _ = pass(UInt8(ascii: "+"), UInt8(ascii: "-"))
        let whole = digits()
        let point = pass(UInt8(ascii: "."))
        let decimals = point ? digits() : 0
        guard whole + decimals > 0 else { return .string }
        if pass(UInt8(ascii: "e"), UInt8(ascii: "E")) {
            _ = pass(UInt8(ascii: "+"), UInt8(ascii: "-"))
            guard digits() > 0 else { return .string }
        }
        guard index == text.count, let value = Double(String(decoding: text, as: UTF8.self)), value.isFinite else {
            return .string
        }
        // Up to 2^53 each integral double has the digits that Go would print for it.
        if value.magnitude <= 9_007_199_254_740_992, let exact = Int64(exactly: value) { return .integer(exact) }
        return .number(value)
    }
}
