import Shiplog

/// A Kubernetes quantity (`250m`, `1.5Gi`, `2e3`) in the canonical form that an API server answers: no fraction, the
/// largest suffix that leaves an integer.
///
/// Rules: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
enum Quantity {
    private enum Style { case decimal, binary, exponent }

    /// The canonical form, or nil when the text is no quantity. Values past ±2^63 are held there, and fractions finer
    /// than a nano are rounded up, as the API does.
    static func canonical(_ text: String) -> String? {
        guard let (nanos, style) = parse(text) else { return nil }
        return format(nanos, style)
    }

    /// The value in thousandths, rounded up; for sums and comparisons.
    static func milli(_ text: String) -> Int64? {
        guard let (nanos, _) = parse(text) else { return nil }
        let milli = nanos / 1_000_000 + (nanos % 1_000_000 > 0 ? 1 : 0)
        return Int64(exactly: milli)
    }

    private static let limit = Int128(Int64.max) * 1_000_000_000

    private static func parse(_ text: String) -> (Int128, Style)? {
        guard !text.isEmpty, text.utf8.count <= 64 else { return nil }
        var rest = text[...]
        var isNegative = false
        if let sign = rest.first, sign == "+" || sign == "-" {
            isNegative = sign == "-"
            rest = rest.dropFirst()
        }
        var digits: [Int128] = []
        var decimals = 0
        var seenPoint = false
        while let character = rest.first {
            if character == ".", !seenPoint {
                seenPoint = true
            } else if character.isASCII, let digit = character.wholeNumberValue {
                digits.append(Int128(digit))
                if seenPoint { decimals += 1 }
            } else {
                break
            }
            rest = rest.dropFirst()
        }
        guard !digits.isEmpty, let (power, binaryPower, style) = suffix(String(rest)) else { return nil }
        // value = digits × 10^(power − decimals) × 1024^binaryPower; kept in nanos.
        var value: Int128 = 0
        for digit in digits {
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            if overflow || product > limit { return (isNegative ? -limit : limit, style) }
            value = product + digit
        }
        for _ in 0..<binaryPower {
            value *= 1024
            if value > limit * 1024 { return (isNegative ? -limit : limit, style) }
        }
        var exponent = power - decimals + 9
        while exponent > 0 {
            value *= 10
            if value > limit { return (isNegative ? -limit : limit, style) }
            exponent -= 1
        }
        var isRounded = false
        while exponent < 0 {
            if value % 10 != 0 { isRounded = true }
            value /= 10
            exponent += 1
        }
        if isRounded { value += 1 }
        if value > limit { value = limit }
        return (isNegative ? -value : value, style)
    }

    private static func suffix(_ text: String) -> (power: Int, binaryPower: Int, Style)? {
        switch text {
        case "n": return (-9, 0, .decimal)
        case "u": return (-6, 0, .decimal)
        case "m": return (-3, 0, .decimal)
        case "": return (0, 0, .decimal)
        case "k": return (3, 0, .decimal)
        case "M": return (6, 0, .decimal)
        case "G": return (9, 0, .decimal)
        case "T": return (12, 0, .decimal)
        case "P": return (15, 0, .decimal)
        case "E": return (18, 0, .decimal)
        case "Ki": return (0, 1, .binary)
        case "Mi": return (0, 2, .binary)
        case "Gi": return (0, 3, .binary)
        case "Ti": return (0, 4, .binary)
        case "Pi": return (0, 5, .binary)
        case "Ei": return (0, 6, .binary)
        default:
            guard let first = text.first, first == "e" || first == "E", let power = Int(text.dropFirst()),
                (-30...30).contains(power)
            else { return nil }
            return (power, 0, .exponent)
        }
    }

    private static func format(_ nanos: Int128, _ style: Style) -> String {
        if nanos == 0 { return "0" }
        let isWhole = nanos % 1_000_000_000 == 0
        if style == .binary, isWhole, nanos.magnitude >= 1024 * 1_000_000_000 {
            var value = nanos / 1_000_000_000
            var index = 0
            while value % 1024 == 0, index < 6 {
                value /= 1024
                index += 1
            }
            return String(value) + ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"][index]
        }
        var value = nanos
        var power = -9
        while value % 1000 == 0, power < 18 {
            value /= 1000
            power += 3
        }
        if style == .exponent { return String(value) + (power == 0 ? "" : "e\(power)") }
        let names = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"]
        return String(value) + names[(power + 9) / 3]
    }
}
