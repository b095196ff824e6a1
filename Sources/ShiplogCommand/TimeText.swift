import Shiplog

/// The ways a person writes a moment or a span of time.
enum TimeText {
    /// RFC 3339, `2026-11-20 13:00` (UTC), `-2h`, `now`, `today` and `yesterday` (from midnight UTC).
    static func moment(_ text: String, now: Timestamp) -> Timestamp? {
        let day: Int64 = 86_400_000
        let midnight = Timestamp(milliseconds: now.milliseconds - (now.milliseconds % day + day) % day)
        switch text.lowercased() {
        case "now": return now
        case "today": return midnight
        case "yesterday": return midnight.advanced(byMilliseconds: -day)
        default: break
        }
        if text.hasPrefix("-") {
            return milliseconds(String(text.dropFirst())).map { now.advanced(byMilliseconds: -$0) }
        }
        return Timestamp(text)
    }

    /// As Go writes durations (`1h30m`, `90s`, `1.5h`), and days (`30d`), at most ten years; a number alone is seconds.
    static func milliseconds(_ text: String) -> Int64? {
        let limit = 315_360_000_000.0
        if let seconds = Int64(text), text.first?.isNumber == true {
            return seconds <= 315_360_000 ? seconds * 1000 : nil
        }
        let units: [String: Double] = [
            "ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000
        ]
        var rest = text[...]
        var total = 0.0
        guard !rest.isEmpty else { return nil }
        while !rest.isEmpty {
            let digits = rest.prefix { ("0"..."9").contains($0) || $0 == "." }
            rest = rest.dropFirst(digits.count)
            let unit = rest.prefix { $0.isLetter }
            rest = rest.dropFirst(unit.count)
            guard let value = Double(digits), let factor = units[String(unit)] else { return nil }
            total += value * factor
        }
        return total <= limit ? Int64(total) : nil
    }

    /// RFC 3339 without its milliseconds, for tables: it can be pasted back as an argument.
    static func short(_ text: String?) -> String {
        guard let text, let moment = Timestamp(text) else { return text ?? "" }
        return moment.description.prefix(19) + "Z"
    }

    /// `850ms`, `12.3s`, `4m05s`.
    static func span(_ milliseconds: Int64) -> String {
        switch milliseconds {
        case ..<1000: return "\(milliseconds)ms"
        case ..<60_000: return "\(milliseconds / 1000).\(milliseconds % 1000 / 100)s"
        default:
            let seconds = milliseconds / 1000 % 60
            return "\(milliseconds / 60_000)m\(seconds < 10 ? "0" : "")\(seconds)s"
        }
    }
}
