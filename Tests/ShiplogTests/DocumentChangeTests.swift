import Shiplog
import Testing

@Suite("What a document has otherwise than it had") struct DocumentChangeTests {
    private func paths(_ before: JSON?, _ after: JSON?) -> [String] {
        DocumentChange.between(before, after).map(\.path)
    }

    @Test("equal documents have no changes") func equal() {
        #expect(DocumentChange.between(["a": [1, ["b": "c"]]], ["a": [1, ["b": "c"]]]).isEmpty)
        #expect(DocumentChange.between(nil, nil).isEmpty)
    }

    @Test("a field that changed, came or went is named by its pointer, with both values") func fields() {
        let before: JSON = ["spec": ["path": "app", "prune": true], "kind": "Application"]
        let after: JSON = ["spec": ["path": "web", "limit": 3], "kind": "Application"]
        #expect(
            DocumentChange.between(before, after) == [
                DocumentChange(path: "/spec/limit", before: nil, after: 3),
                DocumentChange(path: "/spec/path", before: "app", after: "web"),
                DocumentChange(path: "/spec/prune", before: true, after: nil)
            ])
    }

    @Test("a map that came whole is told leaf by leaf, and an empty one as itself") func leaves() {
        #expect(paths(["a": 1], ["a": 1, "b": ["c": ["d": 1, "e": 2]]]) == ["/b/c/d", "/b/c/e"])
        #expect(paths(["a": 1], ["a": 1, "b": [:]]) == ["/b"])
        #expect(paths(nil, ["a": ["b": 1]]) == ["/a/b"])
        #expect(paths(["a": ["b": 1]], nil) == ["/a/b"])
    }

    @Test("lists of one length are compared element by element, others are one field") func lists() {
        #expect(paths(["a": [1, ["x": 1]]], ["a": [1, ["x": 2]]]) == ["/a/1/x"])
        #expect(paths(["a": [1, 2]], ["a": [1]]) == ["/a"])
    }

    @Test("a map that becomes something else is one field") func types() {
        #expect(paths(["a": ["b": 1]], ["a": "b"]) == ["/a"])
        #expect(paths(["a": .null], ["a": ["b": 1]]) == ["/a"])
    }

    @Test("names are escaped as RFC 6901 says") func escapes() {
        #expect(paths(["a/b~c": 1], ["a/b~c": 2]) == ["/a~1b~0c"])
    }
}
