import Foundation
import GRDB
import Shiplog

/// Acts of erasing, looked up by sequence: the only thing that excuses a part or a value which is not there. The last few
/// are kept, for whoever empties many rows by hand names one event for all of them.
struct ErasingEvents {
    private let db: Database
    private var recent: [(sequence: Int64, event: StoredEvent?)] = []

    init(_ db: Database) { self.db = db }

    /// Whether the event that a body names says that it took this part of this row. It says so in its facts, which stand
    /// in the entry and cannot be erased.
    mutating func took(_ body: LogWalk.Body, of sequence: Int64) throws -> Bool {
        guard let by = body.erasedBy, by > sequence, body.salt == nil, body.content == nil,
            let event = try event(at: by), event.value.kind == .bodyErased
        else { return false }
        let facts = event.value.facts
        return facts.at("erased", "name")?.string == body.name
            && facts.at("erased", "sequence") == EntryFields.integer(sequence)
    }

    private mutating func event(at sequence: Int64) throws -> StoredEvent? {
        if let known = recent.first(where: { $0.sequence == sequence }) { return known.event }
        let event = try Self.event(db, at: sequence)
        if recent.count >= 8 { recent.removeFirst() }
        recent.append((sequence, event))
        return event
    }

    /// nil for what is no event, or none that can be read: that is told where the row is walked.
    static func event(_ db: Database, at sequence: Int64) throws -> StoredEvent? {
        do {
            return try Reading.event(db, at: sequence)
        } catch is Failure {
            return nil
        }
    }
}

extension Verifier {
    private static let erasedValues = """
        SELECT owner, path, erased_by, wrapped IS NULL AND ciphertext IS NULL FROM sealed
        WHERE erased_by IS NOT NULL OR wrapped IS NULL OR ciphertext IS NULL ORDER BY erased_by, id
        """

    /// Every value that is gone was taken by an act that names its Secret, and each act took as many as it says.
    func erasedValues(_ db: Database) throws {
        let cursor = try Row.fetchCursor(db, sql: Self.erasedValues)
        var act: ErasedValues?
        while let row = try cursor.next() {
            try Task.checkCancellation()
            let (owner, path, by): (Data, String, Int64?) = (try row.held(0), try row.held(1), try row.held(2))
            let isGone = try row.heldInteger(3) == 1
            let name = "the sealed value \(path) of the stored manifest \(Array(owner).hex.prefix(12))"
            guard let by, isGone else {
                findings.add(nil, "\(name) is gone without an act of erasing, or there in spite of one")
                continue
            }
            if act?.sequence != by {
                compare(act)
                act = try ErasedValues(db, by)
            }
            act?.count += 1
            if act?.took(Array(owner), path) != true {
                findings.add(nil, "\(name) is gone, and #\(by) is no act that erased it")
            }
        }
        compare(act)
    }

    private func compare(_ act: ErasedValues?) {
        guard let act, let logged = act.logged, logged != act.count else { return }
        findings.add(act.sequence, "says that it erased \(logged) sealed values, and \(act.count) name it")
    }
}

/// What one `secrets.erased` event took.
private struct ErasedValues {
    let sequence: Int64
    /// How many values it says; nil when it is no such event.
    private(set) var logged: Int64?
    /// Rows that name it.
    var count: Int64 = 0
    /// The one path that it took; nil for all.
    private var path: String?
    /// The Secret in every form in which the application had attempted it until then.
    private var owners: Set<[UInt8]> = []

    init(_ db: Database, _ sequence: Int64) throws {
        self.sequence = sequence
        guard let event = try ErasingEvents.event(db, at: sequence)?.value, event.kind == .secretsErased,
            let uid = event.application?.uid.value, let resource = event.facts["resource"],
            let key = try? EntryFields.readKey(resource)
        else { return }
        logged = event.facts["count"]?.integer ?? 0
        if let name = event.facts["name"]?.string { path = "/data/" + Redactor.escaped(name) }
        let sets = try Row.fetchCursor(
            db, sql: "SELECT DISTINCT desired FROM attempt WHERE application = ? AND sequence < ?",
            arguments: [uid, sequence])
        while let row = try sets.next() {
            let bytes: Data = try row.held(0)
            guard let digest = Digest(bytes: bytes) else { continue }
            for member in try Self.members(db, digest) where member.key == key { owners.insert(member.digest.bytes) }
        }
    }

    func took(_ owner: [UInt8], _ path: String) -> Bool {
        owners.contains(owner) && (self.path == nil || self.path == path)
    }

    /// None for a set that cannot be read: that is told where blobs are.
    private static func members(_ db: Database, _ digest: Digest) throws -> [ManifestSet.Member] {
        do {
            return try Reading.set(db, digest) ?? []
        } catch is Failure {
            return []
        }
    }
}
