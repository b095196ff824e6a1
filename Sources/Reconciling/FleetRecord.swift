import LedgerStore
import Shiplog

/// How a fleet is written into its two events and read back.
enum FleetRecord {
    /// What stays for ever: counts and numbers; what is long stands in the detail.
    static func started(_ request: FleetRequest, actor: Actor) -> Event {
        Event(
            .fleetStarted, actor: actor,
            facts: .members([
                "applications": .integer(Int64(request.orders.count)), "at": .integer(request.at.value),
                "continueOnError": .bool(request.continueOnError), "ticket": request.ticket.map { .string($0) }
            ]),
            detail: .members([
                "orders": .array(request.orders.map(order)), "options": options(request.options),
                "reason": request.reason.map { .string($0) }
            ]))
    }

    static func ended(_ fleet: Fleet) -> Event {
        let failed = fleet.count { if case .failed = $0 { true } else { false } }
        let skipped = fleet.count { $0 == .skipped }
        return Event(
            .fleetEnded, actor: fleet.actor, outcome: failed + skipped == 0 ? "succeeded" : "failed",
            facts: [
                "group": .integer(fleet.group.value), "failed": .integer(Int64(failed)),
                "skipped": .integer(Int64(skipped)),
                "succeeded": .integer(Int64(fleet.results.count - failed - skipped))
            ], detail: ["results": .array(zip(fleet.request.orders, fleet.results).map(result))])
    }

    /// nil when the detail was erased: then nobody knows what is left to do.
    static func fleet(_ started: StoredEvent, _ ended: StoredEvent?) -> Fleet? {
        let event = started.value
        guard let detail = event.detail, let orders = detail["orders"]?.array?.compactMap(readOrder),
            let at = event.facts["at"]?.integer.flatMap({ SequenceNumber($0) }),
            orders.count == detail["orders"]?.array?.count
        else { return nil }
        let request = FleetRequest(
            at: at, orders: orders, options: readOptions(detail["options"] ?? .null), reason: detail["reason"]?.string,
            ticket: event.facts["ticket"]?.string, continueOnError: event.facts["continueOnError"]?.bool ?? false)
        var results = ended?.value.detail?["results"]?.array?.map(readResult) ?? []
        if results.count != orders.count { results = orders.map { _ in .waiting } }
        return Fleet(
            group: started.sequence, request: request, actor: event.actor, startedAt: started.recordedAt,
            results: results, endedBy: ended?.sequence)
    }

    // MARK: Parts

    private static func order(_ order: FleetOrder) -> JSON {
        let expects = order.expects
        return .members([
            "action": .string(order.action.rawValue),
            "application": [
                .string(order.application.uid.value), .string(order.application.name),
                .string(order.application.project)
            ],
            "expects": .members([
                "applied": expects.applied.map { .integer($0.value) },
                "changedBy": expects.changedBy.map { .integer($0.value) },
                "desired": expects.desired.map { .string($0.description) },
                "pinnedTo": expects.pinnedTo.map { .integer($0.value) }
            ]), "target": order.target.map { .integer($0.value) }
        ])
    }

    private static func readOrder(_ json: JSON) -> FleetOrder? {
        let names = (json["application"]?.array ?? []).compactMap(\.string)
        guard names.count == 3, let uid = ApplicationUID(names[0]),
            let action = json["action"]?.string.flatMap({ FleetOrder.Action(rawValue: $0) })
        else { return nil }
        let number = { (path: [String]) in json.at(path[...])?.integer.flatMap { SequenceNumber($0) } }
        return FleetOrder(
            application: ApplicationReference(uid: uid, name: names[1], project: names[2]), action: action,
            target: number(["target"]),
            expects: FleetGuard(
                applied: number(["expects", "applied"]), changedBy: number(["expects", "changedBy"]),
                desired: json.at("expects", "desired")?.string.flatMap { Digest($0) },
                pinnedTo: number(["expects", "pinnedTo"])))
    }

    private static func options(_ options: FleetOptions) -> JSON {
        .members([
            "confirmDestructive": .bool(options.confirmDestructive), "hold": .string(options.hold.rawValue),
            "keepSecrets": .bool(options.keepSecrets), "prune": options.prune.map { .bool($0) },
            "replace": .bool(options.replace)
        ])
    }

    private static func readOptions(_ json: JSON) -> FleetOptions {
        var options = FleetOptions()
        options.confirmDestructive = json["confirmDestructive"]?.bool ?? false
        options.hold = json["hold"]?.string.flatMap { Pin.Hold(rawValue: $0) } ?? .untilNewCommit
        options.keepSecrets = json["keepSecrets"]?.bool ?? false
        options.prune = json["prune"]?.bool
        options.replace = json["replace"]?.bool ?? false
        return options
    }

    private static func result(_ order: FleetOrder, _ result: Fleet.Result) -> JSON {
        var json = JSON.members([
            "application": .string(order.application.name), "result": .string(result.word),
            "revision": result.revision.map { .integer($0.value) }
        ])
        if case .failed(_, let failure) = result {
            json["code"] = .string(failure.code.rawValue)
            json["message"] = .string(failure.message)
            json["remedy"] = failure.remedy.map { .string($0) }
        }
        return json
    }

    private static func readResult(_ json: JSON) -> Fleet.Result {
        let revision = json["revision"]?.integer.flatMap { SequenceNumber($0) }
        switch json["result"]?.string {
        case "succeeded": return .succeeded(revision)
        case "failed":
            return .failed(
                revision,
                Failure(
                    Failure.Code(rawValue: json["code"]?.string ?? "fleet.lost"), json["message"]?.string ?? "",
                    remedy: json["remedy"]?.string))
        default: return .skipped
        }
    }
}
