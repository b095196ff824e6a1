import Manifests
import Shiplog
import Testing

@Suite("Reading YAML as Kubernetes does")
struct YAMLReadTests {
    @Test("each file of Cases/yaml reads as the JSON beside it")
    func cases() throws {
        let folder = "Tests/ManifestsTests/Cases/yaml"
        let cases = try names(in: folder).filter { $0.hasSuffix(".yaml") }
        #expect(cases.count >= 8)
        for name in cases {
            let read = try YAML.read(file("\(folder)/\(name)"), file: name).map(\.json)
            let expected = try JSON(parsing: file("\(folder)/" + name.dropLast(4) + "json"))
            #expect(JSON.array(read).prettyString == expected.prettyString, "\(name)")
        }
    }

    /// Scalars as sigs.k8s.io/yaml v1.6 (go.yaml.in/yaml/v2, `resolve.go`) and then JSON give them. `y` and `n` are
    /// Booleans there, although YAML 1.2 and go-yaml v3 read them as strings.
    static let scalars: [(String, JSON)] = [
        ("", .null), ("~", .null), ("null", .null), ("Null", .null), ("NULL", .null), ("nUll", "nUll"),
        ("true", true), ("True", true), ("TRUE", true), ("tRue", "tRue"), ("yes", true), ("Yes", true),
        ("YES", true), ("y", true), ("Y", true), ("on", true), ("On", true), ("ON", true),
        ("false", false), ("False", false), ("FALSE", false), ("no", false), ("No", false), ("NO", false),
        ("n", false), ("N", false), ("off", false), ("Off", false), ("OFF", false), ("nope", "nope"), ("only", "only"),
        ("0", 0), ("-0", 0), ("+0", 0), ("12", 12), ("+12", 12), ("-12", -12), ("1_000", 1000), ("1__0_", 10),
        ("0x1F", 31), ("0X1f", 31), ("-0x1F", -31), ("0b101", 5), ("-0b101", -5), ("0o17", 15), ("0O17", 15),
        ("010", 8), ("0755", 493), ("00", 0), ("-010", -8), ("08", 8), ("09.5", 9.5), ("0x", "0x"), ("0b2", "0b2"),
        ("0xG", "0xG"), ("_1", "_1"), ("+", "+"), ("--1", "--1"), ("1-1", "1-1"), ("-_1", -1),
        ("9223372036854775807", .integer(.max)), ("-9223372036854775808", .integer(.min)),
        ("9223372036854775808", .number(9_223_372_036_854_775_808)),
        ("18446744073709551615", .number(18_446_744_073_709_551_616)),
        ("18446744073709551616", .number(18_446_744_073_709_551_616)),
        ("-9223372036854775809", .number(-9_223_372_036_854_775_808)),
        ("0xFFFFFFFFFFFFFFFFF", "0xFFFFFFFFFFFFFFFFF"),
        ("1.5", 1.5), ("-1.5", -1.5), ("+1.5", 1.5), (".5", 0.5), ("-.5", -0.5), ("1.", 1), ("1.0", 1), ("1e3", 1000),
        ("1E+3", 1000), ("1.5e-3", 0.0015), ("12e03", 12000), (".e3", ".e3"), (".", "."), ("..", ".."),
        ("...5", "...5"),
        ("1e", "1e"), ("1e400", "1e400"), ("1_0.5", 10.5), ("._5", "._5"), ("1.2.3", "1.2.3"), ("1,5", "1,5"),
        ("1e20", .number(1e20)), ("1e21", .number(1e21)),
        ("2001-01-01", "2001-01-01"), ("2001-12-14t21:59:43.10-05:00", "2001-12-14t21:59:43.10-05:00"),
        ("2001-12-14 21:59:43", "2001-12-14 21:59:43"), ("12:30:45", "12:30:45"), ("190:20", "190:20"),
        ("100m", "100m"), ("1Gi", "1Gi"), ("10.0.0.1", "10.0.0.1"), ("1.25.3", "1.25.3"), ("v1", "v1"), ("=", "="),
        ("'12'", "12"), ("\"true\"", "true"), ("'~'", "~"), ("\"\"", ""), ("e3", "e3"), ("f", "f"), ("t", "t"),
        ("inf", "inf"), ("nan", "nan"), ("0.1", 0.1), ("1e-400", 0), ("Infinity", "Infinity"), ("0x1p3", "0x1p3")
    ]

