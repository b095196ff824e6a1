import Shiplog

/// Who writes, when and how.
struct WriteContext: Sendable {
    enum FieldValidation: Sendable { case ignore, warn, strict }

    var manager = "unknown"
    var now: Timestamp
    var force = false
    var fieldValidation = FieldValidation.warn
}

/// What a write came to.
struct Outcome: Sendable {
    var object: JSON
    var isCreated = false
    /// For the `Warning` header.
    var warnings: [String] = []
}

extension ClusterState {
    /// No object grows past this, however many patches make it.
    static let maximumObjectBytes = 3 << 20

    private enum Writer {
        case update(ManagedFields.Identity)
        case applied(ManagedFields)
    }

    // MARK: create, update, patch, apply

    mutating func create(
        _ body: JSON, _ kind: Kind, namespace: String, _ context: WriteContext
    ) throws(StatusError) -> Outcome {
        var object = body
        try checkIdentity(&object, kind, namespace: namespace, name: nil)
        if object.at("metadata", "resourceVersion")?.string?.isEmpty == false {
            throw .badRequest("resourceVersion should not be set on objects to be created")
        }
        if object.name.isEmpty, let prefix = object.at("metadata", "generateName")?.string, !prefix.isEmpty {
            var name = String(prefix.prefix(58)) + random.suffix()
            while self.object(ObjectKey(resource: kind.resource, namespace: namespace, name: name)) != nil {
                name = String(prefix.prefix(58)) + random.suffix()
            }
            object.set(.string(name), at: ["metadata", "name"])
        }
        let key = ObjectKey(resource: kind.resource, namespace: namespace, name: object.name)
        try checkNamespace(kind, key)
        guard self.object(key) == nil else { throw .alreadyExists(kind, key.name) }
        object.set(nil, at: ["metadata", "managedFields"])
        let writer = ManagedFields.Identity(
            manager: context.manager, operation: .update, apiVersion: kind.apiVersion)
        return try finish(object, nil, kind, key, .main(hasStatus: kind.hasStatus), .update(writer), context)
    }

    mutating func update(
        _ body: JSON, _ kind: Kind, _ key: ObjectKey, _ endpoint: ManagedFields.Endpoint, _ context: WriteContext
    ) throws(StatusError) -> Outcome {
        var object = body
        try checkIdentity(&object, kind, namespace: key.namespace, name: key.name)
        guard let live = self.object(key) else {
            throw .notFound(kind, key.name)
        }
        if let uid = object.at("metadata", "uid")?.string, !uid.isEmpty, uid != live.uid {
            throw .conflict(
                kind, key.name,
                "Precondition failed: UID in precondition: \(uid), UID in object meta: \(live.uid)")
        }
        if let version = object.at("metadata", "resourceVersion")?.string, !version.isEmpty,
            version != live.at("metadata", "resourceVersion")?.string
        {
            throw .modified(kind, key.name)
        }
        return try finish(object, live, kind, key, endpoint, .update(identity(kind, endpoint, context)), context)
    }

    /// Changes an object by a function from its present state.
    mutating func patch(
        _ kind: Kind, _ key: ObjectKey, _ endpoint: ManagedFields.Endpoint, _ context: WriteContext,
        _ change: (JSON) throws(StatusError) -> JSON
    ) throws(StatusError) -> Outcome {
        guard let live = self.object(key) else { throw .notFound(kind, key.name) }
        var shown = live
        shown["apiVersion"] = .string(kind.apiVersion)
        let changed = try change(shown)
        return try update(changed, kind, key, endpoint, context)
    }

