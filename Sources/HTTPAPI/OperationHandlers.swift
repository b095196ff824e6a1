import HTTPTypes
import Hummingbird
import LedgerStore
import NIOCore
import Reconciling
import Shiplog

enum OperationHandlers {
    // MARK: - Sync, refresh, rollback

    @Sendable static func sync(_ call: Call) async throws -> Response {
        let fields = try await call.fields([
            "revision", "prune", "dryRun", "replace", "confirmDestructive", "resources", "reason", "ticket",
            "overrideWindow"
        ])
        var request = SyncRequest(
            revision: try fields.string("revision", limit: 256), prune: try fields.flag("prune"),
            dryRun: try fields.flag("dryRun") ?? false, replace: try fields.flag("replace") ?? false,
            confirmDestructive: try fields.flag("confirmDestructive") ?? false,
            resources: try fields.selectors("resources"),
            reason: try fields.string("reason"), ticket: try fields.string("ticket", limit: 200))
        request.overridesWindow = try overridesWindow(fields, call)
        if request.dryRun {
            return .json(
                ["plan": try await call.controller.planSync(call.application, request).projection(call.parts.formats)])
        }
        return accepted(try await call.controller.sync(call.application, request, actor: call.actor))
    }

    @Sendable static func refresh(_ call: Call) async throws -> Response {
        let fields = try await call.fields(["hard"])
        return accepted(
            try await call.controller.refresh(
                call.application, hard: try fields.flag("hard") ?? false, actor: call.actor))
    }

    @Sendable static func rollback(_ call: Call) async throws -> Response {
        let fields = try await call.fields([
            "to", "prune", "hold", "dryRun", "replace", "confirmDestructive", "keepSecrets", "hooks", "reason",
            "ticket", "ifDesired", "overrideWindow"
        ])
        var request = RollbackRequest(target: try target(fields), prune: try fields.flag("prune"))
        request.hold = try fields.word("hold", Pin.Hold.self) ?? .untilNewCommit
        request.dryRun = try fields.flag("dryRun") ?? false
        request.replace = try fields.flag("replace") ?? false
        request.confirmDestructive = try fields.flag("confirmDestructive") ?? false
        request.keepSecrets = try fields.flag("keepSecrets") ?? false
        request.hooks = try fields.flag("hooks") ?? false
        request.reason = try fields.string("reason")
        request.ticket = try fields.string("ticket", limit: 200)
        request.overridesWindow = try overridesWindow(fields, call)
        if let text = try fields.string("ifDesired") {
            guard let digest = Digest(text) else { throw fields.wrong("ifDesired", "must be a digest, sha256:…") }
            request.ifDesired = digest
        }
        if request.dryRun {
            let plan = try await call.controller.planRollback(call.application, request)
            return .json(["plan": plan.projection(call.parts.formats)])
        }
        return accepted(try await call.controller.rollback(call.application, request, actor: call.actor))
    }

    /// A sync window is set aside by a person who answers for it, never by a program.
    private static func overridesWindow(_ fields: BodyFields, _ call: Call) throws -> Bool {
        guard try fields.flag("overrideWindow") ?? false else { return false }
        guard !call.principal.isRobot else {
            throw Problem(
                .forbidden, "window.override-refused", "a robot's token may not set a sync window aside",
                remedy: "have a person do it, with a token of their own")
        }
        return true
    }

    /// `to`: exactly one of `sequence`, `commit`, `at` and `lastGood`; without it the last good state.
    private static func target(_ fields: BodyFields) throws(Problem) -> RollbackRequest.Target {
        guard let value = fields.value("to") else { return .lastGood }
        let to = BodyFields(value, at: "/to")
        try to.allow(["sequence", "commit", "at", "lastGood"])
        var targets: [RollbackRequest.Target] = []
        if let sequence = try to.sequence("sequence") { targets.append(.sequence(sequence)) }
        if let commit = try to.string("commit") {
            guard (7...40).contains(commit.utf8.count), commit.allSatisfy({ $0.isASCII && $0.isHexDigit }) else {
                throw to.wrong("commit", "must be 7 to 40 hexadecimal digits")
            }
            targets.append(.commit(commit.lowercased()))
        }
        if let moment = try to.time("at") { targets.append(.moment(moment)) }
        if try to.flag("lastGood") == true { targets.append(.lastGood) }
        guard let target = targets.first, targets.count == 1 else {
            throw fields.wrong("to", "must have exactly one of sequence, commit, at and lastGood: true")
        }
        return target
    }

