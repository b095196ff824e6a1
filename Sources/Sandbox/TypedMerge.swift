import Shiplog

extension TypedValue {
    /// The live value with a configuration laid over it: maps by key, lists by their kind, everything else replaced.
    static func merge(_ live: JSON, _ configured: JSON, _ shape: Shape) -> JSON {
        guard let liveParts = parts(live, shape), let parts = parts(configured, shape) else { return configured }
        if case .array = configured { return mergeList(liveParts, parts) }
        guard case .object(var members) = live else { return configured }
        for part in parts {
            let name = String(part.element.dropFirst(2))
            if let existing = members.removeValue(forKey: name) {
                members[name] = merge(existing, part.value, part.shape)
            } else {
                members[name] = part.value
            }
        }
        return .object(members)
    }

    /// Elements of both stand in the configured order; those only the live list has keep their place before the next
    /// shared one.
    private static func mergeList(_ live: [Part], _ configured: [Part]) -> JSON {
        let liveByElement = Dictionary(live.map { ($0.element, $0) }, uniquingKeysWith: { $1 })
        let wanted = Set(configured.map(\.element))
        var result: [JSON] = []
        var (left, right) = (0, 0)
        while left < live.count || right < configured.count {
            if left < live.count, !wanted.contains(live[left].element) {
                result.append(live[left].value)
                left += 1
            } else if right < configured.count {
                let part = configured[right]
                right += 1
                if let counterpart = liveByElement[part.element] {
                    result.append(merge(counterpart.value, part.value, part.shape))
                    if left < live.count, live[left].element == part.element { left += 1 }
                } else {
                    result.append(part.value)
                }
            } else {
                left += 1
            }
        }
        return .array(result)
    }

    /// Takes out what an applier owned before and no one owns now.
    ///
    /// - Parameters:
    ///   - former: the applier's former paths.
    ///   - owned: the union of all managers' paths, the applier's new ones included.
    /// - Returns: nil when nothing is left of a map or list that had something.
    static func prune(_ value: JSON, _ shape: Shape, former: FieldSet, owned: FieldSet) -> JSON? {
        guard let parts = parts(value, shape) else { return value }
        var removed = Set<String>()
        var replaced: [String: JSON] = [:]
        for part in parts {
            guard let formerChild = former.children[part.element] else { continue }
            let ownedChild = owned.children[part.element]
            // A member of a structure counts as owned with anything below it.
            let wasOwned = formerChild.isMember || (part.kind == .member && !formerChild.children.isEmpty)
            if wasOwned, ownedChild == nil {
                removed.insert(part.element)
                continue
            }
            guard !formerChild.children.isEmpty else { continue }
            let rest = prune(part.value, part.shape, former: formerChild, owned: ownedChild ?? FieldSet())
            if let rest {
                if rest != part.value { replaced[part.element] = rest }
            } else {
                removed.insert(part.element)
            }
        }
        guard !removed.isEmpty || !replaced.isEmpty else { return value }
        if case .object(var members) = value {
            for element in removed { members[String(element.dropFirst(2))] = nil }
            for (element, rest) in replaced { members[String(element.dropFirst(2))] = rest }
            return members.isEmpty && !owned.isMember ? nil : .object(members)
        }
        let rest = parts.compactMap { removed.contains($0.element) ? nil : replaced[$0.element] ?? $0.value }
        return rest.isEmpty && !owned.isMember ? nil : .array(rest)
    }
}
