import FoundationEssentials
import Glibc
import Shiplog

/// The child `git` for one repository: what its arguments and its environment are.
///
/// Credentials travel in the environment (`GIT_CONFIG_KEY_n`, Git 2.31), never on the command line, which every account
/// of the machine can read. Nothing is ever built for a shell; the one text a shell reads (`GIT_SSH_COMMAND`) is fixed.
struct GitProgram: Sendable {
    var path: String
    /// An empty folder of ours: the child's HOME and working directory.
    var home: String
    var limits: GitLimits

    /// The first `git` in PATH; `git` itself when there is none, so that starting it says what is missing.
    static func find() -> String {
        let path = getenv("PATH").map { String(cString: $0) } ?? "/usr/local/bin:/usr/bin:/bin"
        for folder in path.split(separator: ":") where folder.hasPrefix("/") {
            let candidate = String(folder) + "/git"
            if access(candidate, X_OK) == 0 { return candidate }
        }
        return "/usr/bin/git"
    }

    /// Settings that hold for each child. A file rather than arguments: the `git upload-pack` that Git starts for a local
    /// repository clears settings it inherits, and reads this file.
    static let settings = """
        [core]
        \thooksPath = /dev/null
        \tfsync = committed,reference
        \taskPass =
        [credential]
        \thelper =
        [gc]
        \tauto = 0
        [maintenance]
        \tauto = false
        [safe]
        \tdirectory = *
        \tbareRepository = all
        [protocol]
        \tversion = 2
        [protocol "ext"]
        \tallow = never
        [fetch]
        \tfsckObjects = true
        \twriteCommitGraph = false
        \tunpackLimit = 1
        [fetch "fsck"]
        \tbadTimezone = ignore
        \tmissingSpaceBeforeDate = ignore
        \tzeroPaddedFilemode = ignore
        \tmissingSpaceBeforeEmail = ignore
        [http]
        \tlowSpeedLimit = 1
        \tfollowRedirects = initial
        [advice]
        \tdetachedHead = false

        """

    /// A child that works on no repository.
    func plain(_ arguments: [String]) -> ChildProcess {
        child(arguments, environment())
    }

    /// A child that works on our own mirror and on nothing else.
    func local(_ arguments: [String], mirror: String) -> ChildProcess {
        child(["--git-dir", mirror] + arguments, environment())
    }

    /// A child that talks to the repository.
    ///
    /// - Throws: `git.scheme-refused`, `git.ssh-path-invalid`.
    func network(
        _ arguments: [String], mirror: String?, url: RepositoryURL, credentials: GitCredentials
    ) throws(Failure) -> ChildProcess {
        guard limits.schemes.contains(url.scheme) else { throw GitFailure.schemeRefused(url) }
        var environment = environment()
        environment["GIT_ALLOW_PROTOCOL"] = url.scheme.rawValue
        for name in ["http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"] {
            if let value = getenv(name) { environment[name] = String(cString: value) }
        }
        var settings: [(String, String)] = [("http.lowSpeedTime", String(max(1, limits.silence.components.seconds)))]
        let credentials = credentials.orElse(url)
        if url.scheme == .http || url.scheme == .https {
            try settings += http(url, credentials)
        } else if url.scheme == .ssh {
            try environment.merge(ssh(credentials)) { $1 }
        }
        environment["GIT_CONFIG_COUNT"] = String(settings.count)
        for (index, (key, value)) in settings.enumerated() {
            environment["GIT_CONFIG_KEY_\(index)"] = key
            environment["GIT_CONFIG_VALUE_\(index)"] = value
        }
        return child((mirror.map { ["--git-dir", $0] } ?? []) + arguments, environment)
    }

    private func environment() -> [String: String] {
        [
            "PATH": getenv("PATH").map { String(cString: $0) } ?? "/usr/local/bin:/usr/bin:/bin",
            "HOME": home,
            "XDG_CONFIG_HOME": home,
            "LC_ALL": "C",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": home + "/gitconfig",
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_PROTOCOL_FROM_USER": "0",
            // The data directory may lie in somebody's checkout; that is not the repository meant.
            "GIT_CEILING_DIRECTORIES": home.lastIndex(of: "/").map { String(home[..<$0]) } ?? "/"
        ]
    }

    private func child(_ arguments: [String], _ environment: [String: String]) -> ChildProcess {
        ChildProcess(
            program: path, arguments: arguments, environment: environment, directory: home, silence: limits.silence,
            total: limits.total, fileSize: limits.packSize)
    }

    /// The login goes to the address's own origin only. Git would send it along after a redirect, so with a login none is
    /// followed; without one the first request's is, as with `git clone`.
    private func http(_ url: RepositoryURL, _ credentials: GitCredentials) throws(Failure) -> [(String, String)] {
        let scope = "http." + url.origin + "."
        var settings: [(String, String)] = []
        func add(_ header: String) throws(Failure) {
            // A line break would start another header.
            guard header.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else {
                throw Failure(
                    "git.credentials-invalid", "The credentials for \(url) contain a control character",
                    remedy: "write the token without a line break")
            }
            settings.append((scope + "extraHeader", header))
            settings.append((scope + "followRedirects", "false"))
        }
        switch credentials.login {
        case .none, .sshKey: break
        case .basic(let name, let password):
            try add("Authorization: Basic " + Data((name + ":" + password.revealed).utf8).base64EncodedString())
        case .bearer(let token):
            try add("Authorization: Bearer " + token.revealed)
        }
        if let file = credentials.certificateAuthorities { settings.append((scope + "sslCAInfo", file)) }
        if let file = credentials.clientCertificate { settings.append((scope + "sslCert", file)) }
        if let file = credentials.clientKey { settings.append((scope + "sslKey", file)) }
        return settings
    }

    /// The shell that Git starts ssh with puts the two paths in from the environment, quoted.
    private func ssh(_ credentials: GitCredentials) throws(Failure) -> [String: String] {
        let common =
            "ssh -F /dev/null -a -x -T -o BatchMode=yes -o StrictHostKeyChecking=yes -o ConnectTimeout=20"
            + " -o ServerAliveInterval=15 -o ServerAliveCountMax=3 -o PermitLocalCommand=no"
        guard case .sshKey(let key, let knownHosts) = credentials.login else {
            var environment = ["GIT_SSH_COMMAND": common, "GIT_SSH_VARIANT": "ssh"]
            if let agent = getenv("SSH_AUTH_SOCK") { environment["SSH_AUTH_SOCK"] = String(cString: agent) }
            return environment
        }
        for path in [key, knownHosts] {
            // ssh itself splits its options at blanks and replaces what follows a per cent sign.
            guard path.hasPrefix("/"), !path.utf8.contains(where: { $0 <= 0x20 || "\"'%\\".utf8.contains($0) }) else {
                throw Failure(
                    "git.ssh-path-invalid",
                    "The path of an ssh key or of the known hosts is one that ssh would misread",
                    remedy: "use an absolute path without blanks, quotes, backslashes and per cent signs")
            }
        }
        return [
            "GIT_SSH_COMMAND": common + " -o IdentitiesOnly=yes -o IdentityAgent=none -o GlobalKnownHostsFile=/dev/null"
                + " -o \"UserKnownHostsFile=$SHIPLOG_KNOWN_HOSTS\" -i \"$SHIPLOG_SSH_KEY\"",
            "GIT_SSH_VARIANT": "ssh",
            "SHIPLOG_SSH_KEY": key,
            "SHIPLOG_KNOWN_HOSTS": knownHosts
        ]
    }
}