    /// Server-side apply; makes the object if it is not there.
    mutating func apply(
        _ body: JSON, _ kind: Kind, _ key: ObjectKey, _ endpoint: ManagedFields.Endpoint, _ context: WriteContext
    ) throws(StatusError) -> Outcome {
        var configured = body
        try checkIdentity(&configured, kind, namespace: key.namespace, name: key.name)
        if configured.at("metadata", "managedFields")?.array?.isEmpty == false {
            throw .badRequest("metadata.managedFields must be nil")
        }
        let live = self.object(key)
        if live == nil {
            if case .main = endpoint {} else { throw .notFound(kind, key.name) }
            try checkNamespace(kind, key)
        }
        if let uid = configured.at("metadata", "uid")?.string, !uid.isEmpty, uid != live?.uid {
            throw .conflict(
                kind, key.name,
                "uid mismatch: the provided object specified uid \(uid), and no existing object was found")
        }
        if let version = configured.at("metadata", "resourceVersion")?.string, !version.isEmpty,
            version != live?.at("metadata", "resourceVersion")?.string
        {
            throw .modified(kind, key.name)
        }
        configured = try typed(configured, kind, key)
        var managed = live.flatMap { ManagedFields(json: $0.at("metadata", "managedFields")) } ?? ManagedFields()
        var applier = identity(kind, endpoint, context)
        applier.operation = .apply
        let time = Clock.seconds(context.now)
        var merged: JSON
        do throws(ManagedFields.Conflict) {
            merged = try managed.apply(
                configured, to: live ?? [:], by: applier, force: context.force, kind.shape, endpoint, now: time)
        } catch {
            guard let live, Self.isOwnEarlierApply(error, by: context.manager, live, kind) else {
                throw .applyConflict(error)
            }
            do throws(ManagedFields.Conflict) {
                merged = try managed.apply(
                    configured, to: live, by: applier, force: true, kind.shape, endpoint, now: time)
            } catch {
                throw .applyConflict(error)
            }
        }
        return try finish(merged, live, kind, key, endpoint, .applied(managed), context)
    }

    /// kubectl's move from client-side to server-side apply: what conflicts is its own earlier writing, as the
    /// last-applied annotation proves.
    private static func isOwnEarlierApply(
        _ conflict: ManagedFields.Conflict, by manager: String, _ live: JSON, _ kind: Kind
    ) -> Bool {
        guard manager == "kubectl",
            conflict.fields.keys.allSatisfy({ $0.manager == "kubectl-client-side-apply" && $0.operation == .update }),
            let text = live.at("metadata", "annotations", "kubectl.kubernetes.io/last-applied-configuration")?.string,
            let applied = try? JSON(parsing: text)
        else { return false }
        var decoding = Decoding(kind, isConfiguration: true)
        guard let applied = try? decoding.decode(applied) else { return false }
        let unchanged = TypedValue.fieldSet(of: applied, kind.shape)
            .subtracting(TypedValue.compare(live, applied, kind.shape).changed)
        return conflict.fields.values.allSatisfy { $0.subtracting(unchanged).isEmpty }
    }

    private func identity(
        _ kind: Kind, _ endpoint: ManagedFields.Endpoint, _ context: WriteContext
    ) -> ManagedFields.Identity {
        ManagedFields.Identity(
            manager: context.manager, operation: .update, apiVersion: kind.apiVersion,
            subresource: endpoint.subresource)
    }

