import Foundation
import Shiplog
import Testing

@Suite("Differences that do not count")
struct IgnoredDifferenceTests {
    @Test("what the rules name does not count", arguments: Case.all(in: "ignore"))
    func ignored(_ example: Case) throws {
        let json = try example.json()
        let rules = IgnoredDifferences(try (try json.part("ignore").array ?? []).map { try IgnoreRule($0) })
        try example.expectDifference(ignoring: rules)
        guard let wanted = json["respected"] else { return }
        let (desired, live) = (try Resource(try json.part("desired")), try Resource(try json.part("live")))
        let respected = rules.respected(desired: desired, live: live)
        #expect(respected.object["spec"] == wanted, "\(respected.object.canonicalString)")
        #expect(respected.key == desired.key)
        #expect(respected.object.at("metadata", "managedFields") == nil)
    }

    @Test(
        "what is applied respecting the rules differs in what counts, and in nothing else",
        arguments: Case.all(in: "ignore"))
    func respected(_ example: Case) throws {
        let json = try example.json()
        let rules = IgnoredDifferences(try (try json.part("ignore").array ?? []).map { try IgnoreRule($0) })
        let (desired, live) = (try Resource(try json.part("desired")), try Resource(try json.part("live")))
        let applied = rules.respected(desired: desired, live: live)
        #expect(rules.respected(desired: applied, live: live) == applied, "once more changes nothing")
        let counted = Difference.compare(desired: desired, live: live, ignoring: rules)
        #expect(Difference.compare(desired: applied, live: live, ignoring: rules).changes == counted.changes)
        // Without the rules: only what counts is left, but for a list that is shown as a whole.
        let left = Difference.compare(desired: applied, live: live).changes.filter { $0.live?.array == nil }
        let fields = Set(left.map(\.field))
        #expect(fields.isSubset(of: Set(counted.changes.map(\.field))), "\(left.map(\.line))")
    }

    @Test("an explanation shows what does not count beside what does") func explanation() throws {
        let desired = try Resource([
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": ["name": "a"], "data": ["x": "1", "y": "1"]
        ])
        let live = try Resource([
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": ["name": "a", "namespace": "n"],
            "data": ["x": "2", "y": "2"]
        ])
        let rule = try IgnoreRule(["kind": "ConfigMap", "jsonPointers": ["/data/x"]])
        let items = DifferenceExplanation.between(
            desired: [desired], live: [live], ignoring: IgnoredDifferences([rule]))
        #expect(items.map(\.word) == ["differs"])
        #expect(items.first?.changes.map(\.path) == ["data.y"])
        #expect(items.first?.ignored.map(\.path) == ["data.x"])
    }

    @Test("a rule that cannot be read says where it is wrong") func problems() throws {
        for (rule, path, isUnsupported) in [
            (["jsonPointers": ["/a"]], ["kind"], false),
            (["kind": "[a"], ["kind"], false),
            (["kind": "a", "group": "{a"], ["group"], false),
            (["kind": "a", "jsonPointers": ["/a", "a"]], ["jsonPointers", "1"], false),
            (["kind": "a", "jqPathExpressions": [".a |"]], ["jqPathExpressions", "0"], false),
            (["kind": "a", "jqPathExpressions": [".a", "del(.a)"]], ["jqPathExpressions", "1"], true)
        ] as [(JSON, [String], Bool)] {
            do {
                _ = try IgnoreRule(rule)
                Issue.record("\(rule.canonicalString) was read")
            } catch {
                #expect(error.path == path)
                #expect(error.isUnsupported == isUnsupported)
            }
        }
    }

    @Test("the marks of Shiplog's own stay, whatever is ignored") func marks() throws {
        let uid = try ApplicationUID("0198c0de-0000-7000-8000-000000000001").get("a uid")
        let plain = try Resource(["apiVersion": "v1", "kind": "ConfigMap", "metadata": ["name": "a"]])
        let rule = try IgnoreRule(["kind": "*", "jsonPointers": ["/metadata/annotations", "/metadata/labels"]])
        let difference = Difference.compare(
            desired: Ownership.mark(plain, as: uid), live: plain, ignoring: IgnoredDifferences([rule]))
        #expect(difference != .same)
    }
}

