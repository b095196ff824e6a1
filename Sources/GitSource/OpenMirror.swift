import CLibgit2
import Shiplog

/// One mirror, open for reading. libgit2's handles may move between threads but not be used by two at once: a lane's
/// queue sees to that.
final class OpenMirror {
    let repository: GitHandle
    let objects: GitHandle
    /// The fetch after which the packs were last looked for.
    var epoch = 0

    /// - Throws: `git.mirror-broken`, `git.mirror-unusable`.
    init(_ path: String) throws(Failure) {
        try Libgit2.start()
        let repository = try GitHandle("Opening the mirror", freeing: git_repository_free) {
            git_repository_open_bare(&$0, path)
        }
        objects = try GitHandle("Opening the object store", freeing: git_odb_free) {
            git_repository_odb(&$0, repository.pointer)
        }
        self.repository = repository
    }

    /// Looks for packs that came since.
    func refresh(epoch: Int) throws(Failure) {
        guard epoch != self.epoch else { return }
        try Libgit2.check(git_odb_refresh(objects.pointer), "Looking for new packs")
        self.epoch = epoch
    }

    // MARK: References

    /// HEAD, and the references that a listing of the remote is compared with.
    func rawRefs() throws(Failure) -> RawRefs {
        var raw = RawRefs()
        var head: OpaquePointer?
        if git_reference_lookup(&head, repository.pointer, "HEAD") == 0, let head {
            defer { git_reference_free(head) }
            if let target = git_reference_symbolic_target(head) {
                raw.head = String(cString: target)
            } else if let object = git_reference_target(head) {
                raw.headObject = Libgit2.hex(object.pointee)
            }
        }
        for glob in ["refs/heads/*", "refs/tags/*"] {
            try eachReference(glob) { name, object in raw.objects[name] = object }
        }
        let prefix = Self.extra
        try eachReference(prefix + "*") { name, object in
            raw.objects["refs/" + name.dropFirst(prefix.utf8.count)] = object
        }
        if let name = raw.head {
            raw.headObject = raw.objects[name]
            if raw.headObject == nil { raw.head = nil }
            if name == Self.detachedHead {
                var oid = git_oid()
                if git_reference_name_to_id(&oid, repository.pointer, name) == 0 { raw.headObject = Libgit2.hex(oid) }
            }
        }
        return raw
    }

    /// Where references that are neither branches nor tags are mirrored: `refs/pull/7/head` as
    /// `refs/shiplog/extra/pull/7/head`.
    static let extra = "refs/shiplog/extra/"
    /// What HEAD names here when the remote's HEAD names a commit rather than a branch.
    static let detachedHead = "refs/shiplog/head"
    /// The commits the ledger names, so that neither a force-push nor Git's garbage collection takes them.
    static let keep = "refs/shiplog/keep/"

    func eachReference(_ glob: String, _ body: (String, String) -> Void) throws(Failure) {
        let iterator = try GitHandle("Listing the references", freeing: git_reference_iterator_free) {
            git_reference_iterator_glob_new(&$0, repository.pointer, glob)
        }
        while true {
            var reference: OpaquePointer?
            let result = git_reference_next(&reference, iterator.pointer)
            if result == GIT_ITEROVER.rawValue { return }
            try Libgit2.check(result, "Listing the references")
            guard let reference else { return }
            defer { git_reference_free(reference) }
            guard let name = git_reference_name(reference), let object = git_reference_target(reference) else {
                continue
            }
            body(String(cString: name), Libgit2.hex(object.pointee))
        }
    }

    /// The references by kind, with tags peeled to their commits.
    func refs(_ raw: RawRefs) throws(Failure) -> Refs {
        var refs = Refs(head: raw.head, headCommit: raw.headObject.flatMap { try? peel($0) })
        for (name, object) in raw.objects {
            guard let commit = try peel(object) else { continue }
            if name.hasPrefix("refs/heads/") {
                refs.branches[String(name.dropFirst(11))] = commit
            } else if name.hasPrefix("refs/tags/") {
                refs.tags[String(name.dropFirst(10))] = commit
            } else {
                refs.others[name] = commit
            }
        }
        return refs
    }

