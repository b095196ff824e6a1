import CLibgit2
import Shiplog

/// Reading of folders and files, straight from the object store.
extension OpenMirror {
    /// What a path leads to.
    enum Place {
        case tree(git_oid), file(git_oid), symlink(at: String), submodule(at: String), missing
    }

    private enum Kind {
        case tree, file, symlink, submodule

        init?(_ mode: git_filemode_t) {
            switch mode {
            case GIT_FILEMODE_TREE: self = .tree
            case GIT_FILEMODE_BLOB, GIT_FILEMODE_BLOB_EXECUTABLE: self = .file
            case GIT_FILEMODE_LINK: self = .symlink
            case GIT_FILEMODE_COMMIT: self = .submodule
            default: return nil
            }
        }
    }

    /// Follows a path part by part, so that a symlink or a submodule on the way is seen and named.
    func place(_ id: CommitID, _ path: SourcePath, _ url: RepositoryURL) throws(Failure) -> Place {
        let commit = try open(id, url)
        guard let root = git_commit_tree_id(commit.pointer) else {
            throw Failure(Libgit2.broken, "A commit has no tree")
        }
        var current = Place.tree(root.pointee)
        for (index, part) in path.parts.enumerated() {
            guard case .tree(let oid) = current else { return .missing }
            let tree = try tree(oid)
            guard let entry = git_tree_entry_byname(tree.pointer, part), let object = git_tree_entry_id(entry) else {
                return .missing
            }
            let here = path.parts[...index].joined(separator: "/")
            switch Kind(git_tree_entry_filemode(entry)) {
            case .tree: current = .tree(object.pointee)
            case .file: current = .file(object.pointee)
            case .symlink: return .symlink(at: here)
            case .submodule: return .submodule(at: here)
            case nil: return .missing
            }
        }
        return current
    }

    /// The name of the tree or file at a path; nil when there is none.
    func objectID(_ id: CommitID, _ path: SourcePath, _ url: RepositoryURL) throws(Failure) -> String? {
        switch try place(id, path, url) {
        case .tree(let oid), .file(let oid): Libgit2.hex(oid)
        case .missing: nil
        case .symlink(let at): throw Self.symlink(at, id)
        case .submodule(let at): throw Self.submodule(at, id)
        }
    }

    /// The files below a path that the filter takes, sorted by the bytes of their paths.
    func files(
        _ id: CommitID, _ path: SourcePath, recurse: Bool, _ limits: GitLimits, _ url: RepositoryURL,
        where isWanted: (String) -> Bool
    ) throws(Failure) -> [SourceFile] {
        switch try place(id, path, url) {
        case .tree(let oid):
            var reading = Reading(commit: id, root: path.text, recurse: recurse, limits: limits)
            try read(oid, path.parts.isEmpty ? "" : path.text + "/", 0, &reading, isWanted)
            return reading.files.sorted { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }
        case .file:
            throw Failure(
                "git.path-is-file", "The path '\(path.text)' is a file, not a folder, in commit \(id.short)",
                remedy: "write the path of the folder it is in")
        case .missing:
            throw Failure(
                "git.path-missing", "There is no folder '\(path.text)' in commit \(id.short) of \(url)",
                remedy: "check the path and the target revision")
        case .symlink(let at): throw Self.symlink(at, id)
        case .submodule(let at): throw Self.submodule(at, id)
        }
    }

    private struct Reading {
        let commit: CommitID
        let root: String
        let recurse: Bool
        let limits: GitLimits
        var files: [SourceFile] = []
        var total = 0
        var seen = 0
    }

