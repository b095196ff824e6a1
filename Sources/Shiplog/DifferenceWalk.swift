/// Walks a desired and a live object side by side.
struct DifferenceWalk {
    private let desired: Resource
    private let live: Resource
    private let kind: GroupKind
    private let manager: String
    private let schema: ListKeys
    private let fields: ManagedFields
    private let ours: ManagedFields.Entry?
    private let isKnownKind: Bool
    private var certain: [FieldChange] = []
    private var doubtful: [FieldChange] = []
    private var isUndecided = false
    /// Above zero nothing found is certain.
    private var doubt = 0

    /// Deeper than any reader lets a manifest nest.
    private static let maximumDepth = 256

    init(desired: Resource, live: Resource, manager: String, schema: ListKeys) {
        self.desired = SecretData.folded(desired)
        self.live = live
        kind = desired.gvk.groupKind
        self.manager = manager
        self.schema = schema
        fields = ManagedFields(of: live)
        ours = fields.applied(by: manager)
        isKnownKind = schema.knows(desired.gvk.groupKind)
    }

    mutating func run() -> Difference {
        if desired.gvk != live.gvk { doubt += 1 }
        let place = Place(path: FieldPath(), fields: [], own: ours?.fields, isExact: false, depth: 0)
        visitMap(ServerFields.stripped(desired.object), live.object, place)
        if let ours {
            // Fields that were applied in another version may have other names in this one.
            if ours.apiVersion != desired.gvk.apiVersion { doubt += 1 }
            findRemoved(ours.fields, ServerFields.stripped(desired.object), ServerFields.stripped(live.object), place)
        }
        if !certain.isEmpty { return .differs(certain.sorted(by: Self.precedes)) }
        return isUndecided || desired.gvk != live.gvk ? .undecided(doubtful.sorted(by: Self.precedes)) : .same
    }

    static func precedes(_ left: FieldChange, _ right: FieldChange) -> Bool { left.path < right.path }

    /// Where the walk is.
    private struct Place {
        let path: FieldPath
        /// The path without what tells elements of lists apart.
        let fields: [String]
        /// What Shiplog owns from here on.
        let own: FieldSet?
        /// Inside a value that is replaced whole.
        let isExact: Bool
        let depth: Int

        var isMetadata: Bool { fields.first == "metadata" }

        func below(_ step: FieldPath.Step, isExact: Bool = false) -> Place {
            var names = fields
            if case .field(let name) = step { names.append(name) }
            return Place(
                path: path.appending(step), fields: names, own: own?.children[step],
                isExact: self.isExact || isExact, depth: depth + 1)
        }
    }

    private mutating func note(
        _ change: FieldChange.Kind, _ desired: JSON?, _ live: JSON?, _ place: Place, isCertain: Bool
    ) {
        let hides = SecretData.hides(place.path, in: self.desired)
        let found = FieldChange(
            field: place.path, kind: change, desired: desired.map { hides ? FieldChange.mask : $0 },
            live: live.map { hides ? FieldChange.mask : $0 }, owners: fields.owners(of: place.path, except: manager))
        if isCertain, doubt == 0 {
            certain.append(found)
        } else {
            doubtful.append(found)
            isUndecided = true
        }
    }

    /// Every kind's metadata is Kubernetes' own.
    private func isKnown(_ place: Place) -> Bool { isKnownKind || place.isMetadata }

    private mutating func visit(_ desired: JSON, _ live: JSON?, _ place: Place) {
        guard place.depth < Self.maximumDepth else {
            if desired != live { note(.changed, desired, live, place, isCertain: false) }
            return
        }
        if desired.isNull {
            // Null asks for the field's absence; what the server then puts there only it knows.
            if let live, !live.isNull { note(.removed, nil, live, place, isCertain: false) }
            return
        }
        guard let live, !live.isNull else { return visitMissing(desired, place) }
        switch (desired, live) {
        case (.object, .object): visitMap(desired, live, place)
        case (.array(let wanted), .array(let there)): visitList(wanted, there, place)
        default:
            if ScalarComparison.areEqual(desired, live, kind, place.fields, isKnown: isKnown(place)) { return }
            let isCertain = !ScalarComparison.mayBeRewritten(desired, live, place.fields, isKnown: isKnown(place))
            note(.changed, desired, live, place, isCertain: isCertain)
        }
    }

