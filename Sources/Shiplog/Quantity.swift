/// A Kubernetes resource quantity (`250m`, `1Gi`, `1e3`), exact: no floating point is involved.
///
/// Format: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
/// Like Kubernetes it keeps nothing finer than 10⁻⁹: smaller parts are rounded up, away from zero.
public struct Quantity: Sendable, Hashable, Comparable {
    /// Significant decimal digits, most significant first, without zeros at either end; empty for zero.
    private let digits: [UInt8]
    /// The power of ten of the last digit; 0 for zero.
    private let exponent: Int
    private let isNegative: Bool

    /// nil unless the text is a quantity. Texts of more than 64 bytes are none.
    public init?(_ text: String) {
        let bytes = Array(text.utf8)
        guard bytes.count <= 64 else { return nil }
        var position = 0
        var isNegative = false
        if let first = bytes.first, first == UInt8(ascii: "-") || first == UInt8(ascii: "+") {
            isNegative = first == UInt8(ascii: "-")
            position = 1
        }
        var digits: [UInt8] = []
        var exponent = 0
        var seenPoint = false
        var seenDigit = false
        while position < bytes.count {
            let byte = bytes[position]
            if byte == UInt8(ascii: "."), !seenPoint {
                seenPoint = true
            } else if (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) {
                digits.append(byte - UInt8(ascii: "0"))
                seenDigit = true
                if seenPoint { exponent -= 1 }
            } else {
                break
            }
            position += 1
        }
        guard seenDigit, let scale = Self.scale(bytes[position...]) else { return nil }
        if scale.binary > 0 { digits = Self.multiply(digits, timesTwo: scale.binary) }
        self.init(digits: digits, exponent: exponent + scale.decimal, isNegative: isNegative)
    }

    /// A quantity as a manifest may write it: a text or a bare number.
    public init?(_ value: JSON) {
        switch value {
        case .string(let text): self.init(text)
        case .integer(let number): self.init(String(number))
        case .number(let number) where number.isFinite: self.init(JSONWriter.ecmaScript(number))
        default: return nil
        }
    }

    private init(digits: [UInt8], exponent: Int, isNegative: Bool) {
        var digits = Array(digits.drop { $0 == 0 })
        var exponent = exponent
        while digits.last == 0 {
            digits.removeLast()
            exponent += 1
        }
        if exponent < -9, !digits.isEmpty {
            let dropped = min(digits.count, -9 - exponent)
            digits.removeLast(dropped)
            exponent = -9
            // What was cut off was not zero: the last digit kept goes up by one.
            var index = digits.count - 1
            while index >= 0, digits[index] == 9 {
                digits[index] = 0
                index -= 1
            }
            if index >= 0 { digits[index] += 1 } else { digits.insert(1, at: 0) }
            while digits.last == 0 {
                digits.removeLast()
                exponent += 1
            }
        }
        self.digits = digits
        self.exponent = digits.isEmpty ? 0 : exponent
        self.isNegative = digits.isEmpty ? false : isNegative
    }

    /// Powers of ten and of two that a suffix stands for; nil when it is none.
    private static func scale(_ suffix: ArraySlice<UInt8>) -> (decimal: Int, binary: Int)? {
        switch String(decoding: suffix, as: UTF8.self) {
        case "": return (0, 0)
        case "n": return (-9, 0)
        case "u": return (-6, 0)
        case "m": return (-3, 0)
        case "k": return (3, 0)
        case "M": return (6, 0)
        case "G": return (9, 0)
        case "T": return (12, 0)
        case "P": return (15, 0)
        case "E": return (18, 0)
        case "Ki": return (0, 10)
        case "Mi": return (0, 20)
        case "Gi": return (0, 30)
        case "Ti": return (0, 40)
        case "Pi": return (0, 50)
        case "Ei": return (0, 60)
        case let text:
            guard text.first == "e" || text.first == "E" else { return nil }
            guard let power = Int(text.dropFirst()), (-99...99).contains(power) else { return nil }
            return (power, 0)
        }
    }

    private static func multiply(_ digits: [UInt8], timesTwo count: Int) -> [UInt8] {
        var result = digits
        for _ in 0..<count {
            var carry: UInt8 = 0
            for index in result.indices.reversed() {
                let product = result[index] * 2 + carry
                result[index] = product % 10
                carry = product / 10
            }
            if carry > 0 { result.insert(carry, at: 0) }
        }
        return result
    }

    public static func < (left: Quantity, right: Quantity) -> Bool {
        if left.isNegative != right.isNegative { return left.isNegative }
        return left.isNegative ? right.magnitudeIsLess(than: left) : left.magnitudeIsLess(than: right)
    }

    private func magnitudeIsLess(than other: Quantity) -> Bool {
        guard let first = digits.first, let otherFirst = other.digits.first else {
            return digits.isEmpty && !other.digits.isEmpty
        }
        let (point, otherPoint) = (digits.count + exponent, other.digits.count + other.exponent)
        if point != otherPoint { return point < otherPoint }
        if first != otherFirst { return first < otherFirst }
        // Without zeros at the end the shorter of two equal beginnings is the smaller one.
        return digits.lexicographicallyPrecedes(other.digits)
    }
}
