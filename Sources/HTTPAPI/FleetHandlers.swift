import HTTPTypes
import Hummingbird
import LedgerStore
import Reconciling
import Shiplog

/// Rollbacks of several applications: a plan that a person reads, and the carrying out of it.
enum FleetHandlers {
    private static let optionNames: Set<String> = [
        "prune", "hold", "replace", "confirmDestructive", "keepSecrets", "recreate", "delete"
    ]

    @Sendable static func plan(_ call: Call) async throws -> Response {
        let fields = try await call.fields(optionNames.union(["at", "applications", "projects", "selector"]))
        guard let text = try fields.string("at", limit: 64) else { throw fields.wrong("at", "must be given") }
        guard let instant = Instant(text) else { throw fields.wrong("at", Instant.form) }
        var selection = FleetSelection(
            names: try fields.strings("applications") ?? [], projects: try fields.strings("projects") ?? [])
        if let text = try fields.string("selector", limit: 2000) {
            guard let selector = LabelSelector(text) else {
                throw fields.wrong("selector", "must be a label selector such as app=web,tier!=cache")
            }
            selection.selector = selector
        }
        let principal = call.principal
        let plan = try await call.controller.planFleet(
            at: instant, selection, try options(fields), where: { principal.may(.read, Subject($0)) })
        return .json(["plan": plan.projection])
    }

    private static func options(_ fields: BodyFields) throws(Problem) -> FleetOptions {
        var options = FleetOptions()
        options.prune = try fields.flag("prune")
        options.hold = try fields.word("hold", Pin.Hold.self) ?? .untilNewCommit
        options.replace = try fields.flag("replace") ?? false
        options.confirmDestructive = try fields.flag("confirmDestructive") ?? false
        options.keepSecrets = try fields.flag("keepSecrets") ?? false
        options.recreate = try fields.flag("recreate") ?? false
        options.delete = try fields.flag("delete") ?? false
        return options
    }

    /// Takes a plan as it was answered; what only a person reads in it may be left out.
    @Sendable static func apply(_ call: Call) async throws -> Response {
        let fields = try await call.fields(["plan", "reason", "ticket", "continueOnError"])
        guard let document = fields.value("plan") else { throw fields.wrong("plan", "must be given") }
        let plan = BodyFields(document, at: "/plan")
        try plan.allow(["kind", "at", "madeAt", "asOf", "options", "items"])
        let chosen = BodyFields(plan.value("options") ?? .object([:]), at: "/plan/options")
        try chosen.allow(optionNames)
        let at = BodyFields(plan.value("at") ?? .null, at: "/plan/at")
        guard plan.value("kind") == "rollback", let sequence = try at.sequence("sequence") else {
            throw plan.wrong("at", "must be that of a plan of a rollback")
        }
        if let asOf = plan.value("asOf") {
            let head = try await call.ledger.head()?.value ?? 0
            guard let number = asOf.integer, number >= 0, number <= head else {
                throw plan.wrong("asOf", "must be a row of the log, or 0")
            }
        }
        var orders: [FleetOrder] = []
        var names: Set<String> = []
        for (index, item) in (plan.value("items")?.array ?? []).enumerated() {
            let fields = BodyFields(item, at: "/plan/items/\(index)")
            guard let order = try order(fields) else { continue }
            guard names.insert(order.application.name).inserted else {
                throw fields.wrong("application", "stands twice in the plan")
            }
            let known = try await demand(order, at: sequence, call)
            orders.append(
                FleetOrder(application: known, action: order.action, target: order.target, expects: order.expects))
        }
        let request = FleetRequest(
            at: sequence, orders: orders, options: try options(chosen), reason: try fields.string("reason"),
            ticket: try fields.string("ticket", limit: 200),
            continueOnError: try fields.flag("continueOnError") ?? false)
        let fleet = try await call.controller.applyFleet(request, actor: call.actor)
        var response = Response.json(["fleet": fleet.projection { _ in true }], status: .accepted)
        response.headers[.location] = RouteTable.base + "/fleets/\(fleet.group.value)"
        return response
    }

