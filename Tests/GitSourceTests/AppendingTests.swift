import Foundation
import GitSource
import Shiplog
import Testing

@Suite("Adding a file to a branch") struct AppendingTests {
    private static func addition(
        _ path: String = "a/b.txt", _ text: String = "one\n", branch: String = "main"
    ) throws -> BranchAddition {
        try BranchAddition(
            branch: branch, path: path, content: Array(text.utf8), message: "Add \(path)",
            time: Timestamp(milliseconds: 1_700_000_000_000))
    }

    private static func bare(_ fixture: Fixture, _ name: String = "bare.git") throws -> Origin {
        let path = fixture.root + "/" + name
        try Command.git(["init", "--quiet", "--bare", "--initial-branch=main", path], in: fixture.root)
        return Origin(path: path)
    }

    @Test("works on an empty repository, and again on what it has pushed") func empty() async throws {
        let fixture = try Fixture()
        let origin = try Self.bare(fixture)
        let repositories = fixture.repositories()
        let first = try await repositories.append(try Self.addition(), to: try origin.url, owner: "x")
        #expect(try origin.head("main") == first)
        let second = try await repositories.append(try Self.addition("a/c.txt"), to: try origin.url, owner: "x")
        #expect(try origin.git("rev-list", "main") == "\(second.hex)\n\(first.hex)")
        #expect(try origin.git("show", "main:a/b.txt") == "one")
        #expect(
            try origin.git("log", "-1", "--format=%an <%ae> %at %s")
                == "Shiplog <shiplog@localhost> 1700000000 Add a/c.txt")
    }

    @Test("leaves everything else in the repository as it is") func otherContent() async throws {
        let fixture = try Fixture()
        let origin = try fixture.repository()
        try origin.commit("first", ["readme": "hello\n", "a/other": "kept\n"])
        try origin.git("checkout", "--quiet", "-b", "other")
        let before = try origin.head("main")
        let made = try await fixture.repositories().append(try Self.addition(), to: try origin.url, owner: "x")
        #expect(try origin.head("main") == made && (try origin.head("main^")) == before)
        #expect(try origin.git("ls-tree", "-r", "--name-only", "main") == "a/b.txt\na/other\nreadme")
    }

    @Test("makes the branch when there is none, beside others") func newBranch() async throws {
        let fixture = try Fixture()
        let origin = try fixture.repository()
        try origin.commit("first", ["readme": "hello\n"])
        let made = try await fixture.repositories().append(
            try Self.addition(branch: "ledger/checkpoints"), to: try origin.url, owner: "x")
        #expect(try origin.git("rev-list", "ledger/checkpoints") == made.hex)
        #expect(try origin.git("ls-tree", "-r", "--name-only", "ledger/checkpoints") == "a/b.txt")
    }

    @Test("is one commit however often it is asked for") func again() async throws {
        let fixture = try Fixture()
        let origin = try Self.bare(fixture)
        let first = try await fixture.repositories().append(try Self.addition(), to: try origin.url, owner: "x")
        try FileManager.default.removeItem(atPath: fixture.data)
        let second = try await fixture.repositories().append(try Self.addition(), to: try origin.url, owner: "x")
        #expect(first == second)
    }

    @Test("several who push at once all get in, one behind the other") func atOnce() async throws {
        let fixture = try Fixture()
        let origin = try Self.bare(fixture)
        let repositories = fixture.repositories()
        let url = try origin.url
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<3 {
                group.addTask {
                    try await repositories.append(
                        try Self.addition("n/\(number)"), to: url, owner: "owner-\(number)")
                }
            }
            try await group.waitForAll()
        }
        #expect(try origin.git("rev-list", "--count", "--first-parent", "main") == "3")
        #expect(try origin.git("ls-tree", "-r", "--name-only", "main") == "n/0\nn/1\nn/2")
    }

    @Test("never forces: a branch that somebody rewrote is gone on from") func rewritten() async throws {
        let fixture = try Fixture()
        let origin = try fixture.repository()
        try origin.commit("first", ["readme": "hello\n"])
        try origin.git("checkout", "--quiet", "-b", "other")
        let repositories = fixture.repositories()
        try await repositories.append(try Self.addition(), to: try origin.url, owner: "x")
        let tree = try origin.git("rev-parse", "other^{tree}")
        let rewritten = try origin.git("commit-tree", "-m", "rewritten", tree)
        try origin.git("update-ref", "refs/heads/main", rewritten)
        let made = try await repositories.append(try Self.addition("a/c.txt"), to: try origin.url, owner: "x")
        #expect(try origin.git("rev-list", "main") == "\(made.hex)\n\(rewritten)")
        #expect(try origin.git("ls-tree", "-r", "--name-only", "main") == "a/c.txt\nreadme")
    }

    @Test("pushes over http with a login that appears in no message") func http() async throws {
        let fixture = try Fixture()
        let origin = try Self.bare(fixture)
        try origin.git("config", "http.receivepack", "true")
        let header = "Basic " + Data("bot:s3cr3t".utf8).base64EncodedString()
        let server = try GitServer(.http, root: fixture.root, authorization: header)
        let url = try RepositoryURL("http://127.0.0.1:\(server.port)/bare.git")
        let refused = await failure {
            try await fixture.repositories().append(try Self.addition(), to: url, owner: "x")
        }
        #expect(refused?.code == "git.authentication")
        let repositories = fixture.repositories(credentials: { _ in .basic(username: "bot", password: "s3cr3t") })
        let made = try await repositories.append(try Self.addition(), to: url, owner: "x")
        #expect(try origin.head("main") == made)
        let wrong = fixture.repositories(credentials: { _ in .basic(username: "bot", password: "wr0ng") })
        let failed = await failure { try await wrong.append(try Self.addition("a/c.txt"), to: url, owner: "x") }
        #expect(failed.map { "\($0)".contains("wr0ng") } == false)
    }

    @Test("says what stands in the way") func refusals() async throws {
        let fixture = try Fixture()
        let origin = try Self.bare(fixture)
        let repositories = fixture.repositories()
        try await repositories.append(try Self.addition("a"), to: try origin.url, owner: "x")
        let occupied = await failure {
            try await repositories.append(try Self.addition("a/b"), to: try origin.url, owner: "x")
        }
        #expect(occupied?.code == "git.path-occupied")
        let missing = try RepositoryURL(fixture.root + "/none.git")
        let notThere = await failure { try await repositories.append(try Self.addition(), to: missing, owner: "x") }
        #expect(notThere?.code == "git.not-found")
        // A branch that is checked out takes no push: what the server says stays out of the message.
        let checkedOut = try fixture.repository("work")
        try checkedOut.commit("first", ["readme": "hello\n"])
        let refused = await failure {
            try await repositories.append(try Self.addition(), to: try checkedOut.url, owner: "x")
        }
        #expect(refused?.code == "git.push-refused")
    }

    @Test(
        "takes no branch or path that Git would misread",
        arguments: [
            ("-x", "a"), ("a..b", "a"), ("a b", "a"), ("a~1", "a"), ("", "a"), ("a/", "a"), ("x.lock", "a"),
            (".x", "a"),
            ("a:b", "a"), ("main", ""), ("main", "../a"), ("main", "/a"), ("main", ".git/config"), ("main", "a/.GIT/x")
        ])
    func names(branch: String, path: String) {
        #expect(throws: Failure.self) { try Self.addition(path, branch: branch) }
    }
}
