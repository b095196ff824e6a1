import Manifests
import Shiplog

/// What the `explain` commands print alike.
enum ExplainText {
    static func object(_ key: ResourceKey) -> JSON {
        [
            "group": .string(key.group), "kind": .string(key.kind), "namespace": .string(key.namespace),
            "name": .string(key.name)
        ]
    }

    /// A value on one line.
    static func value(_ value: JSON?) -> String {
        guard let value else { return "" }
        let text = value.canonicalString
        return text.count > 60 ? String(text.prefix(59)) + "…" : text
    }
}

/// Objects out of files that people name on the command line.
enum ManifestInput {
    /// What a namespace holds may be many times what people write.
    private static let limit = 64 << 20

    /// All files' objects in order; lists one by one. `-` is standard input. Of an object that stands twice the last counts.
    static func read(_ files: [String]) throws(Failure) -> [Resource] {
        var sources: [SourceFile] = []
        for file in files {
            let bytes = try Places.input(file, limit: limit)
            sources.append(SourceFile(path: file == "-" ? "standard input" : file, bytes: bytes))
        }
        let rendered = try ManifestFiles.read(sources, limits: YAMLLimits(bytes: limit))
        for warning in rendered.warnings { Talk.warn(warning) }
        return rendered.resources
    }
}
