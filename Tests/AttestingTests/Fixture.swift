import Crypto
import Foundation
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
import TransparencyLog

@testable import Attesting

/// An HTTP server that answers what a test says, and keeps what it was asked.
final class Desk: Sendable {
    struct Call: Sendable {
        let path: String
        let headers: [String: String]
        let body: String
    }

    typealias Answer = (status: Int, body: String)
    private let answering: Mutex<@Sendable (Call) -> Answer>
    private let seen = Mutex<[Call]>([])

    private init(_ answer: @escaping @Sendable (Call) -> Answer) { answering = Mutex(answer) }

    var calls: [Call] { seen.withLock(\.self) }
    func answer(_ answer: @escaping @Sendable (Call) -> Answer) { answering.withLock { $0 = answer } }

    /// Serves while the body runs.
    static func run(
        _ answer: @escaping @Sendable (Call) -> Answer = { _ in (200, "") },
        _ body: @Sendable (Desk, String) async throws -> Void
    ) async throws {
        let desk = Desk(answer)
        let router = Router()
        router.post("**") { request, _ in
            var request = request
            let buffer = try await request.collectBody(upTo: 1 << 20)
            let call = Call(
                path: request.uri.path,
                headers: Dictionary(
                    request.headers.map { ($0.name.canonicalName, $0.value) }, uniquingKeysWith: { $1 }),
                body: String(buffer: buffer))
            desk.seen.withLock { $0.append(call) }
            let answer = desk.answering.withLock(\.self)(call)
            return Response(
                status: .init(code: answer.status), body: .init(byteBuffer: ByteBuffer(string: answer.body)))
        }
        let (ports, port) = AsyncStream.makeStream(of: Int.self)
        var quiet = Logger(label: "desk")
        quiet.logLevel = .critical
        let application = Application(
            router: router, configuration: .init(address: .hostname("127.0.0.1", port: 0)),
            onServerRunning: { port.yield($0.localAddress?.port ?? 0) }, logger: quiet)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await application.runService(gracefulShutdownSignals: []) }
            let number = try #require(await ports.first { _ in true })
            try await body(desk, "http://127.0.0.1:\(number)")
            group.cancelAll()
        }
    }
}

/// A witness's key, with which a test signs whatever it wants.
struct WitnessKey: Sendable {
    let key = Curve25519.Signing.PrivateKey()
    let name: String

    init(_ name: String = "witness.example/w1") { self.name = name }

    var verifier: NoteVerifier {
        get throws {
            try #require(
                NoteVerifier(
                    name: name, algorithm: .cosignature, publicKey: Array(key.publicKey.rawRepresentation)))
        }
    }

    /// The signature line over the checkpoint of an `add-checkpoint` body.
    func cosign(_ body: String, at seconds: UInt64 = 1_700_000_000) throws -> String {
        let note = try #require(body.split(separator: "\n\n", maxSplits: 1).last)
        let text = note.split(separator: "\n\n")[0] + "\n"
        let message = "cosignature/v1\ntime \(seconds)\n" + text
        let time = (0..<8).map { UInt8(truncatingIfNeeded: seconds >> (56 - 8 * UInt64($0))) }
        let signature = try key.signature(for: Data(message.utf8))
        return "\u{2014} \(name) \(Data(try verifier.id + time + Array(signature)).base64EncodedString())\n"
    }
}

extension TestLedger {
    /// A signed log with so many entries at least.
    func log(entries: Int = 5) async throws -> LogKeeper {
        let log = try await LogKeeper.start(ledger, folder: directory.checkpoints, origin: "log.example")
        try await grow(log, entries)
        return log
    }

    func grow(_ log: LogKeeper, _ entries: Int = 1) async throws {
        for _ in 0..<entries { try await ledger.record(Event(.serverStarted, actor: .controller)) }
        try await log.publish()
    }

    func attester(_ log: LogKeeper, _ parties: Party...) throws -> Attester {
        let clock = clock
        var logger = Logger(label: "attesting")
        logger.logLevel = .critical
        return try Attester(log: log, parties: parties, interval: 1000, now: { clock.now }, logger: logger)
    }

    func events(_ kind: Event.Kind) async throws -> [StoredEvent] {
        try await ledger.events(EventQuery(kinds: [kind])).items
    }
}
