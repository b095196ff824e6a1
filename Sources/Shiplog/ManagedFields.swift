/// Where a field is in an object, in the steps that `managedFields` uses.
public struct FieldPath: Sendable, Hashable, CustomStringConvertible {
    public enum Step: Sendable, Hashable {
        /// A member of a map.
        case field(String)
        /// The element of a list map that has these key fields.
        case key([String: JSON])
        /// An element of a set.
        case value(JSON)
        /// A place in a list.
        case index(Int)
    }

    public var steps: [Step]

    public init(_ steps: [Step] = []) { self.steps = steps }

    /// The same path without what tells elements of a list apart.
    public var fields: [String] { steps.compactMap { if case .field(let name) = $0 { name } else { nil } } }

    func appending(_ step: Step) -> FieldPath { FieldPath(steps + [step]) }

    /// As people write it: `spec.template.spec.containers[name=web].image`, `metadata.annotations["a.b/c"]`.
    public var description: String {
        var text = ""
        for step in steps {
            switch step {
            case .field(let name):
                if name.isEmpty || name.utf8.contains(where: { !Self.isPlain($0) }) {
                    text += "[" + JSON.string(name).canonicalString + "]"
                } else {
                    text += (text.isEmpty ? "" : ".") + name
                }
            case .key(let keys):
                let pairs = keys.keys.sorted().map { name in
                    name + "=" + (keys[name].map { $0.string ?? $0.canonicalString } ?? "")
                }
                text += "[" + pairs.joined(separator: ",") + "]"
            case .value(let value): text += "[" + value.canonicalString + "]"
            case .index(let place): text += "[\(place)]"
            }
        }
        return text
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
            true
        default: false
        }
    }
}

/// A set of fields, as `fieldsV1` writes it.
///
/// Format: https://pkg.go.dev/sigs.k8s.io/structured-merge-diff/v6/fieldpath (serialisation of `Set`).
public struct FieldSet: Sendable, Hashable {
    /// The field itself is in the set, not only something below it.
    public var isMember: Bool
    public var children: [FieldPath.Step: FieldSet]

    public init(isMember: Bool = false, children: [FieldPath.Step: FieldSet] = [:]) {
        self.isMember = isMember
        self.children = children
    }

    /// Owned whole: nothing below it is told apart.
    public var isLeaf: Bool { isMember && children.isEmpty }

    /// Reads `fieldsV1`. What it does not understand, and what is nested past `depth`, is left out: an owner too few
    /// leads to a question to the server, never to a removal.
    public init(fieldsV1 json: JSON, depth: Int = 64) {
        self.init()
        guard case .object(let members) = json else { return }
        isMember = members.isEmpty || members["."] != nil
        guard depth > 0 else { return }
        for (name, below) in members {
            guard let step = Self.step(name) else { continue }
            children[step] = FieldSet(fieldsV1: below, depth: depth - 1)
        }
    }

    private static func step(_ name: String) -> FieldPath.Step? {
        let rest = name.dropFirst(2)
        switch name.prefix(2) {
        case "f:": return .field(String(rest))
        case "k:": return (try? JSON(parsing: String(rest)))?.object.map { .key($0) }
        case "v:": return (try? JSON(parsing: String(rest))).map { .value($0) }
        case "i:": return Int(rest).map { .index($0) }
        default: return nil
        }
    }

    /// `fieldsV1` of the set.
    public var fieldsV1: JSON {
        var members: [String: JSON] = [:]
        if isMember, !children.isEmpty { members["."] = .object([:]) }
        for (step, below) in children {
            let name =
                switch step {
                case .field(let name): "f:" + name
                case .key(let keys): "k:" + JSON.object(keys).canonicalString
                case .value(let value): "v:" + value.canonicalString
                case .index(let place): "i:\(place)"
                }
            members[name] = below.fieldsV1
        }
        return .object(members)
    }

    /// Whether the field, something below it, or a list or map around it as a whole is in the set.
    public func contains(_ path: FieldPath) -> Bool {
        var node = self
        for step in path.steps {
            guard let next = node.children[step] else { return node.isLeaf }
            node = next
        }
        return true
    }

    public func union(_ other: FieldSet) -> FieldSet {
        FieldSet(
            isMember: isMember || other.isMember,
            children: children.merging(other.children) { $0.union($1) })
    }
}

/// Who owns which field of a live object: its `metadata.managedFields`, read.
public struct ManagedFields: Sendable, Hashable {
    public struct Entry: Sendable, Hashable {
        public let manager: String
        /// `Apply` or `Update`.
        public let operation: String
        /// Empty for the object itself, else such as `status`.
        public let subresource: String
        public let apiVersion: String
        public let fields: FieldSet
    }

    public let entries: [Entry]

    public init(of live: Resource) {
        let list = live.object.at("metadata", "managedFields")?.array ?? []
        entries = list.compactMap { item in
            guard let manager = item["manager"]?.string, let fields = item["fieldsV1"] else { return nil }
            return Entry(
                manager: manager, operation: item["operation"]?.string ?? "",
                subresource: item["subresource"]?.string ?? "", apiVersion: item["apiVersion"]?.string ?? "",
                fields: FieldSet(fieldsV1: fields))
        }
    }

    /// What that manager owns by server-side apply; nil when it has never applied.
    public func applied(by manager: String) -> Entry? {
        entries.first { $0.manager == manager && $0.operation == "Apply" && $0.subresource.isEmpty }
    }

    /// The managers that own the field, without that one's own applied fields; sorted, each once.
    public func owners(of path: FieldPath, except manager: String) -> [String] {
        let names = entries.filter { entry in
            !(entry.manager == manager && entry.operation == "Apply") && entry.fields.contains(path)
        }.map(\.manager)
        return Set(names).sorted()
    }

    /// `metadata.managedFields` in which what those managers own belongs to `manager`; nil when they own nothing.
    ///
    /// The next forced apply then removes what the manifests no longer name, instead of leaving it behind with an owner
    /// that never comes back. Entries of subresources stay.
    public static func handover(of live: Resource, from managers: [String], to manager: String) -> JSON? {
        guard let list = live.object.at("metadata", "managedFields")?.array else { return nil }
        var kept: [JSON] = []
        var moved = FieldSet()
        var ours: JSON?
        var takesOver = false
        for item in list {
            let name = item["manager"]?.string ?? ""
            let isWhole = (item["subresource"]?.string ?? "").isEmpty
            if isWhole, name == manager, item["operation"]?.string == "Apply" {
                ours = item
                moved = moved.union(FieldSet(fieldsV1: item["fieldsV1"] ?? .object([:])))
            } else if isWhole, managers.contains(name), name != manager {
                takesOver = true
                moved = moved.union(FieldSet(fieldsV1: item["fieldsV1"] ?? .object([:])))
            } else {
                kept.append(item)
            }
        }
        guard takesOver else { return nil }
        moved.isMember = false
        var entry = ours ?? .object([:])
        entry["manager"] = .string(manager)
        entry["operation"] = "Apply"
        if entry["apiVersion"] == nil { entry["apiVersion"] = .string(live.gvk.apiVersion) }
        entry["fieldsType"] = "FieldsV1"
        entry["fieldsV1"] = moved.fieldsV1
        return .array(kept + [entry])
    }
}
