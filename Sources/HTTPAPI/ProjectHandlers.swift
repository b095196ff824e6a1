import HTTPTypes
import Hummingbird
import LedgerStore
import Reconciling
import Shiplog

enum ProjectHandlers {
    @Sendable static func list(_ call: Call) async throws -> Response {
        let limit = try call.query.limit()
        let cursor = try Cursor.name(in: call.query)
        let asOf = try await call.ledger.head()
        let rest = try await call.controller.allProjects().filter { state in
            sees(call, state.name) && (cursor.map { $0 < state.name } ?? true)
        }
        let page = rest.prefix(limit)
        let next = rest.count > page.count ? page.last.map { Cursor.text(name: $0.name, for: call.query) } : nil
        return .validated(
            PageAnswer(
                items: page.map { $0.projection(seenBy: call.principal) }, nextCursor: next, asOf: asOf?.value ?? 0
            ).document, call)
    }

    @Sendable static func get(_ call: Call) async throws -> Response {
        let state = try await state(call)
        let response = Response.json(state.projection(isWhole: true, seenBy: call.principal))
        return state.registered.map { response.tagged($0.entityTag) } ?? response
    }

    @Sendable static func windows(_ call: Call) async throws -> Response {
        _ = try await state(call)
        var moment: Timestamp?
        if let text = try call.query.one("at") {
            guard let read = Timestamp(text) else { throw Problem.invalid("at", "must be a time, RFC 3339") }
            moment = read
        }
        let (project, at, decisions) = try await call.controller.windows(of: call.project, at: moment)
        return .json([
            "project": .string(project.name), "at": at.projection,
            "windows": .array(project.windows.enumerated().map { $0.element.projection(index: $0.offset, at: at) }),
            "applications": .array(
                decisions.filter { call.principal.may(.read, Subject($0.0)) }.map { reference, decision in
                    var json = decision.projection
                    json["application"] = .string(reference.name)
                    return json
                })
        ])
    }

    @Sendable static func put(_ call: Call) async throws -> Response {
        try await call.demand(.administer, on: .everything, hiddenAs: missing(call))
        let (project, warnings) = try await document(call)
        let (registered, changed) = try await call.controller.putProject(
            project, actor: call.actor, ifChangedBy: try ApplicationHandlers.ifMatch(call),
            expectAbsent: try ApplicationHandlers.ifNoneMatch(call))
        let state = try await call.controller.project(registered.name)
        var response = Response.json(
            [
                "project": state.projection(isWhole: true, seenBy: call.principal),
                "warnings": .array(warnings.map { .string($0) }), "changed": .bool(changed)
            ], status: changed && registered.createdBy == registered.changedBy ? .created : .ok)
        response.headers[.eTag] = registered.entityTag
        return response
    }

    @Sendable static func delete(_ call: Call) async throws -> Response {
        try await call.demand(.administer, on: .everything, hiddenAs: missing(call))
        let reason = try call.query.one("reason")
        if let reason, reason.utf8.count > 1000 { throw Problem.invalid("reason", "must have at most 1000 bytes") }
        return .json([
            "event": try await call.controller.deleteProject(call.project, actor: call.actor, reason: reason)
                .projection
        ])
    }

    private static func document(_ call: Call) async throws -> (AppProject, [String]) {
        let isYAML = try ApplicationHandlers.isYAML(call)
        let bytes = try await call.body(limit: call.parts.settings.limits.body)
        let (project, warnings) = try call.parts.formats.readProject(
            isYAML ? .yaml(bytes) : .json(try Call.json(bytes)))
        guard project.name == call.project else {
            throw Problem(
                .badRequest, "request.invalid", "the document is of another project than the address",
                fields: [.init(pointer: "/metadata/name", message: "must be \(call.project)")])
        }
        return (project, warnings)
    }

    /// One the asker may not see is answered as if it were not there.
    private static func state(_ call: Call) async throws -> ProjectState {
        guard sees(call, call.project) else { throw missing(call).asRefusal }
        return try await call.controller.project(call.project)
    }

    private static func sees(_ call: Call, _ name: String) -> Bool { call.principal.may(.read, .project(name: name)) }

    private static func missing(_ call: Call) -> Problem {
        Problem(
            .notFound, "project.not-found", "there is no project \(call.project)",
            remedy: "see `shiplog project list`")
    }
}

extension Call {
    /// The `{project}` of a project's route.
    fileprivate var project: String { path["project"] ?? "" }
}

extension RegisteredProject {
    var entityTag: String { "\"\(changedBy.value)\"" }
}

extension ProjectState {
    /// - Parameter isWhole: with the document, for the answer that is about this one alone.
    func projection(isWhole: Bool = false, seenBy principal: Principal) -> JSON {
        var json = JSON.members([
            "name": .string(name), "registered": .bool(registered != nil),
            "description": document.at("spec", "description"),
            "sourceRepos": document.at("spec", "sourceRepos") ?? [],
            "destinations": document.at("spec", "destinations") ?? [],
            "windows": .integer(Int64(project?.windows.count ?? 0)), "readable": .bool(project != nil),
            "applications": .array(
                applications.filter { principal.may(.read, Subject($0)) }.map { .string($0.name) }),
            "changedBy": registered?.changedBy.projection, "changedAt": registered?.changedAt.projection,
            "etag": registered.map { .string($0.entityTag) }
        ])
        if isWhole { json["document"] = document }
        return json
    }
}

extension SyncWindow {
    func projection(index: Int, at moment: Timestamp) -> JSON {
        .members([
            "index": .integer(Int64(index)), "kind": .string(kind.rawValue), "schedule": .string(schedule.text),
            "duration": .string(durationText), "timeZone": .string(zone.name),
            "applications": .array(applications.map { .string($0) }),
            "namespaces": .array(namespaces.map { .string($0) }), "clusters": .array(clusters.map { .string($0) }),
            "andOperator": .bool(andOperator), "manualSync": .bool(manualSync), "syncOverrun": .bool(syncOverrun),
            "description": about.isEmpty ? nil : .string(about), "active": .bool(isActive(at: moment)),
            "changesAt": changes(after: moment)?.projection
        ])
    }
}

extension WindowDecision {
    var projection: JSON {
        .members([
            "permission": .string(permission.rawValue), "reason": .string(reason.rawValue),
            "message": .string(sentence), "windows": .array(windows.map { .integer(Int64($0.index)) }),
            "deciding": .array(deciding.map { .integer(Int64($0.index)) }), "changesAt": changesAt?.projection
        ])
    }
}
