import Foundation
import GitSource
import Shiplog

/// The demo's Git repository: a real one, made with `git`, with a commit for each version of the guestbook.
struct DemoRepository: Sendable {
    let path: String
    private let examples: String

    /// Makes an empty repository.
    /// - Throws: `demo.examples-missing`, `demo.git-failed`, `file.unwritable`.
    init(at path: String, examples: String) throws(Failure) {
        self.path = path
        self.examples = examples
        do {
            try? FileManager.default.removeItem(atPath: path)
            try FileManager.default.createDirectory(
                atPath: path + "/guestbook", withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700])
        } catch {
            throw Failure("file.unwritable", "\(path) cannot be made", remedy: "check the directory's owner")
        }
        _ = try git("init", "-q", "-b", "main")
    }

    /// Makes the application's folder what `examples/guestbook/VERSION` holds, and commits it.
    /// - Returns: the commit.
    func commit(_ version: String, message: String) throws(Failure) -> CommitID {
        let source = examples + "/guestbook/" + version
        do {
            let files = try FileManager.default.contentsOfDirectory(atPath: source)
            for old in try FileManager.default.contentsOfDirectory(atPath: path + "/guestbook") {
                try FileManager.default.removeItem(atPath: path + "/guestbook/" + old)
            }
            for file in files {
                try FileManager.default.copyItem(atPath: source + "/" + file, toPath: path + "/guestbook/" + file)
            }
        } catch {
            throw Failure(
                "demo.examples-missing", "the files of \(source) cannot be copied",
                remedy: "run the demo from a checkout, or install examples/ beside the program")
        }
        _ = try git("add", "-A")
        _ = try git("commit", "-q", "-m", message)
        guard let commit = CommitID(try git("rev-parse", "HEAD")) else {
            throw Failure("demo.git-failed", "git names no commit after committing")
        }
        return commit
    }

    private func git(_ arguments: String...) throws(Failure) -> String {
        let child = ChildProcess(
            program: "/usr/bin/env", arguments: ["git", "-c", "commit.gpgsign=false"] + arguments,
            // Nothing of the person's own configuration: the demo is the same everywhere.
            environment: [
                "PATH": ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin", "HOME": path,
                "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0",
                "GIT_AUTHOR_NAME": "Grace Hopper", "GIT_AUTHOR_EMAIL": "grace@example.org",
                "GIT_COMMITTER_NAME": "Grace Hopper", "GIT_COMMITTER_EMAIL": "grace@example.org"
            ], directory: path)
        let outcome = child.run()
        switch outcome.ending {
        case .exited(0):
            return String(decoding: outcome.output, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
        case .notStarted, .exited(127): throw Failure("demo.git-failed", "git cannot be run", remedy: "install git")
        default:
            let words = String(decoding: outcome.errors, as: UTF8.self)
            throw Failure("demo.git-failed", "git \(arguments.first ?? "") failed: \(words)")
        }
    }
}
