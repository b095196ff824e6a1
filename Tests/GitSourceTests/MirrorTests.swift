import Foundation
import GitSource
import Shiplog
import Testing

@Suite("Mirrors that break")
struct MirrorTests {
    struct Situation {
        let fixture: Fixture
        let origin: Origin
        let kept: CommitID
        let head: CommitID
    }

    /// A mirror with two commits; `kept` is kept and was force-pushed away.
    func situation() async throws -> Situation {
        let fixture = try Fixture()
        let origin = try fixture.repository()
        try origin.commit("first", ["a.yaml": "a: 1\n"])
        let kept = try origin.commit("kept", ["a.yaml": "a: 2\n"])
        let repositories = fixture.repositories()
        try await repositories.fetch(origin.url)
        try await repositories.keep(origin.url, kept)
        try origin.git("reset", "--quiet", "--hard", "HEAD~1")
        let head = try origin.commit("rewritten", ["a.yaml": "a: 3\n"])
        try await repositories.fetch(origin.url)
        try origin.git("reflog", "expire", "--expire=now", "--all")
        try origin.git("gc", "--quiet", "--prune=now")
        return Situation(fixture: fixture, origin: origin, kept: kept, head: head)
    }

    @Test("a mirror that cannot be opened is moved aside and made anew, with what was kept")
    func unopenable() async throws {
        let one = try await situation()
        let mirror = try one.fixture.mirror()
        try FileManager.default.removeItem(atPath: mirror + "/HEAD")
        let repositories = one.fixture.repositories()
        let result = try await repositories.fetch(one.origin.url)
        let rebuilt = try #require(result.rebuilt)
        #expect(result.changed && result.refs.headCommit == one.head)
        #expect(FileManager.default.fileExists(atPath: rebuilt.movedTo + "/objects"))
        #expect(repositories.statistics.rebuilds == 1)
        // HEAD is all that the old one lacks, but Git takes nothing from it: the kept commit is lost, and said so.
        #expect(rebuilt.lost == [one.kept])
        #expect(try await repositories.fetch(one.origin.url).rebuilt == nil)
    }

    @Test("a mirror without a single reference is no answer: it is fetched first")
    func emptyMirror() async throws {
        let fixture = try Fixture()
        let origin = try fixture.repository()
        let head = try origin.commit("first", ["a.yaml": "a: 1\n"])
        try await fixture.repositories().fetch(origin.url)
        // As a process leaves it that ended between making a mirror and filling it.
        let mirror = try fixture.mirror()
        try FileManager.default.removeItem(atPath: mirror)
        try origin.git("init", "--bare", "--quiet", mirror)
        #expect(try await fixture.repositories().resolve(origin.url, "HEAD") == head)
    }

    @Test("whoever reads during the first clone waits for it")
    func readDuringClone() async throws {
        let fixture = try Fixture()
        let origin = try fixture.repository()
        let head = try origin.commit("first", ["a.yaml": "a: 1\n"])
        for _ in 0..<10 {
            let repositories = fixture.repositories()
            async let fetched = repositories.fetch(origin.url)
            while true {
                #expect(try await repositories.resolve(origin.url, "HEAD") == head)
                if FileManager.default.fileExists(atPath: try fixture.mirror()) { break }
            }
            _ = try await fetched
            try FileManager.default.removeItem(atPath: try fixture.mirror())
        }
    }

