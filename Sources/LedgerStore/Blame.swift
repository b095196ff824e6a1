import Foundation
import GRDB
public import Shiplog

/// Which resource of an application is asked about.
public struct ResourceQuestion: Sendable, Hashable {
    /// Upper and lower case are one.
    public var kind: String
    public var name: String
    /// nil for any.
    public var group: String?
    public var namespace: String?

    public init(kind: String, name: String, group: String? = nil, namespace: String? = nil) {
        self.kind = kind
        self.name = name
        self.group = group
        self.namespace = namespace
    }

    func matches(_ key: ResourceKey) -> Bool {
        key.name == name && key.kind.lowercased() == kind.lowercased()
            && (group ?? key.group) == key.group && (namespace ?? key.namespace) == key.namespace
    }

    var description: String { (namespace.map { $0 + "/" } ?? "") + kind + "/" + name }
}

/// Which revision last changed a resource, or one field of it.
public struct Blame: Sendable, Hashable {
    public enum Change: String, Sendable, Hashable {
        case created, changed
        /// The field is not in the manifest any more.
        case removed
        /// The resource was taken out of the cluster.
        case pruned
    }

    public let application: ApplicationReference
    public let key: ResourceKey
    public let field: ManifestPath?
    public let change: Change
    public let revision: ApplicationState.Deployment
    /// Of the manifest as it stands since; nil when pruned.
    public let manifest: Digest?
    /// Of the field, Secrets' values as keyed digests.
    public let value: JSON?
    /// What was there before, and the last revision that had left it so.
    public let previousManifest: Digest?
    public let previousValue: JSON?
    public let previous: SequenceNumber?
}

extension Ledger {
    /// Walks the manifests that an application's attempts applied, newest first, to where the present one began.
    ///
    /// - Parameters:
    ///   - at: the state that is asked about; later revisions do not count.
    ///   - field: nil for the whole manifest.
    /// - Throws: `blame.resource-unknown`, `blame.resource-ambiguous`, `blame.field-unknown`.
    public func blame(
        _ question: ResourceQuestion, of application: ApplicationReference, field: ManifestPath? = nil,
        at instant: Instant = .head
    ) async throws(Failure) -> Blame {
        try await read("looking for who changed a resource") { db in
            let at = try PointInTime.resolve(db, instant).sequence?.value ?? 0
            return try BlameWalk(db: db, question: question, application: application, field: field).run(at: at)
        }
    }
}

private struct BlameWalk {
    /// What an attempt left of the resource.
    struct Version {
        let row: StateFold.Row
        let manifest: Digest?
        let value: JSON?
    }

    let db: Database
    let question: ResourceQuestion
    let application: ApplicationReference
    let field: ManifestPath?

    func run(at: Int64) throws -> Blame {
        var key: ResourceKey?
        var newest: Version?
        var origin: Version?
        var sets: [Digest: [ResourceKey: Digest]] = [:]
        var values: [Digest: JSON?] = [:]
        let rows = try Row.fetchCursor(
            db.makeStatement(sql: LedgerSQL.applied), arguments: ["application": application.uid.value, "at": at])
        while let stored = try rows.next() {
            try Task.checkCancellation()
            let row = try PointInTime.row(try stored.withUnsafeData(atIndex: 1) { Array($0 ?? Data()) })
            guard !row.isWithoutEffect || row.isWhole, let desired = row.deployment.desired else { continue }
            if sets[desired] == nil {
                // A history that goes back and forth names few sets; one that does not is not kept whole.
                if sets.count > 64 { sets = [:] }
                sets[desired] = Dictionary(
                    (try Reading.set(db, desired) ?? []).map { ($0.key, $0.digest) }, uniquingKeysWith: { $1 })
            }
            let set = sets[desired] ?? [:]
            if key == nil { key = try find(in: row, set) }
            guard let key, let manifest = try manifest(of: key, row, set) else { continue }
            let version = Version(row: row, manifest: manifest, value: try value(in: manifest, &values))
            guard let known = newest else {
                newest = version
                origin = version
                continue
            }
            if isSame(known, version) {
                origin = version
            } else if let origin {
                return try answer(key, newest: known, origin: origin, before: version)
            }
        }
        guard let key, let newest, let origin else {
            throw Failure(
                "blame.resource-unknown", "no revision of \(application.name) applied \(question.description)",
                remedy: "see what it applies with `shiplog app manifests \(application.name)`")
        }
        return try answer(key, newest: newest, origin: origin, before: nil)
    }

    private func find(in row: StateFold.Row, _ set: [ResourceKey: Digest]) throws -> ResourceKey? {
        var found = Set(set.keys.filter(question.matches))
        if found.isEmpty, row.counts.pruned > 0 {
            let stored = try Reading.revision(db, at: row.deployment.sequence.value)
            found = Set((stored?.value.resources ?? []).filter { $0.action == .pruned }.map(\.key)).filter(
                question.matches)
        }
        guard found.count > 1 else { return found.first }
        throw Failure(
            "blame.resource-ambiguous",
            "\(question.description) may be " + found.sorted().map(\.description).joined(separator: " or "),
            remedy: "name the namespace, or the group as in Deployment.apps/web")
    }

    /// The manifest that a row left of the resource: nil when it did not touch it, an inner nil when it pruned it.
    private func manifest(
        of key: ResourceKey, _ row: StateFold.Row, _ set: [ResourceKey: Digest]
    ) throws -> Digest?? {
        if row.isWhole, let manifest = set[key] { return .some(manifest) }
        if row.isWhole, row.counts.pruned == 0 { return nil }
        let outcomes = try Reading.revision(db, at: row.deployment.sequence.value)?.value.resources ?? []
        switch outcomes.last(where: { $0.key == key })?.action {
        case .created?, .updated?, .unchanged?: return set[key].map { .some($0) }
        case .pruned?: return .some(nil)
        default: return nil
        }
    }

    private func value(in manifest: Digest?, _ known: inout [Digest: JSON?]) throws -> JSON? {
        guard let field, let manifest else { return nil }
        if let value = known[manifest] { return value }
        let value = field.value(in: try EntryDecoder.parse(Reading.blob(db, manifest)))
        known.updateValue(value, forKey: manifest)
        return value
    }

    private func isSame(_ one: Version, _ two: Version) -> Bool {
        guard field != nil else { return one.manifest == two.manifest }
        return (one.manifest == nil) == (two.manifest == nil) && one.value == two.value
    }

    private func answer(_ key: ResourceKey, newest: Version, origin: Version, before: Version?) throws -> Blame {
        let change: Blame.Change
        if newest.manifest == nil {
            change = .pruned
        } else if field != nil, newest.value == nil {
            guard before?.value != nil else {
                throw Failure(
                    "blame.field-unknown",
                    "the manifest of \(key) has no \(field?.description ?? ""), and none was seen there before",
                    remedy: "see the manifest with `shiplog app manifests \(application.name)`")
            }
            change = .removed
        } else if let before, before.manifest != nil, field == nil || before.value != nil {
            change = .changed
        } else {
            change = .created
        }
        return Blame(
            application: application, key: key, field: field, change: change, revision: origin.row.deployment,
            manifest: newest.manifest, value: newest.value, previousManifest: before?.manifest,
            previousValue: before?.value, previous: before?.row.deployment.sequence)
    }
}
