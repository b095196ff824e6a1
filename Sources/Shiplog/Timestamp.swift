/// A moment in UTC, in milliseconds since 1970: what the ledger records. Durations are measured elsewhere, monotonically.
public struct Timestamp: Sendable, Hashable, Comparable, CustomStringConvertible {
    public let milliseconds: Int64

    public init(milliseconds: Int64) { self.milliseconds = milliseconds }

    public static func < (left: Timestamp, right: Timestamp) -> Bool { left.milliseconds < right.milliseconds }

    /// So many milliseconds later.
    public func advanced(byMilliseconds delta: Int64) -> Timestamp { Timestamp(milliseconds: milliseconds + delta) }

    /// RFC 3339 in UTC with milliseconds: `2026-11-23T14:03:22.120Z`.
    public var description: String {
        let (days, rest) = Self.floorDivide(milliseconds, 86_400_000)
        let (year, month, day) = Self.civil(days)
        let (hour, minute, second) = (rest / 3_600_000, rest / 60_000 % 60, rest / 1000 % 60)
        return Self.pad(year, 4) + "-" + Self.pad(month, 2) + "-" + Self.pad(day, 2) + "T" + Self.pad(hour, 2) + ":"
            + Self.pad(minute, 2) + ":" + Self.pad(second, 2) + "." + Self.pad(rest % 1000, 3) + "Z"
    }

    /// Reads RFC 3339 with any offset and any number of decimals (cut to milliseconds), also with a blank for the `T`
    /// and without seconds or zone (UTC then): `2026-11-20 13:00`. Years 1…9999.
    public init?(_ text: String) {
        var scanner = Scanner(bytes: Array(text.utf8))
        guard let year = scanner.digits(4), scanner.pass("-"), let month = scanner.digits(2), scanner.pass("-"),
            let day = scanner.digits(2), year >= 1, (1...12).contains(month),
            (1...Self.daysIn(month: month, year: year)).contains(day)
        else { return nil }
        var total = Self.days(year, month, day) * 86_400_000
        if !scanner.atEnd {
            guard scanner.pass("T") || scanner.pass("t") || scanner.pass(" "), let hour = scanner.digits(2),
                scanner.pass(":"), let minute = scanner.digits(2), hour < 24, minute < 60
            else { return nil }
            total += hour * 3_600_000 + minute * 60_000
            if scanner.pass(":") {
                guard let second = scanner.digits(2), second <= 60 else { return nil }
                total += min(second, 59) * 1000
                if scanner.pass(".") {
                    guard let fraction = scanner.fraction() else { return nil }
                    total += fraction
                }
            }
            if let sign = scanner.sign() {
                guard let hours = scanner.digits(2), scanner.pass(":"), let minutes = scanner.digits(2), hours < 24,
                    minutes < 60
                else { return nil }
                total -= sign * (hours * 3_600_000 + minutes * 60_000)
            } else if !scanner.atEnd {
                guard scanner.pass("Z") || scanner.pass("z") else { return nil }
            }
        }
        guard scanner.atEnd else { return nil }
        milliseconds = total
    }

    // Howard Hinnant's civil-date algorithms, http://howardhinnant.github.io/date_algorithms.html
    private static func days(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let shifted = month <= 2 ? year - 1 : year
        let era = floorDivide(shifted, 400).0
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    private static func civil(_ days: Int64) -> (Int64, Int64, Int64) {
        let shifted = days + 719_468
        let (era, dayOfEra) = floorDivide(shifted, 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
    }

    private static func daysIn(month: Int64, year: Int64) -> Int64 {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    private static func floorDivide(_ value: Int64, _ by: Int64) -> (Int64, Int64) {
        let rest = ((value % by) + by) % by
        // Wrapping: near the least number there is, what comes out is no year anybody writes, and nothing may trap.
        return ((value &- rest) / by, rest)
    }

    private static func pad(_ value: Int64, _ width: Int) -> String {
        let text = String(value)
        return String(repeating: "0", count: max(0, width - text.utf8.count)) + text
    }

    private struct Scanner {
        let bytes: [UInt8]
        var position = 0
        var atEnd: Bool { position >= bytes.count }

        mutating func digits(_ count: Int) -> Int64? {
            guard position + count <= bytes.count else { return nil }
            var value: Int64 = 0
            for byte in bytes[position..<(position + count)] {
                guard (48...57).contains(byte) else { return nil }
                value = value * 10 + Int64(byte - 48)
            }
            position += count
            return value
        }

        mutating func fraction() -> Int64? {
            var value: Int64 = 0
            var count = 0
            while !atEnd, (48...57).contains(bytes[position]) {
                if count < 3 { value = value * 10 + Int64(bytes[position] - 48) }
                count += 1
                position += 1
            }
            guard count > 0 else { return nil }
            for _ in min(count, 3)..<3 { value *= 10 }
            return value
        }

        mutating func pass(_ character: Unicode.Scalar) -> Bool {
            guard !atEnd, bytes[position] == UInt8(ascii: character) else { return false }
            position += 1
            return true
        }

        mutating func sign() -> Int64? {
            if pass("+") { return 1 }
            return pass("-") ? -1 : nil
        }
    }
}
