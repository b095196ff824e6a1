import Shiplog
import Testing

@testable import Manifests

@Suite("Reading Argo CD's AppProjects")
struct ProjectReaderTests {
    private func read(_ spec: String, metadata: String = "{name: team}") throws -> (AppProject, [String]) {
        let text = "apiVersion: argoproj.io/v1alpha1\nkind: AppProject\nmetadata: \(metadata)\nspec: \(spec)\n"
        let found = try #require(try ProjectReader.read(Array(text.utf8), file: "p.yaml").first)
        return (found.project, found.warnings)
    }

    private func failure(_ spec: String, metadata: String = "{name: team}") throws -> Failure {
        try #require(throws: Failure.self) { try read(spec, metadata: metadata) }
    }

    /// A window whose one field is another.
    private func window(_ field: String) throws -> Failure {
        let name = String(field.prefix { $0 != ":" })
        let usual = [
            "kind: deny", "schedule: '* * * * *'", "duration: 1h", "applications: ['*']"
        ].filter { !$0.hasPrefix(name + ":") }
        return try failure("{syncWindows: [{\((usual + [field]).joined(separator: ", "))}]}")
    }

    @Test("the example is read unchanged, without a warning")
    func example() throws {
        let found = try ProjectReader.read(file("examples/projects/team-shop.yaml"), file: "team-shop.yaml")
        let (project, warnings) = try #require(found.first)
        #expect(warnings.isEmpty)
        #expect(project.name == "team-shop")
        #expect(project.windows.count == 2)
        #expect(project.windows.first?.zone.name == "Europe/Amsterdam")
        #expect(project.windows.first?.duration == 25_200)
        #expect(project.permitsSource("https://git.example.com/shop/web.git"))
        #expect(!project.permitsSource("https://git.example.com/shop/experiments"))
    }

    @Test("what would permit less than is read is refused by its name")
    func unsupported() throws {
        for field in [
            "signatureKeys: [{keyID: ABC}]", "sourceIntegrity: {git: {policies: [{gpg: {mode: strict}}]}}",
            "permitOnlyProjectScopedClusters: true", "destinationServiceAccounts: [{server: x}]"
        ] {
            let failure = try failure("{\(field)}")
            #expect(failure.code == .projectUnsupported, "\(field)")
            #expect(failure.message.hasPrefix("p.yaml:4: "), "\(failure.message)")
        }
        #expect(try read("{signatureKeys: [], permitOnlyProjectScopedClusters: false}").1.isEmpty)
    }

    @Test("what is harmless is kept and told")
    func warned() throws {
        let (project, warnings) = try read(
            "{roles: [{name: dev}], sourceNamespaces: [a], orphanedResources: {warn: true, ignore: [{kind: Secret}]}}")
        #expect(warnings.count == 3)
        #expect(project.orphaned == .init(warn: true, ignored: [.init(group: "", kind: "Secret")]))
        #expect(project.document.at("spec", "roles") != nil)
    }

    @Test("a name that no field has is refused with the one that was meant")
    func unknown() throws {
        let failure = try failure("{sourceRepo: ['*']}")
        #expect(failure.code == "project.unknown-field")
        #expect(failure.remedy == "did you mean sourceRepos?")
        #expect(
            try self.failure("{namespaceResourceBlacklist: [{kind: Secret, name: a}]}").code == "project.unknown-field")
    }

    @Test("what cannot be meant is refused")
    func invalid() throws {
        for spec in [
            "{sourceRepos: ['!*']}", "{sourceRepos: ['a[b']}", "{destinations: [{namespace: a}]}",
            "{destinations: [{server: '!*', namespace: a}]}", "{clusterResourceWhitelist: [{group: a}]}",
            "{sourceRepos: 'https://a'}", "{sourceRepos: ['https://me:secret@git.example.com/a']}"
        ] {
            let failure = try failure(spec)
            #expect(failure.code == .projectInvalid, "\(spec): \(failure)")
            #expect(!failure.message.contains("secret"))
        }
        #expect(try failure("{}", metadata: "{name: Team}").code == .projectInvalid)
        #expect(try failure("{}", metadata: "{namespace: a}").code == .projectInvalid)
    }

    @Test("a window says what is wrong with it, and where")
    func windows() throws {
        #expect(try window("kind: maybe").code == .projectInvalid)
        #expect(try window("schedule: '0 0 * *'").code == .windowScheduleInvalid)
        #expect(try window("schedule: ''").code == .projectInvalid)
        for duration in ["'60'", "0s", "-1h", "soon", "500ms", "''"] {
            #expect(try window("duration: \(duration)").code == .projectInvalid, "\(duration)")
        }
        #expect(try window("timeZone: Europe/Atlantis").message.contains("timeZone"))
        #expect(try window("applications: []").message.contains("speaks of no application"))
        #expect(try window("applications: ['a{b']").code == .projectInvalid)
        #expect(try window("manualSync: 'yes'").code == .projectInvalid)
    }

    @Test("what Argo CD and kubectl leave in a document is left out of what is kept")
    func kept() throws {
        let text = """
            apiVersion: argoproj.io/v1alpha1
            kind: AppProject
            metadata:
              name: team
              annotations: {kubectl.kubernetes.io/last-applied-configuration: '{}', note: kept}
              managedFields: []
            spec: {}
            status: {jwtTokensByRole: {ci: {items: [{iat: 1}]}}}
            """
        let project = try #require(try ProjectReader.read(Array(text.utf8), file: "p.yaml").first).project
        #expect(project.document["status"] == nil)
        #expect(project.document.at("metadata", "managedFields") == nil)
        #expect(project.document.at("metadata", "annotations") == ["note": "kept"])
    }

    @Test("another kind is refused")
    func kind() {
        #expect(throws: Failure.self) {
            try ProjectReader.read(["apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": [:]])
        }
    }
}
