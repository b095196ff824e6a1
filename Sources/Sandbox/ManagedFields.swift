import Shiplog

/// Who set which field of an object: the parsed `metadata.managedFields`.
struct ManagedFields: Sendable, Hashable {
    struct Identity: Sendable, Hashable, Comparable {
        enum Operation: String, Sendable { case apply = "Apply", update = "Update" }

        var manager: String
        var operation: Operation
        var apiVersion: String
        var subresource = ""

        static func < (left: Self, right: Self) -> Bool {
            (left.operation.rawValue, left.manager, left.apiVersion, left.subresource)
                < (right.operation.rawValue, right.manager, right.apiVersion, right.subresource)
        }
    }

    struct Entry: Sendable, Hashable {
        var fields: FieldSet
        /// RFC 3339, seconds.
        var time: String
    }

    var entries: [Identity: Entry] = [:]

    /// More managers than this with Update entries are folded into one named `ancient-changes`.
    static let maximumUpdateManagers = 10

    init() {}

    /// Reads the list; nil when an entry is malformed, or when there is none.
    init?(json: JSON?) {
        guard let list = json?.array, !list.isEmpty else { return nil }
        for item in list {
            guard let manager = item["manager"]?.string, let name = item["operation"]?.string,
                let operation = Identity.Operation(rawValue: name), let apiVersion = item["apiVersion"]?.string,
                let set = FieldSet(json: item["fieldsV1"] ?? [:])
            else { return nil }
            let identity = Identity(
                manager: manager, operation: operation, apiVersion: apiVersion,
                subresource: item["subresource"]?.string ?? "")
            entries[identity] = Entry(fields: set, time: item["time"]?.string ?? "")
        }
    }

    /// The list for `metadata.managedFields`: applied entries first, then by age.
    var json: JSON? {
        guard !entries.isEmpty else { return nil }
        let order = entries.sorted { left, right in
            if left.key.operation != right.key.operation { return left.key.operation == .apply }
            return (left.value.time, left.key) < (right.value.time, right.key)
        }
        return .array(
            order.map { identity, entry in
                .members([
                    "manager": .string(identity.manager), "operation": .string(identity.operation.rawValue),
                    "apiVersion": .string(identity.apiVersion), "fieldsType": "FieldsV1",
                    "fieldsV1": entry.fields.json, "time": entry.time.isEmpty ? nil : .string(entry.time),
                    "subresource": identity.subresource.isEmpty ? nil : .string(identity.subresource)
                ])
            })
    }

    var union: FieldSet { entries.values.reduce(FieldSet()) { $0.union($1.fields) } }

    /// Paths that no one owns: the server's own.
    static let unowned = FieldSet(children: [
        "f:apiVersion": .member, "f:kind": .member,
        "f:metadata": FieldSet(
            isMember: true,
            children: Dictionary(
                uniqueKeysWithValues: [
                    "name", "namespace", "generateName", "creationTimestamp", "selfLink", "uid", "generation",
                    "managedFields", "resourceVersion", "deletionTimestamp", "deletionGracePeriodSeconds"
                ].map { ("f:" + $0, FieldSet.member) }))
    ])

    /// What a writer's paths come to on an endpoint: without the server's own, and without what that endpoint ignores.
    static func ownable(_ set: FieldSet, _ endpoint: Endpoint) -> FieldSet {
        var result = set.subtracting(unowned)
        switch endpoint {
        case .main(let hasStatus): if hasStatus { result.children["f:status"] = nil }
        case .status: result.children = result.children.filter { $0.key == "f:status" }
        case .scale: result.children = result.children.filter { $0.key == "f:spec" }
        }
        return result
    }

    /// Where a write came in.
    enum Endpoint: Sendable, Hashable {
        case main(hasStatus: Bool)
        case status
        case scale

        var subresource: String {
            switch self {
            case .main: ""
            case .status: "status"
            case .scale: "scale"
            }
        }
    }

    /// Fields of others that an apply would change.
    struct Conflict: Error, Sendable, Hashable {
        let fields: [Identity: FieldSet]
        let times: [Identity: String]
    }

