import FoundationEssentials
import Shiplog

/// What the API server refuses in an object, worded as it words it (422 with one cause a field).
enum Validation {
    static func problems(_ object: JSON, _ kind: Kind) -> [FieldProblem] {
        var problems = metadata(object, kind)
        guard !kind.isCustom else { return problems }
        required(object, kind.shape, "", &problems)
        switch kind.kind {
        case "Pod": pod(object["spec"] ?? [:], "spec", &problems)
        case "Deployment", "ReplicaSet", "StatefulSet", "DaemonSet": workload(object, kind, &problems)
        case "ReplicationController":
            template(object.at("spec", "template"), "spec.template", &problems)
        case "Job": template(object.at("spec", "template"), "spec.template", isJob: true, &problems)
        case "CronJob":
            let path = "spec.jobTemplate.spec.template"
            template(object.at("spec", "jobTemplate", "spec", "template"), path, isJob: true, &problems)
            let schedule = object.at("spec", "schedule")?.string ?? ""
            let fields = schedule.split(separator: " ").count
            if !schedule.isEmpty, fields != 5, !schedule.hasPrefix("@") {
                problems.append(
                    .invalid(
                        "spec.schedule", .string(schedule), "expected exactly 5 fields, found \(fields): [\(schedule)]")
                )
            }
        case "Service": service(object, &problems)
        case "ConfigMap", "Secret": data(object, kind, &problems)
        case "PersistentVolumeClaim":
            if object.at("spec", "accessModes")?.array?.isEmpty != false {
                problems.append(.required("spec.accessModes", "at least 1 access mode is required"))
            }
            if object.at("spec", "resources", "requests", "storage") == nil {
                problems.append(.required("spec.resources[storage]"))
            }
        case "Ingress": ingress(object, &problems)
        case "HorizontalPodAutoscaler": autoscaler(object, &problems)
        case "CustomResourceDefinition": definition(object, &problems)
        default: break
        }
        return problems
    }

    private static func metadata(_ object: JSON, _ kind: Kind) -> [FieldProblem] {
        var problems: [FieldProblem] = []
        let metadata = object["metadata"] ?? [:]
        let name = metadata["name"]?.string ?? ""
        let isValid: Bool
        var rule = Names.subdomainRule
        switch kind.kind {
        case "Namespace" where !kind.isCustom:
            isValid = Names.isLabel(name)
            rule = Names.labelRule
        case "Service" where !kind.isCustom:
            isValid = Names.isServiceName(name)
            rule =
                "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic "
                + "character, and end with an alphanumeric character"
        case "Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding":
            isValid = Names.isPathSegment(name)
            rule = "may not contain '/' or '%'"
        default: isValid = Names.isSubdomain(name)
        }
        if name.isEmpty {
            problems.append(.required("metadata.name", "name or generateName is required"))
        } else if !isValid {
            problems.append(.invalid("metadata.name", .string(name), rule))
        }
        for (key, value) in metadata["labels"]?.object ?? [:] {
            if !Names.isQualified(key) {
                problems.append(
                    .invalid(
                        "metadata.labels", .string(key),
                        "name part must consist of alphanumeric "
                            + "characters, '-', '_' or '.', and must start and end with an alphanumeric character"))
            }
            if let text = value.string, !Names.isLabelValue(text) {
                problems.append(
                    .invalid(
                        "metadata.labels", value,
                        "a valid label must be an empty string or consist of "
                            + "alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
                            + "character, and be at most 63 characters"))
            }
        }
        var total = 0
        for (key, value) in metadata["annotations"]?.object ?? [:] {
            if !Names.isQualified(key) {
                problems.append(
                    .invalid(
                        "metadata.annotations", .string(key),
                        "name part must consist of alphanumeric "
                            + "characters, '-', '_' or '.', and must start and end with an alphanumeric character"))
            }
            total += key.utf8.count + (value.string?.utf8.count ?? 0)
        }
        if total > 262_144 {
            problems.append(
                FieldProblem(
                    reason: .invalid, path: "metadata.annotations", body: "Too long: may not be more than 262144 bytes")
            )
        }
        for (index, owner) in (metadata["ownerReferences"]?.array ?? []).enumerated() {
            for field in ["apiVersion", "kind", "name", "uid"] where owner[field]?.string?.isEmpty != false {
                problems.append(.invalid("metadata.ownerReferences[\(index)].\(field)", "", "must not be empty"))
            }
        }
        return problems
    }

    /// Members that the schema requires, outside of the status. Lists are left to the kinds: most may be empty.
    private static func required(_ value: JSON, _ shape: Shape, _ path: String, _ problems: inout [FieldProblem]) {
        switch value {
        case .object(let members):
            if case .map(let inner, _) = shape {
                for (name, member) in members { required(member, inner, path + "[\(name)]", &problems) }
                return
            }
            guard let structure = shape.structure else { return }
            for name in structure.order {
                guard let field = structure.fields[name] else { continue }
                if path.isEmpty, name == "status" || name == "metadata" { continue }
                let inner = path.isEmpty ? name : path + "." + name
                if let member = members[name] {
                    required(member, field.shape, inner, &problems)
                } else if field.isRequired, !field.dropsZero {
                    if case .list = field.shape { continue }
                    problems.append(.required(inner))
                }
            }
        case .array(let elements):
            guard case .list(let inner, _) = shape else { return }
            for (index, element) in elements.enumerated() { required(element, inner, path + "[\(index)]", &problems) }
        default: return
        }
    }

