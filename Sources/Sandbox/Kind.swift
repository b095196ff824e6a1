import Shiplog

/// A group and a plural: what a kind's objects are stored under, whatever version they are asked for in.
struct GroupResource: Sendable, Hashable, Comparable {
    let group: String
    let plural: String

    static func < (left: Self, right: Self) -> Bool { (left.group, left.plural) < (right.group, right.plural) }
}

/// One version of a kind as the sandbox serves it.
struct Kind: Sendable {
    /// Where the scale subresource finds its numbers.
    struct ScalePaths: Sendable, Hashable {
        var specReplicas: [String]
        var statusReplicas: [String]
        /// The path of a selector in text form; nil when `spec.selector` is a LabelSelector or a map.
        var selector: [String]?
    }

    var group: String
    var version: String
    var kind: String
    var plural: String
    var singular: String
    var shortNames: [String] = []
    var categories: [String] = []
    var isNamespaced = true
    var hasStatus = false
    var scale: ScalePaths?
    /// `metadata.generation` counts changes of what is desired.
    var hasGeneration = false
    var isCustom = false
    /// The shape of the whole object.
    var shape: Shape
    /// `additionalPrinterColumns` of a custom kind.
    var columns: [JSON] = []

    var resource: GroupResource { GroupResource(group: group, plural: plural) }
    var apiVersion: String { group.isEmpty ? version : group + "/" + version }
    var listKind: String { kind + "List" }
    /// `deployments.apps`, `pods`.
    var qualifiedPlural: String { group.isEmpty ? plural : plural + "." + group }
    var groupVersionKind: GroupVersionKind { GroupVersionKind(group: group, version: version, kind: kind) }

    static let verbs = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
}

/// The kinds that are served at the moment: the built-in ones and those of established CustomResourceDefinitions.
struct KindRegistry: Sendable {
    private(set) var versions: [GroupResource: [Kind]] = [:]
    private var byGroupKind: [GroupKind: GroupResource] = [:]
    /// Groups in the order of discovery.
    private(set) var groups: [String] = []

    init(custom: [[Kind]] = []) {
        for kind in BuiltIn.kinds { add([kind]) }
        for kinds in custom { add(kinds) }
    }

    private mutating func add(_ kinds: [Kind]) {
        guard let first = kinds.first, versions[first.resource] == nil else { return }
        versions[first.resource] = kinds
        byGroupKind[GroupKind(group: first.group, kind: first.kind)] = first.resource
        if !groups.contains(first.group) { groups.append(first.group) }
    }

    /// The kind behind a path's group, version and plural.
    func kind(group: String, version: String, plural: String) -> Kind? {
        versions[GroupResource(group: group, plural: plural)]?.first { $0.version == version }
    }

    /// The preferred version of a kind.
    func kind(_ resource: GroupResource) -> Kind? { versions[resource]?.first }

    /// The preferred version of a kind, by its name.
    func kind(group: String, kind: String) -> Kind? {
        byGroupKind[GroupKind(group: group, kind: kind)].flatMap { versions[$0]?.first }
    }

    /// The versions of a group, newest first, and the kinds of one of them, by plural.
    func versions(of group: String) -> [String] {
        var seen: [String] = []
        for (resource, kinds) in versions where resource.group == group {
            for kind in kinds where !seen.contains(kind.version) { seen.append(kind.version) }
        }
        return seen.sorted(by: Self.newerFirst)
    }

    func kinds(group: String, version: String) -> [Kind] {
        versions.values.flatMap { $0 }.filter { $0.group == group && $0.version == version }
            .sorted { $0.plural < $1.plural }
    }

    /// All kinds in their preferred version, by group and plural.
    var all: [Kind] { versions.keys.sorted().compactMap { versions[$0]?.first } }

    /// The API's order of versions: v2, v1, v1beta2, v1beta1, v1alpha1, others by name.
    static func newerFirst(_ left: String, _ right: String) -> Bool {
        let (leftRank, rightRank) = (rank(left), rank(right))
        return leftRank == rightRank ? left < right : leftRank > rightRank
    }

    private static func rank(_ version: String) -> [Int] {
        guard version.first == "v" else { return [0, 0, 0] }
        let body = version.dropFirst()
        let major = body.prefix(while: \.isNumber)
        guard let number = Int(major) else { return [0, 0, 0] }
        let rest = body.dropFirst(major.count)
        if rest.isEmpty { return [3, number, 0] }
        if rest.hasPrefix("beta"), let minor = Int(rest.dropFirst(4)) { return [2, number, minor] }
        if rest.hasPrefix("alpha"), let minor = Int(rest.dropFirst(5)) { return [1, number, minor] }
        return [0, 0, 0]
    }
}

extension [Int] {
    fileprivate static func > (left: [Int], right: [Int]) -> Bool {
        for (a, b) in zip(left, right) where a != b { return a > b }
        return false
    }
}
