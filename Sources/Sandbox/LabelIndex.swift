import Shiplog

/// Finds what selects a pod, and the pods that something selects, without looking at every object of a namespace.
struct LabelIndex: Sendable {
    private struct Pair: Sendable, Hashable {
        let namespace: String
        let label: String
        let value: String
    }

    private var podsByLabel: [Pair: Set<String>] = [:]
    private var servicesByLabel: [Pair: Set<String>] = [:]
    /// Pods and ReplicaSets that no one controls.
    private var free: [GroupResource: [String: Set<String>]] = [:]

    mutating func add(_ key: ObjectKey, _ object: JSON) { change(key, object) { $0.insert($1) } }

    mutating func remove(_ key: ObjectKey, _ object: JSON) { change(key, object) { $0.remove($1) } }

    private mutating func change(_ key: ObjectKey, _ object: JSON, _ edit: (inout Set<String>, String) -> Void) {
        switch key.resource {
        case ClusterState.pods:
            for (label, value) in object.labels {
                Self.edit(
                    &podsByLabel, Pair(namespace: key.namespace, label: label, value: value.string ?? ""), key, edit)
            }
        case ClusterState.services:
            guard let pair = Self.first(object.at("spec", "selector")?.stringMap, key.namespace) else { return }
            Self.edit(&servicesByLabel, pair, key, edit)
        default: break
        }
        if key.resource == ClusterState.pods || key.resource == ClusterState.replicaSets, object.controller == nil {
            Self.edit(&free[key.resource, default: [:]], key.namespace, key, edit)
        }
    }

    private static func edit<Place: Hashable>(
        _ index: inout [Place: Set<String>], _ place: Place, _ key: ObjectKey,
        _ edit: (inout Set<String>, String) -> Void
    ) {
        edit(&index[place, default: []], key.name)
        if index[place]?.isEmpty == true { index[place] = nil }
    }

    /// The label that a selector is filed under: whatever it selects has that one too.
    private static func first(_ selector: [String: String]?, _ namespace: String) -> Pair? {
        selector?.min { $0.key < $1.key }.map { Pair(namespace: namespace, label: $0.key, value: $0.value) }
    }

    /// Names of pods that may match a plain selector; the caller checks.
    func pods(_ selector: [String: String], namespace: String) -> [String] {
        guard let pair = Self.first(selector, namespace) else { return [] }
        return (podsByLabel[pair] ?? []).sorted()
    }

    /// Names of Services that may select a pod with these labels.
    func services(for labels: [String: JSON], namespace: String) -> [String] {
        var names = Set<String>()
        for (label, value) in labels {
            names.formUnion(servicesByLabel[Pair(namespace: namespace, label: label, value: value.string ?? "")] ?? [])
        }
        return names.sorted()
    }

    func uncontrolled(_ resource: GroupResource, namespace: String) -> [String] {
        (free[resource]?[namespace] ?? []).sorted()
    }
}
