import Shiplog

/// Endpoints of Services, addresses of load balancers and Ingresses, and disruption budgets.
extension ClusterState {
    /// From the block that RFC 5737 keeps for documentation: nothing answers there.
    private static let outsideAddress: JSON = "192.0.2.10"

    mutating func reconcileBudgets(_ namespace: String, _ clock: ControllerClock) {
        let budgets = GroupResource(group: "policy", plural: "poddisruptionbudgets")
        for (key, _) in objects(budgets, namespace: namespace) { reconcileBudget(key, clock) }
    }

    mutating func reconcileService(_ key: ObjectKey, _ clock: ControllerClock) {
        reconcileEndpoints(key, clock)
        guard let service = object(key) else { return }
        let isBalanced = service.at("spec", "type") == "LoadBalancer"
        write(key, by: Self.controllerManager, status: true, clock) {
            $0.set(
                isBalanced ? ["ingress": [["ip": Self.outsideAddress, "ipMode": "VIP"]]] : [:],
                at: ["status", "loadBalancer"])
        }
    }

    mutating func reconcileEndpoints(_ key: ObjectKey, _ clock: ControllerClock) {
        let endpoints = ObjectKey(
            resource: GroupResource(group: "", plural: "endpoints"), namespace: key.namespace, name: key.name)
        guard let service = object(key) else {
            discard(endpoints, clock)
            return
        }
        guard !service.isBeingDeleted, let selector = LabelSelector(service.at("spec", "selector")),
            !selector.requirements.isEmpty
        else { return }
        let plain = service.at("spec", "selector")?.stringMap ?? [:]
        let pods = labels.pods(plain, namespace: key.namespace).compactMap { name in
            object(ObjectKey(resource: Self.pods, namespace: key.namespace, name: name))
        }.filter { selector.matches($0) && $0.at("status", "podIP") != nil && Self.isActive($0) }
        let ports = service.at("spec", "ports")?.array ?? []
        writeEndpoints(endpoints, service, pods, ports, clock)
        writeSlice(service, pods, ports, clock)
    }

    private static func reference(_ pod: JSON) -> JSON {
        [
            "kind": "Pod", "namespace": .string(pod.namespace), "name": .string(pod.name), "uid": .string(pod.uid)
        ]
    }

    /// The number behind a Service's target port; a name is looked up in the pods.
    private static func target(_ port: JSON, _ pods: [JSON]) -> JSON? {
        switch port["targetPort"] {
        case .string(let name):
            for pod in pods {
                for container in pod.at("spec", "containers")?.array ?? [] {
                    for candidate in container["ports"]?.array ?? [] where candidate["name"]?.string == name {
                        return candidate["containerPort"]
                    }
                }
            }
            return nil
        case .some(let number): return number
        case nil: return port["port"]
        }
    }

    private mutating func writeEndpoints(
        _ key: ObjectKey, _ service: JSON, _ pods: [JSON], _ ports: [JSON], _ clock: ControllerClock
    ) {
        func addresses(_ ready: Bool) -> JSON? {
            let list = pods.filter { Self.isReady($0) == ready }.map { pod -> JSON in
                .members([
                    "ip": pod.at("status", "podIP"), "nodeName": pod.at("spec", "nodeName"),
                    "targetRef": Self.reference(pod)
                ])
            }
            return list.isEmpty ? nil : .array(list)
        }
        let shown = ports.compactMap { port -> JSON? in
            guard let target = Self.target(port, pods) else { return nil }
            return .members(["name": port["name"], "port": target, "protocol": port["protocol"]])
        }
        let subset = JSON.members([
            "addresses": addresses(true), "notReadyAddresses": addresses(false),
            "ports": shown.isEmpty ? nil : .array(shown)
        ])
        let subsets: JSON? = pods.isEmpty ? nil : [subset]
        if object(key) == nil {
            make(
                .members([
                    "metadata": ["name": .string(key.name), "labels": .object(service.labels)], "subsets": subsets
                ]), key.resource, namespace: key.namespace, clock)
        } else {
            write(key, by: Self.controllerManager, status: false, clock) { $0["subsets"] = subsets }
        }
    }

    private mutating func writeSlice(_ service: JSON, _ pods: [JSON], _ ports: [JSON], _ clock: ControllerClock) {
        let resource = GroupResource(group: "discovery.k8s.io", plural: "endpointslices")
        let list: JSON = .array(
            pods.map { pod in
                let isReady = Self.isReady(pod)
                return .members([
                    "addresses": [pod.at("status", "podIP") ?? ""],
                    "conditions": ["ready": .bool(isReady), "serving": .bool(isReady), "terminating": false],
                    "nodeName": pod.at("spec", "nodeName"), "targetRef": Self.reference(pod)
                ])
            })
        let shown: JSON = .array(
            ports.compactMap { port in
                guard let target = Self.target(port, pods) else { return nil }
                return ["name": port["name"] ?? "", "port": target, "protocol": port["protocol"] ?? "TCP"]
            })
        if let existing = dependents(of: service.uid).first(where: { $0.resource == resource }) {
            write(existing, by: Self.controllerManager, status: false, clock) { slice in
                slice["endpoints"] = list
                slice["ports"] = shown
            }
            return
        }
        make(
            [
                "metadata": [
                    "generateName": .string(service.name + "-"),
                    "labels": [
                        "kubernetes.io/service-name": .string(service.name),
                        "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io"
                    ],
                    "ownerReferences": [Self.controllerReference(to: service)]
                ],
                "addressType": "IPv4", "endpoints": list, "ports": shown
            ], resource, namespace: service.namespace, clock)
    }

    mutating func reconcileIngress(_ key: ObjectKey, _ clock: ControllerClock) {
        write(key, by: Self.controllerManager, status: true, clock) {
            $0.set([["ip": Self.outsideAddress]], at: ["status", "loadBalancer", "ingress"])
        }
    }

    mutating func reconcileBudget(_ key: ObjectKey, _ clock: ControllerClock) {
        guard let budget = object(key), !budget.isBeingDeleted,
            let selector = LabelSelector(budget.at("spec", "selector"))
        else { return }
        let pods = objects(Self.pods, namespace: key.namespace).filter {
            selector.matches($0.object) && Self.isActive($0.object)
        }
        let healthy = pods.filter { Self.isReady($0.object) }.count
        let desired: Int
        if let minimum = budget.at("spec", "minAvailable") {
            desired = Self.resolve(minimum, of: pods.count, roundsUp: true)
        } else {
            let maximum = Self.resolve(budget.at("spec", "maxUnavailable") ?? 1, of: pods.count, roundsUp: true)
            desired = max(0, pods.count - maximum)
        }
        let allowed = max(0, healthy - desired)
        write(key, by: Self.controllerManager, status: true, clock) { budget in
            var status = budget["status"] ?? [:]
            status["observedGeneration"] = budget.at("metadata", "generation")
            status["currentHealthy"] = .integer(Int64(healthy))
            status["desiredHealthy"] = .integer(Int64(desired))
            status["expectedPods"] = .integer(Int64(pods.count))
            status["disruptionsAllowed"] = .integer(Int64(allowed))
            budget["status"] = status
            Self.setCondition(
                &budget, "DisruptionAllowed", allowed > 0, reason: allowed > 0 ? "SufficientPods" : "InsufficientPods",
                message: "", clock)
        }
    }
}
