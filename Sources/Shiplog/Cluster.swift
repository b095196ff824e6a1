/// A Kubernetes cluster, as the loop needs it. Conformers: `KubernetesAPI` over HTTPS, and the tests' fake with faults.
///
/// A call that fails throws; it never answers "nothing there" for "could not look". Every call ends: conformers have
/// deadlines of their own, and cancelling the task ends it earlier.
public protocol Cluster: Sendable {
    /// The name in the configuration, for messages.
    var name: String { get }
    /// The API server's address, for the record.
    var server: String { get }

    /// The UID of the `kube-system` namespace: what tells one cluster from another behind the same address.
    func identity() async throws(Failure) -> String

    /// What the API server serves. Groups that could not be asked are named in it, not left out.
    /// - Parameter refresh: ask the server again even if an answer is at hand.
    func catalog(refresh: Bool) async throws(Failure) -> KindCatalog

    /// How the lists and maps of a kind merge, as the server says; nil when it does not, or cannot be asked now. Answered
    /// from memory as a rule.
    func schema(of kind: ServedKind) async -> MergeSchema?

    /// nil when the server says there is no such object.
    func get(_ kind: ServedKind, namespace: String, name: String) async throws(Failure) -> Resource?

    /// All objects of a kind, page by page inside; a page that fails fails the whole.
    /// - Parameters:
    ///   - namespace: empty for all namespaces or a cluster-scoped kind.
    ///   - selector: a label selector, empty for all.
    func list(_ kind: ServedKind, namespace: String, selector: String) async throws(Failure) -> ResourceList

    /// Delivers changes after `resourceVersion`, in order, waiting for each delivery to return; ends when the server
    /// ends the stream (resume with the last version seen).
    /// - Throws: `cluster.watch-expired` when the version is too old (list again); what else went wrong.
    func watch(
        _ kind: ServedKind, namespace: String, selector: String, after resourceVersion: String,
        deliver: @Sendable (WatchEvent) async -> Void
    ) async throws(Failure)

    /// Server-side apply. Answers the object as the server holds (or, in a dry run, would hold) it.
    func apply(_ resource: Resource, as kind: ServedKind, _ options: WriteOptions) async throws(Failure) -> Resource

    /// POST. `cluster.already-exists` when it does.
    func create(_ resource: Resource, as kind: ServedKind, _ options: WriteOptions) async throws(Failure) -> Resource

    /// PUT; the object's own `resourceVersion` guards it when it has one.
    func replace(_ resource: Resource, as kind: ServedKind, _ options: WriteOptions) async throws(Failure) -> Resource

    /// PATCH with a JSON merge patch (RFC 7396) or a JSON patch (RFC 6902), or a merge patch of the status.
    func patch(
        _ kind: ServedKind, namespace: String, name: String, _ patch: Patch, _ options: WriteOptions
    ) async throws(Failure) -> Resource

    /// DELETE. A finished deletion, one that waits for finalizers, and "was not there" are told apart.
    func delete(
        _ kind: ServedKind, namespace: String, name: String, _ options: DeleteOptions
    ) async throws(Failure) -> Deletion

    /// Objects of a kind, no more than so many: what a person looks at, never what a plan rests on.
    /// - Parameters:
    ///   - fields: one field selector, such as `involvedObject.uid=…`; empty for all.
    ///   - metadataOnly: `spec`, `status` and data stay where they are.
    func page(
        _ kind: ServedKind, namespace: String, fields: String, atMost: Int, metadataOnly: Bool
    ) async throws(Failure) -> ResourcePage

    /// Hands over a pod's log in pieces of any size, waiting for each delivery to return, until its end, the bounds of
    /// the question, or until `deliver` answers false. What it says is nobody's to keep.
    func log(
        namespace: String, pod: String, _ question: LogQuestion, deliver: @Sendable ([UInt8]) async -> Bool
    ) async throws(Failure)
}

extension Cluster {
    public func schema(of kind: ServedKind) async -> MergeSchema? { nil }
}

/// A kind as a server serves it.
public struct ServedKind: Sendable, Hashable {
    public let gvk: GroupVersionKind
    /// The resource's name in paths: `deployments`.
    public let plural: String
    public let isNamespaced: Bool
    /// `get`, `list`, `watch`, `patch`, …
    public let verbs: Set<String>

    public init(gvk: GroupVersionKind, plural: String, isNamespaced: Bool, verbs: Set<String>) {
        self.gvk = gvk
        self.plural = plural
        self.isNamespaced = isNamespaced
        self.verbs = verbs
    }
}

/// What a server serves, and what it could not say.
public struct KindCatalog: Sendable, Hashable {
    /// Every version of every kind, without subresources.
    public let kinds: [GroupVersionKind: ServedKind]
    /// The version the server prefers for each group and kind.
    public let preferred: [GroupKind: ServedKind]
    /// Groups whose discovery failed, with why: their kinds are unknown, not absent.
    public let unavailable: [String: Failure]
    /// The server's version, such as `v1.35.0`.
    public let serverVersion: String

