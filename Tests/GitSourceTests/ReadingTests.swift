import Foundation
import GitSource
import Shiplog
import Testing

@Suite("Reading commits, folders and files")
struct ReadingTests {
    @Test("a commit says who, when and what")
    func commit() async throws {
        let fixture = try Fixture()
        let origin = try fixture.repository()
        try origin.commit("Add the guestbook\n\nWith a body.", ["a.yaml": "a: 1\n"])
        let id = try origin.head()
        let repositories = fixture.repositories()
        try await repositories.fetch(origin.url)
        let commit = try await repositories.commit(origin.url, id)
        #expect(commit.author == "Ada Lovelace <ada@example.org>")
        #expect(commit.authoredAt == Timestamp(milliseconds: 1_700_000_000_000))
        #expect(commit.committedAt == Timestamp(milliseconds: 1_700_000_060_000))
        #expect(commit.subject == "Add the guestbook" && !commit.isSigned)
        #expect(try commit.tree == origin.git("rev-parse", "HEAD^{tree}"))
        let missing = try #require(CommitID(String(repeating: "a", count: 40)))
        let error = await failure { try await repositories.commit(origin.url, missing) }
        #expect(error?.code == "git.commit-missing")
    }

    @Test(
        "odd commits are read: a signature, bytes that are no UTF-8, control characters, absurd times, a long subject")
    func oddCommits() async throws {
        let fixture = try Fixture()
        let origin = try fixture.repository()
        let first = try origin.commit("first")
        let tree = try origin.git("rev-parse", "HEAD^{tree}")
        func make(_ header: String, _ message: Data) throws -> CommitID {
            var data = Data("tree \(tree)\nparent \(first.hex)\n\(header)\n\n".utf8)
            data.append(message)
            let id = try Command.run(
                ["git", "hash-object", "-t", "commit", "-w", "--stdin"], in: origin.path, input: data)
            try origin.git("update-ref", "refs/heads/" + id.prefix(10), id)
            return try #require(CommitID(id))
        }
        let people = "author A <a@b> 1700000000 +0000\ncommitter A <a@b> 1700000000 +0000"
        let signed = try make(
            people + "\ngpgsig -----BEGIN PGP SIGNATURE-----\n \n iQ==\n -----END PGP SIGNATURE-----",
            Data("signed\n".utf8))
        let latin = try make(people, Data([0x63, 0x61, 0x66, 0xE9, 0x1B, 0x5B, 0x33, 0x31, 0x6D, 0x0A]))
        let long = try make(people, Data(String(repeating: "é", count: 5000).utf8))
        let late = try make(
            "author A <a@b> 999999999999999 +0000\ncommitter A <a@b> 999999999999999 +0000", Data("late\n".utf8))
        let repositories = fixture.repositories()
        try await repositories.fetch(origin.url)
        #expect(try await repositories.commit(origin.url, signed).isSigned)
        #expect(try await repositories.commit(origin.url, latin).subject == "caf\u{FFFD} [31m")
        #expect(try await repositories.commit(origin.url, long).subject.count == 200)
        #expect(try await repositories.commit(origin.url, late).committedAt.description.hasPrefix("9999-12-31"))
    }

