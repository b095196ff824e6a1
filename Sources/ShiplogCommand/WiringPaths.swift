import Foundation
import Shiplog

/// Where the program finds what comes with it, and where it keeps data when nobody says.
enum Places {
    /// `$XDG_DATA_HOME/shiplog/data`, or `~/.local/share/shiplog/data`: beside what `make install` may have put there.
    static func defaultData(_ environment: [String: String] = ProcessInfo.processInfo.environment) -> String {
        if let base = environment["XDG_DATA_HOME"], base.hasPrefix("/") { return base + "/shiplog/data" }
        return (environment["HOME"] ?? ".") + "/.local/share/shiplog/data"
    }

    /// The data directory to serve from. Above the default one everything is made: a new account has none of it. Above one
    /// that somebody named nothing is: a mistyped path would be made without a word.
    static func dataToServe(_ named: String?) throws(Failure) -> String {
        if let named { return named }
        let path = defaultData()
        let parent = (path as NSString).deletingLastPathComponent
        do {
            try FileManager.default.createDirectory(atPath: parent, withIntermediateDirectories: true)
        } catch {
            throw Failure(
                "data.unusable", "the directory \(parent) cannot be made", remedy: "name a data directory with --data")
        }
        return path
    }

    /// A file or folder that is installed beside the program (`../share/shiplog/NAME`), or that stands in the folder the
    /// program was built in or is run from.
    static func shared(_ name: String) -> String? {
        var candidates: [String] = []
        if let program = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe") {
            var folder = (program as NSString).deletingLastPathComponent
            candidates.append((folder as NSString).deletingLastPathComponent + "/share/shiplog/" + name)
            // A build's own tree: .build/release/shiplog and what lies above it.
            for _ in 0..<5 where folder != "/" {
                if FileManager.default.fileExists(atPath: folder + "/Package.swift") {
                    candidates.append(folder + "/" + name)
                }
                folder = (folder as NSString).deletingLastPathComponent
            }
        }
        return candidates.first { FileManager.default.fileExists(atPath: $0) }
    }

    /// Writes a file that only its owner can read; an older one is replaced in one step.
    static func writePrivate(_ text: String, to path: String) throws(Failure) {
        let temporary = path + ".\(getpid()).new"
        _ = unlink(temporary)
        let file = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw unwritable(path) }
        let bytes = Array(text.utf8)
        let written = write(file, bytes, bytes.count)
        let isSafe = written == bytes.count && fsync(file) == 0
        _ = close(file)
        guard isSafe, rename(temporary, path) == 0 else {
            _ = unlink(temporary)
            throw unwritable(path)
        }
    }

    private static func unwritable(_ path: String) -> Failure {
        Failure(
            "file.unwritable", "\(path) cannot be written: \(String(cString: strerror(errno)))",
            remedy: "check the directory's owner and the free space")
    }

    /// A file, or standard input for `-`.
    /// - Throws: `file.unreadable`.
    static func input(_ name: String, limit: Int = 1 << 20) throws(Failure) -> [UInt8] {
        guard name == "-" else { return try read(name, limit: limit) }
        guard let data = try? FileHandle.standardInput.read(upToCount: limit + 1) else { return [] }
        guard data.count <= limit else {
            throw Failure("file.unreadable", "standard input holds more than \(limit >> 20) MiB")
        }
        return Array(data)
    }

    /// - Parameter limit: in bytes; a larger file is not what is meant.
    /// - Throws: `file.unreadable`.
    static func read(_ path: String, limit: Int = 1 << 20) throws(Failure) -> [UInt8] {
        do {
            let handle = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
            defer { try? handle.close() }
            let data = try handle.read(upToCount: limit + 1) ?? Data()
            guard data.count <= limit else {
                throw Failure("file.unreadable", "\(path) is larger than \(limit >> 20) MiB")
            }
            return Array(data)
        } catch let failure as Failure {
            throw failure
        } catch {
            throw Failure(
                "file.unreadable", "\(path) cannot be read", remedy: "check that it is there and who may read it")
        }
    }
}
