import Foundation
import GitSource
import Shiplog
import Testing

@Suite("Fetching")
struct FetchTests {
    @Test("a first fetch brings branches, tags and HEAD; a second finds nothing new")
    func fetches() async throws {
        let fixture = try Fixture()
        let origin = try fixture.repository()
        let first = try origin.commit("first", ["a.yaml": "a: 1\n"])
        try origin.git("tag", "light")
        try origin.git("tag", "-a", "annotated", "-m", "a tag")
        try origin.git("tag", "-a", "nested", "-m", "a tag of a tag", "annotated")
        try origin.git("tag", "tree", "HEAD^{tree}")
        try origin.git("branch", "feature/x")
        let second = try origin.commit("second")
        let repositories = fixture.repositories()

        let result = try await repositories.fetch(origin.url)
        #expect(result.changed && result.rebuilt == nil)
        #expect(
            result.refs
                == Refs(
                    head: "refs/heads/main", headCommit: second, branches: ["main": second, "feature/x": first],
                    tags: ["light": first, "annotated": first, "nested": first]))

        let again = try await repositories.fetch(origin.url)
        #expect(!again.changed && again.refs == result.refs)
        #expect(repositories.statistics.checks == 2 && repositories.statistics.fetches == 1)

        // Another process, with the same data.
        let later = fixture.repositories()
        #expect(try await later.refs(origin.url) == result.refs)
        #expect(later.statistics.checks == 0)
        #expect(try await !later.fetch(origin.url).changed)
    }

    @Test("commits, branches that go and branches that come in their place are followed")
    func follows() async throws {
        let fixture = try Fixture()
        let origin = try fixture.repository()
        let first = try origin.commit("first")
        try origin.git("branch", "release")
        let repositories = fixture.repositories()
        try await repositories.fetch(origin.url)

        let second = try origin.commit("second")
        try origin.git("branch", "-D", "release")
        try origin.git("branch", "release/1")
        let result = try await repositories.fetch(origin.url)
        #expect(result.changed)
        #expect(result.refs.branches == ["main": second, "release/1": second])
        #expect(try await repositories.commit(origin.url, first).subject == "first")
    }

    @Test("the remote's HEAD is followed to another branch, to a commit and to nowhere")
    func head() async throws {
        let fixture = try Fixture()
        let origin = try fixture.repository()
        let first = try origin.commit("first")
        try origin.git("branch", "other")
        let second = try origin.commit("second")
        let repositories = fixture.repositories()
        #expect(try await repositories.resolve(origin.url, "HEAD") == second)

        try origin.git("symbolic-ref", "HEAD", "refs/heads/other")
        let moved = try await repositories.fetch(origin.url)
        #expect(moved.changed && moved.refs.head == "refs/heads/other")
        #expect(try await repositories.resolve(origin.url, "") == first)

        // Detached at a commit that no branch has.
        let third = try origin.git("commit-tree", "-p", second.hex, "-m", "third", "HEAD^{tree}")
        try origin.git("update-ref", "--no-deref", "HEAD", third)
        let detached = try await repositories.fetch(origin.url)
        #expect(detached.changed && detached.refs.head == nil && detached.refs.headCommit?.hex == third)
        #expect(try await !repositories.fetch(origin.url).changed)

        try origin.git("symbolic-ref", "HEAD", "refs/heads/nowhere")
        let unborn = try await repositories.fetch(origin.url)
        #expect(unborn.changed && unborn.refs.head == nil && unborn.refs.headCommit == nil)
        #expect(try await !repositories.fetch(origin.url).changed)
        let error = await failure { try await repositories.resolve(origin.url, "HEAD") }
        #expect(error?.code == "git.revision-unknown")
        #expect(error?.remedy?.contains("main, other") == true)
    }

    @Test("a force-push takes nothing from what is kept, garbage collection neither")
    func forcePush() async throws {
        let fixture = try Fixture()
        let origin = try fixture.repository()
        try origin.commit("first", ["deploy/a.yaml": "version: 1\n"])
        let gone = try origin.commit("second", ["deploy/a.yaml": "version: 2\n"])
        let repositories = fixture.repositories()
        try await repositories.fetch(origin.url)
        try await repositories.keep(origin.url, gone)
        try await repositories.keep(origin.url, gone)

        try origin.git("reset", "--quiet", "--hard", "HEAD~1")
        let rewritten = try origin.commit("second, rewritten", ["deploy/a.yaml": "version: 3\n"])
        try origin.git("reflog", "expire", "--expire=now", "--all")
        try origin.git("gc", "--quiet", "--prune=now")
        #expect(try await repositories.fetch(origin.url).refs.branches["main"] == rewritten)
        try Command.git(["gc", "--quiet", "--prune=now"], in: fixture.mirror())
        #expect(try await !repositories.fetch(origin.url).changed)

        for reader in [repositories, fixture.repositories()] {
            let files = try await reader.files(origin.url, gone, path: "deploy", recurse: false, where: { _ in true })
            #expect(files == [SourceFile(path: "deploy/a.yaml", bytes: Array("version: 2\n".utf8))])
            #expect(try await reader.resolve(origin.url, gone.hex) == gone)
        }
    }

    @Test("a commit is found by its full name and by seven digits; an ambiguous seven are refused")
    func commitNames() async throws {
        let fixture = try Fixture()
        let origin = try fixture.repository()
        let first = try origin.commit("first")
        // Two commits whose names start with the same seven digits.
        let tree = try origin.git("mktree", input: "")
        var twins: [String] = []
        for number in [15_871, 18_146] {
            let text =
                "tree \(tree)\nauthor Ada <ada@example.org> 1700000000 +0000\ncommitter Ada <ada@example.org> 1700000000 +0000\n\ncommit \(number)\n"
            twins.append(try origin.git("hash-object", "-t", "commit", "-w", "--stdin", input: text))
        }
        #expect(twins[0] != twins[1] && twins[0].prefix(7) == twins[1].prefix(7))
        try origin.git("branch", "one", twins[0])
        try origin.git("branch", "two", twins[1])
        try origin.git("tag", "-a", "t", "-m", "tag", first.hex)
        let repositories = fixture.repositories()

        #expect(try await repositories.resolve(origin.url, first.short) == first)
        #expect(try await repositories.resolve(origin.url, first.hex.uppercased()) == first)
        #expect(try await repositories.resolve(origin.url, origin.git("rev-parse", "t")) == first)
        #expect(try await repositories.resolve(origin.url, String(twins[0].prefix(8))).hex == twins[0])
        let ambiguous = await failure { try await repositories.resolve(origin.url, String(twins[0].prefix(7))) }
        #expect(ambiguous?.code == "git.revision-ambiguous")
        let short = await failure { try await repositories.resolve(origin.url, String(first.hex.prefix(6))) }
        #expect(short?.code == "git.revision-unknown")
        let unknown = await failure {
            try await repositories.resolve(origin.url, "0123456789012345678901234567890123456789")
        }
        #expect(unknown?.code == "git.revision-unknown" && unknown?.isTransient == false)
    }

    @Test("a commit that is not here yet, and a reference that is no branch, cost one fetch")
    func onDemand() async throws {
        let fixture = try Fixture()
        let origin = try fixture.repository()
        try origin.commit("first")
        let repositories = fixture.repositories()
        try await repositories.fetch(origin.url)
        let second = try origin.commit("second")
        #expect(try await repositories.resolve(origin.url, second.hex) == second)

        let request = try #require(
            CommitID(try origin.git("commit-tree", "-p", "HEAD", "-m", "a request", "HEAD^{tree}")))
        try origin.git("update-ref", "refs/pull/7/head", request.hex)
        #expect(try await repositories.resolve(origin.url, "refs/pull/7/head") == request)
        let checks = repositories.statistics.checks
        #expect(try await repositories.resolve(origin.url, "refs/pull/7/head") == request)
        #expect(repositories.statistics.checks == checks)
        // From now on it is followed like a branch.
        let newer = try #require(
            CommitID(try origin.git("commit-tree", "-p", request.hex, "-m", "more", "HEAD^{tree}")))
        try origin.git("update-ref", "refs/pull/7/head", newer.hex)
        #expect(try await repositories.fetch(origin.url).changed)
        #expect(try await repositories.resolve(origin.url, "refs/pull/7/head") == newer)
        try origin.git("update-ref", "-d", "refs/pull/7/head")
        #expect(try await repositories.fetch(origin.url).refs.others.isEmpty)

        // A commit that nothing leads to, from a server that gives any.
        try origin.git("config", "uploadpack.allowAnySHA1InWant", "true")
        let loose = try #require(CommitID(try origin.git("commit-tree", "-p", "HEAD", "-m", "loose", "HEAD^{tree}")))
        #expect(try await repositories.resolve(origin.url, loose.hex) == loose)
        #expect(try await repositories.commit(origin.url, loose).subject == "loose")
    }

    @Test("each way a repository cannot be read has its code")
    func unreadable() async throws {
        let fixture = try Fixture()
        let repositories = fixture.repositories()
        func code(_ text: String) async throws -> Failure {
            let url = try RepositoryURL(text)
            let error = try #require(await failure { try await repositories.fetch(url) })
            #expect(!error.message.hasSuffix("."))
            return error
        }
        let empty = try fixture.repository("empty")
        #expect(try await code(empty.path).code == "git.empty-repository")
        #expect(try await code(fixture.root + "/nowhere").code == "git.not-found")
        try FileManager.default.createDirectory(atPath: fixture.root + "/folder", withIntermediateDirectories: true)
        #expect(try await code(fixture.root + "/folder").code == "git.not-a-repository")
        let modern = try fixture.repository("modern", options: ["--object-format=sha256"])
        try modern.git("commit", "--quiet", "--allow-empty", "-m", "first")
        #expect(try await code(modern.path).code == "git.sha256-repository")
        #expect(try await code("git@no-such-host.invalid:a/b").code == "git.unreachable")

        let missing = Repositories(directory: fixture.data + "2", git: "/nonexistent/git")
        let error = await failure { try await missing.fetch(empty.url) }
        #expect(error?.code == "git.program-missing")
        var limits = GitLimits()
        limits.schemes = [.https]
        let narrow = fixture.repositories(limits: limits)
        let refused = await failure { try await narrow.fetch(empty.url) }
        #expect(refused?.code == "git.scheme-refused")
    }

    @Test("an emptied repository is an error and takes nothing from the mirror")
    func emptied() async throws {
        let fixture = try Fixture()
        let origin = try fixture.repository()
        let first = try origin.commit("first")
        let repositories = fixture.repositories()
        try await repositories.fetch(origin.url)
        try FileManager.default.removeItem(atPath: origin.path)
        _ = try fixture.repository()
        let error = await failure { try await repositories.fetch(origin.url) }
        #expect(error?.code == "git.empty-repository")
        #expect(try await repositories.resolve(origin.url, "main") == first)
    }

    @Test("many small packs are packed into few without a reader noticing")
    func manyPacks() async throws {
        let fixture = try Fixture()
        let origin = try fixture.repository()
        let first = try origin.commit("first", ["a.yaml": "a: 0\n"])
        let repositories = fixture.repositories()
        try await repositories.fetch(origin.url)
        for number in 1...30 {
            try origin.commit("change \(number)", ["a.yaml": "a: \(number)\n"])
            try await repositories.fetch(origin.url)
            #expect(try await repositories.commit(origin.url, first).subject == "first")
        }
        let packs = fixture
        #expect(
            try await eventually {
                try FileManager.default.contentsOfDirectory(atPath: packs.mirror() + "/objects/pack").count {
                    $0.hasSuffix(".pack")
                } < 25
            })
        let files = try await repositories.files(origin.url, first, path: "", recurse: false, where: { _ in true })
        #expect(files.map(\.bytes) == [Array("a: 0\n".utf8)])
    }
}
