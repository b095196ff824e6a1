import Dispatch
import Foundation
import LedgerStore
import Shiplog
import Synchronization

/// A file that appears under its name when it is whole; without a name, standard output.
///
/// Until then it is beside its place as `NAME.partial`, under a lock that the kernel drops with the process: the next one
/// that makes this file takes over what a killed one has left, and never what another is still writing.
final class NewFile {
    private let path: String?
    /// Where it is until it is whole.
    let partial: String
    private var file: Int32
    /// Whether the partial file is one that this program may remove.
    private var isOurs = false
    private(set) var count: Int64 = 0

    /// - Throws: `file.exists`, `file.busy`, `file.unwritable`.
    init(_ path: String?) throws(Failure) {
        self.path = path
        partial = (path ?? "") + ".partial"
        file = STDOUT_FILENO
        guard let path else { return }
        guard !FileManager.default.fileExists(atPath: path) else { throw Self.exists(path) }
        file = -1
        // Whoever is done renames or removes it between our opening and our locking: then there is another to open.
        for _ in 0..<8 where file < 0 {
            let opened = open(partial, O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0o600)
            guard opened >= 0 else { throw unwritable() }
            guard flock(opened, LOCK_EX | LOCK_NB) == 0 else {
                _ = close(opened)
                throw Failure(
                    "file.busy", "another process is making \(path)",
                    remedy: "wait for it to end, or name another file")
            }
            var (mine, there) = (stat(), stat())
            if fstat(opened, &mine) == 0, lstat(partial, &there) == 0, mine.st_ino == there.st_ino,
                mine.st_dev == there.st_dev
            {
                file = opened
            } else {
                _ = close(opened)
            }
        }
        var info = stat()
        guard file >= 0, fstat(file, &info) == 0 else { throw unwritable() }
        // By another name it may be somebody's file that is no part of one.
        guard info.st_mode & S_IFMT == S_IFREG, info.st_uid == geteuid(), info.st_nlink == 1 else {
            throw Failure(
                "file.unwritable", "\(partial) is no file that a killed command has left there",
                remedy: "look at it, and remove it or name another file")
        }
        isOurs = true
        Leftovers.add(partial)
        guard fchmod(file, 0o600) == 0, ftruncate(file, 0) == 0 else { throw unwritable() }
    }

    deinit { discard() }

    func write(_ bytes: some Collection<UInt8>) throws(Failure) {
        var rest = Array(bytes)[...]
        while !rest.isEmpty {
            let written = rest.withUnsafeBytes { Foundation.write(file, $0.baseAddress, $0.count) }
            if written < 0, errno == EINTR { continue }
            guard written > 0 else { throw unwritable() }
            count += Int64(written)
            rest = rest.dropFirst(written)
        }
    }

    /// It is whole, and durable when this returns; it is not at its place yet.
    func sync() throws(Failure) {
        guard path != nil else { return }
        guard fsync(file) == 0 else { throw unwritable() }
    }

    /// Puts it at its place. Not over a file that has appeared meanwhile; where there are no hard links, by renaming.
    func finish() throws(Failure) {
        guard let path, file >= 0 else { return }
        try sync()
        Leftovers.remove(partial)
        if link(partial, path) != 0 {
            guard errno != EEXIST else { throw Self.exists(path) }
            guard rename(partial, path) == 0 else { throw unwritable() }
        } else {
            _ = unlink(partial)
        }
        _ = close(file)
        file = -1
    }

    func discard() {
        guard path != nil, file >= 0 else { return }
        // Before the lock goes: afterwards it may be another's.
        if isOurs { _ = unlink(partial) }
        Leftovers.remove(partial)
        _ = close(file)
        file = -1
    }

    private static func exists(_ path: String) -> Failure {
        Failure("file.exists", "\(path) is there already", remedy: "name a file that does not exist yet")
    }

    private func unwritable() -> Failure {
        Failure(
            "file.unwritable", "\(path ?? "standard output") cannot be written: \(String(cString: strerror(errno)))",
            remedy: "check the directory's owner and the free space")
    }
}

/// A new file that is written piece by piece by whoever has the pieces.
actor FileSink {
    private let file: NewFile
    let partial: String

    /// - Parameter path: nil for standard output.
    /// - Throws: as `NewFile` does.
    init(_ path: String?) throws(Failure) {
        file = try NewFile(path)
        partial = file.partial
    }

    func take(_ piece: [UInt8]) throws(Failure) { try file.write(piece) }
    func sync() throws(Failure) { try file.sync() }
    func finish() throws(Failure) { try file.finish() }
    func discard() { file.discard() }
}

extension Leftovers {
    /// From now on whoever interrupts or ends this program (SIGINT, SIGTERM, SIGHUP) leaves nothing of it behind; it ends by
    /// that signal all the same.
    static func goWithSignals() {
        sources.withLock { sources in
            guard sources.isEmpty else { return }
            for number in [SIGINT, SIGTERM, SIGHUP] {
                signal(number, SIG_IGN)
                let source = DispatchSource.makeSignalSource(signal: number, queue: .global(qos: .userInteractive))
                source.setEventHandler {
                    removeAll()
                    signal(number, SIG_DFL)
                    // To the process: this thread is one of Dispatch's, which take no signals.
                    _ = kill(getpid(), number)
                }
                source.resume()
                sources.append(source)
            }
        }
    }

    private static let sources = Mutex<[any DispatchSourceSignal]>([])
}
