import Shiplog

/// The time the stand-in controllers live in.
struct ControllerClock: Sendable {
    var now: Timestamp
    /// What their waits are multiplied with: 1 is about as fast as a small real cluster, 0.1 ten times faster.
    var scale: Double

    /// Now and so many milliseconds of the controllers' time.
    func after(_ milliseconds: Double) -> Int64 {
        now.milliseconds + Int64(min(max(milliseconds * scale, 0), 1e12))
    }

    var seconds: String { Clock.seconds(now) }
}

/// Stand-ins for kube-controller-manager, the scheduler and the kubelet: they make objects reach a status. No
/// container runs.
extension ClusterState {
    static let controllerManager = "kube-controller-manager"
    static let kubelet = "kubelet"
    static let nodeName = "sandbox"

    static let pods = GroupResource(group: "", plural: "pods")
    static let services = GroupResource(group: "", plural: "services")
    static let namespaces = GroupResource(group: "", plural: "namespaces")
    static let replicaSets = GroupResource(group: "apps", plural: "replicasets")
    static let deployments = GroupResource(group: "apps", plural: "deployments")
    static let claims = GroupResource(group: "", plural: "persistentvolumeclaims")
    static let jobs = GroupResource(group: "batch", plural: "jobs")

    /// Handles at most so many items; answers whether there is more to do at once.
    mutating func runControllers(_ clock: ControllerClock, limit: Int = 64) -> Bool {
        work.wake(now: clock.now.milliseconds)
        for _ in 0..<limit {
            guard let item = work.next() else { return false }
            switch item {
            case .object(let key):
                collectForeground(key, clock)
                reconcile(key, clock)
            case .owner(let uid):
                guard let (key, _) = object(uid: uid) else { break }
                collectForeground(key, clock)
                reconcile(key, clock)
            case .ownerGone(let uid): collectDependents(of: uid, clock)
            case .orphan(let key): collectOrphan(key, clock)
            case .endpoints(let service): reconcileEndpoints(service, clock)
            case .budgets(let namespace): reconcileBudgets(namespace, clock)
            }
        }
        return !work.isEmpty
    }

    private mutating func reconcile(_ key: ObjectKey, _ clock: ControllerClock) {
        switch (key.resource.group, key.resource.plural) {
        case ("", "pods"): reconcilePod(key, clock)
        case ("", "services"): reconcileService(key, clock)
        case ("", "namespaces"): reconcileNamespace(key, clock)
        case ("", "persistentvolumeclaims"): reconcileClaim(key, clock)
        case ("", "persistentvolumes"): reconcileVolume(key, clock)
        case ("", "resourcequotas"): reconcileQuota(key, clock)
        case ("", "replicationcontrollers"), ("apps", "replicasets"): reconcileReplicaSet(key, clock)
        case ("apps", "deployments"): reconcileDeployment(key, clock)
        case ("apps", "statefulsets"): reconcileStatefulSet(key, clock)
        case ("apps", "daemonsets"): reconcileDaemonSet(key, clock)
        case ("batch", "jobs"): reconcileJob(key, clock)
        case ("networking.k8s.io", "ingresses"): reconcileIngress(key, clock)
        case ("policy", "poddisruptionbudgets"): reconcileBudget(key, clock)
        case ("autoscaling", "horizontalpodautoscalers"): reconcileAutoscaler(key, clock)
        case ("apiextensions.k8s.io", "customresourcedefinitions"): reconcileDefinition(key, clock)
        case ("apiregistration.k8s.io", "apiservices"): reconcileService(api: key, clock)
        default: break
        }
    }

    // MARK: what controllers write with

    /// Changes an object as a controller; nothing is written if nothing changes.
    @discardableResult
    mutating func write(
        _ key: ObjectKey, by manager: String, status: Bool, _ clock: ControllerClock, _ change: (inout JSON) -> Void
    ) -> Bool {
        guard let live = object(key), let kind = registry.kind(key.resource) else { return false }
        var object = live
        change(&object)
        guard object != live else { return false }
        var managed = ManagedFields(json: live.at("metadata", "managedFields")) ?? ManagedFields()
        let endpoint: ManagedFields.Endpoint = status ? .status : .main(hasStatus: kind.hasStatus)
        managed.recordUpdate(
            by: ManagedFields.Identity(
                manager: manager, operation: .update, apiVersion: kind.apiVersion, subresource: endpoint.subresource),
            from: live, to: object, kind.shape, endpoint, now: clock.seconds)
        if kind.hasGeneration, object["spec"] != live["spec"],
            let generation = live.at("metadata", "generation")?.integer
        {
            object.set(.integer(generation + 1), at: ["metadata", "generation"])
        }
        object.set(managed.json, at: ["metadata", "managedFields"])
        store(object, at: key)
        return true
    }

    /// Makes an object as a controller; a refusal (its namespace is going) leaves things as they are.
    @discardableResult
    mutating func make(
        _ object: JSON, _ resource: GroupResource, namespace: String, by manager: String = controllerManager,
        _ clock: ControllerClock
    ) -> JSON? {
        guard let kind = registry.kind(resource) else { return nil }
        let context = WriteContext(manager: manager, now: clock.now, fieldValidation: .ignore)
        return try? create(object, kind, namespace: namespace, context).object
    }

