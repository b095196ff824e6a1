/// How many workers work at the same time; one that waits for the cluster lends its place to another.
///
/// Whoever has waited goes on without a place, so for a moment a few more may work than there are places: at most as many
/// as there are workers.
actor Places {
    private var free: Int
    private var isClosed = false
    private var waiters: [CheckedContinuation<Bool, Never>] = []

    init(_ count: Int) { free = count }

    /// Waits for a place.
    /// - Returns: false once there is nothing more to do.
    func take() async -> Bool {
        if isClosed { return false }
        if free > 0 {
            free -= 1
            return true
        }
        return await withCheckedContinuation { waiters.append($0) }
    }

    func giveBack() {
        if waiters.isEmpty { free += 1 } else { waiters.removeFirst().resume(returning: true) }
    }

    func close() {
        isClosed = true
        for waiter in waiters { waiter.resume(returning: false) }
        waiters = []
    }
}
