import HTTPAPI
import Logging
import Reconciling
import ServiceLifecycle
import Shiplog

/// The loop as a service: a graceful stop lets what is in flight end, for a while, and leaves the rest to recovery.
struct ControllerService: Service {
    let controller: Controller

    func run() async throws {
        let loop = Task { try await controller.run() }
        try await withTaskCancellationHandler {
            try await withGracefulShutdownHandler {
                try await loop.value
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

struct ServerService: Service {
    let server: Server

    func run() async throws { try await server.run() }
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

/// A value that somebody waits for once.
actor Promise<Value: Sendable> {
    private var value: Value?
    private var waiting: [CheckedContinuation<Value, Never>] = []

    func keep(_ value: Value) {
        guard self.value == nil else { return }
        self.value = value
        for waiter in waiting { waiter.resume(returning: value) }
        waiting = []
    }

    var kept: Value {
        get async {
            if let value { return value }
            return await withCheckedContinuation { waiting.append($0) }
        }
    }
}
