import Crypto
import Foundation
import LedgerStore
import Shiplog
import ShiplogTesting
import Testing

@testable import Notifying

@Suite("Notifications", .serialized) struct NotifierTests {
    @Test("what became of it is told as a CloudEvent, signed, under an id that stays") func tells() async throws {
        let telling = try await Telling.make()
        try await Receiver.run { receiver, url in
            let key = "whsec_" + Data("0123456789abcdef01234567".utf8).base64EncodedString()
            try await telling.run([telling.target(to: url + "/x", key: key)]) { notifier in
                let sequence = try await telling.happen()
                try await telling.test.ledger.record(Event(.serverStarted, actor: .controller))
                try await until("the call") { !receiver.calls.isEmpty }
                let call = try #require(receiver.calls.first)
                #expect(call.path == "/x")
                #expect(call.headers["content-type"] == "application/cloudevents+json; charset=utf-8")
                let leaf = try #require(try await telling.test.ledger.leaf(sequence))
                #expect(call.id == leaf.bytes.hex)
                #expect(call.json?["id"]?.string == leaf.bytes.hex)
                #expect(call.json?["specversion"] == "1.0")
                #expect(call.json?["type"] == "dev.shiplog.health.reached")
                #expect(call.sequence == sequence.value)
                let time = try #require(call.headers["webhook-timestamp"])
                let code = HMAC<SHA256>.authenticationCode(
                    for: Data("\(leaf.bytes.hex).\(time).\(call.body)".utf8),
                    using: SymmetricKey(data: Data("0123456789abcdef01234567".utf8)))
                #expect(call.headers["webhook-signature"] == "v1," + Data(code).base64EncodedString())
                try await until("the cursor") { await notifier.statuses().first?.behind == 0 }
                #expect(receiver.calls.count == 1, "a start of the server is no outcome")
                #expect(await notifier.statuses().first?.delivered?.sequence == sequence)
            }
        }
        await telling.test.close()
    }

    @Test("a target that fails is tried again, with the same id and in order") func tryAgain() async throws {
        let telling = try await Telling.make()
        try await Receiver.run({ _ in (500, [:]) }) { receiver, url in
            try await telling.run([telling.target(to: url + "/x", tries: 50)]) { notifier in
                let first = try await telling.happen(.degraded)
                let second = try await telling.happen()
                try await until("two tries") { receiver.calls.count >= 2 }
                let trouble = await notifier.statuses().first?.trouble
                #expect(trouble?.status == 500 && trouble?.code == "notification.refused")
                receiver.answer { _ in (200, [:]) }
                try await until("both") { await notifier.statuses().first?.delivered?.sequence == second }
                let ids = Set(receiver.calls.filter { $0.sequence == first.value }.map(\.id))
                #expect(ids.count == 1)
                #expect(receiver.calls.last?.sequence == second.value)
                #expect(await notifier.statuses().first?.trouble == nil)
                #expect(try await telling.events(.notificationDead).isEmpty)
            }
        }
        await telling.test.close()
    }

    @Test("after the last try it is a dead letter, the next is told, and somebody can have it delivered after all")
    func deadLetter() async throws {
        let telling = try await Telling.make()
        let person = Actor(name: "ada", means: .token, tokenID: "t1")
        try await Receiver.run({ _ in (503, [:]) }) { receiver, url in
            try await telling.run([telling.target(to: url + "/hook/s3cr3t", isSecret: true)]) { notifier in
                let first = try await telling.happen(.degraded)
                try await until("the dead letter") { try await !telling.events(.notificationDead).isEmpty }
                #expect(receiver.calls.count == 3)
                let event = try #require(try await telling.events(.notificationDead).first)
                #expect(event.value.facts["sequence"]?.integer == first.value)
                #expect(event.value.facts["notification"] == "chat" && event.value.facts["status"] == 503)
                #expect(event.value.facts["tries"] == 3)
                receiver.answer { _ in (200, [:]) }
                let second = try await telling.happen()
                try await until("the next") { await notifier.statuses().first?.delivered?.sequence == second }
                let letters = try await notifier.dead()
                #expect(letters.map(\.sequence) == [first] && letters.first?.isTriedAgain == false)
                #expect(try await notifier.dead(of: "other").isEmpty)
                #expect(try await notifier.retry("chat", nil, actor: person) == [first])
                try await until("it after all") { try await notifier.dead().isEmpty }
                #expect(receiver.calls.last?.sequence == first.value)
                #expect(try await telling.events(.notificationRetried).first?.value.actor.name == "ada")
                await #expect(throws: Failure.self) { try await notifier.retry("chat", nil, actor: person) }
                await #expect(throws: Failure.self) { try await notifier.retry("nobody", nil, actor: person) }
                let calls = receiver.calls.count
                try await until("everything is read") { await notifier.statuses().first?.behind == 0 }
                #expect(receiver.calls.count == calls, "of notifications nobody is told")
                #expect(await notifier.statuses().first?.url == nil)
            }
        }
        await telling.test.close()
        for file in try FileManager.default.subpathsOfDirectory(atPath: telling.test.directory.path) {
            let bytes = FileManager.default.contents(atPath: telling.test.directory.path + "/" + file) ?? Data()
            #expect(bytes.range(of: Data("s3cr3t".utf8)) == nil, "\(file)")
        }
    }

