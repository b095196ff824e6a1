import Foundation
import Synchronization

/// What this process has on the disk for the time of its work, keys in the clear among it: removed by whoever ends the
/// process early and still can. What a SIGKILL leaves, the next one at that place removes.
public enum Leftovers {
    private static let paths = Mutex<Set<String>>([])

    public static func add(_ path: String) { _ = paths.withLock { $0.insert(path) } }
    public static func remove(_ path: String) { _ = paths.withLock { $0.remove(path) } }

    public static func removeAll() {
        for path in paths.withLock(\.self) {
            // Twice: another thread may have made a file in it while the first went on.
            for _ in 0..<2 { try? FileManager.default.removeItem(atPath: path) }
        }
    }
}