    mutating func discard(_ key: ObjectKey, _ clock: ControllerClock, foreground: Bool = false) {
        guard let kind = registry.kind(key.resource), let object = object(key), !object.isBeingDeleted else { return }
        var request = DeleteRequest()
        if foreground { request.propagation = .foreground }
        _ = try? delete(kind, key, request, now: clock.now)
    }

    /// A reference that makes an object the controller of another.
    static func controllerReference(to owner: JSON) -> JSON {
        [
            "apiVersion": owner["apiVersion"] ?? "", "kind": owner["kind"] ?? "", "name": .string(owner.name),
            "uid": .string(owner.uid), "controller": true, "blockOwnerDeletion": true
        ]
    }

    /// The objects of a kind that this one controls; with matching ones that no one controls, which are taken in.
    mutating func controlled(
        by owner: JSON, _ resource: GroupResource, _ selector: LabelSelector?, _ clock: ControllerClock
    ) -> [(key: ObjectKey, object: JSON)] {
        if let selector, !selector.requirements.isEmpty, !owner.isBeingDeleted {
            for name in labels.uncontrolled(resource, namespace: owner.namespace) {
                let key = ObjectKey(resource: resource, namespace: owner.namespace, name: name)
                guard let object = object(key), !object.isBeingDeleted, selector.matches(object) else { continue }
                write(key, by: Self.controllerManager, status: false, clock) { object in
                    let references = object.at("metadata", "ownerReferences")?.array ?? []
                    object.set(
                        .array(references + [Self.controllerReference(to: owner)]), at: ["metadata", "ownerReferences"])
                }
            }
        }
        return dependents(of: owner.uid).compactMap { key in
            guard key.resource == resource, let object = object(key),
                object.controller?["uid"]?.string == owner.uid
            else { return nil }
            return (key, object)
        }
    }

    /// Sets a condition; its transition time changes with its status only.
    static func setCondition(
        _ object: inout JSON, _ type: String, _ status: Bool, reason: String, message: String, _ clock: ControllerClock,
        updates: Bool = false
    ) {
        var conditions = object.at("status", "conditions")?.array ?? []
        let value: JSON = status ? "True" : "False"
        let index = conditions.firstIndex { $0["type"]?.string == type }
        var condition = index.map { conditions[$0] } ?? ["type": .string(type)]
        let isSame = condition["status"] == value && condition["reason"]?.string ?? "" == reason
        if condition["status"] != value { condition["lastTransitionTime"] = .string(clock.seconds) }
        if updates, !isSame || condition["message"]?.string != message {
            condition["lastUpdateTime"] = .string(clock.seconds)
        }
        condition["status"] = value
        condition["reason"] = reason.isEmpty ? nil : .string(reason)
        condition["message"] = message.isEmpty ? nil : .string(message)
        if let index { conditions[index] = condition } else { conditions.append(condition) }
        object.set(.array(conditions), at: ["status", "conditions"])
    }

    /// Records an Event about an object; repeated ones are counted. At most so many are kept.
    mutating func report(
        _ object: JSON, _ type: String, _ reason: String, _ message: String, from component: String,
        _ clock: ControllerClock
    ) {
        let resource = GroupResource(group: "", plural: "events")
        let namespace = object.namespace.isEmpty ? "default" : object.namespace
        let identity = object.uid + reason + message
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in identity.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        let name = object.name.prefix(200) + "." + String(hash, radix: 16)
        let key = ObjectKey(resource: resource, namespace: namespace, name: name)
        if var event = self.object(key) {
            event["count"] = .integer(Self.successor(event["count"]?.integer ?? 1))
            event["lastTimestamp"] = .string(clock.seconds)
            store(event, at: key)
            return
        }
        guard hasNamespace(namespace), self.object(Self.namespaceKey(namespace))?.isBeingDeleted != true else { return }
        let existing = objects(resource, namespace: namespace)
        if existing.count >= 500, let oldest = existing.min(by: { Self.lastSeen($0.object) < Self.lastSeen($1.object) })
        {
            remove(oldest.key)
        }
        let event: JSON = [
            "apiVersion": "v1", "kind": "Event",
            "metadata": [
                "name": .string(name), "namespace": .string(namespace), "uid": .string(random.uid()),
                "creationTimestamp": .string(clock.seconds)
            ],
            "involvedObject": .members([
                "apiVersion": object["apiVersion"], "kind": object["kind"], "name": .string(object.name),
                "namespace": object.namespace.isEmpty ? nil : .string(object.namespace), "uid": .string(object.uid)
            ]),
            "type": .string(type), "reason": .string(reason), "message": .string(message), "count": 1,
            "firstTimestamp": .string(clock.seconds), "lastTimestamp": .string(clock.seconds),
            "source": ["component": .string(component)], "reportingComponent": .string(component),
            "reportingInstance": ""
        ]
        store(event, at: key)
    }

    /// Events a namespace keeps; the oldest fifth goes when there are more.
    private static let maximumEvents = 500

    /// The next number; numbers that clients can write may be as large as they like.
    static func successor(_ number: Int64) -> Int64 { number == .max ? number : number + 1 }

    private static func lastSeen(_ event: JSON) -> String { event["lastTimestamp"]?.string ?? "" }
}
