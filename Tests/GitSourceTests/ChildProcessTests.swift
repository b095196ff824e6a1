import Foundation
import Testing

@testable import GitSource

@Suite("Child programs")
struct ChildProcessTests {
    func child(_ script: String, silence: Duration = .seconds(20), total: Duration = .seconds(20)) -> ChildProcess {
        ChildProcess(
            program: "/bin/sh", arguments: ["-c", script], environment: ["PATH": "/usr/bin:/bin", "WORD": "a b"],
            directory: "/",
            silence: silence, total: total, fileSize: 1 << 20)
    }

    @Test("its output, its errors, its status, its environment and its folder are what was given")
    func ordinary() {
        let outcome = child("echo out; echo err >&2; echo $WORD; pwd; env | wc -l; exit 3").run(shouldStop: { false })
        #expect(outcome.ending == .exited(3))
        // sh adds PWD, SHLVL or _ of its own.
        let lines = String(decoding: outcome.output, as: UTF8.self).split(separator: "\n")
        #expect(lines.prefix(3) == ["out", "a b", "/"])
        #expect(lines.count == 4 && (2...5).contains(Int(lines[3].filter(\.isNumber)) ?? 0))
        #expect(outcome.errors == Array("err\n".utf8))
    }

    @Test("it inherits no open file, reads nothing and is killed by SIGPIPE as usual")
    func inherits() {
        let descriptor = open("/dev/null", O_RDONLY)
        defer { close(descriptor) }
        let outcome = child("ls /proc/self/fd | tr '\\n' ' '; cat; yes | head -1").run(shouldStop: { false })
        // ls itself opens the folder it lists.
        #expect(String(decoding: outcome.output, as: UTF8.self) == "0 1 2 3 y\n")
    }

    @Test(
        "silence ends it and all it started",
        arguments: ["sleep 1001 & sleep 1001", "trap '' TERM; (trap '' TERM; sleep 1001) & sleep 1001; sleep 1001"])
    func silence(_ script: String) throws {
        let started = ContinuousClock.now
        // A word of its own to find the group's members by.
        let word = UUID().uuidString
        let outcome = child("\(script) # \(word)", silence: .milliseconds(300)).run(shouldStop: { false })
        #expect(outcome.ending == .silent)
        #expect(ContinuousClock.now - started < .seconds(5))
        #expect(try processes(mentioning: word).isEmpty)
    }

    @Test("what talks without end is ended by the other deadline")
    func late() {
        let outcome = child(
            "while :; do echo x >&2; sleep 0.05; done", silence: .milliseconds(500), total: .milliseconds(1200)
        ).run(shouldStop: { false })
        #expect(outcome.ending == .late)
        #expect(outcome.errors.count > 10 && outcome.errors.count <= 16 << 10)
    }

    @Test("what it leaves running is ended with it")
    func leftovers() async throws {
        let word = UUID().uuidString
        let started = ContinuousClock.now
        let outcome = child("sh -c 'sleep 1002; : \(word)' & echo done").run(shouldStop: { false })
        #expect(outcome.ending == .exited(0) && outcome.output == Array("done\n".utf8))
        #expect(ContinuousClock.now - started < .seconds(5))
        #expect(try await eventually { try processes(mentioning: word).isEmpty })
    }

    @Test("too much output ends it; much is read whole")
    func output() {
        var much = child("head -c 300000 /dev/zero")
        #expect(much.run(shouldStop: { false }).output.count == 300_000)
        much.outputLimit = 100_000
        let outcome = much.run(shouldStop: { false })
        #expect(outcome.ending == .tooMuch && outcome.output.count < 300_000)
        var endless = child("cat /dev/zero")
        endless.outputLimit = 100_000
        #expect(endless.run(shouldStop: { false }).ending == .tooMuch)
    }

    @Test("of the errors the end is kept")
    func errors() {
        let outcome = child("head -c 100000 /dev/zero >&2; echo last >&2").run(shouldStop: { false })
        #expect(outcome.errors.count == 16 << 10)
        #expect(outcome.errors.suffix(5).elementsEqual("last\n".utf8))
    }

    @Test("it is ended when nobody waits any more, and when it writes too large a file")
    func ended() throws {
        #expect(child("sleep 1003").run(shouldStop: { true }).ending == .stopped)
        let fixture = try Fixture()
        // The limit is set when the child has begun.
        let outcome = child("sleep 1; head -c 5000000 /dev/zero > \(fixture.root)/big").run(shouldStop: { false })
        #expect(outcome.ending != .exited(0))
        let size = try FileManager.default.attributesOfItem(atPath: fixture.root + "/big")[.size] as? Int
        #expect(size == 1 << 20)
    }

    @Test("a program that is not there is said so")
    func missing() {
        var child = child("")
        child.program = "/nonexistent/program"
        #expect(child.run(shouldStop: { false }).ending == .notStarted(ENOENT))
    }
}
