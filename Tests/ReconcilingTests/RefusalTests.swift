import Foundation
import LedgerStore
import Shiplog
import ShiplogTesting
import Testing

@testable import Reconciling

/// Whatever is wrong with one application is a row of its own with a code and a way out, and nobody else's trouble.
@Suite("Bad input")
struct RefusalTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let name: String
        let code: Failure.Code
        var files: [String: String] = [:]
        var repository: (@Sendable (World) throws -> String)?
        var targetRevision = "HEAD"
        var path = "bad"
        var isForbidden = false

        var testDescription: String { name }
    }

    static let cases: [Case] = [
        Case(
            name: "a server that does not answer", code: "git.unreachable", repository: { _ in "git://127.0.0.1:1/x" }),
        Case(
            name: "a repository without a commit", code: "git.empty-repository",
            repository: { world in
                let path = world.directory + "/empty"
                try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
                try RunningGit.run(["init", "-q", path])
                return path
            }),
        Case(
            name: "a folder that is no repository", code: "git.not-a-repository",
            repository: { world in
                let path = world.directory + "/folder"
                try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
                return path
            }),
        Case(
            name: "a repository that is not there", code: "git.not-found",
            repository: { $0.directory + "/nowhere" }),
        Case(name: "a path that the commit does not have", code: "git.path-missing", path: "elsewhere"),
        Case(name: "a path out of the tree", code: "git.path-invalid", path: "../.."),
        Case(name: "a revision that does not exist", code: "git.revision-unknown", targetRevision: "nope"),
        Case(
            name: "an object that stands twice: the last one counts, and that is told", code: "manifest.warning",
            files: ["one.yaml": World.configMap("x", "1"), "two.yaml": World.configMap("x", "2")]),
        Case(
            name: "a kind that the cluster does not know", code: "cluster.kind-unknown",
            files: ["x.yaml": "apiVersion: example.org/v1\nkind: Gadget\nmetadata: {name: x}\n"]),
        Case(
            name: "YAML that is broken", code: "manifest.yaml-invalid",
            files: ["x.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x\n"]),
        Case(
            name: "aliases that multiply", code: "manifest.yaml-limit",
            files: [
                "x.yaml": "a: &a [1,1,1,1,1,1,1,1,1,1]\n"
                    + (1...9).map { i in
                        let (name, last) = (String(UnicodeScalar(UInt8(97 + i))), String(UnicodeScalar(UInt8(96 + i))))
                        return "\(name): &\(name) [*\(last),*\(last),*\(last),*\(last),*\(last),*\(last),*\(last)]\n"
                    }.joined()
            ]),
        Case(
            name: "a cluster that forbids the write", code: .clusterForbidden,
            files: ["x.yaml": World.configMap("x", "1")], isForbidden: true)
    ]

    @Test("is a row with its code and a way out, and another application goes on", arguments: cases)
    func recorded(_ test: Case) async throws {
        let world = try World()
        defer { world.remove() }
        var files: [String: String?] = ["/good/g.yaml": World.configMap("g", "1")]
        try FileManager.default.createDirectory(atPath: world.repository + "/good", withIntermediateDirectories: true)
        try FileManager.default.createDirectory(atPath: world.repository + "/bad", withIntermediateDirectories: true)
        for (name, text) in test.files { files["/bad/" + name] = text }
        try world.commit(files)
        if test.isForbidden {
            for _ in 0..<50 {
                await world.cluster.fail(
                    .apply, named: "x",
                    .failedNotPersisted(Failure(.clusterForbidden, "no", remedy: "give it the right to")))
            }
        }
        let retry = Application.Retry(limit: 1, initialMilliseconds: 10, factor: 1, maximumMilliseconds: 10)
        var bad = world.application("bad", retry: retry, path: test.path)
        if let repository = try test.repository?(world) { bad.source.repository = repository }
        bad.source.targetRevision = test.targetRevision
        try await world.run { running in
            try await running.put(bad)
            // A look that failed says so in its row; one that saw what it must not touch says so as a condition.
            var row: Failure?
            var condition: ApplicationStatus.Condition?
            try await running.wait("the row") {
                row = try await running.revisions().lazy.compactMap { stored -> Failure? in
                    guard stored.revision.application.name == "bad",
                        case .failed(let failure) = stored.revision.outcome
                    else { return nil }
                    return failure
                }.last
                condition = await running.controller.status(of: "bad")?.conditions.first { $0.code == test.code }
                return row != nil || (condition != nil && !test.isForbidden)
            }
            if let row { #expect(row.code == test.code, "\(row)") }
            if test.code != "manifest.warning" {
                #expect((row?.remedy ?? condition?.remedy) != nil, "\(String(describing: row))")
            }
            #expect(try await running.revisions().contains { $0.revision.application.name == "bad" })
            try await running.put(world.application("good", path: "good"))
            try await running.wait("the other application") { await running.value(of: "g") == "1" }
            try await running.wait("the condition") {
                await running.controller.status(of: "bad")?.conditions.isEmpty == false
            }
        }
        try await world.verify()
    }
}

enum RunningGit {
    static func run(_ arguments: [String]) throws {
        _ = try RunningProgram.output(["git"] + arguments, environment: RunningProgram.gitEnvironment)
    }
}
