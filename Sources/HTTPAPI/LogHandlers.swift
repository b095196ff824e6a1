import Foundation
import HTTPTypes
import Hummingbird
import LedgerStore
import Shiplog
import Synchronization
import TransparencyLog

/// The log as <https://c2sp.org/tlog-tiles> serves it, proofs out of it, and what a person does with its keys.
enum LogHandlers {
    // MARK: - For any tool

    @Sendable static func checkpoint(_ call: Call) async throws -> Response {
        guard let checkpoint = call.parts.log?.published else {
            throw Problem(.notFound, "log.not-signed", "this server signs no checkpoints")
        }
        var response = Response.bytes(checkpoint.note.bytes, type: "text/plain; charset=utf-8")
        response.headers[.cacheControl] = "no-cache"
        return response
    }

    @Sendable static func tile(_ call: Call) async throws -> Response {
        let path = call.path["tile"] ?? ""
        guard let tile = Tile(path: path.split(separator: "/", omittingEmptySubsequences: false).map(String.init))
        else {
            throw Problem(
                .notFound, .logTileUnknown, "\(path.prefix(80)) is no tile's path",
                remedy: "paths are LEVEL/NNN or entries/NNN, as c2sp.org/tlog-tiles writes them")
        }
        // Hashes tell nothing about anybody; entries tell about everybody.
        if tile.level == nil, !call.principal.seesWholeLog {
            try await call.demand(.audit, on: .everything, hiddenAs: Problem.notFound("such tile"))
        }
        var response = Response.bytes(try await call.ledger.tile(tile), type: "application/octet-stream")
        response.headers[.cacheControl] = "private, max-age=31536000, immutable"
        return response
    }

    // MARK: - As documents

    @Sendable static func status(_ call: Call) async throws -> Response {
        let head = try await call.ledger.treeHead()
        let log = call.parts.log
        let checkpoint = log?.published
        return .json(
            .members([
                "uid": .string(call.ledger.uid), "size": .integer(head.size), "root": .string(head.rootText),
                "origin": log?.epoch.map { .string($0.origin) }, "epoch": log?.epoch.map { .integer($0.number) },
                "confirmed": log.map { .bool(!$0.isUnconfirmed) },
                "epochs": log.map { .array($0.epochs.map(\.projection)) },
                "checkpoint": checkpoint.map(Self.projection), "cosigned": log?.cosigned.map(Self.projection),
                "selfAttested": log.map { .bool($0.isSelfAttested) },
                "witnesses": log.map { .array($0.attestations.map(\.projection)) },
                "trouble": log?.failure.map { ["code": .string($0.code.rawValue), "message": .string($0.message)] }
            ]))
    }

    private static func projection(_ checkpoint: Checkpoint) -> JSON {
        [
            "size": .integer(checkpoint.head.size), "root": .string(checkpoint.head.rootText),
            "text": .string(checkpoint.note.description)
        ]
    }

    /// Where an entry stands, by whoever may read the entry.
    @Sendable static func proof(_ call: Call) async throws -> Response {
        let sequence = try await HistoryHandlers.sequence(call)
        let missing = Problem(.notFound, "entry.not-found", "there is no entry \(sequence)")
        guard try await call.ledger.leaf(sequence) != nil else { throw missing }
        // Retention takes entries and never hashes: what a folded row said is nobody's secret any more.
        do {
            if let record = try await call.ledger.record(at: sequence), !call.principal.sees(record) {
                throw missing.asRefusal
            }
        } catch let failure as Failure where failure.code == .logEntriesGone {
            // Nobody can tell any more whose it was, and a hash tells nothing.
        }
        let size = try call.query.number("size", in: 1...Int64.max, default: 0)
        // With the checkpoint's size the proof can be checked against what is signed.
        let signed = call.parts.log?.published.flatMap { $0.head.size >= sequence.value ? $0.head.size : nil }
        let proof = try await call.ledger.inclusionProof(of: sequence, size: size > 0 ? size : signed)
        return .json(proof.document(checkpoint: call.parts.log?.published))
    }

    @Sendable static func consistency(_ call: Call) async throws -> Response {
        let from = try call.query.number("from", in: 0...Int64.max, default: 0)
        var to = try call.query.number("to", in: 0...Int64.max, default: -1)
        if to < 0 {
            if let published = call.parts.log?.published {
                to = published.head.size
            } else {
                to = try await call.ledger.treeHead().size
            }
        }
        let (earlier, later, proof) = try await call.ledger.consistencyProof(from: from, to: to)
        return .json([
            "from": earlier.document, "to": later.document, "proof": .array(proof.map { .string($0.base64) })
        ])
    }

    // MARK: - Acts

    @Sendable static func rotateKey(_ call: Call) async throws -> Response {
        let fields = try await call.fields(["reason"])
        let key = try await keeper(call).rotate(actor: call.actor, reason: try fields.string("reason"))
        return .json(["key": .string(key.description)])
    }

    @Sendable static func confirm(_ call: Call) async throws -> Response {
        let fields = try await call.fields(["reason"])
        let sequence = try await keeper(call).confirm(actor: call.actor, reason: try fields.string("reason"))
        return .json(["sequence": sequence.projection])
    }

    private static func keeper(_ call: Call) throws(Problem) -> LogKeeper {
        guard let log = call.parts.log else {
            throw Problem(.notFound, "log.not-signed", "this server signs no checkpoints")
        }
        return log
    }

    /// Checks everything the server holds, here and now. One at a time: it reads the whole file.
    @Sendable static func verify(_ call: Call) async throws -> Response {
        // No member is known yet; an empty body is as good as none.
        _ = try await call.fields([])
        guard call.parts.verifying.begin() else {
            throw Problem(
                .conflict, "log.verification-running", "the ledger is being verified already",
                remedy: "wait for that to end", headers: [.retryAfter: "10"])
        }
        defer { call.parts.verifying.end() }
        let kept = call.parts.log?.published.map { [KeptHead($0.head, name: "the last checkpoint")] } ?? []
        let began = ContinuousClock.now
        let report = try await Ledger.verify(call.ledger.directory, kept: kept)
        if let through = SequenceNumber(report.rows) {
            try await call.ledger.record(
                .verified(
                    by: call.actor, through: through, root: report.treeHead?.rootText,
                    findings: Int(clamping: report.findingCount), firstBad: report.first?.sequence,
                    milliseconds: Int64(began.duration(to: .now) / .milliseconds(1))))
        }
        return .json(report.document)
    }

    /// After an older copy was put in place nothing is changed until a person has looked at it.
    static func refuseWhileUnconfirmed(_ route: Route, _ call: Call) throws(Problem) {
        guard call.parts.log?.isUnconfirmed == true, route.method != .get, route.scope != .open else { return }
        let allowed = ["/log/", "/tokens", "/exports"]
        guard !allowed.contains(where: { route.pattern.hasPrefix(RouteTable.base + $0) }) else { return }
        throw Problem(
            .conflict, "log.unconfirmed",
            "an older copy of the ledger was put in place, and nobody has confirmed its applications and pins yet",
            remedy: "look at them, then run `shiplog ledger confirm`")
    }
}

/// Whether somebody is at it: one at a time.
final class OneAtATime: Sendable {
    private let isBusy = Mutex(false)

    func begin() -> Bool {
        isBusy.withLock { isBusy in
            defer { isBusy = true }
            return !isBusy
        }
    }

    func end() { isBusy.withLock { $0 = false } }
}
