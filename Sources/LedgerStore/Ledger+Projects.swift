import GRDB
public import Shiplog
import Synchronization

/// Projects have no table of their own: they are what their events say, folded. docs/decisions/0023 says why.
extension Ledger {
    /// So many at most: all of them are held in memory.
    static let projectLimit = 1000

    // MARK: Writing

    /// Registers a project, or changes the one of that name. Unchanged: nothing is written.
    ///
    /// - Parameters:
    ///   - ifChangedBy: the event that the caller's picture rests on (`If-Match`); nil for any.
    ///   - expectAbsent: only register, never change (`If-None-Match: *`).
    /// - Throws: `project.changed-meanwhile`, `project.exists`, `project.too-many`.
    @discardableResult
    public func putProject(
        _ project: AppProject, actor: Actor, ifChangedBy: SequenceNumber? = nil, expectAbsent: Bool = false
    ) async throws(Failure) -> (RegisteredProject, changed: Bool) {
        defer { projectMemory.forget() }
        let name = project.name
        let changed = try await writer.write { transaction in
            let fold = try ProjectFold(transaction.db)
            let present = fold.projects[name]
            if expectAbsent, present != nil {
                throw Failure(.projectExists, "there is a project \(name) already")
            }
            if let ifChangedBy, present?.changedBy != ifChangedBy {
                throw Failure(
                    .projectChangedMeanwhile, "the project \(name) has changed meanwhile",
                    remedy: "read it again and repeat the change")
            }
            if let present, present.document == project.document { return false }
            guard present != nil || fold.projects.count < Self.projectLimit else {
                throw Failure("project.too-many", "there are \(Self.projectLimit) projects", remedy: "delete one first")
            }
            let before = present?.document
            let facts = JSON.members([
                "changed": before.map { Self.changedPaths(DocumentChange.between($0, project.document)) },
                "name": .string(name)
            ])
            let event = Event(
                before == nil ? .projectCreated : .projectChanged, actor: actor, facts: facts,
                detail: .members(["after": project.document, "before": before]))
            _ = try transaction.append(try EntryFormat1.draft(event), to: .event)
            return true
        }
        projectMemory.forget()
        guard let registered = try await self.project(named: name) else {
            throw .corrupt("a project that was just registered is not there")
        }
        return (registered, changed)
    }

    /// Takes a project out; its history stays.
    /// - Throws: `project.not-found`; `project.in-use` while applications name it.
    @discardableResult
    public func deleteProject(
        _ name: String, actor: Actor, reason: String? = nil
    ) async throws(Failure) -> SequenceNumber {
        defer { projectMemory.forget() }
        return try await writer.write { transaction in
            guard let present = try ProjectFold(transaction.db).projects[name] else { throw Self.noProject(name) }
            let user = try transaction.row(
                "SELECT name FROM application WHERE project = ? AND deleted_by IS NULL LIMIT 1", [name])
            if let user {
                throw Failure(
                    .projectInUse,
                    "applications belong to the project \(name), \(try user.held("name") as String) for one",
                    remedy: "move them to another project, or delete them first")
            }
            let event = Event(
                .projectDeleted, actor: actor, facts: ["name": .string(name)],
                detail: .members(["before": present.document, "reason": reason.map { .string($0) }]))
            return try transaction.append(try EntryFormat1.draft(event), to: .event)
        }
    }

    static func noProject(_ name: String) -> Failure {
        Failure(.projectNotFound, "there is no project \(name)", remedy: "see `shiplog project list`")
    }

    // MARK: Reading

    /// All that are registered, by name. `default` is one of them only when somebody has registered it.
    public func projects() async throws(Failure) -> [RegisteredProject] {
        try await projectFold().projects.values.sorted { $0.name < $1.name }
    }

    public func project(named name: String) async throws(Failure) -> RegisteredProject? {
        try await projectFold().projects[name]
    }

    /// Whether anybody has ever registered one.
    public func hasHadProjects() async throws(Failure) -> Bool { try await projectFold().hasAny }

    private func projectFold() async throws(Failure) -> ProjectFold {
        if access == .serve, let known = projectMemory.known { return known }
        let generation = projectMemory.generation
        let fold = try await read("reading projects") { db in try ProjectFold(db) }
        if access == .serve { projectMemory.keep(fold, readAt: generation) }
        return fold
    }
}

/// The projects that there are, from what was ever done to them: a few rows that people have made, found by an index.
struct ProjectFold: Sendable {
    private(set) var projects: [String: RegisteredProject] = [:]
    private(set) var hasAny = false

    static let query = """
        SELECT sequence FROM event INDEXED BY event_kind
        WHERE kind IN ('project.created', 'project.changed', 'project.deleted') ORDER BY sequence
        """

    init(_ db: Database) throws {
        for sequence in try Int64.fetchAll(db.cachedStatement(sql: Self.query)) {
            guard let stored = try Reading.event(db, at: sequence), let name = stored.value.facts["name"]?.string else {
                continue
            }
            hasAny = true
            guard stored.value.kind != .projectDeleted else {
                projects[name] = nil
                continue
            }
            // What was erased permits nothing: the reader refuses it as no project.
            projects[name] = RegisteredProject(
                name: name, document: stored.value.detail?["after"] ?? .null,
                createdBy: projects[name]?.createdBy ?? stored.sequence, changedBy: stored.sequence,
                changedAt: stored.recordedAt)
        }
    }

    func current(changedBy sequence: SequenceNumber) -> RegisteredProject? {
        projects.values.first { $0.changedBy == sequence }
    }
}

/// The projects as the serving process last read them: each write to a cluster asks for one.
final class ProjectMemory: Sendable {
    private struct State {
        var generation = 0
        var known: ProjectFold?
    }

    private let state = Mutex(State())

    var generation: Int { state.withLock(\.generation) }
    var known: ProjectFold? { state.withLock(\.known) }

    /// - Parameter generation: as it was before the reading began.
    func keep(_ fold: ProjectFold, readAt generation: Int) {
        state.withLock { if $0.generation == generation { $0.known = fold } }
    }

    /// After every write that may have changed one, whether it succeeded or not.
    func forget() {
        state.withLock { state in
            state.generation += 1
            state.known = nil
        }
    }
}