    /// The commit that an object is, or that a tag of tags ends at; nil for a tree or a file.
    func peel(_ object: String) throws(Failure) -> CommitID? {
        var oid = try Libgit2.oid(object)
        let object = try GitHandle("Reading a reference's object", freeing: git_object_free) {
            git_object_lookup(&$0, repository.pointer, &oid, GIT_OBJECT_ANY)
        }
        var peeled: OpaquePointer?
        let result = git_object_peel(&peeled, object.pointer, GIT_OBJECT_COMMIT)
        if result == GIT_EPEEL.rawValue || result == GIT_EINVALIDSPEC.rawValue { return nil }
        try Libgit2.check(result, "Reading a tag")
        guard let peeled else { return nil }
        defer { git_object_free(peeled) }
        return git_object_id(peeled).flatMap { CommitID(Libgit2.hex($0.pointee)) }
    }

    /// Makes HEAD name what the remote's names.
    func setHead(_ raw: RawRefs) throws(Failure) {
        var made: OpaquePointer?
        defer { git_reference_free(made) }
        if raw.head == nil, let object = raw.headObject {
            var oid = try Libgit2.oid(object)
            if git_odb_exists(objects.pointer, &oid) == 1 {
                // Not written into HEAD itself, which would change the branch that HEAD names.
                try setReference(Self.detachedHead, object)
            }
        }
        let target = raw.head ?? (raw.headObject == nil ? "refs/shiplog/unborn" : Self.detachedHead)
        try Libgit2.check(
            git_reference_symbolic_create(&made, repository.pointer, "HEAD", target, 1, nil), "Setting HEAD")
    }

    func setReference(_ name: String, _ object: String) throws(Failure) {
        var oid = try Libgit2.oid(object)
        var made: OpaquePointer?
        defer { git_reference_free(made) }
        try Libgit2.check(git_reference_create(&made, repository.pointer, name, &oid, 1, nil), "Setting a reference")
    }

    func removeReference(_ name: String) throws(Failure) {
        let result = git_reference_remove(repository.pointer, name)
        if result == GIT_ENOTFOUND.rawValue { return }
        try Libgit2.check(result, "Removing a reference")
    }

    // MARK: Commits

    /// The commits whose names start so; of several, all. Other objects that start so do not count, as in Git.
    ///
    /// - Parameter prefix: 4…40 hexadecimal digits.
    func commits(startingWith prefix: String) throws(Failure) -> Set<CommitID> {
        var short = try Libgit2.oid(prefix)
        var full = git_oid()
        let result = git_odb_exists_prefix(&full, objects.pointer, &short, prefix.utf8.count)
        if result == GIT_ENOTFOUND.rawValue { return [] }
        var found: Set<String> = []
        if result == GIT_EAMBIGUOUS.rawValue {
            found = try names(startingWith: prefix)
        } else {
            try Libgit2.check(result, "Looking for a short name")
            found = [Libgit2.hex(full)]
        }
        var commits: Set<CommitID> = []
        for name in found {
            if let id = CommitID(name), try has(id) { commits.insert(id) }
        }
        return commits
    }

    /// Looks at each object there is: only done where libgit2 found the prefix ambiguous.
    private func names(startingWith prefix: String) throws(Failure) -> Set<String> {
        struct Search {
            let prefix: String
            var found: Set<String> = []
        }
        var search = Search(prefix: prefix)
        let result = withUnsafeMutablePointer(to: &search) { pointer in
            git_odb_foreach(
                objects.pointer,
                { oid, context in
                    guard let oid, let search = context?.assumingMemoryBound(to: Search.self) else { return 0 }
                    let name = Libgit2.hex(oid.pointee)
                    if name.hasPrefix(search.pointee.prefix) { search.pointee.found.insert(name) }
                    return search.pointee.found.count < 1000 ? 0 : 1
                }, pointer)
        }
        if result < 0 { try Libgit2.check(result, "Listing the objects") }
        return search.found
    }

