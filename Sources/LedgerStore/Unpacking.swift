import Foundation
import Shiplog

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Puts the files of a backup into a data directory: those that belong there and no others.
struct Unpacking: ~Copyable {
    /// Bytes of any file but the ledger.
    static let limit = 1 << 20

    private let directory: DataDirectory
    private var manifest: [UInt8]?
    private var seen: Set<String> = []
    private var name = ""
    private var small: [UInt8] = []
    /// The ledger's file while it is being written.
    private var file: Int32 = -1

    init(_ directory: DataDirectory) { self.directory = directory }

    deinit { if file >= 0 { _ = close(file) } }

    /// Letters, digits and `.-_`, and not hidden: a name that leads nowhere else.
    static func isPlain(_ name: String) -> Bool {
        !name.isEmpty && name.utf8.count <= 80 && name.first != "."
            && name.utf8.allSatisfy { byte in
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || "._-".utf8.contains(byte)
            }
    }

    static func isFree(_ path: String) throws(Failure) -> Bool {
        guard let mode = FileSystem.mode(of: path) else { return true }
        guard mode & S_IFMT == S_IFDIR else { return false }
        guard let names = try? FileManager.default.contentsOfDirectory(atPath: path) else {
            throw Failure(.dataUnusable, "the directory \(path) cannot be read")
        }
        return names.isEmpty
    }

    static func parts(of path: String) -> (parent: String, name: String) {
        guard let slash = path.lastIndex(of: "/") else { return (".", path) }
        return (String(path[..<slash]), String(path[path.index(after: slash)...]))
    }

    mutating func take(_ part: TarReader.Part) throws(Failure) {
        switch part {
        case .file(let name, let size): try begin(name, size)
        case .content(let bytes):
            guard file >= 0 else {
                small += bytes
                return
            }
            guard FileSystem.writeAll(Array(bytes), to: file) else { throw unwritable() }
        case .fileEnd: try end()
        }
    }

    private mutating func begin(_ name: String, _ size: Int64) throws(Failure) {
        let words = name.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        let isKnown =
            ["manifest.json", "mode", "ledger.sqlite"].contains(name)
            || (words.count == 2 && ["keys", "tokens"].contains(words[0]) && Self.isPlain(words[1]))
        guard isKnown, seen.insert(name).inserted else {
            throw Backup.damaged("it holds the file \(name.prefix(100)), which does not belong there")
        }
        self.name = name
        small = []
        guard name == "ledger.sqlite" else {
            guard size <= Self.limit else { throw Backup.damaged("the file \(name) in it is too large") }
            return
        }
        file = open(directory.ledger, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw unwritable() }
    }

    private mutating func end() throws(Failure) {
        if file >= 0 {
            let isSafe = fsync(file) == 0
            let isClosed = close(file) == 0
            file = -1
            guard isSafe, isClosed else { throw unwritable() }
        } else if name == "manifest.json" {
            manifest = small
        } else {
            try FileSystem.create(directory.path + "/" + name, small)
        }
    }

    private func unwritable() -> Failure {
        Failure(
            .dataUnusable, "the file \(name) cannot be written below \(directory.path): \(FileSystem.lastError)",
            remedy: "make room on that disk, or name another directory with --data")
    }

    /// - Throws: `backup.damaged` when something is missing.
    mutating func finish() throws(Failure) -> Backup {
        for needed in ["manifest.json", "mode", "ledger.sqlite", "keys/master.key", "keys/redaction.key"]
        where !seen.contains(needed) {
            throw Backup.damaged("it holds no \(needed)")
        }
        let backup = try Backup(manifest ?? [])
        guard FileSystem.size(of: directory.ledger) == backup.bytes else {
            throw Backup.damaged("its ledger has another length than its manifest says")
        }
        return backup
    }
}
