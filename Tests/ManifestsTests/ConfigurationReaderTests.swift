import Manifests
import Shiplog
import Testing

@Suite("Reading the configuration of serve")
struct ConfigurationReaderTests {
    private func read(_ text: String) throws -> ServerConfiguration {
        try ConfigurationReader.read(Array(text.utf8), file: "shiplog.yaml")
    }

    private func failure(_ text: String) throws -> Failure {
        try #require(throws: Failure.self) { try read(text) }
    }

    @Test("nothing is the defaults")
    func defaults() throws {
        for text in ["", "# only a comment\n", "{}\n"] { #expect(try read(text) == ServerConfiguration()) }
        let standard = ServerConfiguration()
        #expect(standard.listen == "127.0.0.1:8080")
        #expect(standard.controller.interval == .seconds(180))
        #expect(standard.controller.jitter == .seconds(60))
        #expect(standard.controller.workers == 8)
        #expect(standard.webhooks.maxBodyBytes == 1_048_576)
    }

    @Test("every key is read")
    func whole() throws {
        let configuration = try read(
            """
            listen: "[::]:9000"
            behindProxy: true
            tls: {certificate: /c.pem, key: /k.pem}
            data: /var/lib/shiplog
            web: /srv/web
            baseURL: https://shiplog.example.com/
            allowedHosts: [shiplog.internal]
            controller: {interval: 0, jitter: 5s, workers: 2, appParallelism: 3, selfHealBackoff: {initial: 1s, factor: 2, maximum: 1m}}
            git:
              timeout: 20s
              knownHosts: /kh
              credentials:
              - {url: 'https://a', username: bot, passwordFile: /p}
              - {url: 'https://b', usernameEnv: U, passwordEnv: P}
              - {url: 'https://c', tokenFile: /t}
              - {url: 'ssh://git@d', sshKeyFile: /id}
            clusters:
            - {name: here, inCluster: true, server: 'https://kubernetes.default.svc'}
            - {name: there, kubeconfig: /kc, context: prod}
            webhooks: {gitlab: {secretFile: /gl}, github: {secretEnv: GH}, maxBodyBytes: 2048}
            logging: {level: debug, format: json}
            metrics: {enabled: false}
            ledger: {replicated: true}
            ignoreDifferences: [{group: apps, kind: Deployment, jsonPointers: [/spec/replicas]}]
            health: [{group: a.b, kind: C, rules: [{when: '.status.x == 1', status: Healthy, messageFrom: .status.y}]}]
            """)
        var expected = ServerConfiguration()
        expected.listen = "[::]:9000"
        expected.behindProxy = true
        expected.health = [
            try HealthRule([
                "group": "a.b", "kind": "C",
                "rules": [["when": ".status.x == 1", "status": "Healthy", "messageFrom": ".status.y"]]
            ])
        ]
        expected.ignoreDifferences = [
            try IgnoreRule(["group": "apps", "kind": "Deployment", "jsonPointers": ["/spec/replicas"]])
        ]
        #expect(configuration.tls?.certificate == "/c.pem")
        #expect(configuration.tls?.key == "/k.pem")
        expected.tls = configuration.tls
        expected.data = "/var/lib/shiplog"
        expected.ledger.replicated = true
        expected.web = "/srv/web"
        expected.baseURL = "https://shiplog.example.com"
        expected.allowedHosts = ["shiplog.internal"]
        expected.controller.interval = .zero
        expected.controller.jitter = .seconds(5)
        expected.controller.workers = 2
        expected.controller.appParallelism = 3
        expected.controller.selfHealBackoff.initial = .seconds(1)
        expected.controller.selfHealBackoff.factor = 2
        expected.controller.selfHealBackoff.maximum = .seconds(60)
        expected.git.timeout = .seconds(20)
        expected.git.knownHosts = "/kh"
        #expect(configuration.git.credentials.map(\.url) == ["https://a", "https://b", "https://c", "ssh://git@d"])
        #expect(
            configuration.git.credentials.map(\.kind) == [
                .password(username: .plain("bot"), password: .file("/p")),
                .password(username: .environment("U"), password: .environment("P")), .token(.file("/t")),
                .sshKey(file: "/id")
            ])
        expected.git.credentials = configuration.git.credentials
        #expect(configuration.clusters.map(\.name) == ["here", "there"])
        #expect(configuration.clusters.map(\.server) == ["https://kubernetes.default.svc", nil])
        #expect(configuration.clusters.map(\.access) == [.inCluster, .kubeconfig(file: "/kc", context: "prod")])
        expected.clusters = configuration.clusters
        expected.webhooks.gitlab = .file("/gl")
        expected.webhooks.github = .environment("GH")
        expected.webhooks.maxBodyBytes = 2048
        expected.logging.level = .debug
        expected.logging.format = .json
        expected.metrics.enabled = false
        #expect(configuration == expected)
    }

