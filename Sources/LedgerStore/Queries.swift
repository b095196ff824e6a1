import Foundation
import GRDB
public import Shiplog

/// A page of a list, and where the next begins.
public struct Page<Item: Sendable>: Sendable {
    public let items: [Item]
    /// Give it as `cursor` to go on; nil at the end.
    public let next: SequenceNumber?
    /// The head of the log when the page was read: a stream goes on from here. nil for an empty log.
    public let asOf: SequenceNumber?

    public init(items: [Item], next: SequenceNumber?, asOf: SequenceNumber?) {
        self.items = items
        self.next = next
        self.asOf = asOf
    }
}

public enum PageOrder: Sendable, Hashable {
    case newestFirst, oldestFirst
}

/// Which revisions. Every condition that is set must hold; an empty list means no condition.
public struct RevisionQuery: Sendable, Hashable {
    public var applications: [ApplicationUID]
    /// Every application that has or had one of these names.
    public var names: [String]
    public var projects: [String]
    public var kinds: [Revision.Kind]
    public var causes: [Cause]
    public var actor: String?
    /// `succeeded`, `failed`, `superseded`.
    public var outcomes: [String]
    /// Only what was about the whole of its manifests: no sync of selected resources, no deletion.
    public var wholeOnly = false
    /// At least seven digits of a commit.
    public var commit: String?
    /// Recorded at this moment or later.
    public var from: Timestamp?
    /// Recorded before this moment.
    public var to: Timestamp?
    /// In the commit's subject, the ticket or the reason; upper and lower case of ASCII letters are one.
    public var text: String?
    /// Also reconciles that found nothing changed: nearly all rows.
    public var includeUnchanged: Bool
    public var order: PageOrder
    /// The last sequence already seen.
    public var cursor: SequenceNumber?
    /// 1…500.
    public var limit: Int

    public init(
        applications: [ApplicationUID] = [], names: [String] = [], projects: [String] = [],
        kinds: [Revision.Kind] = [], causes: [Cause] = [], actor: String? = nil, outcomes: [String] = [],
        commit: String? = nil, from: Timestamp? = nil, to: Timestamp? = nil, text: String? = nil,
        includeUnchanged: Bool = false, order: PageOrder = .newestFirst, cursor: SequenceNumber? = nil, limit: Int = 50
    ) {
        self.applications = applications
        self.names = names
        self.projects = projects
        self.kinds = kinds
        self.causes = causes
        self.actor = actor
        self.outcomes = outcomes
        self.commit = commit
        self.from = from
        self.to = to
        self.text = text
        self.includeUnchanged = includeUnchanged
        self.order = order
        self.cursor = cursor
        self.limit = limit
    }
}

/// Which events; as in `RevisionQuery`.
public struct EventQuery: Sendable, Hashable {
    public var applications: [ApplicationUID]
    public var names: [String]
    public var projects: [String]
    public var kinds: [Event.Kind]
    public var actor: String?
    public var outcomes: [String]
    /// The revision they speak of.
    public var revision: SequenceNumber?
    public var from: Timestamp?
    public var to: Timestamp?
    public var order: PageOrder
    public var cursor: SequenceNumber?
    public var limit: Int

    public init(
        applications: [ApplicationUID] = [], names: [String] = [], projects: [String] = [], kinds: [Event.Kind] = [],
        actor: String? = nil, outcomes: [String] = [], revision: SequenceNumber? = nil, from: Timestamp? = nil,
        to: Timestamp? = nil, order: PageOrder = .newestFirst, cursor: SequenceNumber? = nil, limit: Int = 50
    ) {
        self.applications = applications
        self.names = names
        self.projects = projects
        self.kinds = kinds
        self.actor = actor
        self.outcomes = outcomes
        self.revision = revision
        self.from = from
        self.to = to
        self.order = order
        self.cursor = cursor
        self.limit = limit
    }
}

/// One statement for a page: conditions, an index chosen for them, and named arguments.
///
/// Which index drives is decided here and pinned with INDEXED BY, so that a page costs the same at ten thousand rows and
/// at ten million; a test explains each plan. Where several conditions could drive, the rarest wins.
struct PageStatement {
    private(set) var conditions: [String] = []
    private(set) var arguments: [String: any DatabaseValueConvertible] = [:]
    let table: String
    var index: String?
    let order: PageOrder
    let limit: Int

    init(table: String, order: PageOrder, limit: Int) {
        self.table = table
        self.order = order
        self.limit = min(500, max(1, limit))
    }

    mutating func add(_ condition: String, _ name: String? = nil, _ value: (any DatabaseValueConvertible)? = nil) {
        conditions.append(condition)
        if let name, let value { arguments[name] = value }
    }

    /// One value compares, several are a list: `IN` on an indexed column would have to sort.
    mutating func add(_ column: String, anyOf values: [String]) {
        guard let first = values.first else { return }
        if values.count == 1 {
            add("\(column) = :\(column)", column, first)
        } else {
            let list = JSON.array(values.map { .string($0) }).canonicalString
            add("+\(column) IN (SELECT value FROM json_each(:\(column)))", column, list)
        }
    }

