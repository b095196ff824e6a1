public import Shiplog

/// Brings a manifest into the form in which it is compared and applied. Pure: the same manifest, the same result.
public enum DesiredNormalization {
    /// What Shiplog changes in a manifest before it becomes desired:
    ///
    /// - members that are null go, as server-side apply does not own them;
    /// - `status` and what only a server writes into `metadata` go;
    /// - a Secret's `stringData` becomes `data`, where it wins (what the API server does, but readable back);
    /// - of the entries of one name in a pod's lists the last stays, since server-side apply refuses doubles that
    ///   other ways of applying accept;
    /// - what a manifest names only to leave it to the cluster goes (see `LeftToCluster`).
    ///
    /// - Returns: the manifest and what a person should be told; never a value out of it.
    public static func apply(_ resource: Resource) -> (resource: Resource, warnings: [String]) {
        var object = resource.object
        var warnings: [String] = []
        if resource.isSecret { foldStringData(&object) }
        object = withoutNulls(object)
        dropServerFields(&object, &warnings)
        dropDoubles(&object, kind: resource.gvk.groupKind, &warnings)
        guard let normalized = try? Resource(object) else { return (resource, []) }
        let (left, taken) = LeftToCluster.without(normalized)
        for path in taken { warnings.append("\(path) is not applied: the cluster fills it") }
        return (left, warnings.map { "\(resource.key): " + $0 })
    }

    // MARK: Secrets

    private static func foldStringData(_ object: inout JSON) {
        guard case .object(var data) = object["data"] ?? .object([:]) else { return }
        // A key without a value is an empty value to the API server, not a key that is absent.
        for (key, value) in data where value.isNull { data[key] = .string("") }
        if let plain = object["stringData"]?.object {
            for (key, value) in plain {
                switch value {
                case .string(let text): data[key] = .string(Base64.encode(text.utf8))
                case .null: data[key] = .string("")
                // The server says what is wrong with it; the old value must not stand in for it.
                default: return
                }
            }
            object["stringData"] = nil
        }
        if !data.isEmpty || object["data"] != nil { object["data"] = .object(data) }
    }

    // MARK: Nulls and the server's fields

    private static func withoutNulls(_ json: JSON) -> JSON {
        switch json {
        case .object(let members):
            .object(members.compactMapValues { $0.isNull ? nil : withoutNulls($0) })
        case .array(let elements): .array(elements.map(withoutNulls))
        default: json
        }
    }

    /// Written by the server, or by another client for itself; a manifest that was exported has them all.
    private static let serverFields = [
        "creationTimestamp", "deletionGracePeriodSeconds", "deletionTimestamp", "generation", "managedFields",
        "resourceVersion", "selfLink", "uid"
    ]
    private static let lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

    private static func dropServerFields(_ object: inout JSON, _ warnings: inout [String]) {
        if let status = object["status"] {
            object["status"] = nil
            if status.object?.isEmpty != true { warnings.append("status is not applied") }
        }
        guard case .object(var metadata) = object["metadata"] else { return }
        for field in serverFields where metadata.removeValue(forKey: field) != nil {
            warnings.append("metadata.\(field) is not applied")
        }
        if case .object(var annotations) = metadata["annotations"], annotations.removeValue(forKey: lastApplied) != nil
        {
            metadata["annotations"] = .object(annotations)
            warnings.append("the annotation \(lastApplied) is not applied")
        }
        object["metadata"] = .object(metadata)
    }

    // MARK: Doubles in a pod's lists

    private static func podPath(of kind: GroupKind) -> [String]? {
        switch (kind.group, kind.kind) {
        case ("", "Pod"): ["spec"]
        case ("", "PodTemplate"): ["template", "spec"]
        case ("apps", "Deployment"), ("apps", "ReplicaSet"), ("apps", "StatefulSet"), ("apps", "DaemonSet"),
            ("batch", "Job"), ("", "ReplicationController"):
            ["spec", "template", "spec"]
        case ("batch", "CronJob"): ["spec", "jobTemplate", "spec", "template", "spec"]
        default: nil
        }
    }

    private static func dropDoubles(_ object: inout JSON, kind: GroupKind, _ warnings: inout [String]) {
        guard let path = podPath(of: kind), case .object(var pod) = object.at(path[...]) else { return }
        let name = path.joined(separator: ".")
        for list in ["containers", "initContainers", "ephemeralContainers"] {
            guard case .array(let containers) = pod[list] else { continue }
            pod[list] = .array(
                keepLast(containers, "\(name).\(list)", key: byName, &warnings).map {
                    withoutDoubles(container: $0, "\(name).\(list)", &warnings)
                })
        }
        for list in ["volumes", "imagePullSecrets"] {
            guard case .array(let entries) = pod[list] else { continue }
            pod[list] = .array(keepLast(entries, "\(name).\(list)", key: byName, &warnings))
        }
        object.set(.object(pod), at: path)
    }

    private static func withoutDoubles(container: JSON, _ place: String, _ warnings: inout [String]) -> JSON {
        var container = container
        let place = place + "[\(container["name"]?.string ?? "?")]"
        if case .array(let env) = container["env"] {
            container["env"] = .array(keepLast(env, place + ".env", key: byName, &warnings))
        }
        if case .array(let ports) = container["ports"] {
            container["ports"] = .array(keepLast(ports, place + ".ports", key: byPort, &warnings))
        }
        return container
    }

    private static func byName(_ entry: JSON) -> String? { entry["name"]?.string }

    private static func byPort(_ entry: JSON) -> String? {
        entry["containerPort"]?.integer.map { "\($0)/" + (entry["protocol"]?.string ?? "TCP") }
    }

    /// Each entry stays in its place, as later environment variables refer to earlier ones.
    private static func keepLast(
        _ entries: [JSON], _ place: String, key: (JSON) -> String?, _ warnings: inout [String]
    ) -> [JSON] {
        var seen = Set<String>()
        var kept: [JSON] = []
        for entry in entries.reversed() {
            if let key = key(entry), !seen.insert(key).inserted {
                warnings.append("\(place) has \(key) more than once: the last one is used")
            } else {
                kept.append(entry)
            }
        }
        return kept.reversed()
    }
}
