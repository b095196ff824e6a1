/// How often and for how long a request is tried again.
public struct RetryPolicy: Sendable, Hashable {
    /// The first try included.
    public var attempts: Int
    /// Of the first wait; doubled each time, and drawn between half and the whole of it.
    public var firstMilliseconds: Int64
    /// Of one wait, `Retry-After` included.
    public var longestMilliseconds: Int64
    /// Of all tries and waits: no wait begins that would end later.
    public var totalMilliseconds: Int64

    public init(
        attempts: Int = 5, firstMilliseconds: Int64 = 200, longestMilliseconds: Int64 = 20_000,
        totalMilliseconds: Int64 = 60_000
    ) {
        self.attempts = max(1, attempts)
        self.firstMilliseconds = max(1, firstMilliseconds)
        self.longestMilliseconds = max(1, longestMilliseconds)
        self.totalMilliseconds = max(0, totalMilliseconds)
    }

    /// Before the try after so many failed ones, or nil when it is time to give up.
    /// - Parameters:
    ///   - asked: `Retry-After`, in milliseconds; a longer one than `longestMilliseconds` ends the tries.
    ///   - spent: since the first try began, in milliseconds.
    ///   - fraction: 0…1, at random.
    func wait(failed: Int, asked: Int64?, spent: Int64, fraction: Double) -> Int64? {
        guard failed < attempts else { return nil }
        let doubled = min(longestMilliseconds, firstMilliseconds << min(20, max(0, failed - 1)))
        let drawn = doubled / 2 + Int64(Double(doubled - doubled / 2) * min(1, max(0, fraction)))
        var wait = drawn
        if let asked {
            guard asked <= longestMilliseconds else { return nil }
            // Everybody was told the same: a little later each.
            wait = asked + drawn / 4
        }
        return spent + wait <= totalMilliseconds ? wait : nil
    }
}
