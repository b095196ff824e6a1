public import Shiplog

/// What a repository's names pointed at when it was last fetched.
public struct Refs: Sendable, Hashable {
    /// The branch that the remote's HEAD names, as `refs/heads/main`; nil when HEAD names a commit, or nothing.
    public var head: String?
    /// The commit at the remote's HEAD; nil when HEAD names a branch that does not exist.
    public var headCommit: CommitID?
    /// Branch to commit, without `refs/heads/`.
    public var branches: [String: CommitID]
    /// Tag to commit, without `refs/tags/`; annotated tags are peeled, tags of trees and files left out.
    public var tags: [String: CommitID]
    /// Other references that somebody asked for, by full name, such as `refs/pull/7/head`.
    public var others: [String: CommitID]

    public init(
        head: String? = nil, headCommit: CommitID? = nil, branches: [String: CommitID] = [:],
        tags: [String: CommitID] = [:],
        others: [String: CommitID] = [:]
    ) {
        self.head = head
        self.headCommit = headCommit
        self.branches = branches
        self.tags = tags
        self.others = others
    }

    /// No branch, no tag and no HEAD: what no server that has anything answers.
    var isEmpty: Bool { headCommit == nil && branches.isEmpty && tags.isEmpty && others.isEmpty }
}

/// What a fetch brought.
public struct FetchResult: Sendable, Hashable {
    public var refs: Refs
    /// Whether a reference differs from the fetch before, also one made by an earlier process.
    public var changed: Bool
    /// Set when the mirror could not be used any more and was made anew.
    public var rebuilt: Rebuilt?

    /// A mirror that was moved aside.
    public struct Rebuilt: Sendable, Hashable {
        /// Where the unusable mirror is now; nothing deletes it.
        public var movedTo: String
        /// Why it could not be used.
        public var reason: Failure
        /// Kept commits that neither the remote nor the old mirror could give back. Rolling back to them still works:
        /// the ledger has their manifests.
        public var lost: [CommitID]
    }
}

/// The references of one repository as its listing and its mirror have them: full name to object, tags not peeled.
struct RawRefs: Equatable, Sendable {
    /// The branch HEAD names, or nil when it names an object.
    var head: String?
    var headObject: String?
    var objects: [String: String] = [:]
}

extension RawRefs {
    /// Reads `git ls-remote --symref`: `ref: refs/heads/main<TAB>HEAD`, `<object><TAB><name>`; of the names only HEAD,
    /// branches, tags and `extra` are kept.
    ///
    /// - Throws: `git.sha256-repository`, `git.too-many-references`, `git.failed` for lines that are none of these.
    init(listing: [UInt8], extra: Set<String>, limit: Int, url: RepositoryURL) throws(Failure) {
        self.init()
        for line in listing.split(separator: UInt8(ascii: "\n")) {
            let parts = line.split(separator: UInt8(ascii: "\t"), maxSplits: 1)
            guard parts.count == 2 else { throw GitFailure.answer(url, "a list of references that cannot be read") }
            if line.starts(with: "ref: ".utf8) {
                if parts[1].elementsEqual("HEAD".utf8) {
                    head = String(validating: parts[0].dropFirst(5), as: UTF8.self)
                }
                continue
            }
            if parts[0].count == 64 { throw GitFailure.sha256(url) }
            guard parts[0].count == 40, let name = String(validating: parts[1], as: UTF8.self) else { continue }
            let object = String(decoding: parts[0], as: UTF8.self)
            if name == "HEAD" {
                headObject = object
            } else if !name.hasSuffix("^{}"),
                name.hasPrefix("refs/heads/") || name.hasPrefix("refs/tags/") || extra.contains(name)
            {
                objects[name] = object
                guard objects.count <= limit else {
                    throw Failure(
                        "git.too-many-references", "The repository \(url) has more than \(limit) branches and tags")
                }
            }
        }
        if let head, objects[head] == nil { self.head = nil }
    }
}