    static let refused: [(String, String, String)] = [
        ("\nlistn: x\n", "configuration.unknown-key", "shiplog.yaml:2: listn is no known field"),
        ("ignoreDifferences: [{kind: x, jsonPointers: [a]}]\n", "configuration.invalid", "jsonPointers[0] (\"a\")"),
        ("ignoreDifferences: [{kind: x, jqPathExpressions: [env]}]\n", "configuration.invalid", "it uses env"),
        (
            "health:\n- kind: X\n  rules:\n  - status: Fine\n", "configuration.invalid",
            "shiplog.yaml:4: health[0].rules[0].status must be one of Healthy"
        ),
        ("health: [{kind: X, rules: [{if: a, status: Healthy}]}]\n", "configuration.unknown-key", "rules[0].if"),
        ("health: [{kind: X, rules: [{when: 'a', status: Healthy}]}]\n", "configuration.invalid", "it uses a,"),
        ("health: [{kind: X}]\n", "configuration.invalid", "health[0].rules is missing"),
        ("git:\n  timeout: 5s\n  credential: []\n", "configuration.unknown-key", "shiplog.yaml:3: git.credential "),
        (
            "clusters:\n- name: a\n  kubeconfg: x\n", "configuration.unknown-key",
            "shiplog.yaml:3: clusters[0].kubeconfg "
        ),
        (
            "git:\n  credentials:\n  - url: a\n    password: hunter2\n", "configuration.secret-literal",
            "shiplog.yaml:4: git.credentials[0].password "
        ),
        (
            "git:\n  credentials:\n  - url: a\n    token: hunter2\n", "configuration.secret-literal",
            "token may not stand"
        ),
        (
            "webhooks:\n  gitlab:\n    secret: hunter2\n", "configuration.secret-literal",
            "shiplog.yaml:3: webhooks.gitlab.secret "
        ),
        ("clusters: [{name: a, token: hunter2}]\n", "configuration.secret-literal", "clusters[0].token"),
        ("listen: 8080\n", "configuration.invalid", "listen must be a string"),
        ("listen: localhost\n", "configuration.invalid", "listen must be a host and a port"),
        ("listen: ':8080'\n", "configuration.invalid", "listen must be"),
        ("listen: 'a:99999'\n", "configuration.invalid", "listen must be"),
        ("listen: '::1:80'\n", "configuration.invalid", "listen must be"),
        ("tls: {certificate: a}\n", "configuration.invalid", "tls needs both"),
        ("behindProxy: 'yes'\n", "configuration.invalid", "behindProxy must be true or false"),
        ("controller: {workers: 0}\n", "configuration.invalid", "controller.workers must be from 1 to 256"),
        ("controller: {interval: often}\n", "configuration.invalid", "controller.interval must be a duration"),
        ("git: {timeout: 0}\n", "configuration.invalid", "git.timeout must be more than zero"),
        ("git: {credentials: [{url: a}]}\n", "configuration.invalid", "git.credentials[0] needs either"),
        ("git: {credentials: [{url: a, tokenFile: t, sshKeyFile: k}]}\n", "configuration.invalid", "needs either"),
        (
            "git: {credentials: [{url: a, tokenFile: t, tokenEnv: k}]}\n", "configuration.invalid",
            "has both tokenFile and tokenEnv"
        ),
        (
            "git: {credentials: [{url: 'https://u:hunter2@h', tokenFile: t}]}\n", "configuration.invalid",
            "git.credentials[0].url holds"
        ),
        ("clusters: [{name: a}]\n", "configuration.invalid", "needs either kubeconfig or inCluster"),
        (
            "clusters: [{name: a, inCluster: true}, {name: a, inCluster: true}]\n", "configuration.invalid",
            "clusters[1].name"
        ),
        ("logging: {level: loud}\n", "configuration.invalid", "must be one of trace, debug, info, warning, error"),
        ("baseURL: ftp://x\n", "configuration.invalid", "baseURL"),
        ("webhooks: {maxBodyBytes: 1}\n", "configuration.invalid", "maxBodyBytes must be from"),
        ("[]\n", "configuration.invalid", "must be a map"),
        ("data: a\n---\ndata: b\n", "configuration.invalid", "shiplog.yaml:3: a second document"),
        ("data: a\ndata: b\n", "manifest.yaml-invalid", "shiplog.yaml:2")
    ]

    @Test("what cannot be meant is refused by name and line, and no secret is repeated", arguments: refused)
    func refusal(text: String, code: String, words: String) throws {
        let failure = try failure(text)
        #expect(failure.code.rawValue == code, "\(failure)")
        #expect(failure.message.contains(words), "\(failure)")
        #expect(failure.message.hasPrefix("shiplog.yaml:"))
        #expect(!"\(failure)".contains("hunter2"))
    }

    @Test("an unknown key gets the nearest known one")
    func nearest() throws {
        #expect(try failure("listn: x\n").remedy == "did you mean listen?")
        #expect(try failure("Behindproxy: true\n").remedy == "did you mean behindProxy?")
        #expect(try failure("zzzzzzzzzzzz: 1\n").remedy?.hasPrefix("known here: allowedHosts, baseURL") == true)
    }
}
