import Shiplog

/// Defaults of pods and of what they are made of.
enum PodDefaults {
    static func fillTemplate(_ template: inout JSON) {
        Defaults.set(&template, "metadata", [:])
        Defaults.change(&template, "spec") { fill(&$0) }
        // What a pod gets from the server only once it exists.
        template.set(nil, at: ["metadata", "creationTimestamp"])
    }

    static func fill(_ spec: inout JSON) {
        Defaults.set(&spec, "restartPolicy", "Always")
        Defaults.set(&spec, "terminationGracePeriodSeconds", 30)
        Defaults.set(&spec, "dnsPolicy", "ClusterFirst")
        Defaults.set(&spec, "securityContext", [:])
        Defaults.set(&spec, "schedulerName", "default-scheduler")
        // The old and the new name of one field.
        if let name = spec["serviceAccountName"] {
            spec["serviceAccount"] = name
        } else if let name = spec["serviceAccount"] {
            spec["serviceAccountName"] = name
        }
        let isHostNetwork = spec["hostNetwork"] == true
        for list in ["containers", "initContainers"] {
            Defaults.each(&spec, list) { container(&$0, isHostNetwork: isHostNetwork) }
        }
        Defaults.each(&spec, "volumes") { volume(&$0) }
        Defaults.each(&spec, "topologySpreadConstraints") { constraint in
            Defaults.set(&constraint, "nodeAffinityPolicy", "Honor")
            Defaults.set(&constraint, "nodeTaintsPolicy", "Ignore")
        }
    }

    /// What only a pod itself gets, not a template: the admission plug-ins' part.
    static func admit(_ pod: inout JSON) {
        Defaults.change(&pod, "spec") { spec in
            Defaults.set(&spec, "serviceAccountName", "default")
            Defaults.set(&spec, "serviceAccount", spec["serviceAccountName"] ?? "default")
            Defaults.set(&spec, "enableServiceLinks", true)
            Defaults.set(&spec, "preemptionPolicy", "PreemptLowerPriority")
            Defaults.set(&spec, "priority", 0)
            if spec["tolerations"] == nil {
                spec["tolerations"] = .array(
                    ["not-ready", "unreachable"].map {
                        [
                            "key": .string("node.kubernetes.io/" + $0), "operator": "Exists", "effect": "NoExecute",
                            "tolerationSeconds": 300
                        ]
                    })
            }
        }
    }

    private static func container(_ container: inout JSON, isHostNetwork: Bool) {
        Defaults.set(&container, "terminationMessagePath", "/dev/termination-log")
        Defaults.set(&container, "terminationMessagePolicy", "File")
        Defaults.set(&container, "resources", [:])
        if container["imagePullPolicy"] == nil, let image = container["image"]?.string {
            container["imagePullPolicy"] = ImageReference(image).tag == "latest" ? "Always" : "IfNotPresent"
        }
        Defaults.each(&container, "ports") { port in
            Defaults.set(&port, "protocol", "TCP")
            if isHostNetwork, let number = port["containerPort"] { Defaults.set(&port, "hostPort", number) }
        }
        for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
            Defaults.change(&container, probe, make: false) { probe in
                Defaults.set(&probe, "timeoutSeconds", 1)
                Defaults.set(&probe, "periodSeconds", 10)
                Defaults.set(&probe, "successThreshold", 1)
                Defaults.set(&probe, "failureThreshold", 3)
                httpGet(&probe)
                Defaults.change(&probe, "grpc", make: false) { Defaults.set(&$0, "service", "") }
            }
        }
        Defaults.change(&container, "lifecycle", make: false) { lifecycle in
            for hook in ["postStart", "preStop"] { Defaults.change(&lifecycle, hook, make: false) { httpGet(&$0) } }
        }
        Defaults.each(&container, "env") { variable in
            Defaults.change(&variable, "valueFrom", make: false) { source in
                Defaults.change(&source, "fieldRef", make: false) { Defaults.set(&$0, "apiVersion", "v1") }
                Defaults.change(&source, "resourceFieldRef", make: false) { Defaults.set(&$0, "divisor", "0") }
            }
        }
        // A limit without a request is the request too.
        Defaults.change(&container, "resources") { resources in
            guard let limits = resources["limits"]?.object else { return }
            Defaults.change(&resources, "requests") { requests in
                for (name, limit) in limits { Defaults.set(&requests, name, limit) }
            }
        }
    }

    private static func httpGet(_ handler: inout JSON) {
        Defaults.change(&handler, "httpGet", make: false) { request in
            Defaults.set(&request, "path", "/")
            Defaults.set(&request, "scheme", "HTTP")
        }
    }

    private static func volume(_ volume: inout JSON) {
        if volume.object?.count == 1 { volume["emptyDir"] = [:] }
        for source in ["secret", "configMap", "downwardAPI"] {
            Defaults.change(&volume, source, make: false) { Defaults.set(&$0, "defaultMode", 420) }
        }
        Defaults.change(&volume, "hostPath", make: false) { Defaults.set(&$0, "type", "") }
        Defaults.change(&volume, "projected", make: false) { projected in
            Defaults.set(&projected, "defaultMode", 420)
            Defaults.each(&projected, "sources") { source in
                Defaults.change(&source, "serviceAccountToken", make: false) {
                    Defaults.set(&$0, "expirationSeconds", 3600)
                }
            }
        }
        Defaults.change(&volume, "downwardAPI", make: false) { source in
            Defaults.each(&source, "items") { item in
                Defaults.change(&item, "fieldRef", make: false) { Defaults.set(&$0, "apiVersion", "v1") }
            }
        }
        Defaults.change(&volume, "ephemeral", make: false) { source in
            Defaults.change(&source, "volumeClaimTemplate", make: false) { template in
                Defaults.change(&template, "spec") { Defaults.set(&$0, "volumeMode", "Filesystem") }
            }
        }
    }
}

/// A container image's name, taken apart.
struct ImageReference: Sendable, Hashable {
    /// The registry's host, empty when the name has none.
    let host: String
    let tag: String
    let hasDigest: Bool

    init(_ text: String) {
        let beforeDigest = text.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
        hasDigest = beforeDigest.count == 2
        let name = beforeDigest.first ?? ""
        let parts = name.split(separator: "/", omittingEmptySubsequences: false)
        if parts.count > 1, let first = parts.first, first.contains(".") || first.contains(":") || first == "localhost"
        {
            host = String(first.split(separator: ":").first ?? "")
        } else {
            host = ""
        }
        let last = parts.last ?? ""
        if let colon = last.lastIndex(of: ":") {
            tag = String(last[last.index(after: colon)...])
        } else {
            tag = hasDigest ? "" : "latest"
        }
    }

    /// The sandbox's rule for an image that cannot be pulled: a host that ends in `.invalid` (RFC 2606 keeps it free),
    /// or a tag that says so.
    var canBePulled: Bool {
        !host.hasSuffix(".invalid") && !tag.contains("broken") && !tag.contains("does-not-exist")
    }
}
