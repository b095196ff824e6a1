import Shiplog
import Testing

@Suite("A place in a manifest") struct ManifestPathTests {
    @Test(
        "is written as people write it",
        arguments: [
            (".spec.replicas", "2"), ("spec.replicas", "2"), ("$.spec.replicas", "2"),
            ("spec.containers[1].image", "\"b\""), ("spec.containers[name=one].image", "\"a\""),
            ("metadata.labels[\"app.kubernetes.io/name\"]", "\"web\""),
            ("metadata.labels['app.kubernetes.io/name']", "\"web\"")
        ])
    func reads(_ text: String, _ expected: String) throws {
        let json: JSON = [
            "metadata": ["labels": ["app.kubernetes.io/name": "web"]],
            "spec": [
                "replicas": 2, "containers": [["name": "one", "image": "a"], ["name": "two", "image": "b"]]
            ]
        ]
        let path = try #require(ManifestPath(text))
        #expect(path.value(in: json)?.canonicalString == expected)
        #expect(ManifestPath(path.description) == path)
    }

    @Test("is not there where nothing is") func missing() throws {
        let json: JSON = ["spec": ["list": [1]]]
        for text in [".spec.none", ".spec.list[1]", ".spec.list.name", ".spec.list[a=b]"] {
            #expect(try #require(ManifestPath(text)).value(in: json) == nil)
        }
    }

    @Test(
        "is refused when it says nothing",
        arguments: [
            "", ".", "..", "a..b", "a[", "a[]", "a[-1]", "a[x]", "a['b]", "a[=b]", "a[0]b", "[99999999999999999999]"
        ])
    func refused(_ text: String) { #expect(ManifestPath(text) == nil) }
}
