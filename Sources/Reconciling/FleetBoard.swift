import Shiplog

/// Rollbacks of several applications that run now, and the newest hundred that have ended.
actor FleetBoard {
    static let kept = 100

    private var fleets: [SequenceNumber: Fleet] = [:]
    private var waiters: [SequenceNumber: [CheckedContinuation<Void, Never>]] = [:]
    private var isClosed = false
    /// Plans that are being checked: between the question whether anything has moved and the event that says it began.
    private var claims: [[ApplicationUID]] = []

    func set(_ fleet: Fleet) {
        fleets[fleet.group] = fleet
        wake(fleet.group)
        let ended = fleets.values.filter(\.isOver).map(\.group).sorted()
        for group in ended.dropLast(Self.kept) { fleets[group] = nil }
    }

    func set(_ result: Fleet.Result, at index: Int, of group: SequenceNumber) {
        guard var fleet = fleets[group], fleet.results.indices.contains(index) else { return }
        fleet.results[index] = result
        set(fleet)
    }

    func fleet(_ group: SequenceNumber) -> Fleet? { fleets[group] }

    /// Takes the applications for a plan that may begin, in one step: of two that come at once the second is refused.
    /// Give them back with `release`, after `set` or without it.
    /// - Throws: `fleet.busy`.
    func claim(_ orders: [FleetOrder], allowed: Int) throws(Failure) {
        guard fleets.values.count(where: { !$0.isOver }) + claims.count < allowed else {
            throw Failure(
                "fleet.busy", "\(allowed) rollbacks of several applications run already",
                remedy: "wait until one of them has ended")
        }
        let taken = busy.union(claims.joined())
        if let order = orders.first(where: { taken.contains($0.application.uid) }) {
            throw Failure(
                "fleet.busy", "another rollback of several applications still has \(order.application.name) to do",
                remedy: "wait until it has ended")
        }
        claims.append(orders.map(\.application.uid))
    }

    func release(_ orders: [FleetOrder]) {
        let uids = orders.map(\.application.uid)
        if let index = claims.firstIndex(of: uids) { claims.remove(at: index) }
    }

    /// Applications that a running fleet still has to do: no other may begin with them.
    private var busy: Set<ApplicationUID> {
        Set(
            fleets.values.filter { !$0.isOver }.flatMap { fleet in
                zip(fleet.request.orders, fleet.results).filter { !$0.1.isEnd }.map(\.0.application.uid)
            })
    }

    /// Waits for the next change, at most so long.
    func change(of group: SequenceNumber, waitingMilliseconds limit: Int64) async {
        guard let fleet = fleets[group], !fleet.isOver, limit > 0, !isClosed else { return }
        let timer = Task {
            try? await Task.sleep(for: .milliseconds(limit))
            self.wake(group)
        }
        await withCheckedContinuation { waiters[group, default: []].append($0) }
        timer.cancel()
    }

    func close() {
        isClosed = true
        for group in waiters.keys { wake(group) }
    }

    private func wake(_ group: SequenceNumber) {
        for waiter in waiters.removeValue(forKey: group) ?? [] { waiter.resume() }
    }
}
