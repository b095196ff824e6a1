/// Which differences do not count, on which objects: one entry of Argo CD's `ignoreDifferences`.
public struct IgnoreRule: Sendable, Hashable {
    public let group: Glob
    public let kind: Glob
    /// Empty for any.
    public let name: String
    /// Empty for any.
    public let namespace: String
    public let pointers: [JSONPointer]
    public let queries: [PathQuery]
    /// What these managers own in the live object is theirs.
    public let managers: Set<String>

    public func applies(to resource: Resource) -> Bool {
        (name.isEmpty || name == resource.name) && (namespace.isEmpty || namespace == resource.namespace)
            && kind.matches(resource.gvk.kind) && group.matches(resource.gvk.group)
    }

    /// Whether it names nothing that could be ignored.
    public var isEmpty: Bool { pointers.isEmpty && queries.isEmpty && managers.isEmpty }

    /// Reads an entry whose members have been checked to be of the right types.
    public init(_ json: JSON) throws(RuleProblem) {
        group = try Self.glob(json["group"]?.string ?? "", "group")
        guard let kind = json["kind"]?.string, !kind.isEmpty else {
            throw RuleProblem(path: ["kind"], message: "is missing", isUnsupported: false)
        }
        self.kind = try Self.glob(kind, "kind")
        name = json["name"]?.string ?? ""
        namespace = json["namespace"]?.string ?? ""
        pointers = try Self.each(json, "jsonPointers") { text throws(QueryError) in try JSONPointer(text) }
        queries = try Self.each(json, "jqPathExpressions") { text throws(QueryError) in try PathQuery(text) }
        managers = Set((json["managedFieldsManagers"]?.array ?? []).compactMap(\.string))
    }

    static func glob(_ pattern: String, _ name: String) throws(RuleProblem) -> Glob {
        guard let glob = Glob(pattern) else {
            throw RuleProblem(path: [name], message: "is no glob", isUnsupported: false)
        }
        return glob
    }

    private static func each<Value>(
        _ json: JSON, _ name: String, _ read: (String) throws(QueryError) -> Value
    ) throws(RuleProblem) -> [Value] {
        var result: [Value] = []
        for (index, entry) in (json[name]?.array ?? []).enumerated() {
            do throws(QueryError) {
                result.append(try read(entry.string ?? ""))
            } catch {
                throw RuleProblem(
                    path: [name, String(index)],
                    message: "(\(JSON.string(entry.string ?? "").canonicalString)): \(error.message)",
                    isUnsupported: error.isOutside)
            }
        }
        return result
    }
}

/// What is wrong with a rule, and where in it.
public struct RuleProblem: Error, Sendable, Hashable {
    /// Below the rule, such as `["jqPathExpressions", "0"]`.
    public let path: [String]
    public let message: String
    /// It is Argo CD's or jq's, and not understood here.
    public let isUnsupported: Bool
}

/// All the rules that hold for an application: the server's and its own.
public struct IgnoredDifferences: Sendable, Hashable {
    public var rules: [IgnoreRule]

    public static let none = IgnoredDifferences([])

    public init(_ rules: [IgnoreRule]) { self.rules = rules }

    public static func + (left: IgnoredDifferences, right: IgnoredDifferences) -> IgnoredDifferences {
        IgnoredDifferences(left.rules + right.rules)
    }

    /// Both objects without what does not count. What makes an object that object stays, and so do its owners and marks.
    ///
    /// As in Argo CD pointers and expressions are looked up in each object by itself, while what managers own is read from
    /// the live one and taken out of both.
    public func removed(desired: Resource, live: Resource) -> (desired: Resource, live: Resource) {
        let rules = rules.filter { $0.applies(to: desired) }
        guard !rules.isEmpty else { return (desired, live) }
        let theirs = Self.owned(by: rules, in: live)
        return (
            Self.without(Self.places(rules, in: desired), theirs, desired),
            Self.without(Self.places(rules, in: live), theirs, live)
        )
    }

