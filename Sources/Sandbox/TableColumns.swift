import Shiplog

/// One column of `kubectl get`'s table.
struct TableColumn: Sendable {
    let name: String
    var type = "string"
    var format = ""
    /// 0 is always shown, 1 with `-o wide`.
    var priority: Int64 = 0
    let cell: @Sendable (JSON, Timestamp) -> JSON

    init(
        _ name: String, type: String = "string", wide: Bool = false,
        _ cell: @escaping @Sendable (JSON, Timestamp) -> JSON
    ) {
        self.name = name
        self.type = type
        priority = wide ? 1 : 0
        if name == "Name" { format = "name" }
        self.cell = cell
    }

    /// A column that shows one field.
    init(_ name: String, _ path: String..., type: String = "string", wide: Bool = false, empty: JSON = "<none>") {
        self.init(name, type: type, wide: wide) { object, _ in
            switch object.at(path[...]) {
            case nil, .null?, .string("")?: empty
            case .some(let value): value
            }
        }
    }

    var definition: JSON {
        [
            "name": .string(name), "type": .string(type), "format": .string(format), "priority": .integer(priority),
            "description": .string(TableColumn.descriptions[name] ?? name)
        ]
    }

    private static let descriptions = [
        "Name": "The object's name.", "Age": "How long ago the object was made.",
        "Ready": "How many are ready of how many are wanted.", "Status": "What the object's status says."
    ]
}

/// The columns of each kind.
enum TableColumns {
    static let name = TableColumn("Name", "metadata", "name")
    static let age = TableColumn("Age") { object, now in
        .string(Clock.age(object.at("metadata", "creationTimestamp")?.string, now: now))
    }

    static func columns(for kind: Kind) -> [TableColumn] {
        if kind.isCustom { return custom(kind) }
        return [name] + (byKind[kind.kind] ?? [age])
    }

    private static func custom(_ kind: Kind) -> [TableColumn] {
        guard !kind.columns.isEmpty else { return [name, age] }
        return [name]
            + kind.columns.prefix(50).compactMap { column in
                guard let title = column["name"]?.string, let path = column["jsonPath"]?.string else { return nil }
                let type = column["type"]?.string ?? "string"
                let steps = FieldPath(path)
                var result = TableColumn(title, type: type) { object, now in
                    guard let value = steps?.first(in: object) else { return "" }
                    if type == "date" { return .string(Clock.age(value.string, now: now)) }
                    switch value {
                    case .array, .object: return .string(value.canonicalString)
                    case .bool(let flag) where type == "string": return .string(String(flag))
                    case .integer(let number) where type == "string": return .string(String(number))
                    default: return value
                    }
                }
                result.priority = column["priority"]?.integer ?? 0
                return result
            }
    }

