import Dispatch
import Shiplog
import Synchronization

/// A few serial queues that libgit2's blocking reads run on, so that none holds a thread of Swift's own pool. A mirror
/// always has the same lane; the lane owns its handle.
final class Lanes: Sendable {
    private let lanes: [Lane]

    init(count: Int) {
        lanes = (0..<max(1, count)).map { Lane(name: "git-\($0)") }
    }

    func lane(for digest: String) -> Lane {
        lanes[Int(digest.utf8.reduce(0) { ($0 &* 31 &+ UInt32($1)) & 0xFFFF }) % lanes.count]
    }
}

final class Lane: Sendable {
    private struct Open {
        var mirrors: [String: OpenMirror] = [:]
        /// Least recently used first; the oldest is closed when there are more than `limit`.
        var order: [String] = []
    }

    private static let limit = 32
    private let queue: DispatchQueue
    /// Only ever locked on the queue, but for `forget`: the lock hands the handles from thread to thread.
    private let open = Mutex(Open())

    init(name: String) {
        queue = DispatchQueue(label: name)
    }

    /// Runs a read on the lane. A read that fails because the mirror changed below it (Git packs anew and deletes old
    /// packs) is run once more with a fresh handle.
    func read<Value: Sendable>(
        _ path: String, epoch: Int, _ body: @escaping @Sendable (OpenMirror) throws(Failure) -> Value
    ) async throws(Failure) -> Value {
        let result: Result<Value, Failure> = await withCheckedContinuation { continuation in
            queue.async { continuation.resume(returning: self.perform(path, epoch, body)) }
        }
        return try result.get()
    }

    /// The same for a caller that may block.
    func readBlocking<Value: Sendable>(
        _ path: String, epoch: Int, _ body: @escaping @Sendable (OpenMirror) throws(Failure) -> Value
    ) throws(Failure) -> Value {
        try queue.sync { perform(path, epoch, body) }.get()
    }

    /// Closes the mirror's handle and does what must not meet a read.
    func exclusively<Value>(_ path: String, _ body: () throws(Failure) -> Value) throws(Failure) -> Value {
        let result: Result<Value, Failure> = queue.sync {
            open.withLock { close(path, &$0) }
            do throws(Failure) {
                return .success(try body())
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    private func perform<Value: Sendable>(
        _ path: String, _ epoch: Int, _ body: @Sendable (OpenMirror) throws(Failure) -> Value
    ) -> Result<Value, Failure> {
        open.withLock { open in
            var isSecond = false
            while true {
                do throws(Failure) {
                    let mirror = try mirror(path, &open)
                    try mirror.refresh(epoch: epoch)
                    return .success(try body(mirror))
                } catch {
                    guard error.code == Libgit2.broken || error.code == Libgit2.unusable else { return .failure(error) }
                    close(path, &open)
                    if isSecond { return .failure(error) }
                    isSecond = true
                }
            }
        }
    }

    private func mirror(_ path: String, _ open: inout Open) throws(Failure) -> OpenMirror {
        if let mirror = open.mirrors[path] {
            if open.order.last != path {
                open.order.removeAll { $0 == path }
                open.order.append(path)
            }
            return mirror
        }
        let mirror = try OpenMirror(path)
        open.mirrors[path] = mirror
        open.order.append(path)
        if open.order.count > Self.limit, let oldest = open.order.first { close(oldest, &open) }
        return mirror
    }

    private func close(_ path: String, _ open: inout Open) {
        open.mirrors[path] = nil
        open.order.removeAll { $0 == path }
    }
}

/// Threads that run children which talk to the network: at most so many at once, the rest wait in order.
final class Workers: Sendable {
    private struct State {
        var running = 0
        var waiting: [@Sendable () -> Void] = []
    }

    private let limit: Int
    private let queue = DispatchQueue(label: "git-network", attributes: .concurrent)
    private let state = Mutex(State())

    init(limit: Int) {
        self.limit = max(1, limit)
    }

    /// Bounded by the number of repositories: each submits at most one piece of work at a time.
    func submit(_ work: @escaping @Sendable () -> Void) {
        let starts = state.withLock { state in
            guard state.running < limit else {
                state.waiting.append(work)
                return false
            }
            state.running += 1
            return true
        }
        if starts { run(work) }
    }

    private func run(_ work: @escaping @Sendable () -> Void) {
        queue.async {
            work()
            let next: (@Sendable () -> Void)? = self.state.withLock { state in
                guard !state.waiting.isEmpty else {
                    state.running -= 1
                    return nil
                }
                return state.waiting.removeFirst()
            }
            if let next { self.run(next) }
        }
    }
}