    /// The one object without what does not count: for showing it beside another.
    public func removed(from resource: Resource, live: Resource) -> Resource {
        let rules = rules.filter { $0.applies(to: resource) }
        guard !rules.isEmpty else { return resource }
        return Self.without(Self.places(rules, in: resource), Self.owned(by: rules, in: live), resource)
    }

    /// The desired object with what does not count as it is in the live one: what `RespectIgnoreDifferences=true` applies.
    ///
    /// A part of an element of a list goes to the desired element of the same key; a whole element that is ignored is added
    /// where the desired object has none. Only `status` and what makes the object that object stay out of it.
    public func respected(desired: Resource, live: Resource, schema: ListKeys = .builtIn) -> Resource {
        let rules = rules.filter { $0.applies(to: desired) }
        guard !rules.isEmpty else { return desired }
        let theirs = Self.owned(by: rules, in: live)
        let bare = Self.without(Self.places(rules, in: desired), theirs, desired)
        var taking = IgnoredMerge(kind: desired.gvk, schema: schema)
        var object = taking.merged(bare.object, ServerFields.stripped(live.object), Self.places(rules, in: live), [])
        object = taking.merged(object, ServerFields.stripped(live.object), theirs, [])
        return Self.identified(object, as: desired)
    }

    /// The same for each of the objects that is there.
    public func respected(
        desired: [Resource], live: [ResourceKey: LiveState], schema: ListKeys = .builtIn
    ) -> [Resource] {
        desired.map { resource in
            guard case .present(let object) = live[resource.key] else { return resource }
            return respected(desired: resource, live: object, schema: schema)
        }
    }

    private static func places(_ rules: [IgnoreRule], in resource: Resource) -> FieldSet {
        var result = FieldSet()
        for rule in rules {
            for pointer in rule.pointers {
                if let path = pointer.path(in: resource.object) { result.insert(path) }
            }
            for query in rule.queries {
                for path in query.paths(in: resource.object) { result.insert(path) }
            }
        }
        return result
    }

    private static func owned(by rules: [IgnoreRule], in live: Resource) -> FieldSet {
        let managers = rules.reduce(into: Set<String>()) { $0.formUnion($1.managers) }
        guard !managers.isEmpty else { return FieldSet() }
        var result = ManagedFields(of: live).entries.filter { managers.contains($0.manager) }
            .reduce(FieldSet()) { $0.union($1.fields) }
        result.isMember = false
        return result
    }

    private static func without(_ places: FieldSet, _ theirs: FieldSet, _ resource: Resource) -> Resource {
        let bare = (resource.object.removing(theirs) ?? .object([:])).removing(places) ?? .object([:])
        return identified(bare, as: resource)
    }

    /// The object with the original's name, owners and marks.
    private static func identified(_ object: JSON, as original: Resource) -> Resource {
        var object = object
        for path in [
            ["apiVersion"], ["kind"], ["metadata", "name"], ["metadata", "namespace"], ["metadata", "managedFields"],
            ["metadata", "resourceVersion"], ["metadata", "uid"],
            ["metadata", "annotations", Ownership.annotation], ["metadata", "labels", Ownership.label]
        ] {
            if let value = original.object.at(path[...]), object.at(path[...]) != value { object.set(value, at: path) }
        }
        return (try? Resource(object)) ?? original
    }
}

/// Takes what does not count from one object into another.
private struct IgnoredMerge {
    let kind: GroupVersionKind
    let schema: ListKeys

    mutating func merged(_ target: JSON?, _ live: JSON, _ places: FieldSet, _ fields: [String]) -> JSON {
        if places.isLeaf { return live }
        switch live {
        case .object(let members):
            var result = target ?? .object([:])
            guard result.object != nil else { return result }
            for (step, below) in places.children {
                guard case .field(let name) = step, let value = members[name] else { continue }
                result[name] = merged(result[name], value, below, fields + [name])
            }
            return result
        case .array:
            guard target == nil || target?.array != nil else { return target ?? live }
            var result = target?.array ?? []
            for (step, below) in places.children.sorted(by: { Self.position($0.key) < Self.position($1.key) }) {
                guard let element = live.child(step) else { continue }
                let place = index(of: element, step, isWhole: below.isLeaf, in: result, fields)
                if let place {
                    result[place] = merged(result[place], element, below, fields)
                } else if below.isLeaf {
                    result.insert(element, at: min(Self.position(step), result.count))
                }
            }
            return .array(result)
        default: return target ?? live
        }
    }

