import Shiplog

/// Where an object is stored.
struct ObjectKey: Sendable, Hashable, Comparable {
    let resource: GroupResource
    /// Empty for cluster-scoped kinds.
    let namespace: String
    let name: String

    static func < (left: Self, right: Self) -> Bool {
        (left.resource, left.namespace, left.name) < (right.resource, right.namespace, right.name)
    }
}

/// One write, in the order of its resource version.
struct Change: Sendable {
    enum Verb: String, Sendable {
        case added = "ADDED"
        case modified = "MODIFIED"
        case deleted = "DELETED"
    }

    let version: Int64
    let verb: Verb
    let key: ObjectKey
    /// As stored; for a deletion the last state with the deletion's version.
    let object: JSON
    /// The state before, nil for an addition.
    let previous: JSON?
}

/// The whole cluster as a value: objects, one counter of versions, and the recent changes. A copy is a dry run.
struct ClusterState: Sendable {
    private(set) var registry = KindRegistry()
    /// The one resource version of the cluster: the last write's.
    private(set) var version: Int64 = 0
    private var objects: [GroupResource: [String: [String: JSON]]] = [:]
    private var keyByUID: [String: ObjectKey] = [:]
    private var dependents: [String: Set<ObjectKey>] = [:]
    private(set) var labels = LabelIndex()
    /// The changes that watches can still resume from.
    private(set) var window = ChangeWindow()
    /// Writes since the last `takeChanges`.
    private var fresh: [Change] = []
    var work = WorkQueue()
    /// Set on a copy that will be thrown away: what it stores gets no version.
    var isDryRun = false
    var random: RandomSource
    /// The last address handed out to a Service and to a pod.
    var lastServiceAddress = 0
    var lastPodAddress = 0
    /// What the stand-in kubelet waits for; forgotten on a restart, when everything is looked at again.
    var podDue: [ObjectKey: Int64] = [:]
    var podEnd: [ObjectKey: Int64] = [:]
    var rollouts: [ObjectKey: RolloutProgress] = [:]

    init(seed: UInt64) { random = RandomSource(seed: seed) }

    // MARK: reading

    func object(_ key: ObjectKey) -> JSON? { objects[key.resource]?[key.namespace]?[key.name] }

    func object(uid: String) -> (key: ObjectKey, object: JSON)? {
        guard let key = keyByUID[uid], let object = object(key) else { return nil }
        return (key, object)
    }

    func exists(uid: String) -> Bool { keyByUID[uid] != nil }

    /// The objects that name this one among their owners, in the order of their keys.
    func dependents(of uid: String) -> [ObjectKey] { (dependents[uid] ?? []).sorted() }

    /// The objects of a kind, in the order of their keys.
    /// - Parameter namespace: nil for all namespaces.
    func objects(_ resource: GroupResource, namespace: String?) -> [(key: ObjectKey, object: JSON)] {
        guard let spaces = objects[resource] else { return [] }
        var result: [(key: ObjectKey, object: JSON)] = []
        for space in namespace.map({ [$0] }) ?? spaces.keys.sorted() {
            guard let names = spaces[space] else { continue }
            for name in names.keys.sorted() {
                guard let object = names[name] else { continue }
                result.append((ObjectKey(resource: resource, namespace: space, name: name), object))
            }
        }
        return result
    }

    /// Every object that is in a namespace.
    func content(of namespace: String) -> [ObjectKey] {
        objects.flatMap { resource, spaces in
            (spaces[namespace]?.keys).map { names in
                names.map { ObjectKey(resource: resource, namespace: namespace, name: $0) }
            } ?? []
        }.sorted()
    }

    func count(_ resource: GroupResource, namespace: String) -> Int { objects[resource]?[namespace]?.count ?? 0 }

    var count: Int { objects.values.reduce(0) { $0 + $1.values.reduce(0) { $0 + $1.count } } }

    /// Every object, for a snapshot.
    var everything: [(key: ObjectKey, object: JSON)] {
        objects.keys.sorted().flatMap { objects($0, namespace: nil) }
    }

    func hasNamespace(_ name: String) -> Bool { object(Self.namespaceKey(name)) != nil }

