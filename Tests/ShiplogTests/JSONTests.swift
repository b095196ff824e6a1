import Shiplog
import Testing

@Suite struct JSONTests {
    @Test(
        "the reader takes what RFC 8259 allows and writes it canonically (RFC 8785)",
        arguments: [
            ("null", "null"), (" [ 1 , 2 ] ", "[1,2]"), ("{\"b\":1,\"a\":2}", "{\"a\":2,\"b\":1}"), ("1e2", "100"),
            ("-0.0", "0"),
            ("1.50", "1.5"), ("1e21", "1e+21"), ("1e-7", "1e-7"), ("0.000001", "0.000001"),
            ("123456789012345680000", "123456789012345680000"),
            ("9223372036854775807", "9223372036854775807"), ("333333333.33333329", "333333333.3333333"),
            (#""\u20ac\/\b\u000f""#, "\"€/\\b\\u000f\""), (#""\ud83d\udea2""#, "\"🚢\""), ("\"\u{7f}\"", "\"\u{7f}\""),
            (#"{"\ufb33":1,"😀":2,"a":3}"#, "{\"a\":3,\"😀\":2,\"\u{fb33}\":1}")
        ])
    func accepted(_ text: String, _ canonical: String) throws {
        #expect(try JSON(parsing: text).canonicalString == canonical)
    }

    @Test(
        "the reader refuses what is no JSON",
        arguments: [
            "", " ", "nul", "[1,]", "{\"a\":1,}", "{a:1}", "[1 2]", "01", "1.", ".5", "+1", "1e", "\"", "\"\n\"",
            "\"\\x\"",
            #""\ud83d""#, #""\udea2""#, #""\ud83dx""#, "\"\\u12\"", "[1]]", "{\"a\":1,\"a\":2}", "'a'", "NaN", "1e999",
            "[", "{\"a\"",
            "{\"a\":}", "\u{FEFF}1", "// 1"
        ])
    func refused(_ text: String) {
        #expect(throws: JSONError.self) { try JSON(parsing: text) }
    }

    @Test("bytes that are no UTF-8 are refused") func utf8() {
        for bytes: [UInt8] in [
            [0x22, 0xFF, 0x22], [0x22, 0xC0, 0x80, 0x22], [0x22, 0xED, 0xA0, 0x80, 0x22], [0x22, 0x5C, 0x6E, 0xC3, 0x22]
        ] {
            #expect(throws: JSONError.self) { try JSON(parsing: bytes) }
        }
    }

    @Test("nesting is bounded") func depth() throws {
        func nested(_ count: Int) -> String {
            String(repeating: "[", count: count) + String(repeating: "]", count: count)
        }
        #expect(throws: Never.self) { try JSON(parsing: nested(128)) }
        #expect(throws: JSONError.self) { try JSON(parsing: nested(129)) }
        #expect(throws: JSONError.self) { try JSON(parsing: String(repeating: "[", count: 100_000)) }
    }

    @Test("an error names the place and never the text") func errors() {
        do {
            _ = try JSON(parsing: "{\"password\": hunter2}")
            Issue.record("it was taken")
        } catch {
            #expect(error.offset == 13)
            #expect(!error.description.contains("hunter"))
        }
    }

    @Test("what is written reads back the same, indented too") func roundTrip() throws {
        var random = Random(seed: 11)
        for _ in 0..<500 {
            let value = try JSON(parsing: random.json(depth: 5).canonicalString)
            #expect(try JSON(parsing: value.canonicalString) == value)
            #expect(try JSON(parsing: value.prettyString) == value)
        }
    }

    @Test("values are set and taken away by path") func paths() {
        var value: JSON = ["a": ["b": 1]]
        value.set("x", at: ["a", "c", "d"])
        #expect(value == ["a": ["b": 1, "c": ["d": "x"]]])
        value.set(nil, at: ["a", "b"])
        value.set(nil, at: ["no", "such"])
        value.set("y", at: [])
        #expect(value == ["a": ["c": ["d": "x"]]])
        #expect(value.at("a", "c", "d") == "x")
        #expect(value.at("a", "x", "d") == nil)
    }

    @Test("a double counts as an integer only where it is one exactly") func integers() {
        #expect(JSON.number(3).integer == 3)
        #expect(JSON.number(3.5).integer == nil)
        #expect(JSON.number(1e300).integer == nil)
        #expect(JSON.number(.nan).integer == nil)
    }
}
