import Glibc
import Shiplog

/// Makes the failures of this target. None of them quotes what a server or Git printed: that may hold an address with a
/// password, or anything a stranger chose; the text only picks the code.
enum GitFailure {
    /// What a child `git` that talked to a repository died of.
    static func network(_ ending: ChildProcess.Ending, _ errors: [UInt8], _ url: RepositoryURL, _ limits: GitLimits)
        -> Failure
    {
        switch ending {
        case .silent:
            return Failure(
                "git.timeout", "The server of \(url) said nothing for \(limits.silence.components.seconds) seconds",
                remedy: "check that the server answers, from the machine that runs Shiplog",
                next: .retry(afterMilliseconds: nil))
        case .late:
            return Failure(
                "git.timeout", "Fetching \(url) took longer than \(limits.total.components.seconds) seconds",
                remedy: "raise the limit for fetches if the repository is that large",
                next: .retry(afterMilliseconds: nil))
        case .tooMuch:
            return Failure("git.too-many-references", "The list of references of \(url) is too long to read")
        case .stopped:
            return cancelled(url)
        case .notStarted(let number):
            return Failure(
                "git.program-missing", "The program git could not be started (error \(number))",
                remedy: "install git 2.32 or newer, or name its path in the configuration")
        case .signalled(SIGXFSZ):
            return tooLarge(url, limits)
        case .signalled(let signal):
            return Failure(
                "git.failed", "Git was ended by signal \(signal) while it fetched \(url)",
                next: .retry(afterMilliseconds: nil))
        case .exited(let status):
            return classify(status, String(decoding: errors, as: UTF8.self), url, limits)
        }
    }

    private static func classify(_ status: Int32, _ text: String, _ url: RepositoryURL, _ limits: GitLimits) -> Failure
    {
        let lower = text.lowercased()
        func says(_ phrases: String...) -> Bool { phrases.contains { lower.contains($0) } }
        if says("mismatched algorithms") { return sha256(url) }
        if says("host key verification failed") {
            return Failure(
                "git.host-key-unknown", "The ssh server of \(url) is not among the known hosts, or has another key",
                remedy: "compare its key with the one its operator publishes, then add it to the known hosts")
        }
        if says(
            "authentication failed", "could not read username", "could not read password", "permission denied (",
            "returned error: 401", "returned error: 403", "access denied", "terminal prompts disabled",
            "http basic: access denied", "too many authentication failures")
            && !says("access denied or repository not exported")
        {
            return Failure(
                "git.authentication", "The server of \(url) refused the login",
                remedy: "check the user name, token or key that the configuration gives for this repository")
        }
        if says(
            "returned error: 301", "returned error: 302", "returned error: 307", "returned error: 308",
            "unable to update url base")
        {
            return Failure(
                "git.redirected",
                "The server of \(url) sends its readers to another address, where the login must not go",
                remedy: "write the address it redirects to, often the same one with .git at its end")
        }
        if says(
            "ssl certificate problem", "certificate verify failed", "server certificate verification failed", "tls",
            "ssl_connect", "gnutls", "ssl:")
        {
            return Failure(
                "git.certificate", "The certificate of the server of \(url) could not be verified",
                remedy: "give the authority that signed it as a PEM file in the configuration of this repository")
        }
        if says(
            "could not resolve host", "unable to look up", "connection refused", "failed to connect",
            "network is unreachable",
            "no route to host", "connection reset", "connection timed out", "operation timed out", "operation too slow",
            "couldn't connect", "could not connect", "returned error: 429", "returned error: 5", "early eof",
            "name or service not known", "temporary failure in name resolution", "hung up unexpectedly",
            "empty reply from server", "rpc failed", "unexpected disconnect", "connection closed by", "timeout, server")
            && !says("does not appear to be a git repository", "repository not found", "/' not found")
        {
            if says("operation too slow", "connection timed out", "operation timed out", "timeout, server") {
                return Failure(
                    "git.timeout", "The server of \(url) did not answer in time",
                    remedy: "check that the server answers, from the machine that runs Shiplog",
                    next: .retry(afterMilliseconds: nil))
            }
            return Failure(
                "git.unreachable", "The server of \(url) could not be reached, or broke off",
                remedy: "check the address, the name service, the proxy and the firewall",
                next: .retry(afterMilliseconds: nil))
        }
        if url.scheme == .file, access(url.path, F_OK) != 0 { return notFound(url) }
        if says(
            "repository not found", "' not found", "returned error: 404", "returned error: 410", "could not be found",
            "access denied or repository not exported",
            "no such file or directory", "does not exist", "project you were looking for")
        {
            return notFound(url)
        }
        if says(
            "does not appear to be a git repository", "not a git repository", "not valid: is this a git repository",
            "invalid gitfile", "unrecognized header", "invalid bundle")
        {
            return Failure(
                "git.not-a-repository", "What is at \(url) is not a Git repository", remedy: "check the address")
        }
        if says("dubious ownership") {
            return Failure(
                "git.ownership", "The repository \(url) belongs to another account",
                remedy: "let the account that runs Shiplog own it")
        }
        if says("transport '", "protocol '") && says("not allowed") { return schemeRefused(url) }
        if says("died of signal 25", "file too large", "file size limit exceeded", "maximum allowed size") {
            return tooLarge(url, limits)
        }
        if says("no space left on device", "disk quota exceeded") {
            return Failure(
                "git.disk-full", "There is no room on the disk for what \(url) has",
                remedy: "make room in the data directory",
                next: .retry(afterMilliseconds: nil))
        }
        if says("fsck error", "error in object") {
            return Failure(
                "git.object-refused", "The repository \(url) has an object that Git's own check refuses",
                remedy: "run git fsck in the repository and repair what it names")
        }
        return Failure(
            "git.failed", "Git could not fetch \(url) (exit status \(status))",
            remedy: "run git ls-remote with this address by hand to see why", next: .retry(afterMilliseconds: nil))
    }