    private static func position(_ step: FieldPath.Step) -> Int {
        if case .index(let index) = step { index } else { .max }
    }

    private func index(
        of element: JSON, _ step: FieldPath.Step, isWhole: Bool, in target: [JSON], _ fields: [String]
    ) -> Int? {
        switch (step, schema.list(kind, fields)) {
        case (.key, _):
            guard let found = JSON.array(target).child(step) else { return nil }
            return target.firstIndex(of: found)
        case (_, .map(let keys, let defaults)):
            guard let key = ListIndex.key(of: element, keys, defaults) else { return nil }
            return target.firstIndex { ListIndex.key(of: $0, keys, defaults) == key }
        case (.value, _), (_, .set): return target.firstIndex(of: element)
        // The desired one has been taken out: this one comes into its place.
        case (.index, _) where isWhole: return nil
        case (.index(let place), _): return target.indices.contains(place) ? place : nil
        case (.field, _): return nil
        }
    }
}

extension FieldSet {
    /// Adds the place, and with it everything below it.
    mutating func insert(_ path: FieldPath) { insert(path.steps[...]) }

    private mutating func insert(_ steps: ArraySlice<FieldPath.Step>) {
        guard !isLeaf else { return }
        guard let first = steps.first else {
            self = FieldSet(isMember: true)
            return
        }
        children[first, default: FieldSet()].insert(steps.dropFirst())
    }
}

extension JSON {
    /// The value at a path, or nil when any step is missing.
    func value(at path: FieldPath) -> JSON? {
        var current = self
        for step in path.steps {
            guard let next = current.child(step) else { return nil }
            current = next
        }
        return current
    }

    /// Without the fields of the set; nil when nothing of it is left. A list's element keeps the fields that tell it apart
    /// for as long as it has others.
    func removing(_ set: FieldSet, keys: [String: JSON] = [:]) -> JSON? {
        if set.isLeaf { return nil }
        if set.children.isEmpty { return self }
        switch self {
        case .object(var members):
            for (step, below) in set.children {
                guard case .field(let name) = step, keys[name] == nil, let value = members[name] else { continue }
                members[name] = value.removing(below)
            }
            let isGone = set.isMember && members.allSatisfy { keys[$0.key] != nil }
            return isGone ? nil : .object(members)
        case .array(let elements):
            var left: [JSON?] = elements
            for (step, below) in set.children {
                switch step {
                case .index(let place):
                    guard elements.indices.contains(place) else { continue }
                    left[place] = elements[place].removing(below)
                case .key(let keys):
                    for (place, element) in elements.enumerated()
                    where JSON.array([element]).child(step) != nil {
                        left[place] = left[place]?.removing(below, keys: keys)
                    }
                case .value(let value):
                    for (place, element) in elements.enumerated() where element == value { left[place] = nil }
                case .field: continue
                }
            }
            let kept = left.compactMap(\.self)
            return set.isMember && kept.isEmpty ? nil : .array(kept)
        default: return self
        }
    }
}

extension Application {
    /// Argo CD's sync option: what does not count is not applied either.
    public var respectsIgnoredDifferences: Bool {
        syncPolicy.options.written.contains("RespectIgnoreDifferences=true")
    }

    /// `spec.ignoreDifferences`, as the document says it; its reader has refused what cannot be read.
    public var ignoredDifferences: IgnoredDifferences {
        IgnoredDifferences(
            (document.at("spec", "ignoreDifferences")?.array ?? []).compactMap { try? IgnoreRule($0) })
    }
}
