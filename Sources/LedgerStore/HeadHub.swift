public import Shiplog
import Synchronization

/// Tells whoever listens that the log has grown. A slow listener sees the newest head only: it reads the rest itself.
final class HeadHub: Sendable {
    private struct State {
        var head: SequenceNumber?
        var listeners: [Int: AsyncStream<SequenceNumber>.Continuation] = [:]
        var nextID = 0
        var isFinished = false
    }

    private let state = Mutex(State())

    func announce(_ head: SequenceNumber) {
        let listeners = state.withLock { state -> [AsyncStream<SequenceNumber>.Continuation] in
            state.head = head
            return Array(state.listeners.values)
        }
        for listener in listeners { listener.yield(head) }
    }

    func listen() -> AsyncStream<SequenceNumber> {
        let (stream, continuation) = AsyncStream.makeStream(
            of: SequenceNumber.self, bufferingPolicy: .bufferingNewest(1))
        let id = state.withLock { state -> Int? in
            guard !state.isFinished else { return nil }
            state.nextID += 1
            state.listeners[state.nextID] = continuation
            if let head = state.head { continuation.yield(head) }
            return state.nextID
        }
        guard let id else {
            continuation.finish()
            return stream
        }
        continuation.onTermination = { [weak self] _ in
            self?.state.withLock { _ = $0.listeners.removeValue(forKey: id) }
        }
        return stream
    }

    func finish() {
        let listeners = state.withLock { state -> [AsyncStream<SequenceNumber>.Continuation] in
            state.isFinished = true
            defer { state.listeners = [:] }
            return Array(state.listeners.values)
        }
        for listener in listeners { listener.finish() }
    }
}

extension Ledger {
    /// The head of the log: the present one at once, then the newest after each commit. A slow reader misses heads in
    /// between and never the last. Ends when the ledger is closed; a ledger opened for reading gives its first head only.
    public func changes() -> AsyncStream<SequenceNumber> { hub.listen() }
}
