import Shiplog
import Testing

@Suite struct TextDiffTests {
    /// Files of three parts, told apart by lines of `=====`: the old text, the new one, and the unified difference.
    @Test("differences are those of diff -u", arguments: Case.all(in: "textdiff"))
    func unified(_ example: Case) throws {
        let parts = example.text.components(separator: "=====\n")
        try #require(parts.count == 3)
        #expect(TextDiff.unified(from: parts[0], to: parts[1], oldName: "old", newName: "new") == parts[2])
    }

    @Test("the cases are there") func cases() { #expect(Case.all(in: "textdiff").count >= 8) }

    @Test("the last line without its break is another line") func endOfText() {
        #expect(
            TextDiff.unified(from: "a\nb", to: "a\nb\n", oldName: "old", newName: "new")
                == "--- old\n+++ new\n@@ -1,2 +1,2 @@\n a\n-b\n\\ No newline at end of file\n+b\n")
    }

    @Test("in lines that belong together the words that differ are marked") func words() throws {
        let hunk = try TextDiff.hunks(from: "image: web:1.4 # old\n", to: "image: web:1.5 # old\n").first.get("a hunk")
        #expect(hunk.lines.map(\.kind) == [.removed, .added])
        #expect(hunk.lines.map { $0.pieces.filter(\.isChanged).map(\.text) } == [["4"], ["5"]])
        #expect(hunk.lines.map(\.text) == ["image: web:1.4 # old", "image: web:1.5 # old"])
    }

    @Test("applying the difference to the old text gives the new one") func applies() {
        var random = Random(seed: 7)
        for _ in 0..<300 {
            let old = random.lines(), new = random.lines()
            for context in [0, 1, 3] {
                #expect(Self.applied(TextDiff.hunks(from: old, to: new, context: context), to: old) == new)
            }
        }
    }

    @Test("a text without anything in common is replaced whole, with bounded work") func bounded() {
        let old = (0..<20_000).map { "old \($0)\n" }.joined(), new = (0..<20_000).map { "new \($0)\n" }.joined()
        let hunks = TextDiff.hunks(from: "a\n" + old + "z\n", to: "a\n" + new + "z\n")
        #expect(hunks.count == 1)
        #expect(hunks.first?.lines.count == 40_002)
    }

    private static func applied(_ hunks: [TextDiff.Hunk], to old: String) -> String {
        let lines = old.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        var result = ""
        var next = 0
        for hunk in hunks {
            let start = hunk.oldCount > 0 ? hunk.oldStart - 1 : hunk.oldStart
            while next < start { result += lines[next] + "\n"; next += 1 }
            for line in hunk.lines {
                if line.kind != .removed { result += line.text + (line.endsText ? "" : "\n") }
                if line.kind != .added { next += 1 }
            }
        }
        while next < lines.count { result += lines[next] + (next == lines.count - 1 ? "" : "\n"); next += 1 }
        return result
    }

    @Test("manifests are compared object by object") func manifests() throws {
        func configMap(_ name: String, _ value: String) throws -> Resource {
            try Resource([
                "apiVersion": "v1", "kind": "ConfigMap", "metadata": ["name": .string(name)],
                "data": ["v": .string(value)]
            ])
        }
        let diffs = ManifestDiff.between(
            old: [try configMap("a", "1"), try configMap("b", "1"), try configMap("c", "1")],
            new: [try configMap("d", "1"), try configMap("c", "1"), try configMap("b", "2")]
        ) { $0.object.prettyString + "\n" }
        #expect(diffs.map(\.key.name) == ["a", "b", "c", "d"])
        #expect(diffs.map(\.change) == [.removed, .changed, .same, .added])
        #expect(diffs.map { $0.hunks.count } == [1, 1, 0, 1])
    }

    @Test("two values that are written alike are still a change") func masked() throws {
        let old = try Resource(["apiVersion": "v1", "kind": "Secret", "metadata": ["name": "s"], "data": ["p": "YQ=="]])
        let new = try Resource(["apiVersion": "v1", "kind": "Secret", "metadata": ["name": "s"], "data": ["p": "Yg=="]])
        let diff = try ManifestDiff.between(old: [old], new: [new]) { _ in "data: hidden\n" }.first.get("a diff")
        #expect(diff.change == .changed)
        #expect(diff.hunks.isEmpty)
    }
}

extension String {
    func components(separator: String) -> [String] {
        var parts: [String] = [""]
        for line in split(separator: "\n", omittingEmptySubsequences: false).map({ $0 + "\n" }) {
            if line == separator { parts.append("") } else { parts[parts.count - 1] += line }
        }
        // The file's own last break made an empty line of it.
        if parts[parts.count - 1].hasSuffix("\n") { parts[parts.count - 1].removeLast() }
        return parts
    }
}

/// A small generator (SplitMix64), so that a failure comes back.
struct Random: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// Up to twelve lines of few different texts.
    mutating func lines() -> String {
        let count = Int.random(in: 0...12, using: &self)
        let lines = (0..<count).map { _ in ["a", "b b", "c", "", "é"].randomElement(using: &self) ?? "" }
        return lines.joined(separator: "\n") + (Bool.random(using: &self) ? "\n" : "")
    }
}