    @Test("files come sorted by path, filtered, with or without the folders below")
    func files() async throws {
        let fixture = try Fixture()
        let origin = try fixture.repository()
        try origin.commit(
            "first",
            [
                "top.yaml": "top\n", "deploy/b.yaml": "b\n", "deploy/a.yaml": "a\n", "deploy/a/z.yaml": "z\n",
                "deploy/a.txt": "no\n",
                "deploy/a-b.yaml": "ab\n", "deployment/c.yaml": "c\n", "deploy/empty.yaml": ""
            ])
        let repositories = fixture.repositories()
        let id = try await repositories.resolve(origin.url, "")
        func paths(_ path: String, recurse: Bool) async throws -> [String] {
            try await repositories.files(origin.url, id, path: path, recurse: recurse, where: { $0.hasSuffix(".yaml") })
                .map(\.path)
        }
        #expect(
            try await paths("deploy", recurse: false) == [
                "deploy/a-b.yaml", "deploy/a.yaml", "deploy/b.yaml", "deploy/empty.yaml"
            ])
        #expect(
            try await paths("./deploy/", recurse: true)
                == ["deploy/a-b.yaml", "deploy/a.yaml", "deploy/a/z.yaml", "deploy/b.yaml", "deploy/empty.yaml"])
        #expect(try await paths(".", recurse: false) == ["top.yaml"])
        #expect(try await paths("", recurse: true).count == 7)
        let files = try await repositories.files(
            origin.url, id, path: "deploy", recurse: false,
            where: { $0.hasSuffix("e.yaml") || $0.hasSuffix("y.yaml") || $0.hasSuffix("/b.yaml") })
        #expect(
            files == [
                SourceFile(path: "deploy/b.yaml", bytes: Array("b\n".utf8)),
                SourceFile(path: "deploy/empty.yaml", bytes: [])
            ])
    }

    @Test("a folder's name changes with its content and with nothing else")
    func objectIDs() async throws {
        let fixture = try Fixture()
        let origin = try fixture.repository()
        let first = try origin.commit("first", ["a/x.yaml": "1\n", "b/x.yaml": "1\n"])
        let second = try origin.commit("second", ["b/x.yaml": "2\n"])
        let repositories = fixture.repositories()
        try await repositories.fetch(origin.url)
        func name(_ id: CommitID, _ path: String) async throws -> String? {
            try await repositories.objectID(origin.url, id, path: path)
        }
        #expect(try await name(first, "a") == name(second, "a/"))
        #expect(try await name(first, "b") != name(second, "b"))
        #expect(try await name(second, "b/x.yaml") == origin.git("rev-parse", "HEAD:b/x.yaml"))
        #expect(try await name(second, ".") == origin.git("rev-parse", "HEAD^{tree}"))
        #expect(try await name(second, "c") == nil)
        #expect(try await name(second, "b/x.yaml/y") == nil)
    }

    @Test(
        "paths out of the tree, missing ones and files are refused by name",
        arguments: [
            ("../up", "git.path-invalid"), ("a/../../up", "git.path-invalid"), ("/etc", "git.path-invalid"),
            ("a\u{0}b", "git.path-invalid"),
            ("nowhere", "git.path-missing"), ("a/nowhere", "git.path-missing"), ("a/x.yaml", "git.path-is-file"),
            ("a/x.yaml/b", "git.path-missing")
        ])
    func badPaths(_ path: String, _ code: String) async throws {
        let fixture = try Fixture()
        let origin = try fixture.repository()
        try origin.commit("first", ["a/x.yaml": "1\n"])
        let repositories = fixture.repositories()
        let id = try await repositories.resolve(origin.url, "main")
        let error = await failure {
            try await repositories.files(origin.url, id, path: path, recurse: true, where: { _ in true })
        }
        #expect(error?.code.rawValue == code && error?.remedy != nil)
    }

    @Test("a symbolic link is refused by name if it is asked for, and stops no one otherwise")
    func symlinks() async throws {
        let fixture = try Fixture()
        let origin = try fixture.repository()
        try origin.commit("first", ["a/x.yaml": "1\n"])
        try FileManager.default.createSymbolicLink(
            atPath: origin.path + "/a/link.yaml", withDestinationPath: "/etc/passwd")
        try FileManager.default.createSymbolicLink(atPath: origin.path + "/folder", withDestinationPath: "a")
        let id = try origin.commit("links")
        let repositories = fixture.repositories()
        try await repositories.fetch(origin.url)
        let error = await failure {
            try await repositories.files(origin.url, id, path: "a", recurse: false, where: { _ in true })
        }
        #expect(error?.code == "git.symlink" && error?.message.contains("a/link.yaml") == true)
        #expect(
            try await repositories.files(origin.url, id, path: "a", recurse: false, where: { $0.hasSuffix("x.yaml") })
                .count == 1)
        for path in ["folder", "folder/x.yaml"] {
            let error = await failure {
                try await repositories.objectID(origin.url, id, path: path)
            }
            #expect(error?.code == "git.symlink" && error?.message.contains("'folder'") == true)
        }
    }

    @Test("submodules are passed over, and refused when the path leads into one")
    func submodules() async throws {
        let fixture = try Fixture()
        let origin = try fixture.repository()
        let first = try origin.commit("first", ["a/x.yaml": "1\n"])
        try origin.git("update-index", "--add", "--cacheinfo", "160000,\(first.hex),a/module.yaml")
        try origin.git("commit", "--quiet", "-m", "a submodule")
        let repositories = fixture.repositories()
        let id = try await repositories.resolve(origin.url, "main")
        #expect(
            try await repositories.files(origin.url, id, path: "a", recurse: true, where: { _ in true }).map(\.path)
                == ["a/x.yaml"])
        let error = await failure {
            try await repositories.files(origin.url, id, path: "a/module.yaml/b", recurse: true, where: { _ in true })
        }
        #expect(error?.code == "git.submodule")
    }

    @Test("names that are no UTF-8 are refused if asked for, with the rest of the name")
    func names() async throws {
        let fixture = try Fixture()
        let origin = try fixture.repository()
        try origin.commit("first")
        let blob = try origin.blob("a: 1\n")
        var tree = Data("100644 blob \(blob)\tcaf".utf8)
        tree.append(0xE9)
        tree.append(Data(".yaml\u{0}100644 blob \(blob)\tfine.yaml\u{0}".utf8))
        let id = try origin.commit(tree: tree)
        let repositories = fixture.repositories()
        try await repositories.fetch(origin.url)
        let error = await failure {
            try await repositories.files(origin.url, id, path: "", recurse: false, where: { $0.hasSuffix(".yaml") })
        }
        #expect(error?.code == "git.path-not-utf8" && error?.message.contains("caf") == true)
        #expect(
            try await repositories.files(origin.url, id, path: "", recurse: false, where: { $0 == "fine.yaml" }).count
                == 1)
    }

    @Test("an LFS pointer is refused by name")
    func lfs() async throws {
        let fixture = try Fixture()
        let origin = try fixture.repository()
        let id = try origin.commit(
            "first",
            [
                "a.yaml":
                    "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n"
            ])
        let repositories = fixture.repositories()
        try await repositories.fetch(origin.url)
        let error = await failure {
            try await repositories.files(origin.url, id, path: "", recurse: false, where: { _ in true })
        }
        #expect(error?.code == "git.lfs-pointer" && error?.message.contains("'a.yaml'") == true)
    }

    @Test("huge files, too many files and too deep folders are refused by name")
    func limits() async throws {
        let fixture = try Fixture()
        let origin = try fixture.repository()
        let id = try origin.commit(
            "first",
            [
                "big/a.yaml": String(repeating: "a", count: 2000), "many/a.yaml": "a", "many/b.yaml": "b",
                "many/c.yaml": "c", "many/d.yaml": "d",
                "sum/a.yaml": String(repeating: "a", count: 900), "sum/b.yaml": String(repeating: "b", count: 900),
                "deep/1/2/3/4/a.yaml": "a"
            ])
        var limits = GitLimits()
        limits.fileSize = 1000
        limits.totalSize = 1500
        limits.fileCount = 3
        limits.depth = 3
        limits.entryCount = 9
        let repositories = fixture.repositories(limits: limits)
        try await repositories.fetch(origin.url)
        var narrow = limits
        narrow.entryCount = 3
        for (path, code, word) in [
            ("big", "git.file-too-large", "big/a.yaml"), ("many", "git.too-many-files", "'many'"),
            ("sum", "git.too-many-files", "1500"),
            ("deep", "git.too-many-files", "3 folders"), ("many", "git.too-many-files", "entries")
        ] {
            let error = await failure {
                try await (word == "entries" ? fixture.repositories(limits: narrow) : repositories).files(
                    origin.url, id, path: path, recurse: true, where: { _ in true })
            }
            #expect(error?.code.rawValue == code, "\(path)")
            #expect(error?.message.contains(word) == true, "\(path): \(error?.message ?? "")")
        }
    }

    @Test("the log between two commits is newest first and bounded")
    func log() async throws {
        let fixture = try Fixture()
        let origin = try fixture.repository()
        var ids: [CommitID] = []
        for number in 0..<5 { ids.append(try origin.commit("commit \(number)")) }
        let repositories = fixture.repositories()
        try await repositories.fetch(origin.url)
        func subjects(_ from: CommitID?, _ limit: Int) async throws -> [String] {
            try await repositories.log(origin.url, from: from, to: ids[4], limit: limit).map(\.subject)
        }
        #expect(try await subjects(ids[1], 10).sorted() == ["commit 2", "commit 3", "commit 4"])
        #expect(try await subjects(nil, 2).first == "commit 4")
        #expect(try await subjects(ids[4], 10).isEmpty)
        #expect(try await subjects(CommitID(String(repeating: "a", count: 40)), 10).count == 5)
        #expect(try await subjects(nil, -1).isEmpty)
    }
}
