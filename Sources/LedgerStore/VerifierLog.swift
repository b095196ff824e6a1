import Foundation
import GRDB
import Shiplog
import TransparencyLog

/// What one part of the log leaves for the checks that come after it.
struct LogPart: Sendable {
    /// Rows that change a projection, in order.
    var stateful: [Int64] = []
    /// Revisions that unchanged ones name: each with the application and a row that names it.
    var repeated: [Int64: (application: String, by: Int64)] = [:]
    var firstRecordedAt: (sequence: Int64, time: Int64)?
    var lastRecordedAt: (sequence: Int64, time: Int64)?
    /// The tree over this part; it ends early where a leaf is missing.
    var tree: MerkleRange
    /// The same, as it was after the entries of each head that was kept.
    var earlier: [Int64: MerkleRange] = [:]
    /// Subtrees of 256^level leaves that this part completes by itself.
    var tiles: [TileHash] = []

    init(from first: Int64) { tree = MerkleRange(from: first - 1) }
}

extension Verifier {
    /// Walks leaf, revision, event and body side by side, each once and in order.
    func log(_ db: Database, _ range: ClosedRange<Int64>, of total: Int64, isEmpty: Bool) throws -> LogPart {
        var part = LogPart(from: isEmpty ? 1 : range.lowerBound)
        guard !isEmpty else { return part }
        var walk = try LogWalk(db, range)
        var folds = try Folds(db, from: range.lowerBound)
        var erasing = ErasingEvents(db)
        let sizes = Set(kept.map(\.head.size))
        var (rows, bytes, bodies): (Int64, Int64, Int64) = (0, 0, 0)
        var next = range.lowerBound
        let stray: (Int64) -> Void = { findings.add($0, "an entry stands outside the log") }
        while next <= range.upperBound {
            let sequence = next
            next += 1
            rows += 1
            if rows & 0xFFF == 0 {
                try Task.checkCancellation()
                findings.countLog(rows: 0x1000, bytes: 0, bodies: 0)
                progress(VerificationProgress(phase: .log, done: findings.rows, total: total))
            }
            let row = try walk.leaf.row(at: sequence) { findings.add($0, "a leaf stands outside the log") }
            let leaf = try row?.withUnsafeData(atIndex: 1) { $0.flatMap { MerkleHash(bytes: $0) } }
            if row == nil {
                // However wide the gap is, it is one finding.
                let there = try walk.nearest(from: sequence) ?? range.upperBound + 1
                findings.add(sequence, "is missing: the log has a gap up to #\(max(sequence, there - 1))")
                if there > sequence {
                    next = there
                    continue
                }
            }
            if row != nil, leaf == nil { findings.add(sequence, "its leaf is no hash") }
            if part.tree.end == sequence - 1, let leaf {
                part.tree.append(leaf) { part.tiles.append(TileHash(level: $0, position: $1, hash: $2)) }
                if sizes.contains(sequence) { part.earlier[sequence] = part.tree }
            }
            var scan: Scan?
            var found = 0
            if let row = try walk.revision.row(at: sequence, stray) {
                found += 1
                scan = try read(row, sequence, .revision, leaf: leaf, &part, &bytes)
                // Unchanged reconciles, nearly all rows, are left to the scanner.
                if let scan, scan.entry.sameAs == nil { try decode(db, sequence) }
            }
            if let row = try walk.event.row(at: sequence, stray) {
                found += 1
                scan = try read(row, sequence, .event, leaf: leaf, &part, &bytes)
                try decode(db, sequence)
            }
            if found > 1 { findings.add(sequence, "is a revision and an event at once") }
            if found == 0, row != nil, try !folds.cover(sequence) {
                findings.add(sequence, "its entry is missing, and no retention took it")
            }
            bodies += try check(bodiesOf: sequence, scan, &walk, &erasing)
        }
        if let beyond = try walk.beyond(range.upperBound), range.upperBound == total {
            // Rows above the head of the snapshot are a running server's.
            if try Int64.fetchOne(db, sql: "SELECT 1 FROM leaf WHERE sequence = ?", arguments: [beyond]) == nil {
                findings.add(beyond, "an entry stands outside the log")
            }
        }
        findings.countLog(rows: rows & 0xFFF, bytes: bytes, bodies: bodies)
        return part
    }

    /// nil when there is nothing that could be read.
    private func read(
        _ row: Row, _ sequence: Int64, _ table: WriteTransaction.Table, leaf: MerkleHash?, _ part: inout LogPart,
        _ bytes: inout Int64
    ) throws -> Scan? {
        try row.withUnsafeData(atIndex: 1) { data -> Scan? in
            guard let data else { return nil }
            bytes += Int64(data.count)
            return check(data, sequence, table, leaf: leaf, &part)
        }
    }