    /// The live object has no such field.
    private mutating func visitMissing(_ desired: JSON, _ place: Place) {
        let isFree = ScalarComparison.isInFreeMap(place.fields)
        switch desired {
        case .object(let members) where !members.isEmpty && isOpen(place):
            // Each member is a field of its own: naming the map would hide which, and who else has one in it.
            for (name, value) in members { visit(value, nil, place.below(.field(name))) }
            return
        case .array([]) where isKnown(place): return
        case .object([:]) where isKnown(place) && ScalarComparison.isFreeMap(place.fields): return
        case .array([]), .object([:]): return note(.added, desired, nil, place, isCertain: false)
        case .object(let members) where members.values.allSatisfy(\.isNull):
            return note(.added, desired, nil, place, isCertain: false)
        case .string(""), .bool(false), .integer(0):
            if isKnown(place), !isFree {
                if KnownFields.dropsZero(place.fields, desired) { return }
                return note(.added, desired, nil, place, isCertain: false)
            }
        default: break
        }
        // Shiplog's own by the record and yet not there: the server dropped it when it was applied.
        let wasDropped = place.own != nil && !place.isExact
        note(.added, desired, nil, place, isCertain: !wasDropped)
    }

    /// A map whose members people name, each with an owner of its own.
    private func isOpen(_ place: Place) -> Bool {
        !place.isExact && place.fields != ["spec", "selector"] && ScalarComparison.isFreeMap(place.fields)
            && isKnown(place) && schema.map(desired.gvk, place.fields) == .granular
    }

    private mutating func visitMap(_ desired: JSON, _ live: JSON, _ place: Place) {
        let (wanted, there) = (desired.object ?? [:], live.object ?? [:])
        for (name, value) in wanted { visit(value, there[name], place.below(.field(name))) }
        if place.isExact {
            visitExtras(wanted, there, place)
            return
        }
        switch schema.map(self.desired.gvk, place.fields) {
        case .granular: return
        case .atomic:
            visitExtras(
                wanted, there,
                Place(
                    path: place.path, fields: place.fields, own: place.own, isExact: true, depth: place.depth))
        case .unknown:
            guard there.keys.contains(where: { wanted[$0] == nil }), !wanted.isEmpty else { return }
            // The record tells: an owner of a map of its own has the map, else its members.
            guard let own = place.own else {
                if ours != nil { isUndecided = true }
                return
            }
            if own.isLeaf { visitExtras(wanted, there, place) }
        }
    }

    /// Members of a value that is replaced whole, and that nobody desires.
    private mutating func visitExtras(_ wanted: [String: JSON], _ there: [String: JSON], _ place: Place) {
        for (name, value) in there where (wanted[name] ?? .null).isNull && !value.isNull {
            if isKnown(place), KnownFields.isDefault(name, value, in: place.fields) { continue }
            let isCertain = ScalarComparison.isInFreeMap(place.fields + [name])
            note(.removed, nil, value, place.below(.field(name)), isCertain: isCertain)
        }
    }

    private mutating func visitList(_ wanted: [JSON], _ there: [JSON], _ place: Place) {
        switch place.isExact ? .atomic : schema.list(desired.gvk, place.fields) {
        case .atomic: visitAtomicList(wanted, there, place)
        case .set: visitSet(wanted, there, place)
        case .map(let keys, let defaults): visitListMap(wanted, there, place, keys, defaults)
        case .unknown:
            // Again the record tells how the server merges it; without one only the server does.
            if let keys = place.own?.children.keys.compactMap(Self.keyNames).first {
                visitListMap(wanted, there, place, keys, [:])
            } else if place.own?.children.keys.contains(where: Self.isValue) == true {
                visitSet(wanted, there, place)
            } else if place.own?.isLeaf == true {
                visitAtomicList(wanted, there, place)
            } else {
                doubt += 1
                visitAtomicList(wanted, there, place)
                doubt -= 1
            }
        }
    }

    private static func keyNames(_ step: FieldPath.Step) -> [String]? {
        if case .key(let keys) = step { keys.keys.sorted() } else { nil }
    }

    private static func isValue(_ step: FieldPath.Step) -> Bool {
        if case .value = step { true } else { false }
    }

