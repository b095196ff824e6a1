import CCurl
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// One thread, one multi handle, one connection pool.
///
/// Orders reach the thread through a bounded inbox; nothing else touches libcurl. The thread ends when the loop is
/// released, and whatever is still under way then ends with an error.
final class CurlLoop: Sendable {
    struct Limits: Sendable {
        /// Transfers under way; more wait their turn, in order.
        var running: Int
        /// Transfers under way and waiting; more are refused.
        var outstanding: Int
        var connectionsPerHost: Int
    }

    private let inbox: CurlInbox

    init(_ limits: Limits) {
        inbox = CurlInbox(maximum: limits.outstanding)
        if let multi = inbox.multi {
            _ = shiplog_curl_multi_set_long(multi.pointer, CURLMOPT_MAX_HOST_CONNECTIONS, limits.connectionsPerHost)
            _ = shiplog_curl_multi_set_long(multi.pointer, CURLMOPT_PIPELINING, Int(CURLPIPE_MULTIPLEX))
            let inbox = inbox
            let started = startThread { CurlMachine(inbox, multi.pointer, running: limits.running).run() }
            if !started { inbox.abandon() }
        }
    }

    deinit { inbox.close() }

    /// Runs a request; cancelling the task ends it.
    func run(_ request: HTTPRequest) async -> Result<HTTPResponse, TransportError> {
        let id = inbox.nextID()
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                inbox.submit(.start(Submission(id, request, .whole(continuation))))
                // The handler below may have run before there was anything to cancel.
                if Task.isCancelled { inbox.post(.cancel(id)) }
            }
        } onCancel: {
            inbox.post(.cancel(id))
        }
    }

    /// Runs a request and hands on its lines one by one, or the bytes as they come, until `deliver` answers false.
    func run(
        _ request: HTTPRequest, isInLines: Bool = true, deliver: (_ line: [UInt8]) async -> Bool
    ) async -> Result<HTTPResponse, TransportError> {
        let id = inbox.nextID()
        let stream = LineStream(maximumLineBytes: isInLines ? request.maximumLineBytes : nil)
        return await withTaskCancellationHandler {
            inbox.submit(.start(Submission(id, request, .lines(stream))))
            if Task.isCancelled { inbox.post(.cancel(id)) }
            while true {
                switch await stream.next(resume: { inbox.post(.resume(id)) }) {
                case .end(let result): return result
                case .line(let line):
                    guard await deliver(line) else {
                        inbox.post(.cancel(id))
                        return .success(HTTPResponse(status: 200, headers: [], body: [], version: "1.1"))
                    }
                }
            }
        } onCancel: {
            inbox.post(.cancel(id))
        }
    }
}

struct Submission: Sendable {
    let id: UInt64
    let request: HTTPRequest
    let sink: CurlTransfer.Sink
    let deadline: ContinuousClock.Instant

    init(_ id: UInt64, _ request: HTTPRequest, _ sink: CurlTransfer.Sink) {
        self.id = id
        self.request = request
        self.sink = sink
        deadline = .now + .milliseconds(request.timeoutMilliseconds)
    }
}

/// Where other threads leave orders for the loop's.
final class CurlInbox: Sendable {
    enum Order: Sendable { case start(Submission), cancel(UInt64), resume(UInt64) }

    /// Unchecked: only the loop's thread uses the handle, but for `curl_multi_wakeup`, which libcurl allows from
    /// anywhere, and which runs under the inbox's lock so that the handle cannot be freed meanwhile.
    struct Multi: @unchecked Sendable { let pointer: UnsafeMutableRawPointer }

    private struct State {
        var orders: [Order] = []
        var outstanding = 0
        var lastID: UInt64 = 0
        var isClosed = false
        /// False once the thread has freed the handle.
        var isAlive = true
    }

    let multi: Multi?
    private let state = Mutex(State())
    private let maximum: Int

    init(maximum: Int) {
        self.maximum = maximum
        // curl_global_init is safe from several threads at once since 7.84 and counts its calls.
        let isReady = curl_global_init(Int(CURL_GLOBAL_DEFAULT)) == CURLE_OK
        multi = isReady ? curl_multi_init().map(Multi.init) : nil
        if multi == nil { state.withLock { $0.isClosed = true } }
    }

    func nextID() -> UInt64 {
        state.withLock { state in
            state.lastID &+= 1
            return state.lastID
        }
    }

    func submit(_ order: Order) {
        guard case .start(let submission) = order else { return post(order) }
        let refusal = state.withLock { state -> TransportError? in
            guard !state.isClosed else { return .closed }
            guard state.outstanding < maximum else {
                return TransportError(.busy, "\(maximum) requests are already waiting")
            }
            state.outstanding += 1
            state.orders.append(order)
            wake(state)
            return nil
        }
        if let refusal { submission.sink.deliver(.failure(refusal)) }
    }

    /// For transfers that were submitted: at most a few orders each, so that the inbox stays bounded.
    func post(_ order: Order) {
        state.withLock { state in
            guard !state.isClosed else { return }
            state.orders.append(order)
            wake(state)
        }
    }

    func close() {
        state.withLock { state in
            state.isClosed = true
            wake(state)
        }
    }

    private func wake(_ state: borrowing State) {
        if state.isAlive, let multi { _ = curl_multi_wakeup(multi.pointer) }
    }

    // MARK: The thread's side

    func drain() -> (orders: [Order], isClosed: Bool) {
        state.withLock { state in
            let orders = state.orders
            state.orders = []
            return (orders, state.isClosed)
        }
    }

    func ended(_ count: Int = 1) { state.withLock { $0.outstanding -= count } }