    private func check(
        _ data: Data, _ sequence: Int64, _ table: WriteTransaction.Table, leaf: MerkleHash?, _ part: inout LogPart
    ) -> Scan? {
        data.withUnsafeBytes { raw -> Scan? in
            if let leaf, leaf != .leaf(raw) { findings.add(sequence, "its entry is not the one that was hashed") }
            let bytes = raw.bindMemory(to: UInt8.self)
            guard let entry = CanonicalScanner.scan(bytes) else {
                findings.add(sequence, "its entry is not in canonical form")
                return nil
            }
            func text(_ range: Range<Int>?) -> String {
                range.map { String(decoding: UnsafeBufferPointer(rebasing: bytes[$0]), as: UTF8.self) } ?? ""
            }
            if entry.format != EntryFormat1.number {
                findings.add(sequence, "its entry is in the unknown format \(entry.format)")
            }
            if entry.sequence != sequence { findings.add(sequence, "its entry says that it is #\(entry.sequence)") }
            if let time = entry.recordedAt {
                if let last = part.lastRecordedAt, time < last.time {
                    findings.add(sequence, "was recorded before the row in front of it")
                }
                if part.firstRecordedAt == nil { part.firstRecordedAt = (sequence, time) }
                part.lastRecordedAt = (sequence, time)
            } else {
                findings.add(sequence, "its entry does not say when it was recorded")
            }
            if table == .event {
                let kind = text(entry.kind)
                if Event.Kind(rawValue: kind) == nil {
                    findings.add(sequence, "is an event of the unknown kind \(kind)")
                }
                if entry.hasPin || Self.isStateful(kind) || entry.bodies.contains(where: { text($0.name) == "gone" }) {
                    part.stateful.append(sequence)
                }
            } else if let sameAs = entry.sameAs {
                if sameAs >= sequence { findings.add(sequence, "repeats a row that comes after it") }
                // What the table's checks would say, which are not evaluated again here.
                if entry.attempt != nil || entry.application == nil || Revision.Kind(rawValue: text(entry.kind)) == nil
                {
                    findings.add(sequence, "repeats a row without being a reconcile of an application")
                }
                if part.repeated[sameAs] == nil { part.repeated[sameAs] = (text(entry.application), sequence) }
            } else {
                if Revision.Kind(rawValue: text(entry.kind)) == nil {
                    findings.add(sequence, "is a revision of an unknown kind")
                }
                if entry.attempt != nil || entry.hasPin { part.stateful.append(sequence) }
            }
            // Bodies are rare; their names and digests are needed after the cursor has gone on.
            return Scan(entry: entry, raw: entry.bodies.isEmpty ? [] : Array(bytes))
        }
    }

    private struct Scan {
        let entry: CanonicalScanner.Entry
        let raw: [UInt8]
    }

    /// Whether the row says what the program understands.
    private func decode(_ db: Database, _ sequence: Int64) throws {
        do {
            _ = try Reading.record(db, at: sequence)
        } catch let failure as Failure {
            findings.add(sequence, "cannot be read: \(failure.message)")
        }
    }

    private static func isStateful(_ kind: String) -> Bool {
        kind == "attempt.started" || kind == "cluster.accepted" || kind.hasPrefix("application.")
            || kind.hasPrefix("token.")
    }

    /// The bodies that are there against those that the entry names.
    private func check(
        bodiesOf sequence: Int64, _ scan: Scan?, _ walk: inout LogWalk, _ erasing: inout ErasingEvents
    ) throws -> Int64 {
        // Nearly every row: names none, has none.
        let present = try walk.bodies(at: sequence)
        guard let scan, !(present.isEmpty && scan.entry.bodies.isEmpty) else { return 0 }
        var named: [String: String] = [:]
        for body in scan.entry.bodies {
            named[String(decoding: scan.raw[body.name], as: UTF8.self)] =
                String(decoding: scan.raw[body.digest], as: UTF8.self)
        }
        for body in present {
            guard let digest = named.removeValue(forKey: body.name) else {
                findings.add(sequence, "has a part \(body.name) that its entry does not name")
                continue
            }
            guard let salt = body.salt, let content = body.content, body.erasedBy == nil else {
                if try erasing.took(body, of: sequence) {
                    findings.note("parts of some rows were erased, and what they said cannot be checked")
                } else {
                    findings.add(sequence, "its part \(body.name) is marked as erased or gone, and no act erased it")
                }
                continue
            }
            let bytes = try? StoredBytes.unpack(content, encoding: body.encoding, limit: StoredBytes.limit)
            if bytes.map({ DraftBody.digest(salt: salt, content: $0).hex }) != digest {
                findings.add(sequence, "its part \(body.name) is not the one that its entry names")
            }
        }
        for name in named.keys.sorted() { findings.add(sequence, "its part \(name) is missing") }
        return Int64(present.count)
    }
}

