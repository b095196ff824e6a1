public import Shiplog
import Synchronization

/// A request that was refused and gets no event of its own: nobody knows who sent it, or its sender has had many already.
public struct Refusal: Sendable, Hashable {
    public let code: Failure.Code
    /// Whose token it came with, as it was the first time of a minute; for strangers only their address is known.
    public let actor: Actor
    /// What it asked for; nil where strangers are counted together, whatever they asked for.
    public let method: String?
    public let route: String?
    public let status: Int?
    /// The application that the request named.
    public let application: ApplicationReference?
    /// The token that the request named.
    public let namedToken: String?

    /// Of somebody unknown.
    /// - Parameter address: where it came from; the first of a minute is kept, as an erasable body.
    public init(code: Failure.Code, address: String? = nil) {
        self.code = code
        actor = Actor(name: "anonymous", means: .token, address: address)
        (method, route, status, application, namedToken) = (nil, nil, nil, nil, nil)
    }

    /// Of somebody known, who has had an event for each of this minute's until now.
    public init(
        code: Failure.Code, actor: Actor, method: String, route: String, status: Int,
        application: ApplicationReference? = nil, namedToken: String? = nil
    ) {
        self.code = code
        self.actor = actor
        self.method = method
        self.route = route
        self.status = status
        self.application = application
        self.namedToken = namedToken
    }
}

/// Counts refusals so that nobody can flood a store that never forgets. Of a minute, a code and, where they are known, a
/// token and what it asked for, the first is told at once and the rest together when the minute is over: a process that
/// dies loses how many there were, never that there were any.
final class RefusalCounter: Sendable {
    /// What is counted together: of somebody known what was asked for of what, of strangers an address.
    private struct Key: Hashable {
        var code: Failure.Code
        var token: String?
        var method: String?
        var route: String?
        var target: String?
        var address: String?

        var isOfStranger: Bool { address != nil }
    }

    /// Refusals of one key that no event has told yet.
    struct Window: Sendable {
        let refusal: Refusal
        var count: Int
        var first: Timestamp
        var last: Timestamp
    }

    private struct Minute: Sendable {
        let began: Timestamp
        var untold: Window?
    }

    /// Kinds of a minute that are told apart. What exceeds them is counted by its code alone, of which there are few.
    private static let limit = 256
    /// Addresses of strangers that are told apart.
    private static let addresses = 16
    private static let length: Int64 = 60_000
    private let minutes = Mutex<[Key: Minute]>([:])

    /// Counts one, and gives back what is to be told now: the rest of minutes that have ended, and the first of a new one.
    func count(_ refusal: Refusal, at now: Timestamp) -> [Window] {
        minutes.withLock { minutes in
            var told = Self.takeEnded(&minutes, at: now)
            var refusal = refusal
            var key = Self.key(refusal)
            let isFull =
                key.isOfStranger
                ? minutes.keys.count(where: \.isOfStranger) >= Self.addresses : minutes.count >= Self.limit
            if minutes[key] == nil, isFull {
                refusal = Refusal(code: refusal.code)
                key = Self.key(refusal)
            }
            if var minute = minutes[key] {
                var untold = minute.untold ?? Window(refusal: refusal, count: 0, first: now, last: now)
                untold.count += 1
                untold.last = max(untold.last, now)
                minute.untold = untold
                minutes[key] = minute
            } else {
                minutes[key] = Minute(began: now)
                told.append(Window(refusal: refusal, count: 1, first: now, last: now))
            }
            return told
        }
    }

    func ended(at now: Timestamp) -> [Window] {
        minutes.withLock { Self.takeEnded(&$0, at: now) }
    }

    func all() -> [Window] {
        minutes.withLock { minutes in
            defer { minutes = [:] }
            return minutes.values.compactMap(\.untold)
        }
    }

    private static func key(_ refusal: Refusal) -> Key {
        let token = refusal.actor.tokenID
        return Key(
            code: refusal.code, token: token, method: refusal.method, route: refusal.route,
            target: refusal.application?.uid.value ?? refusal.namedToken,
            address: token == nil ? refusal.actor.address : nil)
    }

    private static func takeEnded(_ minutes: inout [Key: Minute], at now: Timestamp) -> [Window] {
        let ended = minutes.filter { now.milliseconds - $0.value.began.milliseconds >= length || now < $0.value.began }
        for key in ended.keys { minutes[key] = nil }
        return ended.values.compactMap(\.untold)
    }
}

extension Ledger {
    /// Counts a refusal: the first of its minute and kind is durable when this returns; further ones become part of one
    /// more `request.refused` event, written with the next refusal after that minute, by `recordRefusals`, or when the
    /// ledger is closed.
    public func record(refusal: Refusal) async throws(Failure) {
        for window in refusals.count(refusal, at: now()) { try await record(window) }
    }

    /// Writes the counts of minutes that have passed; the server calls it about once a minute.
    public func recordRefusals() async throws(Failure) {
        for window in refusals.ended(at: now()) { try await record(window) }
    }

    /// Writes every count there is: nothing is lost by stopping.
    func flushRefusals() async {
        for window in refusals.all() { try? await record(window) }
    }

    private func record(_ window: RefusalCounter.Window) async throws(Failure) {
        let refusal = window.refusal
        try await record(
            Event(
                .requestRefused, application: refusal.application, actor: refusal.actor,
                outcome: refusal.status.map { $0 >= 500 } == true ? "failed" : "refused",
                facts: .members([
                    "code": .string(refusal.code.rawValue), "count": .integer(Int64(window.count)),
                    "first": EntryFields.time(window.first), "last": EntryFields.time(window.last),
                    "method": refusal.method.map { .string($0) }, "route": refusal.route.map { .string($0) },
                    "status": refusal.status.map { .integer(Int64($0)) },
                    "token": refusal.namedToken.map { .string($0) }
                ])))
    }
}
