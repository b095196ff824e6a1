/// What a person declared: this path of this repository belongs into that namespace of that cluster.
///
/// The words are those of Argo CD's `Application` (`argoproj.io/v1alpha1`); `Manifests` reads them.
public struct Application: Sendable, Hashable {
    /// A DNS label's form; unique within one Shiplog.
    public var name: String
    /// `metadata.namespace`: kept and shown, nothing more.
    public var namespace: String
    public var labels: [String: String]
    public var annotations: [String: String]
    public var finalizers: [String]
    public var project: String
    public var source: Source
    public var destination: Destination
    public var syncPolicy: SyncPolicy
    public var webhooks: [Webhook]
    /// The whole document as it was given, without `status`, `operation` and secrets: what is shown and compared.
    public var document: JSON

    public init(
        name: String, namespace: String, labels: [String: String] = [:], annotations: [String: String] = [:],
        finalizers: [String] = [], project: String = "default", source: Source, destination: Destination,
        syncPolicy: SyncPolicy = SyncPolicy(), webhooks: [Webhook] = [], document: JSON
    ) {
        self.name = name
        self.namespace = namespace
        self.labels = labels
        self.annotations = annotations
        self.finalizers = finalizers
        self.project = project
        self.source = source
        self.destination = destination
        self.syncPolicy = syncPolicy
        self.webhooks = webhooks
        self.document = document
    }

    /// Whether a rollback runs the target's hooks without being asked to.
    public static let rollbackHooksAnnotation = "shiplog.dev/rollback-hooks"
    public var rollsBackWithHooks: Bool { annotations[Self.rollbackHooksAnnotation] == "true" }

    /// What the namespace that `CreateNamespace` makes carries, as the document says it.
    public var namespaceMetadata: NamespaceMetadata {
        let metadata = document.at("spec", "syncPolicy", "managedNamespaceMetadata")
        return NamespaceMetadata(
            labels: metadata?["labels"]?.stringMap ?? [:], annotations: metadata?["annotations"]?.stringMap ?? [:])
    }

    /// Where the manifests come from.
    public struct Source: Sendable, Hashable {
        /// As declared; userinfo in it is refused when the document is read.
        public var repository: String
        /// From the root of the repository; empty for the root itself.
        public var path: String
        /// A branch, tag, SHA or `HEAD` (also when the document names none).
        public var targetRevision: String
        public var directory: Directory

        public init(
            repository: String, path: String, targetRevision: String = "HEAD", directory: Directory = Directory()
        ) {
            self.repository = repository
            self.path = path
            self.targetRevision = targetRevision
            self.directory = directory
        }
    }

    /// `source.directory`: which files of the path are manifests.
    public struct Directory: Sendable, Hashable {
        public var recurse: Bool
        /// A glob; empty for all.
        public var include: String
        /// A glob; it wins over `include`; empty for none.
        public var exclude: String

        public init(recurse: Bool = false, include: String = "", exclude: String = "") {
            self.recurse = recurse
            self.include = include
            self.exclude = exclude
        }
    }

    /// The cluster, by address or by configured name, and the namespace for manifests that name none.
    public struct Destination: Sendable, Hashable {
        public enum Cluster: Sendable, Hashable {
            case server(String)
            case name(String)
        }
        public var cluster: Cluster
        /// May be empty when every manifest names its own.
        public var namespace: String

        public init(cluster: Cluster, namespace: String) {
            self.cluster = cluster
            self.namespace = namespace
        }
    }

    public struct SyncPolicy: Sendable, Hashable {
        /// nil: only by hand.
        public var automated: Automated?
        public var options: SyncOptions
        /// nil: Argo CD's default for the kind of sync (five for automated, none by hand).
        public var retry: Retry?

        public init(automated: Automated? = nil, options: SyncOptions = SyncOptions(), retry: Retry? = nil) {
            self.automated = automated
            self.options = options
            self.retry = retry
        }
    }

    public struct Automated: Sendable, Hashable {
        public var prune: Bool
        public var selfHeal: Bool
        /// Whether a commit that leaves nothing may remove everything.
        public var allowEmpty: Bool

        public init(prune: Bool = false, selfHeal: Bool = false, allowEmpty: Bool = false) {
            self.prune = prune
            self.selfHeal = selfHeal
            self.allowEmpty = allowEmpty
        }
    }

    /// `syncPolicy.syncOptions`, as far as this version acts on them.
    public struct SyncOptions: Sendable, Hashable {
        public var createNamespace: Bool
        /// How prunes treat dependents.
        public var prunePropagation: Propagation
        /// The options as written; those that objects may overrule are read from here.
        public var written: [String]
        public var objects: ObjectOptions { ObjectOptions(written) }

        public init(createNamespace: Bool = false, prunePropagation: Propagation = .foreground, written: [String] = [])
        {
            self.createNamespace = createNamespace
            self.prunePropagation = prunePropagation
            self.written = written
        }
    }

