import HTTPTypes
import Hummingbird
import LedgerStore
import Shiplog

/// What a person has the right to have forgotten: the log keeps that it was, and every proof.
enum ErasingHandlers {
    /// A part of one row: `address`, `author`, `detail`, `messages`, `reason`, `resources`.
    @Sendable static func part(_ call: Call) async throws -> Response {
        let sequence = try await HistoryHandlers.sequence(call)
        let fields = try await call.fields(["part", "reason"])
        guard let part = try fields.string("part", limit: 40) else { throw fields.wrong("part", "is missing") }
        guard let reason = try fields.string("reason") else {
            throw fields.wrong("reason", "is missing: what is erased is never seen again, and why is kept")
        }
        let event = Event(.bodyErased, actor: call.actor, detail: ["reason": .string(reason)])
        let echoes = try await call.ledger.echoes(of: part, of: sequence)
        let by = try await call.ledger.eraseBody(part, of: sequence, event: event)
        return .json([
            "sequence": by.projection,
            "alsoIn": .array(echoes.map { ["sequence": $0.sequence.projection, "part": .string($0.part)] })
        ])
    }

    /// A Secret's values, or one of them, out of everything that an application ever applied.
    @Sendable static func secret(_ call: Call) async throws -> Response {
        let fields = try await call.fields(["namespace", "name", "key", "reason"])
        guard let name = try fields.string("name", limit: 253) else { throw fields.wrong("name", "is missing") }
        guard let namespace = try fields.string("namespace", limit: 253) else {
            throw fields.wrong("namespace", "is missing")
        }
        guard let reason = try fields.string("reason") else {
            throw fields.wrong("reason", "is missing: what is erased is never seen again, and why is kept")
        }
        guard let application = try await call.ledger.application(named: call.application) else {
            throw Problem.noApplication(call.application)
        }
        let by = try await call.ledger.eraseSecretValues(
            of: ResourceKey(group: "", kind: "Secret", namespace: namespace, name: name),
            name: try fields.string("key", limit: 253), for: application.uid, actor: call.actor, reason: reason)
        return .json(["sequence": by.projection])
    }
}
