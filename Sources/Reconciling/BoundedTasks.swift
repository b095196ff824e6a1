/// Work that whoever asked for it does not wait for, such as the fetch behind a webhook: done by the loop's own tasks,
/// a few at a time, and ended with the loop.
actor BoundedTasks {
    typealias Work = @Sendable () async -> Void

    /// What may wait; whoever comes after that waits for room.
    static let capacity = 1000

    private let limit: Int
    private var waiting: [Work] = []
    private var takers: [CheckedContinuation<Work?, Never>] = []
    private var givers: [CheckedContinuation<Void, Never>] = []
    private var closed = false

    init(limit: Int) { self.limit = limit }

    /// Hands over work; waits while too much waits already.
    func run(_ work: @escaping Work) async {
        while waiting.count >= Self.capacity, !closed {
            await withCheckedContinuation { givers.append($0) }
        }
        guard !closed else { return }
        if takers.isEmpty {
            waiting.append(work)
        } else {
            takers.removeFirst().resume(returning: work)
        }
    }

    /// Does what is handed over, until closed.
    nonisolated func run() async {
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<limit {
                group.addTask { while let work = await self.next() { await work() } }
            }
        }
    }

    func close() {
        closed = true
        waiting = []
        for taker in takers { taker.resume(returning: nil) }
        takers = []
        for giver in givers { giver.resume() }
        givers = []
    }

    private func next() async -> Work? {
        if closed { return nil }
        if !waiting.isEmpty {
            let work = waiting.removeFirst()
            if !givers.isEmpty { givers.removeFirst().resume() }
            return work
        }
        return await withCheckedContinuation { takers.append($0) }
    }
}
