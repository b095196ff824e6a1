import Shiplog
import Testing

@testable import ShiplogCommand

@Suite("Times and durations")
struct TimeTests {
    private let now = Timestamp(milliseconds: 1_795_530_202_120)  // 2026-11-24T14:23:22.120Z

    @Test(
        "a moment is written in each of the promised ways",
        arguments: [
            ("2026-11-20T13:00:00Z", "2026-11-20T13:00:00.000Z"), ("2026-11-20 13:00", "2026-11-20T13:00:00.000Z"),
            ("2026-11-20T13:00:00+02:00", "2026-11-20T11:00:00.000Z"), ("-2h", "2026-11-24T12:23:22.120Z"),
            ("-1d", "2026-11-23T14:23:22.120Z"), ("yesterday", "2026-11-23T00:00:00.000Z"),
            ("today", "2026-11-24T00:00:00.000Z"), ("now", "2026-11-24T14:23:22.120Z")
        ])
    func moments(_ text: String, _ expected: String) {
        #expect(TimeText.moment(text, now: now)?.description == expected)
    }

    @Test("what is no moment is refused", arguments: ["", "-", "2h", "soon", "-2x", "2026-13-01", "--2h"])
    func noMoments(_ text: String) {
        #expect(TimeText.moment(text, now: now) == nil)
    }

    @Test(
        "durations are Go's, and days",
        arguments: [
            ("90s", 90_000), ("1h30m", 5_400_000), ("1.5h", 5_400_000), ("250ms", 250), ("30d", 2_592_000_000),
            ("45", 45_000), ("0", 0)
        ] as [(String, Int64)])
    func durations(_ text: String, _ expected: Int64) {
        #expect(TimeText.milliseconds(text) == expected)
    }

    @Test(
        "what is no duration, or longer than ten years, is refused", arguments: ["", "h", "1x", "-5s", "4000d", "1..5s"]
    )
    func noDurations(_ text: String) {
        #expect(TimeText.milliseconds(text) == nil)
    }

    @Test(
        "a number is a row of the log, and with a dash seconds ago",
        arguments: [("40", "40"), ("#40", "40"), ("@40", "40"), ("now", nil)] as [(String, String?)])
    func rows(_ text: String, _ expected: String?) throws {
        #expect(try #require(InstantArgument(argument: text)).text == expected)
    }

    @Test("seconds ago are a moment, wherever they are written", arguments: ["at", "compare"])
    func seconds(_ command: String) throws {
        #expect(InstantArgument.withoutDashes([command, "-40", "now"]) == [command, "40s", "now"])
        #expect(InstantArgument.withoutDashes([command, "-2h", "40", "-o"]) == [command, "2h", "40", "-o"])
        #expect(InstantArgument.withoutDashes(["history", "-40"]) == ["history", "-40"])
        for text in ["-40", "40s"] {
            let argument = try #require(InstantArgument(argument: text))
            let moment = try #require(argument.text.flatMap { Timestamp($0) })
            let ago = Moment.now.milliseconds - moment.milliseconds
            #expect((39_000...60_000).contains(ago), "\(text): \(ago)")
        }
    }

    @Test(
        "what is neither a row nor a moment is refused",
        arguments: ["0", "00", "#0", "@0", "99999999999999999999", "@-40", "#-40", "+40", ""])
    func noInstants(_ text: String) { #expect(InstantArgument(argument: text) == nil) }

    @Test("spans are short")
    func spans() {
        #expect(TimeText.span(850) == "850ms")
        #expect(TimeText.span(12_345) == "12.3s")
        #expect(TimeText.span(245_000) == "4m05s")
    }
}
