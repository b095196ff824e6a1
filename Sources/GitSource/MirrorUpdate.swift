import FoundationEssentials
import Glibc
import Shiplog
import Synchronization

/// One fetch, on a thread that may block: ask the server for its references, and bring what differs.
struct MirrorUpdate {
    let mirror: BareMirror
    let wanted: Set<String>
    let shouldStop: () -> Bool
    let progress: ([UInt8]) -> Void

    private var url: RepositoryURL { mirror.url }
    private var path: String { mirror.path }
    private var program: GitProgram { mirror.store.program }
    private var limits: GitLimits { mirror.store.limits }
    private var fresh: String { path + ".new" }

    /// - Parameters:
    ///   - suspicion: what a reader found; the mirror is made anew.
    ///   - known: the references when nothing changed since.
    func run(suspicion: Failure?, known: Refs?, epoch: Int) throws(Failure) -> FetchResult {
        try adopt()
        if let suspicion { return try rebuild(suspicion) }
        let before: RawRefs
        do throws(Failure) {
            before =
                mirror.exists
                ? try mirror.lane.readBlocking(path, epoch: epoch) { open throws(Failure) in try open.rawRefs() }
                : RawRefs()
        } catch {
            guard error.code == Libgit2.broken else { throw error }
            return try rebuild(error)
        }
        let listing = try list(known: before)
        guard mirror.exists else { return try clone(listing) }
        if listing != before {
            do throws(Failure) {
                try bring(listing, into: path)
            } catch {
                guard error.code == Libgit2.broken else { throw error }
                return try rebuild(error)
            }
        }
        bringSingleCommits(into: path)
        let isSame = listing == before
        let after = try mirror.lane.readBlocking(path, epoch: epoch + 1) { open throws(Failure) in
            if !isSame { try Self.settle(open, listing) }
            let raw = isSame ? before : try open.rawRefs()
            return (raw: raw, refs: isSame && known != nil ? nil : try open.refs(raw))
        }
        return FetchResult(refs: after.refs ?? known ?? Refs(), changed: after.raw != before)
    }

    // MARK: Asking

    /// The server's references. Nothing more is asked of it when they are the ones we have: that makes a poll cheap.
    private func list(known: RawRefs) throws(Failure) -> RawRefs {
        let child = try program.network(
            ["ls-remote", "--symref", "--quiet", url.argument], mirror: nil, url: url,
            credentials: mirror.store.credentials(url))
        let outcome = child.run(shouldStop: shouldStop)
        guard outcome.ending == .exited(0) else {
            throw GitFailure.network(outcome.ending, outcome.errors, url, limits)
        }
        let extra = Set(known.objects.keys.filter { !$0.hasPrefix("refs/heads/") && !$0.hasPrefix("refs/tags/") })
        let listing = try RawRefs(
            listing: outcome.output, extra: extra.union(wanted.filter { $0.hasPrefix("refs/") }),
            limit: limits.referenceCount,
            url: url)
        guard !listing.objects.isEmpty || listing.headObject != nil else {
            // Nothing is pruned then: an empty answer may be a server's mistake.
            throw Failure(
                "git.empty-repository", "The repository \(url) has no branches and no tags",
                remedy: "push a commit to it; if it has some, check the address")
        }
        return listing
    }

    // MARK: Bringing

    private func bring(_ listing: RawRefs, into directory: String) throws(Failure) {
        var specifications = ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"]
        if listing.head == nil, listing.headObject != nil { specifications.append("+HEAD:" + OpenMirror.detachedHead) }
        for name in listing.objects.keys where !name.hasPrefix("refs/heads/") && !name.hasPrefix("refs/tags/") {
            specifications.append("+" + name + ":" + OpenMirror.extra + name.dropFirst(5))
        }
        mirror.store.counters.withLock { $0.fetches += 1 }
        let outcome = try fetch(specifications, ["--prune"], into: directory)
        guard outcome.ending == .exited(0) else {
            if case .exited = outcome.ending, GitFailure.blamesMirror(outcome.errors), !isWhole(directory) {
                throw Failure(
                    Libgit2.broken, "The mirror of \(url) does not pass Git's check",
                    next: .retry(afterMilliseconds: nil))
            }
            throw GitFailure.network(outcome.ending, outcome.errors, url, limits)
        }
    }

    private func fetch(_ specifications: [String], _ options: [String], into directory: String) throws(Failure)
        -> ChildProcess.Outcome
    {
        let arguments =
            [
                "fetch", "--progress", "--force", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance",
                "--no-show-forced-updates",
                "--recurse-submodules=no"
            ] + options + [url.argument] + specifications
        let child = try program.network(
            arguments, mirror: directory, url: url, credentials: mirror.store.credentials(url))
        return child.run(shouldStop: shouldStop, progress: progress)
    }

    /// Commits asked for by name that no branch or tag leads to any more. Many servers still give them; one that does not
    /// is no failure here: who asked finds the commit missing.
    private func bringSingleCommits(into directory: String) {
        for name in wanted.compactMap({ CommitID($0) }) {
            let isHere = try? mirror.lane.readBlocking(directory, epoch: -1) { open throws(Failure) in
                try open.has(name)
            }
            if isHere != true { _ = try? fetch([name.hex], [], into: directory) }
        }
    }