    private func read(
        _ oid: git_oid, _ prefix: String, _ depth: Int, _ reading: inout Reading, _ isWanted: (String) -> Bool
    ) throws(Failure) {
        guard depth <= reading.limits.depth else {
            throw Failure(
                "git.too-many-files",
                "The folder '\(reading.root)' has more than \(reading.limits.depth) folders within folders")
        }
        let tree = try tree(oid)
        let count = git_tree_entrycount(tree.pointer)
        reading.seen += count
        guard reading.seen <= reading.limits.entryCount else {
            throw Failure(
                "git.too-many-files", "The folder '\(reading.root)' has more than \(reading.limits.entryCount) entries",
                remedy: "point the application at a smaller folder")
        }
        for index in 0..<count {
            guard let entry = git_tree_entry_byindex(tree.pointer, index), let object = git_tree_entry_id(entry),
                let name = git_tree_entry_name(entry), let kind = Kind(git_tree_entry_filemode(entry))
            else { continue }
            let path = prefix + String(cString: name)
            switch kind {
            case .submodule: continue
            case .tree:
                if reading.recurse { try read(object.pointee, path + "/", depth + 1, &reading, isWanted) }
            case .symlink:
                if isWanted(path) { throw Self.symlink(path, reading.commit) }
            case .file:
                guard isWanted(path) else { continue }
                // Bytes that are no UTF-8 were replaced above: what was asked for cannot be named, so it is refused.
                guard !path.unicodeScalars.contains("\u{FFFD}") else {
                    throw Failure(
                        "git.path-not-utf8",
                        "The name of '\(Libgit2.printable(path, limit: 200))' in commit \(reading.commit.short) is not UTF-8",
                        remedy: "rename the file")
                }
                try take(object.pointee, path, &reading)
            }
        }
    }

    private func take(_ oid: git_oid, _ path: String, _ reading: inout Reading) throws(Failure) {
        let shown = Libgit2.printable(path, limit: 200)
        let size = try size(oid, of: GIT_OBJECT_BLOB)
        guard size <= reading.limits.fileSize else {
            throw Failure(
                "git.file-too-large",
                "The file '\(shown)' in commit \(reading.commit.short) has \(size) bytes; the limit is \(reading.limits.fileSize)",
                remedy: "take it out of the folder, or exclude it")
        }
        reading.total += size
        guard reading.total <= reading.limits.totalSize, reading.files.count < reading.limits.fileCount else {
            throw Failure(
                "git.too-many-files",
                "The files in '\(reading.root)' are more than \(reading.limits.fileCount), or more than \(reading.limits.totalSize) bytes",
                remedy: "split the application, or exclude files")
        }
        var oid = oid
        let blob = try GitHandle("Reading a file", freeing: git_blob_free) {
            git_blob_lookup(&$0, repository.pointer, &oid)
        }
        let length = Int(git_blob_rawsize(blob.pointer))
        let bytes =
            git_blob_rawcontent(blob.pointer).map { Array(UnsafeRawBufferPointer(start: $0, count: length)) } ?? []
        if bytes.count < 1024, bytes.starts(with: "version https://git-lfs.github.com/spec/".utf8) {
            throw Failure(
                "git.lfs-pointer",
                "The file '\(shown)' in commit \(reading.commit.short) is a Git LFS pointer; its content is not in the repository",
                remedy: "keep manifests out of Git LFS")
        }
        reading.files.append(SourceFile(path: path, bytes: bytes))
    }

    private func tree(_ oid: git_oid) throws(Failure) -> GitHandle {
        var oid = oid
        // A tree is read whole; the limit is that of half a million entries.
        guard try size(oid, of: GIT_OBJECT_TREE) <= 32 << 20 else {
            throw Failure("git.too-many-files", "A folder of the repository has too many entries")
        }
        return try GitHandle("Reading a folder", freeing: git_tree_free) {
            git_tree_lookup(&$0, repository.pointer, &oid)
        }
    }

    /// Bytes of an object, before it is unpacked.
    private func size(_ oid: git_oid, of type: git_object_t) throws(Failure) -> Int {
        var oid = oid
        var (size, found) = (0, GIT_OBJECT_INVALID)
        try Libgit2.check(git_odb_read_header(&size, &found, objects.pointer, &oid), "Reading an object's size")
        guard found == type else { throw Failure(Libgit2.broken, "An object is of another type than its folder says") }
        return size
    }

    private static func symlink(_ path: String, _ id: CommitID) -> Failure {
        Failure(
            "git.symlink",
            "'\(Libgit2.printable(path, limit: 200))' in commit \(id.short) is a symbolic link, which is not followed",
            remedy: "put the file itself there, or exclude it")
    }

    private static func submodule(_ path: String, _ id: CommitID) -> Failure {
        Failure(
            "git.submodule",
            "'\(Libgit2.printable(path, limit: 200))' in commit \(id.short) is a submodule, which is not read",
            remedy: "make an application of the submodule's own repository")
    }
}