@Suite("Path expressions")
struct PathQueryTests {
    @Test("each expression finds its places, or is refused for what it wants") func table() throws {
        let place = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent(
            "Cases/queries.json")
        let json = try JSON(parsing: try String(contentsOf: place, encoding: .utf8))
        let document = try json.part("document")
        let cases = try json.part("cases").array ?? []
        #expect(cases.count >= 100)
        for example in cases {
            let text = example["query"]?.string ?? ""
            do {
                let found = try PathQuery(text).paths(in: document).map(\.description)
                #expect(found == (example["paths"]?.array ?? []).compactMap(\.string), "\(text)")
                #expect(example["paths"] != nil, "\(text) was read")
            } catch {
                let wanted = (example["refused"] ?? example["wrong"])?.string ?? "nothing wrong"
                #expect(error.message.contains(wanted), "\(text): \(error.message)")
                #expect(error.isOutside == (example["refused"] != nil), "\(text): \(error.message)")
            }
        }
    }

    @Test("what would take too long finds nothing, and soon") func budget() throws {
        let many = JSON.array(Array(repeating: 1, count: 2000))
        let query = try PathQuery(".a[] | select(. == 1) | select(1 == 1)")
        #expect(query.paths(in: ["a": many]).count == 2000)
        let long = try PathQuery("select(.a[] == .a[]) | .a")
        #expect(long.paths(in: ["a": many]) == [])
    }

    @Test("no expression is read that is deeper or longer than anybody writes") func limits() {
        for text in [
            String(repeating: "(", count: 100) + "." + String(repeating: ")", count: 100),
            String(repeating: ".a", count: 600)
        ] {
            #expect(throws: QueryError.self) { try PathQuery(text) }
        }
    }

    @Test("whatever stands in an expression, reading it ends") func fuzz() {
        let parts = [
            ".", "a", "[", "]", "(", ")", "|", "select", "\"", "\\", "==", "0", "-", "?", " ", "and", "not", "é",
            "\u{0}"
        ]
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<5000 {
            let text = (0..<Int.random(in: 0...12, using: &generator)).map { _ in parts.randomElement() ?? "" }.joined()
            guard let query = try? PathQuery(text) else { continue }
            _ = query.paths(in: ["a": [["a": [1, 2]], ["a": .null]]])
        }
    }
}

@Suite("JSON pointers")
struct JSONPointerTests {
    /// https://www.rfc-editor.org/rfc/rfc6901#section-5
    static let document: JSON = [
        "foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "e^f": 3, "g|h": 4, "i\\j": 5, "k\"l": 6, " ": 7, "m~n": 8
    ]

    @Test(
        "the RFC's own examples",
        arguments: [
            ("/foo", ["bar", "baz"] as JSON), ("/foo/0", "bar"), ("/", 0), ("/a~1b", 1), ("/c%d", 2), ("/e^f", 3),
            ("/g|h", 4), ("/i\\j", 5), ("/k\"l", 6), ("/ ", 7), ("/m~0n", 8)
        ])
    func examples(_ text: String, _ value: JSON) throws {
        let pointer = try JSONPointer(text)
        #expect(pointer.description == text)
        let found = try IgnoreRule(["kind": "*", "jsonPointers": [.string(text)]]).pointers
        #expect(found == [pointer])
        #expect(pointer.path(in: Self.document) != nil)
        #expect(pointer.value(in: Self.document) == value)
    }

    @Test("what is no pointer, or points nowhere") func wrong() throws {
        for text in ["", "foo", "/a~", "/a~2", "#/foo", "/" + String(repeating: "a", count: 2000)] {
            #expect(throws: QueryError.self) { try JSONPointer(text) }
        }
        for text in [
            "/foo/2", "/foo/-", "/foo/01", "/foo/+1", "/foo/x", "/bar", "/foo/0/x", "/foo/99999999999999999999"
        ] {
            #expect(try JSONPointer(text).path(in: Self.document) == nil)
        }
    }
}
