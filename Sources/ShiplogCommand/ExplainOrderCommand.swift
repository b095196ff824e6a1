import ArgumentParser
import Foundation
import Manifests
import Shiplog

/// `shiplog explain order`.
struct ExplainOrderCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "order", abstract: "In which phase, wave and order a sync would carry manifests out.",
        discussion: """
            Examples:
              shiplog explain order deploy/
              kustomize build . | shiplog explain order -
              shiplog explain order new.yaml --prune old.yaml -o json

            One line a step, first to last. What stands in SyncFail runs only when something before it has failed.
            """)

    @Argument(
        help: "Files or folders of manifests, or - for standard input.",
        completion: .file(extensions: ["yaml", "yml", "json"]))
    var file: [String] = []
    @Option(
        help: ArgumentHelp(
            "Manifests of what is in the cluster and no longer desired; may be given again.", valueName: "file"),
        completion: .file(extensions: ["yaml", "yml", "json"]))
    var prune: [String] = []
    @Option(
        name: [.customShort("n"), .long],
        help: ArgumentHelp("The namespace of manifests that name none.", valueName: "namespace"))
    var namespace = ""
    @Flag(help: "Leave hooks out, as a rollback does.")
    var noHooks = false
    @Flag(help: "Prune last, as the application's sync option PruneLast=true says.")
    var pruneLast = false
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard !file.isEmpty || !prune.isEmpty else { throw ValidationError("Name a file, or - for standard input.") }
    }

    func run() async throws {
        let desired = try ManifestPaths.read(file, namespace: namespace)
        let pruned = try ManifestPaths.read(prune, namespace: namespace)
        let order = SyncOrder(
            desired: desired.resources, pruned: pruned.resources, hooks: !noHooks, prunesLast: pruneLast)
        for warning in desired.warnings + pruned.warnings + order.warnings { Talk.warn(warning) }
        let out = output.out
        out.show(Self.json(order)) { Self.text(order, out) }
    }

    static func text(_ order: SyncOrder, _ out: Output) -> String {
        let rows = order.steps.map { step in
            let key = step.resource.key
            return [
                Cell(step.order.phase.word), Cell("\(step.order.wave)"), Cell.status(step.action.rawValue),
                Cell(key.groupKind.description), Cell(key.namespace.isEmpty ? key.name : "\(key.namespace)/\(key.name)")
            ]
        }
        let left = order.omitted.map { Terminal.harmless("left out: \($0.key): \($0.why)") + "\n" }.joined()
        return out.table(["PHASE", "WAVE", "ACTION", "KIND", "NAME"], rows) + left
    }

    static func json(_ order: SyncOrder) -> JSON {
        func members(_ key: ResourceKey) -> [String: JSON] {
            [
                "group": .string(key.group), "kind": .string(key.kind), "namespace": .string(key.namespace),
                "name": .string(key.name)
            ]
        }
        let steps = order.steps.map { step in
            var json = members(step.resource.key)
            json["phase"] = .string(step.order.phase.word)
            json["wave"] = .integer(Int64(step.order.wave))
            json["action"] = .string(step.action.rawValue)
            json["apiVersion"] = .string(step.resource.gvk.apiVersion)
            if step.action == .hook {
                json["deletePolicies"] = .array(step.deletePolicies.map(\.rawValue).sorted().map { .string($0) })
            }
            return JSON.object(json)
        }
        let omitted = order.omitted.map { omission in
            JSON.object(members(omission.key).merging(["why": .string(omission.why)]) { $1 })
        }
        return [
            "steps": .array(steps), "omitted": .array(omitted),
            "warnings": .array(order.warnings.map { .string($0) })
        ]
    }
}

/// Manifests out of files and folders, as an application would read them.
enum ManifestPaths {
    /// - Parameters:
    ///   - paths: files, folders with all that is below them, or `-` for standard input.
    ///   - namespace: of manifests that name none and are not known to be of the whole cluster; empty to leave them.
    static func read(_ paths: [String], namespace: String) throws(Failure) -> Rendered {
        var files: [SourceFile] = []
        for path in paths {
            for name in path == "-" ? [path] : try below(path) {
                let bytes = try Places.input(name, limit: limit)
                let isNamed = DirectorySource.isManifestName(name)
                files.append(SourceFile(path: isNamed ? name : name + ".yaml", bytes: bytes))
            }
        }
        let source = try DirectorySource(DirectoryOptions(recurse: true, isExplicit: true))
        var rendered = try source.render(files: files)
        guard !namespace.isEmpty else { return rendered }
        let scopes = Resource.definedScopes(in: rendered.resources)
        rendered.resources = rendered.resources.map { resource in
            let kind = resource.gvk.groupKind
            let isNamespaced = scopes[kind] ?? !clusterScoped.contains(kind.description)
            return isNamespaced && resource.namespace.isEmpty ? resource.inNamespace(namespace) : resource
        }
        return rendered
    }

    private static let limit = 64 << 20

    private static func below(_ path: String) throws(Failure) -> [String] {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue else {
            return [path]
        }
        let names = FileManager.default.enumerator(atPath: path)?.compactMap { $0 as? String } ?? []
        let files = names.filter { DirectorySource.isManifestName($0) && !$0.hasPrefix(".git/") }
        return files.sorted().map { (path.hasSuffix("/") ? path : path + "/") + $0 }
    }

    /// Kubernetes' own kinds that live in no namespace: without a server there is nobody to ask.
    private static let clusterScoped: Set<String> = [
        "Namespace", "Node", "PersistentVolume", "apiextensions.k8s.io/CustomResourceDefinition",
        "apiregistration.k8s.io/APIService", "rbac.authorization.k8s.io/ClusterRole",
        "rbac.authorization.k8s.io/ClusterRoleBinding", "storage.k8s.io/StorageClass", "storage.k8s.io/CSIDriver",
        "storage.k8s.io/CSINode", "storage.k8s.io/VolumeAttachment", "storage.k8s.io/VolumeAttributesClass",
        "scheduling.k8s.io/PriorityClass", "node.k8s.io/RuntimeClass", "networking.k8s.io/IngressClass",
        "networking.k8s.io/IPAddress", "networking.k8s.io/ServiceCIDR",
        "admissionregistration.k8s.io/ValidatingWebhookConfiguration",
        "admissionregistration.k8s.io/MutatingWebhookConfiguration",
        "admissionregistration.k8s.io/ValidatingAdmissionPolicy",
        "admissionregistration.k8s.io/ValidatingAdmissionPolicyBinding",
        "certificates.k8s.io/CertificateSigningRequest", "flowcontrol.apiserver.k8s.io/FlowSchema",
        "flowcontrol.apiserver.k8s.io/PriorityLevelConfiguration", "resource.k8s.io/DeviceClass",
        "resource.k8s.io/ResourceSlice"
    ]
}
