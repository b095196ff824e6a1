import Foundation
import Manifests
import Shiplog
import Testing

/// `Cases/project`: the spec of an AppProject, then what it is asked and answers.
@Suite("What a project permits")
struct ProjectTests {
    @Test("a project answers as its case says, line by line", arguments: Case.all(in: "project"))
    func rules(_ example: Case) throws {
        let parts = example.text.components(separatedBy: "###\n")
        let project = try WindowTests.project(try parts.first.get("a spec"))
        for line in try parts.dropFirst().first.get("lines").split(separator: "\n") {
            let words = line.split(separator: " ").map(String.init)
            let expected = try words.last.get("an answer") == "yes"
            switch words.first {
            case "source": #expect(project.permitsSource(words[1]) == expected, "\(line)")
            case "place":
                var place = ProjectDestination(namespace: "")
                for word in words.dropFirst() {
                    let pair = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(
                        String.init)
                    switch pair.first {
                    case "server": place.servers.insert(pair[1])
                    case "name": place.names.insert(pair[1])
                    case "namespace": place.namespace = pair[1]
                    default: continue
                    }
                }
                #expect(project.permits(place) == expected, "\(line)")
            case "cluster", "namespaced":
                let names = words[1].split(separator: "/").map(String.init)
                let kind = GroupKind(group: names.count == 2 ? names[0] : "", kind: try names.last.get("a kind"))
                #expect(
                    project.permits(kind, name: words[2], isNamespaced: words[0] == "namespaced") == expected, "\(line)"
                )
            default: Issue.record("\(line) asks nothing")
            }
        }
    }

    @Test("the cases are there") func cases() {
        #expect(Case.all(in: "project").count >= 40)
    }

    @Test("what is not permitted is refused by a code, with what to do")
    func refusals() throws {
        let project = try WindowTests.project(
            "sourceRepos: [https://git.example.com/a]\ndestinations: [{server: https://prod, namespace: shop}]")
        let place = ProjectDestination(servers: ["https://prod"], namespace: "shop")
        try project.checkSource("https://git.example.com/a.git")
        try project.checkDestination(place)
        try project.check(
            GroupKind(group: "", kind: "ConfigMap"), name: "a", namespace: "shop", isNamespaced: true, to: place)
        let source = #expect(throws: Failure.self) { try project.checkSource("https://git.example.com/b") }
        #expect(source?.code == .projectSourceRefused && source?.remedy != nil)
        let elsewhere = #expect(throws: Failure.self) {
            try project.check(
                GroupKind(group: "", kind: "ConfigMap"), name: "a", namespace: "kube-system", isNamespaced: true,
                to: place)
        }
        #expect(elsewhere?.code == .projectDestinationRefused && elsewhere?.remedy != nil)
        let kind = #expect(throws: Failure.self) {
            try project.check(
                GroupKind(group: "", kind: "Namespace"), name: "shop", namespace: "", isNamespaced: false, to: place)
        }
        #expect(kind?.code == .projectKindRefused && kind?.remedy != nil)
    }

    @Test("the project nobody has written permits everything and has no window")
    func permissive() throws {
        let project = AppProject.permissive("default")
        #expect(project.permitsSource("file:///anywhere"))
        #expect(project.permits(ProjectDestination(servers: ["https://x"], namespace: "")))
        #expect(project.permits(GroupKind(group: "", kind: "Namespace"), name: "a", isNamespaced: false))
        #expect(project.windows.isEmpty)
        // Its document says the same.
        let read = try ProjectReader.read(project.document).project
        #expect(read.permitsSource("file:///anywhere"))
        #expect(read.permits(GroupKind(group: "", kind: "Namespace"), name: "a", isNamespaced: false))
        #expect(read.permits(GroupKind(group: "", kind: "Secret"), name: "a", isNamespaced: true))
    }

    @Test("a star within separators stops at them, two stars do not, and negation is no part of a glob")
    func separators() {
        #expect(Glob("a/*/c", separator: "/")?.matches("a/b/c") == true)
        #expect(Glob("a/*/c", separator: "/")?.matches("a/b/b/c") == false)
        #expect(Glob("a/**/c", separator: "/")?.matches("a/b/b/c") == true)
        #expect(Glob("a/***", separator: "/")?.matches("a/b/c") == true)
        #expect(Glob("a/*")?.matches("a/b/c") == true)
        #expect(Glob("a?c", separator: "/")?.matches("a/c") == false)
        #expect(Glob("*.{yaml,json}", separator: "/")?.matches("x.json") == true)
    }
}
