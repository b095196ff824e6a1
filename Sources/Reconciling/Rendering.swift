import GitSource
import Manifests
import Shiplog

/// From a commit to desired manifests: the way every sync takes.
struct Rendering: Sendable {
    let repositories: Repositories

    /// Where the target revision stands and what rendering would read: cheap, from the local object store.
    struct Located: Sendable {
        let url: RepositoryURL
        let commit: Commit
        let inputs: SourceInputs
    }

    /// - Parameter revision: instead of the application's own target revision.
    func locate(_ application: Application, revision: String? = nil) async throws(Failure) -> Located {
        let source = application.source
        let url = try RepositoryURL(source.repository)
        let id = try await repositories.resolve(url, revision ?? source.targetRevision)
        let commit = try await repositories.commit(url, id)
        guard let object = try await repositories.objectID(url, id, path: source.path) else {
            throw Failure(
                "git.path-missing", "\(source.path) is not in \(url.display) at \(id.short)",
                remedy: "correct spec.source.path, or push a commit that has it")
        }
        return Located(
            url: url, commit: commit,
            inputs: SourceInputs(
                repository: url.normalized, path: source.path, objectID: object, directory: source.directory,
                namespace: application.destination.namespace))
    }

    /// Reads and renders; nothing of it depends on a cluster.
    func render(_ located: Located, _ application: Application) async throws(Failure) -> Rendered {
        let source = application.source
        let directory = try DirectorySource(DirectoryOptions(application))
        let files = try await repositories.files(
            located.url, located.commit.id, path: source.path, recurse: source.directory.recurse,
            where: { directory.matches(path: $0) })
        return try directory.render(files: files)
    }

    /// Refuses files that held manifests in the deployed commit and hold none now: whether somebody wants their objects
    /// gone or has mistyped a word cannot be known, and what is pruned on a doubt is lost.
    func refuseLost(
        _ ignored: Set<String>, since deployed: CommitID, _ located: Located, _ application: Application
    ) async throws(Failure) {
        guard !ignored.isEmpty, deployed != located.commit.id else { return }
        let source = application.source
        let directory = try DirectorySource(DirectoryOptions(application))
        let before: Rendered
        do throws(Failure) {
            let files = try await repositories.files(
                located.url, deployed, path: source.path, recurse: source.directory.recurse,
                where: { ignored.contains($0) })
            before = try directory.render(files: files)
        } catch {
            // Deployed from another repository or path, or by rules that were others: nothing speaks of these files.
            return
        }
        let lost = Dictionary(grouping: before.origins, by: \.value.file).filter { ignored.contains($0.key) }
        guard let file = lost.keys.min(), let key = lost[file]?.map(\.key).min(by: { "\($0)" < "\($1)" }) else {
            return
        }
        throw Failure(
            "manifest.lost",
            "\(file) held \(key) in the deployed commit \(deployed.short) and holds no manifest any more",
            remedy: "correct it; if its objects are to go, remove the file or empty it")
    }

    /// Gives every manifest its namespace and its owner's mark.
    static func settle(
        _ resources: [Resource], in application: Application, uid: ApplicationUID, catalog: KindCatalog
    ) throws(Failure) -> (resources: [Resource], warnings: [String]) {
        // Of custom kinds whose definition is not in the cluster yet.
        let scopes = Resource.definedScopes(in: resources)
        var warnings: [String] = []
        var settled: [Resource] = []
        var places: [ResourceKey: Int] = [:]
        for resource in resources {
            let (normal, notes) = DesiredNormalization.apply(resource)
            warnings += notes
            let isNamespaced =
                catalog.kinds[normal.gvk]?.isNamespaced ?? catalog.preferred[normal.gvk.groupKind]?.isNamespaced
                ?? scopes[normal.gvk.groupKind] ?? true
            var placed = normal
            if !isNamespaced {
                placed = normal.inNamespace("")
            } else if normal.namespace.isEmpty {
                guard !application.destination.namespace.isEmpty else {
                    throw Failure(
                        "manifest.namespace-missing",
                        "\(normal.gvk.kind) \(normal.name) names no namespace and the destination has none",
                        remedy: "set spec.destination.namespace or metadata.namespace")
                }
                placed = normal.inNamespace(application.destination.namespace)
            }
            let marked = Ownership.mark(placed, as: uid)
            if let place = places[marked.key] {
                warnings.append("\(marked.key) stands twice; the last one counts")
                settled[place] = marked
            } else {
                places[marked.key] = settled.count
                settled.append(marked)
            }
        }
        return (settled, warnings)
    }
}
