public import Foundation
public import GitSource

/// A program run to its end, found by `PATH`; for tests that use real programs.
public enum RunningProgram {
    /// It did not end with 0.
    public struct Refused: Error, CustomStringConvertible {
        public let description: String
    }

    /// The environment of a `git` that nobody configured and whose commits are the same everywhere.
    public static let gitEnvironment = [
        "PATH": path, "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null", "HOME": "/nonexistent",
        "LC_ALL": "C", "GIT_AUTHOR_NAME": "Ada Lovelace", "GIT_AUTHOR_EMAIL": "ada@example.org",
        "GIT_COMMITTER_NAME": "Grace Hopper", "GIT_COMMITTER_EMAIL": "grace@example.org"
    ]

    /// Where programs are looked for.
    public static let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"

    /// Its outcome, whatever that is. Blocks, for two minutes at most.
    public static func outcome(
        _ command: [String], in directory: String = "/", environment: [String: String] = ["PATH": path],
        input: Data? = nil
    ) throws -> ChildProcess.Outcome {
        var child = ChildProcess(
            program: "/usr/bin/env", arguments: command, environment: environment, directory: directory,
            total: .seconds(120))
        guard let input else { return child.run() }
        let file = NSTemporaryDirectory() + "shiplog-input-" + UUID().uuidString
        try input.write(to: URL(fileURLWithPath: file))
        defer { try? FileManager.default.removeItem(atPath: file) }
        child.input = file
        return child.run()
    }

    /// Its standard output, without the line break at the end.
    /// - Throws: `Refused` when it does not end with 0.
    @discardableResult
    public static func output(
        _ command: [String], in directory: String = "/", environment: [String: String] = ["PATH": path],
        input: Data? = nil
    ) throws -> String {
        let outcome = try outcome(command, in: directory, environment: environment, input: input)
        guard outcome.ending == .exited(0) else {
            let errors = String(decoding: outcome.errors, as: UTF8.self)
            throw Refused(description: "\(command.joined(separator: " ")): \(outcome.ending): \(errors)")
        }
        let text = String(decoding: outcome.output, as: UTF8.self)
        return text.hasSuffix("\n") ? String(text.dropLast()) : text
    }
}
