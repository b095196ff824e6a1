import Foundation
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
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["git", "-C", path, "-c", "commit.gpgsign=false"] + arguments
        // Nothing of the person's own configuration: the demo is the same everywhere.
        process.environment = [
            "PATH": ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin", "HOME": path,
            "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0",
            "GIT_AUTHOR_NAME": "Grace Hopper", "GIT_AUTHOR_EMAIL": "grace@example.org",
            "GIT_COMMITTER_NAME": "Grace Hopper", "GIT_COMMITTER_EMAIL": "grace@example.org"
        ]
        let output = Pipe()
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        do {
            try process.run()
            let data = try output.fileHandleForReading.readToEnd() ?? Data()
            process.waitUntilExit()
            guard process.terminationStatus == 0 else {
                throw Failure("demo.git-failed", "git \(arguments.first ?? "") failed", remedy: "install git")
            }
            return String(decoding: data, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
        } catch let failure as Failure {
            throw failure
        } catch {
            throw Failure("demo.git-failed", "git cannot be run", remedy: "install git")
        }
    }
}
