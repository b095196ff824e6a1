import Shiplog

/// Collects resources file by file.
struct Rendering {
    private let limits: YAMLLimits
    private var resources: [Resource?] = []
    private var places: [ResourceKey: Int] = [:]
    private var origins: [ResourceKey: ManifestOrigin] = [:]
    private var warnings: [String] = []
    private var ignored: Set<String> = []

    init(limits: YAMLLimits) { self.limits = limits }

    var result: Rendered {
        Rendered(
            resources: resources.compactMap(\.self), origins: origins, warnings: warnings,
            ignored: ignored.subtracting(origins.values.map(\.file)))
    }

    mutating func add(_ file: SourceFile) throws(Failure) {
        if file.path.hasSuffix(".jsonnet") {
            throw Failure(
                "source.jsonnet-unsupported", "\(file.path) is Jsonnet, which is not supported yet",
                remedy: "render it into plain manifests, or name it in spec.source.directory.exclude")
        }
        if file.bytes.contains("# +argocd:skip-file-rendering") { return }
        let documents: [YAMLDocument]
        do throws(Failure) {
            documents =
                file.path.hasSuffix(".json")
                ? try JSONStream.read(file.bytes, file: file.path, limits: limits)
                : try YAML.read(file.bytes, file: file.path, limits: limits)
        } catch {
            // As in Argo CD: what cannot be read and holds no manifest by its words belongs to somebody else.
            guard !mayBeManifest(file), error.code == .yamlInvalid else { throw error }
            warnings.append("\(file.path) is no manifest and was ignored: \(error.message)")
            ignored.insert(file.path)
            return
        }
        var found = 0
        for document in documents {
            let origin = ManifestOrigin(file: file.path, line: document.line)
            guard isResource(document.json) else {
                guard found == 0, !looksLikeManifest(file), !namesManifest(document.json) else {
                    throw Failure(
                        "manifest.invalid", "\(origin): a document without apiVersion and kind among manifests",
                        remedy: "complete it, or move it to a file of its own that is excluded")
                }
                warnings.append("\(origin) is no manifest and was ignored: it has no apiVersion and kind")
                ignored.insert(file.path)
                continue
            }
            found += 1
            try add(document.json, origin)
        }
    }

    private func isResource(_ json: JSON) -> Bool { json["apiVersion"] != nil && json["kind"] != nil }

    /// Whether somebody may have meant a manifest: one of its words alone, or written with other capitals.
    private func namesManifest(_ json: JSON) -> Bool {
        guard let members = json.object else { return false }
        return members.contains { ["apiversion", "kind", "metadata"].contains($0.key.lowercased()) }
    }

    /// What cannot be read is somebody's manifest sooner than what can and has no kind: two of its words are enough.
    private func mayBeManifest(_ file: SourceFile) -> Bool {
        let isJSON = file.path.hasSuffix(".json")
        return (isJSON ? ["\"apiVersion\"", "\"kind\""] : ["apiVersion:", "kind:"]).allSatisfy {
            file.bytes.contains($0)
        }
    }

    private func looksLikeManifest(_ file: SourceFile) -> Bool {
        let words =
            file.path.hasSuffix(".json")
            ? ["\"apiVersion\"", "\"kind\"", "\"metadata\""] : ["apiVersion:", "kind:", "metadata:"]
        return words.allSatisfy { file.bytes.contains($0) }
    }

    /// A list's items one by one, anything else as it is.
    private mutating func add(_ json: JSON, _ origin: ManifestOrigin) throws(Failure) {
        guard let kind = json["kind"]?.string, kind.hasSuffix("List"), let items = json["items"] else {
            return try insert(json, origin)
        }
        guard let elements = items.isNull ? [] : items.array else {
            throw Failure("manifest.invalid", "\(origin): items of \(kind) is \(items.typeName), not a list")
        }
        let itemKind = String(kind.dropLast("List".count))
        for var item in elements {
            // In a list of one kind, items need not repeat it.
            if !itemKind.isEmpty, item.object != nil {
                if item["kind"] == nil { item["kind"] = .string(itemKind) }
                if item["apiVersion"] == nil { item["apiVersion"] = json["apiVersion"] }
            }
            try add(item, origin)
        }
    }

    private mutating func insert(_ json: JSON, _ origin: ManifestOrigin) throws(Failure) {
        let resource: Resource
        do throws(Failure) {
            resource = try Resource(json)
        } catch {
            throw Failure(error.code, "\(origin): \(error.message)", remedy: error.remedy, next: error.next)
        }
        let key = resource.key
        if let place = places[key], let before = origins[key] {
            resources[place] = nil
            warnings.append("\(key) stands twice, in \(before) and in \(origin): the last one is used")
        }
        places[key] = resources.count
        origins[key] = origin
        resources.append(resource)
    }
}

extension [UInt8] {
    /// Whether the text occurs in these bytes.
    func contains(_ text: String) -> Bool {
        let wanted = Array(text.utf8)
        guard let first = wanted.first, count >= wanted.count else { return wanted.isEmpty }
        return withUnsafeBufferPointer { bytes in
            for index in 0...(bytes.count - wanted.count) where bytes[index] == first {
                if bytes[index..<(index + wanted.count)].elementsEqual(wanted) { return true }
            }
            return false
        }
    }
}
