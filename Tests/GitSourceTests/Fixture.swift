import Foundation
import GitSource
import Shiplog
import ShiplogTesting
import Testing

/// A temporary folder with real repositories in it, made by the real `git`; gone with the last reference.
final class Fixture: Sendable {
    let root: String

    init() throws {
        root = NSTemporaryDirectory() + "shiplog-git-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: root) }

    var data: String { root + "/data/repositories" }

    func repositories(
        limits: GitLimits = .default,
        credentials: @escaping @Sendable (RepositoryURL) -> GitCredentials = { _ in .none }
    ) -> Repositories {
        Repositories(directory: data, limits: limits, credentials: credentials)
    }

    /// A repository with a work tree, on the branch `main`, without a commit.
    func repository(_ name: String = "origin", options: [String] = []) throws -> Origin {
        let path = root + "/" + name
        try Command.git(["init", "--quiet", "--initial-branch=main"] + options + [path], in: root)
        return Origin(path: path)
    }

    /// The one mirror there is.
    func mirror() throws -> String {
        let names = try FileManager.default.contentsOfDirectory(atPath: data).filter { $0.utf8.count == 40 }
        return data + "/" + (try #require(names.first))
    }
}

/// A repository that tests push to by committing in it.
struct Origin {
    let path: String
    var url: RepositoryURL { get throws { try RepositoryURL(path) } }

    @discardableResult
    func git(_ arguments: String..., input: String? = nil) throws -> String {
        try Command.git(arguments, in: path, input: input)
    }

    func write(_ file: String, _ text: String) throws {
        let target = URL(fileURLWithPath: path + "/" + file)
        try FileManager.default.createDirectory(
            at: target.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(text.utf8).write(to: target)
    }

    /// Commits the given files, or nothing at all.
    @discardableResult
    func commit(_ message: String, _ files: [String: String] = [:]) throws -> CommitID {
        for (file, text) in files { try write(file, text) }
        try git("add", "--all")
        try git("commit", "--quiet", "--allow-empty", "-m", message)
        return try head()
    }

    func head(_ name: String = "HEAD") throws -> CommitID {
        try #require(CommitID(try git("rev-parse", name)))
    }

    /// Commits a tree that a work tree could not hold: `mode type object<TAB>path` lines, NUL between them.
    func commit(tree: Data) throws -> CommitID {
        let object = try Command.run(["git", "mktree", "-z", "--missing"], in: path, input: tree)
        let commit = try git("commit-tree", "-m", "made by hand", object)
        try git("update-ref", "refs/heads/main", commit)
        return try #require(CommitID(commit))
    }

    func blob(_ text: String) throws -> String {
        try git("hash-object", "-w", "--stdin", input: text)
    }
}

enum Command {
    @discardableResult
    static func git(_ arguments: [String], in directory: String, input: String? = nil) throws -> String {
        try run(["git"] + arguments, in: directory, input: input.map { Data($0.utf8) })
    }

    /// Runs a program to its end; its output without the line break at the end.
    @discardableResult
    static func run(_ command: [String], in directory: String, input: Data? = nil) throws -> String {
        try RunningProgram.output(command, in: directory, environment: environment, input: input)
    }

    static let environment = RunningProgram.gitEnvironment.merging(
        ["GIT_AUTHOR_DATE": "1700000000 +0100", "GIT_COMMITTER_DATE": "1700000060 +0000"], uniquingKeysWith: { $1 })
}

/// The failure a piece of work ends with.
func failure<Value>(_ location: SourceLocation = #_sourceLocation, _ work: () async throws -> Value) async -> Failure? {
    do {
        _ = try await work()
        Issue.record("it succeeded", sourceLocation: location)
    } catch let error as Failure {
        return error
    } catch {
        Issue.record(error, sourceLocation: location)
    }
    return nil
}

/// Waits until a condition holds, at most so long.
func eventually(within limit: Duration = .seconds(60), _ condition: () throws -> Bool) async throws -> Bool {
    let deadline = ContinuousClock.now + limit
    while try !condition() {
        guard ContinuousClock.now < deadline else { return false }
        try await Task.sleep(for: .milliseconds(5))
    }
    return true
}

/// The ids of processes whose command line contains a text; zombies have none.
func processes(mentioning text: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: "/proc").filter { name in
        guard Int(name) != nil, let line = FileManager.default.contents(atPath: "/proc/\(name)/cmdline") else {
            return false
        }
        return String(decoding: line, as: UTF8.self).contains(text)
    }
}
