import FoundationEssentials
import Glibc
import Shiplog

/// The mirror's files, where Git and libgit2 have no call for what is needed.
enum MirrorFiles {
    /// Removes the locks and the half-written packs of a child that was killed or a machine that lost its power. Safe
    /// because one process at a time works on a data directory, and one child at a time on a mirror.
    static func sweep(_ path: String) {
        let files = FileManager.default
        for name in names(path) where name.hasSuffix(".lock") { try? files.removeItem(atPath: path + "/" + name) }
        for name in (try? files.subpathsOfDirectory(atPath: path + "/refs")) ?? [] where name.hasSuffix(".lock") {
            try? files.removeItem(atPath: path + "/refs/" + name)
        }
        for folder in ["/objects", "/objects/pack"] {
            for name in names(path + folder)
            where name.hasPrefix("tmp_") || name.hasPrefix("incoming-") || name.hasPrefix(".tmp-") {
                try? files.removeItem(atPath: path + folder + "/" + name)
            }
        }
    }

    static func packCount(_ path: String) -> Int {
        names(path + "/objects/pack").count { $0.hasSuffix(".pack") }
    }

    static func names(_ folder: String) -> [String] {
        (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    }

    /// The kept commits of a mirror that nothing can open any more, from the files themselves.
    static func keptCommits(_ path: String) -> Set<CommitID> {
        var kept = Set(names(path + "/" + OpenMirror.keep).compactMap { CommitID($0) })
        let packed = (try? Data(contentsOf: URL(filePath: path + "/packed-refs"))) ?? Data()
        for line in packed.split(separator: UInt8(ascii: "\n")) {
            let words = String(decoding: line, as: UTF8.self).split(separator: " ")
            if words.count == 2, words[1].hasPrefix(OpenMirror.keep),
                let id = CommitID(String(words[1].dropFirst(OpenMirror.keep.utf8.count)))
            {
                kept.insert(id)
            }
        }
        return kept
    }

    static func remove(_ path: String) {
        try? FileManager.default.removeItem(atPath: path)
    }

    static func move(_ from: String, _ to: String, _ url: RepositoryURL) throws(Failure) {
        guard rename(from, to) == 0 else { throw GitFailure.local(url, "moving a folder", errno) }
    }

    /// Marks a mirror made anew as whole, durably, before it takes the place of the old one.
    static func mark(_ file: String, _ url: RepositoryURL) throws(Failure) {
        let descriptor = open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw GitFailure.local(url, "writing a file", errno) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw GitFailure.local(url, "writing a file", errno) }
    }
}
