import FoundationEssentials
import Glibc
public import Shiplog
import Synchronization

/// A file that is put on a branch, as a commit of its own.
public struct BranchAddition: Sendable, Hashable {
    /// Without `refs/heads/`.
    public let branch: String
    /// From the root of the repository.
    public let path: String
    public let content: [UInt8]
    /// The commit's subject.
    public let message: String
    /// The commit's time.
    public let time: Timestamp

    /// - Throws: `git.branch-invalid`, `git.path-invalid`.
    public init(branch: String, path: String, content: [UInt8], message: String, time: Timestamp) throws(Failure) {
        guard Self.isBranch(branch) else {
            throw Failure(
                "git.branch-invalid", "The branch to write to has a name that no branch may have",
                remedy: "write a name such as main or ledger/checkpoints")
        }
        let path = try SourcePath(path)
        guard !path.parts.isEmpty, !path.parts.contains(where: { $0.lowercased() == ".git" }) else {
            throw Failure("git.path-invalid", "The path to write to is none that a repository may hold")
        }
        self.branch = branch
        self.path = path.text
        self.content = content
        self.message = message
        self.time = time
    }

    /// What `git check-ref-format` takes, and a little less.
    private static func isBranch(_ name: String) -> Bool {
        let parts = name.split(separator: "/", omittingEmptySubsequences: false)
        return name.utf8.count <= 200 && !name.hasPrefix("-") && !name.contains("..") && !name.contains("@{")
            && name.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && !"~^:?*[\\".utf8.contains($0) }
            && parts.allSatisfy { !$0.isEmpty && !$0.hasPrefix(".") && !$0.hasSuffix(".") && !$0.hasSuffix(".lock") }
    }
}

extension Repositories {
    /// Adds a file to a branch by a commit and a push that is never forced; the branch is made when there is none. When
    /// somebody else pushes meanwhile it is done again on top of that, a few times. Cancelling ends the child.
    ///
    /// - Parameter owner: who calls: one addition of an owner at a time.
    /// - Returns: the commit that has the file.
    /// - Throws: `git.push-refused`, `git.push-overtaken`, and what talking to the server gives.
    @discardableResult
    public func append(
        _ addition: BranchAddition, to url: RepositoryURL, owner: String
    ) async throws(Failure) -> CommitID {
        try store.prepare()
        let folder = store.directory + "/appending-" + (try Libgit2.digest(url.identity + "\n" + owner))
        let appending = Appending(store: store, url: url, folder: folder, addition: addition)
        let result: Result<CommitID, Failure> = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                store.workers.submit {
                    do throws(Failure) {
                        continuation.resume(returning: .success(try appending.run()))
                    } catch {
                        continuation.resume(returning: .failure(error))
                    }
                }
            }
        } onCancel: {
            appending.isStopped.store(true, ordering: .releasing)
        }
        return try result.get()
    }
}

/// One addition, on a thread that may block. It works in a bare repository of its own, which is but a cache: what it holds
/// can be had from the server again, and is, when it has grown.
private final class Appending: Sendable {
    let store: MirrorStore
    let url: RepositoryURL
    let folder: String
    let addition: BranchAddition
    let isStopped = Atomic<Bool>(false)

    /// Pushes before one gives up to those that others make.
    private static let attempts = 5
    /// Entries of `objects/`, which has one for each two digits that loose objects begin with; and packs.
    private static let mostPacks = 200
    private static let mostLoose = 2000

    init(store: MirrorStore, url: RepositoryURL, folder: String, addition: BranchAddition) {
        self.store = store
        self.url = url
        self.folder = folder
        self.addition = addition
    }

    func run() throws(Failure) -> CommitID {
        do throws(Failure) {
            return try append()
        } catch {
            // A cache that a crash left broken is no reason to fail twice.
            guard error.code == "git.append-failed" else { throw error }
            MirrorFiles.remove(folder)
            return try append()
        }
    }

    private func append() throws(Failure) -> CommitID {
        try makeRepository()
        for attempt in 0..<Self.attempts {
            if attempt > 0 { usleep(UInt32.random(in: 50_000...200_000) * UInt32(attempt)) }
            let tip = try fetchTip()
            let (commit, isNew) = try commit(on: tip)
            guard isNew else { return commit }
            if try push(commit) { return commit }
        }
        throw Failure(
            "git.push-overtaken", "Others kept pushing to \(addition.branch) of \(url) meanwhile",
            remedy: "give Shiplog a branch of its own", next: .retry(afterMilliseconds: nil))
    }

    private func makeRepository() throws(Failure) {
        MirrorFiles.sweep(folder)
        if MirrorFiles.packCount(folder) > Self.mostPacks || looseCount > Self.mostLoose { MirrorFiles.remove(folder) }
        guard access(folder + "/HEAD", F_OK) != 0 else { return }
        try local(["init", "--quiet", "--bare", "--template=", folder], inside: false)
    }

    /// One of 256 folders tells how many there are in all.
    private var looseCount: Int { MirrorFiles.names(folder + "/objects/17").count * 256 }

