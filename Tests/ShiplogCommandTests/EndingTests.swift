import Foundation
import Shiplog
import Testing

@testable import ShiplogCommand

@Suite("Exit codes")
struct EndingTests {
    @Test("each code stands for one thing, and they are the documented ones")
    func codes() {
        #expect(Ending.allCases.map(\.rawValue) == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 64, 130, 143])
        #expect(Ending.table.hasPrefix("CODE   MEANING\n0      it went as asked\n"))
    }

    @Test("docs/cli.md has the same table")
    func documented() throws {
        let root = URL(fileURLWithPath: #filePath)
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let page = try String(contentsOf: root.appendingPathComponent("docs/cli.md"), encoding: .utf8)
        let rows = Ending.allCases.map { "| \($0.rawValue) | \($0.meaning) |\n" }.joined()
        #expect(page.contains("| code | meaning |\n|---|---|\n" + rows + "\n"))
    }

    @Test("an answer's status and code decide")
    func answers() {
        #expect(Ending.of(status: 404, code: "application.not-found") == .notFound)
        #expect(Ending.of(status: 401, code: "request.unauthenticated") == .notAllowed)
        #expect(Ending.of(status: 403, code: "request.forbidden") == .notAllowed)
        #expect(Ending.of(status: 409, code: "rollback.no-target") == .refused)
        #expect(Ending.of(status: 412, code: "rollback.moved") == .refused)
        #expect(Ending.of(status: 422, code: "plan.immutable") == .refused)
        #expect(Ending.of(status: 422, code: "application.invalid") == .trouble)
        #expect(Ending.of(status: 500, code: "ledger.corrupt") == .trouble)
        #expect(Ending.of(status: 503, code: "git.unreachable") == .trouble)
        for code in ["cluster.leased", "cluster.lease-newer"] {
            for status in [502, 503] { #expect(Ending.of(status: status, code: code) == .refused) }
            #expect(Ending.of(Failure(Failure.Code(rawValue: code), "x")) == .refused)
        }
    }

    @Test("nothing but a failed integrity check is 8")
    func integrity() {
        for status in 300...599 { #expect(Ending.of(status: status, code: "ledger.corrupt") != .integrity) }
        #expect(Ending.of(Failure("ledger.corrupt", "x")) != .integrity)
        #expect(Ending.of(Failure("http.unreachable", "x")) == .unreachable)
        #expect(Ending.of(Failure("data.in-use", "x")) == .refused)
    }

    @Test("an empty passphrase is told as that") func emptyPassphrase() throws {
        let path = NSTemporaryDirectory() + "shiplog-passphrase-" + UUID().uuidString
        defer { try? FileManager.default.removeItem(atPath: path) }
        for text in ["", "\n", "\r\n"] {
            try text.write(toFile: path, atomically: true, encoding: .utf8)
            do throws(Failure) {
                _ = try Passphrase.read(path)
                Issue.record("it was taken")
            } catch {
                #expect(error.code == "age.passphrase-invalid")
            }
        }
    }

    @Test("a problem's own document is what -o json prints, and its places are named to people")
    func problems() {
        let problem: JSON = [
            "type": "urn:shiplog:problem:request.invalid", "status": 400, "code": "request.invalid",
            "detail": "the body is wrong", "hint": "mend it", "errors": [["pointer": "/to", "message": "is missing"]]
        ]
        let error = CommandError(problem: problem, status: 400)
        #expect(error.json == problem)
        #expect(error.text == "shiplog: error: the body is wrong; /to: is missing [request.invalid]\nhint: mend it\n")
        let own = CommandError(.refused, "command.declined", "nothing was done")
        #expect(own.json["code"] == "command.declined")
        #expect(own.json["type"] == "urn:shiplog:problem:command.declined")
    }
}

@Suite("The server's address and its stream")
struct ClientTests {
    @Test("flags win over the environment; the slash at the end goes")
    func address() throws {
        var options = ServerOptions.unset
        #expect(try Client(options, environment: [:]).server == "http://127.0.0.1:8080")
        #expect(
            try Client(options, environment: ["SHIPLOG_SERVER": "https://a.example/"]).server == "https://a.example")
        options.server = "http://localhost:1"
        #expect(
            try Client(options, environment: ["SHIPLOG_SERVER": "https://a.example"]).server == "http://localhost:1")
        options.server = "localhost:1"
        #expect(throws: Failure.self) { try Client(options, environment: [:]) }
    }

    @Test("a token that is none is refused before it is sent")
    func token() {
        #expect(throws: Failure.self) { try Client(.unset, environment: ["SHIPLOG_TOKEN": "shp_a\r\nX: y"]) }
        #expect(throws: Failure.self) { try Client(.unset, environment: ["SHIPLOG_TOKEN_FILE": "/nowhere/token"]) }
        #expect(throws: Never.self) { try Client(.unset, environment: ["SHIPLOG_TOKEN": "shp_a_b\n"]) }
    }

    @Test("only this machine's own addresses are loopback")
    func loopback() {
        for address in ["http://127.0.0.1:8080", "http://localhost", "http://[::1]:1", "http://127.9.9.9"] {
            #expect(Client.isLoopback(address), "\(address)")
        }
        for address in ["http://127.example.org", "http://10.0.0.1", "http://localhost.example.org", "http://[::2]"] {
            #expect(!Client.isLoopback(address), "\(address)")
        }
    }

    @Test("lines become events; comments and retry do not")
    func events() {
        let reader = ServerEventReader()
        let lines = ["retry: 2000", ": shiplog", "", "id: 7", "event: revision", "data: {\"sequence\":7}", ""]
        let found = lines.compactMap { reader.take(Array($0.utf8)) }
        #expect(found == [ServerEvent(id: 7, name: "revision", data: ["sequence": 7])])
    }

    @Test("a stream of YAML is one document an application, each with its place")
    func documents() throws {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID().uuidString).yaml").path
        defer { try? FileManager.default.removeItem(atPath: file) }
        let text = "kind: Application\nmetadata: {name: a}\n---\n---\nkind: Application\nmetadata: {name: b}\n"
        try text.write(toFile: file, atomically: true, encoding: .utf8)
        let found = try AppApplyCommand.documents(file)
        #expect(found.map(\.name) == ["a", "b"])
        #expect(found.last?.place == "\(file):5")
        try "kind: Application".write(toFile: file, atomically: true, encoding: .utf8)
        #expect(throws: Failure.self) { try AppApplyCommand.documents(file) }
    }
}
