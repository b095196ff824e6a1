/// Milliseconds that only grow: for waits and durations, never for the record.
enum Monotonic {
    private static let start = ContinuousClock.now

    static var milliseconds: Int64 { (ContinuousClock.now - start).milliseconds }
}

extension Duration {
    var milliseconds: Int64 { components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000 }
}
