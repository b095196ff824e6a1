import Shiplog
import Testing

/// A case a line: what is asked, how the trial stands, what is seen, and what is decided.
@Suite("Automatic rollback, decided")
struct AutomaticRollbackTests {
    /// Seconds: 60 of patience; the first sync ended at 0 and the newest at 0 unless the line says otherwise.
    static let cases = """
        plain     60   Synced     Healthy      leave          # it became well
        plain     10   Synced     Progressing  wait 50        # there is time left
        plain     59   OutOfSync  Degraded     wait 1         # Degraded may still get better
        plain     60   Synced     Progressing  back           # the time is over
        plain     60   Synced     Degraded     back
        plain     60   OutOfSync  Missing      back
        plain     600  Synced     Progressing  back           # however late somebody looks: the server was down
        plain     60   Synced     Suspended    leave          # it waits for somebody
        plain     60   Synced     Unknown      leave          # unknown is not unhealthy
        plain     60   Unknown    Progressing  leave
        plain     60   OutOfSync  Healthy      leave          # somebody has changed what was well
        failed    60   OutOfSync  Healthy      back           # half of it is there, and that is well by itself
        failed    30   OutOfSync  Healthy      wait 30        # it may be tried again
        failed    60   Synced     Healthy      leave          # it was tried again by hand of another
        healthy   30   Synced     Degraded     leave          # it had become well: what came later is not the commit's
        healthy   90   Synced     Degraded     leave
        person    90   Synced     Degraded     leave          # whoever synced by hand looks after it
        pinned    90   Synced     Degraded     leave
        newer     90   OutOfSync  Degraded     leave          # a newer commit is about to be synced
        changed   90   Synced     Degraded     leave          # the application was changed since
        withheld  90   Synced     Degraded     leave          # told once that there is no way back
        rollback  90   Synced     Degraded     leave          # never takes back what went back
        eager     1    Synced     Degraded     wait 1         # the health may be that of before
        eager     2    Synced     Degraded     back
        eager     10   Synced     Progressing  wait 50
        eager     60   Synced     Progressing  back
        eager-ok  30   Synced     Degraded     back           # well for a moment, and not for long
        eager-ok  30   Synced     Progressing  leave
        eager-ok  60   Synced     Degraded     leave          # later it is something else's doing
        eager-hot 30   Synced     Degraded     wait 1         # a retry was written a moment ago
        """

    @Test("the table holds", arguments: cases.split(separator: "\n").map(String.init))
    func table(_ line: String) throws {
        let words = line.split(separator: "#")[0].split(separator: " ").map(String.init)
        let what = try #require(words.first)
        let at = try #require(Int64(words[1])) * 1000
        let mine = try #require(Digest(bytes: (0..<32).map { UInt8($0) }))
        let other = try #require(Digest(bytes: (1..<33).map { UInt8($0) }))
        let first = try #require(SequenceNumber(7))
        var trial: AutomaticRollback.Trial? = AutomaticRollback.Trial(
            sequence: first, finishedAt: Timestamp(milliseconds: 0), desired: mine)
        trial?.hasFailed = what == "failed"
        trial?.becameHealthy = what == "healthy" || what == "eager-ok"
        trial?.isByPerson = what == "person"
        trial?.isWithheld = what == "withheld"
        if what == "eager-hot" { trial?.lastFinishedAt = Timestamp(milliseconds: 29_000) }
        // The ledger names no trial after a rollback.
        if what == "rollback" { trial = nil }
        let sight = AutomaticRollback.Sight(
            sync: try #require(SyncStatus(rawValue: words[2])), health: try #require(HealthStatus(rawValue: words[3])),
            desired: what == "newer" ? other : mine, isPinned: what == "pinned",
            changedBy: try #require(SequenceNumber(what == "changed" ? 8 : 3)), at: Timestamp(milliseconds: at))
        let decision = AutomaticRollback(patience: 60_000, onDegraded: what.hasPrefix("eager"))
            .decide(trial, sight, settling: 2000)
        switch words[4] {
        case "leave": #expect(decision == .leave)
        case "wait": #expect(decision == .wait(milliseconds: try #require(Int64(words[5])) * 1000))
        default:
            guard case .goBack(let why) = decision else { return #expect(Bool(false), "\(decision)") }
            #expect(why.hasPrefix("#7"), "\(why)")
        }
    }

    @Test("the reason says what was waited for and what is there")
    func reason() throws {
        let digest = try #require(Digest(bytes: (0..<32).map { UInt8($0) }))
        let trial = AutomaticRollback.Trial(
            sequence: try #require(SequenceNumber(48_211)), finishedAt: Timestamp(milliseconds: 0), desired: digest,
            commit: CommitID("0123456789abcdef0123456789abcdef01234567"))
        let sight = AutomaticRollback.Sight(
            sync: .synced, health: .degraded, desired: digest, isPinned: false,
            changedBy: try #require(SequenceNumber(3)), at: Timestamp(milliseconds: 5_400_000))
        #expect(
            AutomaticRollback(patience: 5_400_000).decide(trial, sight, settling: 0)
                == .goBack("#48211, commit 0123456, did not become Healthy within 1h30m: it is Degraded"))
        #expect(
            AutomaticRollback(patience: 5_500_000, onDegraded: true).decide(trial, sight, settling: 0)
                == .goBack("#48211, commit 0123456, is Degraded"))
    }

    @Test(
        "an application asks for it in annotations",
        arguments: [
            ("10m", "", AutomaticRollback(patience: 600_000)), ("90s", "false", AutomaticRollback(patience: 90_000)),
            ("1h", "true", AutomaticRollback(patience: 3_600_000, onDegraded: true)), ("", "true", nil),
            ("0s", "", nil), ("999ms", "", nil), ("200h", "", nil), ("soon", "", nil)
        ])
    func annotations(_ patience: String, _ degraded: String, _ expected: AutomaticRollback?) {
        var annotations: [String: String] = [:]
        if !patience.isEmpty { annotations[AutomaticRollback.annotation] = patience }
        if !degraded.isEmpty { annotations[AutomaticRollback.degradedAnnotation] = degraded }
        #expect(AutomaticRollback(annotations: annotations) == expected)
    }
}