    /// Records an update: the writer owns what changed, others lose it.
    mutating func recordUpdate(
        by writer: Identity, from old: JSON?, to new: JSON, _ shape: Shape, _ endpoint: Endpoint, now: String
    ) {
        let comparison = TypedValue.compare(old ?? [:], new, shape)
        guard !comparison.isSame else { return }
        let changed = Self.ownable(comparison.changed, endpoint)
        let removed = comparison.removed
        take(changed.union(removed), exceptFrom: writer)
        let before = entries[writer]
        let fields = (before?.fields ?? FieldSet()).subtracting(removed).union(changed)
        if fields.isEmpty {
            entries[writer] = nil
        } else if fields != before?.fields || before != nil {
            entries[writer] = Entry(fields: fields, time: now)
        }
        foldOldest()
    }

    /// Takes paths from every manager but one.
    private mutating func take(_ paths: FieldSet, exceptFrom writer: Identity) {
        for (identity, entry) in entries where identity != writer {
            let rest = entry.fields.subtracting(paths)
            if rest == entry.fields { continue }
            entries[identity] = rest.isEmpty ? nil : Entry(fields: rest, time: entry.time)
        }
    }

    private mutating func foldOldest() {
        let updates = entries.filter { $0.key.operation == .update }
        guard updates.count > Self.maximumUpdateManagers else { return }
        let order = updates.sorted { ($0.value.time, $0.key) < ($1.value.time, $1.key) }
        for (identity, entry) in order.prefix(updates.count - Self.maximumUpdateManagers + 1) {
            let ancient = Identity(manager: "ancient-changes", operation: .update, apiVersion: identity.apiVersion)
            entries[identity] = nil
            let fields = (entries[ancient]?.fields ?? FieldSet()).union(entry.fields)
            entries[ancient] = Entry(fields: fields, time: entry.time)
        }
    }

    /// Server-side apply: merges the configuration, takes out what the applier no longer names and no one else owns,
    /// and records the new owner.
    ///
    /// - Returns: the merged object, before defaults.
    mutating func apply(
        _ configured: JSON, to live: JSON, by applier: Identity, force: Bool, _ shape: Shape, _ endpoint: Endpoint,
        now: String
    ) throws(Conflict) -> JSON {
        let wanted = Self.ownable(TypedValue.fieldSet(of: configured, shape), endpoint)
        let former = entries[applier]
        var merged = TypedValue.merge(live, configured, shape)
        var next = self
        next.entries[applier] = Entry(fields: wanted, time: now)
        if let former {
            merged = TypedValue.prune(merged, shape, former: former.fields, owned: next.union) ?? [:]
        }
        let comparison = TypedValue.compare(live, merged, shape)
        let changed = Self.ownable(comparison.changed, endpoint)
        var conflicts: [Identity: FieldSet] = [:]
        for (identity, entry) in entries where identity != applier {
            let common = entry.fields.intersection(changed)
            if !common.isEmpty { conflicts[identity] = common }
        }
        if !force, !conflicts.isEmpty {
            throw Conflict(fields: conflicts, times: entries.mapValues(\.time))
        }
        next.take(changed.union(comparison.removed), exceptFrom: applier)
        if wanted.isEmpty { next.entries[applier] = nil }
        if let former, former.fields == wanted, comparison.isSame {
            next.entries[applier] = former
        }
        self = next
        return merged
    }
}

extension StatusError {
    /// 409 with one cause a field, worded as the API server does.
    static func applyConflict(_ conflict: ManagedFields.Conflict) -> StatusError {
        var causes: [Cause] = []
        var parts: [String] = []
        for identity in conflict.fields.keys.sorted() {
            let paths = conflict.fields[identity]?.readablePaths ?? []
            var who = "\"\(identity.manager)\""
            if !identity.subresource.isEmpty { who += " with subresource \"\(identity.subresource)\"" }
            who += " using \(identity.apiVersion)"
            if identity.operation == .update, let time = conflict.times[identity], !time.isEmpty {
                who += " at \(time)"
            }
            for path in paths {
                causes.append(Cause(reason: "FieldManagerConflict", message: "conflict with " + who, field: path))
            }
            parts.append(
                paths.count == 1
                    ? "conflict with \(who): \(paths[0])"
                    : "conflicts with \(who):" + paths.map { "\n- " + $0 }.joined())
        }
        let count = causes.count
        var error = StatusError(
            409, "Conflict",
            "Apply failed with \(count) conflict\(count == 1 ? "" : "s"): " + parts.joined(separator: "\n"))
        error.causes = causes
        return error
    }
}