    @Sendable static func candidates(_ call: Call) async throws -> Response {
        let limit = try call.query.limit()
        let asOf = try await call.ledger.head()
        let found = try await call.controller.rollbackCandidates(call.application, limit: limit)
        var items: [JSON] = []
        for stored in found {
            var item = stored.projection()
            // A row ends before its rollout does: what came of it is an event that names it.
            let reached = try await call.ledger.events(
                EventQuery(kinds: [.healthReached], revision: stored.sequence, limit: 1))
            item.set(reached.items.first.map { .string($0.value.outcome) }, at: ["healthReached"])
            items.append(item)
        }
        return .json(PageAnswer(items: items, nextCursor: nil, asOf: asOf?.value ?? 0).document)
    }

    private static func accepted(_ operation: Operation) -> Response {
        var response = Response.json(["operation": operation.projection], status: .accepted)
        response.headers[.location] = RouteTable.base + "/operations/" + operation.id
        return response
    }

    // MARK: - Pins and the rest

    @Sendable static func pin(_ call: Call) async throws -> Response {
        let fields = try await call.fields(["hold", "reason"])
        let sequence = try await call.controller.pin(
            call.application, hold: try fields.word("hold", Pin.Hold.self) ?? .untilUnpinned, actor: call.actor,
            reason: try fields.string("reason"))
        return .json(["event": sequence.projection])
    }

    @Sendable static func unpin(_ call: Call) async throws -> Response {
        let sequence = try await call.controller.unpin(
            call.application, actor: call.actor, reason: try call.query.one("reason"))
        return .json(["event": sequence.projection])
    }

    @Sendable static func terminate(_ call: Call) async throws -> Response {
        _ = try await call.fields([])
        try await call.controller.terminate(call.application, actor: call.actor)
        return .noContent
    }

    @Sendable static func confirm(_ call: Call) async throws -> Response {
        let fields = try await call.fields(["resources", "reason"])
        let sequence = try await call.controller.confirm(
            call.application, resources: try fields.selectors("resources"), actor: call.actor,
            reason: try fields.string("reason"))
        return .json(["event": sequence.projection])
    }

    @Sendable static func acceptCluster(_ call: Call) async throws -> Response {
        _ = try await call.fields([])
        return .json(
            ["event": try await call.controller.acceptCluster(call.application, actor: call.actor).projection])
    }

    // MARK: - Waiting

    /// Answers when the operation has ended, or with its state after `wait` seconds.
    @Sendable static func get(_ call: Call) async throws -> Response {
        let seconds = try call.query.number("wait", in: 0...30, default: 0)
        let id = call.path["id"] ?? ""
        let missing = Problem(
            .notFound, "operation.not-found", "there is no operation of that id, or no longer",
            remedy: "what became of it is in the application's history")
        guard var operation = await call.controller.operation(id) else { throw missing }
        // One that belongs to an application deleted meanwhile is judged by its name alone.
        let project = await call.controller.status(of: operation.application)?.registered.application.project
        try await call.demand(
            .read, on: .application(name: operation.application, project: project ?? "default"),
            hiddenAs: missing.asRefusal)
        if seconds > 0, !operation.hasEnded {
            operation = try await call.parts.streams.whilePolling {
                try await wait(for: operation, seconds: seconds, call)
            }
        }
        return .json(operation.projection)
    }

    /// In slices, so that a client that went away and a server that stops are noticed.
    private static func wait(for operation: Operation, seconds: Int64, _ call: Call) async throws -> Operation {
        let end = ContinuousClock.now.advanced(by: .seconds(seconds))
        var current = operation
        while !current.hasEnded, ContinuousClock.now < end, !call.parts.closing.isClosing, call.channel.isActive {
            let left = Int64(ContinuousClock.now.duration(to: end) / .milliseconds(1))
            guard
                let next = await call.controller.operation(
                    current.id, waitingMilliseconds: max(1, min(1000, left)))
            else { break }
            current = next
            try Task.checkCancellation()
        }
        return current
    }
}