    private static func workload(_ object: JSON, _ kind: Kind, _ problems: inout [FieldProblem]) {
        let spec = object["spec"] ?? [:]
        if let replicas = spec["replicas"]?.integer, replicas < 0 {
            problems.append(
                .invalid("spec.replicas", .integer(replicas), "must be greater than or equal to 0"))
        }
        // A claim template is a volume of its name.
        let claims = (spec["volumeClaimTemplates"]?.array ?? []).map(\.name)
        template(spec["template"], "spec.template", volumes: Set(claims), &problems)
        guard let selector = spec["selector"] else { return }
        guard let parsed = LabelSelector(selector), !parsed.requirements.isEmpty else {
            problems.append(.invalid("spec.selector", selector, "empty selector is invalid for \(kind.singular)"))
            return
        }
        let labels = spec.at("template", "metadata", "labels") ?? [:]
        if !parsed.matches(labels.object ?? [:]) {
            problems.append(
                .invalid("spec.template.metadata.labels", labels, "`selector` does not match template `labels`"))
        }
        if kind.kind == "Deployment", let deadline = spec["progressDeadlineSeconds"]?.integer,
            deadline <= spec["minReadySeconds"]?.integer ?? 0
        {
            problems.append(
                .invalid("spec.progressDeadlineSeconds", .integer(deadline), "must be greater than minReadySeconds"))
        }
    }

    private static func template(
        _ template: JSON?, _ path: String, isJob: Bool = false, volumes: Set<String> = [],
        _ problems: inout [FieldProblem]
    ) {
        guard let spec = template?["spec"] else { return }
        pod(spec, path + ".spec", volumes: volumes, &problems)
        let policy = spec["restartPolicy"]?.string ?? "Always"
        if isJob, policy == "Always" {
            problems.append(.unsupported(path + ".spec.restartPolicy", .string(policy), ["OnFailure", "Never"]))
        } else if !isJob, policy != "Always" {
            problems.append(.unsupported(path + ".spec.restartPolicy", .string(policy), ["Always"]))
        }
    }

    private static func pod(
        _ spec: JSON, _ path: String, volumes claims: Set<String> = [], _ problems: inout [FieldProblem]
    ) {
        let containers = spec["containers"]?.array ?? []
        if containers.isEmpty { problems.append(.required(path + ".containers")) }
        let volumes = Set(spec["volumes"]?.array?.compactMap { $0["name"]?.string } ?? []).union(claims)
        var names = Set<String>()
        for list in ["containers", "initContainers"] {
            for (index, container) in (spec[list]?.array ?? []).enumerated() {
                let here = "\(path).\(list)[\(index)]"
                let name = container["name"]?.string ?? ""
                if !name.isEmpty, !Names.isLabel(name) {
                    problems.append(.invalid(here + ".name", .string(name), Names.labelRule))
                }
                if !name.isEmpty, !names.insert(name).inserted {
                    problems.append(
                        FieldProblem(reason: .duplicate, path: here + ".name", body: "Duplicate value: \"\(name)\""))
                }
                if container["image"]?.string?.isEmpty != false { problems.append(.required(here + ".image")) }
                for (place, port) in (container["ports"]?.array ?? []).enumerated() {
                    range(port["containerPort"], "\(here).ports[\(place)].containerPort", &problems)
                }
                for (place, mount) in (container["volumeMounts"]?.array ?? []).enumerated() {
                    guard let volume = mount["name"]?.string, !volumes.contains(volume) else { continue }
                    problems.append(
                        FieldProblem(
                            reason: .invalid, path: "\(here).volumeMounts[\(place)].name",
                            body: "Not found: \"\(volume)\""))
                }
                if let policy = container["imagePullPolicy"]?.string,
                    !["Always", "IfNotPresent", "Never"].contains(policy)
                {
                    problems.append(
                        .unsupported(here + ".imagePullPolicy", .string(policy), ["Always", "IfNotPresent", "Never"]))
                }
            }
        }
        if let policy = spec["restartPolicy"]?.string, !["Always", "OnFailure", "Never"].contains(policy) {
            problems.append(
                .unsupported(path + ".restartPolicy", .string(policy), ["Always", "OnFailure", "Never"]))
        }
    }

    private static func range(_ value: JSON?, _ path: String, _ problems: inout [FieldProblem]) {
        guard let number = value?.integer, !(1...65_535).contains(number) else { return }
        problems.append(.invalid(path, .integer(number), "must be between 1 and 65535, inclusive"))
    }

