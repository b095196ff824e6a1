import Shiplog
import Testing

@testable import Manifests

@Suite("Reading Argo CD's Applications")
struct ApplicationReaderTests {
    static func document(_ spec: String, metadata: String = "{name: web, namespace: argocd}") -> String {
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: \(metadata)\nspec:\n" + spec
    }

    static let base = """
          source: {repoURL: 'https://git.example.com/a.git', path: p}
          destination: {server: 'https://kubernetes.default.svc', namespace: ns}

        """

    private func read(_ text: String) throws -> (application: Application, warnings: [String]) {
        try #require(try ApplicationReader.read(Array(text.utf8), file: "app.yaml").first)
    }

    private func failure(_ text: String) throws -> Failure {
        try #require(throws: Failure.self) { try read(text) }
    }

    @Test("the examples are read unchanged")
    func examples() throws {
        let first = try ApplicationReader.read(file("examples/applications/my-app.yaml"), file: "my-app.yaml")
        #expect(first.count == 1)
        let mine = try #require(first.first)
        #expect(mine.warnings.isEmpty)
        #expect(mine.application.name == "my-app")
        #expect(mine.application.namespace == "argocd")
        #expect(mine.application.project == "default")
        #expect(
            mine.application.source
                == .init(repository: "https://gitlab.example.com/your-username/your-repo.git", path: "manifests"))
        #expect(
            mine.application.destination
                == .init(cluster: .server("https://kubernetes.default.svc"), namespace: "my-namespace"))
        #expect(mine.application.syncPolicy == .init(automated: .init(prune: true, selfHeal: true)))
        let demo = try #require(
            try ApplicationReader.read(file("examples/applications/demo-app.yaml"), file: "demo-app.yaml").first)
        #expect(demo.warnings.isEmpty)
        #expect(demo.application.source.path == "k8s-manifests")
        #expect(demo.application.webhooks.map(\.url) == ["https://argocd.example.com/api/webhook"])
        #expect(demo.application.webhooks.map(\.secret.revealed) == ["your-webhook-secret"])
    }

    @Test("a webhook's secret is in no form of the application that is shown")
    func secret() throws {
        let text = Self.document(
            Self.base + "  webhook: {gitlab: [{url: u, secret: hunter2}]}\n",
            metadata:
                "{name: web, annotations: {kubectl.kubernetes.io/last-applied-configuration: '{\"secret\":\"hunter2\"}'}}"
        )
        let application = try read(text).application
        #expect(!application.document.canonicalString.contains("hunter2"))
        #expect(!"\(application)".contains("hunter2"))
        #expect(!String(reflecting: application).contains("hunter2"))
        #expect(application.document.at("spec", "webhook") == ["gitlab": [["url": "u"]]])
        #expect(application.webhooks.first?.secret.revealed == "hunter2")
        let broken = try failure(Self.document(Self.base + "  webhook: {gitlab: [{url: u, secret: [hunter2]}]}\n"))
        #expect(!"\(broken)".contains("hunter2"))
    }

    @Test("Argo CD's annotations are refused where they hold back, and named where they do nothing")
    func annotations() throws {
        let held = try failure(
            Self.document(Self.base, metadata: "{name: web, annotations: {argocd.argoproj.io/skip-reconcile: 'true'}}"))
        #expect(held.code == .applicationUnsupported)
        #expect(held.message.contains("skip-reconcile"))
        let kept = try read(
            Self.document(
                Self.base, metadata: "{name: web, annotations: {argocd.argoproj.io/refresh: hard, other/x: z}}"))
        #expect(kept.warnings == ["the annotation argocd.argoproj.io/refresh is kept without effect"])
    }

    @Test("everything that is acted on is read")
    func whole() throws {
        let (application, warnings) = try read(
            """
            apiVersion: argoproj.io/v1alpha1
            kind: Application
            metadata:
              name: web.prod-1
              labels: {team: a}
              annotations: {x: z}
              finalizers: [resources-finalizer.argocd.argoproj.io]
              creationTimestamp: "2026-01-01T00:00:00Z"
              managedFields: [{anything: goes}]
            spec:
              project: platform
              source:
                repoURL: git@gitlab.example.com:group/repo.git
                path: ./deploy/prod/
                targetRevision: v1.2
                directory: {recurse: true, include: '*.yaml', exclude: '{a,b}/*', jsonnet: {}}
              destination: {name: in-cluster, server: '', namespace: web}
              syncPolicy:
                automated: {prune: true, allowEmpty: true}
                syncOptions: [CreateNamespace=true, PrunePropagationPolicy=background, ServerSideApply=true]
                retry: {limit: 3, backoff: {duration: 10s, factor: 3, maxDuration: 1h30m}}
            status: {sync: {status: Synced}}
            operation: {sync: {}}
            """)
        #expect(
            warnings == [
                "app.yaml:23: operation is kept without effect: ask for a sync with `shiplog app sync`",
                "the finalizer resources-finalizer.argocd.argoproj.io counts only among a parent's manifests: "
                    + "`shiplog app delete --cascade` deletes what was deployed"
            ])
        #expect(application.labels == ["team": "a"])
        #expect(application.annotations == ["x": "z"])
        #expect(application.finalizers == ["resources-finalizer.argocd.argoproj.io"])
        #expect(application.project == "platform")
        #expect(
            application.source
                == .init(
                    repository: "git@gitlab.example.com:group/repo.git", path: "deploy/prod", targetRevision: "v1.2",
                    directory: .init(recurse: true, include: "*.yaml", exclude: "{a,b}/*")))
        #expect(application.destination == .init(cluster: .name("in-cluster"), namespace: "web"))
        #expect(application.syncPolicy.automated == .init(prune: true, selfHeal: false, allowEmpty: true))
        #expect(application.syncPolicy.options.createNamespace)
        #expect(application.syncPolicy.options.prunePropagation == .background)
        #expect(application.syncPolicy.options.written.count == 3)
        #expect(
            application.syncPolicy.retry
                == .init(limit: 3, initialMilliseconds: 10_000, factor: 3, maximumMilliseconds: 5_400_000))
        #expect(application.document["status"] == nil)
        #expect(application.document["operation"] == nil)
        #expect(application.document.at("metadata", "managedFields") == nil)
        #expect(DirectoryOptions(application).isExplicit)
    }

    @Test("automated sync is what enabled says, and an empty map switches it on")
    func automated() throws {
        func policy(_ text: String) throws -> Application.Automated? {
            try read(Self.document(Self.base + "  syncPolicy: \(text)\n")).application.syncPolicy.automated
        }
        #expect(try policy("{automated: {}}") == .init())
        #expect(try policy("{automated: null}") == nil)
        #expect(try policy("{}") == nil)
        #expect(try policy("{automated: {enabled: false, prune: true}}") == nil)
        #expect(try policy("{automated: {enabled: true, prune: true}}") == .init(prune: true))
    }

    static let refused: [(String, String, String)] = [
        ("  source: {repoURL: a, path: p, helm: {}}\n", "application.unsupported", "spec.source.helm"),
        (
            "  source: {repoURL: a, path: p, kustomize: {namePrefix: x}}\n", "application.unsupported",
            "spec.source.kustomize"
        ),
        ("  source: {repoURL: a, path: p, plugin: {name: x}}\n", "application.unsupported", "spec.source.plugin"),
        ("  source: {repoURL: a, path: p, chart: x}\n", "application.unsupported", "spec.source.chart"),
        ("  source: {repoURL: a, path: p, ref: x}\n", "application.unsupported", "spec.source.ref"),
        ("  source: {repoURL: a, path: p, tagPrefix: x}\n", "application.unsupported", "spec.source.tagPrefix"),
        (
            "  source: {repoURL: a, path: p, directory: {jsonnet: {libs: [x]}}}\n", "application.unsupported",
            "spec.source.directory.jsonnet"
        ),
        ("  source: {repoURL: 'oci://r/x', path: p}\n", "application.unsupported", "spec.source.repoURL"),
        ("  source: {repoURL: 'https://u:hunter2@h/x', path: p}\n", "application.invalid", "spec.source.repoURL"),
        ("  source: {repoURL: 'https://token@h/x', path: p}\n", "application.invalid", "spec.source.repoURL"),
        ("  source: {repoURL: 'ssh://git:hunter2@h/x', path: p}\n", "application.invalid", "spec.source.repoURL"),
        ("  source: {repoURL: '--upload-pack=x', path: p}\n", "application.invalid", "spec.source.repoURL"),
        ("  source: {path: p}\n", "application.invalid", "spec.source.repoURL is missing"),
        ("  source: {repoURL: a}\n", "application.invalid", "spec.source.path is missing"),
        ("  source: {repoURL: a, path: ../x}\n", "application.invalid", "spec.source.path"),
        ("  source: {repoURL: a, path: /x}\n", "application.invalid", "spec.source.path"),
        (
            "  source: {repoURL: a, path: p, targetRevision: 1.0}\n", "application.invalid",
            "spec.source.targetRevision must be a string"
        ),
        (
            "  source: {repoURL: a, path: p, targetrevision: x}\n", "application.unknown-field",
            "spec.source.targetrevision"
        ),
        ("  source: {repoURL: a, path: p, directory: {include: '[a'}}\n", "application.invalid", "directory.include"),
        (
            "  source: {repoURL: a, path: p, directory: {recurse: 'yes'}}\n", "application.invalid",
            "spec.source.directory.recurse must be true or false"
        ),
        ("  source: 3\n", "application.invalid", "spec.source must be a map"),
        ("  sources: [{repoURL: a}]\n", "application.unsupported", "spec.sources"),
        ("  sourceHydrator: {}\n", "application.unsupported", "spec.sourceHydrator"),
        ("  ignoreDifferences: [{group: x}]\n", "application.invalid", "spec.ignoreDifferences[0].kind is missing"),
        ("  ignoreDifferences: [{kind: x, jsonPath: [a]}]\n", "application.unknown-field", "[0].jsonPath"),
        ("  ignoreDifferences: [{kind: x, jsonPointers: [spec]}]\n", "application.invalid", "jsonPointers[0]"),
        (
            "  ignoreDifferences: [{kind: x, jqPathExpressions: ['.a', '.b | to_entries']}]\n",
            "application.unsupported", "jqPathExpressions[1] (\".b | to_entries\"): it uses to_entries"
        ),
        ("  ignoreDifferences: [{kind: x, jqPathExpressions: ['.a[']}]\n", "application.unsupported", "[0] (\".a[\")"),
        ("  ignoreDifferences: [{kind: x, jqPathExpressions: ['.a |']}]\n", "application.invalid", "[0] (\".a |\")"),
        ("  syncPolicy: {syncOptions: [A=b]}\n", "application.unknown-field", "spec.syncPolicy.syncOptions[0]"),
        ("  syncPolicy: {automatd: {}}\n", "application.unknown-field", "spec.syncPolicy.automatd"),
        ("  syncPolicy: {automated: true}\n", "application.invalid", "spec.syncPolicy.automated must be a map"),
        ("  syncPolicy: {retry: {limit: many}}\n", "application.invalid", "spec.syncPolicy.retry.limit"),
        (
            "  syncPolicy: {retry: {backoff: {duration: soon}}}\n", "application.invalid",
            "retry.backoff.duration must be a duration"
        ),
        ("  syncPolicy: {retry: {backoff: {factor: 0}}}\n", "application.invalid", "retry.backoff.factor"),
        ("  destination: {namespace: ns}\n", "application.invalid", "spec.destination names no cluster"),
        ("  destination: {server: a, name: b}\n", "application.invalid", "spec.destination has both"),
        ("  webhook: {gitlab: [{url: u}]}\n", "application.invalid", "spec.webhook.gitlab[0].secret is missing"),
        (
            "  webhook: {gitlab: [{url: 'https://u:hunter2@h/api/webhook', secret: s}]}\n", "application.invalid",
            "spec.webhook.gitlab[0].url holds a user name or a password"
        ),
        (
            "  webhook: {gitlab: [{url: u, secret: s}, {url: 'hunter2@h/', secret: s}]}\n", "application.invalid",
            "spec.webhook.gitlab[1].url holds a user name or a password"
        ),
        (
            "  webhook: {gitlab: [{url: 'https://h/api/webhook?token=hunter2', secret: s}]}\n", "application.invalid",
            "spec.webhook.gitlab[0].url holds a query or a fragment"
        ),
        (
            "  info: [{name: a, value: b}, {name: url, value: 'see https://u:hunter2@h/'}]\n", "application.invalid",
            "spec.info[1].value holds an address with a user name or a password"
        ),
        (
            "  info: [{'https://hunter2@h/': b}]\n", "application.invalid",
            "spec.info[0] holds an address with a user name or a password"
        ),
        ("  webhook: {github: []}\n", "application.unknown-field", "spec.webhook.github"),
        ("  surprise: 1\n", "application.unknown-field", "spec.surprise")
    ]

    @Test("what is not supported or not known is refused by its name, with its line", arguments: refused)
    func refusal(line: String, code: String, words: String) throws {
        // The line stands in for its own member of the base.
        let member = line.split(separator: ":").first ?? ""
        let rest = Self.base.split(separator: "\n").filter { !$0.hasPrefix(member + ":") }.map { $0 + "\n" }.joined()
        let failure = try failure(Self.document(line + rest))
        #expect(failure.code.rawValue == code, "\(failure)")
        #expect(failure.message.contains(words), "\(failure)")
        #expect(failure.message.hasPrefix("app.yaml:5: ") || words.contains("directory.include"), "\(failure)")
        #expect(!"\(failure)".contains("hunter2"))
    }

    @Test(
        "an address that lets nobody in may stand in spec.info",
        arguments: [
            "https://wiki.example.org/@team/web?page=1#top", "ann@example.org", "mailto:ann@example.org", "a: b@c",
            "ssh://git@git.example.org/a.git", "https://one.example.org/ and ann@example.org", "://", "https://"
        ])
    func information(value: String) throws {
        let (application, _) = try read(Self.document(Self.base + "  info: [{name: url, value: '\(value)'}]\n"))
        #expect(application.document.at("spec", "info")?.array?.first?["value"] == JSON.string(value))
    }

    @Test(
        "an address with a login is found wherever it stands",
        arguments: [
            "https://u:p@h/", "HTTPS://u@h", "x ssh://u:p@h", "https://a/ https://u:p@h", "https:http://u:p@h/",
            "(postgres://u:p@h/db)", "//u:p@h/", "a:///b c://u@h"
        ])
    func logins(text: String) { #expect(ShownAddress.holdsLogin(text)) }

    @Test("empty forms of unsupported fields are harmless")
    func empties() throws {
        let text = Self.document(
            """
              source: {repoURL: a, path: p, chart: '', ref: '', helm: null, directory: {jsonnet: {}}}
              sources: []
              ignoreDifferences: []
              destination: {name: c}
              syncPolicy: {managedNamespaceMetadata: {labels: {}}}

            """)
        #expect(try read(text).warnings.isEmpty)
    }

    @Test("harmless fields are kept, with a warning each")
    func warnings() throws {
        let (application, warnings) = try read(
            Self.document(
                Self.base + """
                      info: [{name: url, value: x}]
                      revisionHistoryLimit: 3
                      syncPolicy: {syncOptions: [ServerSideApply=false], retry: {refresh: true}}

                    """,
                metadata: "{name: web, annotations: {notifications.argoproj.io/subscribe.x.y: z}}"))
        #expect(warnings.count == 5)
        for name in [
            "spec.info", "spec.revisionHistoryLimit", "ServerSideApply=false", "retry.refresh", "notifications"
        ] {
            #expect(warnings.contains { $0.contains(name) }, "\(warnings)")
        }
        #expect(application.document.at("spec", "revisionHistoryLimit") == 3)
    }

    @Test("ignored differences are read, from the document that the ledger keeps")
    func ignored() throws {
        let (application, warnings) = try read(
            Self.document(
                Self.base + """
                      ignoreDifferences:
                      - {group: apps, kind: Deployment, name: web, namespace: shop, jsonPointers: [/spec/replicas]}
                      - {group: '*', kind: '*', managedFieldsManagers: [kube-controller-manager]}
                      - {kind: Secret}

                    """))
        #expect(warnings.count == 1 && warnings[0].contains("spec.ignoreDifferences[2] ignores nothing"), "\(warnings)")
        let rules = application.ignoredDifferences.rules
        #expect(rules.count == 3)
        #expect(rules.first?.name == "web" && rules.first?.namespace == "shop")
        #expect(rules.first?.pointers.map(\.description) == ["/spec/replicas"])
        #expect(rules.dropFirst().first?.managers == ["kube-controller-manager"])
        let parsed = try IgnoreRules.read(
            Array("- {kind: Secret, jqPathExpressions: ['.data.x']}\n".utf8), file: "rules.yaml")
        #expect(parsed.rules.first?.queries.map(\.text) == [".data.x"])
    }

    @Test("a mistyped name gets the one it may have been meant to be")
    func nearest() throws {
        #expect(try failure(Self.document(Self.base + "  syncPolicies: {}\n")).remedy == "did you mean syncPolicy?")
        #expect(
            try failure(Self.document(Self.base + "  syncPolicy: {syncOptions: [createNamespace=true]}\n")).remedy
                == "did you mean CreateNamespace=true?")
    }

    @Test(
        "names are those of the API server",
        arguments: [
            ("web", true), ("a.b-c", true), ("0", true), ("", false), ("Web", false), ("-a", false), ("a-", false),
            ("a..b", false), ("a_b", false), ("a/b", false), (String(repeating: "a", count: 254), false)
        ])
    func appNames(name: String, isGood: Bool) throws {
        let text = Self.document(Self.base, metadata: "{name: '\(name)'}")
        #expect(((try? read(text)) != nil) == isGood)
    }

    @Test("other kinds are named")
    func kinds() throws {
        #expect(try failure("apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\n").code == .applicationUnsupported)
        #expect(try failure("apiVersion: v1\nkind: Pod\n").code == .applicationInvalid)
        #expect(try failure("apiVersion: argoproj.io/v2\nkind: Application\n").code == .applicationInvalid)
        #expect(try failure("[]").code == .applicationInvalid)
    }

    @Test("several documents and JSON are read, and a line counts in its own document")
    func documents() throws {
        let text = Self.document(Self.base) + "---\n" + Self.document(Self.base, metadata: "{name: second}")
        #expect(
            try ApplicationReader.read(Array(text.utf8), file: "x.yaml").map(\.application.name) == ["web", "second"])
        let failure = try failure(text + "  extra: 1\n")
        #expect(failure.message.hasPrefix("app.yaml:14: spec.extra"), "\(failure)")
        let json = try #require(try yaml(Self.document(Self.base)).first)
        #expect(try ApplicationReader.read(json.canonicalBytes, file: "x.json").count == 1)
        #expect(try ApplicationReader.read(json).application.name == "web")
    }

    @Test(
        "Go's durations",
        arguments: [
            ("5s", 5000), ("3m0s", 180_000), ("1h30m", 5_400_000), ("1.5s", 1500), ("250ms", 250), ("30", 30_000),
            ("0", 0),
            ("", nil), ("s", nil), ("5x", nil), ("-5s", nil), ("5s3", nil), ("1e9h", nil), ("999999999h", nil),
            ("..s", nil)
        ] as [(String, Int64?)])
    func durations(text: String, milliseconds: Int64?) throws {
        let document = Self.document(Self.base + "  syncPolicy: {retry: {backoff: {duration: '\(text)'}}}\n")
        #expect((try? read(document))?.application.syncPolicy.retry?.initialMilliseconds == milliseconds)
    }
}
