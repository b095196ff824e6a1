import Shiplog

/// What a target revision asks for, by the names alone.
enum Resolution: Equatable {
    case commit(CommitID)
    /// A full name; whether it exists is for the object store, or the server, to say.
    case object(CommitID)
    /// Seven digits or more of a name.
    case short(String)
    /// A reference that is neither a branch nor a tag and was not fetched yet.
    case reference(String)

    /// Finds a revision as Argo CD does: a full commit name first, then branches and tags, then a shortened commit name.
    /// Where a branch and a tag have one name and differ, Argo CD takes whichever the server lists first; here it is refused.
    ///
    /// - Throws: `git.revision-unknown`, `git.revision-ambiguous`, `git.revision-invalid`.
    static func find(_ text: String, in refs: Refs, _ url: RepositoryURL) throws(Failure) -> Resolution {
        guard text.utf8.count <= 1024, text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }), !text.hasPrefix("-") else {
            throw Failure(
                "git.revision-invalid", "The target revision is not a name Git could give",
                remedy: "write HEAD, a branch, a tag, or a commit's name")
        }
        if text.isEmpty || text == "HEAD" {
            guard let commit = refs.headCommit else {
                throw Failure(
                    "git.revision-unknown", "HEAD of \(url) names a branch that does not exist",
                    remedy: "write a branch as the target revision; " + branches(refs))
            }
            return .commit(commit)
        }
        if let commit = CommitID(text) { return .object(commit) }
        if text.hasPrefix("refs/") {
            if let commit = refs[fullName: text] { return .commit(commit) }
            if text.hasPrefix("refs/heads/") || text.hasPrefix("refs/tags/") { throw unknown(text, refs, url) }
            guard isReferenceName(text) else { throw unknown(text, refs, url) }
            return .reference(text)
        }
        switch (refs.branches[text], refs.tags[text]) {
        case (let branch?, let tag?) where branch != tag:
            throw Failure(
                "git.revision-ambiguous", "'\(text)' is a branch and a tag of \(url), and they name different commits",
                remedy: "write refs/heads/\(text) or refs/tags/\(text)")
        case (let commit?, _), (_, let commit?): return .commit(commit)
        default: break
        }
        if let commit = refs[fullName: "refs/" + text] { return .commit(commit) }
        if (7..<40).contains(text.utf8.count), text.utf8.allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }) {
            return .short(text.lowercased())
        }
        if let constraint = VersionConstraint(text) {
            guard let tag = constraint.newest(of: refs.tags.keys), let commit = refs.tags[tag] else {
                throw Failure(
                    "git.revision-unknown", "No tag of \(url) satisfies '\(text)'",
                    remedy:
                        "versions are compared with tags such as v1.2.3; a pre-release counts only if the constraint names one"
                )
            }
            return .commit(commit)
        }
        throw unknown(text, refs, url)
    }

    static func unknown(_ text: String, _ refs: Refs, _ url: RepositoryURL) -> Failure {
        Failure(
            "git.revision-unknown", "'\(Libgit2.printable(text, limit: 100))' is no branch, tag or commit of \(url)",
            remedy: "check the target revision; " + branches(refs))
    }

    static func ambiguous(_ text: String, _ url: RepositoryURL) -> Failure {
        Failure(
            "git.revision-ambiguous", "More than one commit of \(url) starts with '\(text)'",
            remedy: "write more digits of the commit's name")
    }

    private static func branches(_ refs: Refs) -> String {
        let names = refs.branches.keys.sorted().prefix(5).map { Libgit2.printable($0, limit: 60) }
        guard !names.isEmpty else { return "the repository has no branches" }
        return "the branches are " + names.joined(separator: ", ") + (refs.branches.count > 5 ? ", …" : "")
    }

    /// The part of `git check-ref-format` that keeps a name from being read as a pattern or as something else.
    private static func isReferenceName(_ text: String) -> Bool {
        let forbidden = Array("*?[\\:^~@{ ".utf8)
        return !text.utf8.contains { forbidden.contains($0) } && !text.contains("..") && !text.contains("//")
            && !text.contains("/.") && !text.hasSuffix("/") && !text.hasSuffix(".lock") && !text.hasSuffix(".")
            && !text.hasPrefix("refs/shiplog/")
    }
}

extension Refs {
    /// The commit at `refs/heads/main` and the like.
    subscript(fullName name: String) -> CommitID? {
        if name.hasPrefix("refs/heads/") { return branches[String(name.dropFirst(11))] }
        if name.hasPrefix("refs/tags/") { return tags[String(name.dropFirst(10))] }
        return others[name]
    }
}
