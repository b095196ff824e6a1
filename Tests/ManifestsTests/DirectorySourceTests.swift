import Manifests
public import Shiplog
import Testing

@Suite("Directory sources")
struct DirectorySourceTests {
    private func map(_ name: String, _ value: String = "x") -> String {
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: \(name)\ndata:\n  k: \(value)\n"
    }

    private func render(_ files: [(String, String)], _ options: DirectoryOptions = DirectoryOptions()) throws
        -> Rendered
    {
        try DirectorySource(options).render(files: files.map { SourceFile(path: $0.0, bytes: Array($0.1.utf8)) })
    }

    private func failure(_ files: [(String, String)], _ options: DirectoryOptions = DirectoryOptions()) throws
        -> Failure
    {
        try #require(throws: Failure.self) { try render(files, options) }
    }

    @Test("only manifests under the path are asked for; deeper ones with recurse; exclude wins over include")
    func choice() throws {
        let flat = try DirectorySource(DirectoryOptions(path: "apps/web"))
        #expect(flat.matches(path: "apps/web/a.yaml"))
        #expect(flat.matches(path: "apps/web/a.yml"))
        #expect(flat.matches(path: "apps/web/a.json"))
        #expect(flat.matches(path: "apps/web/a.jsonnet"))
        #expect(!flat.matches(path: "apps/web/README.md"))
        #expect(!flat.matches(path: "apps/web/a.YAML"))
        #expect(!flat.matches(path: "apps/web/deep/a.yaml"))
        #expect(!flat.matches(path: "apps/website/a.yaml"))
        #expect(!flat.matches(path: "apps/web"))
        let all = try DirectorySource(
            DirectoryOptions(path: ".", recurse: true, include: "{*.yaml,*.yml}", exclude: "{test/*,*-local.yaml}"))
        #expect(all.matches(path: "x/y/a.yaml"))
        #expect(!all.matches(path: "x/y/a.json"))
        #expect(!all.matches(path: "test/a.yaml"))
        #expect(!all.matches(path: "x/a-local.yaml"))
    }

    @Test("documents, lists and JSON become resources in order, each with its place")
    func rendering() throws {
        let list = """
            apiVersion: v1
            kind: List
            items:
            - apiVersion: v1
              kind: ConfigMap
              metadata: {name: c}
            - apiVersion: v1
              kind: List
              items:
              - {apiVersion: v1, kind: ConfigMap, metadata: {name: d}}
            ---
            apiVersion: v1
            kind: ConfigMapList
            items:
            - metadata: {name: e}
            ---
            apiVersion: v1
            kind: SecretList
            items: null
            """
        let json =
            "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"f\"}}\n"
            + "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"g\"}}"
        let rendered = try render([
            ("z/x.yaml", map("ignored, not recursive")), ("b.yaml", list), ("c.json", json),
            ("a.yaml", "# head\n" + map("a") + "---\n" + map("b"))
        ])
        #expect(rendered.resources.map(\.name) == ["a", "b", "c", "d", "e", "f", "g"])
        #expect(rendered.warnings.isEmpty)
        let places = rendered.resources.map { rendered.origins[$0.key]?.description ?? "" }
        #expect(places == ["a.yaml:2", "a.yaml:9", "b.yaml:1", "b.yaml:1", "b.yaml:12", "c.json:1", "c.json:2"])
    }

