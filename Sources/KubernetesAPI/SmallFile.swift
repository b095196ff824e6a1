import Shiplog

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Files of credentials and configuration: small, and read at once.
enum SmallFile {
    /// Tells one state of a file from another without reading it.
    struct Stamp: Sendable, Hashable {
        let inode: UInt64
        let size: Int64
        let seconds: Int64
        let nanoseconds: Int64
    }

    /// nil when there is no such file or it may not be looked at.
    static func stamp(_ path: String) -> Stamp? {
        var info = stat()
        guard stat(path, &info) == 0 else { return nil }
        #if canImport(Darwin)
            let time = info.st_mtimespec
        #else
            let time = info.st_mtim
        #endif
        return Stamp(
            inode: UInt64(info.st_ino), size: Int64(info.st_size), seconds: Int64(time.tv_sec),
            nanoseconds: Int64(time.tv_nsec))
    }

    /// - Throws: `file.unreadable` with the path and the system's reason; also when it has more bytes than the limit.
    static func read(_ path: String, limit: Int = 16 << 20) throws(Failure) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw unreadable(path, String(cString: strerror(errno))) }
        defer { _ = close(descriptor) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            // Another module's `read` would be this very function.
            let count = buffer.withUnsafeMutableBytes { readBytes(descriptor, $0.baseAddress, $0.count) }
            if count == 0 { return bytes }
            guard count > 0 else {
                if errno == EINTR { continue }
                throw unreadable(path, String(cString: strerror(errno)))
            }
            bytes.append(contentsOf: buffer.prefix(count))
            guard bytes.count <= limit else { throw unreadable(path, "it has more than \(limit) bytes") }
        }
    }

    private static func unreadable(_ path: String, _ why: String) -> Failure {
        Failure("file.unreadable", "\(path) cannot be read: \(why)", remedy: "check the path and the permissions")
    }
}

private func readBytes(_ descriptor: Int32, _ buffer: UnsafeMutableRawPointer?, _ count: Int) -> Int {
    read(descriptor, buffer, count)
}
