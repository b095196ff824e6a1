import Foundation
import Manifests
import Shiplog
import Testing

/// `Cases/window`: the windows of a project, then moments and what is decided at each. `Cases/cron.txt`: starts that an
/// independent reading of the rules has found, minute by minute over the wall clock.
@Suite("Sync windows")
struct WindowTests {
    @Test("a case is decided as it says, line by line", arguments: Case.all(in: "window"))
    func decision(_ example: Case) throws {
        let parts = example.text.components(separatedBy: "###\n")
        let (head, lines) = (try parts.first.get("windows"), try parts.dropFirst().first.get("lines"))
        let windows = try Self.project("syncWindows:\n" + Self.indented(head)).windows
        for line in lines.split(separator: "\n") {
            let words = line.split(separator: " ").map(String.init)
            let arrow = try words.firstIndex(of: "=>").get("an arrow")
            let question = try Question(Array(words[..<arrow]))
            let expected = words[(arrow + 1)...].joined(separator: " ")
            let found: String
            if question.start != nil || question.isManual {
                let (may, _) = WindowDecision.mayContinue(
                    windows, for: question.subject, startedAt: question.start ?? question.at, at: question.at,
                    manual: question.isManual)
                found = may ? "goes on" : "stops"
            } else {
                let decision = WindowDecision.make(windows, for: question.subject, at: question.at)
                let until = decision.changesAt?.description ?? "never"
                found = "\(decision.permission.rawValue) \(decision.reason.rawValue) until \(until)"
            }
            #expect(found == expected, "\(line)")
        }
    }

    @Test("the cases are there") func cases() {
        #expect(Case.all(in: "window").count >= 60)
    }

    @Test("the permission changes at the moment it is said to, and not before", arguments: Case.all(in: "window"))
    func changes(_ example: Case) throws {
        let head = try example.text.components(separatedBy: "###\n").first.get("windows")
        let windows = try Self.project("syncWindows:\n" + Self.indented(head)).windows
        let subject = SyncWindow.Subject(application: "shop", namespace: "shop", clusters: ["prod"])
        let first = try Timestamp("2026-10-24T00:00:00Z").get("a moment")
        for hour in 0..<60 {
            let moment = first.advanced(byMilliseconds: Int64(hour) * 3_660_000)
            let decision = WindowDecision.make(windows, for: subject, at: moment)
            guard let change = decision.changesAt else { continue }
            let before = WindowDecision.make(windows, for: subject, at: change.advanced(byMilliseconds: -1))
            #expect(before.permission == decision.permission, "before \(change)")
            let after = WindowDecision.make(windows, for: subject, at: change)
            #expect(after.permission != decision.permission, "\(change)")
        }
    }

    @Test("a schedule starts when an independent reading says, summer time included")
    func starts() throws {
        let rows = try Case.table("cron.txt")
        #expect(rows.count >= 60)
        for row in rows {
            try #require(row.count == 5, "\(row)")
            let schedule = try CronSchedule(row[1])
            let zone = try TimeZones.rules(named: row[2]).get("the zone \(row[2])")
            let after = try Timestamp(row[3]).get("a time").milliseconds / 1000
            let next = schedule.next(after: after, in: zone).map { Timestamp(milliseconds: $0 * 1000) }
            let expected = row[4] == "never" ? nil : Timestamp(row[4])
            #expect(next == expected, "\(row[0]): \(next?.description ?? "never")")
        }
    }

    @Test("what is no schedule is refused, with why")
    func refused() throws {
        for row in try Case.table("cron-refused.txt") {
            try #require(row.count == 2, "\(row)")
            let failure = #expect(throws: Failure.self, "\(row[0])") { try CronSchedule(row[0]) }
            #expect(failure?.code == .windowScheduleInvalid)
            #expect(failure?.message.contains(row[1]) == true, "\(failure?.message ?? "none")")
            #expect(failure?.remedy != nil)
        }
    }

    @Test("the start found is the first: none lies between, over two years of a zone with summer time")
    func firstStart() throws {
        let zone = try TimeZones.rules(named: "Europe/Amsterdam").get("a zone")
        let schedule = try CronSchedule("30 2 * * *")
        var second = try Timestamp("2026-01-01T00:00:00Z").get("a time").milliseconds / 1000
        var starts = 0
        while let next = schedule.next(after: second, in: zone), starts < 731 {
            #expect(next > second)
            // Summer time makes one of each year's days an hour shorter and one longer.
            #expect((22 * 3600...26 * 3600).contains(next - second) || next - second == 3600 || starts == 0)
            second = next
            starts += 1
        }
        // One start more on each of the two days on which the hour comes twice.
        #expect(Timestamp(milliseconds: second * 1000).description.hasPrefix("2027-12-3"))
    }

    @Test(
        "names that are no time zone are none",
        arguments: ["", "Local", "Nowhere/City", "UTC+3", "../etc/passwd", "PST"])
    func zones(_ name: String) { #expect(TimeZones.rules(named: name) == nil) }

    @Test("text that came from anywhere is no schedule and ends nothing")
    func fuzz() {
        var generator = SystemRandomNumberGenerator()
        let letters = Array("0123456789*/-,? \tabcJANmon@=")
        for _ in 0..<5000 {
            let count = Int.random(in: 0...24, using: &generator)
            let text = String((0..<count).map { _ in letters.randomElement() ?? "0" })
            guard let schedule = try? CronSchedule(text) else { continue }
            guard let next = schedule.next(after: 1_790_000_000, in: .utc) else { continue }
            #expect(next > 1_790_000_000 && next % 60 == 0)
        }
    }

    static func project(_ spec: String) throws -> AppProject {
        let text =
            "apiVersion: argoproj.io/v1alpha1\nkind: AppProject\nmetadata: {name: team}\nspec:\n" + indented(spec)
        return try ProjectReader.read(Array(text.utf8), file: "project.yaml").first.get("a project").project
    }

    static func indented(_ text: String) -> String {
        text.split(separator: "\n").map { "  " + $0 }.joined(separator: "\n")
    }

    /// `started TIME at TIME app=… ns=… cluster=… manual`
    private struct Question {
        var at = Timestamp(milliseconds: 0)
        var start: Timestamp?
        var isManual = false
        var subject = SyncWindow.Subject(application: "shop", namespace: "shop", clusters: ["prod"])

        init(_ words: [String]) throws {
            for (index, word) in words.enumerated() {
                let pair = word.split(separator: "=", maxSplits: 1).map(String.init)
                switch pair.first ?? "" {
                case "at": at = try words.dropFirst(index + 1).first.flatMap { Timestamp($0) }.get("a time")
                case "started": start = try words.dropFirst(index + 1).first.flatMap { Timestamp($0) }.get("a time")
                case "manual": isManual = true
                case "app": subject.application = try pair.last.get("a name")
                case "ns": subject.namespace = try pair.last.get("a namespace")
                case "cluster": subject.clusters = [try pair.last.get("a cluster")]
                default: continue
                }
            }
        }
    }
}
