public import Shiplog

extension StoredEvent {
    /// Field by field what an event changed, read from its body: of an application's specification, as people write it, or
    /// of the server's settings. nil for other kinds, and when the body was erased.
    public var changes: [DocumentChange]? {
        guard let detail = value.detail else { return nil }
        switch value.kind {
        case .applicationCreated, .applicationChanged, .applicationDeleted:
            let (before, after) = (detail["before"], detail["after"])
            guard before != nil || after != nil else { return nil }
            return DocumentChange.between(
                before.map(ApplicationFormat.readable), after.map(ApplicationFormat.readable))
        case .projectCreated, .projectChanged, .projectDeleted:
            return DocumentChange.between(detail["before"], detail["after"])
        case .configurationLoaded:
            guard let before = detail["before"] else { return nil }
            return DocumentChange.between(before, detail["settings"])
        default: return nil
        }
    }

    /// Whether the change took an application from one project to another: then what was before belongs to the other's.
    public var crossesProjects: Bool {
        guard let before = value.detail?["before"]?["project"] else { return false }
        return value.detail?["after"].map { $0["project"] != before } ?? false
    }
}
