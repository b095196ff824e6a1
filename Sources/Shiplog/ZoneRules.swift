/// A time zone as a value: which offset from UTC holds from when on. Whoever reads the time-zone database makes it;
/// decisions ask the value alone.
public struct ZoneRules: Sendable, Hashable {
    public struct Transition: Sendable, Hashable {
        /// Seconds since 1970, UTC.
        public let at: Int64
        /// Seconds east of UTC from then on.
        public let offset: Int64

        public init(at: Int64, offset: Int64) {
            self.at = at
            self.offset = offset
        }
    }

    /// The IANA name.
    public let name: String
    /// Before the first transition.
    private let initial: Int64
    /// By time.
    private let transitions: [Transition]

    public static let utc = ZoneRules(name: "UTC", initial: 0, transitions: [])

    /// - Parameter transitions: in any order.
    public init(name: String, initial: Int64, transitions: [Transition]) {
        self.name = name
        self.initial = initial
        self.transitions = transitions.sorted { $0.at < $1.at }
    }

    public func offset(at second: Int64) -> Int64 { segment(at: second).offset }

    /// The stretch of time around a moment in which one offset holds.
    func segment(at second: Int64) -> (offset: Int64, end: Int64?, nextOffset: Int64) {
        var (low, high) = (0, transitions.count)
        while low < high {
            let middle = (low + high) / 2
            if transitions[middle].at <= second { low = middle + 1 } else { high = middle }
        }
        let offset = low == 0 ? initial : transitions[low - 1].offset
        guard low < transitions.count else { return (offset, nil, offset) }
        return (offset, transitions[low].at, transitions[low].offset)
    }
}

extension CronSchedule {
    /// How far ahead a start is looked for: 29 February comes once in eight years at the worst.
    static let horizon: Int64 = 9 * 366 * 86_400

    /// The first start after a moment; nil when there is none within nine years.
    ///
    /// When the clocks go forward, a start within the hour that is left out is at the moment they go; when they go back,
    /// a start within the hour that comes twice is twice: the wall clock says so both times.
    public func next(after second: Int64, in zone: ZoneRules) -> Int64? {
        let limit = second + Self.horizon
        var from = second + 1
        while from < limit {
            let segment = zone.segment(at: from)
            let end = min(segment.end ?? limit, limit)
            if let wall = first(from: from + segment.offset, before: end + segment.offset) {
                return wall - segment.offset
            }
            guard let transition = segment.end, transition < limit else { return nil }
            if segment.nextOffset > segment.offset,
                first(from: transition + segment.offset, before: transition + segment.nextOffset) != nil
            {
                return transition
            }
            from = transition
        }
        return nil
    }
}