    private static let byKind: [String: [TableColumn]] = [
        "Namespace": [TableColumn("Status", "status", "phase"), age],
        "Node": [
            TableColumn("Status") { object, _ in object.condition("Ready")?["status"] == "True" ? "Ready" : "NotReady"
            },
            TableColumn("Roles") { _, _ in "control-plane" }, age,
            TableColumn("Version", "status", "nodeInfo", "kubeletVersion")
        ],
        "Pod": [
            TableColumn("Ready") { object, _ in
                let statuses = object.at("status", "containerStatuses")?.array ?? []
                let wanted = object.at("spec", "containers")?.array?.count ?? 0
                return .string("\(statuses.filter { $0["ready"] == true }.count)/\(wanted)")
            },
            TableColumn("Status") { object, _ in .string(podStatus(object)) },
            TableColumn("Restarts") { _, _ in "0" }, age,
            TableColumn("IP", "status", "podIP", wide: true), TableColumn("Node", "spec", "nodeName", wide: true),
            TableColumn("Nominated Node", "status", "nominatedNodeName", wide: true),
            TableColumn("Readiness Gates", wide: true) { _, _ in "<none>" }
        ],
        "Deployment": [
            TableColumn("Ready") { object, _ in ratio(object, "readyReplicas") },
            TableColumn("Up-to-date", "status", "updatedReplicas", type: "integer", empty: 0),
            TableColumn("Available", "status", "availableReplicas", type: "integer", empty: 0), age
        ] + template,
        "ReplicaSet": counts + template, "ReplicationController": counts + template,
        "StatefulSet": [TableColumn("Ready") { object, _ in ratio(object, "readyReplicas") }, age]
            + Array(template.prefix(2)),
        "DaemonSet": [
            TableColumn("Desired", "status", "desiredNumberScheduled", type: "integer", empty: 0),
            TableColumn("Current", "status", "currentNumberScheduled", type: "integer", empty: 0),
            TableColumn("Ready", "status", "numberReady", type: "integer", empty: 0),
            TableColumn("Up-to-date", "status", "updatedNumberScheduled", type: "integer", empty: 0),
            TableColumn("Available", "status", "numberAvailable", type: "integer", empty: 0),
            TableColumn("Node Selector") { object, _ in
                labels(object.at("spec", "template", "spec", "nodeSelector"))
            }, age
        ] + template,
        "Job": [
            TableColumn("Status") { object, _ in
                if object.condition("Complete")?["status"] == "True" { return "Complete" }
                if object.condition("Failed")?["status"] == "True" { return "Failed" }
                return object.at("spec", "suspend") == true ? "Suspended" : "Running"
            },
            TableColumn("Completions") { object, _ in
                let wanted = object.at("spec", "completions")?.integer ?? 1
                return .string("\(object.at("status", "succeeded")?.integer ?? 0)/\(wanted)")
            },
            TableColumn("Duration") { object, now in
                guard let start = object.at("status", "startTime")?.string.flatMap({ Timestamp($0) }) else { return "" }
                let end = object.at("status", "completionTime")?.string.flatMap { Timestamp($0) } ?? now
                return .string(Clock.duration(seconds: max(0, (end.milliseconds - start.milliseconds) / 1000)))
            }, age
        ] + template,
        "CronJob": [
            TableColumn("Schedule", "spec", "schedule"), TableColumn("Timezone", "spec", "timeZone"),
            TableColumn("Suspend") { object, _ in object.at("spec", "suspend") == true ? "True" : "False" },
            TableColumn("Active", type: "integer") { object, _ in
                .integer(Int64(object.at("status", "active")?.array?.count ?? 0))
            },
            TableColumn("Last Schedule") { _, _ in "<none>" }, age
        ],
        "Service": [
            TableColumn("Type", "spec", "type"), TableColumn("Cluster-IP", "spec", "clusterIP"),
            TableColumn("External-IP") { object, _ in
                if let name = object.at("spec", "externalName")?.string { return .string(name) }
                let list = object.at("status", "loadBalancer", "ingress")?.array ?? []
                let addresses = list.compactMap { ($0["ip"] ?? $0["hostname"])?.string }
                if !addresses.isEmpty { return .string(addresses.joined(separator: ",")) }
                return object.at("spec", "type") == "LoadBalancer" ? "<pending>" : "<none>"
            },
            TableColumn("Port(s)") { object, _ in
                let ports = object.at("spec", "ports")?.array ?? []
                let texts = ports.map { port in
                    let number = port["port"]?.integer ?? 0
                    let node = port["nodePort"]?.integer.map { ":\($0)" } ?? ""
                    return "\(number)\(node)/\(port["protocol"]?.string ?? "TCP")"
                }
                return .string(texts.isEmpty ? "<none>" : texts.joined(separator: ","))
            }, age, TableColumn("Selector", wide: true) { object, _ in labels(object.at("spec", "selector")) }
        ],
        "ConfigMap": [
            TableColumn("Data", type: "integer") { object, _ in
                .integer(Int64((object["data"]?.object?.count ?? 0) + (object["binaryData"]?.object?.count ?? 0)))
            }, age
        ],
        "Secret": [
            TableColumn("Type", "type"),
            TableColumn("Data", type: "integer") { object, _ in .integer(Int64(object["data"]?.object?.count ?? 0)) },
            age
        ],
        "ServiceAccount": [
            TableColumn("Secrets", type: "integer") { object, _ in
                .integer(Int64(object["secrets"]?.array?.count ?? 0))
            }, age
        ],
        "Endpoints": [
            TableColumn("Endpoints") { object, _ in
                let subsets = object["subsets"]?.array ?? []
                let all = subsets.flatMap { subset in
                    (subset["addresses"]?.array ?? []).flatMap { address in
                        (subset["ports"]?.array ?? []).map {
                            "\(address["ip"]?.string ?? ""):\($0["port"]?.integer ?? 0)"
                        }
                    }
                }
                if all.isEmpty { return "<none>" }
                let more = all.count > 3 ? " + \(all.count - 3) more..." : ""
                return .string(all.prefix(3).joined(separator: ",") + more)
            }, age
        ],
        "Ingress": [
            TableColumn("Class", "spec", "ingressClassName"),
            TableColumn("Hosts") { object, _ in
                let hosts = (object.at("spec", "rules")?.array ?? []).map { $0["host"]?.string ?? "*" }
                return .string(hosts.isEmpty ? "*" : hosts.joined(separator: ","))
            },
            TableColumn("Address") { object, _ in
                let list = object.at("status", "loadBalancer", "ingress")?.array ?? []
                return .string(list.compactMap { ($0["ip"] ?? $0["hostname"])?.string }.joined(separator: ","))
            },
            TableColumn("Ports") { object, _ in object.at("spec", "tls") == nil ? "80" : "80, 443" }, age
        ],
        "PersistentVolumeClaim": [
            TableColumn("Status") { object, _ in
                object.isBeingDeleted ? "Terminating" : object.at("status", "phase") ?? ""
            },
            TableColumn("Volume", "spec", "volumeName", empty: ""),
            TableColumn("Capacity", "status", "capacity", "storage", empty: ""),
            TableColumn("Access Modes") { object, _ in accessModes(object.at("status", "accessModes")) },
            TableColumn("StorageClass", "spec", "storageClassName", empty: ""),
            TableColumn("VolumeAttributesClass", "spec", "volumeAttributesClassName", empty: "<unset>"), age,
            TableColumn("VolumeMode", "spec", "volumeMode", wide: true)
        ],
        "PersistentVolume": [
            TableColumn("Capacity", "spec", "capacity", "storage", empty: ""),
            TableColumn("Access Modes") { object, _ in accessModes(object.at("spec", "accessModes")) },
            TableColumn("Reclaim Policy", "spec", "persistentVolumeReclaimPolicy"),
            TableColumn("Status", "status", "phase"),
            TableColumn("Claim") { object, _ in
                guard let name = object.at("spec", "claimRef", "name")?.string else { return "" }
                return .string((object.at("spec", "claimRef", "namespace")?.string ?? "") + "/" + name)
            },
            TableColumn("StorageClass", "spec", "storageClassName", empty: ""), age
        ],
        "HorizontalPodAutoscaler": [
            TableColumn("Reference") { object, _ in
                let target = object.at("spec", "scaleTargetRef") ?? [:]
                return .string("\(target["kind"]?.string ?? "")/\(target["name"]?.string ?? "")")
            },
            TableColumn("Targets") { _, _ in "<unknown>" },
            TableColumn("MinPods", "spec", "minReplicas", type: "integer"),
            TableColumn("MaxPods", "spec", "maxReplicas", type: "integer"),
            TableColumn("Replicas", "status", "currentReplicas", type: "integer", empty: 0), age
        ],
        "PodDisruptionBudget": [
            TableColumn("Min Available", "spec", "minAvailable", empty: "N/A"),
            TableColumn("Max Unavailable", "spec", "maxUnavailable", empty: "N/A"),
            TableColumn("Allowed Disruptions", "status", "disruptionsAllowed", type: "integer", empty: 0), age
        ],
        "StorageClass": [
            TableColumn("Provisioner", "provisioner"), TableColumn("ReclaimPolicy", "reclaimPolicy"),
            TableColumn("VolumeBindingMode", "volumeBindingMode"), age
        ],
        "NetworkPolicy": [
            TableColumn("Pod-Selector") { object, _ in
                labels(object.at("spec", "podSelector", "matchLabels"))
            }, age
        ],
        "IngressClass": [TableColumn("Controller", "spec", "controller"), age],
        "PriorityClass": [TableColumn("Value", "value", type: "integer"), age],
        "RoleBinding": [role, age], "ClusterRoleBinding": [role, age],
        "ClusterRole": [TableColumn("Created At", "metadata", "creationTimestamp")],
        "Role": [TableColumn("Created At", "metadata", "creationTimestamp")],
        "CustomResourceDefinition": [TableColumn("Created At", "metadata", "creationTimestamp")],
        "APIService": [
            TableColumn("Service") { object, _ in
                guard let name = object.at("spec", "service", "name")?.string else { return "Local" }
                return .string((object.at("spec", "service", "namespace")?.string ?? "") + "/" + name)
            },
            TableColumn("Available") { object, _ in object.condition("Available")?["status"] ?? "Unknown" }, age
        ],
        "ControllerRevision": [
            TableColumn("Controller") { object, _ in
                guard let owner = object.controller else { return "<none>" }
                return .string("\(owner["kind"]?.string ?? "").apps/\(owner["name"]?.string ?? "")")
            }, TableColumn("Revision", "revision", type: "integer"), age
        ],
        "Event": [
            TableColumn("Last Seen") { object, now in .string(Clock.age(object["lastTimestamp"]?.string, now: now)) },
            TableColumn("Type", "type"), TableColumn("Reason", "reason"),
            TableColumn("Object") { object, _ in
                let target = object["involvedObject"] ?? [:]
                return .string("\(target["kind"]?.string?.lowercased() ?? "")/\(target["name"]?.string ?? "")")
            },
            TableColumn("Message", "message")
        ]
    ]