    /// The commit that the branch is at; nil when there is none.
    private func fetchTip() throws(Failure) -> CommitID? {
        let reference = "refs/heads/" + addition.branch
        let listing = try network(["ls-remote", "--quiet", url.argument, reference])
        guard listing.ending == .exited(0) else {
            throw GitFailure.network(listing.ending, listing.errors, url, store.limits)
        }
        // The pattern also matches the end of longer names.
        let line = String(decoding: listing.output, as: UTF8.self).split(separator: "\n").first {
            $0.hasSuffix("\t" + reference)
        }
        guard let line else { return nil }
        guard let tip = CommitID(String(line.prefix { $0 != "\t" })) else { throw GitFailure.sha256(url) }
        let isHere = program.local(["cat-file", "-e", tip.hex + "^{tree}"], mirror: folder)
            .run(shouldStop: shouldStop)
        guard isHere.ending != .exited(0) else { return tip }
        let fetched = try network([
            "fetch", "--quiet", "--force", "--no-tags", "--depth=1", "--no-write-fetch-head", "--no-auto-maintenance",
            "--recurse-submodules=no", url.argument, "+" + reference + ":refs/shiplog/tip"
        ])
        guard fetched.ending == .exited(0) else {
            throw GitFailure.network(fetched.ending, fetched.errors, url, store.limits)
        }
        return CommitID(try local(["rev-parse", "--verify", "--quiet", "refs/shiplog/tip^{commit}"]))
    }

    /// The commit with the file; not a new one when the tip has it already, as after a crash behind the push.
    private func commit(on tip: CommitID?) throws(Failure) -> (CommitID, isNew: Bool) {
        let file = folder + "/addition"
        do {
            try Data(addition.content).write(to: URL(filePath: file))
        } catch {
            throw broken("writing a file")
        }
        let blob = try local(["hash-object", "-w", "--no-filters", file])
        try local(["read-tree"] + (tip.map { [$0.hex] } ?? ["--empty"]))
        try local(["update-index", "--add", "--cacheinfo", "100644,\(blob),\(addition.path)"], otherwise: occupied)
        let tree = try local(["write-tree"])
        if let tip, try local(["rev-parse", "--verify", tip.hex + "^{tree}"]) == tree { return (tip, false) }
        let parents = tip.map { ["-p", $0.hex] } ?? []
        let made = try local(["commit-tree", tree, "-m", addition.message] + parents)
        guard let commit = CommitID(made) else { throw broken("making a commit") }
        return (commit, true)
    }

    /// - Returns: false when somebody was faster.
    private func push(_ commit: CommitID) throws(Failure) -> Bool {
        let outcome = try network([
            "push", "--quiet", "--porcelain", "--no-verify", "--recurse-submodules=no", url.argument,
            commit.hex + ":refs/heads/" + addition.branch
        ])
        if outcome.ending == .exited(0) { return true }
        let said = String(decoding: outcome.output, as: UTF8.self)
        guard let line = said.split(separator: "\n").first(where: { $0.hasPrefix("!") }) else {
            throw GitFailure.network(outcome.ending, outcome.errors, url, store.limits)
        }
        let wasOvertaken = [
            "(fetch first)", "(non-fast-forward)", "(stale info)", "failed to update ref", "cannot lock ref",
            "incorrect old value", "reference already exists"
        ].contains { line.contains($0) }
        if wasOvertaken { return false }
        // What the server says stays out: a stranger may have written it.
        throw Failure(
            "git.push-refused", "The server of \(url) refuses the push to \(addition.branch)",
            remedy: "check that the login may push there and that the branch is not protected against it")
    }

    // MARK: Children

    private var program: GitProgram { store.program }
    private var shouldStop: () -> Bool { { self.isStopped.load(ordering: .acquiring) } }

    private func network(_ arguments: [String]) throws(Failure) -> ChildProcess.Outcome {
        try program.network(arguments, mirror: folder, url: url, credentials: store.credentials(url))
            .run(shouldStop: shouldStop)
    }

    /// - Returns: what it printed, without the line's end.
    @discardableResult
    private func local(
        _ arguments: [String], inside: Bool = true, otherwise: Failure? = nil
    ) throws(Failure) -> String {
        var child = inside ? program.local(arguments, mirror: folder) : program.plain(arguments)
        child.environment["GIT_INDEX_FILE"] = folder + "/index"
        let seconds = "\(addition.time.milliseconds / 1000) +0000"
        for role in ["AUTHOR", "COMMITTER"] {
            child.environment["GIT_\(role)_NAME"] = "Shiplog"
            child.environment["GIT_\(role)_EMAIL"] = "shiplog@localhost"
            child.environment["GIT_\(role)_DATE"] = seconds
        }
        let outcome = child.run(shouldStop: shouldStop)
        switch outcome.ending {
        case .exited(0): return String(decoding: outcome.output, as: UTF8.self).filter { !$0.isNewline }
        case .exited: throw otherwise ?? broken(arguments.first ?? "git")
        default: throw GitFailure.network(outcome.ending, outcome.errors, url, store.limits)
        }
    }

    private var occupied: Failure {
        Failure(
            "git.path-occupied", "\(url) has a file where \(addition.path) needs a folder, or the reverse",
            remedy: "name another path")
    }

    private func broken(_ act: String) -> Failure {
        Failure(
            "git.append-failed", "The commit for \(url) could not be made: \(act) failed",
            remedy: "check the room and the permissions of the data directory", next: .retry(afterMilliseconds: nil))
    }
}