    private static func service(_ object: JSON, _ problems: inout [FieldProblem]) {
        let spec = object["spec"] ?? [:]
        let type = spec["type"]?.string ?? "ClusterIP"
        let types = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"]
        if !types.contains(type) { problems.append(.unsupported("spec.type", .string(type), types)) }
        let ports = spec["ports"]?.array ?? []
        if ports.isEmpty, type != "ExternalName", spec["clusterIP"] != "None" {
            problems.append(.required("spec.ports"))
        }
        if type == "ExternalName", spec["externalName"]?.string?.isEmpty != false {
            problems.append(.required("spec.externalName"))
        }
        var names = Set<String>()
        for (index, port) in ports.enumerated() {
            range(port["port"], "spec.ports[\(index)].port", &problems)
            let name = port["name"]?.string ?? ""
            if name.isEmpty, ports.count > 1 { problems.append(.required("spec.ports[\(index)].name")) }
            if !name.isEmpty, !names.insert(name).inserted {
                problems.append(
                    FieldProblem(
                        reason: .duplicate, path: "spec.ports[\(index)].name", body: "Duplicate value: \"\(name)\""))
            }
        }
    }

    private static func data(_ object: JSON, _ kind: Kind, _ problems: inout [FieldProblem]) {
        var size = 0
        for field in ["data", "binaryData"] {
            for (name, value) in object[field]?.object ?? [:] {
                if !Names.isLabelValueLike(name) {
                    problems.append(
                        .invalid(
                            "\(field)[\(name)]", .string(name),
                            "a valid config key must consist of alphanumeric characters, '-', '_' or '.'"))
                }
                size += value.string?.utf8.count ?? 0
                // The value itself is never repeated.
                let isEncoded = kind.kind == "Secret" || field == "binaryData"
                if isEncoded, let text = value.string, Data(base64Encoded: text) == nil {
                    problems.append(
                        FieldProblem(
                            reason: .invalid, path: "\(field)[\(name)]", body: "Invalid value: illegal base64 data"))
                }
            }
        }
        if size > 1_048_576 * (kind.kind == "Secret" ? 4 : 3) / 3 {
            problems.append(
                FieldProblem(reason: .invalid, path: "data", body: "Too long: may not be more than 1048576 bytes"))
        }
    }

    private static func ingress(_ object: JSON, _ problems: inout [FieldProblem]) {
        let spec = object["spec"] ?? [:]
        if spec["rules"] == nil, spec["defaultBackend"] == nil {
            problems.append(.invalid("spec", spec, "either `defaultBackend` or `rules` must be specified"))
        }
        let types = ["Exact", "ImplementationSpecific", "Prefix"]
        for (index, rule) in (spec["rules"]?.array ?? []).enumerated() {
            for (place, path) in (rule.at("http", "paths")?.array ?? []).enumerated() {
                guard let type = path["pathType"]?.string, !types.contains(type) else { continue }
                problems.append(
                    .unsupported("spec.rules[\(index)].http.paths[\(place)].pathType", .string(type), types))
            }
        }
    }

    private static func autoscaler(_ object: JSON, _ problems: inout [FieldProblem]) {
        let spec = object["spec"] ?? [:]
        let minimum = spec["minReplicas"]?.integer ?? 1
        if let maximum = spec["maxReplicas"]?.integer, maximum < minimum {
            problems.append(
                .invalid("spec.maxReplicas", .integer(maximum), "must be greater than or equal to `minReplicas`"))
        }
    }

    private static func definition(_ object: JSON, _ problems: inout [FieldProblem]) {
        let spec = object["spec"] ?? [:]
        let wanted = (spec.at("names", "plural")?.string ?? "") + "." + (spec["group"]?.string ?? "")
        let name = object.at("metadata", "name")?.string ?? ""
        if name != wanted {
            problems.append(
                .invalid("metadata.name", .string(name), "must be spec.names.plural+\".\"+spec.group"))
        }
        if let scope = spec["scope"]?.string, !["Cluster", "Namespaced"].contains(scope) {
            problems.append(.unsupported("spec.scope", .string(scope), ["Cluster", "Namespaced"]))
        }
        let versions = spec["versions"]?.array ?? []
        if versions.isEmpty { problems.append(.required("spec.versions")) }
        if versions.filter({ $0["storage"]?.bool == true }).count != 1 {
            problems.append(
                .invalid("spec.versions", .array([]), "must have exactly one version marked as storage version"))
        }
        for (index, version) in versions.enumerated() where version.at("schema", "openAPIV3Schema") == nil {
            problems.append(.required("spec.versions[\(index)].schema.openAPIV3Schema", "schemas are required"))
        }
        if let strategy = spec.at("conversion", "strategy")?.string, strategy != "None" {
            problems.append(.unsupported("spec.conversion.strategy", .string(strategy), ["None"]))
        }
    }
}

extension Names {
    /// A ConfigMap's key.
    static func isLabelValueLike(_ text: String) -> Bool {
        (1...253).contains(text.utf8.count) && text != "." && text != ".."
            && text.utf8.allSatisfy {
                isLabelValue(String(Unicode.Scalar($0))) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_")
                    || $0 == UInt8(ascii: ".")
            }
    }
}
