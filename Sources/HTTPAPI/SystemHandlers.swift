import HTTPTypes
import Hummingbird
import LedgerStore
import Reconciling
import Shiplog

enum SystemHandlers {
    @Sendable static func system(_ call: Call) async throws -> Response {
        let head = try await call.ledger.head()
        return .json([
            "version": .string(call.parts.settings.version), "mode": .string(call.ledger.mode.rawValue),
            "sandbox": .bool(call.ledger.mode == .sandbox), "startedAt": call.parts.startedAt.projection,
            "ready": .bool(call.controller.isReady),
            "ledger": ["uid": .string(call.ledger.uid), "newest": .integer(head?.value ?? 0)],
            "asOf": .integer(head?.value ?? 0)
        ])
    }

    @Sendable static func alive(_ call: Call) async throws -> Response { .text("ok\n") }

    /// Whether requests can be answered as they should: the loop has recovered, the ledger reads and may be written.
    @Sendable static func ready(_ call: Call) async throws -> Response {
        var checks: [(name: String, failure: String?)] = []
        checks.append(("loop", call.controller.isReady ? nil : "recovery is not over"))
        do throws(Failure) {
            _ = try await call.ledger.head()
            checks.append(("ledger-read", nil))
        } catch {
            checks.append(("ledger-read", error.code.rawValue))
        }
        checks.append(("ledger-write", call.ledger.trouble?.code.rawValue))
        checks.append(("log-confirmed", call.parts.log?.isUnconfirmed == true ? "log.unconfirmed" : nil))
        checks.append(("log-checkpoint", call.parts.log?.failure?.code.rawValue))
        checks.append(("running", call.parts.closing.isClosing ? "the server is stopping" : nil))
        let isReady = checks.allSatisfy { $0.failure == nil }
        let status: HTTPResponse.Status = isReady ? .ok : .serviceUnavailable
        // `?verbose`, as Kubernetes has it: with or without a value.
        let isVerbose = call.query.pairs.contains { $0.name == "verbose" && $0.value != "false" }
        guard isVerbose else { return .text(isReady ? "ok\n" : "not ready\n", status: status) }
        let lines = checks.map { check in
            "[\(check.failure == nil ? "+" : "-")]\(check.name) \(check.failure ?? "ok")\n"
        }
        return .text(lines.joined() + (isReady ? "ready\n" : "not ready\n"), status: status)
    }

    @Sendable static func metrics(_ call: Call) async throws -> Response {
        guard call.parts.settings.metrics else { throw Problem.notFound("metrics page: it is switched off") }
        let text = try await MetricsText(call).text()
        return .bytes(Array(text.utf8), type: "text/plain; version=0.0.4; charset=utf-8")
    }
}