    @Test("a target that never answers holds up nobody else, nor the log") func slow() async throws {
        let telling = try await Telling.make()
        try await Receiver.run({ $0.path == "/slow" ? nil : (200, [:]) }) { receiver, url in
            let targets = [
                telling.target("slow", to: url + "/slow", tries: 2), telling.target("quick", to: url + "/quick")
            ]
            try await telling.run(targets) { notifier in
                let start = ContinuousClock.now
                for _ in 0..<20 { try await telling.happen() }
                try await until("the quick one") { receiver.calls.count { $0.path == "/quick" } == 20 }
                #expect(ContinuousClock.now - start < .seconds(1.5), "before the other's first try was over")
                try await until("the time-out") { try await !telling.events(.notificationDead).isEmpty }
                let event = try #require(try await telling.events(.notificationDead).last)
                #expect(event.value.facts["code"] == "http.timeout" && event.value.facts["notification"] == "slow")
                #expect(event.value.facts["status"] == nil)
            }
        }
        await telling.test.close()
    }

    @Test("whatever ends the process, the next one goes on where it was") func restart() async throws {
        let telling = try await Telling.make()
        try await Receiver.run({ _ in (200, [:]) }) { receiver, url in
            let target = telling.target(to: url + "/x", tries: 1000)
            try await telling.run([target]) { notifier in
                let first = try await telling.happen()
                try await until("the first") { await notifier.statuses().first?.delivered?.sequence == first }
                receiver.answer { _ in (500, [:]) }
                try await telling.happen(.degraded)
                try await until("a try") { receiver.calls.count >= 2 }
            }
            // Nobody tells while this happens.
            let missed = [try await telling.happen(), try await telling.happen(.degraded)]
            receiver.answer { _ in (200, [:]) }
            let before = receiver.calls.count
            try await telling.run([target]) { notifier in
                try await until("the rest") { await notifier.statuses().first?.delivered?.sequence == missed.last }
            }
            let told = receiver.calls[before...].compactMap(\.sequence)
            #expect(told == [missed[0].value - 1] + missed.map(\.value))
            try await telling.run([target]) { notifier in
                try await until("it is read") { await notifier.statuses().first?.behind == 0 }
                #expect(receiver.calls.count == before + 3, "and not once more")
            }
        }
        await telling.test.close()
    }

    @Test("a new target begins at the end of the log, and an older copy of the ledger at its own") func beginning()
        async throws
    {
        let telling = try await Telling.make()
        try await telling.happen()
        try await Receiver.run { receiver, url in
            try await telling.run([telling.target(to: url + "/x")]) { notifier in
                try await until("it is read") { await notifier.statuses().first?.behind == 0 }
            }
            #expect(receiver.calls.isEmpty)
            let file = CursorFile(telling.folder + "/chat.json")
            try file.write(.init(ledger: telling.test.ledger.uid, cursor: 1_000_000))
            try await telling.run([telling.target(to: url + "/x")]) { _ in
                try await telling.happen()
                try await until("the call") { receiver.calls.count == 1 }
            }
        }
        await telling.test.close()
    }

