import LedgerStore
import Manifests
import Shiplog
import Synchronization

/// Shiplog's registry as an API server would show it: applications as objects of Argo CD's kind, read from the ledger,
/// listed and watched by their parents' marks, and written through the controller's own door, so that what a parent's
/// sync does is recorded as a person's doing is.
actor ApplicationRegistry {
    /// How registrations are changed; the controller opens it when it is complete.
    struct Door: Sendable {
        var put:
            @Sendable (Application, RegisteredApplication?, ParentApplication) async throws(Failure)
                -> RegisteredApplication
        var delete: @Sendable (RegisteredApplication, ParentApplication) async throws(Failure) -> Void
    }

    static let eventsKept = 512
    private static let generations = 64

    private let ledger: Ledger
    private nonisolated let door = Mutex<Door?>(nil)
    /// Counts changes; it stands in objects as their `resourceVersion`, and begins anew with the process.
    private var version: Int64 = 1
    private var versions: [ApplicationUID: Int64] = [:]
    private var states: [ApplicationUID: State] = [:]
    private var events: [(version: Int64, event: WatchEvent)] = []
    /// Up to this version changes are no longer kept.
    private var forgotten: Int64 = 0
    private var listeners: [Int: AsyncStream<Void>.Continuation] = [:]
    private var nextListener = 0

    /// What a child shows of itself below `status`.
    struct State: Sendable, Hashable {
        var sync: SyncStatus
        var health: HealthStatus
        var message: String?
    }

    init(_ ledger: Ledger) { self.ledger = ledger }

    nonisolated func open(_ door: Door) { self.door.withLock { $0 = door } }

    private nonisolated func opened() throws(Failure) -> Door {
        guard let door = door.withLock(\.self) else {
            throw Failure(
                "registry.closed", "applications cannot be registered yet", next: .retry(afterMilliseconds: nil))
        }
        return door
    }

    // MARK: - Reading

    /// - Throws: `registry.other-namespace` when the name is taken by one of another namespace: names are unique here.
    func get(namespace: String, name: String) async throws(Failure) -> Resource? {
        guard let registered = try await ledger.application(named: name) else { return nil }
        try Self.check(registered, namespace)
        return try await object(registered, namespace: namespace)
    }

    /// Those that stand among another one's manifests; an empty namespace is all.
    func list(namespace: String) async throws(Failure) -> ResourceList {
        let start = version
        var items: [Resource] = []
        for registered in try await ledger.applications() where registered.application.parent != nil {
            let object = try await object(registered, namespace: registered.application.namespace)
            guard object.labels[Ownership.label] != nil, namespace.isEmpty || object.namespace == namespace else {
                continue
            }
            items.append(object)
        }
        return ResourceList(items: items, resourceVersion: String(start))
    }

    func watch(
        namespace: String, after text: String, deliver: @Sendable (WatchEvent) async -> Void
    ) async throws(Failure) {
        guard var seen = Int64(text), seen <= version else { throw Self.expired }
        let (wakes, listener) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        nextListener += 1
        let id = nextListener
        listeners[id] = listener
        defer { listeners[id] = nil }
        listener.yield()
        for await _ in wakes {
            guard seen >= forgotten else { throw Self.expired }
            for (version, event) in events where version > seen {
                if namespace.isEmpty || event.resource?.namespace == namespace { await deliver(event) }
                seen = version
            }
        }
    }

    private static let expired = Failure(
        .clusterWatchExpired, "older changes of the registry are not kept", next: .retry(afterMilliseconds: nil))

    private static func check(_ registered: RegisteredApplication, _ namespace: String) throws(Failure) {
        let own = registered.application.namespace
        guard own.isEmpty || own == namespace else {
            throw Failure(
                "registry.other-namespace",
                "an application \(registered.name) is registered with the namespace \(own), not \(namespace)",
                remedy: "names of applications are unique: choose another, or set metadata.namespace to \(own)")
        }
    }

    /// The registration as an object. All of its fields are Shiplog's, so that one which a person added is drift too.
    private func object(_ registered: RegisteredApplication, namespace: String) async throws(Failure) -> Resource {
        var object = Self.compared(registered.application.document)
        let kind = RegistryKind.application.served
        object["apiVersion"] = .string(kind.gvk.apiVersion)
        object["kind"] = .string(kind.gvk.kind)
        object.set(.string(registered.name), at: ["metadata", "name"])
        object.set(namespace.isEmpty ? nil : .string(namespace), at: ["metadata", "namespace"])
        if let parent = registered.application.parent, try await !isRegistered(parent) {
            // Its parent was unregistered and left it behind: nobody owns it.
            object.set(nil, at: ["metadata", "annotations", Ownership.annotation])
            object.set(nil, at: ["metadata", "labels", Ownership.label])
        }
        let fields = Self.fields(of: object)
        object.set(
            .array([
                [
                    "manager": "shiplog", "operation": "Apply", "apiVersion": .string(kind.gvk.apiVersion),
                    "fieldsType": "FieldsV1", "fieldsV1": fields
                ]
            ]), at: ["metadata", "managedFields"])
        object.set(.string(registered.uid.value), at: ["metadata", "uid"])
        object.set(.string(String(versions[registered.uid] ?? 1)), at: ["metadata", "resourceVersion"])
        object.set(.string(registered.createdAt.description), at: ["metadata", "creationTimestamp"])
        if let state = states[registered.uid] {
            object["status"] = [
                "health": .members([
                    "message": state.message.map { .string($0) }, "status": .string(state.health.rawValue)
                ]),
                "sync": ["status": .string(state.sync.rawValue)]
            ]
        }
        return try Resource(object)
    }

    private func isRegistered(_ uid: ApplicationUID) async throws(Failure) -> Bool {
        guard let parent = try await ledger.application(uid: uid) else { return false }
        return try await ledger.application(named: parent.name)?.uid == uid
    }

    /// Webhooks carry secrets, which no manifest may: they are set by people and are nobody's drift.
    private static func compared(_ document: JSON) -> JSON {
        var copy = document
        copy.set(nil, at: ["spec", "webhook"])
        copy["status"] = nil
        return copy
    }

    private static func fields(of object: JSON) -> JSON {
        var fields: [String: JSON] = [:]
        for name in ["spec"] { if let value = object[name] { fields["f:" + name] = set(of: value) } }
        var metadata: [String: JSON] = [:]
        for name in ["labels", "annotations", "finalizers"] {
            if let value = object.at("metadata", name) { metadata["f:" + name] = set(of: value) }
        }
        fields["f:metadata"] = .object(metadata)
        return .object(fields)
    }

    private static func set(of value: JSON) -> JSON {
        guard case .object(let members) = value else { return .object([:]) }
        var fields: [String: JSON] = [:]
        for (name, below) in members { fields["f:" + name] = set(of: below) }
        return .object(fields)
    }

    // MARK: - Writing

    /// Judges what stands among an application's manifests before anything is promised or stored.
    /// - Returns: what people should know of them.
    func admit(_ resources: [Resource], of parent: RegisteredApplication) async throws(Failure) -> [String] {
        var warnings: [String] = []
        var names: Set<String> = []
        for resource in resources {
            guard let kind = RegistryKind(resource.gvk.groupKind) else { continue }
            try Self.check(resource, kind)
            let (child, notes) = try Self.read(resource)
            guard names.insert(child.name).inserted else {
                throw Failure(
                    "registry.name-twice", "two Applications among the manifests are named \(child.name)",
                    remedy: "names of applications are unique, whatever their namespace: rename one")
            }
            try await refuseLoop(child.name, below: parent)
            warnings += notes.map { "\(resource.key): \($0)" }
        }
        return warnings
    }

    /// Registers what a parent's manifests declare, or says what that would be.
    func apply(_ resource: Resource, isNew: Bool = false, dryRun: Bool) async throws(Failure) -> Resource {
        guard let kind = RegistryKind(resource.gvk.groupKind) else { throw Self.unknownKind(resource.gvk) }
        try Self.check(resource, kind)
        var application = try Self.read(resource).application
        guard let uid = application.parent, let parent = try await ledger.application(uid: uid),
            try await isRegistered(uid)
        else {
            throw Failure(
                "registry.no-parent", "\(resource.key) names no application among whose manifests it stands",
                remedy: "register it with `shiplog app apply`")
        }
        try await refuseLoop(application.name, below: parent)
        let before = try await ledger.application(named: application.name)
        if let before {
            try Self.check(before, resource.namespace)
            if isNew { throw Failure(.clusterAlreadyExists, "there is an application \(before.name) already") }
            if let other = before.application.parent, other != uid, try await isRegistered(other) {
                throw Failure(
                    "plan.owned-by-another", "\(resource.key) belongs to another application, \(other)",
                    remedy: "take it out of one of the two sources")
            }
            application.webhooks = before.application.webhooks
            application.document.set(
                before.application.document.at("spec", "webhook"), at: ["spec", "webhook"])
        }
        if dryRun {
            return try await object(
                RegisteredApplication(
                    uid: before?.uid ?? uid, application: application,
                    createdAt: before?.createdAt ?? parent.createdAt,
                    changedBy: before?.changedBy ?? parent.changedBy, pin: before?.pin, clusterUID: nil),
                namespace: resource.namespace)
        }
        let reference = ParentApplication(parent.reference, attempt: try await ledger.openAttempt(of: uid))
        let registered = try await opened().put(application, before, reference)
        return try await object(registered, namespace: resource.namespace)
    }

    /// Takes out what a parent's manifests no longer declare. What it deployed goes only with Argo CD's finalizer.
    /// - Parameter uid: only the application with this uid.
    func delete(namespace: String, name: String, uid: String?, dryRun: Bool) async throws(Failure) -> Deletion {
        guard let registered = try await ledger.application(named: name),
            uid == nil || uid == registered.uid.value
        else { return .absent }
        try Self.check(registered, namespace)
        // Whoever prunes has seen the marks; they may have changed since, and on a doubt nothing goes.
        guard let owner = registered.application.parent, let parent = try await ledger.application(uid: owner) else {
            throw Failure(
                .clusterConflict, "the application \(name) is no longer among another one's manifests",
                next: .retry(afterMilliseconds: nil))
        }
        guard !dryRun else { return .done }
        let reference = ParentApplication(parent.reference, attempt: try await ledger.openAttempt(of: owner))
        try await opened().delete(registered, reference)
        return .done
    }

    private static func read(
        _ resource: Resource
    ) throws(Failure) -> (application: Application, warnings: [String]) {
        try ApplicationReader.read(resource.object) { _ in "\(resource.key): " }
    }

    private static func check(_ resource: Resource, _ kind: RegistryKind) throws(Failure) {
        // The one seam where projects come in: until then nothing of them may reach a cluster.
        guard kind == .application else {
            throw Failure(
                "registry.project-unsupported",
                "\(resource.key) is a project, which cannot be registered from manifests",
                remedy: "take it out of the source")
        }
        guard !resource.isHook, !resource.hasGeneratedName else {
            throw Failure(
                "registry.hook", "\(resource.key) is a hook, and an application cannot be one",
                remedy: "remove the annotation argocd.argoproj.io/hook; a sync wave gives it its turn")
        }
        let webhooks = resource.object.at("spec", "webhook", "gitlab")?.array ?? []
        guard !webhooks.contains(where: { $0["secret"] != nil }) else {
            throw Failure(
                "registry.secret-in-manifest", "\(resource.key) holds a webhook's secret",
                remedy: "take spec.webhook out of the manifest and set it with `shiplog app apply`: a parent keeps it")
        }
    }

    private static func unknownKind(_ gvk: GroupVersionKind) -> Failure {
        Failure("cluster.kind-unknown", "the registry serves no \(gvk)", remedy: "check apiVersion and kind")
    }

    /// - Throws: `registry.loop` for an application that would be above itself.
    private func refuseLoop(_ name: String, below parent: RegisteredApplication) async throws(Failure) {
        var above: RegisteredApplication? = parent
        for _ in 0..<Self.generations {
            guard let current = above else { return }
            guard current.name != name else {
                throw Failure(
                    "registry.loop",
                    name == parent.name
                        ? "the application \(name) stands among its own manifests"
                        : "the application \(name) stands among the manifests of \(parent.name), which is below it",
                    remedy: "take it out of the source")
            }
            guard let uid = current.application.parent, try await isRegistered(uid) else { return }
            above = try await ledger.application(uid: uid)
        }
        throw Failure(
            "registry.loop", "\(parent.name) is more than \(Self.generations) applications deep",
            remedy: "declare its children in an application further up")
    }

    // MARK: - Telling

    /// An application was registered or changed, by whomever.
    func changed(_ registered: RegisteredApplication) async {
        version += 1
        versions[registered.uid] = version
        guard registered.application.parent != nil,
            let object = try? await object(registered, namespace: registered.application.namespace)
        else { return }
        tell(.modified(object))
    }

    /// An application was taken out.
    func removed(_ registered: RegisteredApplication) async {
        version += 1
        let object = try? await object(registered, namespace: registered.application.namespace)
        versions[registered.uid] = nil
        states[registered.uid] = nil
        if registered.application.parent != nil, let object { tell(.deleted(object)) }
    }

    /// What a look at an application found: its parent's health may count it.
    func note(_ status: ApplicationStatus) async {
        let registered = status.registered
        guard registered.application.parent != nil else { return }
        let state = State(sync: status.sync, health: status.health, message: status.healthMessage)
        guard states[registered.uid] != state else { return }
        states[registered.uid] = state
        await changed(registered)
    }

    private func tell(_ event: WatchEvent) {
        events.append((version, event))
        if events.count > Self.eventsKept { forgotten = events.removeFirst().version }
        for listener in listeners.values { listener.yield() }
    }
}

extension WatchEvent {
    fileprivate var resource: Resource? {
        switch self {
        case .added(let resource), .modified(let resource), .deleted(let resource): resource
        case .bookmark: nil
        }
    }
}
