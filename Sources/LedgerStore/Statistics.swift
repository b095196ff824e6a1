import GRDB
public import Shiplog

extension Ledger {
    /// How groups of appends have been committed since the ledger was opened.
    public struct CommitMetrics: Sendable, Hashable {
        public var commits = 0
        public var appends = 0
        public var largestGroup = 0

        public init() {}

        /// Appends a commit; 0 before the first.
        public var meanGroup: Double { commits == 0 ? 0 : Double(appends) / Double(commits) }
    }

    public struct Statistics: Sendable, Hashable {
        /// Sequences given out.
        public var rows: Int64
        /// Of the database file.
        public var bytes: Int64
        public var walBytes: Int64
        /// Bytes of the file a sequence, everything included: manifests, bodies, indexes.
        public var bytesPerRow: Double
        /// How much the newest rows say the file grows in 24 hours; 0 until there are rows of a minute.
        public var bytesPerDay: Double
        public var growth: [ApplicationGrowth]
        public var commits: CommitMetrics
    }

    public struct ApplicationGrowth: Sendable, Hashable {
        public var application: ApplicationUID
        public var rowsPerDay: Double
        /// Of entries with their hash and index rows: manifests and bodies are shared or rare.
        public var bytesPerDay: Double
    }

    /// Sizes now, and an estimate of growth from the newest 20,000 rows.
    public func statistics() async throws(Failure) -> Statistics {
        let bytes = FileSystem.size(of: directory.ledger) ?? 0
        let walBytes = FileSystem.size(of: directory.ledger + "-wal") ?? 0
        let commits = (try? writer)?.metrics ?? CommitMetrics()
        return try await read("reading statistics") { db in
            let rows = try Reading.head(db)?.value ?? 0
            let newest = try Row.fetchAll(db.cachedStatement(sql: Self.newestRows), arguments: ["after": rows - 20_000])
            var sums: [String: (rows: Int64, bytes: Int64)] = [:]
            var (first, last): (Int64, Int64) = (.max, .min)
            var (count, sum): (Int64, Int64) = (0, 0)
            for row in newest {
                let (number, size): (Int64, Int64) = (try row.held("number"), try row.held("bytes"))
                if let uid: String = try row.held("application") { sums[uid] = (number, size) }
                count += number
                sum += size
                first = min(first, try row.held("first"))
                last = max(last, try row.held("last"))
            }
            let days = count > 1 ? (Double(last) - Double(first)) / 86_400_000 : 0
            let perDay = { (value: Double) in days > 1.0 / 1440 ? value / days : 0 }
            let perRow = rows == 0 ? 0 : Double(bytes) / Double(rows)
            let growth = sums.compactMap { uid, sum in
                ApplicationUID(uid).map {
                    ApplicationGrowth(
                        application: $0, rowsPerDay: perDay(Double(sum.rows)), bytesPerDay: perDay(Double(sum.bytes)))
                }
            }
            return Statistics(
                rows: rows, bytes: bytes, walBytes: walBytes, bytesPerRow: perRow,
                bytesPerDay: perDay(Double(count) * perRow), growth: growth.sorted { $0.application < $1.application },
                commits: commits)
        }
    }

    /// 100 bytes stand for the leaf and the index rows of an entry.
    static let newestRows = """
        SELECT application, count(*) AS number, sum(length(entry) + 100) AS bytes, min(recorded_at) AS first,
            max(recorded_at) AS last
        FROM revision WHERE sequence > :after GROUP BY application
        UNION ALL SELECT NULL, count(*), sum(length(entry) + 100), min(recorded_at), max(recorded_at)
        FROM event WHERE sequence > :after HAVING count(*) > 0
        """
}
