import Shiplog
import Testing

/// What any API server must do for the loop, as Shiplog asks for it: run against the sandbox always, and against an
/// external cluster when `SHIPLOG_CONFORMANCE_KUBECONFIG` names one. Each scenario has a namespace of its own.
enum Conformance: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case identityIsStable = "the cluster's identity is a UID and stays the same"
    case catalogKnowsBuiltIns = "discovery names the built-in kinds, their scope and the server's version"
    case absentIsNil = "an object that is not there is nil, and a kind that is not served is an error"
    case applyCreatesAndChanges = "apply creates, changes and leaves alone, and owns its fields"
    case applyRemovesFields = "a field that the next apply leaves out is gone"
    case dryRunChangesNothing = "a dry run answers the result and changes nothing"
    case conflictsAreTold = "an apply without force over another manager's field is a conflict that stays"
    case createTwice = "creating what exists is refused as that"
    case replaceGuarded = "replace is guarded by the resourceVersion"
    case patches = "merge, JSON and status patches change what they say"
    case immutableField = "an immutable field is told from other invalid ones"
    case secretsStaySecret = "no message about a Secret repeats its values"
    case deleteForms = "deletion tells done, waiting and absent apart"
    case deletePreconditions = "deletion keeps to the UID it is given"
    case listPagesAndSelects = "a list is whole over many pages, and a selector selects"
    case watchResumes = "a watch tells what happened after its version, in order"
    case watchTooOld = "a watch from a version long gone is expired, not empty"
    case customKind = "a kind from a CustomResourceDefinition is served after it is established"
    case missingNamespace = "an apply into a namespace that is not there says so"

    var testDescription: String { rawValue }

    /// Makes the namespace, runs the scenario, and takes the namespace away.
    func run(on cluster: any Cluster) async throws {
        let bench = try await Bench(cluster, scenario: self)
        do {
            try await run(bench)
        } catch {
            await bench.cleanUp()
            throw error
        }
        await bench.cleanUp()
    }

    private func run(_ bench: Bench) async throws {
        switch self {
        case .identityIsStable: try await identity(bench)
        case .catalogKnowsBuiltIns: try await builtIns(bench)
        case .absentIsNil: try await absent(bench)
        case .applyCreatesAndChanges: try await applying(bench)
        case .applyRemovesFields: try await removing(bench)
        case .dryRunChangesNothing: try await dryRun(bench)
        case .conflictsAreTold: try await conflicts(bench)
        case .createTwice: try await twice(bench)
        case .replaceGuarded: try await replacing(bench)
        case .patches: try await patching(bench)
        case .immutableField: try await immutable(bench)
        case .secretsStaySecret: try await secrets(bench)
        case .deleteForms: try await deleting(bench)
        case .deletePreconditions: try await preconditions(bench)
        case .listPagesAndSelects: try await listing(bench)
        case .watchResumes: try await watching(bench)
        case .watchTooOld: try await expired(bench)
        case .customKind: try await custom(bench)
        case .missingNamespace: try await nowhere(bench)
        }
    }
}

/// A cluster, a namespace of the scenario's own and the kinds it uses.
struct Bench: Sendable {
    let cluster: any Cluster
    let catalog: KindCatalog
    let namespace: String

    init(_ cluster: any Cluster, scenario: Conformance) async throws {
        self.cluster = cluster
        catalog = try await cluster.catalog(refresh: true)
        namespace = "shiplog-check-" + String(UInt32.random(in: 0...UInt32.max), radix: 36)
        let object: JSON = [
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": [
                "name": .string(namespace), "annotations": ["shiplog.test/scenario": .string(scenario.rawValue)]
            ]
        ]
        _ = try await cluster.apply(try Resource(object), as: try kind("v1", "Namespace"), WriteOptions())
    }

    func cleanUp() async {
        guard let kind = try? kind("v1", "Namespace") else { return }
        _ = try? await cluster.delete(kind, namespace: "", name: namespace, DeleteOptions(propagation: .background))
    }

    func kind(_ apiVersion: String, _ kind: String) throws -> ServedKind {
        try catalog.served(GroupVersionKind(apiVersion: apiVersion, kind: kind))
    }

    var configMaps: ServedKind { get throws { try kind("v1", "ConfigMap") } }
    var secrets: ServedKind { get throws { try kind("v1", "Secret") } }

    func configMap(_ name: String, _ data: [String: String] = [:], labels: [String: String] = [:]) throws -> Resource {
        try Resource([
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": ["name": .string(name), "namespace": .string(namespace), "labels": JSON(labels)],
            "data": JSON(data)
        ])
    }

    func secret(_ name: String, _ data: [String: String]) throws -> Resource {
        try Resource([
            "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
            "metadata": ["name": .string(name), "namespace": .string(namespace)], "data": JSON(data)
        ])
    }

    func deployment(_ name: String, app: String, image: String = "registry.test/app:1") throws -> Resource {
        try Resource([
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": ["name": .string(name), "namespace": .string(namespace)],
            "spec": [
                "replicas": 0, "selector": ["matchLabels": ["app": .string(app)]],
                "template": [
                    "metadata": ["labels": ["app": .string(app)]],
                    "spec": ["containers": [["name": "main", "image": .string(image)]]]
                ]
            ]
        ])
    }

    /// Polls until the answer is there, for ten seconds at most.
    func eventually(_ what: Comment, _ condition: () async throws -> Bool) async throws {
        let deadline = ContinuousClock.now + .seconds(10)
        while ContinuousClock.now < deadline {
            if try await condition() { return }
            try await Task.sleep(for: .milliseconds(30))
        }
        Issue.record(what)
    }
}

/// The failure that an act ends in, or nil with an issue recorded when it succeeds.
func failure<T>(_ act: () async throws -> T) async -> Failure? {
    do {
        _ = try await act()
        Issue.record("it succeeded")
        return nil
    } catch let failure as Failure {
        return failure
    } catch {
        Issue.record("another error: \(error)")
        return nil
    }
}
