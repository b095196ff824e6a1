import Shiplog

/// Kubernetes' strategic merge patch: lists merged by a key, with directives.
///
/// https://github.com/kubernetes/community/blob/master/contributors/devel/sig-api-machinery/strategic-merge-patch.md
enum StrategicMerge {
    static func apply(_ target: JSON, _ patch: JSON, _ shape: Shape) -> JSON {
        guard case .object(let changes) = patch else { return patch }
        switch changes["$patch"]?.string {
        case "replace": return .object(changes.filter { $0.key != "$patch" })
        case "delete": return .null
        default: break
        }
        var members = target.object ?? [:]
        let structure = shape.structure
        if let retained = changes["$retainKeys"]?.array?.compactMap(\.string) {
            members = members.filter { retained.contains($0.key) }
        }
        for (name, change) in changes where !name.hasPrefix("$") {
            if change.isNull {
                members[name] = nil
                continue
            }
            let field = structure?.fields[name]
            let inner: Shape =
                if let field { field.shape } else if case .map(let value, _) = shape { value } else { .any }
            switch change {
            case .array(let elements):
                members[name] = list(members[name]?.array ?? [], elements, field, inner)
            case .object:
                let merged = apply(members[name] ?? [:], change, inner)
                members[name] = merged.isNull ? nil : merged
            default:
                members[name] = change
            }
        }
        for (name, value) in changes {
            if name.hasPrefix("$deleteFromPrimitiveList/"), let removed = value.array {
                let field = String(name.dropFirst("$deleteFromPrimitiveList/".count))
                if let kept = members[field]?.array { members[field] = .array(kept.filter { !removed.contains($0) }) }
            }
        }
        for (name, value) in changes {
            if name.hasPrefix("$setElementOrder/"), let order = value.array {
                let field = String(name.dropFirst("$setElementOrder/".count))
                guard let elements = members[field]?.array else { continue }
                members[field] = .array(sorted(elements, order, structure?.fields[field]?.patch?.key))
            }
        }
        return .object(members)
    }

    private static func list(_ existing: [JSON], _ changes: [JSON], _ field: Field?, _ shape: Shape) -> JSON {
        let replaces = changes.contains { $0["$patch"]?.string == "replace" && $0.object?.count == 1 }
        guard let patch = field?.patch, patch.merges, !replaces else {
            return .array(changes.filter { $0["$patch"] == nil })
        }
        guard case .list(let element, _) = shape, let key = patch.key else {
            return .array(existing + changes.filter { !existing.contains($0) })
        }
        var result = existing
        for change in changes {
            let identity = change[key]
            let index = result.firstIndex { $0[key] == identity }
            if change["$patch"]?.string == "delete" {
                result.removeAll { $0[key] == identity }
            } else if let index {
                result[index] = apply(result[index], change, element)
            } else {
                // Directives inside a new element have nothing to act on, but are no data either.
                result.append(apply([:], change, element))
            }
        }
        return .array(result)
    }

    /// Ordered elements come in that order; others keep their place relative to what stood before them.
    private static func sorted(_ elements: [JSON], _ order: [JSON], _ key: String?) -> [JSON] {
        func rank(_ element: JSON) -> Int? {
            if let key { return order.firstIndex { $0[key] == element[key] } }
            return order.firstIndex(of: element)
        }
        var ranked: [(rank: Int, place: Int, value: JSON)] = []
        var last = -1
        for (place, element) in elements.enumerated() {
            if let own = rank(element) { last = own }
            ranked.append((rank(element) ?? last, place, element))
        }
        return ranked.sorted { ($0.rank, $0.place) < ($1.rank, $1.place) }.map(\.value)
    }
}