    private static let role = TableColumn("Role") { object, _ in
        .string("\(object.at("roleRef", "kind")?.string ?? "")/\(object.at("roleRef", "name")?.string ?? "")")
    }

    private static let counts = [
        TableColumn("Desired", "spec", "replicas", type: "integer", empty: 0),
        TableColumn("Current", "status", "replicas", type: "integer", empty: 0),
        TableColumn("Ready", "status", "readyReplicas", type: "integer", empty: 0), age
    ]

    private static let template = [
        TableColumn("Containers", wide: true) { object, _ in containers(object, "name") },
        TableColumn("Images", wide: true) { object, _ in containers(object, "image") },
        TableColumn("Selector", wide: true) { object, _ in
            .string(LabelSelector(object.at("spec", "selector"))?.text ?? "<none>")
        }
    ]

    private static func containers(_ object: JSON, _ field: String) -> JSON {
        let list = object.at("spec", "template", "spec", "containers")?.array ?? []
        return .string(list.compactMap { $0[field]?.string }.joined(separator: ","))
    }

    private static func ratio(_ object: JSON, _ field: String) -> JSON {
        .string("\(object.at("status", field)?.integer ?? 0)/\(object.at("spec", "replicas")?.integer ?? 1)")
    }

    private static func labels(_ value: JSON?) -> JSON {
        let pairs = (value?.stringMap ?? [:]).sorted { $0.key < $1.key }.map { $0.key + "=" + $0.value }
        return .string(pairs.isEmpty ? "<none>" : pairs.joined(separator: ","))
    }