    @Test("a plain scalar is what sigs.k8s.io/yaml makes of it", arguments: scalars)
    func scalar(text: String, expected: JSON) throws {
        let read = try yaml("value: \(text)\n").first?["value"]
        #expect(read == expected, "\(text) was read as \(String(describing: read))")
    }

    @Test(
        "infinite numbers and NaN are refused, as JSON has none",
        arguments: [
            ".inf", ".Inf", ".INF", "+.inf", "-.INF", ".nan", ".NaN", ".NAN"
        ])
    func notJSON(text: String) throws {
        let failure = try yamlFailure("a: \(text)\n")
        #expect(failure.code == .yamlInvalid)
        #expect(failure.message.hasPrefix("test.yaml:1:4: "))
    }

    @Test("UTF-8 with a byte order mark and UTF-16 are read, as libyaml does")
    func encodings() throws {
        let text = "name: Grüße\n"
        #expect(try YAML.read([0xEF, 0xBB, 0xBF] + text.utf8, file: "x").map(\.json) == [["name": "Grüße"]])
        let little: [UInt8] =
            [0xFF, 0xFE] + text.utf16.flatMap { unit -> [UInt8] in [UInt8(unit & 0xFF), UInt8(unit >> 8)] }
        #expect(try YAML.read(little, file: "x").map(\.json) == [["name": "Grüße"]])
        let big: [UInt8] =
            [0xFE, 0xFF] + text.utf16.flatMap { unit -> [UInt8] in [UInt8(unit >> 8), UInt8(unit & 0xFF)] }
        #expect(try YAML.read(big, file: "x").map(\.json) == [["name": "Grüße"]])
    }

    @Test(
        "nothing, blanks and comments give no document", arguments: ["", "\n", "# a\n", "---\n", "---\n---\n# b\n...\n"]
    )
    func empty(text: String) throws {
        #expect(try yaml(text).isEmpty)
    }

    @Test("a document knows the line of its content and its place in the stream")
    func lines() throws {
        let documents = try YAML.read(Array("# c\n\na: 1\n---\n# only\n---\n\nb:\n- c: 2\n".utf8), file: "x")
        #expect(documents.map(\.line) == [3, 8])
        #expect(documents.map(\.index) == [0, 2])
    }

    @Test("a value's line is found by its path")
    func locate() throws {
        let bytes = Array("a: 1\n---\nspec:\n  list:\n    - x: 1\n    - y: 2\n      \"z\":\n        - deep\n".utf8)
        #expect(YAML.line(of: ["spec"], inDocument: 1, of: bytes) == 3)
        #expect(YAML.line(of: ["spec", "list", "1", "y"], inDocument: 1, of: bytes) == 6)
        #expect(YAML.line(of: ["spec", "list", "1", "z", "0"], inDocument: 1, of: bytes) == 8)
        #expect(YAML.line(of: ["spec", "list", "2"], inDocument: 1, of: bytes) == nil)
        #expect(YAML.line(of: ["spec", "other"], inDocument: 1, of: bytes) == nil)
        #expect(YAML.line(of: ["a"], inDocument: 2, of: bytes) == nil)
        #expect(YAML.line(of: ["a"], inDocument: 0, of: Array("a: [".utf8)) == 1)
        #expect(YAML.line(of: ["b"], inDocument: 0, of: Array("a: [".utf8)) == nil)
    }

    @Test("the bare scan counts each event")
    func scan() throws {
        #expect(try YAML.scan(Array("a: [1]\n".utf8)) == 10)
    }
}
