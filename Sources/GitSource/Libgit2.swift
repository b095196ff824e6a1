import CLibgit2
import Shiplog

/// libgit2, started once a process.
enum Libgit2 {
    /// Set before the first handle is opened. libgit2's defaults fit one person's checkout, not a server.
    private static let started: Bool = {
        guard git_libgit2_init() > 0 else { return false }
        for level in [
            GIT_CONFIG_LEVEL_SYSTEM, GIT_CONFIG_LEVEL_XDG, GIT_CONFIG_LEVEL_GLOBAL, GIT_CONFIG_LEVEL_PROGRAMDATA
        ] {
            _ = shiplog_git_no_search_path(Int32(level.rawValue))
        }
        _ = shiplog_git_no_owner_validation()
        _ = shiplog_git_cache_limit(64 << 20)
        _ = shiplog_git_mapped_limit(1 << 30)
        _ = shiplog_git_open_files_limit(256)
        _ = shiplog_git_verify_hashes()
        _ = shiplog_git_fsync()
        return true
    }()

    static func start() throws(Failure) {
        guard started else { throw Failure("git.library-missing", "libgit2 could not be started") }
    }

    /// Throws when libgit2 returned an error. Called at once, on the same thread: the message belongs to the thread's
    /// last call.
    static func check(_ result: Int32, _ act: @autoclosure () -> String) throws(Failure) {
        guard result < 0 else { return }
        let last = git_error_last()
        let kind = last.map { $0.pointee.klass } ?? 0
        let text = last.flatMap { $0.pointee.message }.map { String(cString: $0) } ?? "no reason given"
        let message = act() + " failed: " + printable(text, limit: 200)
        switch git_error_t(UInt32(bitPattern: kind)) {
        case GIT_ERROR_OS, GIT_ERROR_NOMEMORY, GIT_ERROR_THREAD, GIT_ERROR_FILESYSTEM:
            throw Failure(
                unusable, message, remedy: "check the room, the permissions and the open files of the data directory",
                next: .retry(afterMilliseconds: nil))
        default:
            throw Failure(
                broken, message, remedy: "nothing to do: the mirror is checked and made anew with the next fetch",
                next: .retry(afterMilliseconds: nil))
        }
    }

    /// The disk, not the mirror, is in the way.
    static let unusable: Failure.Code = "git.mirror-unusable"
    /// The mirror does not have what it must have.
    static let broken: Failure.Code = "git.mirror-broken"

    static func oid(_ hex: String) throws(Failure) -> git_oid {
        var oid = git_oid()
        try check(git_oid_fromstrn(&oid, hex, min(hex.utf8.count, 40)), "Reading an object's name")
        return oid
    }

    static func hex(_ oid: git_oid) -> String {
        withUnsafeBytes(of: oid) { Array($0.prefix(20)).hex }
    }

    /// A name for a folder: the SHA-1 that Git would give the text as a blob. Not a secret's only protection; a name.
    static func digest(_ text: String) throws(Failure) -> String {
        try start()
        var oid = git_oid()
        let bytes = Array(text.utf8)
        try check(git_odb_hash(&oid, bytes, bytes.count, GIT_OBJECT_BLOB), "Naming a mirror")
        return hex(oid)
    }

    /// Text from a stranger, fit for one line of a log: without control characters, cut.
    static func printable(_ text: String, limit: Int) -> String {
        var scalars = String.UnicodeScalarView()
        for scalar in text.unicodeScalars.prefix(limit) {
            scalars.append(scalar.properties.generalCategory == .control ? " " : scalar)
        }
        return String(scalars)
    }
}

/// One handle of libgit2's, freed when its owner goes.
struct GitHandle: ~Copyable {
    let pointer: OpaquePointer
    private let free: @convention(c) (OpaquePointer?) -> Void

    /// - Parameter open: fills the pointer and returns libgit2's result.
    init(
        _ act: @autoclosure () -> String, freeing free: @escaping @convention(c) (OpaquePointer?) -> Void,
        _ open: (inout OpaquePointer?) -> Int32
    ) throws(Failure) {
        var pointer: OpaquePointer?
        try Libgit2.check(open(&pointer), act())
        guard let pointer else { throw Failure(Libgit2.broken, act() + " gave nothing") }
        self.pointer = pointer
        self.free = free
    }

    deinit { free(pointer) }
}
