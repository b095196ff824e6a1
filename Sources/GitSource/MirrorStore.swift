import FoundationEssentials
import Glibc
import Shiplog
import Synchronization

/// What all mirrors of one data directory share.
final class MirrorStore: Sendable {
    /// `<data>/repositories`.
    let directory: String
    let limits: GitLimits
    let program: GitProgram
    let lanes = Lanes(count: 4)
    let workers: Workers
    let credentials: @Sendable (RepositoryURL) -> GitCredentials
    let counters = Mutex(Repositories.Statistics())
    private let isReady = Mutex(false)

    init(
        directory: String, limits: GitLimits, program: String?,
        credentials: @escaping @Sendable (RepositoryURL) -> GitCredentials
    ) {
        self.directory = directory
        self.limits = limits
        self.program = GitProgram(path: program ?? GitProgram.find(), home: directory + "/home", limits: limits)
        self.credentials = credentials
        workers = Workers(limit: limits.concurrentFetches)
    }

    /// Makes the folders and the child's settings, and looks at Git's version; once.
    ///
    /// - Throws: `git.directory-unusable`, `git.program-missing`, `git.program-too-old`.
    func prepare() throws(Failure) {
        let result: Result<Void, Failure> = isReady.withLock { isReady in
            if isReady { return .success(()) }
            do throws(Failure) {
                try makeHome()
                try checkVersion()
                isReady = true
                return .success(())
            } catch {
                return .failure(error)
            }
        }
        try result.get()
    }

    private func makeHome() throws(Failure) {
        do {
            for folder in [directory, program.home] {
                try FileManager.default.createDirectory(
                    atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
            }
            try Data(GitProgram.settings.utf8).write(to: URL(filePath: program.home + "/gitconfig"), options: .atomic)
        } catch {
            throw Failure(
                "git.directory-unusable", "The folder for repositories, \(directory), cannot be written",
                remedy: "check the room and the permissions of the data directory", next: .retry(afterMilliseconds: nil)
            )
        }
    }

    /// 2.32 is the first that takes its settings from the file and the variables we give it.
    private func checkVersion() throws(Failure) {
        let outcome = program.plain(["--version"]).run(shouldStop: { false })
        let words = String(decoding: outcome.output, as: UTF8.self).split { $0 == " " || $0 == "\n" }
        guard outcome.ending == .exited(0), words.count >= 3, words[0] == "git", words[1] == "version" else {
            throw Failure(
                "git.program-missing", "The program \(program.path) is not there, or is not git",
                remedy: "install git 2.32 or newer, or name its path in the configuration")
        }
        let numbers = words[2].split(separator: ".").prefix(2).compactMap { Int($0) }
        guard numbers.count == 2, (numbers[0], numbers[1]) >= (2, 32) else {
            throw Failure(
                "git.program-too-old", "The program \(program.path) has version \(words[2]); 2.32 or newer is needed",
                remedy: "install a newer git, or name its path in the configuration")
        }
    }
}
