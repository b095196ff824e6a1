import HTTPTypes
import LedgerStore
import Shiplog
import Synchronization

/// Counters since the process began. Labels come from closed sets or are counted to a bound: a stranger cannot make the
/// page grow.
final class Metrics: Sendable {
    struct Request: Hashable, Comparable {
        let route: String
        let method: String
        let code: Int

        static func < (left: Request, right: Request) -> Bool {
            (left.route, left.method, left.code) < (right.route, right.method, right.code)
        }
    }

    struct Act: Hashable, Comparable {
        let application: ApplicationUID
        let name: String
        let project: String
        let kind: String
        let outcome: String

        static func < (left: Act, right: Act) -> Bool {
            (left.name, left.kind, left.outcome, left.application)
                < (right.name, right.kind, right.outcome, right.application)
        }
    }

    struct Snapshot {
        var requests: [Request: Int] = [:]
        var requestTimes: [String: Histogram] = [:]
        var acts: [Act: Int] = [:]
        var actTimes: [String: Histogram] = [:]
        /// The last finished sync or rollback of an application, in milliseconds since 1970.
        var lastSyncs: [ApplicationUID: Int64] = [:]
        var events: [String: Int] = [:]
        var deliveries: [String: Int] = [:]
    }

    /// Series of one name at most; further ones are left out.
    static let seriesKept = 20_000

    private let state = Mutex(Snapshot())

    var snapshot: Snapshot { state.withLock { $0 } }

    func count(route: String, method: HTTPRequest.Method, status: HTTPResponse.Status, took: Duration) {
        let known: Set<String> = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"]
        let word = known.contains(method.rawValue) ? method.rawValue : "other"
        state.withLock { state in
            Self.increment(&state.requests, Request(route: route, method: word, code: status.code))
            state.requestTimes[route, default: Histogram(.request)].add(took / .seconds(1))
        }
    }

    /// A row of the log, as it was appended.
    func count(_ record: LedgerRecord) {
        state.withLock { state in
            switch record {
            case .event(let stored): Self.increment(&state.events, stored.value.kind.rawValue)
            case .revision(let stored):
                let revision = stored.value
                let act = Act(
                    application: revision.application.uid, name: revision.application.name,
                    project: revision.application.project, kind: revision.kind.rawValue,
                    outcome: revision.outcome.word)
                Self.increment(&state.acts, act)
                let seconds =
                    Double(max(0, revision.finishedAt.milliseconds &- revision.startedAt.milliseconds)) / 1000
                state.actTimes[act.kind, default: Histogram(.work)].add(seconds)
                if revision.kind != .reconcile, state.lastSyncs.count < Self.seriesKept {
                    state.lastSyncs[revision.application.uid] = revision.finishedAt.milliseconds
                }
            }
        }
    }

    /// - Parameter result: `accepted`, `ignored`, `repeated`, `refused`, `busy`.
    func count(delivery provider: String, result: String) {
        state.withLock { Self.increment(&$0.deliveries, provider + " " + result) }
    }

    private static func increment<Key: Hashable>(_ counts: inout [Key: Int], _ key: Key) {
        guard counts[key] != nil || counts.count < seriesKept else { return }
        counts[key, default: 0] += 1
    }
}

/// How often a duration was at most so many seconds.
struct Histogram: Sendable {
    enum Scale: Sendable {
        /// Answers to requests.
        case request
        /// Reconciles, syncs and rollbacks.
        case work
    }

    let bounds: [Double]
    private(set) var counts: [Int]
    private(set) var sum = 0.0
    private(set) var count = 0

    init(_ scale: Scale) {
        bounds =
            switch scale {
            case .request: [0.001, 0.005, 0.025, 0.1, 0.5, 1, 5, 30]
            case .work: [0.05, 0.25, 0.5, 1, 2, 4, 8, 16, 60, 300]
            }
        counts = Array(repeating: 0, count: bounds.count)
    }

    mutating func add(_ value: Double) {
        for (index, bound) in bounds.enumerated() where value <= bound { counts[index] += 1 }
        sum += value
        count += 1
    }
}
