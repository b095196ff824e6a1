/// Whose object in a cluster this is, as its marks say.
///
/// Shiplog marks what it applies with an annotation that names application and object, and with a label to watch by.
/// Only the annotation decides: a label alone, or an annotation that a controller copied to another object, owns nothing.
public enum Ownership: Sendable, Hashable {
    /// This application's: the only case in which an object may ever be pruned.
    case ours
    /// Another application's of Shiplog.
    case otherApplication(ApplicationUID)
    /// Argo CD's: it may be taken over when it is desired, and is never pruned. The tracking id or instance label.
    case argoCD(String)
    /// It carries a tracking annotation of Shiplog's that points at another object, or at none.
    case copied
    case unmarked
}

extension Ownership {
    /// `<application uid>:<group>/<kind>:<namespace>/<name>`
    public static let annotation = "shiplog.dev/tracking-id"
    /// The application's uid: what watches select by.
    public static let label = "shiplog.dev/application"
    public static let argoAnnotation = "argocd.argoproj.io/tracking-id"
    public static let argoLabel = "app.kubernetes.io/instance"

    /// The object with the application's marks. The namespace must have been settled before: the mark names it.
    public static func mark(_ resource: Resource, as uid: ApplicationUID) -> Resource {
        var marked = resource
        marked.set(.string(uid.value + ":" + resource.key.trackingForm), at: "metadata", "annotations", annotation)
        marked.set(.string(uid.value), at: "metadata", "labels", label)
        return marked
    }

    /// What a live object's marks say to this application.
    public static func of(_ live: Resource, for uid: ApplicationUID) -> Ownership {
        let annotations = live.annotations
        if let id = annotations[annotation] {
            guard let colon = id.firstIndex(of: ":"), let owner = ApplicationUID(String(id[..<colon])),
                let key = ResourceKey(trackingForm: String(id[id.index(after: colon)...])), key == live.key
            else { return .copied }
            return owner == uid ? .ours : .otherApplication(owner)
        }
        if let id = annotations[argoAnnotation] ?? live.labels[argoLabel] { return .argoCD(id) }
        return .unmarked
    }
}