    private mutating func visitAtomicList(_ wanted: [JSON], _ there: [JSON], _ place: Place) {
        guard wanted.count == there.count else {
            note(.changed, .array(wanted), .array(there), place, isCertain: true)
            return
        }
        for (index, (value, other)) in zip(wanted, there).enumerated() {
            visit(value, other, place.below(.index(index), isExact: true))
        }
    }

    private mutating func visitSet(_ wanted: [JSON], _ there: [JSON], _ place: Place) {
        let present = Set(there)
        for value in wanted where !present.contains(value) {
            note(.added, value, nil, place.below(.value(value)), isCertain: true)
        }
    }

    private mutating func visitListMap(
        _ wanted: [JSON], _ there: [JSON], _ place: Place, _ keys: [String], _ defaults: [String: JSON]
    ) {
        let present = ListIndex(there, keys: keys, defaults: defaults)
        let named = ListIndex(wanted, keys: keys, defaults: defaults)
        guard present.isSound, named.isSound else {
            // Duplicates and elements without their keys: how these merge is the server's business.
            note(.changed, .array(wanted), .array(there), place, isCertain: false)
            return
        }
        var last = -1
        var isReordered = false
        for (key, value) in named.elements {
            guard let position = present.positions[key] else {
                note(.added, value, nil, place.below(.key(key)), isCertain: true)
                continue
            }
            if position < last { isReordered = true }
            last = position
            visit(value, there[position], place.below(.key(key)))
        }
        if isReordered { note(.changed, .array(wanted), .array(there), place, isCertain: false) }
    }

    // MARK: - What Shiplog owns and nobody desires any more

    private mutating func findRemoved(_ own: FieldSet, _ desired: JSON?, _ live: JSON?, _ place: Place) {
        guard place.depth < Self.maximumDepth else { return }
        for (step, child) in own.children {
            guard let there = live?.child(step), !there.isNull else { continue }
            let wanted = desired?.child(step)
            let next = place.below(step)
            if wanted == nil || wanted?.isNull == true {
                var isElement = false
                if case .key = step { isElement = child.isMember }
                if child.isLeaf || isElement {
                    noteRemoved(there, next)
                    continue
                }
            } else if child.isLeaf {
                continue
            }
            findRemoved(child, wanted, there, next)
        }
    }

    private mutating func noteRemoved(_ live: JSON, _ place: Place) {
        // Somebody else owns it too: an apply leaves it where it is, as that owner's.
        guard fields.owners(of: place.path, except: manager).isEmpty else { return }
        note(.removed, nil, live, place, isCertain: true)
    }
}

/// The elements of a list map by their keys.
struct ListIndex {
    var elements: [(key: [String: JSON], value: JSON)] = []
    var positions: [[String: JSON]: Int] = [:]
    /// Every element has its keys, and none stands twice.
    var isSound = true

    init(_ list: [JSON], keys: [String], defaults: [String: JSON]) {
        for (position, element) in list.enumerated() {
            guard let key = Self.key(of: element, keys, defaults), positions[key] == nil else {
                isSound = false
                return
            }
            positions[key] = position
            elements.append((key, element))
        }
    }

    static func key(of element: JSON, _ keys: [String], _ defaults: [String: JSON]) -> [String: JSON]? {
        guard element.object != nil else { return nil }
        var key: [String: JSON] = [:]
        for name in keys {
            guard let value = element[name] ?? defaults[name], !value.isNull else { return nil }
            key[name] = value
        }
        return key
    }
}

extension JSON {
    /// One step down; an element is found by its key fields, a missing key field counting as any value it may default to.
    func child(_ step: FieldPath.Step) -> JSON? {
        switch step {
        case .field(let name): return self[name]
        case .index(let place):
            guard let array, array.indices.contains(place) else { return nil }
            return array[place]
        case .value(let value): return array?.first { $0 == value }
        case .key(let keys):
            return array?.first { element in
                element.object != nil && keys.allSatisfy { element[$0.key] == nil || element[$0.key] == $0.value }
                    && keys.contains { element[$0.key] == $0.value }
            }
        }
    }

    /// Whether there is something at the path, or a list around it that is taken as a whole.
    func holds(_ path: FieldPath) -> Bool {
        var current = self
        for step in path.steps {
            guard let next = current.child(step) else {
                if case .index = step { return current.array != nil }
                return false
            }
            current = next
        }
        return true
    }
}
