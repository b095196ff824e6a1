import HTTPTypes
import LedgerStore
import Logging
import Reconciling
import Shiplog
import Synchronization

/// Tells every open stream that the log has grown or an application has changed.
///
/// A stream has a cursor and reads the log itself, so a slow one needs no queue of rows; what waits for it is bounded:
/// the newest head, and the names of changed applications. Rows that were just read are kept encoded for all.
final class StreamHub: Sendable {
    /// What has happened since a stream last looked.
    struct News: Sendable {
        var head: SequenceNumber?
        var applications: Set<String> = []
        /// More applications changed than are kept: the reader has to look at all.
        var isTooMuch = false
    }

    final class Subscription: Sendable {
        static let applicationsKept = 1000

        let id: Int
        let wakes: AsyncStream<Void>
        private let wake: AsyncStream<Void>.Continuation
        private let news = Mutex(News())

        init(id: Int) {
            self.id = id
            (wakes, wake) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        }

        func tell(head: SequenceNumber? = nil, application: String? = nil) {
            news.withLock { news in
                if let head { news.head = head }
                guard let application, !news.isTooMuch else { return }
                news.applications.insert(application)
                if news.applications.count > Self.applicationsKept {
                    news.isTooMuch = true
                    news.applications = []
                }
            }
            wake.yield()
        }

        /// Makes it look around although nothing has happened: time for a heartbeat.
        func nudge() { wake.yield() }

        func take() -> News {
            news.withLock { news in
                defer { news = News(head: news.head) }
                return news
            }
        }

        func finish() { wake.finish() }
    }

    private struct State {
        var subscriptions: [Int: Subscription] = [:]
        var byAddress: [String: Int] = [:]
        var next = 0
        var polls = 0
        var isClosed = false
        var head: SequenceNumber?
        /// The newest rows of the log without a gap, oldest first.
        var recent: [LedgerRecord] = []
    }

    static let recentKept = 1024

    private let ledger: Ledger
    private let controller: Controller
    private let limits: ServerSettings.Limits
    private let metrics: Metrics
    private let logger: Logger
    private let state = Mutex(State())

    init(
        ledger: Ledger, controller: Controller, limits: ServerSettings.Limits, metrics: Metrics, closing: Closing,
        logger: Logger
    ) {
        self.ledger = ledger
        self.controller = controller
        self.limits = limits
        self.metrics = metrics
        self.logger = logger
        closing.whenClosing { [weak self] in self?.close() }
    }

    var count: Int { state.withLock { $0.subscriptions.count } }

    // MARK: - Running

    /// Reads the log as it grows, until cancelled.
    func run() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.followLog() }
            group.addTask {
                for await name in await self.controller.statusChanges() {
                    for subscription in self.all { subscription.tell(application: name) }
                }
            }
            group.addTask {
                let interval = self.limits.heartbeat
                while !Task.isCancelled {
                    do { try await Task.sleep(for: .milliseconds(interval)) } catch { return }
                    for subscription in self.all { subscription.nudge() }
                }
            }
        }
    }

    private func followLog() async {
        var last = (try? await ledger.head()) ?? nil
        state.withLock { $0.head = last }
        for await _ in ledger.changes() {
            while !Task.isCancelled {
                let records: [LedgerRecord]
                do throws(Failure) {
                    records = try await ledger.log(after: last, limit: 256)
                } catch {
                    if Task.isCancelled { return }
                    logger.error("the log cannot be followed", metadata: ["code": "\(error.code)"])
                    break
                }
                guard let newest = records.last?.sequence else { break }
                last = newest
                for record in records { metrics.count(record) }
                let listeners = state.withLock { state -> [Subscription] in
                    state.head = newest
                    state.recent.append(contentsOf: records)
                    if state.recent.count > Self.recentKept {
                        state.recent.removeFirst(state.recent.count - Self.recentKept)
                    }
                    return Array(state.subscriptions.values)
                }
                for listener in listeners { listener.tell(head: newest) }
            }
        }
    }

    private var all: [Subscription] { state.withLock { Array($0.subscriptions.values) } }

    /// The next rows after a sequence, from memory where it reaches.
    func rows(after sequence: SequenceNumber?, limit: Int) async throws(Failure) -> [LedgerRecord] {
        let recent = state.withLock { state -> [LedgerRecord]? in
            // Only when nothing lies between what is asked for and what is kept.
            guard let sequence, let first = state.recent.first?.sequence, first.value - 1 <= sequence.value else {
                return nil
            }
            return Array(state.recent.lazy.drop { $0.sequence <= sequence }.prefix(limit))
        }
        if let recent { return recent }
        return try await ledger.log(after: sequence, limit: limit)
    }

    // MARK: - Joining and leaving

    /// - Throws: `stream.too-many` when the address, or the server, has as many as it may.
    func join(_ address: String) throws(Problem) -> Subscription {
        let bucket = AttemptLimiter.bucket(address)
        let joined = state.withLock { state -> Subscription? in
            guard !state.isClosed, state.subscriptions.count < limits.streams,
                state.byAddress[bucket, default: 0] < limits.streamsPerAddress
            else { return nil }
            state.next += 1
            let subscription = Subscription(id: state.next)
            state.subscriptions[subscription.id] = subscription
            state.byAddress[bucket, default: 0] += 1
            return subscription
        }
        guard let joined else {
            throw Problem(
                .serviceUnavailable, "stream.too-many", "too many event streams are open",
                remedy: "close some, or ask for pages instead", headers: [.retryAfter: "15"])
        }
        return joined
    }

    func leave(_ subscription: Subscription, _ address: String) {
        let bucket = AttemptLimiter.bucket(address)
        subscription.finish()
        state.withLock { state in
            guard state.subscriptions.removeValue(forKey: subscription.id) != nil else { return }
            let left = state.byAddress[bucket, default: 1] - 1
            state.byAddress[bucket] = left > 0 ? left : nil
        }
    }

    /// Ends every stream; clients come back to whoever serves then.
    func close() {
        let subscriptions = state.withLock { state in
            state.isClosed = true
            return Array(state.subscriptions.values)
        }
        for subscription in subscriptions { subscription.finish() }
    }

    /// Counts an answer that waits; more than the limit are answered at once.
    func whilePolling<Value>(_ body: () async throws -> Value) async throws -> Value {
        let isAllowed = state.withLock { state in
            guard state.polls < limits.longPolls else { return false }
            state.polls += 1
            return true
        }
        guard isAllowed else {
            throw Problem(
                .serviceUnavailable, "request.too-many-polls", "too many requests wait already",
                remedy: "ask again without wait", headers: [.retryAfter: "2"])
        }
        defer { state.withLock { $0.polls -= 1 } }
        return try await body()
    }
}
