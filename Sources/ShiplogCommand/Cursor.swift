import Synchronization

/// How far a stream has been read; written where its lines arrive, read between two connections.
final class Cursor: Sendable {
    private let state: Mutex<(value: Int64, isLost: Bool)>

    init(_ value: Int64) { state = Mutex((value, false)) }

    var value: Int64 {
        get { state.withLock { $0.value } }
        set { state.withLock { $0.value = newValue } }
    }

    /// The server said that it has forgotten where this reader stands.
    var isLost: Bool {
        get { state.withLock { $0.isLost } }
        set { state.withLock { $0.isLost = newValue } }
    }
}
