import HTTPTypes
import Shiplog
import Synchronization

/// How many answers of one kind are given at once: each takes long, and reads as fast as its source gives.
final class AnswerPlaces: Sendable {
    private let taken = Mutex(0)
    private let limit: Int
    private let busy: Problem

    private init(limit: Int, _ code: Failure.Code, _ what: String) {
        self.limit = limit
        busy = Problem(
            .serviceUnavailable, code, "\(limit) \(what) already", remedy: "try again when one of them has ended",
            headers: [.retryAfter: "10"])
    }

    static func exports(limit: Int) -> AnswerPlaces {
        AnswerPlaces(
            limit: limit, "evidence.busy", "exports are being made")
    }

    static func logs(limit: Int) -> AnswerPlaces {
        AnswerPlaces(
            limit: limit, "request.too-many-logs", "logs are being read")
    }

    /// - Throws: `evidence.busy`, `request.too-many-logs`.
    func enter() throws(Problem) -> Place {
        let isFree = taken.withLock { taken in
            guard taken < limit else { return false }
            taken += 1
            return true
        }
        guard isFree else { throw busy }
        return Place(self)
    }

    /// Given back once, at the latest when nobody holds it any more: the client may be gone before the body begins.
    final class Place: Sendable {
        private let owner: AnswerPlaces
        private let isHeld = Mutex(true)

        fileprivate init(_ owner: AnswerPlaces) { self.owner = owner }

        deinit { leave() }

        func leave() {
            let wasHeld = isHeld.withLock { held in
                defer { held = false }
                return held
            }
            if wasHeld { owner.taken.withLock { $0 -= 1 } }
        }
    }
}
