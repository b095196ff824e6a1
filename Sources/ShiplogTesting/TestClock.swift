public import Shiplog
import Synchronization

/// A clock that goes when it is told to.
public final class TestClock: Sendable {
    private let time: Mutex<Timestamp>

    /// 2026-11-23T14:00:00Z unless told otherwise.
    public init(_ start: Timestamp = Timestamp(milliseconds: 1_795_442_400_000)) { time = Mutex(start) }

    public var now: Timestamp { time.withLock { $0 } }

    /// Also backwards.
    public func advance(byMilliseconds delta: Int64) {
        time.withLock { $0 = $0.advanced(byMilliseconds: delta) }
    }

    public func set(_ moment: Timestamp) { time.withLock { $0 = moment } }
}
