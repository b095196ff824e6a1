import Shiplog

/// What an update may not change, by kind, worded as the API server words it.
enum Immutability {
    static func problems(from old: JSON, to new: JSON, _ kind: Kind) -> [FieldProblem] {
        guard !kind.isCustom else { return [] }
        var problems: [FieldProblem] = []
        func pin(_ path: String...) {
            if old.at(path[...]) != new.at(path[...]) {
                problems.append(.immutable(path.joined(separator: "."), new.at(path[...])))
            }
        }
        switch kind.kind {
        case "Deployment", "ReplicaSet", "DaemonSet":
            pin("spec", "selector")
        case "StatefulSet":
            let allowed: Set<String> = [
                "replicas", "ordinals", "template", "updateStrategy", "revisionHistoryLimit",
                "persistentVolumeClaimRetentionPolicy", "minReadySeconds"
            ]
            if rest(old["spec"], without: allowed) != rest(new["spec"], without: allowed) {
                problems.append(
                    .forbidden(
                        "spec",
                        "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', "
                            + "'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and "
                            + "'minReadySeconds' are forbidden"))
            }
        case "Job":
            pin("spec", "selector")
            pin("spec", "completionMode")
            pin("spec", "podFailurePolicy")
            if new.at("spec", "completionMode") != "Indexed" { pin("spec", "completions") }
            // A suspended Job that never started may still change where it runs.
            let isOpen = old.at("spec", "suspend") == true && old.at("status", "startTime") == nil
            if !isOpen { pin("spec", "template") }
        case "Service":
            let oldType = old.at("spec", "type")
            if oldType == new.at("spec", "type"), oldType != "ExternalName",
                let address = old.at("spec", "clusterIP"), address != new.at("spec", "clusterIP")
            {
                problems.append(
                    .invalid(
                        "spec.clusterIPs[0]", new.at("spec", "clusterIP").map { [$0] } ?? .null,
                        "may not change once set"))
            }
        case "PersistentVolumeClaim":
            let allowed: Set<String> = ["resources", "volumeAttributesClassName"]
            var before = rest(old["spec"], without: allowed)
            let after = rest(new["spec"], without: allowed)
            // Binding fills these in.
            for field in ["volumeName", "storageClassName"] where before[field] == nil { before[field] = after[field] }
            if before != after {
                problems.append(
                    .forbidden(
                        "spec",
                        "spec is immutable after creation except resources.requests and volumeAttributesClassName for "
                            + "bound claims"))
            } else if let was = storage(old), let now = storage(new), now < was {
                problems.append(
                    .forbidden(
                        "spec.resources.requests.storage", "field can not be less than status.capacity"))
            }
        case "Secret":
            pin("type")
            frozen(["data", "immutable"], old, new, &problems)
        case "ConfigMap":
            frozen(["data", "binaryData", "immutable"], old, new, &problems)
        case "RoleBinding", "ClusterRoleBinding":
            if old["roleRef"] != new["roleRef"] {
                problems.append(.invalid("roleRef", new["roleRef"] ?? .null, "cannot change roleRef"))
            }
        case "StorageClass":
            for field in ["parameters", "provisioner", "reclaimPolicy", "volumeBindingMode"]
            where old[field] != new[field] {
                problems.append(.forbidden(field, "updates to \(field) are forbidden."))
            }
        case "PriorityClass":
            pin("value")
            pin("preemptionPolicy")
        case "IngressClass": pin("spec", "controller")
        case "CustomResourceDefinition":
            pin("spec", "group")
            pin("spec", "scope")
            pin("spec", "names", "kind")
            pin("spec", "names", "plural")
            let served = Set((new.at("spec", "versions")?.array ?? []).compactMap { $0["name"]?.string })
            for stored in old.at("status", "storedVersions")?.array ?? [] {
                guard let version = stored.string, !served.contains(version) else { continue }
                problems.append(
                    .invalid(
                        "status.storedVersions[0]", stored,
                        "missing from spec.versions; \(version) was previously a storage version, and must remain in "
                            + "spec.versions until a storage migration ensures no data remains persisted in \(version) "
                            + "and removes \(version) from status.storedVersions"))
            }
        case "Pod": pod(old, new, &problems)
        case "EndpointSlice": pin("addressType")
        case "ControllerRevision": pin("data")
        default: break
        }
        return problems
    }

    private static func rest(_ spec: JSON?, without allowed: Set<String>) -> JSON {
        .object((spec?.object ?? [:]).filter { !allowed.contains($0.key) })
    }

    private static func storage(_ claim: JSON) -> Int64? {
        claim.at("spec", "resources", "requests", "storage")?.string.flatMap(Quantity.milli)
    }

    private static func frozen(
        _ fields: [String], _ old: JSON, _ new: JSON, _ problems: inout [FieldProblem]
    ) {
        guard old["immutable"] == true else { return }
        for field in fields where old[field] != new[field] {
            problems.append(.forbidden(field, "field is immutable when `immutable` is set"))
        }
    }

    private static func pod(_ old: JSON, _ new: JSON, _ problems: inout [FieldProblem]) {
        func comparable(_ object: JSON) -> JSON {
            var spec = object["spec"] ?? [:]
            for list in ["containers", "initContainers"] { Defaults.each(&spec, list) { $0["image"] = nil } }
            for field in ["activeDeadlineSeconds", "terminationGracePeriodSeconds", "tolerations", "schedulingGates"] {
                spec[field] = nil
            }
            // The scheduler's to set once.
            if old.at("spec", "nodeName") == nil { spec["nodeName"] = nil }
            return spec
        }
        if comparable(old) != comparable(new) {
            problems.append(
                .forbidden(
                    "spec",
                    "pod updates may not change fields other than `spec.containers[*].image`,"
                        + "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only "
                        + "additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set "
                        + "to 1 if it was previously negative)"))
        }
    }
}
