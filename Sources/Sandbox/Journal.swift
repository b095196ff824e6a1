import Glibc
import Shiplog

/// The sandbox's file: one JSON line a write, the whole made anew when it has grown.
///
/// A write is in the file before it is answered, so it outlives the process at any moment (not a power cut: nothing is
/// synced). A line cut short by the end of the process was never answered and is dropped.
struct Journal: ~Copyable {
    private let path: String
    private var descriptor: Int32
    private var size = 0
    /// The size right after the file was last made anew; 0 when this process has not: however often a server is started,
    /// its file does not outgrow what is in it.
    private var baseSize = 0

    /// Grown past this and four times its base, the file is made anew.
    private static let compactionSize = 8 << 20

    /// Opens or makes the file (mode 0600) and puts what it holds into a state.
    ///
    /// - Throws: `sandbox.storage` when the file cannot be read or written, or is no journal.
    init(path: String, into state: inout ClusterState) throws(Failure) {
        self.path = path
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw Self.failure(path, "cannot be opened") }
        // A server that is just ending still has it for a moment.
        var attempts = 100
        while flock(descriptor, LOCK_EX | LOCK_NB) != 0, attempts > 0 {
            attempts -= 1
            usleep(20_000)
        }
        guard attempts > 0 else {
            close(descriptor)
            throw Failure(
                "sandbox.storage", "the sandbox's file \(path) is in use by another process",
                remedy: "end the other process, or name another file")
        }
        let bytes = try Self.read(descriptor, path)
        let end = (bytes.lastIndex(of: UInt8(ascii: "\n")) ?? -1) + 1
        var number = 0
        for line in bytes[..<end].split(separator: UInt8(ascii: "\n")) {
            number += 1
            guard let record = try? JSON(parsing: line), Self.replay(record, into: &state) else {
                close(descriptor)
                throw Failure(
                    "sandbox.storage", "line \(number) of the sandbox's file \(path) is damaged",
                    remedy: "put a copy of the file back, or delete it to begin with an empty cluster")
            }
        }
        if end < bytes.count { _ = ftruncate(descriptor, off_t(end)) }
        lseek(descriptor, 0, SEEK_END)
        size = end
        state.finishRestoring()
    }

    deinit {
        // Not by closing alone: a child that is just being started still holds the descriptor, and the lock with it.
        _ = flock(descriptor, LOCK_UN)
        close(descriptor)
    }

    /// Appends changes; they are in the file when this returns.
    mutating func append(_ changes: [Change], _ state: borrowing ClusterState) throws(Failure) {
        guard !changes.isEmpty else { return }
        var bytes: [UInt8] = []
        for change in changes { bytes += Self.record(change) }
        try Self.write(bytes, to: descriptor, path)
        size += bytes.count
        if size > Self.compactionSize, size > baseSize * 4 { try compact(state) }
    }

    private mutating func compact(_ state: borrowing ClusterState) throws(Failure) {
        let fresh = path + ".new"
        let target = open(fresh, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard target >= 0 else { throw Self.failure(fresh, "cannot be made") }
        var bytes: [UInt8] = []
        for (key, object) in state.everything { bytes += Self.record(key, object, state.version) }
        do throws(Failure) {
            try Self.write(bytes, to: target, fresh)
        } catch {
            close(target)
            throw error
        }
        guard flock(target, LOCK_EX | LOCK_NB) == 0, fsync(target) == 0, rename(fresh, path) == 0 else {
            close(target)
            throw Self.failure(path, "cannot be replaced")
        }
        close(descriptor)
        descriptor = target
        size = bytes.count
        baseSize = size
    }

    // MARK: records

    private static func record(_ change: Change) -> [UInt8] {
        if change.verb != .deleted { return record(change.key, change.object, change.version) }
        return JSON.object(address(change.key, change.version)).canonicalBytes + [UInt8(ascii: "\n")]
    }

    private static func record(_ key: ObjectKey, _ object: JSON, _ version: Int64) -> [UInt8] {
        var members = address(key, version)
        members["object"] = object
        return JSON.object(members).canonicalBytes + [UInt8(ascii: "\n")]
    }

    private static func address(_ key: ObjectKey, _ version: Int64) -> [String: JSON] {
        [
            "group": .string(key.resource.group), "plural": .string(key.resource.plural),
            "namespace": .string(key.namespace), "name": .string(key.name), "version": .integer(version)
        ]
    }

    private static func replay(_ record: JSON, into state: inout ClusterState) -> Bool {
        guard let group = record["group"]?.string, let plural = record["plural"]?.string,
            let namespace = record["namespace"]?.string, let name = record["name"]?.string,
            let version = record["version"]?.integer
        else { return false }
        let key = ObjectKey(
            resource: GroupResource(group: group, plural: plural), namespace: namespace, name: name)
        if let object = record["object"] {
            state.restore(object, at: key, version: version)
        } else {
            state.restoreRemoval(key, version: version)
        }
        return true
    }

    // MARK: bytes

    private static func failure(_ path: String, _ what: String) -> Failure {
        let reason = String(cString: strerror(errno))
        return Failure("sandbox.storage", "the sandbox's file \(path) \(what): \(reason)")
    }

    private static func read(_ descriptor: Int32, _ path: String) throws(Failure) -> [UInt8] {
        var result: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 18)
        while true {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw failure(path, "cannot be read") }
            if count == 0 { return result }
            result += chunk[..<count]
        }
    }

    private static func write(_ bytes: [UInt8], to descriptor: Int32, _ path: String) throws(Failure) {
        var offset = 0
        while offset < bytes.count {
            let count = bytes[offset...].withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw failure(path, "cannot be written") }
            offset += count
        }
    }
}