    /// What `git fetch` leaves to us: HEAD, and references the server no longer has.
    private static func settle(_ open: OpenMirror, _ listing: RawRefs) throws(Failure) {
        try open.setHead(listing)
        for name in try open.rawRefs().objects.keys
        where !name.hasPrefix("refs/heads/") && !name.hasPrefix("refs/tags/") && listing.objects[name] == nil {
            try open.removeReference(OpenMirror.extra + name.dropFirst(5))
        }
    }

    // MARK: Making and making anew

    /// The first clone is made beside its place. Until all of it is there nothing looks like a mirror: who reads meanwhile
    /// waits for it, instead of finding no branch and HEAD at whatever `git init` wrote.
    private func clone(_ listing: RawRefs) throws(Failure) -> FetchResult {
        try create(fresh)
        try bring(listing, into: fresh)
        bringSingleCommits(into: fresh)
        let refs = try mirror.lane.readBlocking(fresh, epoch: 0) { open throws(Failure) in
            try Self.settle(open, listing)
            return try open.refs(open.rawRefs())
        }
        try mirror.lane.exclusively(fresh) { () throws(Failure) in }
        try MirrorFiles.move(fresh, path, url)
        return FetchResult(refs: refs, changed: true)
    }

    private func create(_ directory: String) throws(Failure) {
        MirrorFiles.remove(directory)
        let outcome = program.plain(["init", "--bare", "--quiet", "--template=", "--initial-branch=main", directory])
            .run(shouldStop: { false })
        guard outcome.ending == .exited(0) else {
            throw Failure(
                Libgit2.unusable, "The mirror of \(url) could not be made",
                remedy: "check the room and the permissions of the data directory", next: .retry(afterMilliseconds: nil)
            )
        }
        try? Data((url.display + "\n").utf8).write(to: URL(filePath: directory + "/description"))
    }

    private func isWhole(_ directory: String) -> Bool {
        var child = program.local(["fsck", "--connectivity-only", "--no-dangling", "--no-progress"], mirror: directory)
        child.silence = child.total
        return child.run(shouldStop: shouldStop).ending == .exited(0)
    }

    /// Takes over a mirror made anew by a process that ended between two renames.
    private func adopt() throws(Failure) {
        guard !mirror.exists, access(fresh + "/" + Self.wholeMark, F_OK) == 0 else { return }
        try MirrorFiles.move(fresh, path, url)
    }

    private static let wholeMark = "shiplog-whole"

    /// Makes a new mirror beside the broken one, saves into it what the ledger names, and swaps the two. The broken one is
    /// kept: as long as the server does not answer it stays in its place, since part of it may still be readable.
    private func rebuild(_ reason: Failure) throws(Failure) -> FetchResult {
        let name = path.split(separator: "/").last.map(String.init) ?? ""
        let aside = MirrorFiles.names(mirror.store.directory).filter { $0.hasPrefix(name + ".broken-") }
        guard aside.count < 3 else {
            throw Failure(
                Libgit2.broken,
                "The mirror of \(url) broke for the fourth time; the first three are kept in \(mirror.store.directory)",
                remedy: "look after the disk, then delete the folders \(name).broken-*")
        }
        try create(fresh)
        let listing = try list(known: RawRefs())
        try bring(listing, into: fresh)
        bringSingleCommits(into: fresh)
        let lost = try salvage()
        let refs = try mirror.lane.readBlocking(fresh, epoch: 0) { open throws(Failure) in
            try Self.settle(open, listing)
            return try open.refs(open.rawRefs())
        }
        try MirrorFiles.mark(fresh + "/" + Self.wholeMark, url)
        let milliseconds = Int64(Date().timeIntervalSince1970 * 1000)
        let movedTo = path + ".broken-\(milliseconds)"
        try mirror.lane.exclusively(fresh) { () throws(Failure) in }
        try mirror.lane.exclusively(path) { () throws(Failure) in
            try MirrorFiles.move(path, movedTo, url)
            try MirrorFiles.move(fresh, path, url)
        }
        return FetchResult(
            refs: refs, changed: true,
            rebuilt: .init(movedTo: movedTo, reason: reason, lost: lost.sorted { $0.hex < $1.hex }))
    }

    /// Keeps in the new mirror what the old one kept: from the server where a branch still leads there, else from the old
    /// mirror, else from the server by name. What is left is lost, and said so.
    private func salvage() throws(Failure) -> [CommitID] {
        let kept = MirrorFiles.keptCommits(path)
        var lost: [CommitID] = []
        for id in kept {
            if try keepIfPresent(id) { continue }
            let old = program.local(
                [
                    "fetch", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--quiet", path,
                    OpenMirror.keep + id.hex
                ],
                mirror: fresh
            ).run(shouldStop: shouldStop)
            if old.ending == .exited(0), try keepIfPresent(id) { continue }
            _ = try? fetch([id.hex], [], into: fresh)
            if try !keepIfPresent(id) { lost.append(id) }
        }
        return lost
    }

    private func keepIfPresent(_ id: CommitID) throws(Failure) -> Bool {
        try mirror.lane.readBlocking(fresh, epoch: -1) { open throws(Failure) in
            guard try open.has(id) else { return false }
            try open.setReference(OpenMirror.keep + id.hex, id.hex)
            return true
        }
    }
}
