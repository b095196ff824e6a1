import Foundation
import GitSource
import Shiplog
import ShiplogTesting
import Testing

@Suite("Servers")
struct ServerTests {
    @Test("the git protocol works, and a second look costs no fetch")
    func daemon() async throws {
        let fixture = try Fixture()
        let origin = try fixture.repository()
        let first = try origin.commit("first", ["a.yaml": "a: 1\n"])
        let server = try GitServer(.git, root: fixture.root)
        let url = try RepositoryURL("git://127.0.0.1:\(server.port)/origin")
        let repositories = fixture.repositories()
        #expect(try await repositories.fetch(url).refs.branches == ["main": first])
        #expect(try await !repositories.fetch(url).changed)
        #expect(try await repositories.files(url, first, path: "", recurse: false, where: { _ in true }).count == 1)
        let missing = await failure {
            try await repositories.fetch(RepositoryURL("git://127.0.0.1:\(server.port)/nowhere"))
        }
        #expect(missing?.code == "git.not-found")
    }

    @Test("http with a login works; the login is in no command line, no file and no failure")
    func http() async throws {
        let fixture = try Fixture()
        let origin = try fixture.repository()
        let first = try origin.commit("first", ["a.yaml": "a: 1\n"])
        let secret = Data("robot:hunter2".utf8).base64EncodedString()
        let server = try GitServer(.http, root: fixture.root, authorization: "Basic " + secret)
        let address = "127.0.0.1:\(server.port)/origin"
        let url = try RepositoryURL("http://" + address)
        let repositories = fixture.repositories(credentials: { _ in .basic(username: "robot", password: "hunter2") })
        #expect(try await repositories.fetch(url).refs.headCommit == first)
        let second = try origin.commit("second")
        #expect(try await repositories.fetch(url).refs.headCommit == second)

        // The same from the address; a mirror of its own.
        let inline = fixture.repositories()
        #expect(try await inline.fetch(RepositoryURL("http://robot:hunter2@" + address)).refs.headCommit == second)

        for (login, name) in [
            (GitCredentials.none, "none"), (.basic(username: "robot", password: "wrong-secret"), "wrong")
        ] {
            let other = Repositories(directory: fixture.root + "/" + name, credentials: { _ in login })
            let error = await failure { try await other.fetch(url) }
            #expect(error?.code == "git.authentication" && error?.isTransient == false)
            #expect(error?.description.contains("wrong-secret") == false)
        }
        let invalid = Repositories(
            directory: fixture.root + "/invalid", credentials: { _ in .bearer(token: "a\nX-Evil: 1") })
        #expect(await failure { try await invalid.fetch(url) }?.code == "git.credentials-invalid")
        for needle in ["hunter2", secret] {
            #expect(throws: RunningProgram.Refused.self) {
                try Command.run(["grep", "-r", needle, fixture.data], in: fixture.root)
            }
        }
    }

    @Test("a bearer token is sent as it is")
    func bearer() async throws {
        let fixture = try Fixture()
        try fixture.repository().commit("first")
        let server = try GitServer(.http, root: fixture.root, authorization: "Bearer abc.def")
        let repositories = fixture.repositories(credentials: { _ in .bearer(token: "abc.def") })
        #expect(try await repositories.fetch(RepositoryURL("http://127.0.0.1:\(server.port)/origin")).changed)
    }

    @Test("a redirect is followed without a login; with one it is refused, and the login goes nowhere else")
    func redirects() async throws {
        let fixture = try Fixture()
        let origin = try fixture.repository()
        let first = try origin.commit("first")
        let server = try GitServer(.http, root: fixture.root)
        let url = try RepositoryURL("http://127.0.0.1:\(server.port)/redirect/origin")
        #expect(try await fixture.repositories().fetch(url).refs.headCommit == first)

        let log = fixture.root + "/requests"
        try FileManager.default.removeItem(atPath: log)
        let careful = Repositories(
            directory: fixture.root + "/careful", credentials: { _ in .bearer(token: "hunter2") })
        let error = await failure { try await careful.fetch(url) }
        #expect(error?.code == "git.redirected" && error?.remedy != nil)
        let lines = try String(contentsOfFile: log, encoding: .utf8).split(separator: "\n")
        #expect(!lines.isEmpty && lines.allSatisfy { $0.contains(" /redirect/") })
    }

    @Test(
        "what a server answers picks the code",
        arguments: [
            ("status/401", "git.authentication"), ("status/403", "git.authentication"), ("status/404", "git.not-found"),
            ("status/500", "git.unreachable"), ("status/503", "git.unreachable"), ("status/429", "git.unreachable"),
            // Git reads a page that is none of its protocols as a list without references.
            ("nowhere", "git.not-found"), ("garbage", "git.empty-repository")
        ])
    func answers(_ path: String, _ code: String) async throws {
        let fixture = try Fixture()
        let server = try GitServer(.http, root: fixture.root)
        let repositories = fixture.repositories()
        let error = await failure {
            try await repositories.fetch(RepositoryURL("http://127.0.0.1:\(server.port)/\(path)"))
        }
        #expect(error?.code.rawValue == code)
        #expect(error?.isTransient == (code == "git.unreachable"))
    }

    @Test(
        "nobody listening is unreachable",
        arguments: [
            "http://127.0.0.1:1/a", "git://127.0.0.1:1/a", "https://no-such-host.invalid/a",
            "git://no-such-host.invalid/a"
        ])
    func unreachable(_ text: String) async throws {
        let fixture = try Fixture()
        let error = await failure { try await fixture.repositories().fetch(RepositoryURL(text)) }
        #expect(error?.code == "git.unreachable" && error?.isTransient == true)
    }

    @Test(
        "a server that takes the connection and stays silent fails within the deadline and leaves no child",
        arguments: ["git", "http", "ssh"])
    func silent(_ scheme: String) async throws {
        let fixture = try Fixture()
        let server = try SilentServer()
        var limits = GitLimits()
        limits.silence = .seconds(1)
        let repositories = fixture.repositories(limits: limits)
        let url = try RepositoryURL("\(scheme)://127.0.0.1:\(server.port)/origin")
        let started = ContinuousClock.now
        let error = await failure { try await repositories.fetch(url) }
        #expect(error?.code == "git.timeout" && error?.isTransient == true)
        // One second of silence, two to clean up, and whatever a loaded machine adds; without a deadline it is for ever.
        #expect(ContinuousClock.now - started < .seconds(45))
        #expect(try await eventually { try processes(mentioning: "127.0.0.1:\(server.port)").isEmpty })
        #expect(try await eventually { try processes(mentioning: "-p\u{0}\(server.port)").isEmpty })
        #expect(repositories.statistics.running == 0 && repositories.statistics.failures == 1)
    }

    @Test("a server that goes silent in the middle of an answer fails within the deadline")
    func silentLater() async throws {
        let fixture = try Fixture()
        let server = try GitServer(.http, root: fixture.root)
        var limits = GitLimits()
        limits.silence = .seconds(1)
        let error = await failure {
            try await fixture.repositories(limits: limits).fetch(
                RepositoryURL("http://127.0.0.1:\(server.port)/silent/a"))
        }
        #expect(error?.code == "git.timeout")
    }

    @Test("an unknown ssh host is refused, and paths that ssh would misread too")
    func ssh() async throws {
        let fixture = try Fixture()
        let url = try RepositoryURL("ssh://git@127.0.0.1:1/a")
        for (key, hosts) in [("/a b", "/c"), ("relative", "/c"), ("/a", "/c\"; touch x"), ("/a%h", "/c")] {
            let repositories = fixture.repositories(credentials: { _ in .sshKey(path: key, knownHosts: hosts) })
            #expect(await failure { try await repositories.fetch(url) }?.code == "git.ssh-path-invalid")
        }
        let repositories = fixture.repositories(credentials: { _ in
            .sshKey(path: "/nonexistent", knownHosts: "/dev/null")
        })
        #expect(await failure { try await repositories.fetch(url) }?.code == "git.unreachable")
    }
}
