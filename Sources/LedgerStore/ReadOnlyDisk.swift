import Shiplog

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// A ledger on a disk that nobody can write, such as a mounted snapshot.
enum ReadOnlyDisk {
    /// What SQLite is told to open: in WAL mode it wants to make `-shm` beside the file, and refuses where it cannot.
    ///
    /// On a read-only file system nobody can change the file, so SQLite may leave out locks and WAL index altogether
    /// (https://sqlite.org/uri.html#uriimmutable). Not when there is a WAL: `immutable` would not read what is in it.
    static func name(of path: String) -> String {
        let folder = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
        guard access(folder.isEmpty ? "/" : folder, W_OK) != 0, errno == EROFS,
            FileSystem.size(of: path + "-wal") ?? 0 == 0
        else { return path }
        var name = "file:"
        for byte in path.utf8 {
            let isPlain =
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
                || (UInt8(ascii: "-")...UInt8(ascii: "9")).contains(byte) || byte == UInt8(ascii: "_")
            name += isPlain ? String(UnicodeScalar(byte)) : "%" + [byte].hex
        }
        return name + "?immutable=1"
    }
}
