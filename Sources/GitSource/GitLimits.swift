/// How long and how much a repository may take before it is refused. Sizes are bytes.
public struct GitLimits: Sendable, Hashable {
    /// A child `git` that neither ends nor reports progress for so long is killed.
    public var silence: Duration = .seconds(60)
    /// A child `git` is killed after so long whatever it reports: the longest a first clone may take.
    public var total: Duration = .seconds(600)
    /// Children that talk to the network at once, all repositories together.
    public var concurrentFetches = 4
    /// The largest file a fetch may write: a pack larger than this ends the fetch.
    public var packSize: UInt64 = 8 << 30
    /// The largest file that is read as a manifest.
    public var fileSize = 10 << 20
    /// All files of one application together, as Argo CD limits them.
    public var totalSize = 10 << 20
    /// Files of one application.
    public var fileCount = 10_000
    /// Tree entries looked at for one application, matched or not.
    public var entryCount = 500_000
    /// Folders within folders.
    public var depth = 64
    /// References of one repository.
    public var referenceCount = 200_000
    /// What addresses may be fetched from.
    public var schemes: Set<RepositoryURL.Scheme> = Set(RepositoryURL.Scheme.allCases)

    public init() {}

    public static let `default` = GitLimits()
}
