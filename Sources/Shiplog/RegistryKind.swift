/// Argo CD's own kinds: among an application's manifests they are registrations, and no objects of any cluster.
public enum RegistryKind: String, Sendable, Hashable, CaseIterable {
    case application = "Application"
    case project = "AppProject"

    public static let group = "argoproj.io"
    public static let version = "v1alpha1"

    public init?(_ kind: GroupKind) {
        guard kind.group == Self.group else { return nil }
        self.init(rawValue: kind.kind)
    }

    public var groupKind: GroupKind { GroupKind(group: Self.group, kind: rawValue) }

    /// As the registry serves it, in the words of an API server.
    public var served: ServedKind {
        ServedKind(
            gvk: GroupVersionKind(group: Self.group, version: Self.version, kind: rawValue),
            plural: rawValue.lowercased() + "s", isNamespaced: true,
            verbs: ["get", "list", "watch", "create", "patch", "update", "delete"])
    }
}

/// The application whose sync or rollback changed another one's registration.
public struct ParentApplication: Sendable, Hashable {
    public let reference: ApplicationReference
    /// What it was done in; nil when nothing is known to be under way.
    public let attempt: SequenceNumber?

    public init(_ reference: ApplicationReference, attempt: SequenceNumber?) {
        self.reference = reference
        self.attempt = attempt
    }

    /// Who did it, as the record names it: no person did.
    public var actor: Actor { Actor(name: "application/" + reference.name, means: .controller) }

    /// For the event's facts.
    public var json: JSON {
        .members([
            "attempt": attempt.map { .integer($0.value) }, "name": .string(reference.name),
            "uid": .string(reference.uid.value)
        ])
    }
}

extension Application {
    /// Whether deleting the registration deletes what was deployed, as Argo CD's finalizer asks.
    public var cascades: Bool {
        let finalizer = "resources-finalizer.argocd.argoproj.io"
        return finalizers.contains { $0 == finalizer || $0.hasPrefix(finalizer + "/") }
    }

    /// The application among whose manifests this one stands, as its marks say; it may be gone meanwhile.
    public var parent: ApplicationUID? {
        guard let id = annotations[Ownership.annotation], let colon = id.firstIndex(of: ":"),
            let key = ResourceKey(trackingForm: String(id[id.index(after: colon)...])),
            RegistryKind(key.groupKind) == .application, key.name == name
        else { return nil }
        return ApplicationUID(String(id[..<colon]))
    }

    /// The same application with the marks of another: who declares it anew by hand does not take it from its parent.
    public func keepingParent(of before: Application) -> Application {
        guard parent == nil, before.parent != nil else { return self }
        var copy = self
        if let id = before.annotations[Ownership.annotation] {
            copy.annotations[Ownership.annotation] = id
            copy.document.set(.string(id), at: ["metadata", "annotations", Ownership.annotation])
        }
        if let uid = before.labels[Ownership.label] {
            copy.labels[Ownership.label] = uid
            copy.document.set(.string(uid), at: ["metadata", "labels", Ownership.label])
        }
        return copy
    }
}

extension Pin {
    /// Stands for inputs that nobody has seen yet: a parent changed the source while its repository was out of reach.
    /// What is located first is what the pin turns away from.
    public static let unseenInputs = "unseen"

    /// The same pin, turning away from other inputs.
    public func leaving(_ inputs: String) -> Pin {
        Pin(hold: hold, target: target, desired: desired, commit: commit, leftInputs: inputs, rejected: rejected)
    }
}
