import LedgerStore
import Manifests
import Shiplog
import Synchronization

/// The rules that hold for an application now: its project, read from the ledger's document once a change.
final class ProjectBook: Sendable {
    private let ledger: Ledger
    private let read = Mutex<[String: (changedBy: SequenceNumber, project: AppProject)]>([:])

    init(_ ledger: Ledger) { self.ledger = ledger }

    /// `default` permits everything until somebody registers another. So does a name that nobody has registered as long
    /// as there has never been a project: a ledger from before there were any goes on as it did.
    /// - Throws: `project.not-registered`; what is wrong with a document that cannot be read any more.
    func project(named name: String) async throws(Failure) -> AppProject {
        if let registered = try await ledger.project(named: name) { return try project(registered) }
        if name == AppProject.defaultName { return .permissive(name) }
        guard try await ledger.hasHadProjects() else { return .permissive(name) }
        throw Failure(
            .projectNotRegistered, "no project \(name) is registered",
            remedy: "register it with `shiplog project apply -f`, or move the application to another project")
    }

    /// The event that changed it last; nil when nobody has registered it.
    func changedBy(_ name: String) async -> SequenceNumber? { (try? await ledger.project(named: name))?.changedBy }

    func project(_ registered: RegisteredProject) throws(Failure) -> AppProject {
        if let known = read.withLock({ $0[registered.name] }), known.changedBy == registered.changedBy {
            return known.project
        }
        let project: AppProject
        do throws(Failure) { project = try ProjectReader.read(registered.document).project } catch {
            throw error.during("the project \(registered.name) of \(registered.changedBy) permits nothing")
        }
        read.withLock { known in
            if known.count >= 1000 { known = [:] }
            known[registered.name] = (registered.changedBy, project)
        }
        return project
    }
}

extension RegisteredApplication {
    /// What windows are asked about.
    func windowSubject(_ cluster: ClusterReference?) -> SyncWindow.Subject {
        let place = ProjectDestination(application.destination, cluster: cluster)
        return SyncWindow.Subject(
            application: name, namespace: application.destination.namespace,
            clusters: (place.names.union(place.servers)).sorted())
    }
}
