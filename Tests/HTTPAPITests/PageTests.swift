import Foundation
import HTTPAPI
import Shiplog
import ShiplogTesting
import Testing

@Suite("The page's files") struct PageTests {
    private func page() throws -> TemporaryDirectory {
        let directory = try TemporaryDirectory("page")
        let files = [
            "index.html": "<!doctype html><title>Shiplog</title>",
            "ui/main.js": String(repeating: "// code\n", count: 50),
            "ui/main.js.gz": "pretend gzip", "ui/app.css": "body {}", "ui/deep/icon.svg": "<svg/>",
            "ui/.hidden": "secret", "secret.txt": "secret"
        ]
        try FileManager.default.createDirectory(
            atPath: directory.path + "/ui/deep", withIntermediateDirectories: true)
        for (name, text) in files {
            try text.write(toFile: directory.path + "/" + name, atomically: true, encoding: .utf8)
        }
        try FileManager.default.createSymbolicLink(
            atPath: directory.path + "/ui/link.js", withDestinationPath: "/etc/passwd")
        return directory
    }

    @Test("the page answers to its own addresses, with a policy that lets nothing foreign in") func index() async throws
    {
        let directory = try page()
        try await Site.run(settings: { $0.webDirectory = directory.path }) { site in
            for (path, headers) in [
                ("/", [:]), ("/index.html", [:]), ("/applications/guestbook", ["Accept": "text/html,*/*"])
            ] {
                let answer = try await site.client.get(path, headers)
                #expect(answer.status == 200 && answer.text.contains("<title>Shiplog"), "\(path)")
                #expect(answer.header("Content-Type") == "text/html; charset=utf-8")
                #expect(answer.header("Cache-Control") == "no-cache")
                let policy = try #require(answer.header("Content-Security-Policy"))
                for rule in [
                    "default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'",
                    "require-trusted-types-for 'script'"
                ] {
                    #expect(policy.contains(rule))
                }
                #expect(!policy.contains("unsafe"))
            }
            // A program that asks for what is not there must not take the page for an answer.
            #expect(try await site.client.get("/applications/x", ["Accept": "application/json"]).status == 404)
            #expect(try await site.client.send("POST", "/").status == 405)
        }
    }

    @Test("files have types and validators, and a gzip of theirs is sent to who takes it") func files() async throws {
        let directory = try page()
        try await Site.run(settings: { $0.webDirectory = directory.path }) { site in
            let script = try await site.client.get("/ui/main.js")
            #expect(script.status == 200)
            #expect(script.header("Content-Type") == "text/javascript; charset=utf-8")
            #expect(script.header("Vary") == "Accept-Encoding")
            let tag = try #require(script.header("ETag"))
            let again = try await site.client.get("/ui/main.js", ["If-None-Match": "\"x\", W/" + tag])
            #expect(again.status == 304 && again.body.isEmpty)
            // A browser takes over the headers of a 304 into its copy: the page's own policy has to survive that.
            #expect(again.header("Content-Security-Policy") == nil)
            let page = try await site.client.get("/", ["Accept": "text/html"])
            let pageTag = try #require(page.header("ETag"))
            #expect(page.header("Content-Security-Policy")?.contains("script-src 'self'") == true)
            let copy = try await site.client.get("/", ["Accept": "text/html", "If-None-Match": pageTag])
            #expect(copy.status == 304 && copy.header("Content-Security-Policy") == nil)
            let gzip = try await site.client.get("/ui/main.js", ["Accept-Encoding": "br, gzip"])
            #expect(gzip.header("Content-Encoding") == "gzip" && gzip.text == "pretend gzip")
            let refused = try await site.client.get("/ui/main.js", ["Accept-Encoding": "gzip;q=0"])
            #expect(refused.header("Content-Encoding") == nil)
            #expect(try await site.client.get("/ui/deep/icon.svg").header("Content-Type") == "image/svg+xml")
            let head = try await site.client.send("HEAD", "/ui/app.css")
            #expect(head.status == 200 && head.header("Content-Length") == "7")
        }
    }

    @Test("nothing else of the disk is served") func confined() async throws {
        let directory = try page()
        try await Site.run(settings: { $0.webDirectory = directory.path }) { site in
            for path in [
                "/ui/.hidden", "/ui/link.js", "/secret.txt", "/ui/../secret.txt", "/ui/%2e%2e/secret.txt",
                "/ui//etc/passwd", "/ui/..%2fsecret.txt", "/ui/main.js.gz", "/ui/", "/ui/deep", "/ui/main.js%00",
                "//etc/passwd", "/ui/nothing.js"
            ] {
                let answer = try await site.client.get(path, ["Accept": "*/*"])
                #expect(answer.status == 404, "\(path): \(answer.text)")
            }
        }
    }

    @Test("a directory without a page is refused at the start") func missing() async throws {
        let directory = try TemporaryDirectory("page")
        do {
            try await Site.run(settings: { $0.webDirectory = directory.path }) { _ in }
            Issue.record("it started")
        } catch let failure as Failure {
            #expect(failure.code == "server.web-missing")
        }
    }
}