    /// No thread will ever drain it: refuses everything and frees the handle.
    func abandon() {
        let orders = state.withLock { state in
            state.isClosed = true
            state.isAlive = false
            let orders = state.orders
            state.orders = []
            return orders
        }
        for case .start(let submission) in orders { submission.sink.deliver(.failure(.closed)) }
        if let multi { _ = curl_multi_cleanup(multi.pointer) }
    }
}

/// The thread's own state.
private final class CurlMachine {
    private let inbox: CurlInbox
    private let multi: UnsafeMutableRawPointer
    private let maximumRunning: Int
    private var waiting: ArraySlice<Submission> = []
    private var running: [UInt64: CurlTransfer] = [:]

    init(_ inbox: CurlInbox, _ multi: UnsafeMutableRawPointer, running: Int) {
        self.inbox = inbox
        self.multi = multi
        maximumRunning = running
    }

    func run() {
        // With CURLOPT_NOSIGNAL libcurl leaves SIGPIPE alone, and OpenSSL writes to sockets without MSG_NOSIGNAL.
        var set = sigset_t()
        sigemptyset(&set)
        sigaddset(&set, SIGPIPE)
        pthread_sigmask(SIG_BLOCK, &set, nil)
        while true {
            let (orders, isClosed) = inbox.drain()
            for order in orders { obey(order) }
            if isClosed { break }
            admit()
            var count: Int32 = 0
            _ = curl_multi_perform(multi, &count)
            collect()
            // Whatever ended made room.
            if running.count < maximumRunning, !waiting.isEmpty { continue }
            _ = curl_multi_poll(multi, nil, 0, waiting.isEmpty ? 1000 : 100, nil)
        }
        for id in Array(running.keys) { end(id) { $0.finish(failure: .closed) } }
        for submission in waiting { submission.sink.deliver(.failure(.closed)) }
        inbox.abandon()
    }

    private func obey(_ order: CurlInbox.Order) {
        switch order {
        case .start(let submission): waiting.append(submission)
        case .cancel(let id):
            if running[id] != nil {
                end(id) { $0.finish(failure: .cancelled) }
            } else if let index = waiting.firstIndex(where: { $0.id == id }) {
                let submission = waiting.remove(at: index)
                inbox.ended()
                submission.sink.deliver(.failure(.cancelled))
            }
        case .resume(let id):
            if let transfer = running[id] { _ = curl_easy_pause(transfer.handle, shiplog_curl_continue) }
        }
    }

    private func admit() {
        let now = ContinuousClock.now
        while running.count < maximumRunning, let submission = waiting.popFirst() { start(submission, now) }
        // All wait under deadlines of their own, so the one that expires first need not be the first in line.
        while let index = waiting.firstIndex(where: { $0.deadline <= now }) { expire(waiting.remove(at: index)) }
    }

    private func expire(_ submission: Submission) {
        inbox.ended()
        submission.sink.deliver(.failure(TransportError(.timedOut, "no connection was free in time")))
    }

    private func start(_ submission: Submission, _ now: ContinuousClock.Instant) {
        let left = submission.deadline - now
        guard left > .zero else { return expire(submission) }
        let milliseconds = Int(left / .milliseconds(1))
        let isStream = if case .lines = submission.sink { true } else { false }
        guard
            let transfer = CurlTransfer(
                submission.id, sink: submission.sink, maximumBodyBytes: submission.request.maximumBodyBytes)
        else {
            inbox.ended()
            return submission.sink.deliver(.failure(TransportError(.busy, "out of memory")))
        }
        do throws(TransportError) {
            try transfer.prepare(submission.request, timeout: milliseconds, isStream: isStream)
        } catch {
            inbox.ended()
            return transfer.finish(failure: error)
        }
        guard curl_multi_add_handle(multi, transfer.handle) == CURLM_OK else {
            inbox.ended()
            return transfer.finish(failure: TransportError(.busy, "libcurl takes no further transfer"))
        }
        running[submission.id] = transfer
    }

    private func collect() {
        var result = CURLE_OK
        while let handle = shiplog_curl_multi_next_finished(multi, &result) {
            guard let context = shiplog_curl_get_private(handle) else { continue }
            let id = Unmanaged<CurlTransfer>.fromOpaque(context).takeUnretainedValue().id
            end(id) { $0.finish(result) }
        }
    }

    private func end(_ id: UInt64, tell: (CurlTransfer) -> Void) {
        guard let transfer = running.removeValue(forKey: id) else { return }
        // First the numbers, then the removal: it may close the connection they are about.
        tell(transfer)
        _ = curl_multi_remove_handle(multi, transfer.handle)
        inbox.ended()
    }
}

/// Starts a detached POSIX thread; false when the system has none left.
func startThread(_ body: @escaping @Sendable () -> Void) -> Bool {
    final class Box: Sendable {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }
    let context = Unmanaged.passRetained(Box(body))
    #if canImport(Darwin)
        var thread: pthread_t?
    #else
        var thread = pthread_t()
    #endif
    var attributes = pthread_attr_t()
    guard pthread_attr_init(&attributes) == 0 else {
        context.release()
        return false
    }
    defer { pthread_attr_destroy(&attributes) }
    pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
    let code = pthread_create(
        &thread, &attributes,
        { argument in
            #if canImport(Darwin)
                let pointer: UnsafeMutableRawPointer? = argument
            #else
                let pointer = argument
            #endif
            if let pointer { Unmanaged<Box>.fromOpaque(pointer).takeRetainedValue().body() }
            return nil
        }, context.toOpaque())
    if code != 0 { context.release() }
    return code == 0
}
