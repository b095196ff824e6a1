import Crypto
import HTTPTypes
import Hummingbird
import LedgerStore
import Reconciling
import Shiplog

enum ApplicationHandlers {
    @Sendable static func list(_ call: Call) async throws -> Response {
        let query = call.query
        let projects = Set(query.all("project"))
        let syncs = Set(try query.words("sync", SyncStatus.self))
        let healths = Set(try query.words("health", HealthStatus.self))
        let text = try query.one("q")?.lowercased()
        let limit = try query.limit()
        let cursor = try Cursor.name(in: query)
        // Before the statuses are read: what has happened since is heard from the stream once more, and not missed.
        let asOf = try await call.ledger.head()
        var items: [JSON] = []
        var last: String?
        var isMore = false
        for status in await call.controller.statuses() {
            let application = status.registered
            if let cursor, !(cursor < application.name) { continue }
            guard call.principal.may(.read, Subject(application.reference)),
                projects.isEmpty || projects.contains(application.application.project),
                syncs.isEmpty || syncs.contains(status.sync), healths.isEmpty || healths.contains(status.health),
                text.map({ status.mentions($0) }) ?? true
            else { continue }
            guard items.count < limit else {
                isMore = true
                break
            }
            items.append(status.projection())
            last = application.name
        }
        let page = PageAnswer(
            items: items, nextCursor: isMore ? last.map { Cursor.text(name: $0, for: query) } : nil,
            asOf: asOf?.value ?? 0)
        return .validated(page.document, call)
    }

    @Sendable static func get(_ call: Call) async throws -> Response {
        let status = try await status(call)
        return Response.json(status.projection(isWhole: true)).tagged(status.entityTag)
    }

    @Sendable static func resources(_ call: Call) async throws -> Response {
        .json(["items": .array(try await status(call).resources.map(\.projection))])
    }

    /// The present state; of one the loop has not looked at yet, what the ledger knows.
    static func status(_ call: Call) async throws -> ApplicationStatus {
        if let status = await call.controller.status(of: call.application) { return status }
        guard let registered = try await call.ledger.application(named: call.application) else {
            throw Problem.noApplication(call.application)
        }
        return ApplicationStatus(registered: registered)
    }

    @Sendable static func manifests(_ call: Call) async throws -> Response {
        switch try call.query.word("source", of: ["desired", "live", "deployed"]) ?? "desired" {
        case "live":
            let live = try await call.controller.live(of: call.application)
            return .json(["items": .array(live.map(\.object))])
        case "deployed":
            let deployed = try await deployed(call)
            return .json(["items": .array(deployed.map(\.object))])
        default:
            let (resources, source) = try await call.controller.desired(of: call.application)
            return .json(
                .members(["items": .array(resources.map(\.object)), "source": source?.projection]))
        }
    }

    private static func deployed(_ call: Call) async throws -> [Resource] {
        guard let desired = try await status(call).deployed?.desired else { return [] }
        return try await call.ledger.manifests(desired) ?? []
    }

    /// What applying the desired state would change in the cluster, object by object: from live to desired.
    @Sendable static func difference(_ call: Call) async throws -> Response {
        let (live, desired, source, fields) = try await call.controller.drift(of: call.application)
        var items = ManifestDiff.projection(from: live, to: desired, call.parts.formats)
        if let application = try await call.ledger.application(named: call.application)?.reference {
            try await FieldOrigins(ledger: call.ledger, application: application).add(fields, to: &items)
        }
        return .json(.members(["items": .array(items), "source": source?.projection]))
    }

    // MARK: - Changing

