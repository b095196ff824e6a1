public import Shiplog
import Synchronization

/// A request that was refused before anybody knew who sent it.
public struct Refusal: Sendable, Hashable {
    public let code: Failure.Code
    /// Where it came from; the first of a minute is kept, as an erasable body.
    public let address: String?

    public init(code: Failure.Code, address: String? = nil) {
        self.code = code
        self.address = address
    }
}

/// Counts refusals so that strangers cannot flood a store that never forgets: one event a minute and code.
final class RefusalCounter: Sendable {
    struct Window: Sendable {
        var count = 0
        var first: Timestamp
        var last: Timestamp
        var address: String?
    }

    /// Codes are ours, so there are few; whatever exceeds this is counted together.
    private static let limit = 32
    private static let length: Int64 = 60_000
    private let windows = Mutex<[Failure.Code: Window]>([:])

    /// Counts one, and gives back the windows that have ended by now.
    func count(_ refusal: Refusal, at now: Timestamp) -> [(Failure.Code, Window)] {
        windows.withLock { windows in
            let ended = Self.takeEnded(&windows, at: now)
            let code = windows[refusal.code] == nil && windows.count >= Self.limit ? "request.refused" : refusal.code
            var window = windows[code] ?? Window(first: now, last: now, address: refusal.address)
            window.count += 1
            window.last = max(window.last, now)
            windows[code] = window
            return ended
        }
    }

    func ended(at now: Timestamp) -> [(Failure.Code, Window)] {
        windows.withLock { Self.takeEnded(&$0, at: now) }
    }

    func all() -> [(Failure.Code, Window)] {
        windows.withLock { windows in
            defer { windows = [:] }
            return windows.map { ($0.key, $0.value) }
        }
    }

    private static func takeEnded(
        _ windows: inout [Failure.Code: Window], at now: Timestamp
    ) -> [(Failure.Code, Window)] {
        let ended = windows.filter {
            now.milliseconds - $0.value.first.milliseconds >= length || now < $0.value.first
        }
        for code in ended.keys { windows[code] = nil }
        return ended.map { ($0.key, $0.value) }
    }
}

extension Ledger {
    /// Counts a refusal of somebody unknown. It becomes part of one `request.refused` event for its minute and code,
    /// written with the next refusal after that minute, by `flushRefusals`, or when the ledger is closed.
    public func record(refusal: Refusal) async throws(Failure) {
        for (code, window) in refusals.count(refusal, at: now()) { try await record(code, window) }
    }

    /// Writes the counts of minutes that have passed; the server calls it about once a minute.
    public func recordRefusals() async throws(Failure) {
        for (code, window) in refusals.ended(at: now()) { try await record(code, window) }
    }

    /// Writes every count there is: nothing is lost by stopping.
    func flushRefusals() async {
        for (code, window) in refusals.all() { try? await record(code, window) }
    }

    private func record(_ code: Failure.Code, _ window: RefusalCounter.Window) async throws(Failure) {
        try await record(
            Event(
                .requestRefused, actor: Actor(name: "anonymous", means: .token, address: window.address),
                outcome: "refused",
                facts: [
                    "code": .string(code.rawValue), "count": .integer(Int64(window.count)),
                    "first": EntryFields.time(window.first), "last": EntryFields.time(window.last)
                ]))
    }
}
