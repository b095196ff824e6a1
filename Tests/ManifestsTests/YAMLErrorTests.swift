import Manifests
import Shiplog
import Testing

@Suite("YAML that is refused")
struct YAMLErrorTests {
    static let broken: [(String, String, String)] = [
        ("a: 1\na: 2\n", "test.yaml:2", "\"a\" stands twice"),
        ("a: 1\n\"a\": 2\n", "test.yaml:2", "stands twice"),
        ("1: a\n\"1\": b\n", "test.yaml:2", "stands twice"),
        ("a:\n  b: [1, {c: 1,\n   c: 2}]\n", "test.yaml:3", "\"c\" stands twice"),
        ("a: b: c\n", "test.yaml:1:5", "mapping values are not allowed"),
        ("a:\n\tb: 1\n", "test.yaml:2:1", "cannot start any token"),
        ("a: [1, 2\nb: 3\n", "test.yaml:2:2", "flow sequence"),
        ("a: 'open\n", "test.yaml:2:1", "quoted scalar"),
        ("a: \"\\q\"\n", "test.yaml:1:5", "escape"),
        ("a: &x [*x]\n", "test.yaml:1:8", "contains itself"),
        ("a: *nobody\n", "test.yaml:1:4", "not defined"),
        ("a: 1\n---\nb: &x 1\n---\nc: *x\n", "test.yaml:5:4", "not defined"),
        ("a: !custom 1\n", "test.yaml:1:4", "!custom"),
        ("a: !!set {x, y}\n", "test.yaml:1:4", "set"),
        ("a: !!int abc\n", "test.yaml:1:4", "!!int"),
        ("a: !!bool 3\n", "test.yaml:1:4", "!!bool"),
        ("a: !!binary '%%%'\n", "test.yaml:1:4", "base64"),
        ("a: !!binary /w==\n", "test.yaml:1:4", "base64 of UTF-8"),
        ("? [a]\n: 1\n", "test.yaml:1:3", "a map or a list"),
        ("null: 1\n", "test.yaml:1:1", "no name"),
        ("a:\n  <<: 3\n", "test.yaml:2:7", "merge key"),
        ("a:\n  <<: [{x: 1}, 3]\n", "test.yaml:2:7", "merge key"),
        ("%YAML 3.0\n---\na: 1\n", "test.yaml:1", "incompatible"),
        ("a: @b\n", "test.yaml:1:4", "cannot start any token"),
        ("- a\nb: 1\n", "test.yaml:2:1", "did not find expected"),
        ("a: b\n c: d\n", "test.yaml:2:3", "mapping values"),
        ("a: \u{1}\n", "test.yaml:1:4", "control characters"),
        ("a: {{ .Values.x }}\n", "test.yaml:1:5", "a map or a list")
    ]

    @Test("the message names file, line and column, and says what is wrong", arguments: broken)
    func refused(text: String, place: String, words: String) throws {
        let failure = try yamlFailure(text)
        #expect(failure.code == .yamlInvalid)
        #expect(failure.message.hasPrefix(place + ":"), "\(failure.message)")
        #expect(failure.message.contains(words), "\(failure.message)")
        #expect(failure.next == .person)
    }

    @Test("every error gets a remedy, and a tab that indents one of its own")
    func tab() throws {
        #expect(try yamlFailure("a:\n\tb: 1\n").remedy?.contains("blanks") == true)
        #expect(try yamlFailure("a: @b\n").remedy == "correct the file at that place")
    }

    @Test("bytes that are not UTF-8 are named with line and column")
    func notUTF8() throws {
        let bytes = Array("a: 1\nb: ".utf8) + [0xE9, 0x74, 0x0A]
        let failure = try #require(throws: Failure.self) { try YAML.read(bytes, file: "latin.yaml") }
        #expect(failure.code == .yamlInvalid)
        #expect(failure.message.hasPrefix("latin.yaml:2:5: not UTF-8"), "\(failure.message)")
        #expect(failure.remedy == "save the file as UTF-8")
    }

    @Test("no message repeats what the file holds as a value")
    func noValues() throws {
        for text in ["password: hunter2: x\n", "a: !!int hunter2\n", "a: 'hunter2\n", "a: [hunter2\nb: 1\n"] {
            let failure = try yamlFailure(text)
            #expect(!"\(failure)".contains("hunter2"), "\(failure)")
        }
    }