    @Test("a cursor that says nothing is refused: guessing would lose news or tell old ones") func damaged()
        async throws
    {
        let telling = try await Telling.make()
        try Data("{".utf8).write(to: URL(fileURLWithPath: telling.folder + "/chat.json"))
        do {
            try await telling.run([telling.target(to: "http://127.0.0.1:9")]) { _ in }
            Issue.record("it was taken")
        } catch let failure as Failure {
            #expect(failure.code == "notification.cursor-invalid")
        }
        await telling.test.close()
    }

    @Test("a redirection is an answer like any other, and is not followed") func redirect() async throws {
        let telling = try await Telling.make()
        try await Receiver.run({ _ in (307, ["Location": "/elsewhere"]) }) { receiver, url in
            try await telling.run([telling.target(to: url + "/here", tries: 2)]) { notifier in
                try await telling.happen()
                try await until("the dead letter") { try await !telling.events(.notificationDead).isEmpty }
                #expect(receiver.calls.allSatisfy { $0.path == "/here" })
                #expect(try await notifier.dead().first?.status == 307)
            }
        }
        await telling.test.close()
    }

    @Test("two targets of one name are refused") func twice() async throws {
        let telling = try await Telling.make()
        do {
            try await telling.run([telling.target(to: "http://a"), telling.target(to: "http://b")]) { _ in }
            Issue.record("they were taken")
        } catch let failure as Failure {
            #expect(failure.code == "notification.twice")
        }
        await telling.test.close()
    }

    @Test("waits double up to a limit, half of each is chance, and what a target asks for counts")
    func delays() {
        var patience = NotificationTarget.Patience()
        patience.initial = 1000
        patience.maximum = 10_000
        #expect(
            (2...7).map { patience.delay(before: $0, chance: 1, asked: nil) } == [
                1000, 2000, 4000, 8000, 10_000, 10_000
            ])
        #expect(patience.delay(before: 3, chance: 0, asked: nil) == 1000)
        #expect(patience.delay(before: 2, chance: 1, asked: 5000) == 5000)
        #expect(patience.delay(before: 2, chance: 1, asked: 50_000) == 10_000)
        #expect(patience.delay(before: 1_000_000, chance: 1, asked: nil) == 10_000)
    }
}

/// A case a line: kinds, outcomes, applications, projects, and what the entry says.
@Suite("Whom to tell") struct NotificationRuleTests {
    @Test(
        "the rule takes what it asks for",
        arguments: [
            ("", "", "", "", "kind=sync", true), ("", "", "", "", "kind=rollback outcome=failed", true),
            ("", "", "", "", "kind=reconcile", false), ("", "", "", "", "kind=token.created", false),
            ("", "", "", "", "kind=health.reached", true), ("", "", "", "", "kind=rollback.withheld", true),
            ("", "failed", "", "", "kind=sync", false), ("", "failed", "", "", "kind=sync outcome=failed", true),
            ("", "succeeded", "", "", "kind=sync", true), ("token.created", "", "", "", "kind=token.created", true),
            ("token.created", "", "", "", "kind=sync", false), ("", "", "shop-*", "", "kind=sync name=shop-web", true),
            ("", "", "shop-*", "", "kind=sync name=web", false), ("", "", "*", "", "kind=sync", false),
            ("", "", "", "team-?", "kind=sync project=team-a", true),
            ("", "", "", "team-?", "kind=sync project=teams", false),
            ("reconcile", "", "", "", "kind=reconcile sameAs=7", false),
            ("notification.dead", "", "", "", "kind=notification.dead", false)
        ])
    func table(
        _ kinds: String, _ outcomes: String, _ applications: String, _ projects: String, _ entry: String, _ takes: Bool
    ) {
        let words = { (text: String) in text.split(separator: ",").map(String.init) }
        let rule = NotificationRule(
            kinds: Set(words(kinds)), outcomes: Set(words(outcomes)),
            applications: words(applications).compactMap { Glob($0) },
            projects: words(projects).compactMap { Glob($0) })
        var json: JSON = [:]
        for pair in entry.split(separator: " ") {
            let parts = pair.split(separator: "=").map(String.init)
            switch parts[0] {
            case "name", "project": json.set(.string(parts[1]), at: ["application", parts[0]])
            default: json.set(.string(parts[1]), at: [parts[0]])
            }
        }
        #expect(rule.takes(json) == takes)
    }
}
