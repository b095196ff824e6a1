import HTTPTypes
import Hummingbird
import KubernetesAPI
import LedgerStore
import Logging
import NIOCore
import Shiplog
import ShiplogTesting
import Synchronization
import Testing

@testable import Notifying

/// Somebody who is told: a real HTTP server that answers what a test says, and keeps what it was told.
final class Receiver: Sendable {
    struct Call: Sendable {
        let path: String
        let headers: [String: String]
        let body: String

        var json: JSON? { try? JSON(parsing: Array(body.utf8)) }
        /// The row it tells of.
        var sequence: Int64? { json?["sequence"]?.string.flatMap { Int64($0) } }
        var id: String? { headers["webhook-id"] }
    }

    /// nil never answers.
    typealias Answer = (status: Int, headers: [String: String])?
    private let answering: Mutex<@Sendable (Call) -> Answer>
    private let seen = Mutex<[Call]>([])

    private init(_ answer: @escaping @Sendable (Call) -> Answer) { answering = Mutex(answer) }

    var calls: [Call] { seen.withLock(\.self) }
    func answer(_ answer: @escaping @Sendable (Call) -> Answer) { answering.withLock { $0 = answer } }

    static func run(
        _ answer: @escaping @Sendable (Call) -> Answer = { _ in (204, [:]) },
        _ body: @escaping @Sendable (Receiver, String) async throws -> Void
    ) async throws {
        let receiver = Receiver(answer)
        let router = Router()
        router.on("**", method: .post) { request, _ in try await receiver.take(request) }
        router.on("**", method: .get) { request, _ in try await receiver.take(request) }
        let (ports, port) = AsyncStream.makeStream(of: Int.self, bufferingPolicy: .bufferingNewest(1))
        var quiet = Logger(label: "receiver")
        quiet.logLevel = .critical
        let application = Application(
            router: router, configuration: .init(address: .hostname("127.0.0.1", port: 0)),
            onServerRunning: { port.yield($0.localAddress?.port ?? 0) }, logger: quiet)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await application.runService(gracefulShutdownSignals: []) }
            let number = try #require(await ports.first { _ in true })
            try await body(receiver, "http://127.0.0.1:\(number)")
            group.cancelAll()
        }
    }

    private func take(_ request: Request) async throws -> Response {
        var request = request
        let buffer = try await request.collectBody(upTo: 1 << 20)
        let call = Call(
            path: request.uri.path,
            headers: Dictionary(
                request.headers.map { ($0.name.canonicalName, $0.value) }, uniquingKeysWith: { $1 }),
            body: String(buffer: buffer))
        seen.withLock { $0.append(call) }
        guard let answer = answering.withLock(\.self)(call) else {
            try await Task.sleep(for: .seconds(3600))
            return Response(status: .ok)
        }
        var response = Response(status: .init(code: answer.status))
        for (name, value) in answer.headers { if let name = HTTPField.Name(name) { response.headers[name] = value } }
        return response
    }
}

/// A ledger with somebody who tells others of it.
struct Telling: Sendable {
    let test: TestLedger
    let application: RegisteredApplication

    static func make() async throws -> Telling {
        let test = try await TestLedger.make()
        let (application, _) = try await test.ledger.putApplication(
            Samples.application("guestbook"), actor: .controller, ifChangedBy: nil, expectAbsent: false)
        return Telling(test: test, application: application)
    }

    var folder: String { test.directory.notifications }

    func target(
        _ name: String = "chat", to url: String, key: String? = nil, rule: NotificationRule = .init(), tries: Int = 3,
        isSecret: Bool = false
    ) -> NotificationTarget {
        var patience = NotificationTarget.Patience()
        patience.tries = tries
        patience.initial = 20
        patience.maximum = 100
        patience.timeout = 1500
        let hidden: NotificationTarget.Secret = { () throws(Failure) in SecretText(url) }
        var target = NotificationTarget(
            name: name, address: isSecret ? .secret(hidden) : .plain(url), rule: rule, patience: patience,
            client: HTTPClient())
        if let key { target.key = { () throws(Failure) in SecretText(key) } }
        return target
    }

    /// Runs a notifier as a process would, and ends it as one that is killed: in the middle of whatever it does.
    func run(
        _ targets: [NotificationTarget], _ body: @escaping @Sendable (Notifier) async throws -> Void
    ) async throws {
        let clock = test.clock
        var quiet = Logger(label: "notifying")
        quiet.logLevel = .critical
        let notifier = try Notifier(
            ledger: test.ledger, targets: targets, folder: folder, now: { clock.now }, logger: quiet)
        try await notifier.prepare()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await notifier.run() }
            defer { group.cancelAll() }
            try await body(notifier)
        }
    }

    /// Health that was reached: the smallest row that others are told of.
    @discardableResult
    func happen(_ health: HealthStatus = .healthy) async throws -> SequenceNumber {
        try await test.ledger.record(
            Event(
                .healthReached, application: application.reference, actor: .controller, outcome: health.rawValue,
                facts: ["health": .string(health.rawValue)]))
    }

    func events(_ kind: Event.Kind) async throws -> [StoredEvent] {
        try await test.ledger.events(EventQuery(kinds: [kind])).items
    }
}

func until(
    _ what: String, sourceLocation: SourceLocation = #_sourceLocation, _ condition: () async throws -> Bool
) async throws {
    let deadline = ContinuousClock.now + .seconds(30)
    while ContinuousClock.now < deadline {
        if try await condition() { return }
        try await Task.sleep(for: .milliseconds(5))
    }
    Issue.record("waited for \(what) in vain", sourceLocation: sourceLocation)
    throw CancellationError()
}
