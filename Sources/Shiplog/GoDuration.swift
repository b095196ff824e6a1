/// Durations as Go and Argo CD write them: `5s`, `3m0s`, `1h30m`, `1.5s`; a number alone is seconds.
public enum GoDuration {
    /// In milliseconds, what is smaller cut off; nil for anything else, for negative ones and for more than ten years.
    public static func milliseconds(_ text: String) -> Int64? {
        let units: [(String, Double)] = [
            ("ns", 1e-6), ("us", 1e-3), ("µs", 1e-3), ("μs", 1e-3), ("ms", 1), ("s", 1000), ("m", 60_000),
            ("h", 3_600_000)
        ]
        if let seconds = Int64(text), !text.hasPrefix("+") { return bounded(Double(seconds) * 1000) }
        var rest = text[...]
        guard !rest.isEmpty else { return nil }
        var total = 0.0
        while !rest.isEmpty {
            let number = rest.prefix { ("0"..."9").contains($0) || $0 == "." }
            guard let value = Double(number) else { return nil }
            rest = rest.dropFirst(number.count)
            let unit = rest.prefix { $0.isLetter }
            guard let factor = units.first(where: { $0.0 == unit })?.1 else { return nil }
            rest = rest.dropFirst(unit.count)
            total += value * factor
        }
        return bounded(total)
    }

    private static func bounded(_ milliseconds: Double) -> Int64? {
        milliseconds >= 0 && milliseconds <= 315_360_000_000 ? Int64(milliseconds) : nil
    }
}
