public import Shiplog

/// What `shiplog serve` is told: every part has a default, secrets are only pointed at.
public struct ServerConfiguration: Sendable, Hashable {
    /// Host and port; port 0 takes a free one.
    public var listen = "127.0.0.1:8080"
    /// A proxy in front ends TLS and says who calls; without it and without `tls` only loopback is listened on.
    public var behindProxy = false
    public var tls: TLS?
    /// The data directory; nil for the command line's default.
    public var data: String?
    /// The directory of the page's files; nil to look beside the program.
    public var web: String?
    /// The address people use, without a slash at its end: for links.
    public var baseURL: String?
    /// Values of `Host` that are answered besides loopback's and `baseURL`'s own.
    public var allowedHosts: [String] = []
    public var controller = Controller()
    public var git = Git()
    public var clusters: [Cluster] = []
    public var webhooks = Webhooks()
    public var logging = Logging()
    public var metrics = Metrics()
    public var log = Log()
    /// nil keeps everything for ever.
    public var retention: Retention?
    public var ledger = Ledger()
    public var notifications: [Notification] = []
    /// Differences that count for no application.
    public var ignoreDifferences: [IgnoreRule] = []
    /// How well objects of further kinds are; of the entries that fit an object the first counts.
    public var health: [HealthRule] = []

    public init() {}

    /// PEM files, read again when they change.
    public struct TLS: Sendable, Hashable {
        public var certificate: String
        public var key: String
    }

    /// The loop.
    public struct Controller: Sendable, Hashable {
        /// Between two looks at a repository; zero turns polling off.
        public var interval: Duration = .seconds(180)
        /// Up to so much is added at random to each interval.
        public var jitter: Duration = .seconds(60)
        /// Applications worked on at once, 1…256.
        public var workers = 8
        /// Objects of one application written at once, 1…64.
        public var appParallelism = 16
        /// The namespace, in each cluster, of the Lease that keeps a second server with the same ledger off.
        public var leaseNamespace = "default"
        public var selfHealBackoff = Backoff()
        /// Between a wave of a sync and the next.
        public var waveDelay: Duration = .seconds(2)
        /// How long a wave waits for health, and a hook for its end.
        public var syncTimeout: Duration = .seconds(3600)
    }

    /// The first repeated self-heal waits `initial`, each further one `factor` times as long, up to `maximum`.
    public struct Backoff: Sendable, Hashable {
        public var initial: Duration = .seconds(2)
        /// 1…100.
        public var factor = 3
        public var maximum: Duration = .seconds(300)
    }

    public struct Git: Sendable, Hashable {
        /// A fetch that takes longer is ended.
        public var timeout: Duration = .seconds(60)
        /// A file in OpenSSH's `known_hosts` format.
        public var knownHosts: String?
        public var credentials: [Credential] = []
    }

    /// For every repository whose URL begins with `url`; the longest wins.
    public struct Credential: Sendable, Hashable {
        public enum Kind: Sendable, Hashable {
            case password(username: SecretReference, password: SecretReference)
            case token(SecretReference)
            /// A private key's file, as `ssh -i` takes it.
            case sshKey(file: String)
        }
        public var url: String
        public var kind: Kind
    }

    public struct Cluster: Sendable, Hashable {
        public enum Access: Sendable, Hashable {
            /// The pod's service account.
            case inCluster
            /// nil for the current context.
            case kubeconfig(file: String, context: String?)
        }
        /// What `destination.name` says.
        public var name: String
        /// What `destination.server` says; nil for the kubeconfig's own server.
        public var server: String?
        public var access: Access
    }

    public struct Webhooks: Sendable, Hashable {
        /// Compared with `X-Gitlab-Token`.
        public var gitlab: SecretReference?
        /// The key of `X-Hub-Signature-256`.
        public var github: SecretReference?
        /// Larger bodies are refused while they stream in.
        public var maxBodyBytes = 1 << 20
    }

    /// The signed log.
    public struct Log: Sendable, Hashable {
        /// The folder of the last checkpoint; nil for one in the data directory. Best on another disk than the ledger.
        public var checkpoints: String?
        /// What the origin of a new epoch begins with, as a host and path; the ledger's uid is added.
        public var origin = "shiplog.dev/ledger"
        public var witnesses: [Witness] = []
        public var anchors: [Anchor] = []
        /// Between two rounds of witnesses and anchors.
        public var interval: Duration = .seconds(60)
    }

    /// What becomes of unchanged reconciles when they are old: nearly all rows.
    public struct Retention: Sendable, Hashable {
        public enum Entries: String, Sendable, Hashable, CaseIterable {
            /// They move to compressed bundles that `/log/` still serves.
            case keep
            /// They go; their hashes stay.
            case drop
        }
        /// Older ones are folded.
        public var foldAfter: Duration
        public var entries = Entries.keep
    }

    /// Somebody who signs that the log only grows (<https://c2sp.org/tlog-witness>).
    public struct Witness: Sendable, Hashable {
        /// The submission prefix, without a slash at its end.
        public var url: String
        /// Its verifier key, `NAME+KEYID+BASE64` of a cosigning key.
        public var key: String
    }

    /// A place where checkpoints are put, so that others keep them.
    public struct Anchor: Sendable, Hashable {
        public enum Kind: Sendable, Hashable {
            /// The checkpoint is the body of a POST.
            case http(url: String, token: SecretReference?)
            /// A commit is added to a branch.
            case git(url: String, branch: String, path: String)
        }
        public var name: String
        public var kind: Kind
    }

    /// Somebody who is told what became of syncs and rollbacks.
    public struct Notification: Sendable, Hashable {
        public enum Address: Sendable, Hashable {
            case plain(String)
            /// The whole address is a secret, as that of a chat's incoming webhook.
            case secret(SecretReference)
        }
        public var name: String
        public var address: Address
        /// Signs what is sent.
        public var secret: SecretReference?
        /// A bearer token.
        public var token: SecretReference?
        /// Of rows; empty for what became of syncs and rollbacks.
        public var kinds: [String] = []
        public var outcomes: [String] = []
        /// Globs.
        public var applications: [String] = []
        public var projects: [String] = []
        /// For one try.
        public var timeout: Duration = .seconds(10)
        /// How often each is tried, 1…100.
        public var tries = 10
        /// The second try waits `initial`, each further one twice as long, up to `maximum`.
        public var initial: Duration = .seconds(1)
        public var maximum: Duration = .seconds(300)

        init(name: String, address: Address) {
            self.name = name
            self.address = address
        }
    }

    public struct Logging: Sendable, Hashable {
        public enum Level: String, Sendable, Hashable, CaseIterable { case trace, debug, info, warning, error }
        /// `auto`: text on a terminal, JSON elsewhere.
        public enum Format: String, Sendable, Hashable, CaseIterable { case auto, text, json }
        public var level = Level.info
        public var format = Format.auto
    }

    public struct Metrics: Sendable, Hashable {
        /// Whether `/metrics` answers.
        public var enabled = true
    }

    public struct Ledger: Sendable, Hashable {
        /// A replicator such as Litestream writes the write-ahead log back into the file; the server leaves that to it.
        public var replicated = false
    }
}

/// Where a secret is; the configuration never holds one itself.
public enum SecretReference: Sendable, Hashable {
    /// A file whose content, without a line break at its end, is the secret.
    case file(String)
    /// The name of an environment variable.
    case environment(String)
    /// A user name that is not secret.
    case plain(String)
}
