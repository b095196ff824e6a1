import HTTPTypes
import Hummingbird
import LedgerStore
public import Shiplog

/// What the API asks of notifications, and does not know itself: `Notifying` is given in by whoever composes the program.
public struct NotificationDesk: Sendable {
    public var statuses: @Sendable () async -> [NotificationStatus]
    /// Of one target, or of all for nil.
    public var dead: @Sendable (String?) async throws(Failure) -> [DeadLetter]
    /// One row, or all that are dead for nil.
    public var retry: @Sendable (String, SequenceNumber?, Actor) async throws(Failure) -> [SequenceNumber]

    public init(
        statuses: @escaping @Sendable () async -> [NotificationStatus],
        dead: @escaping @Sendable (String?) async throws(Failure) -> [DeadLetter],
        retry: @escaping @Sendable (String, SequenceNumber?, Actor) async throws(Failure) -> [SequenceNumber]
    ) {
        self.statuses = statuses
        self.dead = dead
        self.retry = retry
    }

    /// Of a server that tells nobody.
    public static let none = NotificationDesk(
        statuses: { [] }, dead: { (_) throws(Failure) in [] },
        retry: { (name, _, _) throws(Failure) in
            throw Failure(
                "notification.not-found", "there is no notification \(name)",
                remedy: "see `shiplog notifications list`")
        })
}

enum NotificationHandlers {
    @Sendable static func list(_ call: Call) async throws -> Response {
        .json(["items": .array(await call.parts.notifications.statuses().map(\.projection))])
    }

    @Sendable static func dead(_ call: Call) async throws -> Response {
        let letters = try await call.parts.notifications.dead(try call.query.one("notification"))
        return .json(["items": .array(letters.map(\.projection))])
    }

    /// Exactly one of a row and all of them.
    @Sendable static func retry(_ call: Call) async throws -> Response {
        let fields = try await call.fields(["sequence", "all"])
        let (sequence, all) = (try fields.sequence("sequence"), try fields.flag("all") ?? false)
        guard (sequence != nil) != all else {
            throw fields.wrong("sequence", "must be a dead letter's row, or all must be true")
        }
        let taken = try await call.parts.notifications.retry(call.path["notification"] ?? "", sequence, call.actor)
        return .json(["sequences": .array(taken.map(\.projection))], status: .accepted)
    }
}

extension NotificationStatus {
    var projection: JSON {
        .members([
            "name": .string(name), "url": url.map { .string($0) }, "cursor": .integer(cursor),
            "behind": .integer(behind), "delivered": delivered?.projection, "trouble": trouble?.projection,
            "again": .array(again.map(\.projection))
        ])
    }
}

extension NotificationStatus.Delivery {
    var projection: JSON {
        ["sequence": sequence.projection, "at": at.projection, "status": .integer(Int64(status))]
    }
}

extension NotificationStatus.Trouble {
    var projection: JSON {
        .members([
            "sequence": sequence.projection, "tries": .integer(Int64(tries)), "code": .string(code.rawValue),
            "status": status.map { .integer(Int64($0)) }, "next": next.projection
        ])
    }
}

extension DeadLetter {
    var projection: JSON {
        .members([
            "notification": .string(notification), "sequence": sequence.projection, "event": event.projection,
            "at": at.projection, "tries": .integer(Int64(tries)), "code": .string(code.rawValue),
            "status": status.map { .integer(Int64($0)) }, "triedAgain": .bool(isTriedAgain)
        ])
    }
}
