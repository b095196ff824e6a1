/// Which sequences of a range: a bit each, so that the largest ledger's matches are a few megabytes.
struct MatchSet: Sendable, Hashable {
    let range: ClosedRange<Int64>
    private(set) var count: Int64 = 0
    private var words: [UInt64]

    init(_ range: ClosedRange<Int64>) {
        self.range = range
        words = Array(repeating: 0, count: (range.count + 63) / 64)
    }

    /// What lies outside of the range is left out.
    mutating func insert(_ sequence: Int64) {
        guard range.contains(sequence), !contains(sequence) else { return }
        let place = Int(sequence - range.lowerBound)
        words[place / 64] |= 1 << UInt64(place % 64)
        count += 1
    }

    func contains(_ sequence: Int64) -> Bool {
        guard range.contains(sequence) else { return false }
        let place = Int(sequence - range.lowerBound)
        return words[place / 64] & 1 << UInt64(place % 64) != 0
    }

    /// The first run of members that begins at a sequence or later.
    func run(from sequence: Int64) -> ClosedRange<Int64>? {
        var first = max(sequence, range.lowerBound)
        while first <= range.upperBound, !contains(first) {
            let place = Int(first - range.lowerBound)
            // Whole words of nothing are stepped over.
            first += place % 64 == 0 && words[place / 64] == 0 ? 64 : 1
        }
        guard first <= range.upperBound else { return nil }
        var last = first
        while last < range.upperBound, contains(last + 1) { last += 1 }
        return first...last
    }

    var first: Int64? { run(from: range.lowerBound)?.lowerBound }

    var last: Int64? {
        var sequence = range.upperBound
        while sequence >= range.lowerBound {
            if contains(sequence) { return sequence }
            let place = Int(sequence - range.lowerBound)
            sequence -= place % 64 == 63 && words[place / 64] == 0 ? 64 : 1
        }
        return nil
    }
}
