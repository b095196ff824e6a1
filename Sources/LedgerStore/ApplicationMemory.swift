import Shiplog
import Synchronization

/// Registered applications as the serving process last read them: the loop asks for the same one several times a look.
///
/// The process that serves is the only one that writes, so what it has not changed has not changed. Bounded.
final class ApplicationMemory: Sendable {
    private struct State {
        /// Counts changes of any application: what was read before one is not kept after it.
        var generation = 0
        var known: [ApplicationUID: RegisteredApplication] = [:]
    }

    static let capacity = 20_000
    private let state = Mutex(State())

    var generation: Int { state.withLock(\.generation) }

    func application(_ uid: ApplicationUID) -> RegisteredApplication? { state.withLock { $0.known[uid] } }

    /// - Parameter generation: as it was before the reading began.
    func keep(_ application: RegisteredApplication, readAt generation: Int) {
        state.withLock { state in
            guard state.generation == generation else { return }
            if state.known.count >= Self.capacity { state.known = [:] }
            state.known[application.uid] = application
        }
    }

    /// To be called after every write that may have changed it, whether it succeeded or not; nil forgets all.
    func forget(_ uid: ApplicationUID?) {
        state.withLock { state in
            state.generation += 1
            if let uid { state.known[uid] = nil } else { state.known = [:] }
        }
    }
}
