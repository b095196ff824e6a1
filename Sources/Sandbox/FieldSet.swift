import Shiplog

/// A set of field paths, as `managedFields` keeps them: a tree by path element.
///
/// An element is written as `fieldsV1` writes it: `f:name` a member, `k:{"name":"x"}` an element of a list by its keys,
/// `v:"x"` an element of a set by its value, `i:0` by position. The model is that of
/// https://github.com/kubernetes-sigs/structured-merge-diff.
struct FieldSet: Sendable, Hashable {
    /// The path that leads here is itself in the set.
    var isMember = false
    var children: [String: FieldSet] = [:]

    static let member = FieldSet(isMember: true)

    var isEmpty: Bool { !isMember && children.isEmpty }

    init(isMember: Bool = false, children: [String: FieldSet] = [:]) {
        self.isMember = isMember
        self.children = children
    }

    func union(_ other: FieldSet) -> FieldSet {
        var result = self
        result.isMember = isMember || other.isMember
        for (element, child) in other.children {
            result.children[element] = result.children[element]?.union(child) ?? child
        }
        return result
    }

    func intersection(_ other: FieldSet) -> FieldSet {
        var result = FieldSet(isMember: isMember && other.isMember)
        for (element, child) in children {
            guard let counterpart = other.children[element] else { continue }
            let common = child.intersection(counterpart)
            if !common.isEmpty { result.children[element] = common }
        }
        return result
    }

    func subtracting(_ other: FieldSet) -> FieldSet {
        var result = FieldSet(isMember: isMember && !other.isMember)
        for (element, child) in children {
            let rest = other.children[element].map(child.subtracting) ?? child
            if !rest.isEmpty { result.children[element] = rest }
        }
        return result
    }

    /// The paths, each as its elements, sorted.
    var paths: [[String]] {
        var result: [[String]] = isMember ? [[]] : []
        for element in children.keys.sorted() {
            result += (children[element]?.paths ?? []).map { [element] + $0 }
        }
        return result
    }

    /// The paths as people read them: `.spec.template.spec.containers[name="web"].image`.
    var readablePaths: [String] { paths.map { $0.map(Self.readable).joined() } }

    private static func readable(_ element: String) -> String {
        let body = element.dropFirst(2)
        if element.hasPrefix("f:") { return "." + body }
        if element.hasPrefix("k:"), let keys = try? JSON(parsing: Array(body.utf8)), let members = keys.object {
            let pairs = members.sorted { $0.key < $1.key }.map { $0.key + "=" + $0.value.canonicalString }
            return "[" + pairs.joined(separator: ",") + "]"
        }
        if element.hasPrefix("v:") { return "[=" + body + "]" }
        return "[" + body + "]"
    }
}

extension FieldSet {
    /// The `fieldsV1` form.
    var json: JSON {
        var members = children.mapValues(\.json)
        if isMember, !members.isEmpty { members["."] = [:] }
        return .object(members)
    }

    /// Reads `fieldsV1`; nil when it is malformed or nested too deeply.
    init?(json: JSON, depth: Int = 100) {
        guard case .object(let members) = json, depth > 0 else { return nil }
        self.init()
        for (element, child) in members {
            if element == "." {
                isMember = true
                continue
            }
            guard let canonical = Self.canonical(element), var set = FieldSet(json: child, depth: depth - 1) else {
                return nil
            }
            if set.children.isEmpty { set.isMember = true }
            children[canonical] = set
        }
    }

    private static func canonical(_ element: String) -> String? {
        switch element.prefix(2) {
        case "f:": element
        case "k:", "v:":
            (try? JSON(parsing: Array(element.dropFirst(2).utf8))).map { element.prefix(2) + $0.canonicalString }
        case "i:": Int(element.dropFirst(2)) == nil ? nil : element
        default: nil
        }
    }
}