    mutating func addRange(cursor: SequenceNumber?, from: Int64?, to: Int64?) {
        let isNewest = order == .newestFirst
        if let cursor { add("sequence \(isNewest ? "<" : ">") :cursor", "cursor", cursor.value) }
        if let from { add("sequence >= :from", "from", from) }
        if let to { add("sequence <= :to", "to", to) }
    }

    var sql: String {
        """
        SELECT sequence, entry FROM \(table)\(index.map { " INDEXED BY \($0)" } ?? "")
        WHERE \(conditions.isEmpty ? "sequence > 0" : conditions.joined(separator: " AND "))
        ORDER BY sequence \(order == .newestFirst ? "DESC" : "ASC") LIMIT :limit
        """
    }

    /// One row more than asked for tells whether there is another page.
    func rows(_ db: Database) throws -> [Row] {
        var all = arguments
        all["limit"] = limit + 1
        return try Row.fetchAll(db.cachedStatement(sql: sql), arguments: StatementArguments(all))
    }
}

extension RevisionQuery {
    /// - Parameter uids: of `names`, looked up in the same snapshot.
    func statement(uids: [String], from: Int64?, to: Int64?) throws -> PageStatement {
        var statement = PageStatement(table: "revision", order: order, limit: limit)
        let kindWords = kinds.map(\.rawValue)
        // Unchanged rows are reconciles that were not asked for by anybody and carry no commit.
        let changedOnly = !includeUnchanged || commit != nil || (!kinds.isEmpty && !kinds.contains(.reconcile))
        if changedOnly { statement.add("same_as IS NULL") }
        statement.add("application", anyOf: uids)
        statement.add("project", anyOf: projects)
        statement.add("kind", anyOf: kindWords)
        statement.add("cause", anyOf: causes.map(\.rawValue))
        statement.add("outcome", anyOf: outcomes)
        if let actor { statement.add("actor = :actor", "actor", actor) }
        if wholeOnly {
            statement.add("entry -> '$.options.resources' IS NULL AND entry -> '$.options.deletion' IS NULL")
        }
        if let commit { try addCommit(commit, to: &statement) }
        if let text, !text.isEmpty {
            statement.add(
                """
                (instr(lower(coalesce(entry ->> '$.source.commit.subject', '')), lower(:text)) > 0
                    OR instr(lower(coalesce(entry ->> '$.ticket', '')), lower(:text)) > 0
                    OR EXISTS (SELECT 1 FROM body WHERE body.sequence = revision.sequence AND body.name = 'reason'
                        AND body.encoding = 0 AND instr(lower(CAST(body.content AS TEXT)), lower(:text)) > 0))
                """, "text", text)
        }
        statement.addRange(cursor: cursor, from: from, to: to)
        statement.index = index(uids: uids, changedOnly: changedOnly)
        return statement
    }

    private func addCommit(_ commit: String, to statement: inout PageStatement) throws {
        let digits = commit.lowercased()
        guard (7...40).contains(digits.utf8.count), digits.utf8.allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit })
        else {
            throw Failure(
                .ledgerQueryInvalid, "a commit is given by 7 to 40 hexadecimal digits",
                remedy: "give more digits of the commit's SHA")
        }
        if digits.utf8.count == 40 { return statement.add("commit_id = :commit", "commit", digits) }
        // `g` comes after every digit. The rows of the few commits that start so are sorted.
        statement.add("commit_id >= :commit AND commit_id < :commit || 'g'", "commit", digits)
    }

    private func index(uids: [String], changedOnly: Bool) -> String? {
        if commit != nil { return "revision_commit" }
        if uids.count == 1 { return changedOnly ? "revision_changed_application" : "revision_application" }
        guard changedOnly else { return nil }
        if kinds.count == 1, kinds.first != .reconcile { return "revision_changed_kind" }
        if actor != nil { return "revision_changed_actor" }
        if outcomes.count == 1, outcomes.first != "succeeded" { return "revision_changed_outcome" }
        if causes.count == 1 { return "revision_changed_cause" }
        if projects.count == 1 { return "revision_changed_project" }
        if kinds.count == 1 { return "revision_changed_kind" }
        return "revision_changed"
    }
}

extension EventQuery {
    func statement(uids: [String], from: Int64?, to: Int64?) -> PageStatement {
        var statement = PageStatement(table: "event", order: order, limit: limit)
        statement.add("application", anyOf: uids)
        statement.add("project", anyOf: projects)
        statement.add("kind", anyOf: kinds.map(\.rawValue))
        statement.add("outcome", anyOf: outcomes)
        if let actor { statement.add("actor = :actor", "actor", actor) }
        if let revision { statement.add("revision = :revision", "revision", revision.value) }
        statement.addRange(cursor: cursor, from: from, to: to)
        if revision != nil {
            statement.index = "event_revision"
        } else if uids.count == 1 {
            statement.index = "event_application"
        } else if kinds.count == 1 {
            statement.index = "event_kind"
        } else if actor != nil {
            statement.index = "event_actor"
        } else if outcomes.count == 1, outcomes.first != "succeeded" {
            statement.index = "event_outcome"
        } else if projects.count == 1 {
            statement.index = "event_project"
        }
        return statement
    }
}
