import Shiplog
import Testing

@Suite("Globs as Argo CD's library reads them")
struct GlobTests {
    static let cases: [(String, String, Bool)] = [
        ("*.yaml", "a.yaml", true), ("*.yaml", "deep/a.yaml", true), ("**.yaml", "deep/er/a.yaml", true),
        ("*.yaml", "a.yml", false), ("a.yaml", "a.yaml", true), ("a.yaml", "b/a.yaml", false),
        ("{a,b}.yaml", "a.yaml", true), ("{a,b}.yaml", "b.yaml", true), ("{a,b}.yaml", "c.yaml", false),
        ("{*.yml,*.yaml}", "x/y.yml", true), ("{config.yaml,env-usw2/*}", "env-usw2/x/y.yaml", true),
        ("{config.yaml,env-usw2/*}", "env-use2/y.yaml", false), ("{a,{b,c}d}e", "cde", true), ("{a,}b", "b", true),
        ("a?c", "abc", true), ("a?c", "ac", false), ("a?c", "a/c", true), ("?", "漢", true),
        ("[abc].yaml", "b.yaml", true), ("[!abc].yaml", "b.yaml", false), ("[!abc].yaml", "d.yaml", true),
        ("[a-c]1", "b1", true), ("[a-c]1", "d1", false), ("[a-]", "-", true), ("\\*", "*", true), ("\\*", "x", false),
        ("\\{a\\}", "{a}", true), ("", "", true), ("", "a", false), ("*", "", true), ("a,b", "a,b", true),
        ("a}", "a}", true)
    ]

    @Test("a pattern matches what it should", arguments: cases)
    func matching(pattern: String, text: String, expected: Bool) throws {
        #expect(try #require(Glob(pattern)).matches(text) == expected)
    }

    @Test("patterns that do not close are none", arguments: ["[a", "[]", "{a,b", "a\\", "[z-a]", "{{a}", "[!]"])
    func broken(pattern: String) {
        #expect(Glob(pattern) == nil)
    }

    @Test("no pattern takes long")
    func bounded() throws {
        let pattern = String(repeating: "{*a,a*}", count: 100) + "b"
        let text = String(repeating: "a", count: 400)
        let clock = ContinuousClock()
        let glob = try #require(Glob(pattern))
        let time = clock.measure { #expect(!glob.matches(text)) }
        #expect(time < .seconds(5))
        #expect(Glob(String(repeating: "{", count: 1000)) == nil)
    }
}