    static func namespaceKey(_ name: String) -> ObjectKey {
        ObjectKey(resource: GroupResource(group: "", plural: "namespaces"), namespace: "", name: name)
    }

    static let definitions = GroupResource(group: "apiextensions.k8s.io", plural: "customresourcedefinitions")

    // MARK: writing

    /// Stores an object under the next version.
    @discardableResult
    mutating func store(_ object: JSON, at key: ObjectKey) -> JSON {
        version += 1
        var stored = object
        if !isDryRun { stored.set(.string(String(version)), at: ["metadata", "resourceVersion"]) }
        let previous = self.object(key)
        put(stored, at: key, previous: previous)
        record(
            Change(
                version: version, verb: previous == nil ? .added : .modified, key: key, object: stored,
                previous: previous))
        return stored
    }

    /// Removes an object under the next version.
    @discardableResult
    mutating func remove(_ key: ObjectKey) -> JSON? {
        guard let previous = object(key) else { return nil }
        rollouts[key] = nil
        if key.resource == Self.definitions {
            for kind in CustomKinds.kinds(of: previous).prefix(1) {
                for (instance, _) in objects(kind.resource, namespace: nil) { remove(instance) }
            }
        }
        version += 1
        var last = previous
        last.set(.string(String(version)), at: ["metadata", "resourceVersion"])
        drop(key, previous)
        record(Change(version: version, verb: .deleted, key: key, object: last, previous: previous))
        return last
    }

    private mutating func record(_ change: Change) {
        window.append(change)
        fresh.append(change)
        work.note(change, services: services(selecting: change))
        if change.key.resource == Self.definitions { rebuildRegistry() }
    }

    /// The Services whose endpoints a change of a pod may change.
    private func services(selecting change: Change) -> [ObjectKey] {
        guard change.key.resource == Self.pods else { return [] }
        let namespace = change.key.namespace
        var names = labels.services(for: change.object.labels, namespace: namespace)
        if let previous = change.previous, previous.labels != change.object.labels {
            names += labels.services(for: previous.labels, namespace: namespace)
        }
        return names.map { ObjectKey(resource: Self.services, namespace: namespace, name: $0) }
    }

    private mutating func put(_ object: JSON, at key: ObjectKey, previous: JSON?) {
        if let previous { unindex(key, previous) }
        objects[key.resource, default: [:]][key.namespace, default: [:]][key.name] = object
        labels.add(key, object)
        if let uid = object.at("metadata", "uid")?.string { keyByUID[uid] = key }
        for owner in object.at("metadata", "ownerReferences")?.array ?? [] {
            if let uid = owner["uid"]?.string { dependents[uid, default: []].insert(key) }
        }
    }

    private mutating func drop(_ key: ObjectKey, _ previous: JSON) {
        unindex(key, previous)
        objects[key.resource]?[key.namespace]?[key.name] = nil
        if objects[key.resource]?[key.namespace]?.isEmpty == true { objects[key.resource]?[key.namespace] = nil }
    }

    private mutating func unindex(_ key: ObjectKey, _ previous: JSON) {
        labels.remove(key, previous)
        if let uid = previous.at("metadata", "uid")?.string { keyByUID[uid] = nil }
        for owner in previous.at("metadata", "ownerReferences")?.array ?? [] {
            guard let uid = owner["uid"]?.string else { continue }
            dependents[uid]?.remove(key)
            if dependents[uid]?.isEmpty == true { dependents[uid] = nil }
        }
    }

    private mutating func rebuildRegistry() {
        let custom = objects(Self.definitions, namespace: nil).compactMap { _, definition in
            definition.condition("Established")?["status"] == "True" ? CustomKinds.kinds(of: definition) : nil
        }
        registry = KindRegistry(custom: custom)
    }

    /// The writes since the last call, in order.
    mutating func takeChanges() -> [Change] {
        defer { fresh = [] }
        return fresh
    }

    /// Makes every resource version before the present one too old: for tests of 410.
    mutating func forgetChanges() { window.begin(at: version) }

    // MARK: restoring

    /// Puts back what a journal holds: no change is recorded.
    mutating func restore(_ object: JSON, at key: ObjectKey, version: Int64) {
        put(object, at: key, previous: self.object(key))
        self.version = max(self.version, version)
    }