    @Test("of two manifests of one object the last wins, and the warning names both places")
    func doubles() throws {
        let rendered = try render(
            [
                ("b.yaml", map("web", "two")), ("a.yaml", map("other") + "---\n" + map("web", "one")),
                ("a/z.yaml", map("web", "zero"))
            ], DirectoryOptions(recurse: true))
        #expect(rendered.resources.map(\.name) == ["other", "web"])
        #expect(rendered.resources.last?.object.at("data", "k") == "two")
        #expect(
            rendered.warnings == [
                "ConfigMap web stands twice, in a/z.yaml:1 and in a.yaml:8: the last one is used",
                "ConfigMap web stands twice, in a.yaml:8 and in b.yaml:1: the last one is used"
            ])
    }

    @Test("what is no manifest is ignored with a warning, but not among manifests")
    func foreign() throws {
        let rendered = try render([
            ("values.yaml", "image: nginx\n"), ("broken.yaml", "a: [1\n"), ("package.json", "{\"name\": \"x\"}"),
            ("web.yaml", map("web"))
        ])
        #expect(rendered.resources.map(\.name) == ["web"])
        #expect(rendered.warnings.count == 3)
        #expect(
            rendered.warnings.first?.hasPrefix("broken.yaml is no manifest and was ignored: broken.yaml:2:1: ") == true)
        #expect(try failure([("a.yaml", map("a") + "---\nname: lost\n")]).message.hasPrefix("a.yaml:8: "))
        let helm = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}\n"
        #expect(try failure([("t.yaml", helm)]).message.hasPrefix("t.yaml:4:"))
        #expect(
            try failure([("b.json", "{\"apiVersion\": \"v1\", \"kind\": \"Pod\", \"metadata\": {}")]).code
                == "manifest.json-invalid")
    }

    @Test("a file that asks for it is skipped")
    func skipped() throws {
        let rendered = try render([
            ("a.yaml", "# +argocd:skip-file-rendering\n" + map("a") + ": broken"), ("b.yaml", map("b"))
        ])
        #expect(rendered.resources.map(\.name) == ["b"])
        #expect(rendered.warnings.isEmpty)
    }

    @Test(
        "a manifest that is incomplete is refused with its place",
        arguments: [
            (
                "apiVersion: v1\nkind: Pod\nmetadata: {}\n", "m.yaml:1: metadata.name of Pod is missing",
                "manifest.invalid"
            ),
            ("a: 1\n---\n\napiVersion: v1\nkind: Pod\n", "m.yaml:4: metadata.name", "manifest.invalid"),
            (
                "apiVersion: 1\nkind: Pod\nmetadata: {name: a}\n", "m.yaml:1: apiVersion is missing or no string",
                "manifest.invalid"
            ),
            (
                "apiVersion: v1\nkind: Job\nmetadata: {generateName: a-}\n", "m.yaml:1: Job has metadata.generateName",
                "manifest.generate-name"
            ),
            ("apiVersion: v1\nkind: List\nitems: 3\n", "m.yaml:1: items of List is a number", "manifest.invalid"),
            ("apiVersion: v1\nkind: List\nitems: [3]\n", "m.yaml:1: a manifest must be a map", "manifest.invalid")
        ])
    func incomplete(text: String, message: String, code: String) throws {
        let failure = try failure([("m.yaml", text)])
        #expect(failure.message.hasPrefix(message), "\(failure)")
        #expect(failure.code.rawValue == code)
    }

    @Test("sources of other tools are refused by name, unless the application says directory")
    func tools() throws {
        for name in ["Chart.yaml", "kustomization.yaml", "kustomization.yml", "Kustomization"] {
            let files = [("app/\(name)", "a: b\n"), ("app/web.yaml", map("web"))]
            #expect(try DirectorySource(DirectoryOptions(path: "app", exclude: "*")).matches(path: "app/\(name)"))
            let failure = try failure(files, DirectoryOptions(path: "app"))
            #expect(failure.code == "source.tool-unsupported")
            #expect(failure.message.contains("app/\(name)"))
            #expect(try render(files, DirectoryOptions(path: "app", isExplicit: true)).resources.map(\.name) == ["web"])
        }
        #expect(try failure([(".argocd-source.yaml", "a: b\n")]).code == "source.override-unsupported")
        let named = DirectoryOptions(applicationName: "web")
        #expect(try failure([(".argocd-source-web.yaml", "a: b\n")], named).code == "source.override-unsupported")
        #expect(try render([(".argocd-source-other.yaml", "a: b\n")], named).warnings.count == 1)
        #expect(try failure([("x.jsonnet", "{}")]).code == "source.jsonnet-unsupported")
        #expect(try render([("x.jsonnet", "{}")], DirectoryOptions(exclude: "*.jsonnet")).resources.isEmpty)
    }

    @Test("the files together have a limit, and a broken glob is named")
    func limits() throws {
        #expect(try failure([("a.yaml", map("a"))], DirectoryOptions(maximumBytes: 10)).code == "manifest.too-large")
        let failure = try #require(throws: Failure.self) { try DirectorySource(DirectoryOptions(include: "{a")) }
        #expect(failure.code == .applicationInvalid)
        #expect(failure.message.contains("directory.include"))
    }

    @Test("JSON of several documents names line and column of an error")
    func jsonErrors() throws {
        let good = "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"g\"}}\n"
        #expect(try failure([("a.json", good + "{\"a\": 1,}")]).message.hasPrefix("a.json:2:9: "))
        #expect(try failure([("a.json", good + "x")]).message.hasPrefix("a.json:2:1: "))
        #expect(try failure([("a.json", good + "{\"a\": \"}\"")]).message.hasPrefix("a.json:2:"))
        #expect(try render([("a.json", "\u{FEFF}" + good)]).resources.count == 1)
    }
}

