import Foundation
import Shiplog

/// How long a command waits for something to happen on the server.
struct Deadline: Sendable {
    private let end: ContinuousClock.Instant?

    /// - Parameter span: nil takes five minutes, 0 is without end.
    init(_ span: Span?) {
        let milliseconds = span?.milliseconds ?? 300_000
        end = milliseconds == 0 ? nil : .now + .milliseconds(milliseconds)
    }

    var isOver: Bool { end.map { $0 <= .now } ?? false }

    /// Milliseconds left, at most so many.
    func left(atMost limit: Int) -> Int {
        guard let end else { return limit }
        return max(0, min(limit, Int(ContinuousClock.now.duration(to: end) / .milliseconds(1))))
    }
}

extension Client {
    /// Follows an operation to its end.
    /// - Returns: its last state; of a finished one, with its revision under `revision`'s own member.
    func follow(_ operation: JSON, deadline: Deadline, quiet: Bool) async throws -> JSON {
        var current = operation
        var told = ""
        var silentSince: ContinuousClock.Instant?
        while true {
            let state = current.text("state")
            if state == "finished" || state == "refused" { return current }
            if !quiet, state != told {
                Talk.say("\(current.text("kind")) of \(current.text("application")) is \(state)")
            }
            told = state
            if !quiet { await tellProgress(of: current.text("application")) }
            // A server that restarts is back by then; one that is not may have lost what had not begun.
            if let silentSince, deadline.isOver || ContinuousClock.now - silentSince > .seconds(30) {
                throw CommandError(
                    .unreachable, "http.unreachable",
                    "\(server) could not be reached any more while the \(current.text("kind")) of "
                        + "\(current.text("application")) was \(state)",
                    remedy:
                        "what became of it is in `shiplog app history \(current.text("application"))`, if it had begun")
            }
            guard !deadline.isOver else {
                throw CommandError(
                    .timedOut, "operation.wait-timeout",
                    "the \(current.text("kind")) of \(current.text("application")) is still \(state)",
                    remedy: "it goes on; wait with `shiplog app wait \(current.text("application")) --operation`")
            }
            let answer = try await poll(current, deadline: deadline, isWatched: !quiet)
            if answer == nil, silentSince == nil {
                silentSince = .now
                Talk.warn("\(server) cannot be reached; waiting for it to come back")
            }
            if let answer {
                silentSince = nil
                current = answer
            }
        }
    }

    /// On a terminal: how far a long step has come. Not knowing it is no failure of the command.
    private func tellProgress(of application: String) async {
        guard let now = try? await get(Self.application(application)), !now.text("progress").isEmpty else { return }
        Talk.say(Terminal.harmless(AppGetCommand.activity(now)))
    }

    /// - Returns: nil when nobody answered.
    private func poll(_ operation: JSON, deadline: Deadline, isWatched: Bool) async throws -> JSON? {
        let seconds = max(1, deadline.left(atMost: isWatched ? 2_000 : 25_000) / 1000)
        do {
            return try await get(
                "/operations/" + QueryText.encode(operation.text("id")), QueryText([("wait", String(seconds))]),
                waiting: seconds * 1000)
        } catch let failure as Failure where failure.code == "http.unreachable" && !deadline.isOver {
            // The server may be restarting: the operation goes on, or recovery closes it.
            try await Task.sleep(for: .seconds(1))
            return nil
        } catch let error as CommandError where error.ending == .notFound {
            throw CommandError(
                .trouble, "operation.lost",
                "the server no longer knows the \(operation.text("kind")) of \(operation.text("application"))",
                remedy:
                    "it was restarted; what became of it is in `shiplog app history \(operation.text("application"))`")
        }
    }

    /// The revision an operation ended with.
    /// - Throws: exit 7 when it ended without success (after `show` has had the revision), else what refused it.
    func outcome(of operation: JSON, show: (JSON) -> Void) async throws {
        if operation.text("state") == "refused" {
            let problem = operation["error"] ?? .object([:])
            throw CommandError(problem: problem, status: Int(problem["status"]?.integer ?? 409))
        }
        guard let sequence = operation["revision"]?.integer else {
            throw CommandError(.trouble, "http.answer-invalid", "the operation ended without a revision")
        }
        let revision = try await get("/revisions/\(sequence)")
        show(revision)
        guard operation.text("outcome") != "succeeded" else { return }
        // A look that could not see everything ended well by itself: what it could not see is the application's condition.
        var error = revision["error"]
        if error == nil, operation.text("kind") == "refresh" {
            error = try? await get(Self.application(operation.text("application")))["conditions"]?.array?.first
        }
        throw CommandError(
            .failedOperation,
            Failure(
                Failure.Code(rawValue: error?["code"]?.string ?? "operation.\(operation.text("outcome"))"),
                "the \(operation.text("kind")) of \(operation.text("application")) \(operation.text("outcome"))"
                    + (error.map { ": " + $0.text("message") } ?? ""),
                remedy: error?["hint"]?.string ?? "see `shiplog show \(sequence)`"))
    }

    /// Waits for the next sign of an application, or for so many milliseconds.
    func nextSign(of name: String, milliseconds: Int) async throws {
        do {
            try await events(QueryText([("application", name)]), milliseconds: max(200, milliseconds)) { _ in false }
        } catch let failure as Failure where failure.code == "http.timeout" {
            return
        } catch let failure as Failure where failure.code == "http.unreachable" {
            try await Task.sleep(for: .milliseconds(min(1000, max(200, milliseconds))))
        }
    }
}
