import Shiplog
import Testing

@testable import GitSource

@Suite("Target revisions by name")
struct ResolutionTests {
    let one = CommitID(String(repeating: "1", count: 40))
    let two = CommitID(String(repeating: "2", count: 40))

    func find(_ text: String, _ refs: Refs) throws(Failure) -> Resolution {
        try Resolution.find(text, in: refs, RepositoryURL("/srv/git/a"))
    }

    @Test("HEAD, nothing, a branch, a tag and full names are found")
    func names() throws {
        let (one, two) = (try #require(one), try #require(two))
        let refs = Refs(
            head: "refs/heads/main", headCommit: one, branches: ["main": one, "feature/x": two], tags: ["v1": two])
        for (text, expected) in [
            ("", one), ("HEAD", one), ("main", one), ("feature/x", two), ("v1", two), ("refs/heads/feature/x", two),
            ("refs/tags/v1", two), ("heads/main", one), ("tags/v1", two)
        ] {
            #expect(try find(text, refs) == .commit(expected), "\(text)")
        }
        #expect(try find(two.hex.uppercased(), refs) == .object(two))
        #expect(try find("2222222", refs) == .short("2222222"))
        #expect(try find("refs/pull/7/head", refs) == .reference("refs/pull/7/head"))
    }

    @Test("a branch whose name looks like a short commit wins, as in Argo CD")
    func hexBranch() throws {
        let one = try #require(one)
        #expect(try find("deadbee", Refs(branches: ["deadbee": one])) == .commit(one))
    }

    @Test("a name that is a branch and another tag is refused with both full names")
    func clash() throws {
        let refs = Refs(branches: ["v1": try #require(one)], tags: ["v1": try #require(two)])
        let error = #expect(throws: Failure.self) { try find("v1", refs) }
        #expect(error?.code == "git.revision-ambiguous")
        #expect(error?.remedy == "write refs/heads/v1 or refs/tags/v1")
        let same = Refs(branches: ["v1": try #require(one)], tags: ["v1": try #require(one)])
        #expect(try find("v1", same) == .commit(try #require(one)))
    }

    @Test("what is nowhere is refused with the branches there are")
    func unknown() throws {
        let refs = Refs(branches: ["main": try #require(one)])
        for text in [
            "mian", "refs/heads/mian", "123456", "HEAD~1", "main^", "refs/shiplog/keep/x", "refs/pull/*/head",
            "refs/a..b", "@{-1}"
        ] {
            let error = #expect(throws: Failure.self) { try find(text, refs) }
            #expect(error?.code == "git.revision-unknown", "\(text)")
            #expect(error?.remedy?.contains("main") == true)
        }
        for text in ["--upload-pack=x", "a\nb", String(repeating: "a", count: 2000)] {
            #expect(throws: Failure.self) { try find(text, refs) }
        }
    }

    @Test(
        "a constraint takes the newest version that satisfies it",
        arguments: [
            ("1.2.*", "v1.2.10"), ("1.x", "v1.10.0"), ("*", "3.0.0"), (">=1.2 <1.3", "v1.2.10"),
            (">= 1.2, < 1.3", "v1.2.10"),
            ("^1.2.9", "v1.10.0"), ("~1.2.9", "v1.2.10"), ("~1", "v1.10.0"), ("^0.3.1", "v0.3.2"), ("^0.0.4", "0.0.4"),
            ("<1 || >=3", "3.0.0"),
            ("1.2 - 2", "v2.0.0"), ("!=3.0.0", "v2.0.0"), ("<=1.2", "v1.2.10"), (">1.2 <3", "v2.0.0"),
            ("=1.2.9", "v1.2.9"),
            (">=4.0.0-0", "v4.0.0-rc.2"), ("~>2", "v2.0.0")
        ])
    func constraints(_ text: String, _ tag: String) throws {
        let names = [
            "v1.2.9", "v1.2.10", "v1.10.0", "v2.0.0", "3.0.0", "v4.0.0-rc.1", "v4.0.0-rc.2", "v4.0.0-alpha", "v0.3.1",
            "v0.3.2", "v0.4.0",
            "0.0.4", "0.0.5", "latest", "release-9", "v1.2.x"
        ]
        let constraint = try #require(VersionConstraint(text))
        #expect(constraint.newest(of: names) == tag)
        #expect(constraint.newest(of: names.reversed()) == tag)
    }

    @Test(
        "names that are no constraints are left alone",
        arguments: ["main", "feature-x", "v1.2.3", "1.2", "1", "x-ray", "a*b", ">=", "^^1", "1..2", ">a"])
    func noConstraint(_ text: String) {
        #expect(VersionConstraint(text) == nil)
    }

    @Test("a constraint nothing satisfies says so")
    func unsatisfied() throws {
        let error = #expect(throws: Failure.self) { try find(">=9", Refs(tags: ["v1": try #require(one)])) }
        #expect(error?.code == "git.revision-unknown")
    }
}
