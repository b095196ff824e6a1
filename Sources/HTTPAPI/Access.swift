import LedgerStore
import Shiplog

/// Who is asking, and what that one may do. Every rule of access is decided in this file.
struct Principal: Sendable, Hashable {
    enum Means: String, Sendable, Hashable {
        case anonymous, token, session
    }

    let name: String
    let means: Means
    let role: Token.Role
    let isRobot: Bool
    /// nil for somebody anonymous.
    let tokenID: String?
    let expiresAt: Timestamp?
    private let projects: [Glob]
    private let applications: [Glob]

    /// Somebody who reads on the machine itself, where reading needs no token.
    static let local = Principal(
        name: "anonymous", means: .anonymous, role: .viewer, isRobot: false, tokenID: nil, expiresAt: nil,
        projects: [Glob("*")], applications: [Glob("*")])

    init(_ token: Token, means: Means) {
        self.init(
            name: token.name, means: means, role: token.role, isRobot: token.isRobot, tokenID: token.id,
            expiresAt: token.expiresAt, projects: token.projects.map { Glob($0) },
            applications: token.applications.map { Glob($0) })
    }

    private init(
        name: String, means: Means, role: Token.Role, isRobot: Bool, tokenID: String?, expiresAt: Timestamp?,
        projects: [Glob], applications: [Glob]
    ) {
        self.name = name
        self.means = means
        self.role = role
        self.isRobot = isRobot
        self.tokenID = tokenID
        self.expiresAt = expiresAt
        self.projects = projects
        self.applications = applications
    }

    /// Whether both globs let everything through: only then may it touch what belongs to no application.
    var isUnlimited: Bool {
        projects.contains { $0.pattern == "*" } && applications.contains { $0.pattern == "*" }
    }

    var projectGlobs: [String] { projects.map(\.pattern) }
    var applicationGlobs: [String] { applications.map(\.pattern) }
}

/// What a request wants to do.
enum Act: Sendable, Hashable {
    /// See applications and their history.
    case read
    /// See what belongs to no application: tokens, refusals, sessions, deliveries.
    case audit
    /// Sync, refresh, roll back, pin, unpin, terminate.
    case deploy
    /// Make, change and delete applications and tokens; accept another cluster.
    case administer
}

/// What a request is about.
enum Subject: Sendable, Hashable {
    /// Nothing that a glob could name.
    case everything
    case application(name: String, project: String)
    case project(name: String)

    init(_ reference: ApplicationReference) { self = .application(name: reference.name, project: reference.project) }
    init(_ reference: ApplicationReference?) { self = reference.map { Subject($0) } ?? .everything }
}

extension Principal {
    enum Verdict: Sendable, Hashable {
        case allowed
        /// The role does not reach that far.
        case forbidden
        /// Outside the token's globs: answered as if it were not there.
        case hidden
        /// Nobody has signed in, and this needs somebody.
        case anonymous
    }

    /// The one rule. A list leaves out what is not `allowed`; a single object is a 404 when it is `hidden`.
    func judge(_ act: Act, on subject: Subject) -> Verdict {
        switch subject {
        case .application(let name, let project):
            guard applications.contains(where: { $0.matches(name) }), projects.contains(where: { $0.matches(project) })
            else { return .hidden }
        case .project(let name): guard projects.contains(where: { $0.matches(name) }) else { return .hidden }
        case .everything: break
        }
        switch (act, role) {
        case (.read, _), (.deploy, .deployer), (.deploy, .admin), (.administer, .admin):
            return subject == .everything && act == .administer && !isUnlimited ? .forbidden : .allowed
        case (.audit, .auditor), (.audit, .admin): return isUnlimited ? .allowed : .forbidden
        default: return means == .anonymous ? .anonymous : .forbidden
        }
    }

    /// Whether the role reaches that far, and only the token's globs keep it from what belongs to no application.
    func isNarrowed(for act: Act) -> Bool {
        switch (act, role) {
        case (.administer, .admin), (.audit, .auditor), (.audit, .admin): !isUnlimited
        default: false
        }
    }

    func may(_ act: Act, _ subject: Subject) -> Bool { judge(act, on: subject) == .allowed }

    /// Whether a row of the log may be shown: an application's to whoever sees the application, the others to auditors
    /// and to the machine's own user.
    func sees(_ record: LedgerRecord) -> Bool {
        switch record {
        case .revision(let stored): may(.read, Subject(stored.value.application))
        case .event(let stored): sees(stored)
        }
    }

    func sees(_ event: StoredEvent) -> Bool {
        if let application = event.value.application { return may(.read, Subject(application)) }
        return seesWholeLog
    }

    /// Entries of everything, whoever they speak of.
    var seesWholeLog: Bool { self == .local || may(.audit, .everything) }
}
