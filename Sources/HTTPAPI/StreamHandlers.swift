import HTTPTypes
import Hummingbird
import LedgerStore
import NIOCore
import Reconciling
import Shiplog

/// `text/event-stream` (WHATWG HTML §9.2): every row of the log after a sequence, once and in order, and applications
/// as they change.
enum StreamHandlers {
    /// A reader further behind than this is told to look at everything anew.
    static let maximumLag: Int64 = 50_000

    @Sendable static func stream(_ call: Call) async throws -> Response {
        let start = try await start(call)
        let filter = Filter(
            names: Set(call.query.all("application")), includeUnchanged: try call.query.flag("includeUnchanged"))
        let hub = call.parts.streams
        let subscription = try hub.join(call.address)
        // A client that goes away before the answer's head is out never gets to the body, which leaves otherwise.
        call.channel.closeFuture.whenComplete { [address = call.address] _ in hub.leave(subscription, address) }
        let feed = Feed(call: call, subscription: subscription, filter: filter, cursor: start)
        var response = Response(
            status: .ok,
            headers: [
                .contentType: "text/event-stream; charset=utf-8", .cacheControl: "no-store", .accelBuffering: "no"
            ],
            body: ResponseBody { writer in
                defer { hub.leave(subscription, call.address) }
                try await feed.run(&writer)
                try await writer.finish(nil)
            })
        // HEAD answers without running the body, so nothing would ever leave.
        if call.request.method == .head {
            hub.leave(subscription, call.address)
            response.body = ResponseBody()
        }
        return response
    }

    /// `Last-Event-ID`, which a browser sends when it comes back, wins over the `after` of its first request.
    private static func start(_ call: Call) async throws -> SequenceNumber? {
        let given = try call.header(HTTPField.Name("Last-Event-ID") ?? .server) ?? call.query.one("after")
        guard let given else { return try await call.ledger.head() }
        guard let value = Int64(given), value >= 0 else {
            throw Problem.invalid("after", "must be a sequence, or 0 for the log's beginning")
        }
        return SequenceNumber(value)
    }

    struct Filter: Sendable {
        let names: Set<String>
        let includeUnchanged: Bool

        func takes(_ record: LedgerRecord) -> Bool {
            switch record {
            case .revision(let stored):
                (includeUnchanged || stored.value.sameAs == nil) && takes(stored.value.application.name)
            case .event(let stored):
                names.isEmpty || stored.value.application.map { takes($0.name) } ?? false
            }
        }

        func takes(_ name: String) -> Bool { names.isEmpty || names.contains(name) }
    }
}

/// One open stream.
private final class Feed: Sendable {
    private let call: Call
    private let subscription: StreamHub.Subscription
    private let filter: StreamHandlers.Filter
    private let start: SequenceNumber?

    init(
        call: Call, subscription: StreamHub.Subscription, filter: StreamHandlers.Filter, cursor: SequenceNumber?
    ) {
        self.call = call
        self.subscription = subscription
        self.filter = filter
        start = cursor
    }

    private var hub: StreamHub { call.parts.streams }

    func run(_ writer: inout any ResponseBodyWriter) async throws {
        var cursor = start
        var isAuditor = call.principal.may(.audit, .everything)
        let interval = call.parts.settings.limits.heartbeat
        var lastSign = ContinuousClock.now
        try await write("retry: 2000\n: shiplog\n\n", &writer)
        // The first look is without a wake: there may be rows already.
        var iterator = subscription.wakes.makeAsyncIterator()
        repeat {
            if call.parts.closing.isClosing || !call.channel.isActive { return }
            let news = subscription.take()
            let head = if let told = news.head { told } else { try await call.ledger.head() }
            if let head, head.value - (cursor?.value ?? 0) > StreamHandlers.maximumLag {
                return try await resync(&writer)
            }
            if news.isTooMuch { return try await resync(&writer) }
            while true {
                let rows = try await hub.rows(after: cursor, limit: 100)
                guard let newest = rows.last?.sequence else { break }
                let frames = rows.compactMap { frame($0, isAuditor: isAuditor) }
                if !frames.isEmpty {
                    try await write(frames.joined(), &writer)
                    lastSign = .now
                }
                cursor = newest
                if call.parts.closing.isClosing { return }
            }
            for name in news.applications.sorted() where filter.takes(name) {
                guard let text = await frame(application: name) else { continue }
                try await write(text, &writer)
                lastSign = .now
            }
            if lastSign.duration(to: .now) >= .milliseconds(interval / 2) {
                // A token may have been revoked, or have expired, since the stream was opened.
                guard let principal = try await stillAllowed() else { return }
                isAuditor = principal.may(.audit, .everything)
                try await write(": \(cursor?.value ?? 0)\n\n", &writer)
                lastSign = .now
            }
        } while await iterator.next() != nil
    }

    /// A token cannot be changed, only end: the same rights hold for as long as it does.
    private func stillAllowed() async throws -> Principal? {
        guard let now = try? await call.parts.authenticator.principal(call.request.head, address: call.address),
            now == call.principal
        else { return nil }
        return now
    }

    private func resync(_ writer: inout any ResponseBodyWriter) async throws {
        try await write("event: resync\ndata: {}\n\n", &writer)
    }

    private func frame(_ record: LedgerRecord, isAuditor: Bool) -> String? {
        guard filter.takes(record), call.principal.sees(record) else { return nil }
        let (kind, json): (String, JSON) =
            switch record {
            case .revision(let stored): ("revision", stored.projection())
            case .event(let stored): ("event", stored.projection(isAuditor: isAuditor))
            }
        return "id: \(record.sequence.value)\nevent: \(kind)\ndata: \(json.canonicalString)\n\n"
    }

    private func frame(application name: String) async -> String? {
        guard let status = await call.controller.status(of: name),
            call.principal.may(.read, Subject(status.registered.reference))
        else { return nil }
        return "event: application\ndata: \(status.projection().canonicalString)\n\n"
    }

    /// Writes, and closes the connection of a reader that takes nothing for two heartbeats.
    private func write(_ text: String, _ writer: inout any ResponseBodyWriter) async throws {
        let channel = call.channel
        let patience = TimeAmount.milliseconds(max(1000, call.parts.settings.limits.heartbeat * 2))
        let deadline = channel.eventLoop.scheduleTask(in: patience) { channel.close(promise: nil) }
        defer { deadline.cancel() }
        try await writer.write(ByteBuffer(string: text))
    }
}