    @Sendable static func put(_ call: Call) async throws -> Response {
        let existing = try await call.ledger.application(named: call.application)
        if let existing {
            try await call.demand(
                .administer, on: Subject(existing.reference),
                hiddenAs: Problem.noApplication(call.application).asRefusal)
        } else if call.principal.role != .admin {
            // Nothing of the document is looked at for somebody who may make none.
            try await call.demand(.administer, on: .everything, hiddenAs: Problem.noApplication(call.application))
        }
        let (application, warnings) = try await document(call)
        try await call.demand(
            .administer,
            on: .application(name: application.name, project: application.project),
            hiddenAs: Problem(
                .forbidden, "request.forbidden",
                "this token may not make an application \(application.name) in project \(application.project)",
                remedy: "use a name and a project that the token's globs cover"
            ).asRefusal)
        let (registered, changed) = try await call.controller.put(
            application, actor: call.actor, ifChangedBy: try ifMatch(call), expectAbsent: try ifNoneMatch(call))
        let status =
            await call.controller.status(of: registered.name) ?? ApplicationStatus(registered: registered)
        var response = Response.json(
            [
                "application": status.projection(isWhole: true),
                "warnings": .array(warnings.map { .string($0) }), "changed": .bool(changed)
            ], status: existing == nil ? .created : .ok)
        response.headers[.eTag] = registered.entityTag
        return response
    }

    private static func document(_ call: Call) async throws -> (Shiplog.Application, [String]) {
        let isYAML = try isYAML(call)
        let bytes = try await call.body(limit: call.parts.settings.limits.body)
        let (application, warnings) = try call.parts.formats.readApplication(
            isYAML ? .yaml(bytes) : .json(try Call.json(bytes)))
        guard application.name == call.application else {
            throw Problem(
                .badRequest, "request.invalid", "the document is of another application than the address",
                fields: [.init(pointer: "/metadata/name", message: "must be \(call.application)")])
        }
        return (application, warnings)
    }

    /// Whether a document comes as YAML; otherwise it is JSON.
    static func isYAML(_ call: Call) throws(Problem) -> Bool {
        switch call.mediaType {
        case "application/json": return false
        case "application/yaml", "application/x-yaml": return true
        default:
            throw Problem(
                .unsupportedMediaType, "request.media-type", "the body must be application/json or application/yaml",
                remedy: "send Content-Type: application/yaml")
        }
    }

    static func ifMatch(_ call: Call) throws(Problem) -> SequenceNumber? {
        guard let header = call.header(.ifMatch) else { return nil }
        let tags = EntityTags(header)
        guard !tags.any, tags.tags.count == 1, let tag = tags.tags.first, tag.hasPrefix("\""), tag.hasSuffix("\""),
            tag.utf8.count > 2, let sequence = SequenceNumber(String(tag.dropFirst().dropLast()))
        else { throw .invalid("If-Match", "must be the ETag of what is there, such as \"17\"") }
        return sequence
    }

    static func ifNoneMatch(_ call: Call) throws(Problem) -> Bool {
        guard let header = call.header(.ifNoneMatch) else { return false }
        guard EntityTags(header).any else { throw .invalid("If-None-Match", "must be * here") }
        return true
    }

    @Sendable static func delete(_ call: Call) async throws -> Response {
        let cascade = try call.query.flag("cascade")
        let reason = try call.query.one("reason")
        if let reason, reason.utf8.count > 1000 { throw Problem.invalid("reason", "must have at most 1000 bytes") }
        let sequence = try await call.controller.delete(
            call.application, cascade: cascade, actor: call.actor, reason: reason,
            isConfirmed: try call.query.flag("confirm"))
        return .json(["event": sequence.projection])
    }
}

extension ApplicationStatus {
    /// What a person may type to find it. The text is lower-case.
    func mentions(_ text: String) -> Bool {
        let application = registered.application
        return [
            application.name, application.project, application.source.repository, application.source.path,
            application.destination.namespace
        ].contains { $0.lowercased().contains(text) }
    }
}

extension Response {
    /// A list with a validator over its own bytes: asking again costs no more than the comparison.
    static func validated(_ value: JSON, _ call: Call) -> Response {
        let bytes = value.canonicalBytes
        let tag = "W/\"" + Array(SHA256.hash(data: bytes).prefix(12)).hex + "\""
        var response = Response.bytes(bytes, type: "application/json; charset=utf-8")
            .unless(tag, known: call.header(.ifNoneMatch))
        response.headers[.cacheControl] = "private, no-cache"
        return response
    }
}
