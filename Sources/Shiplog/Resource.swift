/// A Kubernetes API group and kind. The core group is the empty string.
public struct GroupKind: Sendable, Hashable, Comparable, CustomStringConvertible {
    public let group: String
    public let kind: String

    public init(group: String, kind: String) {
        self.group = group
        self.kind = kind
    }

    public static func < (left: GroupKind, right: GroupKind) -> Bool {
        (left.group, left.kind) < (right.group, right.kind)
    }

    /// `apps/Deployment`, or `ConfigMap` for the core group.
    public var description: String { group.isEmpty ? kind : group + "/" + kind }
}

/// A Kubernetes API group, version and kind.
public struct GroupVersionKind: Sendable, Hashable, CustomStringConvertible {
    public let group: String
    public let version: String
    public let kind: String

    public init(group: String, version: String, kind: String) {
        self.group = group
        self.version = version
        self.kind = kind
    }

    /// From a manifest's `apiVersion` (`v1`, `apps/v1`) and `kind`.
    public init(apiVersion: String, kind: String) {
        let parts = apiVersion.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        if parts.count == 2 {
            self.init(group: String(parts[0]), version: String(parts[1]), kind: kind)
        } else {
            self.init(group: "", version: apiVersion, kind: kind)
        }
    }

    public var groupKind: GroupKind { GroupKind(group: group, kind: kind) }
    public var apiVersion: String { group.isEmpty ? version : group + "/" + version }
    public var description: String { apiVersion + "/" + kind }
}

/// What makes an object in a cluster that object: its version does not.
public struct ResourceKey: Sendable, Hashable, Comparable, CustomStringConvertible {
    public let group: String
    public let kind: String
    /// Empty for cluster-scoped kinds.
    public let namespace: String
    public let name: String

    public init(group: String, kind: String, namespace: String, name: String) {
        self.group = group
        self.kind = kind
        self.namespace = namespace
        self.name = name
    }

    public var groupKind: GroupKind { GroupKind(group: group, kind: kind) }

    public static func < (left: ResourceKey, right: ResourceKey) -> Bool {
        (left.group, left.kind, left.namespace, left.name) < (right.group, right.kind, right.namespace, right.name)
    }

    /// `apps/Deployment default/web`, or `Namespace demo`.
    public var description: String {
        groupKind.description + " " + (namespace.isEmpty ? name : namespace + "/" + name)
    }

    /// Argo CD's form, `apps/Deployment:default/web`, as in tracking ids and `--resource`.
    public var trackingForm: String { group + "/" + kind + ":" + namespace + "/" + name }

    /// Reads `trackingForm`.
    public init?(trackingForm text: String) {
        guard let colon = text.firstIndex(of: ":") else { return nil }
        let left = text[..<colon].split(separator: "/", omittingEmptySubsequences: false)
        let right = text[text.index(after: colon)...].split(separator: "/", omittingEmptySubsequences: false)
        guard left.count == 2, right.count == 2, !left[1].isEmpty, !right[1].isEmpty else { return nil }
        self.init(group: String(left[0]), kind: String(left[1]), namespace: String(right[0]), name: String(right[1]))
    }
}

/// One Kubernetes object: a manifest that is desired, or what a cluster answered.
public struct Resource: Sendable, Hashable {
    /// The whole object. It has `apiVersion`, `kind` and `metadata.name`; a hook may have `metadata.generateName` instead.
    public private(set) var object: JSON
    public let gvk: GroupVersionKind

    /// - Throws: `manifest.invalid` when `apiVersion`, `kind` or `metadata.name` is missing or no string,
    ///   `manifest.generate-name` when what is no hook wants a generated one.
    public init(_ object: JSON) throws(Failure) {
        guard object.object != nil else { throw Self.invalid("a manifest must be a map, not \(object.typeName)") }
        guard let apiVersion = object["apiVersion"]?.string, !apiVersion.isEmpty else {
            throw Self.invalid("apiVersion is missing or no string")
        }
        guard let kind = object["kind"]?.string, !kind.isEmpty else {
            throw Self.invalid("kind is missing or no string")
        }
        let name = object.at("metadata", "name")?.string ?? ""
        let prefix = object.at("metadata", "generateName")?.string ?? ""
        gvk = GroupVersionKind(apiVersion: apiVersion, kind: kind)
        self.object = object
        guard !name.isEmpty || (!prefix.isEmpty && Hook.isHook(self)) else {
            if !prefix.isEmpty {
                throw Failure(
                    "manifest.generate-name", "\(kind) has metadata.generateName and no metadata.name",
                    remedy: "give it a name: only a hook's may be generated, as it is not compared with the cluster")
            }
            throw Self.invalid("metadata.name of \(kind) is missing or no string")
        }
        if let namespace = object.at("metadata", "namespace"), namespace.string == nil, !namespace.isNull {
            throw Self.invalid("metadata.namespace of \(kind) \(name.isEmpty ? prefix : name) is no string")
        }
    }

    private static func invalid(_ message: String) -> Failure { Failure("manifest.invalid", message) }

    /// Of a hook whose name is still to be made it is `metadata.generateName`, which no finished name can equal.
    public var name: String {
        object.at("metadata", hasGeneratedName ? "generateName" : "name")?.string ?? ""
    }
    /// Whether the name is made anew for each sync; only a hook's may be.
    public var hasGeneratedName: Bool { object.at("metadata", "name")?.string?.isEmpty ?? true }
    /// Empty when the manifest names none.
    public var namespace: String { object.at("metadata", "namespace")?.string ?? "" }
    public var key: ResourceKey { ResourceKey(group: gvk.group, kind: gvk.kind, namespace: namespace, name: name) }
    public var labels: [String: String] { object.at("metadata", "labels")?.stringMap ?? [:] }
    public var annotations: [String: String] { object.at("metadata", "annotations")?.stringMap ?? [:] }
    public var uid: String? { object.at("metadata", "uid")?.string }
    public var resourceVersion: String? { object.at("metadata", "resourceVersion")?.string }
    public var isBeingDeleted: Bool { object.at("metadata", "deletionTimestamp")?.string != nil }
    public var isSecret: Bool { gvk.group.isEmpty && gvk.kind == "Secret" }

    /// Changes a value below the top; `apiVersion`, `kind` and `metadata.name` stay as they are.
    public mutating func set(_ value: JSON?, at path: String...) {
        guard path != ["apiVersion"], path != ["kind"], path != ["metadata"], path != ["metadata", "name"] else {
            return
        }
        object.set(value, at: path)
    }

    /// The same object under a name of its own instead of a generated one.
    func named(_ name: String) -> Resource {
        var copy = self
        copy.object.set(.string(name), at: ["metadata", "name"])
        copy.object.set(nil, at: ["metadata", "generateName"])
        return copy
    }

    /// The same object in another namespace; the empty string takes the namespace away.
    public func inNamespace(_ namespace: String) -> Resource {
        var copy = self
        copy.set(namespace.isEmpty ? nil : .string(namespace), at: "metadata", "namespace")
        return copy
    }
}