    /// The one way an object gets stored.
    private mutating func finish(
        _ body: JSON, _ live: JSON?, _ kind: Kind, _ key: ObjectKey, _ endpoint: ManagedFields.Endpoint,
        _ writer: Writer, _ context: WriteContext
    ) throws(StatusError) -> Outcome {
        var decoding = Decoding(kind)
        let given = body.at("metadata", "managedFields")
        var object = try decoding.decode(body)
        var warnings: [String] = []
        if !decoding.unknown.isEmpty, context.fieldValidation != .ignore {
            let texts = decoding.unknown.sorted().prefix(20).map { "unknown field \"\($0)\"" }
            if context.fieldValidation == .strict {
                throw .badRequest(
                    "\(kind.kind) in version \"\(kind.version)\" cannot be handled as a \(kind.kind): strict decoding "
                        + "error: " + texts.joined(separator: ", "))
            }
            warnings += texts
        }
        guard object.weight <= Self.maximumObjectBytes else {
            throw StatusError(413, "RequestEntityTooLarge", "etcdserver: request is too large")
        }
        keepSystemFields(&object, live, kind, key, endpoint, context)
        if case .main = endpoint {
            Defaults.fill(&object, kind)
            prepare(&object, live, kind)
            var problems = decoding.problems + Validation.problems(object, kind)
            if let live { problems += Immutability.problems(from: live, to: object, kind) }
            guard problems.isEmpty else { throw .invalid(kind, key.name, Array(problems.prefix(50))) }
        } else if !decoding.problems.isEmpty {
            throw .invalid(kind, key.name, Array(decoding.problems.prefix(50)))
        }

        var managed: ManagedFields
        switch writer {
        case .applied(let fields): managed = fields
        case .update(let identity):
            managed = Self.baseline(given, live)
            managed.recordUpdate(
                by: identity, from: live, to: object, kind.shape, endpoint, now: Clock.seconds(context.now))
        }
        if kind.hasGeneration {
            let generation = live?.at("metadata", "generation")?.integer ?? 0
            let bumps = live.map { Self.isChanged($0, object, kind) } ?? true
            object.set(.integer(bumps ? generation + 1 : generation), at: ["metadata", "generation"])
        }
        if let live, Self.isSame(live, object, managed) { return Outcome(object: live, warnings: warnings) }
        object.set(managed.json, at: ["metadata", "managedFields"])
        if object.isBeingDeleted, object.finalizers.isEmpty, live.map({ !$0.finalizers.isEmpty }) == true,
            object.at("metadata", "deletionGracePeriodSeconds")?.integer ?? 0 == 0, kind.kind != "Namespace"
        {
            // The last finalizer went: so does the object.
            store(object, at: key)
            return Outcome(object: remove(key) ?? object, warnings: warnings)
        }
        return Outcome(object: store(object, at: key), isCreated: live == nil, warnings: warnings)
    }

    /// The managers that an update starts from: those it sends, if it sends a well-formed list, else the stored ones.
    private static func baseline(_ given: JSON?, _ live: JSON?) -> ManagedFields {
        if given == [[:]] { return ManagedFields() }
        return ManagedFields(json: given) ?? ManagedFields(json: live?.at("metadata", "managedFields"))
            ?? ManagedFields()
    }

    private static func isSame(_ live: JSON, _ object: JSON, _ managed: ManagedFields) -> Bool {
        var (left, right) = (live, object)
        for path in [["metadata", "managedFields"], ["metadata", "resourceVersion"]] {
            left.set(nil, at: path)
            right.set(nil, at: path)
        }
        guard left == right else { return false }
        let before = ManagedFields(json: live.at("metadata", "managedFields")) ?? ManagedFields()
        return before.entries.mapValues(\.fields) == managed.entries.mapValues(\.fields)
    }

    /// Whether what is desired changed: everything but metadata and status.
    private static func isChanged(_ live: JSON, _ object: JSON, _ kind: Kind) -> Bool {
        func desired(_ value: JSON) -> [String: JSON] {
            (value.object ?? [:]).filter {
                $0.key != "metadata" && $0.key != "apiVersion" && !($0.key == "status" && kind.hasStatus)
            }
        }
        if desired(live) != desired(object) { return true }
        // A Deployment's annotations are copied to its ReplicaSets, so they count.
        return kind.kind == "Deployment" && !kind.isCustom
            && live.at("metadata", "annotations") != object.at("metadata", "annotations")
    }

    // MARK: what the server keeps to itself

    private mutating func keepSystemFields(
        _ object: inout JSON, _ live: JSON?, _ kind: Kind, _ key: ObjectKey, _ endpoint: ManagedFields.Endpoint,
        _ context: WriteContext
    ) {
        object["apiVersion"] = .string(kind.apiVersion)
        object["kind"] = .string(kind.kind)
        var metadata = object["metadata"]?.object ?? [:]
        metadata["name"] = .string(key.name)
        metadata["namespace"] = kind.isNamespaced ? .string(key.namespace) : nil
        metadata["selfLink"] = nil
        metadata["managedFields"] = nil
        guard let live else {
            metadata["uid"] = .string(random.uid())
            metadata["creationTimestamp"] = .string(Clock.seconds(context.now))
            for field in ["resourceVersion", "deletionTimestamp", "deletionGracePeriodSeconds", "generation"] {
                metadata[field] = nil
            }
            object["metadata"] = .object(metadata)
            if kind.hasStatus { object["status"] = nil }
            return
        }
        let before = live["metadata"]?.object ?? [:]
        for field in [
            "uid", "creationTimestamp", "resourceVersion", "deletionTimestamp", "deletionGracePeriodSeconds",
            "generation", "generateName"
        ] { metadata[field] = before[field] }
        object["metadata"] = .object(metadata)
        switch endpoint {
        case .main:
            if kind.hasStatus { object["status"] = live["status"] }
        case .status, .scale:
            var result = live
            result["apiVersion"] = .string(kind.apiVersion)
            if endpoint == .status {
                result["status"] = object["status"]
            } else if let path = kind.scale?.specReplicas {
                result.set(object.at(path[...]), at: path)
            }
            result.set(nil, at: ["metadata", "managedFields"])
            object = result
        }
    }

