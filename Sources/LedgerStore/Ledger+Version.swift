import GRDB

extension Ledger {
    /// The version of the SQLite library that this program runs with, such as `3.40.1`.
    public static var sqliteVersion: String {
        let database = try? DatabaseQueue()
        return (try? database?.read { db in try String.fetchOne(db, sql: "SELECT sqlite_version()") }) ?? "unknown"
    }
}
