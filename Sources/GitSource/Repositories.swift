public import Shiplog
import Synchronization

/// The mirrors of all repositories, in one folder of the data directory.
///
/// A child `git` talks to the servers, one fetch a repository at a time; libgit2 reads commits, folders and files straight
/// from the object store. Nothing is ever checked out.
public final class Repositories: Sendable {
    let store: MirrorStore
    private let mirrors = Mutex<[String: BareMirror]>([:])

    /// How much work repositories made since the start.
    public struct Statistics: Sendable, Hashable {
        /// Times a server was asked for its references, failures included.
        public var checks = 0
        /// Of those, how often something was fetched.
        public var fetches = 0
        public var failures = 0
        /// Mirrors made anew.
        public var rebuilds = 0
        /// Checks under way now.
        public var running = 0
        /// The time of all checks together.
        public var time = Duration.zero
    }

    /// Nothing is touched before the first call.
    ///
    /// - Parameters:
    ///   - directory: an absolute path, made with mode 0700 when it is not there. No other process may use it.
    ///   - git: the program; nil for the first `git` in PATH.
    ///   - credentials: asked before each child that talks to a server, on a thread of ours; must not block.
    public init(
        directory: String, limits: GitLimits = .default, git: String? = nil,
        credentials: @escaping @Sendable (RepositoryURL) -> GitCredentials = { _ in .none }
    ) {
        store = MirrorStore(directory: directory, limits: limits, program: git, credentials: credentials)
    }

    public var statistics: Statistics { store.counters.withLock { $0 } }

    /// The last line of Git's own progress while a fetch runs, such as `Receiving objects:  45% (450/1000)`.
    public func progress(_ url: RepositoryURL) -> String? {
        mirrors.withLock { $0[url.identity] }?.progress
    }

    private func mirror(_ url: RepositoryURL) throws(Failure) -> BareMirror {
        let result: Result<BareMirror, Failure> = mirrors.withLock { mirrors in
            if let mirror = mirrors[url.identity] { return .success(mirror) }
            do throws(Failure) {
                let mirror = try BareMirror(url, store)
                mirrors[url.identity] = mirror
                return .success(mirror)
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    // MARK: Fetching

    /// Asks the server for its references and brings what differs. Callers that come while a fetch of the same repository
    /// runs share the next one. A cancelled caller returns at once; when all who wait are cancelled the fetch is ended.
    ///
    /// - Throws: `git.unreachable`, `git.timeout`, `git.authentication`, `git.not-found`, `git.not-a-repository`,
    ///   `git.empty-repository`, `git.cancelled`, `git.failed` and others of `docs/errors.md`.
    @discardableResult
    public func fetch(_ url: RepositoryURL) async throws(Failure) -> FetchResult {
        try await mirror(url).fetch()
    }

    /// The references as of the last fetch, also one of an earlier process; the first time, fetched.
    public func refs(_ url: RepositoryURL) async throws(Failure) -> Refs {
        try await mirror(url).refs()
    }

    /// The commit that a target revision names, as of the last fetch: empty or `HEAD`, a branch, a tag (peeled), a full
    /// reference name, a full commit name, seven digits or more of one, or a version constraint over the tags. A full name
    /// that is not here, and a reference that is neither branch nor tag, cost one fetch.
    ///
    /// - Throws: `git.revision-unknown`, `git.revision-ambiguous`, `git.revision-invalid`, and what `fetch` throws.
    public func resolve(_ url: RepositoryURL, _ targetRevision: String) async throws(Failure) -> CommitID {
        let mirror = try mirror(url)
        let refs = try await mirror.refs()
        switch try Resolution.find(targetRevision, in: refs, url) {
        case .commit(let id): return id
        case .object(let id):
            if let found = try await peeled(id.hex, mirror) { return found }
            _ = try await mirror.fetch(wanting: id.hex)
            if let found = try await peeled(id.hex, mirror) { return found }
            throw Resolution.unknown(targetRevision, refs, url)
        case .reference(let name):
            if let found = try await mirror.fetch(wanting: name).refs.others[name] { return found }
            throw Resolution.unknown(targetRevision, refs, url)
        case .short(let prefix):
            if let found = try await expanded(prefix, mirror) { return found }
            _ = try await mirror.fetch()
            if let found = try await expanded(prefix, mirror) { return found }
            throw Resolution.unknown(targetRevision, refs, url)
        }
    }

    private func expanded(_ prefix: String, _ mirror: BareMirror) async throws(Failure) -> CommitID? {
        let found = try await mirror.read { open throws(Failure) in try open.commits(startingWith: prefix) }
        guard found.count < 2 else { throw Resolution.ambiguous(prefix, mirror.url) }
        return found.first
    }

    /// The commit of that name, or the one an annotated tag of that name ends at; nil when it is not here.
    private func peeled(_ hex: String, _ mirror: BareMirror) async throws(Failure) -> CommitID? {
        try await mirror.read { open throws(Failure) in try open.hasObject(hex) ? open.peel(hex) : nil }
    }

    // MARK: Reading

    /// - Throws: `git.commit-missing` when the mirror does not have it.
    public func commit(_ url: RepositoryURL, _ id: CommitID) async throws(Failure) -> Commit {
        try await mirror(url).read { open throws(Failure) in try open.commit(id, url) }
    }

    /// Git's name for the folder or file at a path, which is the same as long as its content is; nil when there is none.
    ///
    /// - Throws: `git.commit-missing`, `git.path-invalid`, `git.symlink` and `git.submodule` when one is on the way.
    public func objectID(_ url: RepositoryURL, _ id: CommitID, path: String) async throws(Failure) -> String? {
        let path = try SourcePath(path)
        return try await mirror(url).read { open throws(Failure) in try open.objectID(id, path, url) }
    }

    /// The files in a folder, sorted by the bytes of their paths.
    ///
    /// - Parameters:
    ///   - path: from the root of the repository; empty or `.` for the root itself.
    ///   - recurse: also the files in folders below.
    ///   - isWanted: given each file's path from the root of the repository, as in the result.
    /// - Throws: `git.path-missing`, `git.path-is-file`, `git.path-invalid`; for a wanted file `git.symlink`,
    ///   `git.lfs-pointer`, `git.path-not-utf8`, `git.file-too-large`; for all `git.too-many-files`, `git.commit-missing`.
    ///   Submodules are passed over.
    public func files(
        _ url: RepositoryURL, _ id: CommitID, path: String, recurse: Bool,
        where isWanted: @escaping @Sendable (String) -> Bool
    ) async throws(Failure) -> [SourceFile] {
        let path = try SourcePath(path)
        let limits = store.limits
        return try await mirror(url).read { open throws(Failure) in
            try open.files(id, path, recurse: recurse, limits, url, where: isWanted)
        }
    }

    /// Keeps a commit in the mirror whatever happens to the branches: what the ledger names stays readable. Durable when
    /// it returns; keeping it again changes nothing.
    public func keep(_ url: RepositoryURL, _ id: CommitID) async throws(Failure) {
        try await mirror(url).read { open throws(Failure) in
            _ = try open.open(id, url)
            try open.setReference(OpenMirror.keep + id.hex, id.hex)
        }
    }

    /// The commits that `to` has and `from` has not, newest first, at most `limit`. Where `from` is nil or not in the
    /// mirror, simply the newest.
    public func log(
        _ url: RepositoryURL, from: CommitID?, to: CommitID, limit: Int
    ) async throws(Failure) -> [Commit] {
        let limit = min(max(limit, 0), 1000)
        return try await mirror(url).read { open throws(Failure) in try open.log(from: from, to: to, limit: limit, url)
        }
    }
}
