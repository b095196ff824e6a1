import Shiplog

/// What a DELETE asks for.
struct DeleteRequest: Sendable {
    enum Propagation: String, Sendable { case background = "Background", foreground = "Foreground", orphan = "Orphan" }

    var propagation = Propagation.background
    var gracePeriodSeconds: Int64?
    var uid: String?
    var resourceVersion: String?

    init() {}

    /// From a `DeleteOptions` body and the query's parameters.
    init(_ body: JSON?, _ query: [String: String]) throws(StatusError) {
        let name = body?["propagationPolicy"]?.string ?? query["propagationPolicy"]
        if let name {
            guard let propagation = Propagation(rawValue: name) else {
                throw StatusError(
                    422, "Invalid",
                    "DeleteOptions.meta.k8s.io \"\" is invalid: propagationPolicy: Unsupported value: "
                        + "\"\(name.prefix(50))\""
                )
            }
            self.propagation = propagation
        } else if body?["orphanDependents"]?.bool ?? (query["orphanDependents"] == "true") {
            propagation = .orphan
        }
        gracePeriodSeconds = body?["gracePeriodSeconds"]?.integer ?? query["gracePeriodSeconds"].flatMap { Int64($0) }
        uid = body?.at("preconditions", "uid")?.string
        resourceVersion = body?.at("preconditions", "resourceVersion")?.string
    }
}

extension ClusterState {
    static let foregroundFinalizer = "foregroundDeletion"

    /// Deletes an object, or marks it when finalizers, dependents or a grace period hold it.
    ///
    /// - Returns: the marked object, or nil with the last state when it is gone.
    mutating func delete(
        _ kind: Kind, _ key: ObjectKey, _ request: DeleteRequest, now: Timestamp
    ) throws(StatusError) -> (pending: JSON?, last: JSON) {
        guard var object = object(key) else { throw .notFound(kind, key.name) }
        if let uid = request.uid, uid != object.uid {
            throw .conflict(
                kind, key.name,
                "the UID in the precondition (\(uid)) does not match the UID in record (\(object.uid)). The object "
                    + "might have been deleted and then recreated")
        }
        if let version = request.resourceVersion, version != object.at("metadata", "resourceVersion")?.string {
            throw .conflict(
                kind, key.name,
                "the ResourceVersion in the precondition (\(version)) does not match the ResourceVersion in record "
                    + "(\(object.at("metadata", "resourceVersion")?.string ?? "")). The object might have been modified"
            )
        }
        if !kind.isCustom, kind.kind == "Namespace", ["default", "kube-system", "kube-public"].contains(key.name) {
            throw .forbidden(kind, key.name, "this namespace may not be deleted")
        }
        let wasMarked = object.isBeingDeleted
        if request.propagation == .orphan { orphanDependents(of: object.uid) }
        var finalizers = object.finalizers
        if request.propagation == .foreground, !dependents(of: object.uid).isEmpty,
            !finalizers.contains(Self.foregroundFinalizer)
        {
            finalizers.append(Self.foregroundFinalizer)
            object.set(.array(finalizers.map { .string($0) }), at: ["metadata", "finalizers"])
        }
        let grace = gracePeriod(object, kind, request)
        let isNamespace = !kind.isCustom && kind.kind == "Namespace"
        if finalizers.isEmpty, grace == 0, !isNamespace {
            return (nil, remove(key) ?? object)
        }
        if !wasMarked {
            object.set(.string(Clock.seconds(now)), at: ["metadata", "deletionTimestamp"])
            if kind.hasGeneration, let generation = object.at("metadata", "generation")?.integer {
                object.set(.integer(generation + 1), at: ["metadata", "generation"])
            }
            if isNamespace { object.set("Terminating", at: ["status", "phase"]) }
        }
        object.set(.integer(grace), at: ["metadata", "deletionGracePeriodSeconds"])
        if object == self.object(key) { return (object, object) }
        let stored = store(object, at: key)
        return (stored, stored)
    }

    /// Only a pod on a node gets time to end.
    private func gracePeriod(_ object: JSON, _ kind: Kind, _ request: DeleteRequest) -> Int64 {
        guard !kind.isCustom, kind.kind == "Pod", object.at("spec", "nodeName") != nil else { return 0 }
        if let phase = object.at("status", "phase")?.string, phase == "Succeeded" || phase == "Failed" { return 0 }
        return max(0, request.gracePeriodSeconds ?? object.at("spec", "terminationGracePeriodSeconds")?.integer ?? 30)
    }

    /// Takes an owner out of its dependents' references, so that they stay.
    private mutating func orphanDependents(of uid: String) {
        for key in dependents(of: uid) {
            guard var dependent = object(key) else { continue }
            let rest = dependent.at("metadata", "ownerReferences")?.array?.filter { $0["uid"]?.string != uid } ?? []
            dependent.set(rest.isEmpty ? nil : .array(rest), at: ["metadata", "ownerReferences"])
            store(dependent, at: key)
        }
    }
}
