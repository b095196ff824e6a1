import Crypto
import LedgerStore
import Logging
import Reconciling
import Shiplog
import Synchronization

/// Takes deliveries that have proved themselves, and carries them out one after the other.
final class WebhookDesk: Sendable {
    struct Delivery: Sendable {
        let provider: WebhookProvider
        let event: String
        /// The provider's own id for it; nil when it gave none.
        let id: String?
        let reading: WebhookReading
        let body: Shiplog.Digest
        let actor: Actor
    }

    enum Receipt: Sendable, Hashable {
        case accepted
        case repeated
        case busy
    }

    private struct State {
        var queue: [Delivery] = []
        var isClosed = false
        /// What was accepted, newest last.
        var seen: Set<Shiplog.Digest> = []
        var order: [Shiplog.Digest] = []
    }

    static let seenKept = 4096

    private let limit: Int
    private let controller: Controller
    private let ledger: Ledger
    private let logger: Logger
    private let state = Mutex(State())
    private let wakes: AsyncStream<Void>
    private let wake: AsyncStream<Void>.Continuation

    init(limit: Int, controller: Controller, ledger: Ledger, logger: Logger) {
        self.limit = max(1, limit)
        self.controller = controller
        self.ledger = ledger
        self.logger = logger
        (wakes, wake) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    /// Remembers the delivery unless it was accepted before. A full queue forgets it: the provider sends it again.
    func take(_ delivery: Delivery) -> Receipt {
        let mark = delivery.id.flatMap { id in
            var hash = SHA256()
            for part in [Array(delivery.provider.rawValue.utf8), Array(id.utf8), delivery.body.bytes] {
                hash.update(data: SHA256.hash(data: part).withUnsafeBytes { Array($0) })
            }
            return Shiplog.Digest(bytes: hash.finalize())
        }
        let receipt = state.withLock { state -> Receipt in
            if let mark, state.seen.contains(mark) { return .repeated }
            guard !state.isClosed, state.queue.count < limit else { return .busy }
            state.queue.append(delivery)
            guard let mark else { return .accepted }
            state.seen.insert(mark)
            state.order.append(mark)
            if state.order.count > Self.seenKept { state.seen.remove(state.order.removeFirst()) }
            return .accepted
        }
        wake.yield()
        return receipt
    }

    /// Carries deliveries out until cancelled; then what is left is still recorded.
    func run() async {
        for await _ in wakes {
            while let delivery = next() { await carryOut(delivery) }
        }
        state.withLock { $0.isClosed = true }
        while let delivery = next() { await carryOut(delivery) }
    }

    private func next() -> Delivery? {
        state.withLock { $0.queue.isEmpty ? nil : $0.queue.removeFirst() }
    }

    private func carryOut(_ delivery: Delivery) async {
        var names: [String] = []
        var facts: JSON = [
            "provider": .string(delivery.provider.rawValue), "event": .string(Self.short(delivery.event)),
            "body": .string(delivery.body.description), "verified": true
        ]
        var detail: JSON?
        if let id = delivery.id { facts["delivery"] = .string(Self.short(id)) }
        switch delivery.reading {
        case .ignored(let why): facts["ignored"] = .string(why)
        case .hint(let hint):
            names = await controller.wake(
                repositoryURLs: hint.repositories, branch: hint.branch, isDefault: hint.isDefault,
                actor: delivery.actor)
            if let branch = hint.branch { facts["branch"] = .string(Self.short(branch)) }
            facts["applications"] = .array(names.prefix(50).map { .string($0) })
            facts["woken"] = .integer(Int64(names.count))
            facts["matched"] = .bool(!names.isEmpty)
            // An address may carry a user and a password; the record wants neither.
            detail = ["repositories": .array(hint.repositories.map { .string(RepositoryAddress.comparable($0)) })]
        }
        do throws(Failure) {
            try await ledger.record(
                Event(
                    .webhookDelivered, actor: delivery.actor,
                    outcome: names.isEmpty ? "ignored" : "succeeded", facts: facts, detail: detail))
        } catch {
            logger.error("a delivery could not be recorded", metadata: ["code": "\(error.code)"])
        }
    }

    private static func short(_ text: String) -> String { String(text.prefix(200)) }
}