@Suite("Normalising what is desired")
struct DesiredNormalizationTests {
    private func normalize(_ text: String) throws -> (resource: Resource, warnings: [String]) {
        DesiredNormalization.apply(try Resource(try #require(try yaml(text).first)))
    }

    @Test("what a manifest names only to leave it to the cluster is not applied")
    func leftToCluster() throws {
        let (role, warnings) = try normalize(
            """
            apiVersion: rbac.authorization.k8s.io/v1
            kind: ClusterRole
            metadata: {name: r}
            aggregationRule: {clusterRoleSelectors: [{matchLabels: {a: b}}]}
            rules: [{apiGroups: [""], resources: [pods], verbs: [get]}]
            """)
        #expect(role.object["rules"] == nil)
        #expect(role.object["aggregationRule"] != nil)
        #expect(warnings.count == 1 && warnings[0].contains("rules is not applied"), "\(warnings)")
        let (hook, others) = try normalize(
            """
            apiVersion: admissionregistration.k8s.io/v1
            kind: ValidatingWebhookConfiguration
            metadata: {name: h}
            webhooks:
            - {name: a.b.c, clientConfig: {caBundle: Cg==, url: 'https://a'}}
            - {name: d.e.f, clientConfig: {caBundle: QUJD, url: 'https://d'}}
            """)
        #expect(others.isEmpty)
        let webhooks = hook.object["webhooks"]?.array ?? []
        #expect(webhooks.map { $0.at("clientConfig", "caBundle") } == [nil, "QUJD"])
        #expect(webhooks.map { $0.at("clientConfig", "url") } == ["https://a", "https://d"])
    }

    @Test("stringData is folded into data, where it wins")
    func secrets() throws {
        let (resource, warnings) = try normalize(
            """
            apiVersion: v1
            kind: Secret
            metadata: {name: s}
            data: {a: b2xk, keep: a2VlcA==, empty: }
            stringData: {a: new, c: "grüß", d: "", e: }
            """)
        #expect(resource.object["stringData"] == nil)
        #expect(
            resource.object["data"] == ["a": "bmV3", "keep": "a2VlcA==", "empty": "", "c": "Z3LDvMOf", "d": "", "e": ""]
        )
        #expect(warnings.isEmpty)
        let broken = try normalize("{apiVersion: v1, kind: Secret, metadata: {name: s}, stringData: {a: 3}}").resource
        #expect(broken.object["stringData"] == ["a": 3])
        let map = try normalize("{apiVersion: v1, kind: ConfigMap, metadata: {name: s}, stringData: {a: b}}").resource
        #expect(map.object["stringData"] == ["a": "b"])
    }

    @Test("base64 is RFC 4648's")
    func base64() throws {
        for (text, encoded) in [
            ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy")
        ] {
            let resource = try normalize(
                "{apiVersion: v1, kind: Secret, metadata: {name: s}, stringData: {a: \"\(text)\"}}"
            ).resource
            #expect(resource.object.at("data", "a") == .string(encoded))
        }
    }

    @Test("nulls, status and the server's own fields go; what had a value is named")
    func serverFields() throws {
        let (resource, warnings) = try normalize(
            """
            apiVersion: apps/v1
            kind: Deployment
            metadata:
              name: web
              namespace: demo
              creationTimestamp: null
              uid: 1-2-3
              resourceVersion: "7"
              managedFields: [{manager: x}]
              annotations: {a: b, kubectl.kubernetes.io/last-applied-configuration: "{}"}
            spec:
              strategy: {rollingUpdate: null}
              list: [null, {a: null}]
            status: {replicas: 3}
            """)
        #expect(
            resource.object == [
                "apiVersion": "apps/v1", "kind": "Deployment",
                "metadata": ["name": "web", "namespace": "demo", "annotations": ["a": "b"]],
                "spec": ["strategy": [:], "list": [nil, [:]]]
            ] as JSON)
        #expect(
            warnings == [
                "apps/Deployment demo/web: status is not applied",
                "apps/Deployment demo/web: metadata.managedFields is not applied",
                "apps/Deployment demo/web: metadata.resourceVersion is not applied",
                "apps/Deployment demo/web: metadata.uid is not applied",
                "apps/Deployment demo/web: the annotation kubectl.kubernetes.io/last-applied-configuration is not applied"
            ])
        #expect(try normalize("{apiVersion: v1, kind: Pod, metadata: {name: p}, status: {}}").warnings.isEmpty)
    }

    @Test(
        "of entries with one name in a pod's lists the last stays, with a warning",
        arguments: [
            ("v1", "Pod", ["spec"]), ("apps/v1", "Deployment", ["spec", "template", "spec"]),
            ("batch/v1", "CronJob", ["spec", "jobTemplate", "spec", "template", "spec"])
        ])
    func doubles(apiVersion: String, kind: String, path: [String]) throws {
        let pod = try #require(
            try yaml(
                """
                containers:
                - {name: app, image: old}
                - name: app
                  image: new
                  env: [{name: A, value: 1}, {name: B, value: 2}, {name: A, value: 3}]
                  ports: [{containerPort: 80}, {containerPort: 80, protocol: UDP}, {containerPort: 80, protocol: TCP, name: http}]
                volumes: [{name: v, emptyDir: {}}, {name: w}, {name: v, configMap: {name: c}}]
                """
            ).first)
        var object: JSON = ["apiVersion": .string(apiVersion), "kind": .string(kind), "metadata": ["name": "x"]]
        object.set(pod, at: path)
        let (resource, warnings) = DesiredNormalization.apply(try Resource(object))
        let result = try #require(resource.object.at(path[...]))
        #expect(
            result["containers"] == [
                [
                    "name": "app", "image": "new", "env": [["name": "B", "value": 2], ["name": "A", "value": 3]],
                    "ports": [
                        ["containerPort": 80, "protocol": "UDP"],
                        ["containerPort": 80, "protocol": "TCP", "name": "http"]
                    ]
                ]
            ])
        #expect(result["volumes"] == [["name": "w"], ["name": "v", "configMap": ["name": "c"]]])
        #expect(warnings.count == 4)
        #expect(warnings.allSatisfy { $0.contains("the last one is used") && $0.contains(path.joined(separator: ".")) })
    }

    @Test("normalising twice changes nothing more")
    func idempotent() throws {
        let once = try normalize("{apiVersion: v1, kind: Secret, metadata: {name: s, uid: x}, stringData: {a: b}, x: }")
            .resource
        let (twice, warnings) = DesiredNormalization.apply(once)
        #expect(twice == once)
        #expect(warnings.isEmpty)
    }
}

extension JSON: ExpressibleByNilLiteral {
    public init(nilLiteral: ()) { self = .null }
}
