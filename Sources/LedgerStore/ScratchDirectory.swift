import Foundation
import Shiplog

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// A directory for what must not outlive the work on it, such as keys in the clear that are still being checked. The kernel
/// drops its lock with the process, so that the next one that works at this place knows what a killed one has left there.
final class ScratchDirectory {
    let path: String
    private let handle: Int32
    private var isKept = false

    /// Makes one of its own, and removes what others with this beginning of a name have left behind.
    /// - Throws: `data.unusable`.
    init(in parent: String, named beginning: String) throws(Failure) {
        Self.sweep(parent, beginning)
        path = parent + "/" + beginning + Names.random(Self.length)
        guard mkdir(path, 0o700) == 0 else {
            throw Failure(.dataUnusable, "the directory \(path) cannot be made: \(FileSystem.lastError)")
        }
        handle = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        // Somebody who sweeps may have taken it between these two for one that is left.
        guard handle >= 0, flock(handle, LOCK_EX | LOCK_NB) == 0, Self.isStill(handle, path) else {
            throw Failure(
                .dataUnusable, "the directory \(path) cannot be locked: \(FileSystem.lastError)", remedy: "try again")
        }
        Leftovers.add(path)
    }

    deinit {
        if !isKept { try? FileManager.default.removeItem(atPath: path) }
        Leftovers.remove(path)
        if handle >= 0 { _ = close(handle) }
    }

    /// It is what was wanted: gives it its name, over an empty directory too, in one step.
    /// - Throws: `data.unusable`.
    func become(_ target: String) throws(Failure) {
        // From here on it is no leftover, whatever ends the process.
        Leftovers.remove(path)
        guard rename(path, target) == 0 else {
            throw Failure(.dataUnusable, "\(target) cannot be made: \(FileSystem.lastError)")
        }
        isKept = true
        try FileSystem.syncDirectory(of: target)
    }

    private static let length = 12

    private static func sweep(_ parent: String, _ beginning: String) {
        for name in FileSystem.names(in: parent)
        where name.hasPrefix(beginning) && name.utf8.count == beginning.utf8.count + length {
            let path = parent + "/" + name
            let directory = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
            guard directory >= 0 else { continue }
            defer { _ = close(directory) }
            var info = stat()
            guard fstat(directory, &info) == 0, info.st_uid == geteuid(), flock(directory, LOCK_EX | LOCK_NB) == 0
            else { continue }
            try? FileManager.default.removeItem(atPath: path)
        }
    }

    private static func isStill(_ handle: Int32, _ path: String) -> Bool {
        var (mine, there) = (stat(), stat())
        return fstat(handle, &mine) == 0 && stat(path, &there) == 0 && mine.st_ino == there.st_ino
            && mine.st_dev == there.st_dev
    }
}
