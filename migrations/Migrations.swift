/// One step of the schema's history. A released one never changes: a test pins its digest.
public struct Migration: Sendable {
    /// 1, 2, 3, …: what `PRAGMA user_version` says after it.
    public let version: Int
    /// The file's name.
    public let name: String
    public let sql: String
}

/// The schema's history, in order.
public enum Migrations {
    /// `embedInCode` makes `_001_ledger_sql` of the first file's name: it drops a leading digit.
    public static let all: [Migration] = [
        Migration(
            version: 1, name: "0001_ledger.sql",
            sql: String(decoding: PackageResources._001_ledger_sql, as: UTF8.self)),
        Migration(
            version: 2, name: "0002_tree.sql", sql: String(decoding: PackageResources._002_tree_sql, as: UTF8.self))
    ]
}