    public init(
        kinds: [GroupVersionKind: ServedKind], preferred: [GroupKind: ServedKind], unavailable: [String: Failure],
        serverVersion: String
    ) {
        self.kinds = kinds
        self.preferred = preferred
        self.unavailable = unavailable
        self.serverVersion = serverVersion
    }

    /// - Throws: `cluster.group-unavailable` when the group could not be asked, `cluster.kind-unknown` when the server
    ///   does not serve the kind, `cluster.version-not-served` when only other versions of it.
    public func served(_ gvk: GroupVersionKind) throws(Failure) -> ServedKind {
        if let kind = kinds[gvk] { return kind }
        if let failure = unavailable[gvk.group] {
            throw Failure(
                "cluster.group-unavailable", "the API group \(gvk.group) cannot be asked: \(failure.message)",
                remedy: failure.remedy, next: .retry(afterMilliseconds: nil))
        }
        if let other = preferred[gvk.groupKind] {
            throw Failure(
                "cluster.version-not-served", "the cluster no longer serves \(gvk); it serves \(other.gvk)",
                remedy: "change the manifest's apiVersion to \(other.gvk.apiVersion)")
        }
        throw Failure(
            "cluster.kind-unknown", "the cluster serves no \(gvk)",
            remedy: "check apiVersion and kind, or apply the CustomResourceDefinition first")
    }
}

public struct ResourceList: Sendable {
    public let items: [Resource]
    /// Where a watch goes on from.
    public let resourceVersion: String

    public init(items: [Resource], resourceVersion: String) {
        self.items = items
        self.resourceVersion = resourceVersion
    }
}

public enum WatchEvent: Sendable, Hashable {
    case added(Resource)
    case modified(Resource)
    case deleted(Resource)
    /// Nothing changed up to this version.
    case bookmark(resourceVersion: String)
}

public struct WriteOptions: Sendable, Hashable {
    public var fieldManager: String
    /// Take over fields that other managers own (server-side apply only).
    public var force: Bool
    public var dryRun: Bool

    public init(fieldManager: String = "shiplog", force: Bool = true, dryRun: Bool = false) {
        self.fieldManager = fieldManager
        self.force = force
        self.dryRun = dryRun
    }
}

public enum Patch: Sendable, Hashable {
    case merge(JSON)
    case json(JSON)
    case mergeStatus(JSON)
}

public enum Propagation: String, Sendable, Hashable, CaseIterable {
    case foreground = "Foreground"
    case background = "Background"
    case orphan = "Orphan"
}

public struct DeleteOptions: Sendable, Hashable {
    public var propagation: Propagation
    /// Delete only the object with this UID.
    public var uid: String?
    /// Delete only if nothing has changed since.
    public var resourceVersion: String?
    public var dryRun: Bool

    public init(
        propagation: Propagation = .foreground, uid: String? = nil, resourceVersion: String? = nil, dryRun: Bool = false
    ) {
        self.propagation = propagation
        self.uid = uid
        self.resourceVersion = resourceVersion
        self.dryRun = dryRun
    }
}

public enum Deletion: Sendable, Hashable {
    /// It is gone.
    case done
    /// The server has marked it; finalizers or dependents hold it.
    case pending
    /// There was none.
    case absent
}

extension Failure.Code {
    /// No answer: connection refused, time-out, TLS, DNS.
    public static let clusterUnreachable: Self = "cluster.unreachable"
    /// 401.
    public static let clusterUnauthorized: Self = "cluster.unauthorized"
    /// 403.
    public static let clusterForbidden: Self = "cluster.forbidden"
    /// 404 where the object had to be there.
    public static let clusterNotFound: Self = "cluster.not-found"
    /// 409 on apply or update: another field manager, or another resourceVersion.
    public static let clusterConflict: Self = "cluster.conflict"
    public static let clusterAlreadyExists: Self = "cluster.already-exists"
    /// 422 or 400: the server refuses the object.
    public static let clusterInvalid: Self = "cluster.invalid"
    /// 400: an admission webhook with side effects refuses every dry run.
    public static let clusterDryRunUnsupported: Self = "cluster.dry-run-unsupported"
    /// 422 that names an immutable field.
    public static let clusterImmutable: Self = "cluster.immutable"
    /// 410.
    public static let clusterWatchExpired: Self = "cluster.watch-expired"
    /// 429, after the retries.
    public static let clusterBusy: Self = "cluster.busy"
    /// 5xx, after the retries.
    public static let clusterError: Self = "cluster.error"
    /// The destination answers with another kube-system UID than the record names.
    public static let clusterChanged: Self = "cluster.changed"
}
