import Shiplog

/// The manifests that should be in the cluster, and where they come from: Git, or the ledger after a rollback.
struct Desired: Sendable {
    /// Namespaces filled in, normalised, marked as the application's own.
    let resources: [Resource]
    /// Secrets' values as keyed digests.
    let digest: Digest
    /// nil only when the pinned revision's commit can no longer be read.
    let source: RevisionSource?
    let inputs: SourceInputs?
    let warnings: [String]
}

/// Everything that rendering reads: the same inputs give the same manifests, across commits and clones.
struct SourceInputs: Sendable, Hashable {
    /// Grows when rendering changes what it makes of the same bytes.
    static let renderer = "directory/1"

    let repository: String
    let path: String
    /// Git's own name for the content of the path.
    let objectID: String
    let directory: Application.Directory
    let namespace: String

    /// One comparable string; kept in revisions and pins.
    var fingerprint: String {
        JSON.object([
            "renderer": .string(Self.renderer), "repository": .string(repository), "path": .string(path),
            "object": .string(objectID), "recurse": .bool(directory.recurse), "include": .string(directory.include),
            "exclude": .string(directory.exclude), "namespace": .string(namespace)
        ]).canonicalString
    }
}
