public import Shiplog
import Synchronization

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Where one Shiplog keeps everything: 0700, one serving process at a time, for the sandbox or for clusters, not both.
public struct DataDirectory: Sendable, Hashable {
    public let path: String

    /// Makes the directory and those inside it, with mode 0700, unless they are there.
    /// - Throws: `data.unusable`; `data.unsafe` when group or others may write to one of them.
    public init(_ path: String) throws(Failure) {
        self.path = Self.normal(path)
        try FileSystem.makePrivateDirectory(self.path)
        for directory in [keys, tokens, checkpoints, repositories, sandbox, notifications] {
            try FileSystem.makePrivateDirectory(directory)
        }
    }

    /// For commands that only read: makes nothing.
    /// - Throws: `ledger.missing` when the directory holds no ledger.
    public init(existing path: String) throws(Failure) {
        self.path = Self.normal(path)
        guard FileSystem.exists(ledger) else {
            throw Failure(
                .ledgerMissing, "there is no ledger in \(self.path)",
                remedy: "name the data directory of a server with --data")
        }
    }

    static func normal(_ path: String) -> String {
        var trimmed = path[...]
        while trimmed.count > 1, trimmed.last == "/" { trimmed.removeLast() }
        // Whole, for it goes to programs that run in folders of their own, and lasts longer than a working directory.
        if trimmed.hasPrefix("/") { return String(trimmed) }
        guard let here = getcwd(nil, 0) else { return String(trimmed) }
        defer { free(here) }
        return String(cString: here) + "/" + trimmed
    }

    /// The SQLite file.
    public var ledger: String { path + "/ledger.sqlite" }
    /// `master.key` and `redaction.key`: never in a replica of the database.
    public var keys: String { path + "/keys" }
    /// Files that hold a token for a person to pick up, such as the first administrator's.
    public var tokens: String { path + "/tokens" }
    /// Where checkpoints are kept unless the configuration names a better place: one that is not put back together with
    /// the database.
    public var checkpoints: String { path + "/checkpoints" }
    /// Bare mirrors.
    public var repositories: String { path + "/repositories" }
    /// How far the log was read for each notification.
    public var notifications: String { path + "/notifications" }
    /// The embedded cluster's state.
    public var sandbox: String { path + "/sandbox" }

    var lockFile: String { path + "/lock" }
    var modeFile: String { path + "/mode" }
    var reserveFile: String { path + "/reserve" }

    /// Takes the directory for this process until the lock is released or the process ends, however it ends.
    /// - Throws: `data.in-use`, naming the process that has it.
    func lock() throws(Failure) -> DirectoryLock {
        let file = open(lockFile, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard file >= 0 else {
            throw Failure(.dataUnusable, "the file \(lockFile) cannot be opened: \(FileSystem.lastError)")
        }
        guard flock(file, LOCK_EX | LOCK_NB) == 0 else {
            _ = close(file)
            let holder = (try FileSystem.read(lockFile)).map { String(decoding: $0.prefix(20), as: UTF8.self) } ?? ""
            let pid = holder.prefix { $0.isNumber }
            throw Failure(
                .dataInUse, "the data directory \(path) is in use by process \(pid.isEmpty ? "unknown" : pid)",
                remedy: "stop that process, or give this one a directory of its own with --data")
        }
        _ = ftruncate(file, 0)
        _ = FileSystem.writeAll(Array("\(getpid())\n".utf8), to: file)
        return DirectoryLock(file)
    }

    /// What the directory was made for; nil when it is new.
    func recordedMode() throws(Failure) -> Ledger.Mode? {
        guard let bytes = try FileSystem.read(modeFile) else { return nil }
        let word = String(decoding: bytes, as: UTF8.self).prefix { $0.isLetter }
        guard let mode = Ledger.Mode(rawValue: String(word)) else {
            throw Failure(
                .dataUnusable, "the file \(modeFile) names no mode",
                remedy: "write `sandbox` or `clusters` into it, whichever this directory was made for")
        }
        return mode
    }

    func record(_ mode: Ledger.Mode) throws(Failure) {
        try FileSystem.create(modeFile, Array((mode.rawValue + "\n").utf8))
    }
}

/// An exclusive `flock`: the kernel drops it with the process, so a crash leaves nothing to clean up.
final class DirectoryLock: Sendable {
    private let file: Int32
    private let isHeld = Mutex(true)

    init(_ file: Int32) { self.file = file }

    deinit { release() }

    func release() {
        isHeld.withLock { isHeld in
            // Said aloud: a child that was just made may hold a copy of the file until its exec, and the lock with it.
            if isHeld { _ = flock(file, LOCK_UN) }
            if isHeld { _ = close(file) }
            isHeld = false
        }
    }
}
