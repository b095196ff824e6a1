import Shiplog

/// The garbage collector and the end of namespaces.
extension ClusterState {
    /// Deletes the dependents of an owner that is gone, unless another owner keeps them.
    mutating func collectDependents(of uid: String, _ clock: ControllerClock) {
        guard !exists(uid: uid) else { return }
        for key in dependents(of: uid) { collectOrphan(key, clock) }
    }

    /// Deletes an object whose owners are all gone; drops references to those that are.
    mutating func collectOrphan(_ key: ObjectKey, _ clock: ControllerClock) {
        guard let object = object(key), let owners = object.at("metadata", "ownerReferences")?.array, !owners.isEmpty
        else { return }
        let present = owners.filter { $0["uid"]?.string.map(exists(uid:)) == true }
        if present.isEmpty {
            discard(key, clock)
        } else if present.count < owners.count {
            write(key, by: Self.controllerManager, status: false, clock) {
                $0.set(.array(present), at: ["metadata", "ownerReferences"])
            }
        }
    }

    /// Foreground deletion: dependents first, and the owner once none that blocks is left.
    mutating func collectForeground(_ key: ObjectKey, _ clock: ControllerClock) {
        guard let object = object(key), object.isBeingDeleted, object.finalizers.contains(Self.foregroundFinalizer)
        else { return }
        let dependents = dependents(of: object.uid)
        for dependent in dependents { discard(dependent, clock, foreground: true) }
        let isBlocked = self.dependents(of: object.uid).contains { dependent in
            self.object(dependent)?.at("metadata", "ownerReferences")?.array?.contains {
                $0["uid"]?.string == object.uid && $0["blockOwnerDeletion"] == true
            } == true
        }
        guard !isBlocked else { return }
        dropFinalizer(Self.foregroundFinalizer, key)
    }

    /// Takes a finalizer away, and the object with the last one.
    mutating func dropFinalizer(_ name: String, _ key: ObjectKey) {
        guard var object = object(key) else { return }
        let rest = object.finalizers.filter { $0 != name }
        guard rest.count < object.finalizers.count else { return }
        object.set(rest.isEmpty ? nil : .array(rest.map { .string($0) }), at: ["metadata", "finalizers"])
        if rest.isEmpty, object.isBeingDeleted, object.at("metadata", "deletionGracePeriodSeconds")?.integer ?? 0 == 0 {
            remove(key)
        } else {
            store(object, at: key)
        }
    }

    mutating func reconcileNamespace(_ key: ObjectKey, _ clock: ControllerClock) {
        guard let namespace = object(key) else { return }
        guard namespace.isBeingDeleted else {
            furnish(key.name, clock)
            return
        }
        for content in content(of: key.name) { discard(content, clock) }
        let rest = content(of: key.name)
        if rest.isEmpty {
            if namespace.finalizers.isEmpty { remove(key) }
            return
        }
        let held = rest.filter { object($0)?.finalizers.isEmpty == false }.count
        write(key, by: Self.controllerManager, status: true, clock) { namespace in
            Self.setCondition(
                &namespace, "NamespaceContentRemaining", true, reason: "SomeResourcesRemain",
                message: "Some resources are remaining: \(rest.count) object instances", clock)
            Self.setCondition(
                &namespace, "NamespaceFinalizersRemaining", held > 0,
                reason: held > 0 ? "SomeFinalizersRemain" : "ContentHasNoFinalizers",
                message: held > 0
                    ? "Some content in the namespace has finalizers remaining: \(held) object instances"
                    : "All content-preserving finalizers finished", clock)
        }
    }

    /// What each namespace has from the start.
    private mutating func furnish(_ namespace: String, _ clock: ControllerClock) {
        let accounts = GroupResource(group: "", plural: "serviceaccounts")
        if object(ObjectKey(resource: accounts, namespace: namespace, name: "default")) == nil {
            make(["metadata": ["name": "default"]], accounts, namespace: namespace, clock)
        }
        let maps = GroupResource(group: "", plural: "configmaps")
        if object(ObjectKey(resource: maps, namespace: namespace, name: "kube-root-ca.crt")) == nil {
            make(
                [
                    "metadata": [
                        "name": "kube-root-ca.crt",
                        "annotations": [
                            "kubernetes.io/description": "The sandbox speaks plain HTTP on loopback: there is no CA."
                        ]
                    ],
                    "data": ["ca.crt": ""]
                ], maps, namespace: namespace, clock)
        }
    }

    /// Namespaces, the node and the storage class that a new cluster has.
    mutating func bootstrap(_ clock: ControllerClock) {
        for name in ["default", "kube-system", "kube-public"] where !hasNamespace(name) {
            make(["metadata": ["name": .string(name)]], Self.namespaces, namespace: "", by: "kube-apiserver", clock)
        }
        let nodes = GroupResource(group: "", plural: "nodes")
        let node = ObjectKey(resource: nodes, namespace: "", name: Self.nodeName)
        if object(node) == nil {
            make(
                ["metadata": ["name": .string(Self.nodeName), "labels": ["kubernetes.io/hostname": "sandbox"]]], nodes,
                namespace: "", by: Self.kubelet, clock)
            write(node, by: Self.kubelet, status: true, clock) { node in
                node.set(
                    [
                        "addresses": [["type": "InternalIP", "address": "127.0.0.1"]],
                        "capacity": ["cpu": "8", "memory": "16Gi", "pods": "110"],
                        "allocatable": ["cpu": "8", "memory": "16Gi", "pods": "110"],
                        "nodeInfo": [
                            "kubeletVersion": .string(ServerVersion.git), "operatingSystem": "linux",
                            "osImage": "Shiplog sandbox (no containers run)", "architecture": "amd64", "bootID": "",
                            "containerRuntimeVersion": "none://0", "kernelVersion": "", "kubeProxyVersion": "",
                            "machineID": "", "systemUUID": ""
                        ]
                    ], at: ["status"])
                Self.setCondition(
                    &node, "Ready", true, reason: "KubeletReady", message: "stand-in kubelet is ready", clock)
            }
        }
        let classes = GroupResource(group: "storage.k8s.io", plural: "storageclasses")
        if object(ObjectKey(resource: classes, namespace: "", name: "standard")) == nil {
            make(
                [
                    "metadata": [
                        "name": "standard",
                        "annotations": ["storageclass.kubernetes.io/is-default-class": "true"]
                    ],
                    "provisioner": "sandbox.shiplog/none"
                ], classes, namespace: "", clock)
        }
        let kubernetes = ObjectKey(resource: Self.services, namespace: "default", name: "kubernetes")
        if object(kubernetes) == nil {
            make(
                [
                    "metadata": ["name": "kubernetes", "labels": ["component": "apiserver", "provider": "kubernetes"]],
                    "spec": [
                        "clusterIP": "10.96.0.1",
                        "ports": [["name": "https", "port": 443, "targetPort": 6443]]
                    ]
                ], Self.services, namespace: "default", by: "kube-apiserver", clock)
        }
    }
}

/// What `/version` says.
enum ServerVersion {
    static let major = "1"
    static let minor = "36"
    static let git = "v1.36.0+shiplog-sandbox"
}
