import Shiplog

/// What the stand-in controllers have to look at: each item at most once, in the order of the changes.
struct WorkQueue: Sendable {
    enum Item: Sendable, Hashable {
        /// An object changed, or something it depends on did.
        case object(ObjectKey)
        /// Something that this owner has changed.
        case owner(String)
        /// An owner is gone: look after its dependents.
        case ownerGone(String)
        /// An object names owners: are they there?
        case orphan(ObjectKey)
        /// A Service's pods changed.
        case endpoints(ObjectKey)
        /// Pods of a namespace changed.
        case budgets(namespace: String)
    }

    private var items: [Item] = []
    private var start = 0
    private var queued: Set<Item> = []
    private var timers: [Item: (due: Int64, order: Int)] = [:]
    private var timerCount = 0

    var isEmpty: Bool { start >= items.count }

    mutating func add(_ item: Item) {
        if queued.insert(item).inserted { items.append(item) }
    }

    /// Puts an item in at a time; the earliest of several counts. Milliseconds of the controllers' clock.
    mutating func add(_ item: Item, at due: Int64) {
        if let timer = timers[item], timer.due <= due { return }
        timerCount += 1
        timers[item] = (due, timerCount)
    }

    /// Takes an item's timer away.
    mutating func cancel(_ item: Item) { timers[item] = nil }

    mutating func next() -> Item? {
        guard start < items.count else { return nil }
        let item = items[start]
        start += 1
        if start > 256, start * 2 > items.count {
            items.removeFirst(start)
            start = 0
        }
        queued.remove(item)
        return item
    }

    /// When the next timer is due.
    var nextDue: Int64? { timers.values.lazy.map(\.due).min() }

    /// Moves what is due into the queue, earliest first.
    mutating func wake(now: Int64) {
        guard let nextDue, nextDue <= now else { return }
        let due = timers.filter { $0.value.due <= now }.sorted { $0.value < $1.value }
        for (item, _) in due {
            timers[item] = nil
            add(item)
        }
    }

    /// Whether anything is waiting for its time.
    var hasTimers: Bool { !timers.isEmpty }

    private static let pods = GroupResource(group: "", plural: "pods")
    private static let volumes = GroupResource(group: "", plural: "persistentvolumes")
    private static let events = GroupResource(group: "", plural: "events")

    /// Puts in what a change may concern.
    /// - Parameter services: the Services that select the object or its former self.
    mutating func note(_ change: Change, services: [ObjectKey]) {
        let key = change.key
        // Nothing follows from an Event.
        guard key.resource != Self.events else { return }
        add(.object(key))
        for service in services { add(.endpoints(service)) }
        if change.verb == .deleted { add(.ownerGone(change.object.uid)) }
        if change.object.at("metadata", "ownerReferences") != nil {
            if change.verb == .added { add(.orphan(key)) }
            for owner in change.object.at("metadata", "ownerReferences")?.array ?? [] {
                if let uid = owner["uid"]?.string { add(.owner(uid)) }
            }
        }
        if change.verb == .deleted, let volume = change.object.at("spec", "volumeName")?.string {
            add(.object(ObjectKey(resource: Self.volumes, namespace: "", name: volume)))
        }
        if key.resource == Self.pods { add(.budgets(namespace: key.namespace)) }
        if change.verb == .deleted, !key.namespace.isEmpty { add(.object(ClusterState.namespaceKey(key.namespace))) }
    }
}