    private static func accessModes(_ value: JSON?) -> JSON {
        let short = ["ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"]
        return .string((value?.array ?? []).compactMap { $0.string.flatMap { short[$0] } }.joined(separator: ","))
    }

    private static func podStatus(_ pod: JSON) -> String {
        if pod.isBeingDeleted { return "Terminating" }
        for status in pod.at("status", "containerStatuses")?.array ?? [] {
            if let reason = status.at("state", "waiting", "reason")?.string { return reason }
            if let reason = status.at("state", "terminated", "reason")?.string { return reason }
        }
        return pod.at("status", "phase")?.string ?? "Pending"
    }
}

/// The part of kubectl's JSONPath that printer columns use: members, positions, and `[?(@.a=="b")]`.
struct FieldPath: Sendable, Hashable {
    private enum Step: Sendable, Hashable {
        case member(String)
        case index(Int)
        case all
        case filter(String, String)
    }

    private var steps: [Step] = []

    /// nil when the text is something else.
    init?(_ text: String) {
        var rest = text[...]
        while let first = rest.first {
            if first == "." {
                rest = rest.dropFirst()
                var name = ""
                while let character = rest.first, character != ".", character != "[" {
                    rest = rest.dropFirst()
                    if character == "\\", let escaped = rest.first {
                        name.append(escaped)
                        rest = rest.dropFirst()
                    } else {
                        name.append(character)
                    }
                }
                if !name.isEmpty { steps.append(.member(name)) }
            } else if first == "[", let close = rest.firstIndex(of: "]") {
                let inner = rest[rest.index(after: rest.startIndex)..<close]
                guard let step = Self.bracket(inner) else { return nil }
                steps.append(step)
                rest = rest[rest.index(after: close)...]
            } else {
                return nil
            }
        }
    }

    private static func bracket(_ text: Substring) -> Step? {
        if text == "*" { return .all }
        if let index = Int(text) { return .index(index) }
        if text.hasPrefix("'"), text.hasSuffix("'"), text.count >= 2 {
            return .member(String(text.dropFirst().dropLast()))
        }
        guard text.hasPrefix("?(@."), text.hasSuffix(")"), let equals = text.range(ofFirst: "==") else { return nil }
        let name = text[..<equals.lowerBound].dropFirst(4).trimmed
        let value = text[equals.upperBound...].dropLast().trimmed
        return .filter(name, value.filter { $0 != "\"" && $0 != "'" })
    }

    /// The first value there.
    func first(in object: JSON) -> JSON? {
        var current = [object]
        for step in steps {
            current = current.flatMap { value -> [JSON] in
                switch step {
                case .member(let name): return value[name].map { [$0] } ?? []
                case .index(let index):
                    guard let elements = value.array, elements.indices.contains(index) else { return [] }
                    return [elements[index]]
                case .all: return value.array ?? []
                case .filter(let name, let wanted): return (value.array ?? []).filter { $0[name]?.string == wanted }
                }
            }
        }
        return current.first
    }
}

extension Substring {
    fileprivate func range(ofFirst text: String) -> Range<Index>? {
        var start = startIndex
        while start < endIndex {
            if self[start...].hasPrefix(text) { return start..<index(start, offsetBy: text.count) }
            start = index(after: start)
        }
        return nil
    }
}
