/// Compares two answers of one server: every difference is one.
struct PredictionWalk {
    private let predicted: Resource
    private let live: Resource
    private let manager: String
    private let schema: ListKeys
    private let fields: ManagedFields
    private var changes: [FieldChange] = []

    private static let maximumDepth = 256

    init(predicted: Resource, live: Resource, manager: String, schema: ListKeys) {
        self.predicted = predicted
        self.live = live
        self.manager = manager
        self.schema = schema
        fields = ManagedFields(of: live)
    }

    mutating func run() -> [FieldChange] {
        visit(ServerFields.stripped(predicted.object), ServerFields.stripped(live.object), FieldPath(), [], 0)
        return changes.sorted(by: DifferenceWalk.precedes)
    }

    private mutating func visit(
        _ predicted: JSON?, _ live: JSON?, _ path: FieldPath, _ names: [String], _ depth: Int
    ) {
        let (predicted, live) = (predicted ?? .null, live ?? .null)
        if predicted == live || ScalarComparison.areEqualNumbers(predicted, live) { return }
        if depth < Self.maximumDepth {
            if case .object(let after) = predicted, case .object(let before) = live {
                for name in Set(after.keys).union(before.keys) {
                    visit(after[name], before[name], path.appending(.field(name)), names + [name], depth + 1)
                }
                return
            }
            if case .array(let after) = predicted, case .array(let before) = live,
                visitElements(after, before, path, names, depth)
            {
                return
            }
        }
        let hides = SecretData.hides(path, in: self.live)
        changes.append(
            FieldChange(
                field: path, kind: live.isNull ? .added : predicted.isNull ? .removed : .changed,
                desired: predicted.isNull ? nil : hides ? FieldChange.mask : predicted,
                live: live.isNull ? nil : hides ? FieldChange.mask : live,
                owners: fields.owners(of: path, except: manager)))
    }

    /// Element by element where it is clear which belong together; false where the list has to be shown as a whole.
    private mutating func visitElements(
        _ after: [JSON], _ before: [JSON], _ path: FieldPath, _ names: [String], _ depth: Int
    ) -> Bool {
        switch schema.list(predicted.gvk, names) {
        case .map(let keys, let defaults):
            let (new, old) = (
                ListIndex(after, keys: keys, defaults: defaults), ListIndex(before, keys: keys, defaults: defaults)
            )
            guard new.isSound, old.isSound else { return false }
            let count = changes.count
            for (key, element) in new.elements {
                let there = old.positions[key].map { before[$0] }
                visit(element, there, path.appending(.key(key)), names, depth + 1)
            }
            for (key, element) in old.elements where new.positions[key] == nil {
                visit(nil, element, path.appending(.key(key)), names, depth + 1)
            }
            // Only the order changed: that is the list's own change.
            return changes.count > count
        case .set, .atomic, .unknown:
            guard after.count == before.count else { return false }
            for (index, pair) in zip(after, before).enumerated() {
                visit(pair.0, pair.1, path.appending(.index(index)), names, depth + 1)
            }
            return true
        }
    }
}
