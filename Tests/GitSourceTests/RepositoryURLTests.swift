import GitSource
import Shiplog
import Testing

@Suite("Repository addresses")
struct RepositoryURLTests {
    @Test(
        "addresses of one repository give one text to match webhooks with",
        arguments: [
            "https://gitlab.com/group/sub/name.git", "https://GitLab.com/group/sub/name",
            "https://gitlab.com:443/group/sub/name/",
            "ssh://git@gitlab.com/group/sub/name.git", "ssh://git@gitlab.com:22/group/sub/name.git",
            "git@gitlab.com:group/sub/name.git",
            "http://gitlab.com/group/sub/name.git", "git://gitlab.com/group/sub/name.git/",
            "https://me:secret@gitlab.com/group/sub/name",
            "https://gitlab.com/group/sub%2Fname.git"
        ])
    func normalized(_ text: String) throws {
        #expect(try RepositoryURL(text).normalized == "gitlab.com/group/sub/name")
    }

    @Test("a port that is not the scheme's own stays")
    func port() throws {
        #expect(try RepositoryURL("https://git.example.org:8443/a/b.git").normalized == "git.example.org:8443/a/b")
        #expect(
            try RepositoryURL("ssh://git@[2001:DB8::1]:2222/a/b.git").display == "ssh://git@[2001:db8::1]:2222/a/b.git")
    }

    @Test("what is shown has neither the user nor the password of http")
    func display() throws {
        let url = try RepositoryURL("https://oauth2:glpat-123@gitlab.com/a/b.git")
        #expect(url.display == "https://gitlab.com/a/b.git")
        #expect(!"\(url)".contains("glpat") && !String(reflecting: url).contains("glpat"))
        var dumped = ""
        dump(url, to: &dumped)
        #expect(!dumped.contains("glpat"))
        #expect(try RepositoryURL("git@github.com:a/b.git").display == "git@github.com:a/b.git")
    }

    @Test("a path and a file address of one folder are the same")
    func files() throws {
        #expect(try RepositoryURL("/srv/git/a.git") == RepositoryURL("file:///srv/git/a.git"))
        #expect(try RepositoryURL("file://localhost/srv/a%20b").display == "/srv/a b")
    }

    @Test(
        "what could run a program, or is no repository, is refused",
        arguments: [
            "", "   ", "-oProxyCommand=x", "--upload-pack=touch /tmp/x", "ext::sh -c touch% /tmp/x", "ext::sh",
            "fd::17",
            "https::https://example.org/a", "ftp://example.org/a", "ssh://-oProxyCommand=x/a", "ssh://git@-host/a",
            "-host:path",
            "git@-host:path", "git@host:-path", "git@host:", "ssh://-l@host/a", "ssh://git:pw@host/a",
            "git://user@host/a",
            "https://", "https:///a", "https://host", "https://host/", "https://host:0/a", "https://host:99999/a",
            "https://ho st/a",
            "https://host/a?b=c", "https://host/a#b", "https://host/a\nb", "file://host/a", "file://", "file:///%00",
            "relative/path",
            "./relative", "../up", "C:\\repo", "host/path:with-colon", "https://host%2f@evil/a%", "https://[::1/a",
            "https://[x]/a",
            "https://host/\u{7f}"
        ])
    func refused(_ text: String) {
        #expect {
            try RepositoryURL(text)
        } throws: { error in
            guard let failure = error as? Failure else { return false }
            return failure.code == "git.url-invalid" && failure.remedy != nil && !failure.isTransient
        }
    }

    @Test("a refusal does not repeat the address, which may hold a password")
    func silentRefusal() throws {
        let error = #expect(throws: Failure.self) { try RepositoryURL("https://me:hunter2@host/a?b") }
        #expect(try !#require(error).description.contains("hunter2"))
    }

    @Test("credentials print no secret")
    func credentials() {
        for one in [GitCredentials.basic(username: "me", password: "hunter2"), .bearer(token: "hunter2")] {
            var dumped = ""
            dump(one, to: &dumped)
            #expect(!"\(one) \(String(reflecting: one)) \(dumped)".contains("hunter2"))
        }
    }
}