    /// What depends on the rest of the cluster: addresses, and what admission adds.
    private mutating func prepare(_ object: inout JSON, _ live: JSON?, _ kind: Kind) {
        guard !kind.isCustom else { return }
        switch kind.kind {
        case "Pod" where live == nil:
            PodDefaults.admit(&object)
            object["status"] = ["phase": "Pending", "qosClass": .string(QualityOfService.of(object))]
        case "Namespace" where live == nil:
            object.set(["kubernetes"], at: ["spec", "finalizers"])
        case "Service":
            keepServiceAddress(&object, live)
        case "PersistentVolumeClaim" where live == nil:
            if object.at("spec", "storageClassName") == nil, let standard = defaultStorageClass {
                object.set(.string(standard), at: ["spec", "storageClassName"])
            }
            object["status"] = ["phase": "Pending"]
            addFinalizer("kubernetes.io/pvc-protection", &object)
        case "PersistentVolume" where live == nil:
            object["status"] = ["phase": "Pending"]
            addFinalizer("kubernetes.io/pv-protection", &object)
        case "Job" where live == nil:
            prepareJob(&object)
        default: break
        }
    }

    private func addFinalizer(_ name: String, _ object: inout JSON) {
        object.set(.array((object.finalizers + [name]).map { .string($0) }), at: ["metadata", "finalizers"])
    }

    private var defaultStorageClass: String? {
        objects(GroupResource(group: "storage.k8s.io", plural: "storageclasses"), namespace: nil).first { _, object in
            object.at("metadata", "annotations", "storageclass.kubernetes.io/is-default-class") == "true"
        }?.key.name
    }

    /// A Job's selector and pod labels come from its UID, unless it says it brings its own.
    private func prepareJob(_ object: inout JSON) {
        guard object.at("spec", "manualSelector") != true else { return }
        let labels: [String: JSON] = [
            "batch.kubernetes.io/controller-uid": .string(object.uid),
            "batch.kubernetes.io/job-name": .string(object.name),
            "controller-uid": .string(object.uid), "job-name": .string(object.name)
        ]
        for (name, value) in labels { object.set(value, at: ["spec", "template", "metadata", "labels", name]) }
        object.set(
            ["matchLabels": ["batch.kubernetes.io/controller-uid": .string(object.uid)]], at: ["spec", "selector"])
    }

    private mutating func keepServiceAddress(_ object: inout JSON, _ live: JSON?) {
        guard object.at("spec", "type")?.string != "ExternalName" else {
            object.set(nil, at: ["spec", "clusterIP"])
            object.set(nil, at: ["spec", "clusterIPs"])
            return
        }
        var address = object.at("spec", "clusterIP")?.string ?? ""
        if address.isEmpty { address = live?.at("spec", "clusterIP")?.string ?? "" }
        if address.isEmpty {
            lastServiceAddress = (lastServiceAddress + 1) % 65_000
            let number = lastServiceAddress + 10
            address = "10.96.\(number / 256).\(number % 256)"
        }
        object.set(.string(address), at: ["spec", "clusterIP"])
        object.set([.string(address)], at: ["spec", "clusterIPs"])
        let wantsNodePort = ["NodePort", "LoadBalancer"].contains(object.at("spec", "type")?.string ?? "")
        Defaults.change(&object, "spec") { spec in
            let former = live?.at("spec", "ports")?.array ?? []
            Defaults.each(&spec, "ports") { port in
                guard wantsNodePort, port["nodePort"] == nil else { return }
                let same = former.first { $0["port"] == port["port"] && $0["protocol"] == port["protocol"] }
                port["nodePort"] = same?["nodePort"] ?? .integer(Int64(30_000 + random.next() % 2768))
            }
        }
    }