    func hasObject(_ hex: String) throws(Failure) -> Bool {
        var oid = try Libgit2.oid(hex)
        return git_odb_exists(objects.pointer, &oid) == 1
    }

    /// Whether the mirror has this commit.
    func has(_ id: CommitID) throws(Failure) -> Bool {
        var oid = try Libgit2.oid(id.hex)
        var (size, type) = (0, GIT_OBJECT_INVALID)
        guard git_odb_read_header(&size, &type, objects.pointer, &oid) == 0 else { return false }
        return type == GIT_OBJECT_COMMIT
    }

    func commit(_ id: CommitID, _ url: RepositoryURL) throws(Failure) -> Commit {
        let commit = try open(id, url)
        guard let tree = git_commit_tree_id(commit.pointer) else {
            throw Failure(Libgit2.broken, "A commit has no tree")
        }
        let author = git_commit_author(commit.pointer)
        func text(_ pointer: UnsafePointer<CChar>?) -> String { pointer.map { String(cString: $0) } ?? "" }
        let name = text(author?.pointee.name)
        let mail = text(author?.pointee.email)
        let subject = text(git_commit_message(commit.pointer)).drop { $0.isNewline }.prefix { !$0.isNewline }
        var signature = git_buf()
        defer { git_buf_dispose(&signature) }
        let isSigned = git_commit_header_field(&signature, commit.pointer, "gpgsig") == 0
        return Commit(
            id: id, tree: Libgit2.hex(tree.pointee), author: Libgit2.printable("\(name) <\(mail)>", limit: 200),
            authoredAt: Self.time(author?.pointee.when.time ?? 0),
            committedAt: Self.time(git_commit_time(commit.pointer)),
            subject: Libgit2.printable(String(subject), limit: 200), isSigned: isSigned)
    }

    /// A commit may carry any number; Shiplog's times lie in the years 1 to 9999.
    private static func time(_ seconds: git_time_t) -> Timestamp {
        Timestamp(milliseconds: min(max(Int64(seconds), -62_135_596_800), 253_402_300_799) * 1000)
    }

    func open(_ id: CommitID, _ url: RepositoryURL) throws(Failure) -> GitHandle {
        var oid = try Libgit2.oid(id.hex)
        var pointer: OpaquePointer?
        let result = git_commit_lookup(&pointer, repository.pointer, &oid)
        if result == GIT_ENOTFOUND.rawValue {
            throw Failure(
                "git.commit-missing", "The commit \(id.short) is not in the mirror of \(url)",
                remedy: "fetch it by its full name while the server still has it", next: .retry(afterMilliseconds: nil))
        }
        return try GitHandle("Reading a commit", freeing: git_commit_free) { handle in
            handle = pointer
            return result
        }
    }

    /// The commits that `to` has and `from` has not, newest first, at most `limit`.
    func log(from: CommitID?, to: CommitID, limit: Int, _ url: RepositoryURL) throws(Failure) -> [Commit] {
        let walk = try GitHandle("Walking the history", freeing: git_revwalk_free) {
            git_revwalk_new(&$0, repository.pointer)
        }
        _ = git_revwalk_sorting(walk.pointer, GIT_SORT_TIME.rawValue)
        var start = try Libgit2.oid(to.hex)
        _ = try open(to, url)
        try Libgit2.check(git_revwalk_push(walk.pointer, &start), "Walking the history")
        if let from, try has(from) {
            var end = try Libgit2.oid(from.hex)
            try Libgit2.check(git_revwalk_hide(walk.pointer, &end), "Walking the history")
        }
        var commits: [Commit] = []
        while commits.count < limit {
            var oid = git_oid()
            let result = git_revwalk_next(&oid, walk.pointer)
            if result == GIT_ITEROVER.rawValue { break }
            try Libgit2.check(result, "Walking the history")
            guard let id = CommitID(Libgit2.hex(oid)) else { break }
            commits.append(try commit(id, url))
        }
        return commits
    }
}
