import HTTPAPI
import LedgerStore
import Logging
import Reconciling
import ServiceLifecycle
import Shiplog

/// The loop as a service: a graceful stop lets what is in flight end, for a while, and leaves the rest to recovery.
struct ControllerService: Service {
    let controller: Controller
    let log: LogKeeper

    func run() async throws {
        let loop = Task { try await controller.run { [log] in try await log.waitUntilConfirmed() } }
        try await withTaskCancellationHandler {
            try await withGracefulShutdownHandler {
                do {
                    try await loop.value
                } catch {
                    // Whatever a read says that was stopped in the middle: being stopped is no failure.
                    guard loop.isCancelled else { throw error }
                }
            } onGracefulShutdown: {
                Task {
                    await controller.drain()
                    loop.cancel()
                }
            }
        } onCancel: {
            loop.cancel()
        }
    }
}

/// Signs a checkpoint after each commit. It goes on while the others stop, for they still append.
struct LogService: Service {
    let log: LogKeeper
    let logger: Logger

    func run() async throws {
        let work = Task {
            await log.run { failure in
                logger.error(
                    "no checkpoint could be signed",
                    metadata: ["code": "\(failure.code)", "message": "\(failure.message)"])
            }
        }
        await withTaskCancellationHandler {
            await withGracefulShutdownHandler {
                await work.value
            } onGracefulShutdown: {
                work.cancel()
            }
        } onCancel: {
            work.cancel()
        }
    }
}

struct ServerService: Service {
    let server: Server

    func run() async throws { try await server.run() }
}

/// Ends the server when a write to the ledger has failed for good: what the disk then holds is told by opening it anew.
struct LedgerEndService: Service {
    let end: Promise<Failure>

    func run() async throws {
        let waiting = Task { try? await end.kept }
        let failure = await withTaskCancellationHandler {
            await withGracefulShutdownHandler {
                await waiting.value
            } onGracefulShutdown: {
                waiting.cancel()
            }
        } onCancel: {
            waiting.cancel()
        }
        if let failure { throw failure }
    }
}

/// A piece of work beside the server, such as the demo's tour.
struct StoryService: Service {
    let body: @Sendable () async throws -> Void

    func run() async throws {
        let work = Task { try await body() }
        try await withTaskCancellationHandler {
            try await withGracefulShutdownHandler {
                try await work.value
            } onGracefulShutdown: {
                work.cancel()
            }
        } onCancel: {
            work.cancel()
        }
    }
}

/// A value that somebody waits for once, unless they are cancelled first.
actor Promise<Value: Sendable> {
    private var value: Value?
    private var waiting: [Int: CheckedContinuation<Value, any Error>] = [:]
    private var next = 0

    func keep(_ value: Value) {
        guard self.value == nil else { return }
        self.value = value
        for waiter in waiting.values { waiter.resume(returning: value) }
        waiting = [:]
    }

    /// - Throws: `CancellationError`.
    var kept: Value {
        get async throws {
            if let value { return value }
            next += 1
            let id = next
            return try await withTaskCancellationHandler {
                try await withCheckedThrowingContinuation { continuation in
                    if Task.isCancelled {
                        continuation.resume(throwing: CancellationError())
                    } else {
                        waiting[id] = continuation
                    }
                }
            } onCancel: {
                Task { await self.give(up: id) }
            }
        }
    }

    private func give(up id: Int) { waiting.removeValue(forKey: id)?.resume(throwing: CancellationError()) }
}
