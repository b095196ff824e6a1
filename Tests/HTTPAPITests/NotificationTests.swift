import HTTPAPI
import LedgerStore
import Shiplog
import ShiplogTesting
import Testing

extension Site {
    /// One target, `chat`, with one dead letter: what the API says of it is the same as of a real one.
    static func notifications(_ ledger: Ledger) -> NotificationDesk {
        guard let row = SequenceNumber(7), let event = SequenceNumber(9) else { return .none }
        let at = Timestamp(milliseconds: 1_795_440_000_000)
        return NotificationDesk(
            statuses: {
                var status = NotificationStatus(name: "chat", url: nil, cursor: 12)
                status.behind = 3
                status.delivered = .init(sequence: row, at: at, status: 204)
                status.trouble = .init(
                    sequence: event, tries: 2, code: "notification.refused", status: 500, next: at)
                return [status]
            },
            dead: { (name) throws(Failure) in
                guard name == nil || name == "chat" else { return [] }
                return [
                    DeadLetter(
                        notification: "chat", sequence: row, event: event, at: at, tries: 10, code: "http.timeout",
                        status: nil, isTriedAgain: false)
                ]
            },
            retry: { (name, sequence, actor) throws(Failure) in
                guard name == "chat" else {
                    throw Failure("notification.not-found", "there is no notification \(name)")
                }
                guard sequence == nil || sequence == row else {
                    throw Failure("notification.not-dead", "\(name) has no such dead letter")
                }
                try await ledger.record(
                    Event(.notificationRetried, actor: actor, facts: ["notification": .string(name), "sequence": 7]))
                return [row]
            })
    }
}

@Suite("Notifications over the API") struct NotificationTests {
    @Test("auditors see how targets stand and what was given up; only administrators have it delivered after all")
    func access() async throws {
        try await Site.run { site in
            let auditor = site.client.signed(try await site.token(.auditor))
            let viewer = site.client.signed(try await site.token(.viewer))
            let list = try await auditor.get(Site.api + "/notifications")
            #expect(
                list.json == [
                    "items": [
                        [
                            "name": "chat", "cursor": 12, "behind": 3, "again": [],
                            "delivered": ["sequence": 7, "at": "2026-11-23T13:20:00.000Z", "status": 204],
                            "trouble": [
                                "sequence": 9, "tries": 2, "code": "notification.refused", "status": 500,
                                "next": "2026-11-23T13:20:00.000Z"
                            ]
                        ]
                    ]
                ], "\(list.text)")
            let dead = try await auditor.get(Site.api + "/notifications/dead")
            #expect(dead.json["items"]?.array?.first?["code"] == "http.timeout", "\(dead.text)")
            #expect(try await auditor.get(Site.api + "/notifications/dead?notification=mail").json["items"] == [])
            for path in ["/notifications", "/notifications/dead"] {
                #expect(try await viewer.get(Site.api + path).status == 403)
            }
            #expect(try await auditor.post(Site.api + "/notifications/chat/retry", ["all": true]).status == 403)
        }
    }

    @Test("what is asked for again is exactly one row or all, of a target that is there and a letter that is dead")
    func again() async throws {
        try await Site.run { site in
            let path = Site.api + "/notifications/chat/retry"
            for body: JSON in [[:], ["all": false], ["all": true, "sequence": 7], ["sequence": "x"], ["rows": 7]] {
                #expect(try await site.boss.post(path, body).status == 400, "\(body)")
            }
            #expect(try await site.boss.post(path, ["sequence": 8]).code == "notification.not-dead")
            #expect(try await site.boss.post(path, ["sequence": 8]).status == 409)
            #expect(try await site.boss.post(Site.api + "/notifications/mail/retry", ["all": true]).status == 404)
            let answer = try await site.boss.post(path, ["sequence": 7])
            #expect(answer.status == 202 && answer.json["sequences"] == [7], "\(answer.text)")
        }
    }
}