    /// The last two bytes of an address, counted from the first that is handed out.
    private static func number(_ address: JSON?, after first: Int) -> Int? {
        guard let parts = address?.string?.split(separator: ".").compactMap({ UInt8($0) }), parts.count == 4 else {
            return nil
        }
        return max(0, Int(parts[2]) * 256 + Int(parts[3]) - first)
    }

    mutating func restoreRemoval(_ key: ObjectKey, version: Int64) {
        if let previous = object(key) { drop(key, previous) }
        self.version = max(self.version, version)
    }

    /// To be called once after restoring: finds the custom kinds again, and gives the controllers all to look at.
    mutating func finishRestoring() {
        rebuildRegistry()
        window.begin(at: version)
        random = RandomSource(seed: random.state ^ UInt64(bitPattern: version))
        for (key, object) in everything {
            if let number = Self.number(object.at("spec", "clusterIP"), after: 10) {
                lastServiceAddress = max(lastServiceAddress, number)
            }
            if let number = Self.number(object.at("status", "podIP"), after: 4) {
                lastPodAddress = max(lastPodAddress, number)
            }
            work.add(.object(key))
            if object.at("metadata", "ownerReferences") != nil { work.add(.orphan(key)) }
        }
    }
}

/// The last changes, bounded: a watch that asks for older ones is told 410.
struct ChangeWindow: Sendable {
    static let capacity = 8192

    private var changes: [Change] = []
    private var start = 0
    /// Watches can resume from this version or a later one.
    private(set) var oldest: Int64 = 0

    mutating func begin(at version: Int64) {
        changes = []
        start = 0
        oldest = version
    }

    mutating func append(_ change: Change) {
        changes.append(change)
        guard changes.count - start > Self.capacity else { return }
        oldest = changes[start].version
        start += 1
        if start > Self.capacity {
            changes.removeFirst(start)
            start = 0
        }
    }

    /// The changes after a version, oldest first; nil when some of them are gone.
    func after(_ version: Int64) -> ArraySlice<Change>? {
        guard version >= oldest else { return nil }
        var low = start
        var high = changes.count
        while low < high {
            let middle = (low + high) / 2
            if changes[middle].version <= version { low = middle + 1 } else { high = middle }
        }
        return changes[low...]
    }
}

/// SplitMix64: names and UIDs that a test can repeat. Not for secrets.
struct RandomSource: Sendable {
    private(set) var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    private static let letters = Array("bcdfghjklmnpqrstvwxz2456789")

    /// Letters that spell no words, as Kubernetes uses them.
    mutating func suffix(_ count: Int = 5) -> String {
        String((0..<count).map { _ in Self.letters[Int(next() % UInt64(Self.letters.count))] })
    }

    /// A UUID of version 4.
    mutating func uid() -> String {
        var bytes: [UInt8] = []
        for word in [next(), next()] {
            for shift in stride(from: 56, through: 0, by: -8) {
                bytes.append(UInt8(truncatingIfNeeded: word >> UInt64(shift)))
            }
        }
        bytes[6] = bytes[6] & 0x0F | 0x40
        bytes[8] = bytes[8] & 0x3F | 0x80
        let hex = bytes.hex
        let cuts = [0, 8, 12, 16, 20, 32]
        return zip(cuts, cuts.dropFirst()).map { from, to in
            String(hex.dropFirst(from).prefix(to - from))
        }.joined(separator: "-")
    }
}

extension JSON {
    /// The condition of that type in `status.conditions`.
    func condition(_ type: String) -> JSON? {
        at("status", "conditions")?.array?.first { $0["type"]?.string == type }
    }

    var name: String { at("metadata", "name")?.string ?? "" }
    var namespace: String { at("metadata", "namespace")?.string ?? "" }
    var uid: String { at("metadata", "uid")?.string ?? "" }
    var isBeingDeleted: Bool { at("metadata", "deletionTimestamp") != nil }
    var finalizers: [String] { at("metadata", "finalizers")?.array?.compactMap(\.string) ?? [] }
    var labels: [String: JSON] { at("metadata", "labels")?.object ?? [:] }

    /// The owner that controls this object.
    var controller: JSON? {
        at("metadata", "ownerReferences")?.array?.first { $0["controller"] == true }
    }
}
