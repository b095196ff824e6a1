/// What a group of applications may do: where their manifests come from, where they go, of which kinds they are, and when.
/// Argo CD's `AppProject`.
public struct AppProject: Sendable, Hashable {
    public static let defaultName = "default"

    public var name: String
    /// Globs; one that begins with `!` refuses.
    public var sourceRepositories: [String]
    public var destinations: [Destination]
    public var clusterKinds: KindList
    public var namespacedKinds: KindList
    public var windows: [SyncWindow]
    /// nil: nothing is looked for.
    public var orphaned: Orphaned?
    /// The document as it was given, without `status`.
    public var document: JSON

    public init(
        name: String, sourceRepositories: [String], destinations: [Destination], clusterKinds: KindList,
        namespacedKinds: KindList, windows: [SyncWindow] = [], orphaned: Orphaned? = nil, document: JSON = .object([:])
    ) {
        self.name = name
        self.sourceRepositories = sourceRepositories
        self.destinations = destinations
        self.clusterKinds = clusterKinds
        self.namespacedKinds = namespacedKinds
        self.windows = windows
        self.orphaned = orphaned
        self.document = document
    }

    /// A place that applications may be deployed to; an empty pattern matches nothing.
    public struct Destination: Sendable, Hashable {
        public var server: String
        public var name: String
        public var namespace: String

        public init(server: String = "", name: String = "", namespace: String = "") {
            self.server = server
            self.name = name
            self.namespace = namespace
        }
    }

    /// Kinds by globs over group, kind and, of the cluster's own, name.
    public struct KindRule: Sendable, Hashable {
        public var group: String
        public var kind: String
        /// nil for any.
        public var name: String?

        public init(group: String, kind: String, name: String? = nil) {
            self.group = group
            self.kind = kind
            self.name = name
        }
    }

    public struct KindList: Sendable, Hashable {
        /// nil: any.
        public var allowed: [KindRule]?
        public var refused: [KindRule]

        public init(allowed: [KindRule]?, refused: [KindRule] = []) {
            self.allowed = allowed
            self.refused = refused
        }
    }

    /// Which objects of a destination's namespace that belong to no application are told about.
    public struct Orphaned: Sendable, Hashable {
        public var warn: Bool
        public var ignored: [KindRule]

        public init(warn: Bool, ignored: [KindRule]) {
            self.warn = warn
            self.ignored = ignored
        }
    }

    /// What an application may do whose project nobody has said anything about: everything.
    public static func permissive(_ name: String) -> AppProject {
        AppProject(
            name: name, sourceRepositories: ["*"], destinations: [Destination(server: "*", name: "*", namespace: "*")],
            clusterKinds: KindList(allowed: [KindRule(group: "*", kind: "*")]), namespacedKinds: KindList(allowed: nil),
            document: [
                "apiVersion": "argoproj.io/v1alpha1", "kind": "AppProject", "metadata": ["name": .string(name)],
                "spec": [
                    "sourceRepos": ["*"], "destinations": [["server": "*", "namespace": "*"]],
                    "clusterResourceWhitelist": [["group": "*", "kind": "*"]]
                ]
            ])
    }
}

/// A project as the ledger has it.
public struct RegisteredProject: Sendable, Hashable {
    public let name: String
    public let document: JSON
    public let createdBy: SequenceNumber
    /// The event that changed it last; what `If-Match` names.
    public let changedBy: SequenceNumber
    public let changedAt: Timestamp

    public init(
        name: String, document: JSON, createdBy: SequenceNumber, changedBy: SequenceNumber, changedAt: Timestamp
    ) {
        self.name = name
        self.document = document
        self.createdBy = createdBy
        self.changedBy = changedBy
        self.changedAt = changedAt
    }
}

extension Failure.Code {
    /// The document is no AppProject that could be meant.
    public static let projectInvalid: Self = "project.invalid"
    public static let projectUnsupported: Self = "project.unsupported"
    public static let projectNotFound: Self = "project.not-found"
    public static let projectExists: Self = "project.exists"
    public static let projectChangedMeanwhile: Self = "project.changed-meanwhile"
    /// Applications name it.
    public static let projectInUse: Self = "project.in-use"
    /// An application names a project that nobody has registered.
    public static let projectNotRegistered: Self = "project.not-registered"
    public static let projectSourceRefused: Self = "project.source-not-permitted"
    public static let projectDestinationRefused: Self = "project.destination-not-permitted"
    public static let projectKindRefused: Self = "project.kind-not-permitted"
}