    @Test("a control character in a name does not reach the message")
    func controlInName() throws {
        let failure = try yamlFailure("\"a\\x1bb\": 1\n\"a\\x1bb\": 2\n")
        #expect(!failure.message.unicodeScalars.contains("\u{1B}"))
    }
}

@Suite("Limits of YAML")
struct YAMLLimitTests {
    /// Each is small and would grow to gigabytes.
    static let bombs: [String: String] = [
        "lists of lists": "a0: &a0 [x,x,x,x,x,x,x,x,x]\n"
            + (1...12).map {
                "a\($0): &a\($0) [" + Array(repeating: "*a\($0 - 1)", count: 9).joined(separator: ",") + "]\n"
            }
            .joined(),
        "maps of maps": "a0: &a0 {x: 1}\n"
            + (1...40).map { "a\($0): &a\($0) {l: *a\($0 - 1), r: *a\($0 - 1)}\n" }.joined(),
        "merge keys": "a0: &a0 {x0: 1}\n"
            + (1...40).map { "a\($0): &a\($0) {<<: [*a\($0 - 1), *a\($0 - 1)], x\($0): {<<: *a\($0 - 1)}}\n" }.joined(),
        "a long text": "a: &a \"" + String(repeating: "x", count: 100_000) + "\"\nl: ["
            + Array(repeating: "*a", count: 1000).joined(separator: ",") + "]\n",
        "many aliases": "a: &a [1,2,3,4,5,6,7,8,9]\nl: [" + Array(repeating: "*a", count: 20000).joined(separator: ",")
            + "]\n",
        "a chain too deep": "a0: &a0 [x]\n" + (1...200).map { "a\($0): &a\($0) [*a\($0 - 1)]\n" }.joined(),
        "brackets": String(repeating: "[", count: 100_000),
        "braces": String(repeating: "{a: ", count: 50_000),
        "dashes": String(repeating: "- ", count: 50_000) + "x",
        "questions": String(repeating: "? ", count: 50_000) + "x",
        "indented": (0..<2000).map { String(repeating: " ", count: $0) + "a:\n" }.joined()
    ]

    @Test("a bomb is refused by a limit, at once", arguments: bombs.keys.sorted())
    func bomb(name: String) throws {
        let text = try #require(Self.bombs[name])
        let clock = ContinuousClock()
        var failure: Failure?
        let time = try clock.measure { failure = try yamlFailure(text) }
        let code = try #require(failure?.code)
        #expect(code == .yamlLimit || (name == "questions" && code == .yamlInvalid), "\(String(describing: failure))")
        #expect(time < .seconds(5))
    }

    @Test("a hundred levels are read, one more is not")
    func depth() throws {
        let deep = String(repeating: "[", count: 100) + String(repeating: "]", count: 100)
        #expect(try yaml(deep).count == 1)
        #expect(try yamlFailure("[" + deep + "]").code == .yamlLimit)
        let aliased = "a: &a " + String(repeating: "[", count: 60) + String(repeating: "]", count: 60) + "\nb: "
        let thirty = aliased + String(repeating: "[", count: 39) + "*a" + String(repeating: "]", count: 39) + "\n"
        #expect(try yaml(thirty).count == 1)
        let forty = aliased + String(repeating: "[", count: 40) + "*a" + String(repeating: "]", count: 40) + "\n"
        #expect(try yamlFailure(forty).code == .yamlLimit)
    }

    @Test("size and number of values have limits")
    func size() throws {
        #expect(try yamlFailure("abcdef", limits: YAMLLimits(bytes: 5)).message.contains("6 bytes"))
        #expect(try yamlFailure("[[1,2,3,4,5],[6]]", limits: YAMLLimits(nodes: 5)).code == .yamlLimit)
        #expect(try yaml("[[1,2],[6]]", limits: YAMLLimits(nodes: 6)).count == 1)
    }

    @Test("ordinary use of aliases is far from the limits")
    func ordinary() throws {
        let labels = "labels: &l {a: b, c: d, e: f}\nitems:\n"
        #expect(try yaml(labels + String(repeating: "- {labels: *l}\n", count: 5000)).count == 1)
    }
}
