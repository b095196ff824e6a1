/// What the windows of a project say about one application at one moment, and why.
public struct WindowDecision: Sendable, Hashable {
    public enum Permission: String, Sendable, Hashable {
        case allowed
        /// By hand alone: every window that stands in the way has `manualSync`.
        case manual
        case denied
    }

    public enum Reason: String, Sendable, Hashable {
        /// No window speaks of the application.
        case noWindow = "no-window"
        case allowActive = "allow-active"
        /// Only windows that deny speak of it, and none is open.
        case noDenyActive = "no-deny-active"
        case denyActive = "deny-active"
        /// There are windows that allow, and none is open.
        case noAllowActive = "no-allow-active"
    }

    /// A window that speaks of the application.
    public struct Standing: Sendable, Hashable {
        /// From 0, among all of the project.
        public let index: Int
        public let window: SyncWindow
        public let isActive: Bool
        /// When it opens or closes next; nil when that is not in sight.
        public let changesAt: Timestamp?
        /// Whether it has decided: it denies, or it should be open and is not, or it is open and allows.
        public let decides: Bool
    }

    public let at: Timestamp
    public let permission: Permission
    public let reason: Reason
    public let windows: [Standing]
    /// When the permission becomes another; nil when that is not in sight.
    public let changesAt: Timestamp?

    public var deciding: [Standing] { windows.filter(\.decides) }

    public func allows(manual: Bool) -> Bool { permission == .allowed || manual && permission == .manual }

    /// - Parameter moment: nothing but this is the clock.
    public static func make(
        _ windows: [SyncWindow], for subject: SyncWindow.Subject, at moment: Timestamp
    ) -> WindowDecision {
        var matching = windows.enumerated().filter { $0.element.matches(subject) }.map { index, window in
            Watched(index: index, window: window, at: moment)
        }
        let (permission, reason) = judge(matching)
        let standings = matching.map { item in
            Standing(
                index: item.index, window: item.window, isActive: item.isActive, changesAt: item.changesAt,
                decides: decides(item, reason))
        }
        // From boundary to boundary until the answer is another: each step a window opens or closes.
        var changesAt: Timestamp?
        for _ in 0..<steps {
            guard let next = matching.compactMap(\.changesAt).min() else { break }
            for index in matching.indices where matching[index].changesAt == next {
                matching[index] = Watched(index: matching[index].index, window: matching[index].window, at: next)
            }
            if judge(matching).0 != permission {
                changesAt = next
                break
            }
        }
        return WindowDecision(
            at: moment, permission: permission, reason: reason, windows: standings, changesAt: changesAt)
    }

    /// Openings and closings that are followed at most.
    private static let steps = 400

    /// Whether what began at `start` may go on now: either it may begin now, or it was allowed when it began and every
    /// window that now stands in the way has `syncOverrun`.
    public static func mayContinue(
        _ windows: [SyncWindow], for subject: SyncWindow.Subject, startedAt start: Timestamp, at moment: Timestamp,
        manual: Bool
    ) -> (may: Bool, decision: WindowDecision) {
        let now = make(windows, for: subject, at: moment)
        if now.allows(manual: manual) { return (true, now) }
        let standInTheWay = now.deciding.map(\.window)
        guard standInTheWay.allSatisfy(\.syncOverrun) else { return (false, now) }
        return (make(windows, for: subject, at: start).allows(manual: manual), now)
    }

    private struct Watched {
        let index: Int
        let window: SyncWindow
        let isActive: Bool
        let changesAt: Timestamp?

        init(index: Int, window: SyncWindow, at moment: Timestamp) {
            self.index = index
            self.window = window
            isActive = window.isActive(at: moment)
            changesAt = window.changes(after: moment)
        }
    }

    private static func judge(_ windows: [Watched]) -> (Permission, Reason) {
        guard !windows.isEmpty else { return (.allowed, .noWindow) }
        let denies = windows.filter { $0.window.kind == .deny && $0.isActive }
        if !denies.isEmpty { return (denies.allSatisfy(\.window.manualSync) ? .manual : .denied, .denyActive) }
        let allows = windows.filter { $0.window.kind == .allow }
        guard !allows.isEmpty else { return (.allowed, .noDenyActive) }
        if allows.contains(where: \.isActive) { return (.allowed, .allowActive) }
        return (allows.allSatisfy(\.window.manualSync) ? .manual : .denied, .noAllowActive)
    }

    private static func decides(_ item: Watched, _ reason: Reason) -> Bool {
        switch reason {
        case .noWindow, .noDenyActive: false
        case .allowActive: item.window.kind == .allow && item.isActive
        case .denyActive: item.window.kind == .deny && item.isActive
        case .noAllowActive: item.window.kind == .allow
        }
    }
}

extension WindowDecision {
    /// One sentence for people, without a full stop: which windows, and until when.
    public var sentence: String {
        let names = deciding.prefix(3).map { "\($0.index): \($0.window.words)" }.joined(separator: "; ")
        let more = deciding.count > 3 ? " and \(deciding.count - 3) more" : ""
        let until = changesAt.map { " until \($0)" } ?? ""
        return switch reason {
        case .noWindow: "no sync window speaks of it"
        case .noDenyActive: "no sync window denies it now" + until
        case .allowActive: "a sync window allows it" + until + " (\(names)\(more))"
        case .denyActive: "a sync window denies it" + until + " (\(names)\(more))"
        case .noAllowActive: "no sync window that allows it is open" + until + " (\(names)\(more))"
        }
    }

    /// - Parameters:
    ///   - act: what was to be done: "automated sync of shop".
    ///   - manual: a person asked for it.
    public func refusal(of act: String, manual: Bool) -> Failure {
        let wait = changesAt.map { max(0, $0.milliseconds - at.milliseconds) }
        let remedy =
            manual
            ? "wait for the window, set manualSync on it, or override it with a reason (--override-window)"
            : "wait for the window" + (permission == .manual ? ", or sync by hand, which it allows" : "")
        return Failure(
            .windowClosed, "\(act): \(sentence)", remedy: remedy,
            next: manual ? .person : .retry(afterMilliseconds: wait))
    }
}

extension Failure.Code {
    /// A sync window stands in the way.
    public static let windowClosed: Self = "window.closed"
}