    /// nil for what is not to be done: nothing, what cannot be, and offers that were not switched on.
    private static func order(_ fields: BodyFields) throws(Problem) -> FleetOrder? {
        try fields.allow([
            "application", "action", "offered", "target", "expects", "changes", "notes", "why", "error"
        ])
        guard let word = try fields.string("action"), word != "none", word != "cannot",
            try fields.flag("offered") != true
        else { return nil }
        guard let action = FleetOrder.Action(rawValue: word) else {
            throw fields.wrong("action", "must be rollback, recreate, delete, none or cannot")
        }
        let application = BodyFields(fields.value("application") ?? .null, at: fields.pointer + "/application")
        guard let uid = try application.string("uid").flatMap({ ApplicationUID($0) }),
            let name = try application.string("name"), let project = try application.string("project")
        else { throw fields.wrong("application", "must have uid, name and project") }
        let target = try fields.sequence("target")
        guard (action == .delete) == (target == nil) else {
            throw fields.wrong("target", "must be a revision's number, and none for a deletion")
        }
        let expects = BodyFields(fields.value("expects") ?? .object([:]), at: fields.pointer + "/expects")
        try expects.allow(["applied", "changedBy", "desired", "pinnedTo"])
        var desired: Digest?
        if let text = try expects.string("desired") {
            guard let digest = Digest(text) else { throw expects.wrong("desired", "must be a digest, sha256:…") }
            desired = digest
        }
        return FleetOrder(
            application: ApplicationReference(uid: uid, name: name, project: project), action: action, target: target,
            expects: FleetGuard(
                applied: try expects.sequence("applied"), changedBy: try expects.sequence("changedBy"),
                desired: desired, pinnedTo: try expects.sequence("pinnedTo")))
    }

    /// What the plan says of an application proves nothing: the ledger says what it belongs to.
    private static func demand(
        _ order: FleetOrder, at sequence: SequenceNumber, _ call: Call
    ) async throws -> ApplicationReference {
        let missing = Problem.noApplication(order.application.name)
        guard let known = try await call.ledger.application(uid: order.application.uid),
            known.name == order.application.name
        else { throw missing }
        let act: Act = order.action == .rollback ? .deploy : .administer
        try await call.demand(act, on: Subject(known.reference), hiddenAs: missing.asRefusal)
        guard order.action == .recreate,
            let declared = try await call.ledger.declaration(of: order.application.uid, at: sequence)
        else { return known.reference }
        try await call.demand(
            act, on: .application(name: declared.name, project: declared.project), hiddenAs: missing.asRefusal)
        return known.reference
    }

    @Sendable static func get(_ call: Call) async throws -> Response {
        let seconds = try call.query.number("wait", in: 0...30, default: 0)
        let group = try call.sequence()
        let missing = Problem(
            .notFound, "fleet.not-found", "there is no rollback of several applications \(group)",
            remedy: "see `shiplog rollback status`")
        guard var fleet = try await call.controller.fleet(group) else { throw missing }
        let principal = call.principal
        let sees = { (reference: ApplicationReference) in principal.may(.read, Subject(reference)) }
        guard fleet.request.orders.contains(where: { sees($0.application) }) else { throw missing.asRefusal }
        if seconds > 0, !fleet.isOver {
            let current = fleet
            fleet = try await call.parts.streams.whilePolling { try await wait(for: current, seconds: seconds, call) }
        }
        return .json(fleet.projection(sees))
    }

    /// Until something changes, in slices: a client that went away and a server that stops are noticed.
    private static func wait(for fleet: Fleet, seconds: Int64, _ call: Call) async throws -> Fleet {
        let end = ContinuousClock.now.advanced(by: .seconds(seconds))
        var current = fleet
        while current == fleet, ContinuousClock.now < end, !call.parts.closing.isClosing, call.channel.isActive {
            let left = Int64(ContinuousClock.now.duration(to: end) / .milliseconds(1))
            guard
                let next = try await call.controller.fleet(
                    fleet.group, waitingMilliseconds: max(1, min(1000, left)))
            else { break }
            current = next
            try Task.checkCancellation()
        }
        return current
    }
}