/// Ranges that retention has taken rows from, asked for in order.
private struct Folds {
    private let rows: RowCursor
    private var current: ClosedRange<Int64>?

    init(_ db: Database, from first: Int64) throws {
        // A fold excuses nothing unless the event it names is an act of retention. Ranges never overlap: `last` is
        // unique, and whatever else a damaged table holds is told by `Verifier.folds`.
        let logged = """
            SELECT first, last FROM fold JOIN event ON event.sequence = fold.event
            WHERE event.kind = 'ledger.folded' AND last >= ? ORDER BY first
            """
        rows = try Row.fetchCursor(db.makeStatement(sql: logged), arguments: [first])
        try advance()
    }

    private mutating func advance() throws {
        current = nil
        while current == nil, let row = try rows.next() {
            let (first, last): (Int64, Int64) = (try row.heldInteger(0), try row.heldInteger(1))
            if first <= last { current = first...last }
        }
    }

    /// - Parameter sequence: no less than any that was asked for before.
    mutating func cover(_ sequence: Int64) throws -> Bool {
        while let range = current, range.upperBound < sequence { try advance() }
        return current?.contains(sequence) ?? false
    }
}

/// Four tables read side by side in order of `sequence`.
struct LogWalk {
    struct Body {
        let name: String
        let salt: [UInt8]?
        let encoding: Int64
        let content: [UInt8]?
        let erasedBy: Int64?
    }

    /// A cursor that is asked for one sequence after the other.
    struct Cursor {
        private let rows: RowCursor
        private var current: Row?
        /// The sequence of `current`.
        private var number: Int64?
        private var isGiven = false

        init(_ db: Database, _ sql: String, _ range: ClosedRange<Int64>) throws {
            rows = try Row.fetchCursor(
                db.makeStatement(sql: sql), arguments: ["first": range.lowerBound, "last": range.upperBound])
            try advance()
        }

        private mutating func advance() throws {
            current = try rows.next()
            number = try current?.heldInteger(0)
        }

        /// The sequence of the row that comes next; nil at the end.
        mutating func sequence() throws -> Int64? {
            if isGiven {
                try advance()
                isGiven = false
            }
            return number
        }

        /// The next row if it is of that sequence, valid until the next call. Rows in front of it, which nobody asked
        /// for, are told to `stray`.
        mutating func row(at wanted: Int64, _ stray: (Int64) -> Void) throws -> Row? {
            while let number = try sequence() {
                if number > wanted { return nil }
                isGiven = true
                if number == wanted { return current }
                stray(number)
            }
            return nil
        }
    }

    var leaf: Cursor
    var revision: Cursor
    var event: Cursor
    private var body: Cursor
    private let db: Database

    init(_ db: Database, _ range: ClosedRange<Int64>) throws {
        self.db = db
        func sql(_ columns: String, _ table: String, _ order: String = "sequence") -> String {
            "SELECT sequence, \(columns) FROM \(table) WHERE sequence BETWEEN :first AND :last ORDER BY \(order)"
        }
        leaf = try Cursor(db, sql("hash", "leaf"), range)
        revision = try Cursor(db, sql("entry", "revision"), range)
        event = try Cursor(db, sql("entry", "event"), range)
        body = try Cursor(db, sql("name, salt, encoding, content, erased_by", "body", "sequence, name"), range)
    }

    /// The lowest sequence from there on of which any table has a row.
    mutating func nearest(from sequence: Int64) throws -> Int64? {
        [try leaf.sequence(), try revision.sequence(), try event.sequence()].compactMap { $0 }
            .filter { $0 >= sequence }.min()
    }

    mutating func bodies(at sequence: Int64) throws -> [Body] {
        var bodies: [Body] = []
        while let row = try body.row(at: sequence, { _ in }) {
            let (salt, content): (Data?, Data?) = (try row.held(2), try row.held(4))
            bodies.append(
                Body(
                    name: try row.held(1), salt: salt.map { Array($0) }, encoding: try row.held(3),
                    content: content.map { Array($0) }, erasedBy: try row.held(5)))
        }
        return bodies
    }

    /// The first entry behind the log's end.
    func beyond(_ last: Int64) throws -> Int64? {
        try Int64.fetchOne(
            db,
            sql: """
                SELECT min(sequence) FROM (
                    SELECT min(sequence) AS sequence FROM revision WHERE sequence > :last
                    UNION ALL SELECT min(sequence) FROM event WHERE sequence > :last)
                """, arguments: ["last": last])
    }
}
