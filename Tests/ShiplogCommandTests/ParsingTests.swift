import ArgumentParser
import Shiplog
import Testing

@testable import ShiplogCommand

@Suite("The command line")
struct ParsingTests {
    private func parse<Command>(_ type: Command.Type, _ arguments: String...) throws -> Command {
        try #require(try ShiplogMain.parseAsRoot(arguments) as? Command)
    }

    @Test("every command of the tree is reached by its name")
    func tree() {
        let lines = [
            ["app", "list"], ["app", "get", "a"], ["app", "apply", "-f", "-"], ["app", "diff", "a"],
            ["app", "sync", "a"], ["app", "refresh", "a"], ["app", "history", "a"],
            ["app", "rollback", "a", "--reason", "r"], ["app", "unpin", "a"], ["app", "pin", "a"],
            ["app", "wait", "a"], ["app", "delete", "a"], ["app", "manifests", "a"], ["app", "terminate", "a"],
            ["app", "accept-cluster", "a"], ["history"], ["show", "1"], ["events"], ["report"],
            ["explain", "order", "a.yaml"], ["ledger", "verify"],
            ["ledger", "stats"],
            ["token", "create", "--name", "n", "--role", "viewer"], ["token", "list"], ["token", "revoke", "x"],
            ["completion", "bash"], ["version"], ["serve"], ["demo"], ["sandbox"]
        ]
        for line in lines {
            #expect(throws: Never.self, "\(line)") { try ShiplogMain.parseAsRoot(line) }
        }
    }

    @Test("a commit is 7 to 40 hexadecimal digits, or the command line is wrong")
    func commit() throws {
        let query = try parse(AppHistoryCommand.self, "app", "history", "a", "--commit", "ABCDEF0")
        #expect(query.filter.commit?.digits == "abcdef0")
        for wrong in ["abcdef", "zzzzzzz", "", String(repeating: "a", count: 41)] {
            #expect(throws: (any Error).self, "\(wrong)") {
                try ShiplogMain.parseAsRoot(["app", "rollback", "a", "--reason", "r", "--commit", wrong])
            }
        }
    }

    @Test("every command's help begins with examples")
    func examples() {
        func check(_ command: any ParsableCommand.Type) {
            let configuration = command.configuration
            // The demo explains itself and takes nothing to be an example of.
            if configuration.commandName == "demo" { return }
            #expect(configuration.discussion.hasPrefix("Examples:"), "\(command)")
            for child in configuration.subcommands { check(child) }
        }
        check(ShiplogMain.self)
    }

    @Test("a rollback takes a number with or without #, a commit, or a time that begins with a minus")
    func rollbackTargets() throws {
        let rollback = { (arguments: [String]) throws -> AppRollbackCommand in
            try #require(
                try ShiplogMain.parseAsRoot(["app", "rollback", "a", "--reason", "r"] + arguments)
                    as? AppRollbackCommand)
        }
        #expect(try rollback([]).target == ["lastGood": true])
        #expect(try rollback(["41"]).target == ["sequence": 41])
        #expect(try rollback(["#41"]).target == ["sequence": 41])
        #expect(try rollback(["--commit", "1eba70f"]).target == ["commit": "1eba70f"])
        #expect(try rollback(["--at", "2026-11-20 13:00"]).target == ["at": "2026-11-20T13:00:00.000Z"])
        #expect(try rollback(["--at", "-2h"]).at != nil)
        #expect(try rollback([]).hold == .untilNewCommit)
    }

    @Test(
        "a wrong line ends with 64",
        arguments: [
            ["app", "rollback", "a"], ["app", "rollback", "a", "--reason", " "],
            ["app", "rollback", "a", "1", "--at", "-1h", "--reason", "r"],
            ["app", "rollback", "a", "0", "--reason", "r"],
            ["show", "first"], ["show", "1", "--against", "live"], ["show", "1", "--diff", "--entry"],
            ["history", "--kind", "deploy"], ["history", "--since", "soon"], ["history", "--limit", "-1"],
            ["history", "--follow", "--until", "now"], ["app", "wait", "a", "--commit", "HEAD"],
            ["app", "list", "-o", "xml"], ["app", "list", "--timeout", "soon"], ["token", "create", "--name", "n"],
            ["no-such-command"]
        ])
    func wrong(_ arguments: [String]) {
        do {
            _ = try ShiplogMain.parseAsRoot(arguments)
            Issue.record("\(arguments) was taken")
        } catch {
            #expect(ShiplogMain.exitCode(for: error) == .validationFailure)
        }
    }

    @Test("what is not said about pruning is left to the application")
    func prune() throws {
        #expect(try parse(AppSyncCommand.self, "app", "sync", "a").flags.body(reason: nil)["prune"] == nil)
        #expect(try parse(AppSyncCommand.self, "app", "sync", "a", "--prune").flags.body(reason: nil)["prune"] == true)
        #expect(
            try parse(AppSyncCommand.self, "app", "sync", "a", "--no-prune").flags.body(reason: nil)["prune"] == false)
    }

    @Test("wait without a wish waits for all, with a commit alone for its deployment")
    func goals() throws {
        let all = try parse(AppWaitCommand.self, "app", "wait", "a").goal
        #expect(all == Goal(health: true, sync: true, operation: true, commit: nil))
        let commit = try parse(AppWaitCommand.self, "app", "wait", "a", "--commit", "1EBA70F").goal
        #expect(commit == Goal(health: false, sync: false, operation: false, commit: "1eba70f"))
        let application: JSON = [
            "sync": "Synced", "activity": "applying", "health": ["status": "Degraded"],
            "deployed": ["commit": "1eba70f39c"]
        ]
        #expect(all.missing(in: application) == [.operation, .health])
        #expect(commit.missing(in: application) == [])
    }

    @Test("filters of the history become the API's parameters, encoded")
    func filters() throws {
        let history = try parse(
            HistoryCommand.self, "history", "--app", "a", "--app", "b", "--kind", "sync", "--cause", "self-heal",
            "--actor",
            "Ada L", "--outcome", "failed", "--since", "2026-11-20T00:00:00Z", "--include-unchanged")
        #expect(
            history.filter.query(history.app).text
                == "?actor=Ada%20L&from=2026-11-20T00%3A00%3A00.000Z&includeUnchanged=true&application=a&application=b"
                + "&kind=sync&cause=self-heal&outcome=failed")
    }

    @Test("a row of the stream is judged by the same conditions")
    func streamFilter() throws {
        let filter = try parse(
            HistoryCommand.self, "history", "--kind", "sync", "--commit", "1EBA70F", "--actor", "ada"
        ).filter
        let row: JSON = [
            "kind": "sync", "actor": ["name": "ada"], "source": ["commit": ["id": "1eba70f"]], "outcome": "succeeded"
        ]
        #expect(filter.takes(row))
        for (path, value) in [
            (["kind"], "rollback"), (["actor", "name"], "bob"), (["source", "commit", "id"], "abfa8db")
        ] {
            var other = row
            other.set(.string(value), at: path)
            #expect(!filter.takes(other), "\(path)")
        }
    }
}
