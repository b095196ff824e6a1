import Shiplog
import Synchronization

/// Counts wrong tokens by address, so that nobody tries many; bounded, and never forgetful under pressure.
///
/// An address that has used up its failures is refused before its next token is looked at, right or wrong. When the
/// table is full, addresses that are not in it share one count: overflowing it makes nobody free.
final class AttemptLimiter: Sendable {
    private struct Count {
        var failures: Int
        var windowEnd: Timestamp
    }

    private struct State {
        var counts: [String: Count] = [:]
        var overflow: Count?
    }

    static let window: Int64 = 60_000
    static let capacity = 4096

    private let limit: Int
    private let state = Mutex(State())

    init(limit: Int) { self.limit = max(1, limit) }

    /// Takes one try, before the token is looked at: tries that run at the same time count each.
    /// - Returns: milliseconds to wait when there is none left; nil when it may go on.
    func take(_ address: String, at now: Timestamp) -> Int64? {
        let key = Self.bucket(address)
        return state.withLock { state in
            if state.counts[key] == nil, state.counts.count >= Self.capacity {
                state.counts = state.counts.filter { $0.value.windowEnd > now }
            }
            let isShared = state.counts[key] == nil && state.counts.count >= Self.capacity
            var count =
                (isShared ? state.overflow : state.counts[key]) ?? Count(failures: 0, windowEnd: now)
            if count.windowEnd <= now {
                count = Count(failures: 0, windowEnd: now.advanced(byMilliseconds: Self.window))
            }
            guard count.failures < limit else { return max(1, count.windowEnd.milliseconds - now.milliseconds) }
            count.failures += 1
            if isShared { state.overflow = count } else { state.counts[key] = count }
            return nil
        }
    }

    /// Gives a try back: the token was right.
    func giveBack(_ address: String) {
        let key = Self.bucket(address)
        state.withLock { state in
            if let count = state.counts[key] {
                state.counts[key]?.failures = max(0, count.failures - 1)
                if count.failures <= 1 { state.counts[key] = nil }
            } else if let count = state.overflow {
                state.overflow?.failures = max(0, count.failures - 1)
            }
        }
    }

    /// An IPv6 customer has a whole /64 to choose addresses from.
    static func bucket(_ address: String) -> String {
        guard address.contains(":") else { return address }
        let halves = address.split(separator: "%", maxSplits: 1)
        let groups = (halves.first ?? "").split(separator: ":", omittingEmptySubsequences: false)
        return groups.prefix(4).joined(separator: ":") + "::/64"
    }
}
