import Synchronization

/// A token bucket: so many requests a second, with a burst of as many.
final class RateLimit: Sendable {
    private let perSecond: Double
    /// When the bucket was, or will be, empty.
    private let emptyAt: Mutex<ContinuousClock.Instant>

    init(perSecond: Double) {
        self.perSecond = max(0.001, perSecond)
        emptyAt = Mutex(.now - .seconds(1))
    }

    /// Takes a place and answers how long to wait for it.
    func reserve() -> Duration {
        emptyAt.withLock { emptyAt in
            let now = ContinuousClock.now
            emptyAt = max(emptyAt, now - .seconds(1)) + .seconds(1 / perSecond)
            return max(.zero, emptyAt - now)
        }
    }
}