    /// Whether Git complained about our own mirror, not about the server.
    static func blamesMirror(_ errors: [UInt8]) -> Bool {
        let lower = String(decoding: errors, as: UTF8.self).lowercased()
        return [
            "bad object", "does not point to a valid object", "inflate", "corrupt", "unable to read", "missing blob",
            "missing tree",
            "loose object", "packfile", "bad config", "garbage", "not a git repository: '/", "object file",
            "unresolved deltas",
            "could not parse", "unable to parse", "bad tree", "invalid object", "did not send all necessary objects",
            "unknown repository extension",
            "expected git repo version", "is not a valid object"
        ].contains { lower.contains($0) }
    }

    private static func notFound(_ url: RepositoryURL) -> Failure {
        Failure(
            "git.not-found", "There is no repository at \(url), or the login may not see it",
            remedy: "check the address and what the login may read")
    }

    static func cancelled(_ url: RepositoryURL) -> Failure {
        Failure("git.cancelled", "Reading \(url) was given up before it ended", next: .superseded)
    }

    static func schemeRefused(_ url: RepositoryURL) -> Failure {
        Failure(
            "git.scheme-refused", "Repositories may not be fetched over \(url.scheme.rawValue) here",
            remedy: "use another address, or allow the scheme in the configuration")
    }

    static func sha256(_ url: RepositoryURL) -> Failure {
        Failure(
            "git.sha256-repository", "The repository \(url) names its objects with SHA-256, which is not supported",
            remedy: "use a repository in Git's usual SHA-1 format")
    }

    static func answer(_ url: RepositoryURL, _ what: String) -> Failure {
        Failure("git.failed", "The server of \(url) answered with \(what)", next: .retry(afterMilliseconds: nil))
    }

    static func tooLarge(_ url: RepositoryURL, _ limits: GitLimits) -> Failure {
        Failure(
            "git.too-large", "A pack of \(url) is larger than the limit of \(limits.packSize >> 20) MiB",
            remedy: "raise the limit if the repository is that large")
    }

    /// Our own mirror or directory could not be used.
    static func local(_ url: RepositoryURL, _ what: String, _ number: Int32) -> Failure {
        Failure(
            "git.mirror-unusable", "The local mirror of \(url) cannot be used: \(what) failed (error \(number))",
            remedy: "check the room and the permissions of the data directory", next: .retry(afterMilliseconds: nil))
    }
}
