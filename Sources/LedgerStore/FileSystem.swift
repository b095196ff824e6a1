import Shiplog

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// The few file operations the ledger needs, with permissions and durability that Foundation does not promise.
enum FileSystem {
    /// The last error of a system call as a sentence's end.
    static var lastError: String { String(cString: strerror(errno)) }

    /// nil when there is nothing at that path.
    static func mode(of path: String) -> mode_t? {
        var info = stat()
        return stat(path, &info) == 0 ? info.st_mode : nil
    }

    static func exists(_ path: String) -> Bool { mode(of: path) != nil }

    static func size(of path: String) -> Int64? {
        var info = stat()
        return stat(path, &info) == 0 ? Int64(info.st_size) : nil
    }

    /// Takes everybody else's rights to a file and to those that SQLite keeps beside it.
    static func makePrivate(_ path: String) {
        for name in [path, path + "-wal", path + "-shm"] where (mode(of: name) ?? 0) & 0o077 != 0 {
            _ = chmod(name, 0o600)
        }
    }

    /// Makes a directory that only its owner may enter, unless there is one that nobody else may write to.
    static func makePrivateDirectory(_ path: String) throws(Failure) {
        if mkdir(path, 0o700) == 0 { return }
        guard errno == EEXIST else {
            throw Failure(
                .dataUnusable, "the directory \(path) cannot be made: \(lastError)",
                remedy: "make its parent directory, or name another with --data")
        }
        try checkPrivateDirectory(path)
    }

    static func checkPrivateDirectory(_ path: String) throws(Failure) {
        guard let mode = mode(of: path) else {
            throw Failure(.dataUnusable, "the directory \(path) cannot be read: \(lastError)")
        }
        guard mode & S_IFMT == S_IFDIR else { throw Failure(.dataUnusable, "\(path) is no directory") }
        guard mode & 0o022 == 0 else {
            throw Failure(
                .dataUnsafe, "the directory \(path) can be written by others than its owner",
                remedy: "chmod go-w \(path)")
        }
    }

    /// The whole file, at most `limit` bytes of it; nil when it does not exist. Anything but a file is refused: a pipe in
    /// its place would be waited for.
    static func read(_ path: String, limit: Int = 1 << 20) throws(Failure) -> [UInt8]? {
        let file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard file >= 0 else {
            if errno == ENOENT { return nil }
            throw Failure(.dataUnusable, "the file \(path) cannot be read: \(lastError)")
        }
        defer { _ = close(file) }
        var info = stat()
        guard fstat(file, &info) == 0, info.st_mode & S_IFMT == S_IFREG else {
            throw Failure(.dataUnusable, "\(path) is no file")
        }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while bytes.count < limit {
            let count = buffer.withUnsafeMutableBytes { readBytes(file, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw Failure(.dataUnusable, "the file \(path) cannot be read: \(lastError)") }
            if count == 0 { break }
            bytes += buffer[..<count]
        }
        return bytes
    }

    /// Reads a file of any size in pieces.
    static func readAll(_ path: String, _ take: (ArraySlice<UInt8>) throws(Failure) -> Void) throws(Failure) {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw Failure(.dataUnusable, "the file \(path) cannot be read: \(lastError)") }
        defer { _ = close(file) }
        var buffer = [UInt8](repeating: 0, count: 256 << 10)
        while true {
            let count = buffer.withUnsafeMutableBytes { readBytes(file, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw Failure(.dataUnusable, "the file \(path) cannot be read: \(lastError)") }
            if count == 0 { return }
            try take(buffer[..<count])
        }
    }

    /// Makes a new file that only its owner may read, durable with its name before this returns.
    static func create(_ path: String, _ bytes: [UInt8]) throws(Failure) {
        let file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw Failure(.dataUnusable, "the file \(path) cannot be made: \(lastError)") }
        defer { _ = close(file) }
        guard writeAll(bytes, to: file), fsync(file) == 0 else {
            let why = lastError
            _ = unlink(path)
            throw Failure(.dataUnusable, "the file \(path) cannot be written: \(why)")
        }
        do throws(Failure) {
            try syncDirectory(of: path)
        } catch {
            _ = unlink(path)
            throw error
        }
    }

    /// Puts a file in the place of another, whole: written beside it, durable, then renamed. The directory is the caller's to
    /// make durable.
    /// - Returns: nil, or why it could not be done: then the other is still there.
    static func replace(_ path: String, with bytes: [UInt8], mode: mode_t) -> String? {
        let temporary = path + ".new"
        let file = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode)
        guard file >= 0 else { return lastError }
        let isWritten = writeAll(bytes, to: file) && fsync(file) == 0
        let why = lastError
        _ = close(file)
        guard isWritten else { return why }
        return rename(temporary, path) == 0 ? nil : lastError
    }

    static func writeAll(_ bytes: [UInt8], to file: Int32) -> Bool {
        var done = 0
        while done < bytes.count {
            let count = bytes.withUnsafeBytes { buffer in
                write(file, buffer.baseAddress.map { $0 + done }, buffer.count - done)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return false }
            done += count
        }
        return true
    }

    /// What a directory holds; nothing when it cannot be read.
    static func names(in path: String) -> [String] {
        guard let directory = opendir(path) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            names.append(
                withUnsafeBytes(of: entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) })
        }
        return names
    }

    /// A new name is durable when its directory is: whoever promises that it is must not go on without.
    /// - Throws: `data.unusable`.
    static func syncDirectory(of path: String) throws(Failure) {
        let parent = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
        let directory = open(parent.isEmpty ? "/" : parent, O_RDONLY | O_CLOEXEC)
        let isOpen = directory >= 0
        let isSafe = isOpen && fsync(directory) == 0
        let why = lastError
        if isOpen { _ = close(directory) }
        guard isSafe else {
            throw Failure(
                .dataUnusable, "the directory of \(path) cannot be made durable: \(why)",
                remedy: "look after the disk; a file system without fsync of directories cannot hold this")
        }
    }
}

/// `read` inside `FileSystem` would be its own method.
private func readBytes(_ file: Int32, _ buffer: UnsafeMutableRawPointer?, _ count: Int) -> Int {
    read(file, buffer, count)
}
