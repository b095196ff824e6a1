#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Disk space held back so that open attempts can be closed when everything else is refused for want of space.
struct Reserve: Sendable {
    let path: String
    /// Bytes. Closing an attempt takes a few KiB of WAL; this is enough for hundreds.
    let size: Int64

    /// Whether the space is (again) held. Blocks are allocated, not only a length set.
    func hold() -> Bool {
        guard size > 0 else { return true }
        if FileSystem.size(of: path) == size { return true }
        let file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard file >= 0 else { return false }
        defer { _ = close(file) }
        #if canImport(Glibc)
            let allocated = posix_fallocate(file, 0, off_t(size)) == 0
        #else
            let allocated = ftruncate(file, off_t(size)) == 0
        #endif
        // A reserve that could not be had in full is none, and must not take the last blocks either.
        if !allocated { _ = ftruncate(file, 0) }
        return allocated
    }

    /// Gives the space back to the file system.
    func release() { _ = truncate(path, 0) }
}