    // MARK: checks

    private func checkIdentity(
        _ object: inout JSON, _ kind: Kind, namespace: String, name: String?
    ) throws(StatusError) {
        guard case .object = object else { throw .badRequest("the object provided is unrecognized (must be a map)") }
        if let apiVersion = object["apiVersion"]?.string, apiVersion != kind.apiVersion {
            throw .badRequest(
                "the API version in the data (\(apiVersion)) does not match the expected API version "
                    + "(\(kind.apiVersion))")
        }
        if let given = object["kind"]?.string, given != kind.kind {
            throw .badRequest("\(given) in version \"\(kind.version)\" cannot be handled as a \(kind.kind)")
        }
        if kind.isNamespaced, let given = object.at("metadata", "namespace")?.string, !given.isEmpty, given != namespace
        {
            throw .badRequest("the namespace of the provided object does not match the namespace sent on the request")
        }
        if let name {
            let given = object.name
            if !given.isEmpty, given != name {
                throw .badRequest(
                    "the name of the object (\(given)) does not match the name on the URL (\(name))")
            }
        }
        // What the server compares and stores is always complete.
        object["apiVersion"] = .string(kind.apiVersion)
        object["kind"] = .string(kind.kind)
    }

    private func checkNamespace(_ kind: Kind, _ key: ObjectKey) throws(StatusError) {
        guard kind.isNamespaced else { return }
        guard let namespace = object(Self.namespaceKey(key.namespace)) else {
            var error = StatusError(404, "NotFound", "namespaces \"\(key.namespace)\" not found")
            error.name = key.namespace
            error.kind = "namespaces"
            throw error
        }
        guard namespace.isBeingDeleted else { return }
        var error = StatusError.forbidden(
            kind, key.name,
            "unable to create new content in namespace \(key.namespace) because it is being terminated")
        error.causes = [
            StatusError.Cause(
                reason: "NamespaceTerminating", message: "namespace \(key.namespace) is being terminated",
                field: "metadata.namespace")
        ]
        throw error
    }

    /// A configuration for server-side apply must fit the schema: unlike an update, it cannot drop what it does not
    /// know, because it would not own it.
    private func typed(_ configured: JSON, _ kind: Kind, _ key: ObjectKey) throws(StatusError) -> JSON {
        let what =
            "failed to create typed patch object (\(key.namespace)/\(key.name); \(kind.apiVersion), "
            + "Kind=\(kind.kind)): "
        var decoding = Decoding(kind, isConfiguration: true)
        let result = try decoding.decode(configured)
        if !decoding.unknown.isEmpty {
            let texts = decoding.unknown.sorted().prefix(20).map { ".\($0): field not declared in schema" }
            throw .internal(
                what + (texts.count == 1 ? texts[0] : "errors:" + texts.map { "\n  " + $0 }.joined()))
        }
        if let problem = TypedValue.duplicate(in: result, kind.shape) { throw .internal(what + problem) }
        return result
    }
}

/// The class that a pod's requests and limits put it in.
enum QualityOfService {
    static func of(_ pod: JSON) -> String {
        let containers = pod.at("spec", "containers")?.array ?? []
        let resources = containers.map { $0["resources"] ?? [:] }
        if resources.allSatisfy({ $0["requests"] == nil && $0["limits"] == nil }) { return "BestEffort" }
        let isGuaranteed = resources.allSatisfy { part in
            ["cpu", "memory"].allSatisfy {
                part.at("limits", $0) != nil && part.at("limits", $0) == part.at("requests", $0)
            }
        }
        return isGuaranteed ? "Guaranteed" : "Burstable"
    }
}

extension JSON {
    /// About how many bytes the value is as JSON.
    var weight: Int {
        switch self {
        case .null, .bool, .integer, .number: 5
        case .string(let text): text.utf8.count + 2
        case .array(let elements): elements.reduce(2) { $0 + $1.weight + 1 }
        case .object(let members): members.reduce(2) { $0 + $1.key.utf8.count + $1.value.weight + 4 }
        }
    }
}