    /// Sync options that an object may say for itself, as the application says them for all.
    public struct ObjectOptions: Sendable, Hashable {
        /// `Prune=false`: what is no longer desired stays.
        public var prune = true
        /// `Delete=false`: everything stays when the application is deleted with its resources.
        public var delete = true
        /// `Prune=confirm`, `Delete=confirm`: a person is asked first.
        public var pruneConfirm = false
        public var deleteConfirm = false
        public var pruneLast = false
        /// Replace whole objects instead of applying them.
        public var replace = false
        /// Delete and create again where nothing else does it.
        public var force = false
        /// Go on although a kind is not served yet.
        public var skipDryRunOnMissingResource = false

        public init() {}

        init(_ written: [String]) {
            prune = !written.contains("Prune=false")
            delete = !written.contains("Delete=false")
            pruneConfirm = written.contains("Prune=confirm")
            deleteConfirm = written.contains("Delete=confirm")
            pruneLast = written.contains("PruneLast=true")
            replace = written.contains("Replace=true")
            force = written.contains("Force=true")
            skipDryRunOnMissingResource = written.contains("SkipDryRunOnMissingResource=true")
        }
    }

    /// `syncPolicy.managedNamespaceMetadata`: what the namespace that `CreateNamespace` makes carries.
    public struct NamespaceMetadata: Sendable, Hashable {
        public var labels: [String: String]
        public var annotations: [String: String]

        public init(labels: [String: String] = [:], annotations: [String: String] = [:]) {
            self.labels = labels
            self.annotations = annotations
        }
    }

    /// `syncPolicy.retry`.
    public struct Retry: Sendable, Hashable {
        /// How often to try again; negative for ever.
        public var limit: Int
        public var initialMilliseconds: Int64
        public var factor: Int64
        public var maximumMilliseconds: Int64

        public init(
            limit: Int, initialMilliseconds: Int64 = 5000, factor: Int64 = 2, maximumMilliseconds: Int64 = 180_000
        ) {
            self.limit = limit
            self.initialMilliseconds = initialMilliseconds
            self.factor = factor
            self.maximumMilliseconds = maximumMilliseconds
        }

        /// The wait before retry `number` (1, 2, …): Argo CD's documented 5 s, 10 s, 20 s, … up to the maximum.
        public func delay(before number: Int) -> Int64 {
            var delay = initialMilliseconds
            for _ in 1..<max(1, number) {
                let (next, overflow) = delay.multipliedReportingOverflow(by: max(1, factor))
                if overflow || next >= maximumMilliseconds { return maximumMilliseconds }
                delay = next
            }
            return min(delay, maximumMilliseconds)
        }
    }

    /// `spec.webhook.gitlab[]`, Shiplog's own: deliveries for this application that carry this secret are believed.
    public struct Webhook: Sendable, Hashable {
        public var url: String
        public var secret: SecretText

        public init(url: String, secret: SecretText) {
            self.url = url
            self.secret = secret
        }
    }
}

/// An application as the ledger keeps it.
public struct RegisteredApplication: Sendable, Hashable {
    public let uid: ApplicationUID
    public let application: Application
    public let createdAt: Timestamp
    /// The event that last changed the specification: what `If-Match` compares.
    public let changedBy: SequenceNumber
    public let pin: Pin?
    /// The `kube-system` UID of the destination that a person accepted or the first attempt saw; nil before that.
    public let clusterUID: String?

    public init(
        uid: ApplicationUID, application: Application, createdAt: Timestamp, changedBy: SequenceNumber, pin: Pin?,
        clusterUID: String?
    ) {
        self.uid = uid
        self.application = application
        self.createdAt = createdAt
        self.changedBy = changedBy
        self.pin = pin
        self.clusterUID = clusterUID
    }

    public var name: String { application.name }
    public var reference: ApplicationReference {
        ApplicationReference(uid: uid, name: application.name, project: application.project)
    }
}

/// Holds an application at a state it was rolled back to, automated sync and self-heal included.
public struct Pin: Sendable, Hashable {
    public enum Hold: String, Sendable, Hashable, CaseIterable {
        /// Lets go when the source's inputs change and render to something that was not rejected.
        case untilNewCommit = "until-new-commit"
        /// Lets go when a person says so.
        case untilUnpinned = "until-unpinned"
    }

    public let hold: Hold
    /// The revision whose manifests are enforced.
    public let target: SequenceNumber
    /// The manifests that are enforced.
    public let desired: Digest
    /// The commit they were rendered from.
    public let commit: CommitID?
    /// What the rollback turned away from: the source's inputs then (see `SourceInputs.fingerprint`).
    public let leftInputs: String?
    /// Rendered digests that must not come back by themselves: the one left, and each since that proved the same.
    public let rejected: [Digest]

    public init(
        hold: Hold, target: SequenceNumber, desired: Digest, commit: CommitID?, leftInputs: String?, rejected: [Digest]
    ) {
        self.hold = hold
        self.target = target
        self.desired = desired
        self.commit = commit
        self.leftInputs = leftInputs
        self.rejected = rejected
    }
}
