import HTTPTypes
import Hummingbird
import LedgerStore
import Shiplog

/// Any past moment, and who made it so.
enum StateHandlers {
    @Sendable static func state(_ call: Call) async throws -> Response {
        let query = call.query
        let names = query.all("application")
        let page = try await call.ledger.states(
            at: try query.instant("at") ?? .head, names: names, after: try after(query), limit: try query.limit(),
            where: visible(to: call))
        let next = page.next.map { Cursor.text(name: $0.name + "/" + $0.uid.value, for: query) }
        var document = PageAnswer(
            items: page.items.map { $0.projection(isWhole: !names.isEmpty) }, nextCursor: next,
            asOf: page.asOf?.value ?? 0
        ).document
        document["at"] = page.at.projection
        return .validated(document, call)
    }

    @Sendable static func compare(_ call: Call) async throws -> Response {
        guard let from = try call.query.instant("from") else {
            throw Problem.invalid("from", "must say since when, as a time or a sequence")
        }
        let comparison = try await call.ledger.compare(
            from: from, to: try call.query.instant("to") ?? .head, names: call.query.all("application"),
            where: visible(to: call))
        return .validated(
            [
                "from": comparison.from.projection, "to": comparison.to.projection,
                "items": .array(comparison.items.map(\.projection)),
                "unchanged": .integer(Int64(comparison.unchanged)), "asOf": .integer(comparison.asOf?.value ?? 0)
            ], call)
    }

    @Sendable static func blame(_ call: Call) async throws -> Response {
        let query = call.query
        guard let name = try query.one("application") else { throw Problem.invalid("application", "must be given") }
        guard let kind = try query.one("kind") else { throw Problem.invalid("kind", "must be given") }
        guard let resource = try query.one("name") else { throw Problem.invalid("name", "must be given") }
        var field: ManifestPath?
        if let text = try query.one("field") {
            guard let path = ManifestPath(text) else {
                throw Problem.invalid("field", "must be a path such as .spec.replicas or spec.containers[0].image")
            }
            field = path
        }
        let instant = try query.instant("at") ?? .head
        // The name may have been given again: the one that existed then is meant, else the newest.
        let ever = try await call.ledger.states(at: instant, names: [name], where: visible(to: call)).items
        guard
            let found = ever.first(where: { $0.presence == .existed }) ?? ever.max(by: { $0.createdBy < $1.createdBy })
        else { throw Problem.noApplication(name) }
        let question = ResourceQuestion(
            kind: kind, name: resource, group: query.pairs.last { $0.name == "group" }?.value,
            namespace: query.pairs.last { $0.name == "namespace" }?.value)
        let blame = try await call.ledger.blame(question, of: found.application, field: field, at: instant)
        return .json(blame.projection)
    }

    private static func visible(to call: Call) -> @Sendable (ApplicationReference) -> Bool {
        let principal = call.principal
        let projects = Set(call.query.all("project"))
        return { reference in
            (projects.isEmpty || projects.contains(reference.project)) && principal.may(.read, Subject(reference))
        }
    }

    private static func after(_ query: Query) throws(Problem) -> ApplicationReference? {
        guard let text = try Cursor.name(in: query) else { return nil }
        let parts = text.split(separator: "/")
        guard parts.count == 2, let uid = ApplicationUID(String(parts[1])) else {
            throw .invalid("cursor", "must be the nextCursor of a page with the same filters")
        }
        return ApplicationReference(uid: uid, name: String(parts[0]), project: "")
    }
}

extension Instant {
    /// Reads a time as RFC 3339 writes it, or a sequence as `48211`, `#48211` or `@48211`.
    init?(_ text: String) {
        let digits = text.hasPrefix("@") || text.hasPrefix("#") ? text.dropFirst() : text[...]
        if !digits.isEmpty, digits.allSatisfy({ $0.isASCII && $0.isNumber }) {
            guard let sequence = SequenceNumber(String(digits)) else { return nil }
            self = .sequence(sequence)
        } else {
            guard let time = Timestamp(text) else { return nil }
            self = .moment(time)
        }
    }

    static let form = "must be a time as RFC 3339 writes it, or a sequence such as 48211"
}

extension Query {
    func instant(_ name: String) throws(Problem) -> Instant? {
        guard let text = try one(name) else { return nil }
        guard let instant = Instant(text) else { throw .invalid(name, Instant.form) }
        return instant
    }
}