    @Test("a pack that is damaged is noticed by a reader; the next fetch makes the mirror anew")
    func damagedPack() async throws {
        let one = try await situation()
        let mirror = try one.fixture.mirror()
        try Command.git(["repack", "-adq"], in: mirror)
        let packs = try FileManager.default.contentsOfDirectory(atPath: mirror + "/objects/pack").filter {
            $0.hasSuffix(".pack")
        }
        for name in packs {
            let file = mirror + "/objects/pack/" + name
            var bytes = try #require(FileManager.default.contents(atPath: file))
            for index in 12..<(bytes.count - 20) { bytes[index] ^= 0x55 }
            try FileManager.default.removeItem(atPath: file)
            try bytes.write(to: URL(fileURLWithPath: file))
        }
        let repositories = one.fixture.repositories()
        let error = await failure {
            try await repositories.files(one.origin.url, one.head, path: "", recurse: false, where: { _ in true })
        }
        #expect(error?.code == "git.mirror-broken" && error?.isTransient == true)
        let result = try await repositories.fetch(one.origin.url)
        #expect(result.rebuilt?.lost == [one.kept])
        #expect(
            try await repositories.files(one.origin.url, one.head, path: "", recurse: false, where: { _ in true }).count
                == 1)
    }

    @Test("what the old mirror kept is saved into the new one where the old one still has it")
    func saved() async throws {
        let one = try await situation()
        let mirror = try one.fixture.mirror()
        // A branch that points at nothing: the mirror is broken for a fetch, but what it kept is whole.
        try (String(repeating: "a", count: 40) + "\n").write(
            toFile: mirror + "/refs/heads/ghost", atomically: true, encoding: .utf8)
        let next = try one.origin.commit("next", ["a.yaml": "a: 4\n"])
        let repositories = one.fixture.repositories()
        let result = try await repositories.fetch(one.origin.url)
        #expect(result.refs.headCommit == next)
        if let rebuilt = result.rebuilt { #expect(rebuilt.lost.isEmpty) }
        let files = try await repositories.files(
            one.origin.url, one.kept, path: "", recurse: false, where: { _ in true })
        #expect(files.map(\.bytes) == [Array("a: 2\n".utf8)])
        try Command.git(["gc", "--quiet", "--prune=now"], in: one.fixture.mirror())
        #expect(try await repositories.commit(one.origin.url, one.kept).subject == "kept")
    }

    @Test("a broken mirror stays where it is as long as the server does not answer")
    func serverGone() async throws {
        let one = try await situation()
        let mirror = try one.fixture.mirror()
        try FileManager.default.removeItem(atPath: mirror + "/HEAD")
        try FileManager.default.moveItem(atPath: one.origin.path, toPath: one.origin.path + "-away")
        let repositories = one.fixture.repositories()
        #expect(await failure { try await repositories.fetch(one.origin.url) }?.code == "git.not-found")
        #expect(FileManager.default.fileExists(atPath: mirror + "/objects"))
        try FileManager.default.moveItem(atPath: one.origin.path + "-away", toPath: one.origin.path)
        #expect(try await repositories.fetch(one.origin.url).rebuilt != nil)
    }

    @Test("a mirror that breaks again and again is not made anew for ever")
    func again() async throws {
        let one = try await situation()
        let repositories = one.fixture.repositories()
        for _ in 0..<3 {
            try FileManager.default.removeItem(atPath: one.fixture.mirror() + "/HEAD")
            #expect(try await one.fixture.repositories().fetch(one.origin.url).rebuilt != nil)
        }
        try FileManager.default.removeItem(atPath: one.fixture.mirror() + "/HEAD")
        let error = await failure { try await repositories.fetch(one.origin.url) }
        #expect(error?.code == "git.mirror-broken" && error?.isTransient == false)
    }

    @Test("a process that ended between the two renames leaves a mirror that the next one takes over")
    func betweenRenames() async throws {
        let one = try await situation()
        let mirror = try one.fixture.mirror()
        try Data().write(to: URL(fileURLWithPath: mirror + "/shiplog-whole"))
        try FileManager.default.moveItem(atPath: mirror, toPath: mirror + ".new")
        let repositories = one.fixture.repositories()
        #expect(try await !repositories.fetch(one.origin.url).changed)
        #expect(try await repositories.commit(one.origin.url, one.kept).subject == "kept")
    }

    @Test("locks and half-written packs of a process that was killed are cleared away")
    func locks() async throws {
        let one = try await situation()
        let mirror = try one.fixture.mirror()
        for name in ["HEAD.lock", "packed-refs.lock", "refs/heads/main.lock", "objects/pack/tmp_pack_abc"] {
            try Data().write(to: URL(fileURLWithPath: mirror + "/" + name))
        }
        let next = try one.origin.commit("next")
        let repositories = one.fixture.repositories()
        #expect(try await repositories.fetch(one.origin.url).refs.headCommit == next)
        #expect(!FileManager.default.fileExists(atPath: mirror + "/objects/pack/tmp_pack_abc"))
    }

    @Test("a broken server is not taken for a broken mirror")
    func brokenServer() async throws {
        let one = try await situation()
        let next = try one.origin.commit("next", ["a.yaml": "a: 5\n"])
        let object = one.origin.path + "/.git/objects/" + next.hex.prefix(2) + "/" + next.hex.dropFirst(2)
        try FileManager.default.removeItem(atPath: object)
        let repositories = one.fixture.repositories()
        let error = await failure { try await repositories.fetch(one.origin.url) }
        #expect(error?.code != "git.mirror-broken")
        #expect(repositories.statistics.rebuilds == 0)
        #expect(try await repositories.commit(one.origin.url, one.kept).subject == "kept")
    }

    @Test("a repository that was never fetched says so, and the data directory is closed to others")
    func notFetched() async throws {
        let fixture = try Fixture()
        let origin = try fixture.repository()
        let first = try origin.commit("first")
        let repositories = fixture.repositories()
        #expect(await failure { try await repositories.commit(origin.url, first) }?.code == "git.not-fetched")
        try await repositories.fetch(origin.url)
        let mode = try FileManager.default.attributesOfItem(atPath: fixture.data)[.posixPermissions] as? Int
        #expect(mode == 0o700)
    }
}
